"""The figures of note 10; the notebook gives each its title and caption."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from forecasting.pages.plots import AMBER, STYLES
from forecasting.recipes.replays import Replay
from theory.figures.drawing import BASELINE, BLUE, ORANGE, log_x


def days_ahead(r: Replay, past: pd.Series) -> Figure:
    """One recursive forecast beside its trivial rule and what came."""
    fig, ax = plt.subplots()
    actual = np.append(past, r.actual[0])
    days = np.arange(len(actual)) - len(past) + 1
    after = days[len(past) :]
    ax.plot(days, actual, label="actual", **STYLES["actual"])
    ax.plot(after, r.trivial[0], label="straight line", **BASELINE)
    ax.plot(after, r.said[0], label="LSTM", **STYLES["LSTM"])
    ax.axvline(0, color="black", lw=0.6)
    ax.set(xlabel="sessions after the training rows", ylabel="close, dollars")
    ax.legend()
    return fig


def two_units(r: Replay) -> Figure:
    """Forecasts in dollars, and the scaled targets they are compared with."""
    fig, ax = plt.subplots()
    said, scaled = r.said[:, 0], r.scaled(r.actual)[:, 0]
    ax.fill_between(r.dates, scaled, said, color=AMBER, alpha=0.3, lw=0)
    ax.plot(r.dates, r.actual, label="close", **STYLES["actual"])
    ax.plot(r.dates, said, label="LSTM", **STYLES["LSTM"])
    ax.plot(r.dates, scaled, label="scaled targets", color=ORANGE, ls="--")
    ax.set(xlabel="date", ylabel="dollars; targets from 0 to 1")
    ax.legend(loc="upper left")
    return fig


def lag(r: Replay, shown: int, offsets, correlations) -> Figure:
    """The last forecasts with their closes; how changes correlate, shifted."""
    fig, (left, right) = plt.subplots(1, 2, width_ratios=[3, 2])
    days = np.arange(shown)
    left.plot(days, r.actual[-shown:], label="close", **STYLES["actual"])
    left.plot(days, r.said[-shown:], label="LSTM", **STYLES["LSTM"])
    left.set(xlabel="session", ylabel="close, dollars")
    left.legend()
    right.bar(offsets, correlations, color=BLUE)
    right.axhline(0, color="black", lw=0.6)
    right.set(xlabel="offset, sessions", xticks=[-4, -3, -2, -1, 0, 1, 2])
    right.set(ylabel="correlation of changes")
    return fig


def as_published(ratio: pd.Series) -> Figure:
    """{recipe: its error over the trivial rule's}, the smallest on top."""
    fig, ax = plt.subplots(figsize=(7.2, 3.4))
    ratio = ratio.sort_values(ascending=False)
    ax.plot(ratio, ratio.index, "o", color=BLUE)
    ax.axvline(1, **BASELINE)
    log_x(ax, [1, 2, 5, 10, 20])
    ax.set(xlabel="error / trivial rule's error (log scale)")
    ax.set(ylabel="recipe")
    return fig


def under_protocol(table: pd.DataFrame) -> Figure:
    """Theil's U of each recipe; its hit rate beside the majority's."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(7.6, 3.6), sharey=True)
    table = table.sort_values("theil_u", ascending=False)
    left.plot(table["theil_u"], table.index, "o", color=BLUE)
    left.axvline(1, **BASELINE)
    log_x(left, [1, 2, 5])
    left.set(xlabel="Theil's U (log scale)", ylabel="recipe")
    hit, majority = 100 * table["hit_rate"], 100 * table["majority_rate"]
    right.hlines(table.index, majority, hit, color=BASELINE["color"], lw=1)
    right.plot(majority, table.index, "|", color="black", ms=10,
               label="commoner direction, always")  # fmt: skip
    right.plot(hit, table.index, "o", color=BLUE, label="recipe")
    right.set(xlabel="directions right, %")
    fig.legend(loc="outside upper right", ncols=2, fontsize=8)
    return fig
