"""The experiment from the command line: ``python -m forecasting.pool -h``."""

import argparse
import sys
import time
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from forecasting.console import say
from forecasting.files import checksum, write_file
from forecasting.market.prices import PriceError
from forecasting.parallel import on_cores
from forecasting.pool import data, report
from forecasting.pool.arms import ARMS, CANDIDATES, UPDATES, Parts, fit
from forecasting.pool.scores import calibrate, costs, means

PERMUTATIONS = {4: 8, 16: 8, 64: 4, 256: 2, 1024: 1}
SEEDS = 5
THIN = "1024t"  # 1,024 stocks, of each a sixteenth of its windows
WATCHED = 256  # stocks, at most, whose validation rows are used
MAIN, ALL = ("64", "256", "1024"), ("4", "16", "64", "256", "1024", THIN)
FIRST = ("A", "C", "B", "D", "F")
# In this order, so that any part of it is an experiment: arms, pools,
# permutations, seeds.
STAGES = [
    (FIRST, MAIN, 1, 1),
    (FIRST, MAIN, 1, 3),
    (("A'", "E", "D'", "B'", "FC"), MAIN, 1, 1),
    (FIRST, ALL, 1, 1),
    (FIRST, ALL, 1, 3),
    (FIRST, ALL, 8, 1),
    (tuple(ARMS), ALL, 1, 1),
    (tuple(ARMS), ALL, 8, SEEDS),
]


class Job(NamedTuple):
    """One fit: an arm, the pool it learns from, and the seed."""

    arm: str
    pool: str
    permutation: int
    seed: int

    @property
    def file(self) -> str:
        """Name of its part."""
        return "-".join(map(str, self)).replace("'", "r") + ".npz"

    @property
    def first(self) -> "Job":
        """The fit for which the arm's rate was chosen in such a pool."""
        return self._replace(permutation=0, seed=0)


def plan(largest: int = 1024) -> list[list[Job]]:
    """All fits, stage by stage, none twice; of pools up to a size."""
    done: set[Job] = set()
    stages = []
    for arms, sizes, permutations, seeds in STAGES:
        stage = [
            Job(arm, pool, permutation, seed)
            for pool in sizes
            if (size := int(pool.rstrip("t"))) <= largest
            for permutation in range(min(permutations, PERMUTATIONS[size]))
            for seed in range(seeds)
            for arm in arms
            if seed == 0 or ARMS[arm].random
        ]
        # Other permutations and seeds need the rates of the first.
        for first in (True, False):
            new = [j for j in stage if (j == j.first) == first]
            stages.append([j for j in new if j not in done])
            done.update(new)
    return [stage for stage in stages if stage]


