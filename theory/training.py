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
    cool=0,
    forget_bias=1.0,
    chrono=None,
    removed="",
    held=None,
    every=0,
):
    """Train one network per seed to answer after the last step of x.

    cell is "rnn" or "lstm"; task(rng, n) draws x (n, T, d) and y (n, m);
    every update uses a fresh batch, so a loss is out of sample. Squared
    error, Adam (Kingma & Ba 2015), gradient clipped to norm `clip` per
    network; over the last `cool` updates the rate falls to 0 in a straight
    line, as a full step may undo what was learnt. `forget_bias`,
    `chrono`, `removed`, `held`: see `initial_weights`.

    Returns losses (seeds, steps) and, per seed, a dict of W, U, b as
    cells.py takes them and V (h, m), v (m,): the answer is h_T V + v.
    With `every`, these arrays gain a leading axis: the weights before
    update 0, every, 2 every, ..., and after the last.
    """
    rngs = [np.random.default_rng(seed) for seed in seeds]
    x, y = task(np.random.default_rng(0), 1)
    sizes = cell, x.shape[2], units, y.shape[1]
    drawn = [
        initial_weights(rng, *sizes, forget_bias, chrono, removed, held)
        for rng in rngs
    ]
    weights = [np.stack(w).astype("float32") for w in zip(*drawn, strict=True)]
    moments = [(np.zeros_like(w), np.zeros_like(w)) for w in weights]
    losses, film = np.empty((len(rngs), steps)), []
    for step in range(steps):
        if every and step % every == 0:
            film.append([w.copy() for w in weights])
        x, y = zip(*(task(rng, batch) for rng in rngs), strict=True)
        x, y = np.stack(x).astype("float32"), np.stack(y).astype("float32")
        x = np.ascontiguousarray(x.transpose(2, 0, 3, 1))
        losses[:, step], gradients = loss_and_gradients(
            cell, weights, x, transpose(y)
        )
        for gate in held or {}:
            for gradient in columns(gradients, gate):
                gradient[:] = 0
        part = min(1, (steps - step) / cool) if cool else 1
        adam(weights, gradients, moments, part * rate, clip, step + 1)
    film.append(weights)
    film = [np.stack(w, axis=1).astype(float) for w in zip(*film, strict=True)]
    if not every:
        film = [w[:, 0] for w in film]
    W, U, b, V, v = film  # each (seeds, ...) or (seeds, moments, ...)
    arrays = {"W": W, "U": U, "b": b[..., 0, :], "V": V, "v": v[..., 0, :]}
    networks = [{k: w[s] for k, w in arrays.items()} for s in range(len(rngs))]
    return losses, networks


def initial_weights(
    rng, cell, d, h, m, forget_bias=1.0, chrono=None, removed="", held=None
):
    """Draw W, U, b, V, v as Keras does: Glorot kernels, orthogonal U.

    chrono: the longest lag T; then b_f = log tau, tau ~ U(1, T - 1), and
    b_i = -b_f (Tallec & Ollivier 2018, eq. 16). removed: gates among "ifo"
    to hold open by a bias of 1000, where the logistic is 1 and flat.
    held: {gate: value}, gates that read nothing and are this value.
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
        for gate, value in (held or {}).items():
            reads_x, reads_h, bias = columns((W, U, b), gate)
            reads_x[:], reads_h[:] = 0, 0
            bias[:] = np.log(value / (1 - value))
    return W, U, b, V, np.zeros((1, m))


def columns(weights, gate):
    """Views of the columns of W, U and b that make one block of an LSTM."""
    k = "ifco".index(gate)
    return [np.split(w, 4, axis=-1)[k] for w in weights[:3]]


def loss_and_gradients(cell, weights, x, y):
    """Return the losses (s,) and the gradients of weights.

    x (T, s, d, n), y (s, m, n); weights W (s, d, .), U (s, h, .),
    b (s, 1, .), V (s, h, m), v (s, 1, m).
    """
    W, U, b, V, v = weights
    forward, backward = CELLS[cell]
    h, cache = forward(transpose(W) @ x + transpose(b), U)  # h[0] = 0
    error = transpose(V) @ h[-1] + transpose(v) - y
    dy = 2 * error / error[0].size
    dz = backward(V @ dy, U, h, cache)
    gradients = [
        (x @ transpose(dz)).sum(axis=0),
        (h[:-1] @ transpose(dz)).sum(axis=0),
        transpose(dz.sum(axis=(0, 3))[..., None]),
        h[-1] @ transpose(dy),
        transpose(dy.sum(axis=2, keepdims=True)),
    ]
    return (error**2).mean(axis=(1, 2)), gradients


def transpose(a):
    """Swap the last two axes."""
    return a.swapaxes(-1, -2)


def adam(weights, gradients, moments, rate, clip, step):
    """Clip each network's gradient and move its weights, in place."""
    squares = sum((g**2).sum(axis=(1, 2), keepdims=True) for g in gradients)
    scale = np.minimum(1, clip / np.sqrt(squares + 1e-12))
    rate = rate * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
    for w, g, (mean, square) in zip(weights, gradients, moments, strict=True):
        mean += 0.1 * (scale * g - mean)
        square += 0.001 * ((scale * g) ** 2 - square)
        w -= rate * mean / (np.sqrt(square) + 1e-7)


