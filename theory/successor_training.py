"""Train several LSTMs, minLSTMs or sLSTMs at once, answering at every step.

training.py has a loss on the last step only; parity needs one at each. A
stack of networks shares one loop over time, as there. float64.
"""

from functools import partial

import numpy as np

from theory.cells import logistic
from theory.successors import (
    linear_scan,
    minlstm_backward,
    minlstm_forward,
    slstm_backward,
    slstm_forward,
)
from theory.training import adam, initial_weights, transpose


def train_stack(
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
):
    """Train one network per seed; the loss is on the last k steps.

    cell is one of CELLS; task(rng, n) draws x (n, T, d) and y (n, k, m),
    what the network shall answer after each of the last k steps. Squared
    error, Adam, clipping, `cool` and the biases as in
    `training.train_seeds`; a cell without U or o takes the LSTM's draw
    without those blocks. Returns losses (seeds, steps) and, per seed, a
    dict of the weights as the cell takes them, with V (h, m), v (m,).
    """
    forward, backward, names = CELLS[cell]
    rngs = [np.random.default_rng(seed) for seed in seeds]
    x, y = task(np.random.default_rng(0), 1)
    sizes = "lstm", x.shape[2], units, y.shape[2], forget_bias, chrono
    drawn = zip(*(initial_weights(rng, *sizes) for rng in rngs), strict=True)
    weights = {k: np.stack(w) for k, w in zip("WUbVv", drawn, strict=True)}
    if "U" not in names:
        del weights["U"]
        for name in "Wb":
            weights[name] = weights[name][..., : 3 * units].copy()
    moments = [(np.zeros_like(w), np.zeros_like(w)) for w in weights.values()]
    losses = np.empty((len(rngs), steps))
    for step in range(steps):
        x, y = zip(*(task(rng, batch) for rng in rngs), strict=True)
        x, y = np.stack(x), np.stack(y)  # (s, n, T, d), (s, n, k, m)
        h, cache = forward(x, *(weights[name] for name in names))
        seen = h[:, :, -y.shape[2] :]  # (s, n, k, h)
        V, v = weights["V"][:, None], weights["v"][:, None]
        error = seen @ V + v - y
        losses[:, step] = (error**2).mean(axis=(1, 2, 3))
        dy = 2 * error / error[0].size
        dh = np.zeros_like(h)
        dh[:, :, -y.shape[2] :] = dy @ transpose(V)
        gradients = backward(dh, cache) | {
            "V": np.einsum("snkh,snkm->shm", seen, dy),
            "v": dy.sum(axis=(1, 2))[:, None],
        }
        part = min(1, (steps - step) / cool) if cool else 1
        ordered = [gradients[name] for name in weights]
        adam(weights.values(), ordered, moments, part * rate, clip, step + 1)
    flat = [
        {k: w[s, 0] if k in "bv" else w[s] for k, w in weights.items()}
        for s in range(len(rngs))
    ]
    return losses, flat


def lstm_stack_forward(x, W, U, b):
    """`cells.lstm_forward` of a stack: x (s, n, T, d) -> h (s, n, T, h)."""
    s, n, T, _ = x.shape
    h = np.zeros((s, n, T + 1, U.shape[1]))
    c, gates = np.zeros_like(h), x @ W[:, None] + b[:, None]
    for t in range(T):
        gates[:, :, t] += h[:, :, t] @ U
        i, f, c_tilde, o = np.split(gates[:, :, t], 4, axis=2)  # views
        for gate in (i, f, o):
            gate[:] = logistic(gate)
        np.tanh(c_tilde, out=c_tilde)
        c[:, :, t + 1] = f * c[:, :, t] + i * c_tilde
        h[:, :, t + 1] = o * np.tanh(c[:, :, t + 1])
    return h[:, :, 1:], {"x": x, "U": U, "h": h, "c": c, "gates": gates}


def lstm_stack_backward(dh, cache):
    """Gradients by W, U, b, given that by every h, (s, n, T, h)."""
    h, c, gates = cache["h"], cache["c"], cache["gates"]
    dz, U = np.empty_like(gates), transpose(cache["U"])
    dh_next = dc = 0
    for t in reversed(range(gates.shape[2])):
        i, f, c_tilde, o = np.split(gates[:, :, t], 4, axis=2)
        tanh_c, dh_t = np.tanh(c[:, :, t + 1]), dh[:, :, t] + dh_next
        dc = dc + dh_t * o * (1 - tanh_c**2)
        dz_i, dz_f = dc * c_tilde * i * (1 - i), dc * c[:, :, t] * f * (1 - f)
        dz_c, dz_o = dc * i * (1 - c_tilde**2), dh_t * tanh_c * o * (1 - o)
        dz[:, :, t] = np.concatenate([dz_i, dz_f, dz_c, dz_o], axis=2)
        dh_next, dc = dz[:, :, t] @ U, dc * f
    return {
        "W": np.einsum("sntd,sntz->sdz", cache["x"], dz),
        "U": np.einsum("snth,sntz->shz", h[:, :, :-1], dz),
        "b": dz.sum(axis=(1, 2))[:, None],
    }


scanned = partial(minlstm_forward, recurrence=linear_scan)
CELLS = {
    "lstm": (lstm_stack_forward, lstm_stack_backward, "WUb"),
    "minlstm": (scanned, minlstm_backward, "Wb"),
    "signed": (partial(scanned, signed=True), minlstm_backward, "Wb"),
    "slstm": (slstm_forward, slstm_backward, "WUb"),
}
