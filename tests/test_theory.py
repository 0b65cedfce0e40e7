"""The NumPy cells of theory/ equal Keras and finite differences."""

import inspect
import re
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

THEORY = Path(__file__).resolve().parents[1] / "theory"
sys.path.insert(0, str(THEORY))

import cells  # noqa: E402
import training  # noqa: E402
from tasks import adding_problem, random_rnn  # noqa: E402

from forecasting.backend import keras, tf  # noqa: E402

SHAPES = [(1, 1, 1, 1), (3, 7, 2, 5), (2, 30, 4, 3)]  # n, T, d, h
MERGES = ["concat", "sum", "ave", "mul"]
sizes = st.tuples(*[st.integers(1, 4)] * 4, st.integers(0, 2**32 - 1))


def draw(seed, *shapes):
    """Arrays of N(0, 0.5²), large enough to leave the linear range."""
    rng = np.random.default_rng(seed)
    return [0.5 * rng.standard_normal(shape) for shape in shapes]


def draw_lstm(seed, d, h):
    return tuple(draw(seed, (d, 4 * h), (h, 4 * h), (4 * h,)))


def assert_close(ours, oracle):
    np.testing.assert_allclose(ours, oracle, rtol=1e-6, atol=1e-9)


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
        loss = sum(
            tf.reduce_sum(o * dh) for o, dh in zip(outputs, dhs, strict=True)
        )
    wanted = tensors + [v.value for v in layer.trainable_variables]
    return [o.numpy() for o in outputs], dhs, tape.gradient(loss, wanted)


def finite_differences(loss, array, eps=1e-5):
    """Central differences of loss() by every entry of array, in place."""
    gradient = np.empty_like(array)
    for index in np.ndindex(array.shape):
        kept = array[index]
        array[index] = kept + eps
        above = loss()
        array[index] = kept - eps
        gradient[index] = (above - loss()) / (2 * eps)
        array[index] = kept
    return gradient


def relative_error(a, b):
    return np.linalg.norm(a - b) / max(np.linalg.norm(b), 1e-3)


def float64(layer, h, **options):
    return layer(h, return_sequences=True, dtype="float64", **options)


@pytest.mark.parametrize("n, T, d, h", SHAPES)
@pytest.mark.parametrize("activation", ["tanh", "logistic"])
def test_rnn_equals_keras(n, T, d, h, activation):
    x, h0, W, U, b = draw(1, (n, T, d), (n, h), (d, h), (h, h), (h,))
    name = {"tanh": "tanh", "logistic": "sigmoid"}[activation]
    layer = float64(keras.layers.SimpleRNN, h, activation=name)
    outputs, dhs, oracle = keras_gradients(layer, [x, h0], [W, U, b], 2)
    ours, cache = cells.rnn_forward(x, W, U, b, h0, activation)
    assert_close(ours, outputs[0])
    gradients = cells.rnn_backward(dhs[0], cache)
    for name, expected in zip(("x", "h0", "W", "U", "b"), oracle, strict=True):
        assert_close(gradients[name], expected)


@pytest.mark.parametrize("n, T, d, h", SHAPES)
def test_lstm_equals_keras(n, T, d, h):
    x, h0, c0 = draw(3, (n, T, d), (n, h), (n, h))
    weights = draw_lstm(4, d, h)
    layer = float64(keras.layers.LSTM, h, return_state=True)
    outputs, dhs, oracle = keras_gradients(layer, [x, h0, c0], weights, 5)
    ours, c, cache = cells.lstm_forward(x, *weights, h0, c0)
    for got, expected in zip(
        (ours, ours[:, -1], c[:, -1]), outputs, strict=True
    ):
        assert_close(got, expected)
    dh, dc = dhs[0].copy(), np.zeros_like(c)
    dh[:, -1] += dhs[1]  # Keras also returns the last h and the last c
    dc[:, -1] += dhs[2]
    gradients = cells.lstm_backward(dh, cache, dc)
    names = ("x", "h0", "c0", "W", "U", "b")
    for name, expected in zip(names, oracle, strict=True):
        assert_close(gradients[name], expected)


