"""A verdict of 500 tickers of 25 years, on all cores: minutes and memory.

Of its four folds the last and largest is run, three seeds each, so four times
its minutes are an upper bound for the whole. ``TextbookLSTM`` is fitted to
every stock by itself, and its fits are counted from a few.
"""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from growth import write
from runner import CORES, POOLS, table

from forecasting.market.prices import load_directory
from forecasting.models.registry import BASELINES, make_model
from forecasting.parallel import in_parallel
from forecasting.windows import before, fold_dates

TICKERS, SESSIONS, FOLDS, SEEDS = 500, 6300, 4, 3
TRIED = 4 * len(CORES)  # fits of TextbookLSTM


def fold(data, jobs):
    """Minutes and GB of all processes together, of the last fold's verdict.

    What they share counts once (proportional set size, of Linux).
    """
    command = [sys.executable, "-m", "forecasting", "--data", data]
    command += ["--models", *BASELINES, "LSTM", "BiLSTM", "--folds", "1"]
    command += ["--seeds", str(SEEDS), "--jobs", str(jobs)]
    command += ["--out", Path(data).parent / "verdict.csv"]
    env = {k: v for k, v in os.environ.items() if k not in POOLS}
    quiet = subprocess.DEVNULL
    start, most = time.monotonic(), 0
    with subprocess.Popen(command, env=env, stdout=quiet) as run:
        while run.poll() is None:
            most = max(most, memory(psutil.Process(run.pid)))
            time.sleep(1)
    if run.returncode:
        raise SystemExit(f"{command} failed")
    return (time.monotonic() - start) / 60, most / 1e9


def memory(process):
    """Bytes of a process and its workers; none of one that has just ended."""
    total = 0
    for each in [process, *process.children(recursive=True)]:
        with contextlib.suppress(psutil.Error):
            total += each.memory_full_info().pss
    return total


def alone(histories):
    """Minutes of all fits of ``TextbookLSTM``, from a few."""
    dates = fold_dates(histories, FOLDS)[-1]
    calls = [
        (make_model("TextbookLSTM"), {ticker: before(prices, dates)})
        for ticker, prices in list(histories.items())[:TRIED]
    ]
    in_parallel(fit, calls[: len(CORES)])  # compiles
    start = time.monotonic()
    in_parallel(fit, calls)
    each = (time.monotonic() - start) / len(calls)
    return each * TICKERS * FOLDS * SEEDS / 60


def fit(model, history):
    """Nothing comes back: it is the time that counts."""
    model.fit(history)


def main():
    with TemporaryDirectory() as folder:
        data = Path(folder, "data")
        write(data, TICKERS, SESSIONS)
        start = time.monotonic()
        histories = load_directory(data)
        reading = time.monotonic() - start
        textbook = alone(histories)
        minutes, most = fold(data, len(CORES))
    rows = [
        ["reading and checking 500 CSVs", f"{reading / 60:.1f}", ""],
        [f"one fold, {SEEDS} seeds, without TextbookLSTM"]
        + [f"{minutes:.0f}", f"{most:.1f}"],
        [f"{FOLDS} folds of the same, at most", f"{FOLDS * minutes:.0f}", ""],
        [f"TextbookLSTM, {TICKERS * FOLDS * SEEDS:,} fits, from {TRIED}"]
        + [f"{textbook:.0f}", ""],
    ]
    print(table(["", "Minutes", "GB, all processes"], rows))
    print(
        f"\n{TICKERS} tickers of up to {SESSIONS:,} sessions, {len(CORES)} "
        "cores; minutes on the clock."
    )


if __name__ == "__main__":
    main()
