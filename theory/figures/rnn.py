"""The figures of note 1; the notebook gives each its title and caption."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from forecasting.pages.plots import AMBER
from theory.figures.drawing import (
    BASELINE,
    BLUE,
    GREY,
    ORANGE,
    arrow,
    box,
    log_x,
    shades,
    sketch,
)

NORM = r"$\|\partial h_T / \partial h_{T-k}\|$"
GAIN = r"$\gamma\,\sigma_{\max}$"


def marked_sequence(numbers: np.ndarray, marked: np.ndarray) -> Figure:
    """Numbers (T,) as bars, the marked ones labelled; marked (T,) bool."""
    fig, ax = plt.subplots(figsize=(7.2, 2.6))
    steps = np.arange(1, len(numbers) + 1)
    ax.bar(steps, numbers, color=np.where(marked, ORANGE, "#BBBBBB"))
    for t, number in zip(steps[marked], numbers[marked], strict=True):
        # above the tallest bar, so that no neighbour is covered
        ax.plot([t, t], [number, 1.07], ":", color=ORANGE, lw=1)
        ax.text(t, 1.09, f"{number:.2f}", color=ORANGE, ha="center")
    ax.set(xlabel="step t", ylabel="number", ylim=(0, 1.2))
    return fig


def unfolding(steps: int) -> Figure:
    """A recurrent cell with its loop, and unfolded over some steps."""
    fig, ax = sketch((-1.9, steps + 0.4), (-0.4, 1.9), 2.5)
    arrow(ax, (-1.22, 1.08), (-1.58, 1.08), bend=1.8)
    ax.text(-1.18, 1.4, "$U$")
    box(ax, 0, 1, "$h_0$")
    for t, name in [(-1.4, "t"), *((t, t) for t in range(1, steps + 1))]:
        box(ax, t, 1, f"$h_{name}$")
        box(ax, t, 0, f"$x_{name}$")
        arrow(ax, (t, 0), (t, 1), gap=16)
        ax.text(t + 0.06, 0.58, "$W$")
    for t in range(1, steps + 1):
        arrow(ax, (t - 1, 1), (t, 1), gap=16)
        ax.text(t - 0.44, 1.08, "$U$")
    return fig


def gradient_roads() -> Figure:
    """How the gradients of four losses flow back through four states."""
    fig, ax = sketch((-1.1, 3.7), (-0.6, 1.4), 2.6)
    for t, name in enumerate(["T-3", "T-2", "T-1", "T"]):
        box(ax, t, 0, f"$h_{{{name}}}$")
        box(ax, t, 1, f"$L_{{{name}}}$")
        arrow(ax, (t, 1), (t, 0), colour=ORANGE, gap=16)
        arrow(ax, (t, 0), (t - 1, 0), colour=ORANGE, gap=20)
        passed = rf"$\odot\,\varphi'(z_{{{name}}})\,U^\top$"
        ax.text(t - 0.5, -0.42, passed, color=ORANGE, ha="center")
        ax.text(t + 0.06, 0.47, f"$\\partial L/\\partial h_{{{name}}}$")
    return fig


def norms_by_lag(norms: dict) -> Figure:
    """{activation: {gain: norms (K,)}} on a log scale, with the bounds."""
    fig, axes = plt.subplots(1, 2, sharey=True)
    for ax, (activation, by_gain) in zip(axes, norms.items(), strict=True):
        colours = shades(len(by_gain))
        for (gain, norm), c in zip(by_gain.items(), colours, strict=True):
            k = np.arange(1, len(norm) + 1)
            ax.semilogy(k, norm, color=c, label=f"{GAIN} = {gain}")
            ax.semilogy(k, float(gain) ** k, "--", color=c, lw=0.8)
        ax.set(title=activation, xlabel="lag k (steps)", ylim=(1e-20, 1e20))
    axes[0].set_ylabel(NORM)
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside right center")
    return fig


def growth_by_gain(gains: np.ndarray, rates: dict) -> Figure:
    """Means and ranges of {(activation, kind of U): (gains, networks)}."""
    fig, axes = plt.subplots(1, 2, sharey=True)
    for (activation, kind), rate in rates.items():
        ax = axes[int(activation == "logistic")]
        colour, line = (BLUE, "-") if kind == "orthogonal" else (ORANGE, "--")
        mean = rate.mean(axis=1)
        ax.plot(gains, mean, line, color=colour, label=f"{kind} U")
        spread = rate.min(axis=1), rate.max(axis=1)
        ax.fill_between(gains, *spread, color=colour, alpha=0.2)
        ax.set(title=activation, xlabel=GAIN, ylim=(0, 2))
    for ax in axes:
        ax.axvspan(gains[0], 1, color="#EEEEEE", zorder=0)
        ax.plot(gains, gains, "k-.", lw=1, label="bound")
        ax.axhline(1, **BASELINE)
    axes[0].set_ylabel("growth of the gradient per step")
    axes[0].legend(loc="lower right")
    return fig


def wall(u, b, loss, unclipped, clipped) -> Figure:
    """A loss over two weights and two paths (steps, 2) across it."""
    fig, ax = plt.subplots()
    fig.colorbar(ax.pcolormesh(u, b, loss, rasterized=True), label="loss")
    ax.plot(*unclipped.T, "o-", color=AMBER, ms=3, lw=1, label="unclipped")
    ax.plot(*clipped.T, color="white", lw=2, label="clipped at 0.1")
    ax.set(xlabel="recurrent weight u", ylabel="bias b")
    ax.set(xlim=(u.min(), u.max()), ylim=(b.min(), b.max()))
    ax.legend(loc="upper left", labelcolor="white")
    return fig


def error_by_truncation(Ks, errors: dict) -> Figure:
    """{gain: relative errors (len(Ks),)} against the steps sent back."""
    fig, ax = plt.subplots()
    colours = shades(len(errors))
    for (gain, e), c, m in zip(errors.items(), colours, "os^D", strict=True):
        ax.semilogy(Ks, e, m + "-", ms=3, color=c, label=f"{GAIN} = {gain}")
    ax.set(xlabel="steps sent back, K", ylim=(1e-12, 4))
    ax.set_ylabel(r"relative error of $\partial L / \partial U$")
    ax.legend(loc="center right")
    return fig


def scores_and_curves(scores: dict, losses, every: int, budget: int) -> Figure:
    """{T: MSE (seeds,)} and, for the longest T, MSE (seeds, updates)."""
    fig, (left, right) = plt.subplots(1, 2, sharey=True)
    for steps, score in scores.items():
        left.semilogy([steps] * len(score), score, "ko", ms=4, alpha=0.6)
    log_x(left, list(scores))
    left.set(xlabel="sequence length T (steps)", ylabel="mean squared error")
    updates = every * np.arange(1, losses.shape[1] + 1)
    right.semilogy(updates, losses.T, "k-", lw=0.9)
    right.axvline(budget, **BASELINE)
    right.text(1.1 * budget, 0.012, "budget of note 3")
    right.set_xlabel(f"updates (T = {max(scores)})")
    for ax in (left, right):
        ax.axhline(1 / 6, **BASELINE)
    return fig


def norms_before_and_after(before: np.ndarray, after: dict) -> Figure:
    """Gradient norms (networks, K), and {label: those after training}."""
    fig, axes = plt.subplots(1, len(after), sharey=True, figsize=(7.2, 3.4))
    k = np.arange(1, before.shape[1] + 1)
    for ax, (label, norms) in zip(axes, after.items(), strict=True):
        dotted = ax.semilogy(k, before.T, color=GREY, ls=":")
        solid = ax.semilogy(k, norms.T, color=ORANGE)
        ax.set(title=label, xlabel="lag k (steps)", ylim=(1e-30, 10))
    axes[0].set_ylabel(NORM)
    lines = [dotted[0], solid[0]]
    names = ["before training", "after training"]
    fig.legend(lines, names, loc="outside upper right", ncols=2)
    return fig
