"""The NumPy cells of theory/ equal Keras, TensorFlow, finite differences."""

import inspect
import re
from calendar import month_name
from functools import partial

import habits
import numpy as np
import pytest
from conftest import finite_differences
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from forecasting.models.backend import keras, tf
from theory import cells, successors, training
from theory.cells import logistic
from theory.successors import linear_loop, linear_scan
from theory.training import CELLS

THEORY = habits.ROOT / "theory"

SHAPES = [(1, 1, 1, 1), (3, 7, 2, 5), (2, 30, 4, 3)]  # n, T, d, h
MINLSTM = successors.minlstm_forward, successors.minlstm_backward
PASSES = {
    "rnn": (cells.rnn_forward, cells.rnn_backward),
    "lstm": (cells.lstm_forward, cells.lstm_backward),
    "minlstm": MINLSTM,
    "signed": (partial(MINLSTM[0], signed=True), MINLSTM[1]),
    "scanned": (partial(MINLSTM[0], recurrence=linear_scan), MINLSTM[1]),
    "slstm": (successors.slstm_forward, successors.slstm_backward),
    "mlstm": (successors.mlstm_forward, successors.mlstm_backward),
}
sizes = st.tuples(*[st.integers(1, 4)] * 4, st.integers(0, 2**32 - 1))


def draw(seed, *shapes, scale=0.5):
    """Arrays of N(0, scale²), large enough to leave the linear range."""
    rng = np.random.default_rng(seed)
    return [scale * rng.standard_normal(shape) for shape in shapes]


def draw_cell(cell, seed, n, T, d, h, scale=0.5):
    """What a cell's forward pass takes: x, W, b, of some U, h0 and c0."""
    width = {"rnn": h, "lstm": 4 * h, "slstm": 4 * h, "mlstm": 4 * h + 2}
    width = width.get(cell, 3 * h)
    shapes = {"x": (n, T, d), "W": (d, width), "U": (h, width), "b": (width,)}
    shapes |= {"h0": (n, h), "c0": (n, h)}
    arrays = draw(seed, *shapes.values(), scale=scale)
    forward = inspect.signature(PASSES[cell][0]).parameters
    pairs = zip(shapes, arrays, strict=True)
    return {name: array for name, array in pairs if name in forward}


def assert_close(ours, oracle, atol=1e-12):
    np.testing.assert_allclose(ours, oracle, rtol=0, atol=atol)


def keras_gradients(layer, inputs, weights, seed_of_dh):
    """Outputs of a Keras layer, and gradients of sum(output · dh)."""
    tensors = [tf.constant(a) for a in inputs]
    layer(tensors[0])  # builds the weights
    layer.set_weights(list(weights))
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        state = {"initial_state": tensors[1:]} if tensors[1:] else {}
        outputs = tf.nest.flatten(layer(tensors[0], **state))
        dhs = draw(seed_of_dh, *[o.shape for o in outputs])
        pairs = zip(outputs, dhs, strict=True)
        loss = sum(tf.reduce_sum(o * dh) for o, dh in pairs)
    wanted = tensors + [v.value for v in layer.trainable_variables]
    return [o.numpy() for o in outputs], dhs, tape.gradient(loss, wanted)


@pytest.mark.parametrize("size", SHAPES)
@pytest.mark.parametrize("cell", ["rnn", "logistic rnn", "lstm"])
def test_cell_equals_keras(cell, size):
    options = {"return_sequences": True, "return_state": True}
    lstm, rnn, ours = keras.layers.LSTM, keras.layers.SimpleRNN, {}
    if cell == "logistic rnn":
        cell, ours = "rnn", {"activation": "logistic"}
        options["activation"] = "sigmoid"
    values, (forward, backward) = draw_cell(cell, 1, *size), PASSES[cell]
    *states, cache = forward(**values, **ours)
    layer = lstm if cell == "lstm" else rnn
    layer = layer(size[3], dtype="float64", **options)
    weights = {name: values.pop(name) for name in "WUb"}
    given = layer, values.values(), weights.values()
    outputs, dhs, oracle = keras_gradients(*given, 2)
    ours = [states[0], *(state[:, -1] for state in states)]
    for got, expected in zip(ours, outputs, strict=True):
        assert_close(got, expected)
    used = [dhs[0], *(np.zeros_like(state) for state in states[1:])]
    for by_state, last in zip(used, dhs[1:], strict=True):
        by_state[:, -1] += last  # Keras also returns the last h and c
    gradients = backward(used[0], cache, *used[1:])
    for name, expected in zip([*values, *weights], oracle, strict=True):
        assert_close(gradients[name], expected)


