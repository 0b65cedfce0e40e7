"""Train several small networks at once, by the gradients of cells.py.

At these sizes a Python loop over time costs more than its arithmetic, so
one loop serves all networks: arrays gain a leading axis s for the network,
and time comes before it, which keeps every step contiguous. float32.
"""

from functools import partial

import numpy as np

from theory import successors


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
    every=0,
    start=None,
    noise=None,
    **options,
):
    """Train one network per seed to answer after the last steps of x.

    cell is one of CELLS; task(rng, n) draws x (n, T, d) and y (n, m), the
    answer after the last step, or y (n, k, m), one after each of the last
    k steps; every update uses a fresh batch, so a loss is out of sample.
    Squared error, Adam, gradient clipped to norm `clip` per network; over
    the last `cool` updates the rate falls to 0 in a straight line, as a
    full step may undo what was learnt. start(rng, d, h, m) draws a
    network and takes the options: `initial_weights`, unless another is
    given. noise(rngs, (T, h, n)) draws the masks of an update, see
    `stacked_lstm_forward`.

    Returns losses (seeds, steps), noise included, and per seed a dict of
    the weights as cells.py or successors.py takes them, and V (h, m),
    v (m,): the answer is h_t V + v. With `every`, these arrays gain a
    leading axis: the weights before update 0, every, 2 every, ..., and
    after the last.
    """
    rngs = [np.random.default_rng(seed) for seed in seeds]
    x, y = task(np.random.default_rng(0), 1)
    sizes = {"d": x.shape[2], "h": units, "m": y.shape[-1]} | options
    start = start or partial(initial_weights, cell=cell)
    weights = stack([start(rng, **sizes) for rng in rngs])
    shape = x.shape[1], units, batch

    def one_batch(_):
        x, y = zip(*(task(rng, batch) for rng in rngs), strict=True)
        y = [a[:, None] if a.ndim == 2 else a for a in y]
        masks = {"masks": noise(rngs, shape)} if noise else {}
        losses, gradients = loss_and_gradients(
            cell, weights, time_first(x), time_first(y), **masks
        )
        for gate in options.get("held") or {}:
            for gradient in block(gradients, gate):
                gradient[:] = 0
        return losses, gradients

    left = steps - np.arange(steps)
    rates = rate * (np.minimum(1, left / cool) if cool else np.ones(steps))
    losses, film = np.empty((len(rngs), steps)), []
    updates = descend(weights, one_batch, rates, clip)
    for step in range(steps):
        if every and step % every == 0:
            film.append([w.copy() for w in weights])
        losses[:, step] = next(updates)
    film.append(weights)
    film = [np.stack(w, axis=1).astype(float) for w in zip(*film, strict=True)]
    if not every:
        film = [w[:, 0] for w in film]
    # each (seeds, ...) or (seeds, moments, ...); biases have a row to spare
    names = "WUbVv" if len(film) == 5 else "WbVv"
    shown = dict(zip(names, film, strict=True))
    shown |= {k: shown[k][..., 0, :] for k in "bv"}
    every_seed = range(len(rngs))
    return losses, [{k: w[s] for k, w in shown.items()} for s in every_seed]


def descend(weights, gradients, rates, clip=1.0):
    """Train networks side by side: one update in place for every rate.

    gradients(step) draws a batch and returns the losses (s,) and the
    gradients of the weights, which go through `adam`. A generator: yields
    the losses once the update is made.
    """
    moments = [(np.zeros_like(w), np.zeros_like(w)) for w in weights]
    for step, rate in enumerate(rates):
        losses, slopes = gradients(step)
        adam(weights, slopes, moments, rate, clip, step + 1)
        yield losses


def adam(weights, gradients, moments, rate, clip, step):
    """Clip each network's gradient and move its weights, in place.

    Kingma & Ba (2015).
    """
    squares = sum((g**2).sum(axis=(1, 2), keepdims=True) for g in gradients)
    scale = np.minimum(1, clip / np.sqrt(squares + 1e-12))
    rate = rate * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
    for w, g, (mean, square) in zip(weights, gradients, moments, strict=True):
        mean += 0.1 * (scale * g - mean)
        square += 0.001 * ((scale * g) ** 2 - square)
        w -= rate * mean / (np.sqrt(square) + 1e-7)


