"""The cells of theory/successors.py against other ways to compute them."""

from functools import partial

import numpy as np
import pytest
from conftest import finite_differences
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from forecasting.models.backend import tf
from theory import successors
from theory.successors import linear_loop, linear_scan

sizes = st.tuples(*[st.integers(1, 4)] * 4, st.integers(0, 2**32 - 1))
PASSES = {
    "minlstm": (successors.minlstm_forward, successors.minlstm_backward),
    "signed": (
        partial(successors.minlstm_forward, signed=True),
        successors.minlstm_backward,
    ),
    "scanned": (
        partial(successors.minlstm_forward, recurrence=linear_scan),
        successors.minlstm_backward,
    ),
    "slstm": (successors.slstm_forward, successors.slstm_backward),
    "mlstm": (successors.mlstm_forward, successors.mlstm_backward),
}


def draw(seed, *shapes):
    """Arrays of N(0, 1): gates leave the linear range."""
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape) for shape in shapes]


def draw_cell(cell, seed, n, T, d, h):
    """Arrays x, W, b and, for an sLSTM, U, by these names."""
    width = {"slstm": 4 * h, "mlstm": 4 * h + 2}.get(cell, 3 * h)
    shapes = {"x": (n, T, d), "W": (d, width), "b": (width,)}
    shapes |= {"U": (h, width)} if cell == "slstm" else {}
    return dict(zip(shapes, draw(seed, *shapes.values()), strict=True))


@settings(max_examples=60, deadline=None)
@given(sizes, st.sampled_from(list(PASSES)))
def test_gradients_equal_finite_differences(size, cell):
    *size, seed = size
    values = draw_cell(cell, seed, *size)
    forward, backward = PASSES[cell]
    h, cache = forward(**values)
    if cell == "mlstm":  # where the maximum has a kink, there is no slope
        qn = (cache["q"] * cache["norm"]).sum(axis=2, keepdims=True)
        assume(np.abs(np.abs(qn) * np.exp(cache["m"]) - 1).min() > 1e-2)
        assume(np.abs(qn).min() > 1e-3)
    (dh,) = draw(seed + 1, h.shape)

    def loss():
        return (forward(**values)[0] * dh).sum()

    gradients = backward(dh, cache)
    assert gradients.keys() == values.keys()
    for name, gradient in gradients.items():
        numeric = finite_differences(loss, values[name])
        error = np.linalg.norm(gradient - numeric)
        assert error < 2e-6 * max(np.linalg.norm(numeric), 1e-2), name


def slstm_in_tf(x, W, U, b):
    """The definition, without m: TensorFlow differentiates it."""
    h = c = norm = tf.zeros((x.shape[0], U.shape[0]), tf.float64)
    states = []
    for t in range(x.shape[1]):
        z_i, z_f, z_c, z_o = tf.split(x[:, t] @ W + h @ U + b, 4, axis=1)
        i, f = tf.exp(z_i), tf.sigmoid(z_f)
        c, norm = f * c + i * tf.tanh(z_c), f * norm + i
        h = tf.sigmoid(z_o) * c / norm
        states.append(h)
    return tf.stack(states, axis=1)


def mlstm_in_tf(x, W, b):
    """The definition, without m and with the paper's columns."""
    h = (W.shape[1] - 2) // 4
    z = x @ W + b
    q, k, v, z_o, z_i, z_f = tf.split(z, [h, h, h, h, 1, 1], axis=2)
    C = tf.zeros((x.shape[0], h, h), tf.float64)
    norm, states = tf.zeros((x.shape[0], h), tf.float64), []
    for t in range(x.shape[1]):
        i, f = tf.exp(z_i[:, t]), tf.sigmoid(z_f[:, t])
        key = k[:, t] / np.sqrt(h)
        write = i[..., None] * v[:, t, :, None] * key[:, None]
        C, norm = f[..., None] * C + write, f * norm + i * key
        total = tf.abs(tf.reduce_sum(q[:, t] * norm, axis=1, keepdims=True))
        y = tf.linalg.matvec(C, q[:, t]) / tf.maximum(total, 1)
        states.append(tf.sigmoid(z_o[:, t]) * y)
    return tf.stack(states, axis=1)


@pytest.mark.parametrize("size", [(1, 1, 1, 1), (3, 7, 2, 5), (2, 30, 4, 3)])
@pytest.mark.parametrize(
    "cell, oracle", [("slstm", slstm_in_tf), ("mlstm", mlstm_in_tf)]
)
def test_cell_equals_its_definition_and_tensorflow(cell, oracle, size):
    values = draw_cell(cell, 1, *size)
    tensors = {name: tf.constant(a) for name, a in values.items()}
    forward, backward = PASSES[cell]
    h, cache = forward(**values)
    (dh,) = draw(2, h.shape)
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        theirs = oracle(**tensors)
        loss = tf.reduce_sum(theirs * dh)
    close = {"rtol": 1e-9, "atol": 1e-9}
    np.testing.assert_allclose(h, theirs, **close)
    for name, gradient in tape.gradient(loss, tensors).items():
        ours = backward(dh, cache)[name]
        np.testing.assert_allclose(ours, gradient, **close)


@settings(deadline=None)
@given(st.integers(1, 70), st.integers(0, 2**32 - 1))
def test_scan_equals_loop(T, seed):
    a, b = draw(seed, (2, T, 3), (2, T, 3))
    a = np.tanh(a)
    before = a.copy(), b.copy()
    np.testing.assert_allclose(
        linear_scan(a, b), linear_loop(a, b), rtol=0, atol=1e-12
    )
    assert np.array_equal(a, before[0]) and np.array_equal(b, before[1])


@pytest.mark.parametrize("cell", ["minlstm", "signed", "slstm"])
def test_a_stack_of_networks_equals_one_after_another(cell):
    forward, backward = PASSES[cell]
    networks = [draw_cell(cell, seed, 3, 6, 2, 4) for seed in range(3)]
    stack = {name: np.stack([w[name] for w in networks]) for name in "xW"}
    if cell == "slstm":
        stack["U"] = np.stack([w["U"] for w in networks])
    stack["b"] = np.stack([w["b"] for w in networks])[:, None]
    h, cache = forward(**stack)
    (dh,) = draw(9, h.shape)
    gradients = backward(dh, cache)
    for s, values in enumerate(networks):
        h_s, cache_s = forward(**values)
        np.testing.assert_allclose(h[s], h_s, atol=1e-12)
        for name, expected in backward(dh[s], cache_s).items():
            got = gradients[name][s].reshape(expected.shape)
            np.testing.assert_allclose(got, expected, atol=1e-12)


@pytest.mark.parametrize("shift", [0.0, 900.0, -900.0])
def test_stabiliser_leaves_the_output_of_any_scale_of_gates(shift):
    """exp(900) overflows, exp(-900) is 0: the ratio minds neither."""
    values = draw_cell("slstm", 3, 2, 9, 3, 4)
    plain, _ = successors.slstm_forward(**values, stabilise=False)
    values["b"][:4] += shift
    h, _ = successors.slstm_forward(**values)
    np.testing.assert_allclose(h, plain, atol=1e-10)


def test_mlstm_in_parallel_equals_step_by_step():
    q, k, v = draw(4, *[(2, 40, 5)] * 3)
    z_i, z_f = draw(5, (2, 40, 1), (2, 40, 1))
    for scale in (1, 30):
        args = q, k, v, scale * z_i, scale * z_f
        step_by_step, _ = successors.mlstm_memory(*args)
        parallel = successors.mlstm_parallel(*args)
        np.testing.assert_allclose(parallel, step_by_step, atol=1e-9)
