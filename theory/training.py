"""Train several small networks at once, by the gradients of cells.py.

At these sizes a Python loop over time costs more than its arithmetic, so
one loop serves all networks: arrays gain a leading axis s for the network,
and time comes before it, which keeps every step contiguous. float32.
"""

import numpy as np


def train_seeds(
    cell,
    task,
    seeds,
    steps,
    units=8,
    batch=32,
    rate=0.03,
    clip=1.0,
    forget_bias=1.0,
    chrono=None,
    removed="",
):
    """Train one network per seed to answer after the last step of x.

    cell is "rnn" or "lstm"; task(rng, n) draws x (n, T, d) and y (n, m);
    every update uses a fresh batch, so a loss is out of sample. Squared
    error, Adam (Kingma & Ba 2015), gradient clipped to norm `clip` per
    network. `forget_bias`, `chrono`, `removed`: see `initial_weights`.

    Returns losses (seeds, steps) and, per seed, a dict of W, U, b as
    cells.py takes them and V (h, m), v (m,): the answer is h_T V + v.
    """
    rngs = [np.random.default_rng(seed) for seed in seeds]
    x, y = task(np.random.default_rng(0), 1)
    sizes = cell, x.shape[2], units, y.shape[1]
    drawn = [
        initial_weights(rng, *sizes, forget_bias, chrono, removed)
        for rng in rngs
    ]
    weights = [np.stack(w).astype("float32") for w in zip(*drawn, strict=True)]
    moments = [(np.zeros_like(w), np.zeros_like(w)) for w in weights]
    losses = np.empty((len(rngs), steps))
    for step in range(steps):
        x, y = zip(*(task(rng, batch) for rng in rngs), strict=True)
        x, y = np.stack(x).astype("float32"), np.stack(y).astype("float32")
        x = np.ascontiguousarray(x.transpose(2, 0, 1, 3))
        losses[:, step], gradients = loss_and_gradients(cell, weights, x, y)
        adam(weights, gradients, moments, rate, clip, step + 1)
    names = "W", "U", "b", "V", "v"
    networks = [
        {k: w[s].astype(float) for k, w in zip(names, weights, strict=True)}
        for s in range(len(rngs))
    ]
    for network in networks:
        network |= {"b": network["b"][0], "v": network["v"][0]}
    return losses, networks


def initial_weights(rng, cell, d, h, m, forget_bias, chrono, removed):
    """Draw W, U, b, V, v as Keras does: Glorot kernels, orthogonal U.

    chrono: the longest lag T; then b_f = log u with u ~ U(1, T - 1) and
    b_i = -b_f (Tallec & Ollivier 2018, eq. 16). removed: gates among "ifo"
    to hold open by a bias of 1000, where the logistic is 1 and flat.
    """
    width = 4 * h if cell == "lstm" else h
    W = rng.uniform(-1, 1, (d, width)) * np.sqrt(6 / (d + width))
    V = rng.uniform(-1, 1, (h, m)) * np.sqrt(6 / (h + m))
    q, r = np.linalg.qr(rng.normal(size=(width, h)))
    U = (q * np.sign(np.diag(r))).T
    b = np.zeros((1, width))
    if cell == "lstm":
        gates = dict(zip("ifco", np.split(b, 4, axis=1), strict=True))
        gates["f"][:] = forget_bias
        if chrono:
            gates["f"][:] = np.log(rng.uniform(1, chrono - 1, h))
            gates["i"][:] = -gates["f"]
        for gate in removed:
            gates[gate][:] = 1000
    return W, U, b, V, np.zeros((1, m))


