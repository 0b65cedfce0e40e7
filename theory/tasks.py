"""Tasks and networks drawn at random, for more than one note."""

import numpy as np

from theory.cells import ACTIVATIONS


def adding_problem(rng, n, T, silent=0):
    """Draw n sequences: add the two marked numbers out of T.

    Column 0 of x (n, T, 2) holds numbers from U(0, 1), column 1 marks one
    step in each half with 1. y (n, 1) is the sum of the two marked
    numbers, so always answering 1 costs a mean squared error of 1/6.
    Hochreiter & Schmidhuber (1997), experiment 4; in this form Arjovsky,
    Shah & Bengio (2016). With `silent`, that many steps at the end have no
    mark, and the halves are those of the steps before.
    """
    x, end = np.zeros((n, T, 2)), T - silent
    x[:, :, 0] = rng.random((n, T))
    rows = np.arange(n)
    x[rows, rng.integers(0, end // 2, n), 1] = 1
    x[rows, rng.integers(end // 2, end, n), 1] = 1
    y = (x[:, :, 0] * x[:, :, 1]).sum(axis=1, keepdims=True)
    return x, y


def temporal_order(rng, n, T):
    """Draw n sequences of symbols: which came first, and which second?

    One symbol a step, one column of x (n, T, 6) each: X, Y, a, b, c, d. One
    step in each half has X or Y, the others a letter; y (n, 2) says which
    two, X being 0 and Y 1. Always answering 1/2 costs a mean squared error
    of 1/4. Hochreiter & Schmidhuber (1997), experiment 6, shortened.
    """
    x, rows = np.zeros((n, T, 6)), np.arange(n)
    x[rows[:, None], np.arange(T), 2 + rng.integers(0, 4, (n, T))] = 1
    y = rng.integers(0, 2, (n, 2))
    for half, steps in enumerate([(0, T // 2), (T // 2, T)]):
        at = rng.integers(*steps, n)
        x[rows, at] = 0
        x[rows, at, y[:, half]] = 1
    return x, y


def latest_value(rng, n, T):
    """Draw n sequences: recall the marked value that came last.

    Column 0 of x (n, T, 2) holds values from U(0, 1), column 1 marks each
    step with a probability of 1/10, and the first always. y (n, 1) is the
    last marked value, so always answering 1/2 costs 1/12.
    """
    x = rng.random((n, T, 2))
    x[:, :, 1] = x[:, :, 1] < 0.1
    x[:, 0, 1] = 1
    last = T - 1 - x[:, ::-1, 1].argmax(axis=1)
    return x, x[np.arange(n), last, 0][:, None]


def three_at_once(rng, n):
    """Each step brings three bits; answer the parity of all so far.

    x (n, 9, 3) of -1 and 1, y (n, 9, 1) of 0 and 1.
    """
    bits = rng.integers(0, 2, (n, 9, 3))
    y = bits.sum(axis=2).cumsum(axis=1) % 2
    return (2 * bits - 1).astype("float32"), y[..., None].astype("float32")


def spelled_out(rng, n):
    """Three letters, a or b, spell a word; answer the parity of its meanings.

    A word means 1 where two of its letters are b or more, and 0 otherwise.
    x (n, 9, 3): is it a, is it b, does a word end; y (n, 9, 1): the parity
    of the words that have ended.
    """
    letters = rng.integers(0, 2, (n, 9))
    words = letters.reshape(n, 3, 3).sum(axis=2) >= 2
    x = np.zeros((n, 9, 3), "float32")
    x[:, :, 0], x[:, :, 1], x[:, 2::3, 2] = letters == 0, letters == 1, 1
    parity = np.pad(words.cumsum(axis=1) % 2, ((0, 0), (1, 0)))  # before, too
    y = np.repeat(parity, 3, axis=1)[:, 1:10]
    return x, y[..., None].astype("float32")


def noisy_sums(rng, n):
    """Is the sum of the first input so far positive? 15 % answer wrongly.

    x (n, 9, 8) of N(0, 1), seven columns of which mean nothing; y (n, 9, 1).
    """
    x = rng.normal(size=(n, 9, 8))
    y = (x[:, :, :1].cumsum(axis=1) > 0) ^ (rng.random((n, 9, 1)) < 0.15)
    return x.astype("float32"), y.astype("float32")


def random_rnn(rng, gain, activation="tanh", orthogonal=True, d=2, h=16):
    """Draw W, U, b of an RNN whose gamma sigma_max(U) is `gain`.

    gamma is the steepest slope of the activation, sigma_max the largest
    singular value. U is orthogonal up to its scale (all singular values
    equal) or Gaussian; b centres the activation at its steepest point.
    """
    phi, slope = ACTIVATIONS[activation]
    gamma = slope(phi(0.0))
    U = rng.normal(size=(h, h))
    if orthogonal:
        U, _ = np.linalg.qr(U)
    U *= gain / (gamma * np.linalg.norm(U, 2))
    W = 0.3 * rng.normal(size=(d, h))
    return W, U, -phi(0.0) * U.sum(axis=0)
