"""A verdict on more and more simulated tickers and sessions.

Prints seconds and memory and draws growth.png. Each run is one process on
one core (``growth.py DIRECTORY``), so that its peak memory is all there is.
"""

import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
from runner import HERE, table

sys.path.insert(0, str(HERE.parent))

from simulate import garch_walk

from forecasting.evaluation.walk_forward import walk_forward
from forecasting.market.prices import load_directory, to_csv
from forecasting.models.registry import make_model
from forecasting.pages import plots
from forecasting.settings import STUDY

TICKERS = (50, 150, 500)  # of the fewest sessions, and ...
SESSIONS = (1600, 3200, 6300)  # ... of the fewest tickers
STARTS = 100  # histories begin on so many different days
EPOCHS = 5  # of the LSTM, where the study allows 40
MODELS = ("EWMA", "HAR", "Linear")


def write(directory, tickers, sessions):
    """Simulated histories that begin on many different days; their rows."""
    directory.mkdir()
    rows = 0
    for k in range(tickers):
        prices = garch_walk(sessions, seed=k).iloc[k % STARTS :]
        Path(directory, f"S{k:03}.csv").write_text(to_csv(prices))
        rows += len(prices)
    return rows


def walk(directory):
    """A verdict of one fold and one seed."""
    from forecasting.models.lstm import LSTMForecaster

    lstm = LSTMForecaster(settings=replace(STUDY, epochs=EPOCHS))
    models = {name: make_model(name) for name in MODELS} | {"LSTM": lstm}
    walk_forward(models, load_directory(directory), folds=1, seeds=[0])


def measure(tickers, sessions):
    """Rows, seconds and peak memory in MB of one run."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data")
        rows = write(data, tickers, sessions)
        run = subprocess.Popen([sys.executable, __file__, "walk", data])
        _, status, usage = os.wait4(run.pid, 0)
        if status:
            raise SystemExit(f"{tickers} × {sessions} failed")
        seconds = usage.ru_utime + usage.ru_stime
        return rows, seconds, usage.ru_maxrss / 1024


def draw(curves, figure):
    """Time and memory against the rows of all histories together."""
    fig, axes = plt.subplots(1, 2, figsize=(7, 3.2))
    lines = zip(curves.items(), ("LSTM", "BiLSTM"), strict=True)
    for (label, runs), style in lines:
        rows, *measured = zip(*runs, strict=True)
        for ax, values in zip(axes, measured, strict=True):
            thousands = [n / 1000 for n in rows]
            ax.plot(thousands, values, label=label, **plots.STYLES[style])
    labels = "CPU time (s)", "Peak memory (MB)"
    for ax, label in zip(axes, labels, strict=True):
        ax.set(xlabel="Rows, all tickers (thousands)", ylabel=label)
        ax.set_ylim(bottom=0)
    axes[0].legend()
    plots.caption(
        fig,
        "Growth of a verdict with its tickers and sessions",
        "Simulated histories, one process: above what starting TensorFlow "
        "and compiling cost, both grow no faster than the rows.",
    )
    fig.savefig(figure, dpi=110, bbox_inches="tight")


def main(figure=HERE / "growth.png"):
    sizes = [(n, SESSIONS[0]) for n in TICKERS]
    longer = [(TICKERS[0], n) for n in SESSIONS[1:]]
    found = {size: measure(*size) for size in [*sizes, *longer]}
    more = {
        "more tickers": [found[size] for size in sizes],
        "more sessions": [found[size] for size in [sizes[0], *longer]],
    }
    draw(more, figure)
    header = ["Tickers", "Sessions", "Rows", "Seconds", "Peak memory (MB)"]
    rows = [
        [f"{n}", f"{days:,}", f"{count:,}", f"{s:.0f}", f"{mb:,.0f}"]
        for (n, days), (count, s, mb) in found.items()
    ]
    print(table(header, rows))
    print(
        f"\n{', '.join(MODELS)} and the LSTM of {EPOCHS} epochs, one test "
        "year, one seed."
    )


if __name__ == "__main__":
    walk(sys.argv[2]) if sys.argv[1] == "walk" else main()
