"""What the figures of the notes share: colours, axes, parts of a sketch."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from forecasting.pages.plots import STYLES

BLUE, ORANGE = STYLES["LSTM"]["color"], STYLES["BiLSTM"]["color"]
BASELINE = STYLES["persistence"]
GREY = BASELINE["color"]


def shades(n: int) -> np.ndarray:
    """Return n colours for ordered curves, the palest left out."""
    return plt.cm.cividis(np.linspace(0, 0.9, n))


def log_x(ax: Axes, ticks, labels=None) -> None:
    """Give x a log scale with these ticks and no others."""
    ax.set_xscale("log")
    ax.set_xticks(ticks, labels or [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()


def sketch(xlim: tuple, ylim: tuple, height: float) -> tuple[Figure, Axes]:
    """Axes to draw on, without a frame; height in inches."""
    fig, ax = plt.subplots(figsize=(7.2, height))
    ax.set(xlim=xlim, ylim=ylim)
    ax.axis("off")
    return fig, ax


def box(ax: Axes, x, y, text, colour="white", edge="black", size=10) -> None:
    """Draw a box around a text; it hides the arrows behind it."""
    style = {"boxstyle": "round,pad=0.35", "fc": colour, "ec": edge}
    centred = {"ha": "center", "va": "center", "zorder": 4}
    ax.text(x, y, text, fontsize=size, bbox=style, **centred)


def node(ax: Axes, x, y, sign, colour="black") -> None:
    """Draw a circle around the sign of an operation."""
    ax.plot(x, y, "o", ms=15, mfc="white", mec=colour, zorder=4)
    ax.text(x, y - 0.02, sign, ha="center", va="center", zorder=5)


def arrow(ax: Axes, *path, colour="black", gap=0, width=1.4, bend=0) -> None:
    """Draw a line through points, with its head `gap` points short."""
    xs, ys = zip(*path, strict=True)
    ax.plot(xs[:-1], ys[:-1], color=colour, lw=width)
    style = {"arrowstyle": "-|>", "color": colour, "lw": width}
    style |= {"shrinkA": 0, "shrinkB": gap, "mutation_scale": 13}
    style["connectionstyle"] = f"arc3,rad={bend}"
    ax.annotate("", path[-1], path[-2], arrowprops=style)
