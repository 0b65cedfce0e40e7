"""Checkers of the exercises of note 3: learning to remember."""

import numpy as np

from theory.cells import lstm_backward, lstm_forward
from theory.exercises.marking import exercise, expect, expect_close
from theory.tasks import latest_value


@exercise("3.1")
def other_road(answer):
    """Weight u with which the road through h makes up for f = 0.9."""
    f, i, o = 0.9, 1 / 2, 4 / 5
    u = (1 - f) / (i * o)
    slips = {
        "what comes back passes the output and the input gate": 1 - f,
        "u is multiplied by both gates, so divide": (1 - f) * i * o,
    }
    expect_close(answer, u, "f + i u o must be 1", slips)
    return "a small weight replaces a forget gate, as long as c is small"


@exercise("3.2")
def half_life(answer):
    """Half-life of the slowest unit, from f (n, T, h)."""
    f = np.random.default_rng(0).uniform(0.5, 1, (3, 50, 4))
    f[:, :, 2] = 0.99
    f[:, ::10, 2] = 0.5
    by_unit, half = np.log(f).mean(axis=(0, 1)), np.log(0.5)
    later = np.log(f.mean(axis=(0, 1)).max())
    slips = {"the mean over units hides the slow one": half / by_unit.mean()}
    slips["factors multiply: average their logarithms"] = half / later
    expected = half / by_unit.max()
    expect_close(answer(f.copy()), expected, "differs", slips)
    return "one step at 0.5 costs as much as 69 steps at 0.99"


@exercise("3.3")
def replacer(answer):
    """Weights of one unit that recalls the latest marked value."""
    W, U, b, V = (np.asarray(a, float) for a in answer)
    expect(W.shape == (2, 4) and U.shape == (1, 4), "shapes of W and U")
    expect(b.shape == (4,) and V.shape == (1, 1), "shapes of b and V")
    x, y = latest_value(np.random.default_rng(3), 100, 200)
    h, _, cache = lstm_forward(x, W, U, b)
    error, marked = np.abs(h[:, -1] @ V - y), x[:, :, 1] == 1
    hint = "between marks the state fades or grows: f = 1 and i = 0 there"
    f, i = cache["f"][~marked], cache["i"][~marked]
    expect(f.min() > 0.9995 and i.max() < 0.01, hint)
    hint = "at a mark the old value must go: the mark shuts f too"
    expect(cache["f"][marked].max() < 0.02, hint)
    hint = f"off by up to {error.max():.2f}: keep tanh where it is straight"
    expect(error.max() < 0.02, hint)
    return "the forget gate replaces; without it values would add up"


@exercise("3.4")
def latch(answer):
    """Weight u with which constant gates keep the sign of c_0 = 0.1."""
    u = float(np.asarray(answer) + 0.0)
    steps, f, o = 1000, 0.9, 4 / 5  # i = 1/2 is the bias of 0
    U = np.array([[0, 0, u, 0]])
    b = np.array([0, np.log(f / (1 - f)), 0, np.log(o / (1 - o))])
    x, c0 = np.zeros((2, steps, 1)), np.array([[0.1], [-0.1]])
    h0 = o * np.tanh(c0)
    _, c, cache = lstm_forward(x, np.zeros((1, 4)), U, b, h0, c0)
    last = c[:, -1, 0]
    expect(abs(last[0]) > 1e-6, "the state is gone: a larger u")
    hint = f"after 1000 steps c is {last[0]:.2f} and {last[1]:.2f}"
    expect(last[0] >= 0.5 and last[1] <= -0.5, hint)
    dc = np.zeros_like(c)
    dc[:, -1] = 1
    back = lstm_backward(0 * c, cache, dc)
    slope = back["c0"] + back["h0"] * o * (1 - np.tanh(c0) ** 2)
    power = np.floor(np.log10(max(np.abs(slope).max(), 1e-300)))
    return f"the sign stays, its gradient does not: below 1e{power + 1:.0f}"
