"""`python -m forecasting` for 4, 16 and 64 simulated tickers.

Prints seconds and memory and draws growth.png. Each run is one process on
one core (``--jobs 1``), so that its peak memory is all there is.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
from runner import HERE, table

sys.path.insert(0, str(HERE.parent))

from simulate import garch_walk

from forecasting import plots
from forecasting.market.prices import to_csv

TICKERS = (4, 16, 64)
ROWS = 800
OPTIONS = "--models EWMA LSTM --folds 1 --seeds 1 --jobs 1"


def measure(tickers):
    """Seconds and peak memory in MB of one run."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data")
        data.mkdir()
        for k in range(tickers):
            text = to_csv(garch_walk(ROWS, seed=k))
            Path(data, f"S{k:02}.csv").write_text(text)
        command = [sys.executable, "-m", "forecasting", *OPTIONS.split()]
        command += ["--data", data, "--out", f"{folder}/verdict.csv"]
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(run.pid, 0)
        if status:
            raise SystemExit(f"{command} failed")
        return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main(tickers=TICKERS, figure=HERE / "growth.png"):
    seconds, memory = zip(*map(measure, tickers), strict=True)
    curves = {"CPU time (s)": seconds, "Peak memory (MB)": memory}
    fig, axes = plt.subplots(1, 2, figsize=(7, 3.2))
    for ax, (label, values) in zip(axes, curves.items(), strict=True):
        ax.plot(tickers, values, "o-", color=plots.STYLES["LSTM"]["color"])
        ax.set(xlabel="Tickers", ylabel=label, ylim=(0, 1.08 * max(values)))
        ax.set_xticks(tickers)
    plots.caption(
        fig,
        "Growth of a verdict with its tickers",
        "Simulated histories, one process: above what starting TensorFlow "
        "and compiling cost, both grow along nearly straight lines.",
    )
    fig.savefig(figure, dpi=110, bbox_inches="tight")
    header = ["Tickers", "Seconds", "Seconds a ticker", "Peak memory (MB)"]
    rows = [
        [f"{n}", f"{s:.0f}", f"{s / n:.1f}", f"{mb:,.0f}"]
        for n, s, mb in zip(tickers, seconds, memory, strict=True)
    ]
    print(table(header, rows))
    print(f"\n`python -m forecasting {OPTIONS}`, {ROWS} sessions a ticker.")


if __name__ == "__main__":
    main()