@pytest.mark.parametrize("n, T, d, h", SHAPES)
@pytest.mark.parametrize("merge", ["concat", "sum", "ave", "mul"])
def test_bilstm_equals_keras(n, T, d, h, merge):
    (x,) = draw(6, (n, T, d))
    shapes = (d, 4 * h), (h, 4 * h), (4 * h,)
    forward, backward = draw(7, *shapes), draw(8, *shapes)
    lstm = keras.layers.LSTM(h, return_sequences=True, dtype="float64")
    layer = keras.layers.Bidirectional(lstm, merge_mode=merge, dtype="float64")
    weights = [*forward, *backward]
    outputs, dhs, oracle = keras_gradients(layer, [x], weights, 9)
    ours, cache = cells.bilstm_forward(x, forward, backward, merge)
    assert_close(ours, outputs[0])
    gradients = cells.bilstm_backward(dhs[0], cache)
    ways = gradients["forward"], gradients["backward"]
    got = [gradients["x"], *(way[name] for way in ways for name in "WUb")]
    for ours, expected in zip(got, oracle, strict=True):
        assert_close(ours, expected)


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


@pytest.mark.parametrize("size", SHAPES)
@pytest.mark.parametrize(
    "cell, oracle", [("slstm", slstm_in_tf), ("mlstm", mlstm_in_tf)]
)
def test_cell_equals_its_definition_and_tensorflow(cell, oracle, size):
    values = draw_cell(cell, 1, *size, scale=1)
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


@settings(max_examples=100, deadline=None)
@given(sizes, st.sampled_from(list(PASSES)))
def test_gradients_equal_finite_differences(size, cell):
    *size, seed = size
    values = draw_cell(cell, seed, *size, scale=1)
    forward, backward = PASSES[cell]
    *states, cache = forward(**values)
    if cell == "mlstm":  # where the maximum has a kink, there is no slope
        qn = (cache["q"] * cache["norm"]).sum(axis=2, keepdims=True)
        assume(np.abs(np.abs(qn) * np.exp(cache["m"]) - 1).min() > 1e-2)
        assume(np.abs(qn).min() > 1e-3)
    used = draw(seed + 1, *[state.shape for state in states])

    def loss():
        states = forward(**values)[:-1]
        return sum((s * ds).sum() for s, ds in zip(states, used, strict=True))

    gradients = backward(used[0], cache, *used[1:])
    assert gradients.keys() == values.keys()
    for name, gradient in gradients.items():
        numeric = finite_differences(loss, values[name])
        error = np.linalg.norm(gradient - numeric)
        assert error < 2e-6 * max(np.linalg.norm(numeric), 1e-2), name


@settings(deadline=None)
@given(st.integers(1, 70), st.integers(0, 2**32 - 1))
def test_scan_equals_loop(T, seed):
    a, b = draw(seed, (2, T, 3), (2, T, 3), scale=1)
    a = np.tanh(a)
    before = a.copy(), b.copy()
    assert_close(linear_scan(a, b), linear_loop(a, b))
    assert np.array_equal(a, before[0]) and np.array_equal(b, before[1])


@pytest.mark.parametrize("shift", [0.0, 900.0, -900.0])
def test_stabiliser_leaves_the_output_of_any_scale_of_gates(shift):
    """exp(900) overflows, exp(-900) is 0: the ratio minds neither."""
    values = draw_cell("slstm", 3, 2, 9, 3, 4, scale=1)
    plain, _ = successors.slstm_forward(**values, stabilise=False)
    values["b"][:4] += shift
    h, _ = successors.slstm_forward(**values)
    assert_close(h, plain, atol=1e-10)


def test_mlstm_in_parallel_equals_step_by_step():
    shapes = [(2, 40, 5)] * 3 + [(2, 40, 1)] * 2
    *q_k_v, z_i, z_f = draw(4, *shapes, scale=1)
    for scale in (1, 30):
        args = *q_k_v, scale * z_i, scale * z_f
        step_by_step, _ = successors.mlstm_memory(*args)
        assert_close(successors.mlstm_parallel(*args), step_by_step, 1e-9)


