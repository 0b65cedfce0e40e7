"""RNN, LSTM and bidirectional LSTM in plain NumPy, with their gradients.

Symbols as in the notes (theory/README.md): batch first, float64; inputs x
(n, T, d), states h and c (n, T, h). Weights have the layout of Keras
(kernel W, recurrent kernel U, bias b), so they copy over unchanged.
"""

import numpy as np


def logistic(z):
    """Return 1 / (1 + exp(-z)), written so that no exp overflows."""
    return 0.5 * (1 + np.tanh(0.5 * z))


# name: (the function phi(z), its derivative in terms of a = phi(z))
ACTIVATIONS = {
    "tanh": (np.tanh, lambda a: 1 - a**2),
    "logistic": (logistic, lambda a: a * (1 - a)),
}


def rnn_forward(x, W, U, b, h0=None, activation="tanh"):
    """Run h_t = phi(x_t W + h_{t-1} U + b) over a batch of sequences.

    x (n, T, d), W (d, h), U (h, h), b (h,), h0 (n, h) or None for zeros.
    Returns h (n, T, h) and a cache for `rnn_backward`. Elman (1990).
    """
    phi, _ = ACTIVATIONS[activation]
    n, T, _ = x.shape
    h = np.zeros((n, T + 1, len(U)))  # h[:, 0] is the initial state
    if h0 is not None:
        h[:, 0] = h0
    for t in range(T):
        h[:, t + 1] = phi(x[:, t] @ W + h[:, t] @ U + b)
    cache = {"x": x, "h": h[:, 1:], "h_prev": h[:, :-1], "W": W, "U": U}
    return h[:, 1:], cache | {"activation": activation}


def rnn_backward(dh, cache):
    """Backpropagate through time: gradients of a loss L of all h_t.

    dh (n, T, h) is the derivative of L by each h_t where L uses it
    directly; what reaches h_t through h_{t+1} is added here. Returns a
    dict x, W, U, b, h0 of arrays shaped like their namesakes.
    Werbos (1990).
    """
    _, slope = ACTIVATIONS[cache["activation"]]
    h, U = cache["h"], cache["U"]
    dz = np.empty_like(h)  # derivative by z_t, the argument of phi
    dh_next = np.zeros_like(h[:, 0])
    for t in reversed(range(h.shape[1])):
        dz[:, t] = (dh[:, t] + dh_next) * slope(h[:, t])
        dh_next = dz[:, t] @ U.T
    return _weight_gradients(dz, cache) | {"h0": dh_next}


def lstm_forward(x, W, U, b, h0=None, c0=None):
    """Run an LSTM with forget gate over a batch of sequences.

    With z_t = x_t W + h_{t-1} U + b cut into four blocks of h columns in
    the order i, f, c_tilde, o:

        i, f, o = logistic(z),  c_tilde = tanh(z)
        c_t = f * c_{t-1} + i * c_tilde,  h_t = o * tanh(c_t)

    x (n, T, d), W (d, 4h), U (h, 4h), b (4h,), h0 and c0 (n, h) or None
    for zeros. Returns h and c (n, T, h), and a cache for `lstm_backward`
    that also holds i, f, c_tilde, o, each (n, T, h), by these names.
    Hochreiter & Schmidhuber (1997), Gers, Schmidhuber & Cummins (2000).
    """
    n, T, _ = x.shape
    h = np.zeros((n, T + 1, len(U)))  # h[:, 0], c[:, 0]: initial states
    c = np.zeros_like(h)
    if h0 is not None:
        h[:, 0] = h0
    if c0 is not None:
        c[:, 0] = c0
    i, f, c_tilde, o = np.empty((4, n, T, len(U)))
    for t in range(T):
        z = x[:, t] @ W + h[:, t] @ U + b
        z_i, z_f, z_c, z_o = np.split(z, 4, axis=1)
        i[:, t], f[:, t] = logistic(z_i), logistic(z_f)
        c_tilde[:, t], o[:, t] = np.tanh(z_c), logistic(z_o)
        c[:, t + 1] = f[:, t] * c[:, t] + i[:, t] * c_tilde[:, t]
        h[:, t + 1] = o[:, t] * np.tanh(c[:, t + 1])
    cache = {"x": x, "h": h[:, 1:], "h_prev": h[:, :-1], "W": W, "U": U}
    cache |= {"c": c[:, 1:], "c_prev": c[:, :-1]}
    cache |= {"i": i, "f": f, "c_tilde": c_tilde, "o": o}
    return h[:, 1:], c[:, 1:], cache