def initial_weights(
    rng, cell, d, h, m, forget_bias=1.0, chrono=None, removed="", held=None
):
    """Draw W, U, b, V, v as Keras does: Glorot kernels, orthogonal U.

    chrono: the longest lag T; then b_f = log tau, tau ~ U(1, T - 1), and
    b_i = -b_f (Tallec & Ollivier 2018, eq. 16). removed: gates among "ifo"
    to hold open by a bias of 1000, where the logistic is 1 and flat.
    held: {gate: value}, gates that read nothing and are this value.
    A BiLSTM takes two LSTMs' draws, side by side, and a minLSTM that of one
    without U and the output gate.
    """
    if cell == "bilstm":
        options = forget_bias, chrono, removed, held
        pair = [initial_weights(rng, "lstm", d, h, m, *options) for _ in "12"]
        *columns, V, (v, _) = zip(*pair, strict=True)
        W, U, b = (np.concatenate(two, axis=1) for two in columns)
        return W, U, b, np.concatenate(V), v
    width = 4 * h if cell in GATED else h
    W = rng.uniform(-1, 1, (d, width)) * np.sqrt(6 / (d + width))
    V = rng.uniform(-1, 1, (h, m)) * np.sqrt(6 / (h + m))
    q, r = np.linalg.qr(rng.normal(size=(width, h)))
    U = (q * np.sign(np.diag(r))).T
    b, v = np.zeros((1, width)), np.zeros((1, m))
    if cell in GATED:
        gates = dict(zip("ifco", np.split(b, 4, axis=1), strict=True))
        gates["f"][:] = forget_bias
        if chrono:
            gates["f"][:] = np.log(rng.uniform(1, chrono - 1, h))
            gates["i"][:] = -gates["f"]
        for gate in removed:
            gates[gate][:] = 1000
        for gate, value in (held or {}).items():
            reads_x, reads_h, bias = block((W, U, b), gate)
            reads_x[:], reads_h[:] = 0, 0
            bias[:] = np.log(value / (1 - value))
    if cell in ("minlstm", "signed"):
        return W[:, : 3 * h], b[:, : 3 * h], V, v
    return W, U, b, V, v


def block(weights, gate):
    """Views of the columns of W, U and b that make one block of an LSTM."""
    k = "ifco".index(gate)
    return [np.split(w, 4, axis=-1)[k] for w in weights[:3]]


def stack(networks):
    """Weights of networks, a list each -> one list of arrays (s, ...)."""
    return [np.stack(w).astype("float32") for w in zip(*networks, strict=True)]


def time_first(batches):
    """A batch (n, T, d) per network -> one array (T, s, d, n), float32."""
    stacked = np.stack(batches).astype("float32")
    return np.ascontiguousarray(stacked.transpose(2, 0, 3, 1))


def loss_and_gradients(cell, weights, x, y, **masks):
    """Return the losses (s,) and the gradients of weights.

    x (T, s, d, n), y (k, s, m, n), the answers after the last k steps;
    weights: those of the cell, such as W (s, d, .), U (s, h, .),
    b (s, 1, .), then V (s, h, m), v (s, 1, m).
    """
    *weights, V, v = weights
    forward, backward = CELLS[cell]
    h, cache = forward(x, *weights, **masks)
    seen = h[-len(y) :]
    error = V.mT @ seen + v.mT - y
    dy = 2 * error / error[:, 0].size
    dh = np.zeros_like(h)
    dh[-len(y) :] = V @ dy
    gradients = [
        *backward(dh, cache),
        (seen @ dy.mT).sum(axis=0),
        dy.sum(axis=(0, 3))[:, None],
    ]
    return (error**2).mean(axis=(0, 2, 3)), gradients


