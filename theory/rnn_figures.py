"""The figures of note 1; the notebook gives each its title and caption."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from forecasting.plots import AMBER, STYLES

GREY = STYLES["persistence"]["color"]
ORANGE = STYLES["BiLSTM"]["color"]
NORM = r"$\|\partial h_T / \partial h_{T-k}\|$"
GAIN = r"$\gamma\,\sigma_{\max}$"


def box(ax: Axes, x: float, y: float, text: str) -> None:
    """Draw a box around a text, above the arrows."""
    style = {"boxstyle": "round,pad=0.4", "fc": "white", "ec": "black"}
    ax.text(x, y, text, ha="center", va="center", bbox=style, zorder=3)


def arrow(ax, start, end, text="", colour="black", gap=16, bend=0) -> None:
    """Draw an arrow between two points, `gap` points short of each."""
    style = {"arrowstyle": "-|>", "color": colour, "shrinkA": gap}
    style |= {"shrinkB": gap, "connectionstyle": f"arc3,rad={bend}"}
    ax.annotate("", end, start, arrowprops=style)
    (x0, y0), (x1, y1) = start, end
    ax.text((x0 + x1) / 2 + 0.06, (y0 + y1) / 2 + 0.08, text, color=colour)


def shades(n: int) -> np.ndarray:
    """Return n colours for ordered curves, the palest left out."""
    return plt.cm.cividis(np.linspace(0, 0.9, n))


def marked_sequence(numbers: np.ndarray, marked: np.ndarray) -> Figure:
    """Numbers (T,) as bars, the marked ones labelled; marked (T,) bool."""
    fig, ax = plt.subplots(figsize=(7.2, 2.6))
    steps = np.arange(1, len(numbers) + 1)
    ax.bar(steps, numbers, color=np.where(marked, ORANGE, "#BBBBBB"))
    for t in steps[marked]:
        number = numbers[t - 1]
        ax.text(t, number + 0.02, f"{number:.2f}", ha="center", color=ORANGE)
    ax.set(xlabel="step t", ylabel="number", ylim=(0, 1.15))
    return fig


def unfolding(steps: int) -> Figure:
    """A recurrent cell with its loop, and unfolded over some steps."""
    fig, ax = plt.subplots(figsize=(7.2, 2.5))
    box(ax, -1.4, 1, "$h_t$")
    box(ax, -1.4, 0, "$x_t$")
    arrow(ax, (-1.4, 0), (-1.4, 1), "$W$")
    arrow(ax, (-1.22, 1.08), (-1.58, 1.08), gap=0, bend=1.8)
    ax.text(-1.18, 1.4, "$U$")
    box(ax, 0, 1, "$h_0$")
    for t in range(1, steps + 1):
        box(ax, t, 1, f"$h_{t}$")
        box(ax, t, 0, f"$x_{t}$")
        arrow(ax, (t, 0), (t, 1), "$W$")
        arrow(ax, (t - 1, 1), (t, 1), "$U$")
    ax.set(xlim=(-1.9, steps + 0.4), ylim=(-0.4, 1.9))
    ax.axis("off")
    return fig


def gradient_roads() -> Figure:
    """How the gradients of four losses flow back through four states."""
    fig, ax = plt.subplots(figsize=(7.2, 2.6))
    for t, name in enumerate(["T-3", "T-2", "T-1", "T"]):
        box(ax, t, 0, f"$h_{{{name}}}$")
        box(ax, t, 1, f"$L_{{{name}}}$")
        arrow(ax, (t, 1), (t, 0), colour=ORANGE)
        arrow(ax, (t, 0), (t - 1, 0), colour=ORANGE, gap=20)
        passed = rf"$\odot\,\varphi'(z_{{{name}}})\,U^\top$"
        ax.text(t - 0.5, -0.42, passed, color=ORANGE, ha="center")
        ax.text(t + 0.06, 0.47, f"$\\partial L/\\partial h_{{{name}}}$")
    ax.set(xlim=(-1.1, 3.7), ylim=(-0.6, 1.4))
    ax.axis("off")
    return fig


def norms_by_lag(norms: dict) -> Figure:
    """{activation: {gain: norms (K,)}} on a log scale, with the bounds."""
    fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.7), sharey=True)
    for ax, (activation, curves) in zip(axes, norms.items(), strict=True):
        colours = shades(len(curves))
        for (gain, curve), c in zip(curves.items(), colours, strict=True):
            k = np.arange(1, len(curve) + 1)
            ax.semilogy(k, curve, color=c, label=f"{GAIN} = {gain}")
            ax.semilogy(k, float(gain) ** k, "--", color=c, lw=0.8)
        ax.set(title=activation, xlabel="lag k (steps)", ylim=(1e-20, 1e20))
    axes[0].set_ylabel(NORM)
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside right center")
    return fig


def growth_by_gain(gains: np.ndarray, rates: dict) -> Figure:
    """Means and ranges of {(activation, kind of U): (gains, networks)}."""
    fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.6), sharey=True)
    for (activation, kind), rate in rates.items():
        ax = axes[int(activation == "logistic")]
        role = STYLES["LSTM" if kind == "orthogonal" else "BiLSTM"]
        ax.plot(gains, rate.mean(axis=1), **role, label=f"{kind} U")
        low, high = rate.min(axis=1), rate.max(axis=1)
        ax.fill_between(gains, low, high, color=role["color"], alpha=0.2)
        ax.set(title=activation, xlabel=GAIN, ylim=(0, 2))
    for ax in axes:
        ax.axvspan(gains[0], 1, color="#EEEEEE", zorder=0)
        ax.plot(gains, gains, "k-.", lw=1, label="bound")
        ax.axhline(1, color=GREY, ls=":")
    axes[0].set_ylabel("growth of the gradient per step")
    axes[0].legend(loc="lower right")
    return fig


def wall(u, b, loss, unclipped, clipped) -> Figure:
    """A loss over two weights and two paths (steps, 2) across it."""
    fig, ax = plt.subplots(figsize=(7.2, 3.8))
    mesh = ax.pcolormesh(u, b, loss, rasterized=True)
    fig.colorbar(mesh, label="loss")
    ax.plot(*unclipped.T, "o-", color=AMBER, ms=3, lw=1, label="unclipped")
    ax.plot(*clipped.T, color="white", lw=2, label="clipped at 0.1")
    ax.set(xlabel="recurrent weight u", ylabel="bias b")
    ax.set(xlim=(u.min(), u.max()), ylim=(b.min(), b.max()))
    ax.legend(loc="upper left", labelcolor="white")
    return fig


def error_by_truncation(Ks, errors: dict) -> Figure:
    """{gain: relative errors (len(Ks),)} against the steps sent back."""
    fig, ax = plt.subplots(figsize=(7.2, 3.2))
    colours = shades(len(errors))
    for (gain, e), c, m in zip(errors.items(), colours, "os^D", strict=True):
        ax.semilogy(Ks, e, m + "-", ms=3, color=c, label=f"{GAIN} = {gain}")
    ax.set(xlabel="steps sent back, K", ylim=(1e-12, 4))
    ax.set_ylabel(r"relative error of $\partial L / \partial U$")
    ax.legend()
    return fig


def scores_and_curves(scores: dict, curves, every: int, budget: int) -> Figure:
    """{T: MSE (seeds,)} and, for the longest T, MSE (seeds, updates)."""
    fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.4), sharey=True)
    for steps, score in scores.items():
        axes[0].semilogy([steps] * len(score), score, "ko", ms=4, alpha=0.6)
    axes[0].set(xscale="log", xlabel="sequence length T (steps)")
    axes[0].set_xticks(list(scores), list(scores))
    axes[0].minorticks_off()
    axes[0].set_ylabel("mean squared error")
    updates = every * np.arange(1, curves.shape[1] + 1)
    axes[1].semilogy(updates, curves.T, "k-", lw=0.9)
    axes[1].axvline(budget, color=GREY, ls=":")
    axes[1].text(1.1 * budget, 0.012, "budget of note 2")
    axes[1].set_xlabel(f"updates (T = {max(scores)})")
    for ax in axes:
        ax.axhline(1 / 6, **STYLES["persistence"])
    return fig


def norms_before_and_after(before: np.ndarray, after: np.ndarray) -> Figure:
    """Gradient norms (networks, K) of untrained and trained networks."""
    fig, ax = plt.subplots(figsize=(7.2, 3.4))
    k = np.arange(1, before.shape[1] + 1)
    dotted = ax.semilogy(k, before.T, color=GREY, ls=":")
    solid = ax.semilogy(k, after.T, color=ORANGE)
    ax.set(xlabel="lag k (steps)", ylabel=NORM, ylim=(1e-30, 10))
    names = ["before training", "after training"]
    ax.legend([dotted[0], solid[0]], names, loc="lower left")
    return fig
