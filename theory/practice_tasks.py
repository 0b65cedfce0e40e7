"""The tasks of note 6: nine steps, an answer at each."""

import numpy as np


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