def stacked_rnn_forward(z, U):
    """z = x W + b (T, s, h, n) -> h (T+1, s, h, n), no cache."""
    h = np.zeros((len(z) + 1, *z.shape[1:]), z.dtype)
    for t in range(len(z)):
        np.tanh(z[t] + transpose(U) @ h[t], out=h[t + 1])
    return h, None


def stacked_rnn_backward(dh, U, h, _):
    """Return the derivative by z, given that by the last h, (s, h, n)."""
    dz = np.empty_like(h[1:])
    for t in reversed(range(len(dz))):
        dz[t] = dh * (1 - h[t + 1] ** 2)
        dh = U @ dz[t]
    return dz


def stacked_lstm_forward(z, U):
    """z = x W + b (T, s, 4h, n) -> h (T+1, s, h, n) and a cache.

    logistic(z) = (1 + tanh(z / 2)) / 2, so one tanh serves all blocks.
    """
    T, s, width, n = z.shape
    c = np.zeros((T + 1, s, width // 4, n), z.dtype)
    h, tanh_c, gates = np.zeros_like(c), np.zeros_like(c), np.empty_like(z)
    i, f, c_tilde, o = np.split(gates, 4, axis=2)  # views
    is_gate = np.array([1, 1, 0, 1], z.dtype).repeat(width // 4)[:, None]
    scale, shift = 1 - is_gate / 2, is_gate / 2
    U = transpose(U)
    for t in range(T):
        gates[t] = scale * np.tanh(scale * (z[t] + U @ h[t])) + shift
        c[t + 1] = f[t] * c[t] + i[t] * c_tilde[t]
        tanh_c[t + 1] = np.tanh(c[t + 1])
        h[t + 1] = o[t] * tanh_c[t + 1]
    return h, (c, tanh_c, gates)


def stacked_lstm_backward(dh, U, h, cache):
    """Return the derivative by z, given that by the last h, (s, h, n)."""
    every = np.zeros_like(h[1:])
    every[-1] = dh
    return backward_from_every_step(every, U, cache)


def backward_from_every_step(dh, U, cache):
    """Return the LSTM's derivative by z, given that by every h_t.

    dh (T, s, h, n), where the loss uses h_t directly.
    """
    c, tanh_c, gates = cache
    i, f, c_tilde, o = np.split(gates, 4, axis=2)
    dz, dh_next, dc = np.empty_like(gates), 0, 0
    dz_i, dz_f, dz_c, dz_o = np.split(dz, 4, axis=2)  # views
    for t in reversed(range(len(gates))):
        dh_t = dh[t] + dh_next
        dc = dc + dh_t * o[t] * (1 - tanh_c[t + 1] ** 2)
        dz_i[t] = dc * c_tilde[t] * i[t] * (1 - i[t])
        dz_f[t] = dc * c[t] * f[t] * (1 - f[t])
        dz_c[t] = dc * i[t] * (1 - c_tilde[t] ** 2)
        dz_o[t] = dh_t * tanh_c[t + 1] * o[t] * (1 - o[t])
        dh_next, dc = U @ dz[t], dc * f[t]
    return dz


CELLS = {
    "rnn": (stacked_rnn_forward, stacked_rnn_backward),
    "lstm": (stacked_lstm_forward, stacked_lstm_backward),
}
