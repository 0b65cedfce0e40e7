"""Checkers for the exercises that end each note.

``check("3.1", answer)`` prints one line when the answer is right and raises
``Wrong``, with a hint, when it is not. A checker works the answer out from
the definitions, so that it can be read as a second solution.
"""

from functools import partial

import numpy as np
import pandas as pd
from cells import (
    bilstm_forward,
    logistic,
    lstm_backward,
    lstm_forward,
    rnn_forward,
)
from tasks import random_rnn

CHECKERS = {}  # number of the exercise -> its checker, in reading order


class Wrong(AssertionError):
    """An answer that is not right yet; its message is a hint."""

    def _render_traceback_(self) -> list[str]:
        # Jupyter calls this instead of printing a traceback, which would
        # quote the checker, and so the answer, to the reader.
        return [f"Wrong: {self}"]


def check(number: str, answer) -> None:
    """Print that an exercise is solved, or raise Wrong with a hint.

    ``number`` as in the note, such as "3.1"; ``answer`` the number, array
    or function that the exercise asks for. KeyError: no such exercise.
    """
    if number not in CHECKERS:
        known = ", ".join(CHECKERS)
        raise KeyError(f"no exercise {number}; there are {known}")
    try:
        lesson = CHECKERS[number](answer)
    except Wrong as hint:
        raise Wrong(f"{number}: {hint}") from None
    except Exception as error:
        fault = f"{type(error).__name__}: {error}"
        raise Wrong(
            f"{number}: the answer does not have the form asked for ({fault})"
        ) from None
    print(f"{number} correct: {lesson}")


def exercise(number: str):
    """Register the checker of one exercise.

    A checker takes the answer, raises Wrong through `expect` or
    `expect_close`, and returns the sentence that a right answer earns.
    """
    return partial(CHECKERS.setdefault, number)


def expect(condition: bool, hint: str) -> None:
    """Raise Wrong with the hint unless the condition holds."""
    if not condition:
        raise Wrong(hint)


def expect_close(answer, expected, hint: str, slips=None, rtol=0.01) -> None:
    """Raise Wrong unless the answer has the expected shape and values.

    ``rtol`` is relative to the largest expected value, so that one tolerance
    serves a rounded number and an array with entries near zero. ``slips``:
    hints of their own for answers that show where a reader went wrong,
    ``{hint: answer}``.
    """
    answer = np.asarray(answer) + 0.0  # a text is refused, even "1"
    expected = np.asarray(expected, float)
    if answer.shape != expected.shape:
        raise Wrong(f"shape {answer.shape}; {expected.shape} is asked for")
    tolerance = rtol * np.abs(expected).max()

    def says(value):
        return np.all(np.abs(answer - value) <= tolerance)

    for slip, wrong in (slips or {}).items():
        expect(not says(wrong), slip)
    expect(says(expected), hint)


# Note 1


@exercise("1.1")
def window(answer):
    """Lowest MSE on the adding problem, T = 100, from the last 80 steps.

    What is not seen is guessed as its mean, 1/2, at the cost of its
    variance, 1/12; the first marked step is one of 50, of which 30 are seen.
    """
    unseen = 20 / 50  # chance that the first marked number is out of sight
    slips = {
        "that is the error of seeing nothing": 1 / 6,
        "is the first marked number always out of sight?": 1 / 12,
        "that is weighted by the chance of seeing it": (1 - unseen) / 12,
        "the second marked number is always in sight": unseen / 6,
    }
    hint = "an unseen number costs the variance of U(0, 1)"
    expect_close(answer, unseen / 12, hint, slips)
    return "memory is worth what the window cannot see"


@exercise("1.2")
def guaranteed_lag(answer):
    """Smallest k with (gamma sigma_max)^k < 1e-6: gamma 1/4, sigma_max 2."""
    k = 1
    while (0.25 * 2) ** k >= 1e-6:
        k += 1
    slips = {"there the bound is still just above 1e-6": k - 1}
    hint = "the bound is (gamma sigma_max)^k; what is gamma here?"
    expect_close(answer, k, hint, slips, rtol=0)
    return "twenty steps cost at least a factor of a million"