# --- many networks at once: theory/training.py ------------------------------
def masked_lstm(x, W, U, b, h=1.0, c=1.0, a=1.0):
    """An LSTM's h by its definition, with masks (T, h, n) on its parts."""
    shape = x.shape[1], len(U), len(x)
    masks = [np.broadcast_to(m, shape).mT for m in (h, c, a)]
    h, c, states = 0 * x[:, 0, :1], 0, []
    for x_t, m_h, m_c, m_a in zip(x.swapaxes(0, 1), *masks, strict=True):
        z = x_t @ W + (m_h * h) @ U + b
        i, f, c_tilde, o = np.split(z, 4, axis=1)
        c = logistic(f) * m_c * c + logistic(i) * m_a * np.tanh(c_tilde)
        h = logistic(o) * np.tanh(c)
        states.append(h)
    return (np.stack(states, axis=1),)


def bilstm(x, *both):
    """`cells.bilstm_forward`, the weights of both LSTMs side by side."""
    ways = zip(*(np.split(w, 2, axis=-1) for w in both), strict=True)
    return cells.bilstm_forward(x, *ways)


SINGLE = {name: forward for name, (forward, _) in PASSES.items()}
SINGLE |= {"bilstm": bilstm}
MASKS = [{k: rows} for k in "hca" for rows in (6, 1)]


@pytest.mark.parametrize("asked", [1, 3])
@pytest.mark.parametrize(
    "cell, rows", [(c, {}) for c in CELLS] + [("lstm", m) for m in MASKS]
)
def test_training_has_the_losses_of_the_cells_and_their_gradients(
    cell, rows, asked
):
    s, n, T, d, h, m = 2, 3, 6, 2, 4, 2
    like = training.initial_weights(np.random.default_rng(0), cell, d, h, m)
    weights = draw(21, *[(s, *w.shape) for w in like])
    x, y = draw(20, (s, n, T, d), (s, n, asked, m))
    masks = {k: np.exp(draw(22, (T, s, h, n))[0][:r]) for k, r in rows.items()}
    batch = x.transpose(2, 0, 3, 1), y.transpose(2, 0, 3, 1)
    options = {"masks": masks} if masks else {}

    def loss():
        return training.loss_and_gradients(cell, weights, *batch, **options)

    losses, gradients = loss()
    for k, (*parts, b, V, v) in enumerate(zip(*weights, strict=True)):
        one = {name: mask[:, k] for name, mask in masks.items()}
        forward = masked_lstm if masks else SINGLE[cell]
        states = forward(x[k], *parts, b[0], **one)[0][:, -asked:]
        expected = np.mean((states @ V + v - y[k]) ** 2)
        assert losses[k] == pytest.approx(expected)
    for weight, gradient in zip(weights, gradients, strict=True):
        numeric = finite_differences(lambda: loss()[0].sum(), weight)
        assert_close(gradient, numeric, atol=1e-8)


README = (THEORY / "README.md").read_text("utf-8")


def test_readme_names_every_file_of_code():
    for path in THEORY.glob("[a-z]*.py"):
        assert f"]({path.name})" in README, path.name


def test_names_in_the_cells_are_in_the_notation_table():
    section = README.partition("## Notation")[2].partition("\n## ")[0]
    rows = re.findall(r"(?m)^\| \$.*? \| (.*?) \|", section)
    known = {name for row in rows for name in re.findall("[A-Za-z_]+", row)}
    passes = [f for name, f in vars(cells).items() if name.endswith("ward")]
    assert len(passes) == 6  # forward and backward
    names = {n for f in passes for n in inspect.signature(f).parameters}
    # states and gradients follow their symbol: h0, dh, dc
    names = {n.removeprefix("d").removesuffix("0") or n for n in names}
    options = {"cache", "activation", "merge", "forward", "backward"}
    assert names - options <= known


CITATION = re.compile(
    r"([A-Z][a-zà-ü]+)(?:, [A-Z][a-zà-ü]+)*(?:,? & [A-Z][a-zà-ü]+| et al\.)?"
    r",? \(?((?:19|20)\d\d)\b"
)


@pytest.mark.parametrize(
    "path", sorted(THEORY.glob("*.ipynb")), ids=lambda path: path.name
)
def test_every_work_cited_is_in_the_references(path):
    references = README.partition("## References")[2]
    known = {
        (line[2:].split(",")[0], re.search(r"\((\d{4})\)", line)[1])
        for line in references.splitlines()
        if re.match(r"- \S+, .*\(\d{4}\)", line)
    }
    cells = habits.markdown_cells(habits.read(path))
    text = " ".join(word for cell in cells for word in cell.source.split())
    cited = {c for c in CITATION.findall(text) if c[0] not in month_name}
    assert cited <= known
