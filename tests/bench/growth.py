"""`python -m forecasting` for 4, 16 and 64 simulated tickers: prints JSON.

``growth.py FIGURE``: the same on a plot, saved there. Each run is one
process on one core (``--jobs 1``), so that its peak memory is all there is.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

sys.path.insert(0, str(Path(__file__).parents[1]))

from simulate import garch_walk

from forecasting import plots
from forecasting.market.prices import to_csv

TICKERS = (4, 16, 64)
ROWS = 800
OPTIONS = ["--models", "EWMA", "LSTM"]
OPTIONS += ["--folds", "1", "--seeds", "1", "--jobs", "1"]


def measure(tickers):
    """Seconds and peak memory in MB of one run."""
    with tempfile.TemporaryDirectory() as folder:
        for k in range(tickers):
            text = to_csv(garch_walk(ROWS, seed=k))
            Path(folder, f"S{k:02}.csv").write_text(text)
        command = [sys.executable, "-m", "forecasting", "--data", folder]
        command += [*OPTIONS, "--out", f"{folder}/verdict/v.csv"]
        Path(folder, "verdict").mkdir()
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(run.pid, 0)
        if status:
            raise SystemExit(f"{' '.join(command)} failed")
        return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main(figure):
    runs = [measure(tickers) for tickers in TICKERS]
    seconds, memory = zip(*runs, strict=True)
    fig, axes = plt.subplots(1, 2, figsize=(7, 3.2))
    for ax, values, label in [
        (axes[0], seconds, "CPU time (s)"),
        (axes[1], memory, "Peak memory (MB)"),
    ]:
        ax.plot(TICKERS, values, "o-", color=plots.STYLES["LSTM"]["color"])
        ax.set(xlabel="Tickers", ylabel=label, ylim=(0, 1.08 * max(values)))
        ax.set_xticks(TICKERS)
    plots.caption(
        fig,
        "Growth of a verdict with its tickers",
        "Simulated histories, one process: above what starting TensorFlow "
        "and compiling cost, both grow along nearly straight lines.",
    )
    fig.savefig(figure, dpi=110, bbox_inches="tight")
    runs = [[t, *run] for t, run in zip(TICKERS, runs, strict=True)]
    print(json.dumps({"rows": ROWS, "options": OPTIONS, "runs": runs}))


if __name__ == "__main__":
    main(*sys.argv[1:])