def parts_of(rows: data.Rows, stocks: pd.DataFrame, job: Job) -> Parts:
    """The rows of a fit: to learn from, to validate on, to score."""
    learnt = stocks[stocks["role"] == "pool"]
    pool = data.pools(learnt, job.permutation)[int(job.pool.rstrip("t"))]
    train = [rows.known(stock, "train") for stock in pool]
    if job.pool == THIN:
        rng = np.random.default_rng(job.permutation)
        for k, part in enumerate(train):
            length = len(part) // 16
            start = rng.integers(0, len(part) - length + 1)
            train[k] = part[start : start + length]
    nth = -(-len(pool) // WATCHED)
    valid = [rows.known(stock, "valid") for stock in pool[::nth]]
    scored = stocks.loc[stocks["role"] == "dev", "ticker"]
    return Parts(train, valid, [rows.known(s, "dev") for s in scored])


def run(job: Job, parts: Path) -> None:
    """Carry out a fit and leave what came of it in its part."""
    rows, stocks = data.load(parts / "cache")
    began, used = time.time(), time.process_time()
    rates = CANDIDATES[ARMS[job.arm].learns]
    if job != job.first:
        with np.load(parts / job.first.file) as chosen:
            rates = (float(chosen["rate"]),)
    mine = parts_of(rows, stocks, job)
    found = fit(rows, mine, job.arm, job.seed, rates)
    fitted = calibrate(rows, np.concatenate(mine.valid), found.valid)
    scored = np.concatenate(mine.dev)
    cost = costs(rows, scored, found.dev, fitted)
    stock = np.repeat(np.arange(len(mine.dev)), list(map(len, mine.dev)))
    buffer = BytesIO()
    np.savez_compressed(
        buffer,
        **fitted._asdict(),
        rate=found.rate,
        loss=found.loss,
        kept=found.kept,
        forecast=found.dev.astype(np.float32),
        dates=np.unique(rows.date[scored, 0]),
        by_date=means(rows.date[scored, 0], cost),
        by_stock=means(stock, cost),
        windows=sum(map(len, mine.train)),
        updates=UPDATES if ARMS[job.arm].network else 0,
        seconds=time.time() - began,
        processor=time.process_time() - used,
    )
    write_file(buffer.getvalue(), parts / job.file)


def run_all(
    stages: list[list[Job]],
    parts: Path,
    jobs: int,
    until: float = np.inf,
) -> None:
    """Carry out the fits that are not there yet, in order.

    ``until``: a time after which no fit is begun.
    """
    count = sum(map(len, stages))
    there = sum((parts / job.file).exists() for s in stages for job in s)
    bar = tqdm(total=count, initial=there, desc="fits", disable=None)
    for stage in stages:
        todo = (job for job in stage if not (parts / job.file).exists())
        calls = ((job, parts) for job in todo if time.time() < until)
        for _ in on_cores(run, calls, jobs):
            bar.update()
    bar.close()


def main(arguments: list[str] | None = None) -> int:
    """Run the plan, or convert the public data set; exit status."""
    options = argparse.ArgumentParser(
        "python -m forecasting.pool",
        description="How many stocks does a memory need? Carries out the "
        "plan of results/pool/README.md; a run that was stopped continues "
        "where it was.",
    )
    add = options.add_argument
    add("--data", type=Path, required=True, metavar="DIR",
        help="CSVs of the stocks to learn from")  # fmt: skip
    add("--dev", type=Path, required=True, metavar="DIR",
        help="CSVs of the stocks to score")  # fmt: skip
    add("--out", type=Path, default=Path("results/pool"), metavar="DIR")
    add("--jobs", type=int, default=2, metavar="N", help="fits at once")
    add("--minutes", type=float, default=np.inf, metavar="M",
        help="begin no fit after so many; report what there is")  # fmt: skip
    add("--convert", type=Path, metavar="DIR",
        help="write both folders from the public data set's .us.txt files; "
        "--out has stocks.csv, which says which")  # fmt: skip
    args = options.parse_args(arguments)
    folders = {"pool": args.data, "dev": args.dev}
    try:
        if args.convert:
            return convert(args.convert, args.out / "stocks.csv", folders)
        parts = args.out / "parts"
        rows, stocks = data.obtain(folders, parts / "cache")
        public = ["ticker", "role", "first", "last", "rows", "sha256"]
        listed = stocks[public].to_csv(index=False, lineterminator="\n")
        write_file(listed.encode(), args.out / "stocks.csv")
        learnt = int((stocks["role"] == "pool").sum())
        stages = plan(learnt)
        until = time.time() + 60 * args.minutes
        run_all(stages, parts, args.jobs, until)
        jobs = [job for stage in stages for job in stage]
        found, fits = report.table(jobs, parts)
        text = found.to_csv(
            index=False, float_format="%.6g", lineterminator="\n"
        )
        write_file(text.encode(), args.out / "pool.csv")
        picture = BytesIO()
        report.figure(fits).savefig(picture)
        write_file(picture.getvalue(), args.out / "pool.png")
        print(report.markdown(fits))
        say(f"{len(found) // 3} of {len(jobs)} fits: {args.out / 'pool.csv'}")
    except (PriceError, OSError) as error:
        print(f"python -m forecasting.pool: {error}", file=sys.stderr)
        return 1
    return 0


def convert(source: Path, listed: Path, folders: dict[str, Path]) -> int:
    """Write the listed stocks' CSVs; say which differ from the list."""
    stocks = pd.read_csv(listed, keep_default_na=False)
    faults = 0
    for stock in tqdm(stocks.itertuples(), total=len(stocks), disable=None):
        folder = folders[stock.role]
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"{stock.ticker}.csv"
        try:
            data.convert(source / f"{stock.ticker.lower()}.us.txt", target)
            if checksum(target.read_bytes()) != stock.sha256:
                raise PriceError("not the file of the experiment (sha256)")
        except (PriceError, OSError) as fault:
            say(f"{stock.ticker}: {fault}")
            faults += 1
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
