"""The verdict from the command line: ``python -m forecasting --help``."""

import argparse
import shutil
import sys
from pathlib import Path

import pandas as pd

from forecasting.console import say
from forecasting.evaluation.verdict import POOLED, Verdict
from forecasting.evaluation.walk_forward import walk_forward
from forecasting.market.prices import DATA, PriceError, load_directory
from forecasting.models.registry import BASELINES, NETWORKS, make_model
from forecasting.pages import plots

EXAMPLES = """examples:
  python -m forecasting --data data/snapshot --out results/verdict.csv
  python -m forecasting --data data --tickers NVDA TSM --folds 2 --out my.csv
  python -m forecasting --models GARCH LSTM --seeds 3 --jobs 4 --out my.csv
"""


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    options = argparse.ArgumentParser(
        "python -m forecasting",
        description="What can a model forecast? Walk-forward scores and "
        "tests on every CSV of a directory. A run that was stopped "
        "continues where it was.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = options.add_argument
    add("--data", type=Path, default=DATA / "snapshot", metavar="DIR")
    add("--tickers", nargs="+", metavar="T", help="default: every CSV")
    names = [*BASELINES, *NETWORKS]
    add("--models", nargs="+", choices=names, default=names, metavar="M",
        help=f"default: {' '.join(names)}")  # fmt: skip
    add("--folds", type=positive, default=4, metavar="N",
        help="test years, the last of the data (default 4)")  # fmt: skip
    add("--seeds", type=positive, default=5, metavar="N",
        help="networks of a vintage, at most (default 5)")  # fmt: skip
    add("--jobs", type=jobs, default=-1, metavar="N",
        help="fits at once (default: -1, one per core)")  # fmt: skip
    add("--dask", metavar="ADDRESS",
        help="carry out the fits on the Dask cluster whose scheduler is "
        "there, for example tcp://host:8786; its workers need this "
        "package")  # fmt: skip
    add("--out", type=Path, required=True, metavar="FILE",
        help="verdict CSV; a summary and a figure join it")  # fmt: skip
    return options


def positive(text: str) -> int:
    """An integer above zero, for argparse."""
    if int(text) < 1:
        raise ValueError
    return int(text)


def jobs(text: str) -> int:
    """How many fits at once, as joblib counts: −1 is one per core."""
    if int(text) == 0:
        raise ValueError
    return int(text)


def main(argv: list[str] | None = None) -> int:
    """Run the verdict; the exit code."""
    arguments = parser().parse_args(argv)
    out = arguments.out
    try:
        if not out.parent.is_dir():
            raise PriceError(f"{out.parent}: no such directory for --out")
        if out.is_dir():
            raise PriceError(f"{out}: --out is a directory, not a file")
        if out.suffix != ".csv":  # a figure and a folder are named after it
            raise PriceError(f"{out}: --out must end in .csv")
        histories = load_directory(arguments.data, arguments.tickers)
        verdict = walk_forward(
            {name: make_model(name) for name in arguments.models},
            histories,
            arguments.folds,
            range(arguments.seeds),
            jobs=arguments.jobs,
            parts=out.with_suffix(".parts"),
            dask=arguments.dask,
        )
        write(verdict, out)
    except (PriceError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command continues", file=sys.stderr)
        return 130
    print(brief(verdict.summary))
    print(f"\n{len(verdict.scores)} rows in {out}")
    if verdict.failed:
        count = f"{len(verdict.failed)} folds of a ticker failed"
        say(f"{count}, as said above; the same command tries them again")
        return 1
    return 0


def write(verdict: Verdict, out: Path) -> None:
    """Leave scores, summary and figure; with none failed, no kept fits."""
    for table, path in [
        (verdict.scores, out),
        (verdict.summary, out.with_name(f"{out.stem}-summary.csv")),
    ]:
        table.to_csv(path, index=False, float_format="%.6g")
    plots.verdict(verdict.summary).savefig(out.with_suffix(".png"))
    if not verdict.failed:
        shutil.rmtree(out.with_suffix(".parts"))


def brief(summary: pd.DataFrame) -> str:
    """The pooled rows of a summary as a table for a terminal."""
    table = summary[summary["ticker"] == POOLED].set_index(
        ["horizon", "model"]
    )
    columns = ["theil_u", "crps_vs_rw", "qlike", "cover_50"]
    columns += ["cover_80", "cover_95", "against", "dm_crps", "p_crps"]
    return table[columns].round(4).to_string()


if __name__ == "__main__":
    sys.exit(main())
