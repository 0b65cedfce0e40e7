"""Tasks and networks drawn at random, for more than one note."""

import numpy as np
from cells import ACTIVATIONS


def adding_problem(rng, n, T):
    """Draw n sequences: add the two marked numbers out of T.

    Column 0 of x (n, T, 2) holds numbers from U(0, 1), column 1 marks one
    step in each half with 1. y (n, 1) is the sum of the two marked
    numbers, so always answering 1 costs a mean squared error of 1/6.
    Hochreiter & Schmidhuber (1997), experiment 4; in this form Arjovsky,
    Shah & Bengio (2016).
    """
    x = np.zeros((n, T, 2))
    x[:, :, 0] = rng.random((n, T))
    rows = np.arange(n)
    x[rows, rng.integers(0, T // 2, n), 1] = 1
    x[rows, rng.integers(T // 2, T, n), 1] = 1
    y = (x[:, :, 0] * x[:, :, 1]).sum(axis=1, keepdims=True)
    return x, y


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
