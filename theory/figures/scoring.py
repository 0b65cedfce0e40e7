"""The figures of note 8; the notebook gives each its title and caption."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from forecasting.pages.plots import AMBER, GREEN, PINK
from theory.figures.drawing import BASELINE, BLUE, log_x


def crps(members, outcome: float, factors, costs) -> Figure:
    """A forecast's CDF against what came; mean CRPS by claimed scale."""
    fig, (left, right) = plt.subplots(1, 2)
    grid = np.linspace(min(members) - 1, max(members) + 1, 801)
    cdf = np.mean(np.array(members)[:, None] <= grid, axis=0)
    came = grid >= outcome
    left.fill_between(grid, cdf, came, color=AMBER, alpha=0.5, lw=0)
    left.plot(grid, cdf, color=BLUE, label="forecast")
    left.plot(grid, came, "k--", label="step at the outcome")
    left.set(xlabel="close x, dollars", ylabel="probability of a close ≤ x")
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