def answers(cell, weights, x):
    """What networks say after every step: (T, s, m, n) to x (T, s, d, n)."""
    *weights, V, v = weights
    return V.mT @ CELLS[cell][0](x, *weights)[0] + v.mT


def predict(cell, networks, x):
    """Answers (seeds, n, T, m) of `train_seeds`' networks to x (n, T, d)."""
    networks = [map(np.atleast_2d, network.values()) for network in networks]
    x = time_first([x] * len(networks))
    return answers(cell, stack(networks), x).transpose(1, 3, 0, 2)


def stacked_rnn_forward(z, U):
    """z = x W + b (T, s, h, n) -> h_t, h_{t-1} (T, s, h, n) and a cache."""
    h = np.zeros((len(z) + 1, *z.shape[1:]), z.dtype)
    for t in range(len(z)):
        np.tanh(z[t] + U.mT @ h[t], out=h[t + 1])
    return h[1:], h[:-1], h[1:]


def stacked_rnn_backward(dh, U, h):
    """Return the derivative by z, given that by every h_t, (T, s, h, n)."""
    dz, dh_next = np.empty_like(h), 0
    for t in reversed(range(len(h))):
        dz[t] = (dh[t] + dh_next) * (1 - h[t] ** 2)
        dh_next = U @ dz[t]
    return dz


