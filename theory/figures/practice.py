"""The figures of note 6; the notebook gives each its title and caption."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from forecasting.pages.plots import AMBER, GREEN, PINK
from theory.figures.drawing import BASELINE, BLUE, GREY

STARTS = {
    "Keras": {"color": BLUE, "linestyle": "-"},
    "PyTorch": {"color": AMBER, "linestyle": "--"},
    "chrono": {"color": GREEN, "linestyle": "-."},
}


def fading(norms: dict) -> Figure:
    """Gradient norms by lag, {start: (draws, lags)}: median and range."""
    fig, ax = plt.subplots()
    for name, norm in norms.items():
        lags = np.arange(norm.shape[1])
        ax.semilogy(lags, np.median(norm, axis=0), label=name, **STARTS[name])
        ends, ink = (norm.min(axis=0), norm.max(axis=0)), STARTS[name]["color"]
        ax.fill_between(lags, *ends, color=ink, alpha=0.15, lw=0)
    ax.set_ylabel(r"gradient by $x_{T-k}$, relative to $k = 0$")
    ax.set_xlabel("lag k (steps)")
    ax.legend()
    return fig


def learning(curves: dict, bundle: int, constant: float) -> Figure:
    """Means of `bundle` losses, {start: (seeds, bundles)}, a line per seed."""
    fig, ax = plt.subplots()
    ax.axhline(constant, label="constant answer", **BASELINE)
    for name, curve in curves.items():
        style = STARTS[name] | {"lw": 1, "alpha": 0.8}
        steps = bundle * np.arange(1, curve.shape[1] + 1)
        lines = ax.semilogy(steps, curve.T, **style)
        lines[0].set_label(name)
    ax.set(xlabel="update", ylabel=f"squared error, mean of {bundle} updates")
    ax.legend()
    return fig


def dots(panels: dict, ylabel: str) -> Figure:
    """Scores by seed on a log scale, {panel: {name: (seeds,)}}."""
    shape = {"figsize": (7.2, 3.2), "squeeze": False}
    fig, axes = plt.subplots(1, len(panels), sharey=True, **shape)
    for ax, (title, scores) in zip(axes[0], panels.items(), strict=True):
        for k, score in enumerate(scores.values()):
            x = k + np.linspace(-0.15, 0.15, len(score))
            ax.semilogy(x, score, "o", color=BLUE, ms=4.5, alpha=0.7)
            ends = [k - 0.3, k + 0.3]
            ax.plot(ends, [score.mean()] * 2, color="black", lw=1.5)
        names = [name.replace(", ", ",\n") for name in scores]
        ax.set_xticks(range(len(names)), names)
        ax.set(title=title, xlim=(-0.6, len(scores) - 0.4), xlabel=" ")
    axes[0, 0].set_ylabel(ylabel)
    return fig


def overfitting(curves: dict, passes: int, floor: float) -> Figure:
    """Training and validation loss, {name: {"loss", "val_loss"}}."""
    fig, axes = plt.subplots(1, 2, sharey=True, figsize=(7.2, 3.4))
    styles = [(GREY, "-"), (BLUE, "--"), (PINK, "-.")]
    for ax, key in zip(axes, ("loss", "val_loss"), strict=True):
        for name, (colour, line) in zip(curves, styles, strict=True):
            mean = curves[name][key].mean(axis=0)
            x = passes * np.arange(1, len(mean) + 1)
            ax.plot(x, mean, color=colour, ls=line, label=name)
        ax.axhline(floor, color="black", ls=":", lw=1, label="best possible")
        ax.set_xlabel("passes over 64 sequences")
    axes[0].set(title="training rows", ylabel="cross entropy (nats)")
    axes[1].set(title="fresh rows")
    axes[1].legend(loc="upper left", fontsize=8)
    return fig
