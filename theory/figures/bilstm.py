"""The figures of note 4; the notebook gives each its title and caption."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from forecasting.pages.plots import AMBER, GREEN, STYLES
from theory.figures.drawing import (
    BASELINE,
    BLUE,
    ORANGE,
    arrow,
    box,
    log_x,
    sketch,
)

CEILING = {"color": AMBER, "drawstyle": "steps-mid", "lw": 5, "alpha": 0.45}


def passes(steps: int) -> Figure:
    """Both chains of a BiLSTM over some steps, and the merged outputs."""
    fig, ax = sketch((-0.4, steps + 1.4), (-0.4, 3.4), 3.8)
    for t in range(1, steps + 1):
        ahead, back = (t - 0.22, 1), (t + 0.22, 2)
        box(ax, t, 0, f"$x_{t}$")
        box(ax, *ahead, rf"$\overrightarrow{{h}}_{t}$")
        box(ax, *back, rf"$\overleftarrow{{h}}_{t}$")
        box(ax, t, 3, f"$h_{t}$")
        for state, colour, step in [(ahead, BLUE, -1), (back, ORANGE, 1)]:
            arrow(ax, (t, 0), state, colour=colour, gap=16)
            arrow(ax, state, (t, 3), colour=colour, gap=16)
            before = state[0] + step, state[1]
            arrow(ax, before, state, colour=colour, gap=16)
    ax.text(-0.25, 1.12, "from the past", color=BLUE)
    ax.text(steps + 1.25, 2.12, "from the future", color=ORANGE, ha="right")
    return fig


def reach(both_ends, one_way, last_row) -> Figure:
    """Gradient norms (T,) of three summaries by the inputs of a window."""
    fig, ax = plt.subplots()
    s = np.arange(1, len(one_way) + 1)
    ax.semilogy(s, both_ends, **STYLES["BiLSTM"], label="BiLSTM, both ends")
    ax.semilogy(s, one_way, **STYLES["LSTM"], label="forward LSTM")
    row = "BiLSTM, last row out[:, -1]"
    ax.semilogy(s, last_row, "o", ms=3.5, color=GREEN, label=row)
    ax.set(xlabel="step s of the window", ylabel="gradient norm by $x_s$")
    ax.legend(loc="lower right")
    return fig


def accuracy(rates: dict, seen, blind) -> Figure:
    """{network: {question: % by step (T,)}} with the two ceilings.

    seen, blind: {question: % (T,)} for a reader of the whole window and
    for a reader of the steps up to the one asked.
    """
    fig, axes = plt.subplots(1, len(seen), sharey=True)
    for ax, question in zip(axes, seen, strict=True):
        t = np.arange(1, len(seen[question]) + 1)
        ax.plot(t, seen[question], **CEILING, label="ceiling, window known")
        past = CEILING | {"color": "grey", "label": "ceiling, past known"}
        ax.plot(t, blind[question], **past)
        for name, rate in rates.items():
            style = STYLES[name] | {"marker": "o", "ms": 3, "label": name}
            ax.plot(t, rate[question], **style)
        ax.set(title=question, xlabel="step of the window", ylim=(45, 102))
    axes[0].set_ylabel("right answers, %")
    axes[0].legend(loc="lower right", fontsize=8)
    return fig


def hidden_level(level, seen, filtered, smoothed) -> Figure:
    """A level and what was seen of it, all (T,), with two estimates."""
    fig, ax = plt.subplots()
    t = np.arange(1, len(level) + 1)
    ax.plot(t, seen, ".", color="#AAAAAA", label="seen, $x_t$")
    ax.plot(t, level, **STYLES["actual"], lw=1.2, label="level, $s_t$")
    ax.plot(t, filtered, color=BLUE, label="filter: past known")
    ax.plot(t, smoothed, **STYLES["BiLSTM"], label="smoother: all known")
    ax.set(xlabel="step t", ylabel="value")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1.16), ncols=4)
    return fig


def limits(reached: dict, limit: dict) -> Figure:
    """{network: RMSE by seed and step (seeds, T)} over {network: (T,)}."""
    fig, ax = plt.subplots()
    past = CEILING | {"color": "grey", "label": "filter, past known"}
    looks = {"LSTM": past}
    looks["BiLSTM"] = CEILING | {"label": "smoother, window known"}
    for name, rmse in reached.items():
        t = np.arange(1, len(limit[name]) + 1)
        ax.plot(t, limit[name], **looks[name])
        for k, seed in enumerate(rmse):
            style = STYLES[name] | {"marker": "o", "ms": 3, "lw": 1}
            ax.plot(t, seed, **style, label=None if k else name)
    ax.set(xlabel="step of the window", ylabel="RMSE of the level")
    ax.set(ylim=(0.2, None))
    ax.legend()
    return fig


def leak(rates: dict, seen) -> Figure:
    """{network: hit rate in % by step (T,)}, against the window's end."""
    fig, ax = plt.subplots()
    left = np.arange(len(seen))[::-1]
    ax.plot(left, seen, **CEILING, label="ceiling, rest of the window known")
    for name, rate in rates.items():
        ax.plot(left, rate, marker="o", ms=4, label=name, **STYLES[name])
    ax.axhline(50, **BASELINE, label="coin")
    ax.legend(loc="center left")
    ax.set(xlabel="steps before the window's end", ylabel="hit rate, %")
    ax.set(xlim=(len(seen) - 0.5, -0.5), ylim=(40, 102))
    return fig


def excess(seeds: dict, naive: float) -> Figure:
    """{network: % above the floor (seeds,)} and that of a naive forecast."""
    fig, ax = plt.subplots(figsize=(7.2, 2.5))
    for row, (name, values) in enumerate(seeds.items()):
        colour = STYLES[name]["color"]
        ax.plot(values, [row] * len(values), "o", color=colour, alpha=0.6)
        ax.plot(values.mean(), row, "|", ms=24, mew=2, color=colour)
    ax.axvline(naive, **BASELINE)
    ax.text(naive, 0.5, "tomorrow = today ", ha="right", va="center")
    log_x(ax, [0.1, 1, 10])
    ax.set(xlim=(0.1, 50), ylim=(-0.6, 1.6), ylabel=" ")
    ax.set_yticks(range(len(seeds)), list(seeds))
    ax.set_xlabel("RMSE above the best possible forecast, % (log scale)")
    return fig


def who_sees_what(maps: dict) -> Figure:
    """{name: Boolean (T outputs, T inputs)}, the future in orange."""
    fig, axes = plt.subplots(1, len(maps), figsize=(7.2, 3.9), sharey=True)
    for ax, (name, seen) in zip(axes, maps.items(), strict=True):
        past = np.tri(len(seen), dtype=bool)
        for part, colour in [(seen & past, BLUE), (seen & ~past, ORANGE)]:
            t, s = np.nonzero(part)
            ax.plot(s + 1, t + 1, "s", ms=4.5, color=colour)
        ax.set(title=name, xlabel="depends on input s", aspect="equal")
        ax.set(xticks=[1, 5, 10, 15], yticks=[1, 5, 10, 15])
    axes[0].set_ylabel("answer at step t")
    return fig
