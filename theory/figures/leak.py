"""The figures of note 9; the notebook gives each its title and caption."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from forecasting.pages.plots import AMBER, GREEN, STYLES
from theory.figures.drawing import BASELINE, BLUE, GREY, ORANGE, log_x


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


def excess(parts: list) -> Figure:
    """Per seed {part: share of persistence's squared error}, stacked.

    Parts that earn more than they cost go to the left of 0.
    """
    fig, ax = plt.subplots(figsize=(7.2, 2.6))
    looks = zip(parts[0], [BLUE, AMBER, GREEN], ["", "//", ".."], strict=True)
    ends = np.zeros((2, len(parts)))  # of what goes left, and right
    for name, colour, hatch in looks:
        shares = 100 * np.array([seed[name] for seed in parts])
        side = (shares > 0).astype(int)
        start = ends[side, range(len(parts))]
        style = {"facecolor": colour, "hatch": hatch, "edgecolor": "white"}
        ax.barh(range(len(parts)), shares, 0.55, start, label=name, **style)
        ends[side, range(len(parts))] += shares
    ax.axvline(0, color="black", lw=1)
    ax.set_yticks(range(len(parts)), [f"seed {k}" for k in range(len(parts))])
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    ax.set(ylabel=" ", xlabel="% of persistence's squared error")
    ax.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1))
    return fig
