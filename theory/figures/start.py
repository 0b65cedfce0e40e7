"""The figures of note 0; the notebook gives each its title and caption."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from forecasting.pages.plots import GREEN, STYLES
from theory.figures.drawing import BASELINE, BLUE, ORANGE, arrow, box, node

SMALL = (5.0, 3.0)  # inches: readable on a phone


def _canvas(xlim, ylim, height):
    fig, ax = plt.subplots(figsize=(5.0, height))
    ax.set(xlim=xlim, ylim=ylim)
    ax.axis("off")
    return fig, ax


def unrolled(steps: int) -> Figure:
    """A recurrent network over some steps: input, state, output."""
    fig, ax = _canvas((-0.1, steps + 0.6), (-0.3, 2.3), 2.6)
    for t in range(1, steps + 1):
        for y, name, colour in [(0, "x", "black"), (1, "h", BLUE)]:
            box(ax, t, y, f"${name}_{t}$", edge=colour, size=12)
        arrow(ax, (t, 0), (t, 1), gap=15)
        arrow(ax, (t - 0.9, 1), (t, 1), colour=BLUE, gap=15)
        arrow(ax, (t, 1), (t, 1.7), gap=0)
        ax.text(t, 1.78, "answer", ha="center", fontsize=10)
    ax.text(0.05, 1.12, "$h_0 = 0$", color=BLUE, fontsize=11)
    return fig


def fading(distance, gradient) -> Figure:
    """What is left of a mark and of its gradient, both (T,), by steps."""
    fig, ax = plt.subplots(figsize=SMALL)
    k = np.arange(len(distance))
    # Where the states are equal to the last digit there is none to draw.
    seen = np.where(distance > 0, distance, np.nan)
    ax.semilogy(k, seen, **STYLES["LSTM"], label="distance of the states")
    ax.semilogy(k, gradient, **STYLES["BiLSTM"], label="gradient")
    ax.set(xlabel="steps after the mark", ylabel="size, log scale")
    ax.legend()
    return fig


def cell() -> Figure:
    """One step of an LSTM: three gates on the way of the state."""
    fig, ax = _canvas((-0.5, 6.6), (-0.5, 3.7), 3.6)
    arrow(ax, (0.3, 3), (5.9, 3), colour=BLUE, width=2.5)
    ax.text(-0.4, 2.92, "$c_{t-1}$", color=BLUE, fontsize=13)
    ax.text(6.0, 2.92, "$c_t$", color=BLUE, fontsize=13)
    for x, name, colour in [(1, "f", ORANGE), (2.2, "i", ORANGE)]:
        box(ax, x, 0.9, f"${name}_t$", edge=colour, size=13)
    box(ax, 3.4, 0.9, r"$\tilde{c}_t$", edge=GREEN, size=13)
    box(ax, 4.6, 0.9, "$o_t$", edge=ORANGE, size=13)
    for x in [1, 2.2, 3.4, 4.6]:
        arrow(ax, (x, 0), (x, 0.9), gap=14)
    ax.plot([1, 4.6], [0, 0], color="black", lw=1.4)
    ax.text(2.8, -0.38, "$x_t$ and $h_{t-1}$", ha="center", fontsize=12)
    arrow(ax, (1, 0.9), (1, 3), gap=9)
    arrow(ax, (2.2, 0.9), (2.8, 2), gap=9)
    arrow(ax, (3.4, 0.9), (2.8, 2), gap=9)
    arrow(ax, (2.8, 2), (2.8, 3), gap=9)
    arrow(ax, (5.4, 3), (5.4, 2), gap=9, colour=BLUE)
    arrow(ax, (4.6, 0.9), (5.4, 2), gap=9)
    arrow(ax, (5.4, 2), (6.1, 2))
    for x, y, sign in [(1, 3, "×"), (2.8, 2, "×"), (2.8, 3, "+")]:
        node(ax, x, y, sign)
    node(ax, 5.4, 2, "×")
    ax.text(5.5, 2.45, "tanh", fontsize=10)
    ax.text(6.15, 1.92, "$h_t$", fontsize=13)
    for x, word in [(1, "keep"), (2.8, "add"), (5.4, "show")]:
        ax.text(x, 3.35, word, ha="center", fontsize=11)
    return fig


def learning(curves: dict, guess: float) -> Figure:
    """{cell: loss (seeds, updates)} and the error of a constant guess."""
    fig, ax = plt.subplots(figsize=SMALL)
    for (name, loss), role in zip(
        curves.items(), ["BiLSTM", "LSTM"], strict=True
    ):
        for k, seed in enumerate(loss):
            label = None if k else name
            ax.semilogy(seed, **STYLES[role] | {"lw": 1}, label=label)
    ax.axhline(guess, **BASELINE, label="constant guess")
    ax.set(xlabel="update", ylabel="squared error")
    ax.legend(loc="lower left")
    return fig


def sentence(words: list[str]) -> Figure:
    """A BiLSTM on a sentence: two LSTMs, joined at every word."""
    n = len(words)
    fig, ax = _canvas((0.3, n + 0.7), (-0.4, 4.0), 3.9)
    for t, word in enumerate(words, 1):
        ax.text(t, -0.2, word, ha="center", fontsize=12)
        box(ax, t - 0.16, 1, "LSTM", edge=BLUE, size=9)
        box(ax, t + 0.16, 2.1, "LSTM", edge=ORANGE, size=9)
        box(ax, t, 3.1, "join", size=10)
        arrow(ax, (t - 0.16, 0.1), (t - 0.16, 1), gap=11)
        arrow(ax, (t + 0.3, 0.1), (t + 0.3, 2.1), gap=11)
        arrow(ax, (t - 0.16, 1), (t - 0.16, 3.1), colour=BLUE, gap=11)
        arrow(ax, (t + 0.16, 2.1), (t + 0.16, 3.1), colour=ORANGE, gap=11)
        arrow(ax, (t, 3.1), (t, 3.75))
        if t < n:
            arrow(ax, (t - 0.16, 1), (t + 0.84, 1), colour=BLUE, gap=21)
            arrow(ax, (t + 1.16, 2.1), (t + 0.16, 2.1), colour=ORANGE, gap=21)
        ax.text(t, 3.8, "output", ha="center", fontsize=10)
    return fig


def one_day_late(actual, forecast) -> Figure:
    """The end of a random walk (n,) and the forecast for each step (n,)."""
    fig, ax = plt.subplots(figsize=SMALL)
    ax.plot(actual, **STYLES["actual"], label="value")
    ax.plot(forecast, **STYLES["LSTM"] | {"lw": 1.2}, label="forecast")
    ax.set(xlabel="step", ylabel="value")
    ax.legend()
    return fig
