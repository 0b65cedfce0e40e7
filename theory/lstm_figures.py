"""The figures of note 2; the notebook gives each its title and caption."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from forecasting import plots

GREY = plots.STYLES["persistence"]["color"]
BLUE = plots.STYLES["LSTM"]["color"]
COLOURS = {
    "f": plots.AMBER,
    "i": plots.GREEN,
    "c": plots.PINK,
    "o": plots.SKY,
    "cell": BLUE,
    "h": "#444444",
}


def lstm_cell() -> Figure:
    """Draw one LSTM cell: four blocks, three products, one sum.

    Symbols as in cells.py. Everything enters the blocks from x_t and
    h_{t-1}; only products with gates and one sum touch the cell state.
    """
    fig, ax = plt.subplots(figsize=(7.2, 4.2))
    ax.set(xlim=(0, 10.6), ylim=(-0.7, 5.2))
    ax.axis("off")
    style = {"boxstyle": "round,pad=0.2", "fc": "#F5F5F5", "ec": "none"}
    ax.add_patch(FancyBboxPatch((1.1, 0.1), 8.1, 4.9, **style))
    cell, h = COLOURS["cell"], COLOURS["h"]
    _arrow(ax, [(0, 4.4), (10.4, 4.4)], cell, width=2.6)
    ax.plot([0, 6.8], [0.6, 0.6], color=h)
    _arrow(ax, [(1.5, -0.5), (1.5, 0.6)], h)
    blocks = {
        "f": (2.2, "$\\sigma$\nforget"),
        "i": (3.9, "$\\sigma$\ninput"),
        "c": (5.3, "tanh\ncandidate"),
        "o": (6.8, "$\\sigma$\noutput"),
    }
    for name, (x, text) in blocks.items():
        _arrow(ax, [(x, 0.6), (x, 1.25)], h)
        _block(ax, (x, 1.65), text, COLOURS[name])
    _arrow(ax, [(2.2, 2.1), (2.2, 4.4)], COLOURS["f"], gap=9)
    _arrow(ax, [(3.9, 2.1), (3.9, 3.2), (4.6, 3.2)], COLOURS["i"], gap=9)
    _arrow(ax, [(5.3, 2.1), (5.3, 3.2), (4.6, 3.2)], COLOURS["c"], gap=9)
    _arrow(ax, [(4.6, 3.2), (4.6, 4.4)], cell, gap=9)
    _arrow(ax, [(8.2, 4.4), (8.2, 3.75)], cell)
    _block(ax, (8.2, 3.45), "tanh", "#9CC9E6")
    _arrow(ax, [(8.2, 3.15), (8.2, 2.3)], cell, gap=9)
    _arrow(ax, [(6.8, 2.1), (6.8, 2.3), (8.2, 2.3)], COLOURS["o"], gap=9)
    _arrow(ax, [(8.2, 2.3), (8.2, 0.6), (10.4, 0.6)], h)
    for x, y, sign in [
        (2.2, 4.4, "×"),
        (4.6, 4.4, "+"),
        (4.6, 3.2, "×"),
        (8.2, 2.3, "×"),
    ]:
        _node(ax, x, y, sign)
    for x, y, text, colour in [
        (0.1, 4.6, "$c_{t-1}$", cell),
        (9.7, 4.6, "$c_t$", cell),
        (0.1, 0.8, "$h_{t-1}$", h),
        (9.7, 0.8, "$h_t$", h),
        (1.65, -0.55, "$x_t$", h),
        (2.35, 2.7, "$f_t$", "black"),
        (3.45, 2.7, "$i_t$", "black"),
        (5.45, 2.7, "$\\tilde{c}_t$", "black"),
        (7.1, 2.45, "$o_t$", "black"),
    ]:
        ax.text(x, y, text, color=colour, fontsize=12)
    return fig


def conveyor(steps: int) -> Figure:
    """Draw the cell state as a conveyor through a row of time steps."""
    fig, ax = plt.subplots(figsize=(7.2, 2.5))
    ax.set(xlim=(0, 2.4 * steps + 1.2), ylim=(-1.3, 2.1))
    ax.axis("off")
    cell, h = COLOURS["cell"], COLOURS["h"]
    _arrow(ax, [(0, 1), (2.4 * steps + 1.1, 1)], cell, width=3.2)
    for k in range(steps):
        x = 1 + 2.4 * k
        _arrow(ax, [(x, 1.75), (x, 1)], COLOURS["f"], gap=9)
        _arrow(ax, [(x + 0.8, 0.1), (x + 0.8, 1)], COLOURS["i"], gap=9)
        _arrow(ax, [(x + 1.5, 1), (x + 1.5, -0.75)], h)
        _node(ax, x, 1, "×")
        _node(ax, x + 0.8, 1, "+")
        _node(ax, x + 1.5, 0.1, "×", h)
        t = f"t+{k}" if k else "t"
        ax.text(x, 1.8, f"$f_{{{t}}}$", ha="center")
        write = f"$i_{{{t}}}\\,\\tilde{{c}}_{{{t}}}$"
        ax.text(x + 0.72, -0.22, write, ha="center", color=COLOURS["i"])
        ax.text(x + 1.5, -1.1, f"$h_{{{t}}}$", ha="center", color=h)
        ax.text(x + 1.75, 0.02, f"$o_{{{t}}}$", fontsize=9)
    ax.text(0, 1.25, "$c_{t-1}$", color=cell)
    return fig


def traces(rows: dict) -> Figure:
    """{symbol: values (1, T, 1)} one above the other, as steps over time."""
    roles = {"i_t": "i", "f_t": "f", "c_t": "cell", "o_t": "o", "h_t": "h"}
    height = 0.75 * len(rows) + 1.1
    fig, axes = plt.subplots(
        len(rows), 1, figsize=(7.2, height), sharex=True, squeeze=False
    )
    for ax, (symbol, values) in zip(axes[:, 0], rows.items(), strict=True):
        steps = np.arange(1, values.size + 1)
        style = {"color": COLOURS[roles.get(symbol, "c")]}
        ax.fill_between(steps, values.ravel(), step="mid", alpha=0.35, **style)
        ax.step(steps, values.ravel(), where="mid", **style)
        ax.set_ylabel(f"${symbol}$", rotation=0, ha="right", va="center")
        ax.margins(x=0.01)
    axes[-1, 0].set_xlabel("step t")
    return fig


def continual(states: dict, window: int) -> Figure:
    """{label: c (T, h)}: its largest entry, and the slope left of tanh."""
    fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.2))
    styles = [{"color": plots.PINK, "ls": "--"}, {"color": BLUE}]
    for (label, c), style in zip(states.items(), styles, strict=True):
        steps = np.arange(1, len(c) + 1)
        axes[0].plot(steps, np.abs(c).max(axis=1), **style, label=label)
        slope = (1 - np.tanh(c) ** 2).mean(axis=1)
        smooth = np.convolve(slope, np.ones(window) / window, "valid")
        axes[1].plot(steps[window - 1 :], smooth, **style)
    axes[0].set(xlabel="step t", ylabel="largest |c| of 64 units")
    axes[1].set(xlabel="step t", ylabel="mean slope 1 − tanh²(c)")
    axes[1].set_ylim(0, 1)
    axes[0].legend()
    return fig


def gradient_by_lag(curves: dict, direct: dict) -> Figure:
    """{label: norm (K,)} over lags 1…K, log scale; direct path dashed."""
    fig, ax = plt.subplots(figsize=(7.2, 4))
    colours = [GREY, plots.AMBER, BLUE, plots.GREEN]
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
    fig, ax = plt.subplots(figsize=(7.2, 3.4))
    k = np.arange(k_max + 1)
    colours = plt.cm.cividis(np.linspace(0, 0.9, len(biases)))
    for b, colour in zip(biases, colours, strict=True):
        f = 1 / (1 + np.exp(-b))
        label = f"b = {b:.2g}, f = {f:.2f}"
        ax.semilogy(k, f**k, color=colour, label=label)
    ax.axhline(1e-7, color=GREY, ls=":")
    ax.text(63, 1.6e-7, "resolution of float32", fontsize=9, color="#444444")
    ax.set(
        xlabel="lag k (steps)", ylabel="factor left, $f^k$", ylim=(1e-20, 3)
    )
    ax.legend(loc="lower left")
    return fig


def learning(losses: dict, constant: float, every: int) -> Figure:
    """{label: losses (seeds, updates)}, averaged over `every` updates."""
    fig, ax = plt.subplots(figsize=(7.2, 3.6))
    rnn = iter([plots.PINK, plots.AMBER])
    for label, loss in losses.items():
        colour = plots.GREEN if "chrono" in label else BLUE
        style = "-"
        if label.startswith("RNN"):
            colour, style = next(rnn), "--"
        mean = loss.reshape(len(loss), -1, every).mean(axis=2).T
        updates = every * np.arange(1, len(mean) + 1)
        lines = ax.semilogy(updates, mean, style, color=colour, lw=1.1)
        lines[0].set_label(label)
    ax.axhline(
        constant, **plots.STYLES["persistence"], label="constant answer"
    )
    ax.set(xlabel=f"updates (mean of {every})", ylabel="mean squared error")
    ax.legend(loc="lower left")
    return fig


def ablations(shares: dict) -> Figure:
    """{task: {variant: share (seeds,)}}: means, with 95 % intervals."""
    fig, axes = plt.subplots(1, len(shares), figsize=(7.2, 3.6), sharey=True)
    colours = [BLUE, plots.GREEN, plots.SKY, plots.AMBER, plots.PINK]
    rng = np.random.default_rng(0)
    for ax, (task, variants) in zip(axes, shares.items(), strict=True):
        for k, share in enumerate(variants.values()):
            low, high = interval(share)
            mean, x = share.mean(), np.full(len(share), k)
            bars = [[mean - low], [high - mean]]
            ax.bar(k, mean, color=colours[k], alpha=0.55)
            ax.errorbar(k, mean, bars, color="black", capsize=4)
            jitter = rng.uniform(-0.25, 0.25, len(share))
            ax.plot(x + jitter, share, "ko", ms=2.5, alpha=0.5)
        ax.set(title=task, xlabel="cell")
        ax.set_xticks(range(len(variants)), variants, fontsize=8.5)
    axes[0].set_ylabel("error ÷ error of a constant answer")
    return fig


def interval(values, draws=2000) -> np.ndarray:
    """95 % bootstrap interval of the mean of values (n,)."""
    rng = np.random.default_rng(0)
    means = rng.choice(values, (draws, len(values))).mean(axis=1)
    return np.quantile(means, [0.025, 0.975])


def gates_over_prices(dates, moves, gates: dict) -> Figure:
    """Absolute returns (T,) in % over {gate: (T, h)}, one row a unit."""
    ratios = [1.6] + [1] * len(gates)
    fig, axes = plt.subplots(
        len(ratios), 1, figsize=(7.2, 5.4), sharex=True, height_ratios=ratios
    )
    axes[0].bar(dates, moves, width=1.4, color="black")
    axes[0].set_ylabel("|log return| (%)")
    units = np.arange(next(iter(gates.values())).shape[1]) + 1
    for ax, (name, gate) in zip(axes[1:], gates.items(), strict=True):
        mesh = ax.pcolormesh(dates, units, gate.T, vmin=0, vmax=1)
        ax.set(ylabel=f"{name}\nunit", yticks=units)
        ax.grid(False)
    fig.colorbar(mesh, ax=axes[1:], label="gate (0 shut, 1 open)")
    axes[-1].set_xlabel("session")
    return fig


def _block(ax, xy, text, colour):
    box = {"boxstyle": "round,pad=0.3", "fc": colour, "ec": "none"}
    ax.text(*xy, text, ha="center", va="center", fontsize=8.5, bbox=box)


def _node(ax, x, y, sign, colour="black"):
    ax.plot(x, y, "o", ms=15, mfc="white", mec=colour, zorder=3)
    ax.text(x, y - 0.02, sign, ha="center", va="center", zorder=4)


def _arrow(ax, path, colour, width=1.4, gap=0):
    """Draw a polyline whose last segment ends in an arrowhead."""
    xs, ys = zip(*path, strict=True)
    ax.plot(xs[:-1], ys[:-1], color=colour, lw=width, solid_capstyle="round")
    style = {"arrowstyle": "-|>", "color": colour, "lw": width}
    style |= {"shrinkA": 0, "shrinkB": gap, "mutation_scale": 13}
    ax.annotate("", path[-1], path[-2], arrowprops=style)
