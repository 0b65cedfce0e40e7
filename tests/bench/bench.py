"""Measure the study beside its peers: ``bench.py PEERS [PART ...]``.

PEERS is the Python of .venv-bench; a PART is training, growth or skill, all
three by default. Prints each part's table in Markdown, with its date and
processor. Everything runs on one core, and seconds are CPU time.
"""

import os
import pickle
import re
import subprocess
import sys
import time
from collections import Counter
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from forecasting import windows
from forecasting.evaluation import walk_forward as walk
from forecasting.evaluation.verdict import POOLED, judge
from forecasting.market.prices import DATA, load_directory, to_csv
from forecasting.models.base import Forecast
from forecasting.models.registry import make_model
from forecasting.models.vintage import run
from forecasting.pool.arms import (
    CHUNK,
    OUTLIER,
    UNITS,
    descend,
    draw_anew,
    network,
)
from forecasting.pool.vintages import RATE, UPDATES, ridge, rows_of
from forecasting.settings import STUDY

HERE = Path(__file__).resolve().parent
TICKERS = (50, 150, 500)  # of the fewest sessions, and ...
SESSIONS = (1600, 3200, 6300)  # ... of the fewest tickers
MODELS = ("RandomWalk", "Drift", "GARCH", "HAR", "Linear")
MODELS += ("PoolLinear", "PoolAverages", "Memoryless", "LSTM")
SEEDS = 3


def training(peers):
    """Windows a second of the shipped network's training, and of PyTorch's."""
    given = learnt_from()
    rows, targets, train, valid = given
    back, ahead, batch = CHUNK["lstm"]
    model = network("lstm", rows.shape[1], targets.shape[1])
    draw_anew(model, 0)
    inner = train[np.isin(train - ahead + 1, train)]
    rng = np.random.default_rng(0)
    drawn = (rng.choice(inner, batch) for _ in range(UPDATES))

    def read(last):
        return rows[last[:, None] + np.arange(1 - back - ahead, 1)]

    clock = [
        time.process_time()
        for _ in descend(model, drawn, read, targets, RATE, UPDATES)
    ]
    windows_a_second = ahead * batch / np.median(np.diff(clock))
    said = run(rows[valid[:, None] + np.arange(-59, 1)], *model.get_weights())
    found = {"this study": (windows_a_second, ((said - targets[valid]) ** 2))}
    for size in (32, 256):
        work = {"given": given, "bidirectional": False, "batch": size}
        work |= {"units": UNITS, "lookback": 60, "learning_rate": RATE}
        epochs = ask(peers, "training", work | {"epochs": 40, "patience": 5})
        losses, seconds = np.transpose(epochs)
        speed = len(train) / np.median(np.diff(seconds))
        found[f"torch.nn.LSTM, batch {size}"] = speed, losses.min()
    speed = found["this study"][0]
    table(
        "Trained by, Windows/s, Study is ×, Validation loss",
        [
            [name, f"{mine:,.0f}", f"{speed / mine:.1f}", f"{loss.mean():.4f}"]
            for name, (mine, loss) in found.items()
        ],
    )
    print(f"\n{len(train):,} windows of 60 × {rows.shape[1]}, {UNITS} units.")


def learnt_from():
    """Four stocks up to 2012: rows, what a regression leaves, two parts.

    The parts are rows at which windows end, to train and to validate on.
    """
    histories = load_directory(DATA / "snapshot").values()
    rows = rows_of(p.loc[:"2012-12-31"] for p in histories)
    line = ridge((rows.x[part], rows.y[part]) for part in rows.known)
    every = np.concatenate(rows.known)
    x = rows.x - rows.x[every].mean(axis=0)
    x /= rows.x[every].std(axis=0)
    left = rows.y - rows.x @ line["slopes"] - line["constant"]
    left = np.clip(left / left[every].std(axis=0), -OUTLIER, OUTLIER)
    cuts = [np.split(p, [int(0.85 * len(p))]) for p in rows.known]
    train, valid = (np.concatenate(p) for p in zip(*cuts, strict=True))
    return x, left.astype(np.float32), train, valid


def growth(peers):
    """Seconds and memory of a verdict, each in a process of its own."""
    sizes = [(n, SESSIONS[0]) for n in TICKERS]
    sizes += [(TICKERS[0], n) for n in SESSIONS[1:]]
    rows = [[f"{n:,}" for n in (*size, *measured(*size))] for size in sizes]
    table("Tickers, Sessions, Rows, Seconds, Peak memory (MB)", rows)
    print("\nEWMA, HAR, Linear, LSTM; one year, one seed.")


