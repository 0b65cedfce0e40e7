"""The figures of note 7; the notebook gives each its title and caption."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from forecasting.pages.plots import AMBER, GREEN, PINK, SKY
from theory.figures.drawing import (
    BASELINE,
    BLUE,
    GREY,
    ORANGE,
    arrow,
    box,
    log_x,
    sketch,
)

DARK = "#444444"
LOOKS = {  # one look a cell, in every figure
    "LSTM": {"color": BLUE, "ls": "-"},
    "minLSTM": {"color": PINK, "ls": "--"},
    "minLSTM, 64 units": {"color": AMBER, "ls": ":"},
    "minLSTM, signed": {"color": GREEN, "ls": "-."},
    "sLSTM": {"color": SKY, "ls": (0, (4, 1))},
}


def roads() -> Figure:
    """What the gates of an LSTM and of a minLSTM wait for."""
    fig, ax = sketch((-0.9, 10.7), (-0.75, 2.75), 2.9)
    for left, name in [(0, "LSTM"), (6, "minLSTM")]:
        ax.text(left + 1.7, 2.5, name, ha="center", fontsize=11)
        arrow(ax, (left - 0.8, 1.6), (left + 4.5, 1.6), colour=BLUE, width=2.4)
        for k in range(3):
            x, t = left + 1.7 * k, f"t+{k}" if k else "t"
            arrow(ax, (x, -0.35), (x, 0.6), colour=DARK, gap=10)
            arrow(ax, (x, 0.6), (x, 1.6), colour=AMBER, gap=8)
            box(ax, x, 0.6, "gates", AMBER, edge="none", size=9)
            ax.plot(x, 1.6, "o", ms=12, mfc="white", mec=BLUE, zorder=4)
            ax.text(x, -0.6, f"$x_{{{t}}}$", ha="center")
            ax.text(x + 0.12, 1.88, f"$c_{{{t}}}$", ha="center", color=BLUE)
            if name == "LSTM" and k < 2:
                path = (x + 0.55, 1.6), (x + 0.55, 0.6), (x + 1.7, 0.6)
                arrow(ax, *path, colour=ORANGE, gap=19)
                ax.text(x + 0.66, 1.0, f"$h_{{{t}}}$", color=ORANGE)
    return fig


def scan_tree(T: int) -> Figure:
    """Which states each pass of a Hillis-Steele scan joins."""
    passes = int(np.ceil(np.log2(T)))
    fig, ax = sketch((0.2, T + 1.9), (-0.5, passes + 0.45), 3.2)
    for row in range(passes + 1):
        y, reach = passes - row, 2**row
        for t in range(1, T + 1):
            done = t <= reach
            look = {"mfc": BLUE if done else "white", "mec": BLUE}
            ax.plot(t, y, "o", ms=10, zorder=4, **look)
            if row:
                k = 2 ** (row - 1)
                arrow(ax, (t, y + 1), (t, y), colour=GREY, gap=7, width=1)
                if t > k:
                    road = (t - k, y + 1), (t, y)
                    arrow(ax, *road, colour=ORANGE, gap=7, width=1)
        label = f"after pass {row}" if row else "pairs $(a_t, b_t)$"
        ax.text(T + 0.4, y, label, va="center", fontsize=9)
    for t in range(1, T + 1):
        ax.text(t, -0.42, f"$c_{t}$", ha="center")
    return fig


def timing(lengths, steps: dict, seconds: dict) -> Figure:
    """Steps in a row {label: (K,)}; time {width: {label: (K,)}}."""
    fig, axes = plt.subplots(1, 3, figsize=(7.4, 3.1))
    looks = {
        "loop": {"color": GREY, "ls": "--", "marker": "s"},
        "Hillis–Steele": {"color": AMBER, "ls": ":", "marker": "^"},
        "Blelloch": {"color": BLUE, "ls": "-", "marker": "o"},
    }
    panels = {"steps in a row": steps}
    panels |= {f"time (ms), width {w}": t for w, t in seconds.items()}
    for ax, (label_y, curves) in zip(axes, panels.items(), strict=True):
        for label, values in curves.items():
            ax.plot(lengths, values, ms=4, label=label, **looks[label])
        ax.set_yscale("log")
        log_x(ax, [64, 1024, 16384])
        ax.set(xlabel="length T", ylabel=label_y)
    axes[0].legend(fontsize=8)
    return fig


def learning(losses: dict, constant: float, every: int) -> Figure:
    """{label: losses (seeds, updates)}, averaged over `every` updates."""
    fig, ax = plt.subplots(figsize=(7.2, 3.4))
    for label, loss in losses.items():
        mean = loss.reshape(len(loss), -1, every).mean(axis=2)
        updates = every * np.arange(1, mean.shape[1] + 1)
        for k, curve in enumerate(mean):
            name = label if k == 0 else None
            ax.semilogy(updates, curve, lw=1.3, label=name, **LOOKS[label])
    ax.axhline(constant, label="constant answer", **BASELINE)
    ax.set(xlabel="updates", ylabel="mean squared error")
    ax.legend()
    return fig


def right_by_step(shares: dict, trained: int) -> Figure:
    """{label: share right (seeds, T)} against the step of the answer."""
    fig, ax = plt.subplots(figsize=(7.2, 3.4))
    for label, share in shares.items():
        t = np.arange(1, share.shape[1] + 1)
        ax.plot(t, share.mean(axis=0), label=label, **LOOKS[label])
        look = {"color": LOOKS[label]["color"], "alpha": 0.15, "lw": 0}
        ax.fill_between(t, share.min(axis=0), share.max(axis=0), **look)
    ax.axvline(trained, color=DARK, lw=0.8)
    ax.text(trained * 1.05, 0.6, "trained\nto here", fontsize=9)
    ax.axhline(0.5, **BASELINE)
    log_x(ax, [1, 2, 4, 8, 16, 32, 64, 128])
    ax.set(xlabel="bits read", ylabel="share of right answers")
    ax.set_ylim(0.28, 1.03)
    ax.legend(fontsize=9, loc="center left", bbox_to_anchor=(0.27, 0.68))
    return fig


def on_ones(answers: dict) -> Figure:
    """{label: answers (T,)} of trained networks on a stream of ones."""
    n = len(answers)
    fig, axes = plt.subplots(n, figsize=(7.2, 1.3 * n + 0.6), sharex=True)
    for ax, (label, y) in zip(axes, answers.items(), strict=True):
        t = np.arange(1, len(y) + 1)
        ax.plot(t, t % 2, "o", ms=3.5, mfc="none", mec="black", mew=0.8)
        ax.plot(t, y, **LOOKS[label])
        ax.axhline(0.5, **BASELINE)
        ax.set(ylim=(-0.25, 1.25), yticks=[0, 1])
        ax.set_ylabel(label, fontsize=9)
    axes[-1].set_xlabel("ones read")
    return fig


def revising(match, values, states: dict) -> Figure:
    """A stream of matches and values (T,), and the states {label: (T,)}."""
    fig, (top, low) = plt.subplots(2, figsize=(7.2, 4), sharex=True)
    t = np.arange(1, len(match) + 1)
    best = np.maximum.accumulate(match) == match
    colours = np.where(best, ORANGE, "#BBBBBB")
    top.bar(t, match, color=colours)
    top.set(ylabel="match", ylim=(0, 1.1))
    wanted = values[[match[: k + 1].argmax() for k in range(len(match))]]
    low.step(t, wanted, where="mid", color="black", label="wanted")
    for label, state in states.items():
        low.plot(t, state, "o", ms=4, label=label, **LOOKS[label])
    low.set(xlabel="step t", ylabel="value held")
    low.margins(y=0.15)
    low.set_xticks([1, *range(5, len(match) + 1, 5)])
    low.legend(fontsize=9, ncols=3)
    return fig


def capacity(pairs, errors: dict, width: int) -> Figure:
    """{label: error (K,)}, relative to the values' variance, by pairs."""
    fig, ax = plt.subplots(figsize=(7.2, 3.6))
    looks = [(GREY, "s--"), (BLUE, "o-"), (GREEN, "^-.")]
    for (label, error), (c, line) in zip(errors.items(), looks, strict=True):
        ax.plot(pairs[: len(error)], error, line, color=c, ms=5, label=label)
    ax.axvline(width, color=DARK, lw=0.8)
    ax.text(width * 1.05, 1.4, f"{width} pairs", fontsize=9)
    ax.axhline(1, **BASELINE | {"lw": 1})
    log_x(ax, pairs)
    ax.set(xlabel="pairs stored", ylabel="mean squared error / variance")
    ax.set_ylim(-0.1, 3)
    ax.legend(fontsize=9, loc="upper left")
    return fig