@exercise("1.3")
def linear_slope(answer):
    """Derivative of h_T by u, for h_t = u h_{t-1} + x_t, h_0 = 0."""
    rng = np.random.default_rng(0)
    for T in (1, 2, 7):
        u, x = rng.uniform(-1.2, 1.2), rng.normal(size=T)
        # h_T = sum of u^(T-t) x_t, whose derivative is a polynomial too
        powers = np.arange(T - 1, -1, -1)
        expected = np.sum(powers * u ** np.maximum(powers - 1, 0) * x)
        before = np.sum(u ** powers[1:] * x[:-1])
        slip = "that is h_{T-1}, which depends on u as well"
        hint = f"differs from the derivative for a sequence of {T} steps"
        slips = {slip: before} if T > 2 else {}
        expect_close(answer(u, x), expected, hint, slips, rtol=1e-6)
    return "dh_t/du = h_{t-1} + u dh_{t-1}/du, the sum over copies of u"


@exercise("1.4")
def clipping(answer):
    """Scale a list of arrays to a joint norm of at most c."""
    together = "one factor for all arrays and entries keeps the direction"
    short = "a gradient shorter than c stays as it is"
    for c, factor, hint in [(2.0, 2 / 5, together), (9.0, 1, short)]:
        gradients = [np.array([[3.0, 0.0]]), np.array([4.0])]  # joint norm 5
        given = [g.copy() for g in gradients]
        clipped = answer(given, c)
        norm = np.sqrt(sum(np.sum(np.square(g)) for g in clipped))
        expect(norm <= c + 1e-9, "the joint norm exceeds c")
        for g, same, new in zip(gradients, given, clipped, strict=True):
            expect(np.array_equal(g, same), "the input was changed")
            expect_close(new, factor * g, hint, rtol=1e-6)
    zero = answer([np.zeros(2)], 1.0)[0]
    expect(np.all(zero == 0), "a gradient of zero must stay zero")
    return "the length changes, the direction stays"


@exercise("1.5")
def edge(answer):
    """A gain with a Jacobian norm between 1/2 and 2 over 100 steps."""
    rng = np.random.default_rng(1)
    W, U, b = random_rnn(rng, answer)
    h, _ = rnn_forward(rng.normal(size=(1, 200, 2)), W, U, b)
    product = np.eye(len(U))
    for h_t in h[0, :99:-1]:  # the last 100 steps, latest first
        product = product @ ((1 - h_t**2)[:, None] * U.T)
    norm = np.linalg.norm(product, 2)
    expect(norm > 0.5, f"it vanishes: the norm is {norm:.0e}")
    expect(norm < 2, f"it explodes: the norm is {norm:.0e}")
    return f"the norm is {norm:.2f}; a few percent away it is not"


# Note 2


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


# Note 3


@exercise("3.1")
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


@exercise("3.2")
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


@exercise("3.3")
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


@exercise("3.4")
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


@exercise("3.5")
def late_labels(answer):
    """A forward labeller of "around" that may answer two steps late."""
    from labelling import QUESTIONS, draw  # Keras, which takes seconds

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


# Note 4


@exercise("4.1")
def crps_of_uniform(answer):
    """CRPS in dollars of U(100, 104) when 101 comes."""
    low, high, y = 100, 104, 101
    x = low + (high - low) * (np.arange(100_000) + 0.5) / 100_000
    gap = (x - low) / (high - low) - (x >= y)
    expected = np.mean(gap**2) * (high - low)
    slips = {
        "that is the error of the median; the spread counts as well": 1,
        "that is E|X - y|; subtract half of E|X - X'|": 1.25,
        "half of E|X - X'|; a CRPS is never negative": 1.25 - 4 / 3,
        "in dollars: the interval is four dollars long": expected / 4,
    }
    hint = "add up the squared gap left of 101 and right of it"
    expect_close(answer, expected, hint, slips)
    return "an honest spread costs less than the point in its middle"


