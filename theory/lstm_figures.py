"""The figures of note 2; the notebook gives each its title and caption."""

import matplotlib.pyplot as plt
import numpy as np
from drawing import BASELINE, BLUE, GREY, arrow, box, node, shades, sketch
from matplotlib.figure import Figure

from forecasting.plots import AMBER, GREEN, PINK, SKY

DARK = "#444444"


def lstm_cell() -> Figure:
    """Draw one LSTM cell: four blocks, three products, one sum.

    Symbols as in cells.py. Everything enters the blocks from x_t and
    h_{t-1}; only products with gates and one sum touch the cell state.
    """
    fig, ax = sketch((0, 10.6), (-0.7, 5.2), 4.2)
    ax.fill_between([0.9, 9.4], -0.1, 5.0, color="#F5F5F5", lw=0)
    forget, add, show = (2.2, 4.4), (4.6, 4.4), (8.2, 2.3)
    write = (4.6, 3.2)
    arrow(ax, (0, 4.4), (10.4, 4.4), colour=BLUE, width=2.6)
    arrow(ax, (0, 0.6), (6.8, 0.6), (6.8, 1.25), colour=DARK)
    arrow(ax, (1.5, -0.5), (1.5, 0.6), colour=DARK)
    for colour, x, text, *road in [
        (AMBER, 2.2, "$\\sigma$\nforget", forget),
        (GREEN, 3.9, "$\\sigma$\ninput", (3.9, 3.2), write),
        (PINK, 5.3, "tanh\ncandidate", (5.3, 3.2), write),
        (SKY, 6.8, "$\\sigma$\noutput", (6.8, 2.3), show),
    ]:
        arrow(ax, (x, 0.6), (x, 1.25), colour=DARK)
        arrow(ax, (x, 2.1), *road, colour=colour, gap=9)
        box(ax, x, 1.65, text, colour, edge="none", size=8.5)
    arrow(ax, write, add, colour=BLUE, gap=9)
    arrow(ax, (8.2, 4.4), show, colour=BLUE, gap=9)
    box(ax, 8.2, 3.45, "tanh", "#9CC9E6", edge="none", size=8.5)
    arrow(ax, show, (8.2, 0.6), (10.4, 0.6), colour=DARK)
    for spot, sign in {forget: "×", add: "+", write: "×", show: "×"}.items():
        node(ax, *spot, sign)
    for x, y, text, colour in [
        (0.1, 4.6, "$c_{t-1}$", BLUE),
        (9.7, 4.6, "$c_t$", BLUE),
        (0.1, 0.8, "$h_{t-1}$", DARK),
        (9.7, 0.8, "$h_t$", DARK),
        (1.65, -0.55, "$x_t$", DARK),
        (2.35, 2.7, "$f_t$", "black"),
        (3.45, 2.7, "$i_t$", "black"),
        (5.45, 2.7, "$\\tilde{c}_t$", "black"),
        (7.1, 2.45, "$o_t$", "black"),
    ]:
        ax.text(x, y, text, color=colour, fontsize=12)
    return fig


def conveyor(steps: int) -> Figure:
    """Draw the cell state as a conveyor through a row of time steps."""
    end = 2.4 * steps + 1.1
    fig, ax = sketch((0, end + 0.1), (-1.3, 2.1), 2.5)
    arrow(ax, (0, 1), (end, 1), colour=BLUE, width=3.2)
    for k in range(steps):
        x, t = 1 + 2.4 * k, f"t+{k}" if k else "t"
        arrow(ax, (x, 1.75), (x, 1), colour=AMBER, gap=9)
        arrow(ax, (x + 0.8, 0.1), (x + 0.8, 1), colour=GREEN, gap=9)
        arrow(ax, (x + 1.5, 1), (x + 1.5, -0.75), colour=DARK)
        node(ax, x, 1, "×")
        node(ax, x + 0.8, 1, "+")
        node(ax, x + 1.5, 0.1, "×", DARK)
        ax.text(x, 1.8, f"$f_{{{t}}}$", ha="center")
        write = f"$i_{{{t}}}\\,\\tilde{{c}}_{{{t}}}$"
        ax.text(x + 0.72, -0.22, write, ha="center", color=GREEN)
        ax.text(x + 1.5, -1.1, f"$h_{{{t}}}$", ha="center", color=DARK)
        ax.text(x + 1.75, 0.02, f"$o_{{{t}}}$", fontsize=9)
    ax.text(0, 1.25, "$c_{t-1}$", color=BLUE)
    return fig


def traces(rows: dict) -> Figure:
    """{symbol: values (1, T, 1)} one above the other, as steps over time."""
    n = len(rows)
    fig, axes = plt.subplots(n, figsize=(7.2, 0.75 * n + 1.1), sharex=True)
    roles = {"i_t": GREEN, "f_t": AMBER, "c_t": BLUE, "o_t": SKY, "h_t": DARK}
    for ax, (symbol, values) in zip(axes, rows.items(), strict=True):
        y, look = values.ravel(), {"color": roles.get(symbol, PINK)}
        steps = np.arange(1, len(y) + 1)
        ax.fill_between(steps, y, step="mid", alpha=0.35, **look)
        ax.step(steps, y, where="mid", **look)
        ax.set_ylabel(f"${symbol}$", rotation=0, ha="right", va="center")
        ax.margins(x=0.01)
    axes[-1].set_xlabel("step t")
    return fig


