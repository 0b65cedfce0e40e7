"""The figures of note 4; the notebook gives each its title and caption."""

import matplotlib.pyplot as plt
import numpy as np
from drawing import BASELINE, BLUE, GREY, ORANGE, log_x
from matplotlib.figure import Figure

from forecasting.plots import AMBER, GREEN, PINK, STYLES


def crps(members, outcome: float, factors, costs) -> Figure:
    """A forecast's CDF against what came; mean CRPS by claimed scale."""
    fig, (left, right) = plt.subplots(1, 2)
    grid = np.linspace(min(members) - 1, max(members) + 1, 801)
    cdf = np.mean(np.array(members)[:, None] <= grid, axis=0)
    came = grid >= outcome
    left.fill_between(grid, cdf, came, color=AMBER, alpha=0.5, lw=0)
    left.plot(grid, cdf, color=BLUE, label="forecast")
    left.plot(grid, came, "k--", label="came")
    left.set(xlabel="close, dollars", ylabel="probability of at most that")
    left.legend(loc="upper left", fontsize=8)
    right.plot(factors, costs, "o-", color=BLUE, ms=4)
    right.axvline(1, **BASELINE)
    log_x(right, [0.25, 0.5, 1, 2, 4], ["¼", "½", "1", "2", "4"])
    right.set(xlabel="claimed scale / true scale")
    right.set(ylabel="mean CRPS, % of return", ylim=(0, None))
    return fig


def pit(levels: dict) -> Figure:
    """{claim: PIT values (n,)} as histograms, the flat one for comparison."""
    fig, axes = plt.subplots(1, len(levels), figsize=(7.2, 2.8), sharey=True)
    for ax, (claim, values) in zip(axes, levels.items(), strict=True):
        share = np.full(len(values), 100 / len(values))
        ax.hist(values, np.linspace(0, 1, 11), weights=share, color=BLUE)
        ax.axhline(10, **BASELINE)
        ax.set(title=claim, xlabel="PIT", xticks=[0, 0.5, 1])
    axes[0].set_ylabel("outcomes, %")
    return fig


def rejections(horizons, alarms: dict) -> Figure:
    """{test: % of equal forecasts declared different, by horizon}."""
    fig, ax = plt.subplots()
    looks = [(PINK, "s--"), (AMBER, "^-."), (BLUE, "o-")]
    for (name, rate), (c, line) in zip(alarms.items(), looks, strict=True):
        ax.plot(horizons, rate, line, color=c, label=name)
    ax.axhline(5, **BASELINE, label="promised: 5 %")
    ax.set(xlabel="horizon, sessions", ylabel="false alarms, %")
    ax.set(xticks=horizons, ylim=(0, None))
    ax.legend()
    return fig


def staircase(p, level: float) -> Figure:
    """p-values (m,) in order, against the one bar and Holm's bars."""
    fig, ax = plt.subplots()
    rank = np.arange(1, len(p) + 1)
    ax.plot(rank, np.sort(p), "o", color=BLUE)
    ax.axhline(level, color=PINK, ls="--")
    ax.step(rank, level / (len(p) + 1 - rank), where="mid", color=GREEN)
    ax.text(13, 0.3, "20 useless models", color=BLUE)
    ax.text(13, level, f"{level} for each", color=PINK, va="bottom")
    ax.text(13, 0.003, "Holm's bar", color=GREEN)
    ax.set(yscale="log", xlabel="rank of the p-value", ylabel="p-value")
    ax.set_xticks(rank[::3])
    return fig


def price_list(columns: dict, ticks: list) -> Figure:
    """{model: {leak: Theil's U (seeds,)}}: dots are seeds, bars means.

    Rows "honest" and "BiLSTM, last step" are grey: no leak. ``ticks``: of
    each model's axis.
    """
    leaks = list(next(iter(columns.values())))
    colours = [ORANGE if leak.startswith("BiLSTM") else BLUE for leak in leaks]
    for clean in ("honest", "BiLSTM, last step"):
        colours[leaks.index(clean)] = GREY
    fig, axes = plt.subplots(1, len(columns), figsize=(7.2, 3.9), sharey=True)
    for ax, model, marks in zip(axes, columns, ticks, strict=True):
        values = np.array(list(columns[model].values()))
        means, rows = values.mean(axis=1), range(len(leaks))
        ax.barh(rows, means - 1, 0.45, left=1, color=colours, alpha=0.45)
        for row, colour in enumerate(colours):
            here = np.full(len(values[row]), row)
            ax.plot(values[row], here, "o", ms=4, color=colour)
        ax.axvline(1, color="black", lw=1)
        ax.axvline(means[leaks.index("honest")], **BASELINE)
        log_x(ax, marks)
        ax.set(title=model, xlabel="Theil's U, log scale")
        ax.grid(visible=False, axis="y")
    axes[0].set_yticks(rows, leaks)
    axes[0].invert_yaxis()
    axes[0].set_ylabel(" ")
    return fig


def autopsy(days, close, said, offsets, by_offset, walk) -> Figure:
    """The lag seen and measured.

    close, said (n,) by target day; by_offset (seeds, k) and walk (k,):
    correlation with the close `offsets` sessions from the origin.
    """
    fig, (left, right) = plt.subplots(1, 2, width_ratios=[1.5, 1])
    left.plot(days, close, **STYLES["actual"], label="actual close")
    left.plot(days, said, color=BLUE, ls="--", label="LSTM")
    left.plot(days[1:], close[:-1], **BASELINE, lw=2.2, label="last close")
    left.set(xlabel="session of the test year", ylabel="close, dollars")
    left.legend(fontsize=8)
    right.plot(offsets, walk, **BASELINE, marker="s", ms=4)
    right.plot(offsets, by_offset.T, color=BLUE, marker="o", ms=3, lw=1)
    right.axvline(0, color="#CCCCCC", zorder=0)
    right.set(xlabel="close, sessions from the origin", ylabel="correlation")
    right.set_xticks(offsets[::2])
    return fig