def stacked_lstm_forward(z, U, masks=None):
    """z = x W + b (T, s, 4h, n) -> h_t, what the gates saw, and a cache.

    logistic(z) = (1 + tanh(z / 2)) / 2, so one tanh serves all blocks.
    masks: factors (T or 1, s, h, n) on "h", the state on its way into the
    gates, on "c", the cell state between steps, or on "a", the candidate:
    gates see m_h * h_{t-1}, and c_t = f * m_c * c_{t-1} + i * m_a * c_tilde.
    """
    T, s, width, n = z.shape
    c = np.zeros((T + 1, s, width // 4, n), z.dtype)
    h, tanh_c, gates = np.zeros_like(c), np.zeros_like(c), np.empty_like(z)
    i, f, c_tilde, o = np.split(gates, 4, axis=2)  # views
    is_gate = np.array([1, 1, 0, 1], z.dtype).repeat(width // 4)[:, None]
    scale, shift = 1 - is_gate / 2, is_gate / 2
    U, masks = U.mT, masks or {}
    for t in range(T):
        z_t = z[t] + U @ masked(h[t], masks, "h", t)
        gates[t] = scale * np.tanh(scale * z_t) + shift
        c[t + 1] = f[t] * masked(c[t], masks, "c", t)
        c[t + 1] += masked(i[t], masks, "a", t) * c_tilde[t]
        tanh_c[t + 1] = np.tanh(c[t + 1])
        h[t + 1] = o[t] * tanh_c[t + 1]
    seen = masks["h"] * h[:-1] if "h" in masks else h[:-1]
    return h[1:], seen, (c, tanh_c, gates, masks)


def stacked_lstm_backward(dh, U, cache):
    """Return the derivative by z, given that by every h_t, (T, s, h, n).

    dh is where the loss uses h_t directly.
    """
    c, tanh_c, gates, masks = cache
    i, f, c_tilde, o = np.split(gates, 4, axis=2)
    dz, dh_next, dc = np.empty_like(gates), 0, 0
    dz_i, dz_f, dz_c, dz_o = np.split(dz, 4, axis=2)  # views
    for t in reversed(range(len(gates))):
        dh_t = dh[t] + dh_next
        dc = dc + dh_t * o[t] * (1 - tanh_c[t + 1] ** 2)
        added = masked(dc, masks, "a", t)
        dz_i[t] = added * c_tilde[t] * i[t] * (1 - i[t])
        dz_f[t] = dc * masked(c[t], masks, "c", t) * f[t] * (1 - f[t])
        dz_c[t] = added * i[t] * (1 - c_tilde[t] ** 2)
        dz_o[t] = dh_t * tanh_c[t + 1] * o[t] * (1 - o[t])
        dh_next = masked(U @ dz[t], masks, "h", t)
        dc = masked(dc, masks, "c", t) * f[t]
    return dz


def masked(a, masks, part, t):
    """A state (s, h, n) times the mask of its part at step t, if any."""
    # a mask has T rows, or one for all steps
    return masks[part][t % len(masks[part])] * a if part in masks else a


def stacked_bilstm_forward(z, U, reverse=True):
    """The same of two LSTMs side by side: z (T, s, 8h, n), U (s, h, 8h).

    The second reads from the end, in those networks where reverse (s,) is
    true; h_t and what the gates saw (T, s, 2h, n) are in the order of z.
    """
    one, two = np.split(z, 2, axis=2)
    z = np.concatenate([one, turned(two, reverse)], axis=1)
    U = np.concatenate(np.split(U, 2, axis=2))
    *states, cache = stacked_lstm_forward(z, U)
    states = (side_by_side(a, reverse) for a in states)
    return *states, (reverse, U, cache)


def stacked_bilstm_backward(dh, _, cache):
    """Return the derivative by z, given that by every h_t, (T, s, 2h, n)."""
    reverse, U, cache = cache
    one, two = np.split(dh, 2, axis=2)
    dh = np.concatenate([one, turned(two, reverse)], axis=1)
    return side_by_side(stacked_lstm_backward(dh, U, cache), reverse)


def side_by_side(a, reverse):
    """Both LSTMs' (T, 2s, ., n) as (T, s, 2 ., n), in the order of time."""
    one, two = np.split(a, 2, axis=1)
    return np.concatenate([one, turned(two, reverse)], axis=2)


def turned(a, reverse):
    """Reverse the first axis of a (T, s, ...) where reverse (s,) is true."""
    reverse = np.reshape(reverse, (1, -1, *[1] * (a.ndim - 2)))
    return np.where(reverse, a[::-1], a)


def recurrent(forward, backward, chains=1):
    """The passes of a cell from z and U, as passes from x, W, U, b."""

    def ahead(x, W, U, b, **options):
        z = W.mT @ x + b.mT
        h, seen, cache = forward(z, U, **options)
        return h, (x, seen, U, cache)

    def back(dh, cache):
        x, seen, U, cache = cache
        return weight_gradients(x, seen, backward(dh, U, cache), chains)

    return ahead, back


def weight_gradients(x, h_prev, dz, chains=1):
    """Gradients by W, U, b from dz, as z_t = x_t W + h_{t-1} U + b."""
    h_prev, by_chain = (np.split(a, chains, axis=2) for a in (h_prev, dz))
    pairs = zip(h_prev, by_chain, strict=True)
    by_U = [(h @ by.mT).sum(axis=0) for h, by in pairs]
    return [
        (x @ dz.mT).sum(axis=0),
        np.concatenate(by_U, axis=2),
        dz.sum(axis=(0, 3))[:, None],
    ]


def batch_first(forward, backward):
    """The passes of a cell of successors.py, its axes put in our order."""

    def ahead(x, *weights):
        x = np.ascontiguousarray(x.transpose(1, 3, 0, 2))
        h, cache = forward(x, *weights)
        return h.transpose(2, 0, 3, 1), cache

    def back(dh, cache):
        by = backward(dh.transpose(1, 3, 0, 2), cache)
        return [by[name] for name in "WUb" if name in by]

    return ahead, back


scanned = partial(
    successors.minlstm_forward, recurrence=successors.linear_scan
)
signed = partial(scanned, signed=True)
CELLS = {
    "rnn": recurrent(stacked_rnn_forward, stacked_rnn_backward),
    "lstm": recurrent(stacked_lstm_forward, stacked_lstm_backward),
    "bilstm": recurrent(stacked_bilstm_forward, stacked_bilstm_backward, 2),
    "minlstm": batch_first(scanned, successors.minlstm_backward),
    "signed": batch_first(signed, successors.minlstm_backward),
    "slstm": batch_first(successors.slstm_forward, successors.slstm_backward),
}
GATED = {"lstm", "minlstm", "signed", "slstm"}
