"""The two drawings of note 2: one LSTM cell, and a row of them."""

from matplotlib.patches import FancyBboxPatch

from forecasting import plots

COLOURS = {
    "f": plots.AMBER,
    "i": plots.GREEN,
    "c": plots.PINK,
    "o": plots.SKY,
    "cell": plots.STYLES["LSTM"]["color"],
    "h": "#444444",
}


def lstm_cell(ax):
    """Draw one LSTM cell: four blocks, three products, one sum.

    Symbols as in cells.py. Everything enters the blocks from x_t and
    h_{t-1}; only products with gates and one sum touch the cell state.
    """
    _frame(ax, (0, 10.6), (-0.7, 5.6))
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


def conveyor(ax, steps=4):
    """Draw the cell state as a conveyor through a row of time steps."""
    _frame(ax, (0, 2.4 * steps + 1.2), (-1.3, 2.0))
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


def _frame(ax, xlim, ylim):
    ax.set(xlim=xlim, ylim=ylim)
    ax.axis("off")


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