def continual(states: dict, window: int) -> Figure:
    """{label: c (T, h)}: its largest entry, and the slope left of tanh."""
    fig, (left, right) = plt.subplots(1, 2)
    for (label, c), style in zip(states.items(), ["--", "-"], strict=True):
        look = {"color": PINK if style == "--" else BLUE, "ls": style}
        steps = np.arange(1, len(c) + 1)
        left.plot(steps, np.abs(c).max(axis=1), label=label, **look)
        slope = (1 - np.tanh(c) ** 2).mean(axis=1)
        smooth = np.convolve(slope, np.ones(window) / window, "valid")
        right.plot(steps[window - 1 :], smooth, **look)
    left.set(xlabel="step t", ylabel="largest |c| of 64 units")
    left.legend()
    right.set(xlabel="step t", ylabel="mean slope 1 − tanh²(c)", ylim=(0, 1))
    return fig


def gradient_by_lag(curves: dict, direct: dict) -> Figure:
    """{label: norm (K,)} over lags 1…K, log scale; direct path dashed."""
    fig, ax = plt.subplots(figsize=(7.2, 4))
    colours = [GREY, AMBER, BLUE, GREEN]
    for (label, norm), colour in zip(curves.items(), colours, strict=True):
        k = np.arange(1, len(norm) + 1)
        ax.semilogy(k, norm, color=colour, label=label)
        if label in direct:
            ax.semilogy(k, direct[label], "--", color=colour, lw=1)
    ax.plot([], [], "k--", lw=1, label="direct path: product of f only")
    ax.set(xlabel="lag k (steps)", ylabel="norm of the state's Jacobian")
    ax.legend(loc="lower left")
    return fig


def decay(biases, k_max: int) -> Figure:
    """What is left of a gradient after k steps at forget gate σ(b)."""
    fig, ax = plt.subplots()
    k = np.arange(k_max + 1)
    for b, colour in zip(biases, shades(len(biases)), strict=True):
        f = 1 / (1 + np.exp(-b))
        ax.semilogy(k, f**k, color=colour, label=f"b = {b:.2g}, f = {f:.2f}")
    ax.axhline(1e-7, color=GREY, ls=":")
    ax.text(63, 1.6e-7, "resolution of float32", fontsize=9, color=DARK)
    ax.set(xlabel="lag k (steps)", ylabel="factor left, $f^k$")
    ax.set_ylim(1e-20, 3)
    ax.legend(loc="lower left")
    return fig


def learning(losses: dict, constant: float, every: int) -> Figure:
    """{label: losses (seeds, updates)}, averaged over `every` updates."""
    fig, ax = plt.subplots()
    looks = {
        "LSTM": (BLUE, "-"),
        "LSTM, forget bias 1": (BLUE, "-"),
        "LSTM, chrono": (GREEN, "-"),
        "RNN, rate 0.03": (PINK, "--"),
        "RNN, rate 0.003": (AMBER, "--"),
    }
    for label, loss in losses.items():
        colour, style = looks[label]
        mean = loss.reshape(len(loss), -1, every).mean(axis=2).T
        updates = every * np.arange(1, len(mean) + 1)
        lines = ax.semilogy(updates, mean, style, color=colour, lw=1.1)
        lines[0].set_label(label)
    ax.axhline(constant, **BASELINE, label="constant answer")
    ax.set(xlabel=f"updates (mean of {every})", ylabel="mean squared error")
    ax.legend(loc="lower left")
    return fig


def ablations(shares: dict, intervals: dict) -> Figure:
    """{task: {variant: share (seeds,)}}: seeds, means and their intervals.

    intervals: {task: {variant: (low, high)}}.
    """
    fig, axes = plt.subplots(1, len(shares), sharey=True)
    colours = [BLUE, GREEN, SKY, AMBER, PINK]
    for ax, (task, variants) in zip(axes, shares.items(), strict=True):
        for k, (variant, share) in enumerate(variants.items()):
            low, high = intervals[task][variant]
            ax.bar(k, share.mean(), color=colours[k], alpha=0.55)
            ax.plot([k, k], [low, high], "k_-", ms=8)
            beside = np.linspace(k - 0.25, k + 0.25, len(share))
            ax.plot(beside, share, "ko", ms=2.5, alpha=0.5)
        ax.set(title=task, xlabel="cell")
        ax.set_xticks(range(len(variants)), variants, fontsize=8.5)
    axes[0].set_ylabel("error ÷ error of a constant answer")
    return fig


def gates_over_prices(dates, moves, gates: dict) -> Figure:
    """Absolute returns (T,) in % over {gate: (T, h)}, one row a unit."""
    ratios = [1.6] + [1] * len(gates)
    fig, axes = plt.subplots(
        len(ratios), figsize=(7.2, 5.4), sharex=True, height_ratios=ratios
    )
    axes[0].bar(dates, moves, width=1.4, color="black")
    axes[0].set_ylabel("|log return| (%)")
    for ax, (name, gate) in zip(axes[1:], gates.items(), strict=True):
        units = np.arange(gate.shape[1]) + 1
        mesh = ax.pcolormesh(dates, units, gate.T, vmin=0, vmax=1)
        ax.set(ylabel=f"{name}\nunit", yticks=units)
        ax.grid(False)
    fig.colorbar(mesh, ax=axes[1:], label="gate (0 shut, 1 open)")
    axes[-1].set_xlabel("session")
    return fig
