"""Checkers of the exercises of note 4: the bidirectional LSTM."""

import numpy as np

from theory.cells import bilstm_forward
from theory.exercises.marking import exercise, expect, expect_close


@exercise("4.1")
def parameters(answer):
    """Trainable numbers of Bidirectional(LSTM(50)) and Dense(1), d = 3."""
    d, h = 3, 50
    both = 2 * (d * 4 * h + h * 4 * h + 4 * h)  # W, U, b of each direction
    slips = {
        "the Dense(1) layer has weights and a bias too": both,
        "how wide is what the directions hand to Dense(1)?": both + h + 1,
    }
    hint = "count W, U and b of one direction; the other has its own"
    expect_close(answer, both + 2 * h + 1, hint, slips, rtol=0)
    return "the directions share the input and nothing else"


@exercise("4.2")
def steps_read(answer):
    """Inputs that each half depends on, T = 20, for two kinds of summary.

    A NaN at step s of sequence s stains what depends on it.
    """
    T, h = 20, 2
    rng = np.random.default_rng(0)
    shapes = (1, 4 * h), (h, 4 * h), (4 * h,)
    ahead, back = [[rng.normal(size=s) for s in shapes] for _ in range(2)]
    x = np.zeros((T, T, 1))
    x[np.arange(T), np.arange(T)] = np.nan
    out = np.isnan(bilstm_forward(x, ahead, back)[0])
    last, first = out[:, -1].sum(axis=0), out[:, 0].sum(axis=0)
    expected = [[last[0], first[-1]], [last[0], last[-1]]]
    hint = "which way does each chain read, and where is it at that row?"
    expect_close(answer, expected, hint, rtol=1e-9)
    return "the last row throws away all that the backward chain has read"


@exercise("4.3")
def leaked_error(answer):
    """MSE of a perfect reader: windows of 60, targets 5 steps ahead."""
    T, ahead = 60, 5
    unseen = np.mean(np.arange(1, T + 1) + ahead > T)  # each costs variance 1
    slips = {
        "where are the targets of the window's last steps?": 0,
        "that is an honest forecaster; this one may read on": 1,
    }
    hint = "count the targets that lie outside; each costs the variance"
    expect_close(answer, unseen, hint, slips)
    return "a longer window makes the leak look like a better model"


@exercise("4.4")
def furthest_look(answer):
    """A function that measures how far a transform of a series looks ahead."""
    series = np.random.default_rng(0).normal(size=30)
    five = np.ones(5) / 5
    for name, steps, transform in [
        ("the identity", 0, lambda x: x),
        ("a centred mean", 2, lambda x: np.convolve(x, five, "same")),
        ("a trailing mean", 0, lambda x: np.convolve(x, five)[: len(x)]),
        ("tomorrow's value", 1, lambda x: np.append(x[1:], 0)),
        ("a scaler of all rows", 29, lambda x: (x - x.mean()) / x.std()),
        ("a difference", 0, lambda x: np.append(np.nan, np.diff(x))),
    ]:
        given = series.copy()
        found = answer(transform, given)
        expect(np.array_equal(series, given), "the series was changed")
        expect(found == steps, f"{name}: {found} is not right")
    return "nothing of a model need be known to test it"


@exercise("4.5")
def late_labels(answer):
    """A forward labeller of "around" that may answer two steps late."""
    from theory.labelling import QUESTIONS, draw  # Keras, which takes seconds

    x, y = draw(np.random.default_rng(2024), 2000)
    truth = y[:, :, list(QUESTIONS).index("around")] > 0
    labels = np.asarray(answer(x.copy()))
    shape = labels.shape
    expect(shape == truth.shape, f"the labels have shape {shape}")
    expect(labels.dtype == bool, "labels are True or False")
    rate = np.mean((labels == truth)[:, 2:14])
    for cut in range(4, x.shape[1]):
        damaged = x.copy()
        damaged[:, cut:] = np.nan
        before, after = (a[:, : cut - 2] for a in (labels, answer(damaged)))
        hint = f"a label up to step {cut - 2} depends on inputs after {cut}"
        expect(np.array_equal(before, after), hint)
    expect(rate >= 0.9, f"right at {rate:.1%} of the steps 3 to 14 only")
    return "two steps of patience do the work of the second direction"


@exercise("4.6")
def steady_limits(answer):
    """Error variances of filter and smoother, a = 1, Q = 1/2, R = 1.

    The filter by running its recursion until nothing changes; the smoother
    as two filters, whose precisions add up.
    """
    Q, R = 1 / 2, 1.0
    P = R
    for _ in range(100):
        P = 1 / (1 / (P + Q) + 1 / R)
    back = P + Q  # the filter from the other side, moved on by one step
    both = 1 / (1 / P + 1 / back)
    slips = {
        "that is before the step's own value came": (back, both),
        "both filters have used the same x_t; use it once": (P, P / 2),
        "the filter first, then the smoother": (both, P),
    }
    hint = "P = (P + Q) R / (P + Q + R); the precisions of two filters add up"
    expect_close(answer, (P, both), hint, slips)
    return "the future takes a third off the error variance"
