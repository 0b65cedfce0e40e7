"""The figures of note 3; the notebook gives each its title and caption."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from forecasting.pages.plots import AMBER, GREEN, PINK, SKY
from theory.figures.drawing import BASELINE, BLUE, GREY, log_x, shades

DARK = "#444444"
FLOOR = 1e-20  # of the axes of Jacobian norms; RNNs fall through it
NORM = r"$\|\partial h_T / \partial s_{T-k}\|$"
LOOKS = {
    "LSTM": {"color": BLUE, "ls": "-"},
    "RNN": {"color": AMBER, "ls": "--"},
    "LSTM, forget bias 1": {"color": BLUE, "ls": "-"},
    "LSTM, chrono": {"color": GREEN, "ls": "-."},
}
GATES = [
    {"color": BLUE, "ls": "-"},
    {"color": GREEN, "ls": "--"},
    {"color": PINK, "ls": ":"},
]


def median_and_seeds(ax: Axes, x, values, label=None, **look) -> None:
    """Draw values (seeds, len(x)): their median, and the seeds pale."""
    values = np.asarray(values, float)
    ax.plot(x, values.T, lw=0.7, alpha=0.3, **look)
    ax.plot(x, np.median(values, axis=0), lw=2, label=label, **look)


def film(losses, norms, lags, gates, every, constant) -> Figure:
    """Loss, Jacobians and gates over the updates, one above the other.

    losses {cell: (seeds, updates)}; norms {cell: (seeds, moments, lags)},
    of which the last two lags are drawn; gates {label: (seeds, moments)};
    a moment is `every` updates, the last one the end of training.
    """
    fig, axes = plt.subplots(4, figsize=(7.2, 9), sharex=True)
    for cell, loss in losses.items():
        mean = loss.reshape(len(loss), -1, every).mean(axis=2)
        updates = every * np.arange(mean.shape[1])
        median_and_seeds(axes[0], updates, mean, cell, **LOOKS[cell])
    axes[0].axhline(constant, **BASELINE, label="constant answer")
    axes[0].set(yscale="log", ylabel="mean squared error")
    updates = np.append(updates, updates[-1] + every)
    for ax, (cell, norm) in zip(axes[1:3], norms.items(), strict=True):
        for at, style in {-2: "-", -1: ":"}.items():
            look = {"color": LOOKS[cell]["color"], "ls": style}
            positive = np.maximum(norm[:, :, at], FLOOR / 100)
            label = f"{cell}, k = {lags[at]}"
            median_and_seeds(ax, updates, positive, label, **look)
        ax.set(yscale="log", ylim=(FLOOR, 1e3), ylabel=NORM)
    for (label, gate), look in zip(gates.items(), GATES, strict=True):
        median_and_seeds(axes[3], updates, gate, label, **look)
    axes[3].set(ylim=(0, 1.03), ylabel="LSTM: gate (mean)", xlabel="updates")
    for ax in axes:
        ax.legend(loc="lower left")
    axes[2].legend(loc="upper right", ncols=2)
    return fig


def before_the_drop(loss, norms, lags, gates, every, drop, constant) -> Figure:
    """Loss, Jacobians and gates around each seed's own drop of the loss.

    loss (seeds, moments), norms (seeds, moments, lags), gates {label:
    (seeds, moments)}; a moment is `every` updates, and drop (seeds,) the
    updates at which the loss falls.
    """
    around = np.arange(-25, 13)
    centre = np.clip(drop // every, 25, loss.shape[1] - 13)
    at = np.arange(len(loss))[:, None], centre[:, None] + around
    fig, axes = plt.subplots(3, figsize=(7.2, 7), sharex=True)
    updates = every * around
    median_and_seeds(axes[0], updates, loss[at] / constant, color="black")
    axes[0].set(ylabel="loss ÷ constant's", ylim=(0, 1.25))
    colours, styles = shades(len(lags)), ["-", "--", "-.", ":"]
    for k, colour, style, norm in zip(
        lags, colours, styles, norms[at].transpose(2, 0, 1), strict=True
    ):
        look = {"color": colour, "ls": style}
        median_and_seeds(axes[1], updates, norm, f"k = {k}", **look)
    axes[1].set(yscale="log", ylim=(1e-11, 10), ylabel=NORM)
    for (label, gate), look in zip(gates.items(), GATES, strict=True):
        median_and_seeds(axes[2], updates, gate[at], label, **look)
    axes[2].set(ylim=(0, 1.03), ylabel="gate (mean)")
    axes[2].set_xlabel("updates after the loss fell below half a constant's")
    for ax in axes:
        ax.axvline(0, color=GREY, lw=0.8)
    axes[1].legend(loc="lower right")
    axes[2].legend(loc="lower left")
    return fig


def learning(losses: dict, constant: float, every: int) -> Figure:
    """{label: losses (seeds, updates)}, averaged over `every` updates."""
    fig, ax = plt.subplots()
    for label, loss in losses.items():
        mean = loss.reshape(len(loss), -1, every).mean(axis=2)
        updates = every * np.arange(1, mean.shape[1] + 1)
        median_and_seeds(ax, updates, mean, label, **LOOKS[label])
    ax.axhline(constant, **BASELINE, label="constant answer")
    ax.set(xlabel=f"updates (mean of {every})", ylabel="mean squared error")
    ax.set_yscale("log")
    ax.legend(loc="lower left")
    return fig


def outcomes(panels: dict, solved: float, kind: str, intervals=None) -> Figure:
    """{panel: {row: {rate: share (seeds,)}}}: a dot for each seed.

    Shares of a constant's error, log scale; the line is at `solved`, and
    `kind` says what a row is.
    intervals: {(panel, row, rate): a result of scipy's bootstrap} of the
    mean, drawn below the dots with a bar at the mean.
    """
    rows = list(next(iter(panels.values())))
    series = list(next(iter(next(iter(panels.values())).values())))
    height = 1.3 + (0.3 if len(series) == 1 else 0.55) * len(rows)
    shape = {"figsize": (7.2, height), "squeeze": False}
    fig, axes = plt.subplots(1, len(panels), sharey=True, **shape)
    looks = dict(zip(series, [("o", BLUE), ("^", AMBER)], strict=False))
    for ax, (panel, shares) in zip(axes[0], panels.items(), strict=True):
        for y, (row, name) in enumerate((r, s) for r in rows for s in series):
            marker, colour = looks[name]
            at = y + 0.35 * (y // len(series)) * (len(series) > 1)
            share = shares[row][name]
            ax.plot(share, 0 * share + at, marker, color=colour, alpha=0.6)
            if intervals:
                at, result = at + 0.38, intervals[panel, row, name]
                low_high = result.confidence_interval
                ax.plot(low_high, [at, at], color=DARK, lw=1.2)
                ax.plot(share.mean(), at, "|", color=DARK, ms=7, mew=1.5)
        ax.axvline(solved, **BASELINE)
        log_x(ax, [0.001, 0.01, 0.1, 1])
        ax.set_xlim(4e-4, 2)
        ax.grid(axis="y", visible=False)
        ax.set(title=panel, xlabel="error ÷ a constant's")
    step = len(series) + 0.35 * (len(series) > 1)
    middles = [step * k + 0.5 * (len(series) - 1) for k in range(len(rows))]
    axes[0, 0].set_yticks(middles, rows)
    axes[0, 0].set_ylabel(kind)
    axes[0, 0].invert_yaxis()
    if len(series) > 1:
        for name, (marker, colour) in looks.items():
            label = f"rate {name}"
            ax.plot([], [], marker, color=colour, label=label)
        fig.legend(loc="outside upper right", ncols=2)
    return fig


def reading(x, columns: dict) -> Figure:
    """What units do while reading x (T, 2), one column a unit.

    columns {title: {symbol: (T,)}}; the first row shows x, marks in black.
    """
    rows = list(next(iter(columns.values())))
    size = 1 + len(rows), len(columns)
    fig, axes = plt.subplots(*size, figsize=(7.2, 6), sharex=True)
    roles = {"i": GREEN, "f": BLUE, r"\tilde{c}": PINK, "c": DARK, "o": SKY}
    steps = np.arange(1, len(x) + 1)
    marked = x[:, 1] == 1
    for column, (title, gates) in zip(axes.T, columns.items(), strict=True):
        column[0].bar(steps, x[:, 0], color="#CCCCCC", width=1)
        column[0].bar(steps[marked], x[marked, 0], color="black", width=1.6)
        column[0].set_title(title)
        for ax, symbol in zip(column[1:], rows, strict=True):
            drawn = steps, gates[symbol]
            look = {"color": roles[symbol]}
            ax.fill_between(*drawn, step="mid", alpha=0.35, **look)
            ax.step(*drawn, where="mid", **look)
            for step in steps[marked]:
                ax.axvline(step, color=GREY, lw=0.7, ls=":")
            if symbol != "c":
                ax.set_ylim(-1.08 if "tilde" in symbol else 0, 1.08)
        column[-1].set_xlabel("step t")
    look = {"rotation": 0, "ha": "right", "va": "center"}
    for pair, symbol in zip(axes, ["x", *rows], strict=True):
        for ax in pair:
            ax.set_ylabel(f"${symbol}_t$", **look)
    return fig


def gates_over_prices(dates, moves, gates: dict) -> Figure:
    """Absolute returns (T,) in % over {gate: (T, h)}, one row a unit."""
    shape = {"figsize": (7.2, 5.4), "height_ratios": [1.6] + [1] * len(gates)}
    fig, axes = plt.subplots(1 + len(gates), sharex=True, **shape)
    axes[0].bar(dates, moves, width=1.4, color="black")
    axes[0].set_ylabel("|log return| (%)")
    for ax, (name, gate) in zip(axes[1:], gates.items(), strict=True):
        units = np.arange(gate.shape[1]) + 1
        mesh = ax.pcolormesh(dates, units, gate.T, vmin=0, vmax=1)
        ax.set(ylabel=f"{name}\nunit", yticks=units)
        ax.grid(False)
    fig.colorbar(mesh, ax=axes[1:], label="gate (0 shut, 1 open)")
    axes[-1].set_xlabel("session")
    return fig