def measured(tickers, sessions):
    """Rows, CPU seconds and peak memory in MB of one verdict."""
    sys.path.insert(0, str(HERE.parent))
    from simulate import garch_walk

    rows = 0
    with TemporaryDirectory() as folder:
        for k in range(tickers):  # begin on a hundred different days
            prices = garch_walk(sessions, seed=k).iloc[k % 100 :]
            Path(folder, f"S{k:03}.csv").write_text(to_csv(prices))
            rows += len(prices)
        run = subprocess.Popen([sys.executable, __file__, "verdict", folder])
        _, status, usage = os.wait4(run.pid, 0)
    if status:
        raise SystemExit(f"{tickers} × {sessions} failed")
    seconds = usage.ru_utime + usage.ru_stime
    return rows, round(seconds), usage.ru_maxrss // 1024


def verdict(folder):
    """What ``measured`` measures: a verdict of one fold and one seed."""
    names = ("EWMA", "HAR", "Linear", "LSTM")
    models = {name: make_model(name) for name in names}
    walk.walk_forward(models, load_directory(folder), folds=1, seeds=[0])


def skill(peers):
    """All models' scores in the last of four test years, and their seconds."""
    histories = load_directory(DATA / "snapshot")
    (dates,) = windows.fold_dates(histories, folds=1)
    models = {name: make_model(name) for name in MODELS}
    forecasts = {ticker: {} for ticker in histories}
    seconds = {name: Counter() for name in MODELS}
    for job in walk.plan(models, histories, [dates], range(SEEDS)):
        mine = {ticker: histories[ticker] for ticker in job.tickers}
        start = time.process_time()
        found = walk.fit_predict(job, models[job.model], mine, dates)
        seconds[job.model][job.seed] += time.process_time() - start
        for ticker, forecast in found.items():
            forecasts[ticker][job.model, 0, job.seed] = forecast
    seconds = {name: np.median([*seconds[name].values()]) for name in MODELS}
    work = {}
    for ticker, prices in histories.items():
        origins = windows.fold_origins(prices, dates)
        known = len(prices.loc[: dates.fit_end])
        work[ticker] = np.log(prices["Close"].to_numpy()), known, origins
    for name, (parameters, spent) in ask(peers, "skill", work).items():
        seconds[name] = spent
        for ticker, each in parameters.items():
            forecasts[ticker][name, 0, 0] = Forecast(*each).at(STUDY.reported)
    mine = [(t, prices, forecasts[t]) for t, prices in histories.items()]
    summary = judge(mine, [dates], windows.joint_calendar(histories)).summary
    pooled = summary[summary["ticker"] == POOLED].set_index("model")
    scores = pooled[["theil_u", "crps_vs_rw"]]
    rows = [
        [name, *map("{:.3f}".format, scores.loc[name].to_numpy().T.flat)]
        + [f"{spent:.1f}"]
        for name, spent in seconds.items()
    ]
    table("Model, U 1, U 5, U 20, CRPS 1, CRPS 5, CRPS 20, Seconds", rows)
    years = f"{dates.test_start.date()} to {dates.test_end.date()}"
    print(f"\nTest rows: {years}, {', '.join(histories)}.\n")
    lstm = 3600 * len(histories) / seconds["LSTM"]
    print(f"A core does {lstm:,.0f} tickers × folds × seeds an hour.")


def ask(peers, part, work):
    """What peers.py makes of some work, in the peers' environment."""
    with TemporaryDirectory() as folder:
        given, found = Path(folder, "given"), Path(folder, "found")
        given.write_bytes(pickle.dumps(work))
        command = [peers, HERE / "peers.py", part, given, found]
        subprocess.run(command, check=True)
        return pickle.loads(found.read_bytes())


def table(header, rows):
    """Print Markdown; all columns but the first are right-aligned."""
    header = header.split(", ")
    for line in [header, ["---"] + ["---:"] * (len(header) - 1), *rows]:
        print(f"| {' | '.join(line)} |")


def main(peers, *parts):
    """Measure each part in a process of its own."""
    if hasattr(os, "sched_setaffinity"):  # children inherit it
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.exists() else "model name: unknown"
    processor = re.search(r"model name\s*: (.*)", text)[1]
    for part in parts or ("training", "growth", "skill"):
        command = [sys.executable, __file__, part, peers]
        one = os.environ | {"OMP_NUM_THREADS": "1"}
        subprocess.run(command, check=True, env=one)
        stamp = f"{date.today()}, {processor}, {os.cpu_count()} cores."
        print(f"\n{stamp}\n", flush=True)


if __name__ == "__main__":
    first, *rest = sys.argv[1:]
    parts = {f.__name__: f for f in (training, growth, skill, verdict)}
    parts[first](*rest) if first in parts else main(first, *rest)
