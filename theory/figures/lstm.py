"""The figures of note 2; the notebook gives each its title and caption."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from forecasting.pages.plots import AMBER, GREEN, PINK, SKY
from theory.figures.drawing import (
    BLUE,
    GREY,
    ORANGE,
    arrow,
    box,
    node,
    shades,
    sketch,
)

DARK, PALE = "#444444", "#DDDDDD"

# Where the operations of the cell stand in its drawing.
FORGET, ADD, WRITE, SHOW = (2.2, 4.4), (4.6, 4.4), (4.6, 3.2), (8.2, 2.3)

# The roads back: the stage that adds each, and its points.
ROADS = [
    (1, (10.4, 0.6), (8.2, 0.6)),
    (1, (9.0, -0.55), (9.0, 0.6)),
    (2, (8.2, 0.6), SHOW),
    (2, SHOW, (8.2, 4.4)),
    (2, (10.4, 4.4), (8.2, 4.4)),
    (2, (9.0, 5.2), (9.0, 4.4)),
    (3, (8.2, 4.4), ADD),
    (3, ADD, FORGET),
    (3, ADD, WRITE),
    (3, WRITE, (3.9, 3.2), (3.9, 1.95)),
    (3, WRITE, (5.3, 3.2), (5.3, 1.95)),
    (3, FORGET, (2.2, 1.95)),
    (3, SHOW, (6.8, 2.3), (6.8, 1.95)),
    *((4, (x, 1.25), (x, 0.6)) for x in (2.2, 3.9, 5.3, 6.8)),
    (4, (6.8, 0.6), (1.5, 0.6), (1.5, -0.5)),
    (5, FORGET, (0, 4.4)),
    (5, (1.5, 0.6), (0, 0.6)),
]

# The labels beside them: stage, place, text.
LABELS = [
    (1, 9.55, 0.05, r"$\delta^z_{t+1} U^\top$"),
    (1, 9.1, -0.75, r"$\partial L / \partial h_t$"),
    (1, 7.45, 0.2, r"$\delta^h_t$"),
    (2, 8.3, 2.8, r"$\odot\, o_t$"),
    (2, 6.15, 3.85, r"$\odot\, (1 - \tanh^2 c_t)$"),
    (2, 8.75, 3.9, r"$\delta^c_{t+1} \odot f_{t+1}$"),
    (2, 9.1, 5.1, r"$\partial L / \partial c_t$"),
    (2, 7.6, 4.6, r"$\delta^c_t$"),
    (3, 1.1, 3.4, r"$\odot\, c_{t-1}$"),
    (3, 3.15, 3.3, r"$\odot\, \tilde{c}_t$"),
    (3, 5.4, 3.3, r"$\odot\, i_t$"),
    (3, 6.5, 2.95, r"$\odot\, \tanh c_t$"),
    (4, 2.3, 0.8, r"$\delta^{z_f}_t$"),
    (4, 4.0, 0.8, r"$\delta^{z_i}_t$"),
    (4, 5.4, 0.8, r"$\delta^{z_c}_t$"),
    (4, 6.05, 0.8, r"$\delta^{z_o}_t$"),
    (4, 0.05, -0.55, r"$\delta^z_t W^\top$"),
    (4, 2.6, -0.6, r"$x_t^\top \delta^z_t$ to $\partial L / \partial W$"),
    (4, 5.3, -0.6, r"$h_{t-1}^\top \delta^z_t$ to $\partial L/\partial U$"),
    (5, 0.0, 4.0, r"$\delta^c_t \odot f_t$"),
    (5, 0.0, 0.15, r"$\delta^z_t U^\top$"),
]


def lstm_cell(lit: str = "ifco", ink: str = DARK) -> Figure:
    """Draw one LSTM cell: four blocks, three products, one sum.

    Symbols as in cells.py. Everything enters the blocks from x_t and
    h_{t-1}; only products with gates and one sum touch the cell state.
    lit: the blocks in colour, of i, f, c (the candidate) and o; the others
    are pale, as is the rest where nothing is lit. ink: of the black parts.
    """
    fig, ax = sketch((0, 10.6), (-0.9, 5.4), 4.2)
    ax.fill_between([0.9, 9.4], -0.1, 5.0, color="#F5F5F5", lw=0)
    state = BLUE if lit else PALE
    arrow(ax, (0, 4.4), (10.4, 4.4), colour=state, width=2.6)
    arrow(ax, (0, 0.6), (6.8, 0.6), (6.8, 1.25), colour=ink)
    arrow(ax, (1.5, -0.5), (1.5, 0.6), colour=ink)
    for key, colour, text, *road in [
        ("f", AMBER, "$\\sigma$\nforget", (2.2, 2.1), FORGET),
        ("i", GREEN, "$\\sigma$\ninput", (3.9, 2.1), (3.9, 3.2), WRITE),
        ("c", PINK, "tanh\ncandidate", (5.3, 2.1), (5.3, 3.2), WRITE),
        ("o", SKY, "$\\sigma$\noutput", (6.8, 2.1), (6.8, 2.3), SHOW),
    ]:
        x, colour = road[0][0], colour if key in lit else PALE
        arrow(ax, (x, 0.6), (x, 1.25), colour=ink)
        arrow(ax, *road, colour=colour, gap=9)
        box(ax, x, 1.65, text, colour, edge="none", size=8.5)
    arrow(ax, WRITE, ADD, colour=state, gap=9)
    arrow(ax, (8.2, 4.4), SHOW, colour=state, gap=9)
    box(ax, 8.2, 3.45, "tanh", "#9CC9E6" if lit else PALE, "none", 8.5)
    arrow(ax, SHOW, (8.2, 0.6), (10.4, 0.6), colour=ink)
    for spot, sign in [(FORGET, "×"), (ADD, "+"), (WRITE, "×"), (SHOW, "×")]:
        node(ax, *spot, sign, ink)
    for x, y, text in [
        (0.1, 4.6, "$c_{t-1}$"),
        (9.75, 4.6, "$c_t$"),
        (0.1, 0.8, "$h_{t-1}$"),
        (9.75, 0.8, "$h_t$"),
        (1.65, -0.55, "$x_t$"),
        (2.35, 2.7, "$f_t$"),
        (3.45, 2.7, "$i_t$"),
        (5.45, 2.7, "$\\tilde{c}_t$"),
        (7.0, 2.45, "$o_t$"),
    ]:
        colour = BLUE if lit and y == 4.6 else ink
        ax.text(x, y, text, color=colour, fontsize=12)
    return fig


def backward_cell(stage: int) -> Figure:
    """Draw the roads back through the cell, up to one of five stages.

    1 hidden state, 2 cell state, 3 gates, 4 weights, 5 state before. The
    roads of the stage are orange, earlier ones thin and dark.
    """
    fig = lstm_cell(lit="", ink="#BBBBBB")
    ax = fig.axes[0]
    new, old = {"colour": ORANGE, "width": 2.2}, {"colour": DARK, "width": 1}
    for number, *road in ROADS:
        if number <= stage:
            arrow(ax, *road, gap=7, **new if number == stage else old)
            ax.lines[-1].set_zorder(3)  # above the pale arrows
    for number, x, y, text in LABELS:
        if number <= stage:
            size, ink = (11, ORANGE) if number == stage else (9, DARK)
            ax.text(x, y, text, color=ink, size=size)
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


def two_lanes(steps: int) -> Figure:
    """Draw the state as a pair (c, h) and the roads of its gradient."""
    fig, ax = sketch((-0.7, steps + 0.75), (-0.45, 1.45), 2.6)
    for t in range(steps + 1):
        k = steps - t
        name = f"T-{k}" if k else "T"
        box(ax, t, 1, f"$c_{{{name}}}$", edge=BLUE)
        box(ax, t, 0, f"$h_{{{name}}}$", edge=DARK)
        if t == 0:
            continue
        arrow(ax, (t, 1), (t - 1, 1), colour=BLUE, gap=21, width=2.6)
        arrow(ax, (t, 1), (t - 1, 0), colour=PINK, gap=21)
        arrow(ax, (t, 0), (t - 1, 0), colour=PINK, gap=21)
        arrow(ax, (t, 0), (t, 1), colour=PINK, gap=13)
        ax.text(t - 0.5, 1.12, f"$f_{{{name}}}$", color=BLUE, ha="center")
        ax.text(t - 0.5, -0.3, "$U$", color=PINK, ha="center")
        ax.text(t - 0.42, 0.62, "$U$", color=PINK, ha="right")
    ax.text(0, 1.35, "arrives", ha="center", size=9)
    ax.text(steps, 1.35, "sent", ha="center", size=9)
    return fig


def gradient_by_lag(full: dict, direct: dict) -> Figure:
    """{label: norms (draws, K)} over lags 1…K: median and range, log scale.

    direct: {label: (draws, K)} along the cell path only; medians, dashed.
    """
    fig, ax = plt.subplots(figsize=(7.2, 4))
    colours = [GREY, AMBER, BLUE, GREEN]
    for (label, norms), colour in zip(full.items(), colours, strict=True):
        k = np.arange(1, norms.shape[1] + 1)
        ends = norms.min(axis=0), norms.max(axis=0)
        ax.fill_between(k, *ends, color=colour, alpha=0.2, lw=0)
        style = ":" if label.startswith("RNN") else "-"
        ax.semilogy(k, np.median(norms, axis=0), style, color=colour)
        ax.lines[-1].set(lw=2, label=label)
        if label in direct:
            ax.semilogy(k, np.median(direct[label], axis=0), "--", lw=1)
            ax.lines[-1].set_color(colour)
    ax.plot([], [], "k--", lw=1, label="direct path only")
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
    epsilon = np.finfo("float32").eps
    ax.axhline(epsilon, color=GREY, ls=":")
    note = "lost beside a term of size 1 (float32)"
    ax.text(k_max, 1.7 * epsilon, note, fontsize=9, color=DARK, ha="right")
    ax.set(xlabel="lag k (steps)", ylabel="factor left, $f^k$")
    ax.set_ylim(1e-20, 3)
    ax.legend(loc="lower left")
    return fig