@pytest.mark.parametrize("n, T, d, h", SHAPES)
@pytest.mark.parametrize("merge", MERGES)
def test_bilstm_equals_keras(n, T, d, h, merge):
    (x,) = draw(6, (n, T, d))
    forward, backward = draw_lstm(7, d, h), draw_lstm(8, d, h)
    layer = keras.layers.Bidirectional(
        float64(keras.layers.LSTM, h), merge_mode=merge, dtype="float64"
    )
    weights = [*forward, *backward]
    outputs, dhs, oracle = keras_gradients(layer, [x], weights, 9)
    ours, cache = cells.bilstm_forward(x, forward, backward, merge)
    assert_close(ours, outputs[0])
    gradients = cells.bilstm_backward(dhs[0], cache)
    got = [gradients["x"]] + [
        gradients[way][name]
        for way in ("forward", "backward")
        for name in ("W", "U", "b")
    ]
    for ours, expected in zip(got, oracle, strict=True):
        assert_close(ours, expected)


@settings(max_examples=25, deadline=None)
@given(sizes, st.sampled_from(["tanh", "logistic"]))
def test_rnn_gradients_equal_finite_differences(size, activation):
    n, T, d, h, seed = size
    shapes = {"x": (n, T, d), "W": (d, h), "U": (h, h), "b": (h,)}
    shapes |= {"h0": (n, h)}
    values = dict(zip(shapes, draw(seed, *shapes.values()), strict=True))
    (dh,) = draw(seed + 1, (n, T, h))

    def loss():
        out, _ = cells.rnn_forward(**values, activation=activation)
        return (out * dh).sum()

    _, cache = cells.rnn_forward(**values, activation=activation)
    for name, gradient in cells.rnn_backward(dh, cache).items():
        numeric = finite_differences(loss, values[name])
        assert relative_error(gradient, numeric) < 1e-6, name


@settings(max_examples=25, deadline=None)
@given(sizes)
def test_lstm_gradients_equal_finite_differences(size):
    n, T, d, h, seed = size
    shapes = {"x": (n, T, d), "W": (d, 4 * h), "U": (h, 4 * h), "b": (4 * h,)}
    shapes |= {"h0": (n, h), "c0": (n, h)}
    values = dict(zip(shapes, draw(seed, *shapes.values()), strict=True))
    dh, dc = draw(seed + 1, (n, T, h), (n, T, h))

    def loss():
        out, c, _ = cells.lstm_forward(**values)
        return (out * dh).sum() + (c * dc).sum()

    *_, cache = cells.lstm_forward(**values)
    for name, gradient in cells.lstm_backward(dh, cache, dc).items():
        numeric = finite_differences(loss, values[name])
        assert relative_error(gradient, numeric) < 1e-6, name


@pytest.mark.parametrize("merge", MERGES)
def test_bilstm_gradients_equal_finite_differences(merge):
    n, T, d, h = 2, 4, 3, 2
    (x,) = draw(10, (n, T, d))
    ways = {"forward": draw_lstm(11, d, h), "backward": draw_lstm(12, d, h)}
    out, cache = cells.bilstm_forward(x, **ways, merge=merge)
    (dh,) = draw(13, out.shape)

    def loss():
        return (cells.bilstm_forward(x, **ways, merge=merge)[0] * dh).sum()

    gradients = cells.bilstm_backward(dh, cache)
    numeric = finite_differences(loss, x)
    assert relative_error(gradients["x"], numeric) < 1e-6
    for way, weights in ways.items():
        for name, array in zip("WUb", weights, strict=True):
            numeric = finite_differences(loss, array)
            assert relative_error(gradients[way][name], numeric) < 1e-6


def test_cell_functions_fit_on_a_screen():
    for name, function in inspect.getmembers(cells, inspect.isfunction):
        assert len(inspect.getsource(function).splitlines()) <= 60, name