def lstm_backward(dh, cache, dc=None):
    """Backpropagate through an LSTM: gradients of a loss L of all h_t, c_t.

    dh (n, T, h) is the derivative of L by each h_t where L uses it
    directly, dc (n, T, h) the same for c_t (None: L uses no c_t). Returns
    a dict x, W, U, b, h0, c0 of arrays shaped like their namesakes.
    The full gradient, nothing truncated: Graves & Schmidhuber (2005).
    """
    h, c, U = cache["h"], cache["c"], cache["U"]
    n, T, units = h.shape
    dz = np.empty((n, T, 4 * units))
    dh_next, dc_next = np.zeros((2, n, units))
    for t in reversed(range(T)):
        i, f, c_tilde, o = (cache[k][:, t] for k in ("i", "f", "c_tilde", "o"))
        tanh_c = np.tanh(c[:, t])
        dh_t = dh[:, t] + dh_next
        dc_t = dc_next + dh_t * o * (1 - tanh_c**2)
        if dc is not None:
            dc_t = dc_t + dc[:, t]
        dz_i = dc_t * c_tilde * i * (1 - i)
        dz_f = dc_t * cache["c_prev"][:, t] * f * (1 - f)
        dz_c = dc_t * i * (1 - c_tilde**2)
        dz_o = dh_t * tanh_c * o * (1 - o)
        dz[:, t] = np.concatenate([dz_i, dz_f, dz_c, dz_o], axis=1)
        dh_next, dc_next = dz[:, t] @ U.T, dc_t * f
    return _weight_gradients(dz, cache) | {"h0": dh_next, "c0": dc_next}


def _weight_gradients(dz, cache):
    """Gradients by x, W, U, b from dz, as z_t = x_t W + h_{t-1} U + b."""
    return {
        "x": dz @ cache["W"].T,
        "W": np.einsum("ntd,ntz->dz", cache["x"], dz),
        "U": np.einsum("nth,ntz->hz", cache["h_prev"], dz),
        "b": dz.sum(axis=(0, 1)),
    }


def bilstm_forward(x, forward, backward, merge="concat"):
    """Run one LSTM left to right, one right to left, and merge by step.

    x (n, T, d); forward and backward are (W, U, b) of `lstm_forward`;
    merge is "concat", "sum", "ave" or "mul". Returns h, (n, T, 2h) for
    concat and (n, T, h) otherwise, and a cache for `bilstm_backward` with
    the two LSTMs' caches, "forward" and "backward" (the latter in its own
    order of time, last step first). Schuster & Paliwal (1997).
    """
    a, _, forward = lstm_forward(x, *forward)
    b, _, backward = lstm_forward(x[:, ::-1], *backward)
    b = b[:, ::-1]  # back to the order of x
    if merge == "concat":
        h = np.concatenate([a, b], axis=2)
    elif merge == "mul":
        h = a * b
    else:
        h = {"sum": 1, "ave": 0.5}[merge] * (a + b)
    return h, {"forward": forward, "backward": backward, "merge": merge}


def bilstm_backward(dh, cache):
    """Backpropagate through a bidirectional LSTM.

    dh is the derivative of L by each merged output, shaped like it.
    Returns a dict x (n, T, d), forward and backward, the latter two dicts
    of gradients as `lstm_backward` returns them, without x.
    """
    a, b = cache["forward"]["h"], cache["backward"]["h"][:, ::-1]
    if cache["merge"] == "concat":
        da, db = np.split(dh, 2, axis=2)
    elif cache["merge"] == "mul":
        da, db = dh * b, dh * a
    else:
        da = db = {"sum": 1, "ave": 0.5}[cache["merge"]] * dh
    forward = lstm_backward(da, cache["forward"])
    backward = lstm_backward(db[:, ::-1], cache["backward"])
    return {
        "x": forward.pop("x") + backward.pop("x")[:, ::-1],
        "forward": forward,
        "backward": backward,
    }
