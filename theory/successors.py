"""What became of the LSTM: minLSTM, sLSTM and mLSTM, with their gradients.

Symbols and layout as in cells.py: inputs x (n, T, d), float64, kernel W,
recurrent kernel U, bias b. The cells of minLSTM and sLSTM also take a stack
of networks, as in training.py: x (s, n, T, d), W (s, d, .), U (s, h, .),
b (s, 1, .).
"""

import numpy as np

from theory.cells import logistic


# --- c_t = a_t c_{t-1} + g_t, in two ways -----------------------------------
def linear_loop(a, g):
    """Run c_t = a_t c_{t-1} + g_t from c_0 = 0, one step after another.

    a, g (..., T, h) -> c (..., T, h).
    """
    c = np.empty(g.shape, np.result_type(a, g))
    c[..., 0, :] = g[..., 0, :]
    for t in range(1, g.shape[-2]):
        c[..., t, :] = a[..., t, :] * c[..., t - 1, :] + g[..., t, :]
    return c


def linear_scan(a, g):
    """The same c by a scan: log2 T passes down and as many up.

    Neighbours are joined in pairs, (a, g) then (a', g') being
    (a' a, a' g + g'), the half as long sequence is scanned, and the states
    between are filled in. Arithmetic grows like T. Blelloch (1990).
    """
    T = g.shape[-2]
    if T == 1:
        return g.copy()
    a_odd, g_odd = a[..., 1::2, :], g[..., 1::2, :]  # steps 2, 4, ...
    a_even, g_even = (z[..., : 2 * (T // 2) : 2, :] for z in (a, g))
    c = np.empty(g.shape, np.result_type(a, g))
    c[..., 1::2, :] = linear_scan(a_odd * a_even, a_odd * g_even + g_odd)
    c[..., 0, :] = g[..., 0, :]
    before = c[..., 1 : T - 1 : 2, :]
    c[..., 2::2, :] = a[..., 2::2, :] * before + g[..., 2::2, :]
    return c


# --- minLSTM ----------------------------------------------------------------
def minlstm_forward(x, W, b, signed=False, recurrence=linear_loop):
    """Run a minLSTM, whose gates see x_t only, over a batch of sequences.

    With z_t = x_t W + b cut into three blocks of h columns, i, f, c_tilde:

        i, f = logistic(z), divided by their sum;  c_tilde = z
        c_t = f * c_{t-1} + i * c_tilde

    x (n, T, d), W (d, 3h), b (3h,). Returns c (n, T, h), which is the
    output too, and a cache that holds i, f, c_tilde and keep, the factor
    before c_{t-1}: f, or 2f - 1 if `signed`. recurrence: `linear_loop` or
    `linear_scan`. Feng et al. (2024), who write h for c; signs as in Grazzi
    et al. (2025).
    """
    gate_i, gate_f, c_tilde = np.split(_affine(x, W, b), 3, axis=-1)
    gate_i, gate_f = logistic(gate_i), logistic(gate_f)
    total = gate_i + gate_f
    i, f = gate_i / total, gate_f / total
    keep = 2 * f - 1 if signed else f
    c = recurrence(keep, i * c_tilde)
    cache = {"x": x, "W": W, "c": c, "i": i, "f": f, "c_tilde": c_tilde}
    cache |= {"keep": keep, "gate_i": gate_i, "gate_f": gate_f}
    return c, cache | {"slope": 2 if signed else 1, "recurrence": recurrence}


def minlstm_backward(dc, cache):
    """Backpropagate through a minLSTM: gradients of a loss L of all c_t.

    dc (n, T, h) is the derivative of L by each c_t where L uses it
    directly. The way back is the same recurrence from the end: delta_t =
    dc_t + keep_{t+1} delta_{t+1}. Returns a dict x, W, b.
    """
    i, f, c, keep = (cache[k] for k in ("i", "f", "c", "keep"))
    later = np.ones_like(keep)
    later[..., 1:, :] = keep[..., :0:-1, :]  # keep_{t+1}, last step first
    delta = cache["recurrence"](later, dc[..., ::-1, :])[..., ::-1, :]
    c_prev = np.zeros_like(c)
    c_prev[..., 1:, :] = c[..., :-1, :]
    # i = 1 - f, and f / i = gate_f / gate_i
    df = delta * (cache["slope"] * c_prev - cache["c_tilde"]) * i * f
    dz_i, dz_f = df * (cache["gate_i"] - 1), df * (1 - cache["gate_f"])
    dz = np.concatenate([dz_i, dz_f, delta * i], axis=-1)
    return _kernel_gradients(dz, cache["x"], cache["W"])


# --- sLSTM ------------------------------------------------------------------
def slstm_forward(x, W, U, b, stabilise=True):
    """Run an sLSTM: an exponential input gate and a normaliser.

    z_t = x_t W + h_{t-1} U + b has the blocks i, f, c_tilde, o of an LSTM;
    only i differs, and what is shown is a weighted mean:

        i = exp(z),  f, o = logistic(z),  c_tilde = tanh(z)
        c_t = f c_{t-1} + i c_tilde,  n_t = f n_{t-1} + i,  h_t = o c_t / n_t

    Stabilised, c and n are kept divided by exp(m_t), m_t the largest
    exponent so far, which cancels in h. x (n, T, d), W (d, 4h), U (h, 4h),
    b (4h,). Returns h (n, T, h) and a cache. Beck et al. (2024), section 2.2,
    with one head.
    """
    T, h = x.shape[-2], U.shape[-2]
    xW = _affine(x, W, b)
    shape = *xW.shape[:-1], h
    names = "h", "c", "norm", "m", "i", "f", "sig_f", "c_tilde", "o"
    keys = {name: np.zeros(shape) for name in names}
    h_t, c, norm = np.zeros((3, *shape[:-2], h))
    m = np.full_like(c, -np.inf if stabilise else 0)
    for t in range(T):
        z = xW[..., t, :] + h_t @ U
        z_i, z_f, z_c, z_o = np.split(z, 4, axis=-1)
        sig_f, o, c_tilde = logistic(z_f), logistic(z_o), np.tanh(z_c)
        carried = m - np.logaddexp(0, -z_f)  # log(sig_f) + m_{t-1}
        m = np.maximum(carried, z_i) if stabilise else m
        i, f = np.exp(z_i - m), np.exp(carried - m)
        c, norm = f * c + i * c_tilde, f * norm + i
        h_t = o * c / norm
        values = h_t, c, norm, m, i, f, sig_f, c_tilde, o
        for name, value in zip(names, values, strict=True):
            keys[name][..., t, :] = value
    return keys["h"], keys | {"x": x, "W": W, "U": U}


def slstm_backward(dh, cache):
    """Backpropagate through an sLSTM: gradients of a loss L of all h_t.

    dh (n, T, h) is the derivative of L by each h_t where L uses it
    directly. m_t counts as a constant, since no h depends on it. Returns a
    dict x, W, U, b.
    """
    h, U = cache["h"], cache["U"]
    T = h.shape[-2]
    dz = np.empty((*h.shape[:-1], U.shape[-1]))
    dh_next, dc, dn = np.zeros((3, *h.shape[:-2], h.shape[-1]))
    for t in reversed(range(T)):
        i, f, sig_f, a, o, c, norm = (
            cache[k][..., t, :]
            for k in ("i", "f", "sig_f", "c_tilde", "o", "c", "norm")
        )
        before = (cache[k][..., t - 1, :] if t else 0 for k in ("c", "norm"))
        c_prev, n_prev = before
        mean = c / norm
        dh_t = dh[..., t, :] + dh_next
        dmean = dh_t * o / norm
        dc, dn = dc + dmean, dn - dmean * mean
        dz_i = (dc * a + dn) * i
        dz_f = (dc * c_prev + dn * n_prev) * f * (1 - sig_f)
        dz_c, dz_o = dc * i * (1 - a**2), dh_t * mean * o * (1 - o)
        dz[..., t, :] = np.concatenate([dz_i, dz_f, dz_c, dz_o], axis=-1)
        dh_next, dc, dn = dz[..., t, :] @ U.mT, dc * f, dn * f
    h_prev = np.zeros_like(h)
    h_prev[..., 1:, :] = h[..., :-1, :]
    by_U = np.einsum("...nth,...ntz->...hz", h_prev, dz)
    return _kernel_gradients(dz, cache["x"], cache["W"]) | {"U": by_U}


# --- mLSTM ------------------------------------------------------------------
def mlstm_memory(q, k, v, z_i, z_f):
    """Store pairs of key and value in a matrix and read it, step by step.

        C_t = f C_{t-1} + i k^T v,  n_t = f n_{t-1} + i k
        y_t = q C_t / max(|q n_t^T|, 1),  i = exp(z_i),  f = logistic(z_f)

    q, k, v (n, T, h), z_i and z_f (n, T, 1). C and n are kept divided by
    exp(m_t), as in `slstm_forward`. Returns y (n, T, h) and a cache. Beck
    et al. (2024), section 2.3; C is the transpose of theirs, as vectors are
    rows here.
    """
    n, T, h = q.shape
    C, norm, y = np.zeros((n, T, h, h)), np.zeros_like(q), np.empty_like(q)
    m, i, f, size = np.zeros((4, n, T, 1))
    before = np.zeros((n, h, h)), np.zeros((n, h)), np.full((n, 1), -np.inf)
    for t in range(T):
        C_prev, n_prev, m_prev = before
        carried = m_prev - np.logaddexp(0, -z_f[:, t])
        m[:, t] = np.maximum(carried, z_i[:, t])
        i[:, t] = np.exp(z_i[:, t] - m[:, t])
        f[:, t] = np.exp(carried - m[:, t])
        write = i[:, t, :, None] * k[:, t, :, None] * v[:, t, None]
        C[:, t] = f[:, t, :, None] * C_prev + write
        norm[:, t] = f[:, t] * n_prev + i[:, t] * k[:, t]
        qn = (q[:, t] * norm[:, t]).sum(axis=1, keepdims=True)
        size[:, t] = np.maximum(np.abs(qn), np.exp(-m[:, t]))
        y[:, t] = np.einsum("nh,nhj->nj", q[:, t], C[:, t]) / size[:, t]
        before = C[:, t], norm[:, t], m[:, t]
    cache = {"q": q, "k": k, "v": v, "C": C, "norm": norm, "y": y}
    return y, cache | {"m": m, "i": i, "f": f, "size": size, "z_f": z_f}


def mlstm_parallel(q, k, v, z_i, z_f):
    """The same y without a state: attention with a decay.

    Row t of D (n, T, T) holds what is left at t of the write at s: i_s
    times the forget gates from s+1 to t. q, k, v (n, T, h), z_i and z_f
    (n, T, 1) -> y (n, T, h). Beck et al. (2024), appendix A.
    """
    T = q.shape[1]
    log_f = np.cumsum(-np.logaddexp(0, -z_f), axis=1)  # (n, T, 1)
    log_D = log_f + (z_i - log_f).mT
    log_D = np.where(np.tri(T, dtype=bool), log_D, -np.inf)
    m = log_D.max(axis=2, keepdims=True)
    weights = q @ k.mT * np.exp(log_D - m)
    total = np.abs(weights.sum(axis=2, keepdims=True))
    return weights @ v / np.maximum(total, np.exp(-m))


def mlstm_forward(x, W, b, memory=mlstm_memory):
    """Run an mLSTM over a batch of sequences: all from x_t, nothing from h.

    z_t = x_t W + b has the blocks q, k, v, o of h columns, then z_i and
    z_f, one column each; k is divided by sqrt(h), o = logistic(z), and
    h_t = o * y_t with y of `mlstm_memory`. x (n, T, d), W (d, 4h + 2),
    b (4h + 2,). Returns h (n, T, h) and a cache.
    """
    h = (W.shape[1] - 2) // 4
    parts = np.split(x @ W + b, [h, 2 * h, 3 * h, 4 * h, 4 * h + 1], axis=2)
    q, k, v, z_o, z_i, z_f = parts
    y, cache = memory(q, k / np.sqrt(h), v, z_i, z_f)
    o = logistic(z_o)
    return o * y, cache | {"o": o, "x": x, "W": W}


def mlstm_backward(dh, cache):
    """Backpropagate through an mLSTM: gradients of a loss L of all h_t.

    dh (n, T, h) is the derivative of L by each h_t. m_t counts as a
    constant, since no h depends on it. Returns a dict x, W, b.
    """
    q, k, v, y, o = (cache[name] for name in ("q", "k", "v", "y", "o"))
    n, T, h = q.shape
    dq, dk, dv = np.zeros((3, n, T, h))
    dz_i, dz_f = np.zeros((2, n, T, 1))
    dC, dn = np.zeros((n, h, h)), np.zeros((n, h))
    dz_o = dh * y * o * (1 - o)
    for t in reversed(range(T)):
        C, norm, i, f = (cache[key][:, t] for key in ("C", "norm", "i", "f"))
        dread = dh[:, t] * o[:, t] / cache["size"][:, t]  # by q C
        qn = (q[:, t] * norm).sum(axis=1, keepdims=True)
        larger = np.abs(qn) > np.exp(-cache["m"][:, t])
        dqn = -(dread * y[:, t]).sum(axis=1, keepdims=True)
        dqn = dqn * np.sign(qn) * larger
        dq[:, t] = np.einsum("nhj,nj->nh", C, dread) + dqn * norm
        dC = dC + q[:, t, :, None] * dread[:, None]
        dn = dn + dqn * q[:, t]
        dC_v = np.einsum("nhj,nj->nh", dC, v[:, t])
        dk[:, t] = i * (dC_v + dn)
        dv[:, t] = i * np.einsum("nh,nhj->nj", k[:, t], dC)
        dz_i[:, t] = (k[:, t] * dk[:, t]).sum(axis=1, keepdims=True)
        if t:
            kept = np.einsum("nhj,nhj->n", dC, cache["C"][:, t - 1])
            kept += (dn * cache["norm"][:, t - 1]).sum(axis=1)
            dz_f[:, t] = f * kept[:, None] * logistic(-cache["z_f"][:, t])
        dC, dn = f[:, :, None] * dC, f * dn
    parts = [dq, dk / np.sqrt(h), dv, dz_o, dz_i, dz_f]
    dz = np.concatenate(parts, axis=2)
    return _kernel_gradients(dz, cache["x"], cache["W"])


def _affine(x, W, b):
    """x W + b, of one network or of a stack."""
    return x @ W + b if W.ndim == 2 else x @ W[:, None] + b[:, None]


def _kernel_gradients(dz, x, W):
    """Gradients by x, W, b from dz, as z_t = x_t W + ... + b."""
    by_b = dz.sum(axis=(-3, -2))
    return {
        "x": dz @ (W if W.ndim == 2 else W[:, None]).mT,
        "W": np.einsum("...ntd,...ntz->...dz", x, dz),
        "b": by_b if W.ndim == 2 else by_b[:, None],
    }