def test_adding_problem_marks_one_step_in_each_half():
    x, y = adding_problem(np.random.default_rng(0), 4000, 11)
    assert x.shape == (4000, 11, 2) and y.shape == (4000, 1)
    marks = x[:, :, 1]
    assert (marks[:, :5].sum(axis=1) == 1).all()
    assert (marks[:, 5:].sum(axis=1) == 1).all()
    for numbers, marked, target in zip(x[:, :, 0], marks, y, strict=True):
        assert target == pytest.approx(sum(numbers[marked == 1]))
    assert np.mean((y - 1) ** 2) == pytest.approx(1 / 6, abs=0.01)


@pytest.mark.parametrize("gain", [0.5, 3.0])
@pytest.mark.parametrize("orthogonal", [True, False])
@pytest.mark.parametrize(
    "activation, steepest", [("tanh", 1), ("logistic", 4)]
)
def test_random_rnn_has_the_gain_asked_for(
    gain, orthogonal, activation, steepest
):
    rng = np.random.default_rng(0)
    W, U, b = random_rnn(rng, gain, activation, orthogonal, d=3, h=5)
    values = np.linalg.svd(U, compute_uv=False)
    assert values[0] == pytest.approx(gain * steepest)
    assert (values[-1] == pytest.approx(values[0])) == orthogonal
    # without input it rests where the activation is steepest
    rest = np.full((1, 5), 0.0 if activation == "tanh" else 0.5)
    h, _ = cells.rnn_forward(np.zeros((1, 3, 3)), W, U, b, rest, activation)
    np.testing.assert_allclose(h, rest[:, None].repeat(3, axis=1))


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_training_uses_the_gradients_of_the_cells(cell):
    s, n, T, d, h, m = 2, 3, 6, 2, 4, 2
    width = 4 * h if cell == "lstm" else h
    x, y = draw(20, (s, n, T, d), (s, n, m))
    shapes = (s, d, width), (s, h, width), (s, 1, width), (s, h, m), (s, 1, m)
    weights = draw(21, *shapes)
    losses, gradients = training.loss_and_gradients(
        cell, weights, x.transpose(2, 0, 3, 1), y.swapaxes(1, 2)
    )
    for k in range(s):
        W, U, b, V, v = (w[k] for w in weights)
        states, *_, cache = getattr(cells, f"{cell}_forward")(x[k], W, U, b[0])
        error = states[:, -1] @ V + v - y[k]
        assert losses[k] == pytest.approx(np.mean(error**2))
        dh, dy = np.zeros_like(states), 2 * error / error.size
        dh[:, -1] = dy @ V.T
        expected = getattr(cells, f"{cell}_backward")(dh, cache)
        for got, name in zip(gradients, "WUb", strict=False):
            assert_close(np.squeeze(got[k]), np.squeeze(expected[name]))
        assert_close(gradients[3][k], states[:, -1].T @ dy)
        assert_close(gradients[4][k][0], dy.sum(axis=0))


README = (THEORY / "README.md").read_text(encoding="utf-8")


def test_readme_links_lead_somewhere():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", README):
        assert (THEORY / target).exists(), target


def test_names_in_the_cells_are_in_the_notation_table():
    section = README.partition("## Notation")[2].partition("\n## ")[0]
    rows = [
        row.split(" | ") for row in section.splitlines() if row[:3] == "| $"
    ]
    known = {
        name for row in rows for name in re.findall(r"\b[A-Za-z_]+\b", row[1])
    }
    signatures = [
        inspect.signature(function)
        for name, function in inspect.getmembers(cells, inspect.isfunction)
        if name.endswith(("_forward", "_backward"))
    ]
    # states and gradients follow their symbol: h0, dh, dc
    names = {
        name.removeprefix("d").removesuffix("0") or name
        for signature in signatures
        for name in signature.parameters
    }
    assert names - {"cache", "activation", "merge", "forward", "backward"} <= (
        known
    )


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
    text = " ".join(
        " ".join(cell.source.split())
        for cell in nbformat.read(path, 4).cells
        if cell.cell_type == "markdown"
    )
    months = "January February March April May June July August September "
    months += "October November December"
    cited = {c for c in CITATION.findall(text) if c[0] not in months.split()}
    assert cited <= known
