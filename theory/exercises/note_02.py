"""Checkers of the exercises of note 2: the LSTM."""

import numpy as np

from theory.cells import logistic, lstm_backward, lstm_forward
from theory.exercises.marking import exercise, expect, expect_close


@exercise("2.1")
def one_step(answer):
    """c_1 and h_1 of one unit, from its z and c_0 = 2."""
    i, f, c_tilde, o = 1 / 2, 3 / 4, 3 / 5, 4 / 5
    c = f * 2 + i * c_tilde
    slips = {"h_1 sees c_1 through a tanh": (c, o * c)}
    hint = "c_1 = f c_0 + i c_tilde and h_1 = o tanh(c_1)"
    expect_close(answer, (c, o * np.tanh(c)), hint, slips, rtol=0.004)
    return "keep three quarters of the old, add half of the new"


@exercise("2.2")
def half_life_bias(answer):
    """Forget bias with which a state halves every k steps."""
    for k in (2, 60, 250):
        f = 0.5 ** (1 / k)
        b = np.log(f / (1 - f))
        slips = {"that is the gate; the bias is asked": f}
        slips["check the sign"] = -b
        expect_close(answer(k), b, f"differs for k = {k}", slips)
    return "a year of memory needs a bias near 5.9, not 1"


@exercise("2.3")
def coupled_gates(answer):
    """One step of the LSTM with i = 1 - f."""
    rng = np.random.default_rng(0)
    n, d, h = 3, 2, 4
    x, h0, c0 = (rng.normal(size=(n, k)) for k in (d, h, h))
    W, U, b = (rng.normal(size=s) for s in ((d, 3 * h), (h, 3 * h), 3 * h))
    z_f, z_c, z_o = np.split(x @ W + h0 @ U + b, 3, axis=1)
    f, c_tilde, o = logistic(z_f), np.tanh(z_c), logistic(z_o)
    c, swapped = f * c0 + (1 - f) * c_tilde, (1 - f) * c0 + f * c_tilde
    got_h, got_c = answer(x, h0, c0, W, U, b)
    slips = {"f keeps the old, 1 - f admits": swapped}
    expect_close(got_c, c, "c_t differs", slips)
    expect_close(got_h, o * np.tanh(c), "h_t differs, c_t is right")
    return "a weighted mean of candidates, so the state stays within (-1, 1)"


@exercise("2.4")
def cut_path(answer):
    """Derivative of h_T by c_0 where U = 0, as backpropagation has it."""
    rng = np.random.default_rng(1)
    n, T, d, h = 2, 5, 3, 4
    x, c0 = rng.normal(size=(n, T, d)), rng.normal(size=(n, h))
    W, b = rng.normal(size=(d, 4 * h)), rng.normal(size=4 * h)
    states, c, cache = lstm_forward(x, W, np.zeros((h, 4 * h)), b, c0=c0)
    dh = np.zeros_like(states)
    dh[:, -1] = 1  # U = 0 keeps the units apart
    expected = lstm_backward(dh, cache)["c0"]
    slips = {"that is the derivative of c_T": cache["f"].prod(axis=1)}
    hint = "h_T = o_T tanh(c_T): two more factors"
    expect_close(answer(cache["f"], cache["o"], c), expected, hint, slips)
    return "the output gate and the tanh stand once at the exit"


@exercise("2.5")
def counter(answer):
    """Weights of one unit whose state counts ones over 200 steps."""
    W, U, b = (np.asarray(a, float) for a in answer)
    expect(W.shape == U.shape == (1, 4), "W and U have shape (1, 4)")
    expect(b.shape == (4,), "b has shape (4,)")
    share = np.array([0, 0.1, 0.5, 0.9, 1])[:, None, None]
    x = (np.random.default_rng(2).random((5, 200, 1)) < share).astype(float)
    c, cache = lstm_forward(x, W, U, b)[1:]
    expect(cache["f"].min() > 0.999, "the state fades: how close to 1 is f?")
    error = np.abs(c[:, -1, 0] - x.sum(axis=(1, 2))).max()
    expect(error < 0.5, f"the count is {error:.1f} off: i and c_tilde")
    return "with f <= 0.9 no state exceeds 1 / (1 - 0.9) = 10"


@exercise("2.6")
def mended(answer):
    """The backward pass of the note, its one mistake repaired."""
    rng = np.random.default_rng(3)
    n, d, h = 3, 2, 5
    W, U, b = (rng.normal(size=s) for s in ((d, 4 * h), (h, 4 * h), 4 * h))
    for T in (1, 12):
        # on one step from h_0 = 0 the gradient by U would be 0
        x, (h0, c0) = rng.normal(size=(n, T, d)), rng.normal(size=(2, n, h))
        states, c, cache = lstm_forward(x, W, U, b, h0, c0)
        dh = np.zeros_like(states)
        dh[:, -1] = rng.normal(size=(n, h))
        hint = "right on one step, not on twelve: the mistake is in what "
        hint += "comes back from later; which factors are on each road to c_t?"
        if T == 1:
            hint = "wrong on one step, where the function given is right"
        expected = lstm_backward(dh, cache)["U"]
        got = answer(dh[:, -1], cache, c, U)
        expect_close(got, expected, hint, rtol=1e-6)
    return "the slope of the tanh is on the road through h_t only"
