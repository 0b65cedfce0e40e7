"""Look into many networks of training.py at once: Jacobians and gates.

Networks that were trained side by side, or one network at many moments, are
run together, along a leading axis s, as in training.py.
"""

import numpy as np

from theory.training import stacked_lstm_forward, stacked_rnn_forward


def run(cell, networks, x):
    """Run networks {W (s, d, .), U (s, h, .), b (s, .)} on x (n, T, d).

    Returns h (T, s, h, n) and the cache of training.py.
    """
    W, U, b = networks["W"], networks["U"], networks["b"]
    x = x.transpose(1, 2, 0)[:, None]  # (T, 1, d, n)
    forward = {"rnn": stacked_rnn_forward, "lstm": stacked_lstm_forward}[cell]
    h, _, cache = forward(W.mT @ x + b[:, :, None], U)
    return h, cache


def jacobians(cell, networks, x, lags):
    """Return the norms of ∂h_T/∂s_{T-k} for each lag k: (s, n, lags).

    s_t is all that a cell hands on to step t + 1: h_t of an RNN, h_t and
    c_t of an LSTM. Spectral norm, along all roads: one pass back carries
    the derivatives of all h entries of h_T at once.
    """
    h, cache = run(cell, networks, x)
    U, (steps, s, units, n) = networks["U"], h.shape
    dh = np.zeros((s, units, n, units))  # state entry, sequence, h_T entry
    dh += np.eye(units)[:, None]
    dc, norms = np.zeros_like(dh), np.empty((s, n, len(lags)))
    back = {"rnn": _rnn_back, "lstm": _lstm_back}[cell]
    for k in range(1, max(lags) + 1):
        dz, dc = back(steps - k, dh, dc, cache)
        dh = (U @ dz.reshape(s, -1, n * units)).reshape(dh.shape)
        if k in lags:
            parts = [dh] if cell == "rnn" else [dh, dc]
            state = np.concatenate(parts, axis=1).transpose(0, 2, 1, 3)
            norms[:, :, lags.index(k)] = np.linalg.norm(state, 2, (2, 3))
    return norms


def _rnn_back(t, dh, dc, h):
    return dh * (1 - h[t] ** 2)[..., None], dc


def _lstm_back(t, dh, dc, cache):
    c, tanh_c, gates, _ = cache
    i, f, c_tilde, o = np.split(gates[t][..., None], 4, axis=1)
    before, tanh_c = c[t][..., None], tanh_c[t + 1][..., None]
    dc = dc + dh * o * (1 - tanh_c**2)
    parts = [
        dc * c_tilde * i * (1 - i),
        dc * before * f * (1 - f),
        dc * i * (1 - c_tilde**2),
        dh * tanh_c * o * (1 - o),
    ]
    return np.concatenate(parts, axis=1), dc * f


def gates(networks, x):
    """Run LSTMs on x (n, T, d); return {"i", "f", "c_tilde", "o", "c"}.

    Each (s, n, T, h).
    """
    _, (c, _, blocks, _) = run("lstm", networks, x)
    parts = [*np.split(blocks, 4, axis=2), c[1:]]
    names = "i", "f", "c_tilde", "o", "c"
    pairs = zip(names, parts, strict=True)
    return {name: part.transpose(1, 3, 0, 2) for name, part in pairs}


def slowest_unit(networks, x, marks):
    """Return three arrays (s,) about each LSTM's slowest unit.

    That is the unit with the highest mean forget gate over x (n, T, d):
    this mean, and the mean of its input gate where marks (n, T) is true
    and where it is not.
    """
    seen = gates(networks, x)
    f = seen["f"].mean(axis=(1, 2))
    unit = f.argmax(axis=1)
    i = seen["i"][np.arange(len(f)), :, :, unit]
    return f.max(axis=1), i[:, marks].mean(axis=1), i[:, ~marks].mean(axis=1)