def loss_and_gradients(cell, weights, x, y):
    """Return the losses (s,) and the gradients of weights.

    x (T, s, n, d), y (s, n, m); weights W (s, d, .), U (s, h, .),
    b (s, 1, .), V (s, h, m), v (s, 1, m).
    """
    W, U, b, V, v = weights
    forward, backward = CELLS[cell]
    h, cache = forward(x @ W + b, U)  # h (T+1, s, n, h), h[0] = 0
    error = h[-1] @ V + v - y
    dy = 2 * error / error[0].size
    dz = backward(dy @ V.swapaxes(1, 2), U, h, cache)
    rows = [
        a.swapaxes(0, 1).reshape(len(W), -1, a.shape[3])  # (s, T n, .)
        for a in (x, h[:-1], dz)
    ]
    x, h_prev, dz = rows
    gradients = [
        x.swapaxes(1, 2) @ dz,
        h_prev.swapaxes(1, 2) @ dz,
        dz.sum(axis=1, keepdims=True),
        h[-1].swapaxes(1, 2) @ dy,
        dy.sum(axis=1, keepdims=True),
    ]
    return (error**2).mean(axis=(1, 2)), gradients


def adam(weights, gradients, moments, rate, clip, step):
    """Clip each network's gradient and move its weights, in place."""
    squares = sum((g**2).sum(axis=(1, 2), keepdims=True) for g in gradients)
    scale = np.minimum(1, clip / np.sqrt(squares + 1e-12))
    rate = rate * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
    for w, g, (mean, square) in zip(weights, gradients, moments, strict=True):
        mean += 0.1 * (scale * g - mean)
        square += 0.001 * ((scale * g) ** 2 - square)
        w -= rate * mean / (np.sqrt(square) + 1e-7)


def rnn_forward(z, U):
    """z = x W + b (T, s, n, h) -> h (T+1, s, n, h), no cache."""
    h = np.zeros((len(z) + 1, *z.shape[1:]), z.dtype)
    for t in range(len(z)):
        np.tanh(z[t] + h[t] @ U, out=h[t + 1])
    return h, None


def rnn_backward(dh, U, h, _):
    """Return the derivative by z, given that by the last h, (s, n, h)."""
    dz = np.empty_like(h[1:])
    for t in reversed(range(len(dz))):
        dz[t] = dh * (1 - h[t + 1] ** 2)
        dh = dz[t] @ U.swapaxes(1, 2)
    return dz


def lstm_forward(z, U):
    """z = x W + b (T, s, n, 4h) -> h (T+1, s, n, h) and what backward needs.

    logistic(z) = (1 + tanh(z / 2)) / 2, so one tanh serves all blocks.
    """
    T, s, n, width = z.shape
    c = np.zeros((T + 1, s, n, width // 4), z.dtype)
    h, tanh_c, gates = np.zeros_like(c), np.zeros_like(c), np.empty_like(z)
    is_gate = np.repeat(np.array([1, 1, 0, 1], z.dtype), width // 4)
    half = 1 - is_gate / 2
    for t in range(T):
        gates[t] = np.tanh((z[t] + h[t] @ U) * half) * half + is_gate / 2
        i, f, c_tilde, o = np.split(gates[t], 4, axis=-1)
        c[t + 1] = f * c[t] + i * c_tilde
        tanh_c[t + 1] = np.tanh(c[t + 1])
        h[t + 1] = o * tanh_c[t + 1]
    return h, (c, tanh_c, gates)


def lstm_backward(dh, U, h, cache):
    """Return the derivative by z, given that by the last h, (s, n, h)."""
    c, tanh_c, gates = cache
    dz, dc = np.empty_like(gates), 0
    for t in reversed(range(len(gates))):
        i, f, c_tilde, o = np.split(gates[t], 4, axis=-1)
        dz_i, dz_f, dz_c, dz_o = np.split(dz[t], 4, axis=-1)  # views
        dc = dc + dh * o * (1 - tanh_c[t + 1] ** 2)
        dz_i[:] = dc * c_tilde * i * (1 - i)
        dz_f[:] = dc * c[t] * f * (1 - f)
        dz_c[:] = dc * i * (1 - c_tilde**2)
        dz_o[:] = dh * tanh_c[t + 1] * o * (1 - o)
        dh, dc = dz[t] @ U.swapaxes(1, 2), dc * f
    return dz


CELLS = {
    "rnn": (rnn_forward, rnn_backward),
    "lstm": (lstm_forward, lstm_backward),
}