@exercise("4.2")
def dm_of_four_days(answer):
    """DM with HLN of losses 1, 2, 0, 1 against 2, 4, 4, 6, h = 2."""
    d = np.array([1, 2, 0, 1]) - np.array([2, 4, 4, 6])
    n, h = len(d), 2
    e = d - d.mean()
    gamma = [e @ e / n, e[1:] @ e[:-1] / n]
    shrink = np.sqrt((n + 1 - 2 * h + h * (h - 1) / n) / n)

    def statistic(weight):
        variance = gamma[0] + 2 * weight * gamma[1]
        return d.mean() / np.sqrt(variance / n) * shrink

    expected = statistic(1)
    overlap = "forecasts over two sessions overlap: where is gamma_1?"
    slips = {
        "negative: the model has the lower losses": -expected,
        "that lacks the small-sample correction": expected / shrink,
        overlap: statistic(0),
        "the weight of gamma_1 is 1 here": statistic(0.5),
    }
    hint = "start from d = -1, -2, -4, -5 and divide by n throughout"
    expect_close(answer, expected, hint, slips, rtol=0.005)
    return "three standard errors shrink to less than two"


@exercise("4.3")
def holm_by_hand(answer):
    """Holm's adjusted p-values of five, in the order given."""
    p = np.array([0.02, 0.001, 0.022, 0.01, 0.4])
    products = np.array([q * np.sum(p >= q) for q in p])
    # by definition: the largest of the products up to the own rank
    expected = [products[p <= own].max() for own in p]
    falls = "an adjusted p-value may not fall below that of a smaller p"
    slips = {
        "that multiplies all by five, Bonferroni's way": np.minimum(1, 5 * p),
        falls: products,
        "the right values; give them in the order asked": sorted(expected),
    }
    hint = "sort, multiply by 5, 4, 3, 2, 1, and let none fall"
    expect_close(answer, expected, hint, slips, rtol=1e-3)
    return "two of five stay below 0.05; four did before"


@exercise("4.4")
def smoothed_walk(answer):
    """Theil's U on a random walk smoothed by a mean of five.

    A step of the smoothed walk is the mean of five shocks, and two
    neighbouring steps share four of them.
    """
    kernel = np.ones(5) / 5
    overlap = np.correlate(kernel, kernel, "full")
    rho = overlap[5] / overlap[4]  # of neighbouring steps
    slips = {
        "that is the correlation of neighbouring steps": rho,
        "that is the ratio of squared errors": 1 - rho**2,
        "true of the walk itself; its smoothed steps are correlated": 1,
    }
    hint = "which share of its variance does the last step leave unexplained?"
    expect_close(answer, np.sqrt(1 - rho**2), hint, slips)
    return "smoothing alone makes chance look forecastable"


@exercise("4.5")
def features_that_leak(answer):
    """Letters of the features that depend on a later row."""
    features = {
        "A": lambda close: close.rolling(20).mean(),
        "B": lambda close: close.rolling(5, center=True).mean(),
        "C": lambda close: (close - close.min()) / (close.max() - close.min()),
        "D": lambda close: close.ewm(halflife=10).std(),
        "E": lambda close: close.pct_change().shift(-1),
        "F": lambda close: close.pct_change().bfill(),
        "G": lambda close: close.expanding().max(),
    }
    close = pd.Series(np.random.default_rng(0).uniform(90, 110, 60))
    leaking = set()
    for cut in range(1, len(close)):  # rows from here on are changed
        changed = close.where(close.index < cut, 200 - close**1.01)
        for letter, feature in features.items():
            if not feature(close)[:cut].equals(feature(changed)[:cut]):
                leaking.add(letter)
    expect(isinstance(answer, str), "a string of letters is asked for")
    given = set(answer)
    expect(bool(given) and given <= set(features), "the letters are A to G")
    innocent = " and ".join(sorted(given - leaking))
    expect(not innocent, f"{innocent}: no later row is read")
    missing = len(leaking - given)
    expect(not missing, f"{missing} more of them read a later row")
    return "one row read ahead, even in the first, is a leak"
