"""The figures of note 5; the notebook gives each its title and caption."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from forecasting.pages.plots import GREEN, STYLES
from theory.figures.drawing import BASELINE, BLUE, GREY


def orders(bits: dict, lstm: float) -> Figure:
    """{counting rule: bits per character by order}, and the LSTM's."""
    fig, ax = plt.subplots(figsize=(7.2, 3.2))
    looks = [BASELINE | {"marker": "o"}, {"color": GREEN, "marker": "s"}]
    for (name, values), look in zip(bits.items(), looks, strict=True):
        ax.plot(range(1, len(values) + 1), values, label=name, **look)
    ax.axhline(lstm, label="LSTM, mean of the seeds", **STYLES["LSTM"])
    ax.set(xlabel="order n of the n-gram, characters")
    ax.set(ylabel="bits per character, chapter II")
    ax.legend()
    return fig


def learning(losses: np.ndarray, counting: float) -> Figure:
    """losses (seeds, epochs, 2): training, validation; and the n-gram's."""
    fig, ax = plt.subplots(figsize=(7.2, 3.2))
    epochs = np.arange(1, losses.shape[1] + 1)
    for k, seed in enumerate(losses):
        names = ("training", "validation") if k == 0 else ("", "")
        ax.plot(epochs, seed[:, 0], ":", color=BLUE, label=names[0])
        ax.plot(epochs, seed[:, 1], "-", color=BLUE, label=names[1])
    ax.axhline(counting, color=GREEN, ls="-.", label="n-gram, validation")
    ax.set(xlabel="epoch", ylabel="bits per character")
    ax.legend()
    return fig


def passage(words: list, inside: np.ndarray, shades: dict) -> Figure:
    """Words of a text under {title: a value from 0 to 1 per word}.

    The words that stood in quotation marks are underlined.
    """
    fig, axes = plt.subplots(len(shades), 1, figsize=(7.2, 2.2 * len(shades)))
    for ax, (title, values) in zip(axes, shades.items(), strict=True):
        x, y = 0, 0
        for word, said, value in zip(words, inside, values, strict=True):
            wide = len(word) + 1
            if x + wide > 56:
                x, y = 0, y - 1
            box = {"color": plt.cm.cividis(value), "lw": 0}
            ax.add_patch(plt.Rectangle((x - 0.5, y - 0.5), wide, 0.8, **box))
            look = {"color": "white" if value < 0.5 else "black"}
            look |= {"family": "monospace", "fontsize": 10.5, "va": "center"}
            ax.text(x, y - 0.1, word, **look)
            if said:
                line = [x - 0.4, x + wide - 0.6], [y - 0.6, y - 0.6]
                ax.plot(*line, color="black", lw=1.5)
            x += wide
        ax.set(xlim=(-1, 57), ylim=(y - 1, 0.6))
        ax.set_title(title, loc="left", fontsize=9, color=GREY)
        ax.axis("off")
    return fig
