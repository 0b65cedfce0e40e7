"""The NumPy cells of theory/ equal Keras and finite differences."""

import inspect
import re
from functools import partial
from pathlib import Path

import nbformat
import numpy as np
import pytest
from conftest import finite_differences
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.models.backend import keras, tf
from theory import cells, training
from theory.tasks import adding_problem, random_rnn

THEORY = Path(__file__).resolve().parents[1] / "theory"

SHAPES = [(1, 1, 1, 1), (3, 7, 2, 5), (2, 30, 4, 3)]  # n, T, d, h
PASSES = {
    "rnn": (cells.rnn_forward, cells.rnn_backward),
    "lstm": (cells.lstm_forward, cells.lstm_backward),
    "bilstm": (cells.bilstm_forward, cells.bilstm_backward),
}
sizes = st.tuples(*[st.integers(1, 4)] * 4, st.integers(0, 2**32 - 1))


def draw(seed, *shapes):
    """Arrays of N(0, 0.5²), large enough to leave the linear range."""
    rng = np.random.default_rng(seed)
    return [0.5 * rng.standard_normal(shape) for shape in shapes]


def assert_close(ours, oracle):
    np.testing.assert_allclose(ours, oracle, rtol=0, atol=1e-12)


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


def draw_cell(cell, seed, n, T, d, h):
    """Arrays x, W, U, b, h0 and, for an LSTM, c0, by these names."""
    width = 4 * h if cell == "lstm" else h
    shapes = {"x": (n, T, d), "W": (d, width), "U": (h, width)}
    shapes |= {"b": (width,), "h0": (n, h)}
    shapes |= {"c0": (n, h)} if cell == "lstm" else {}
    return dict(zip(shapes, draw(seed, *shapes.values()), strict=True))


@pytest.mark.parametrize("size", SHAPES)
@pytest.mark.parametrize(
    "cell, activation, layer",
    [
        ("rnn", {}, keras.layers.SimpleRNN),
        (
            "rnn",
            {"activation": "logistic"},
            partial(keras.layers.SimpleRNN, activation="sigmoid"),
        ),
        ("lstm", {}, keras.layers.LSTM),
    ],
)
def test_cell_equals_keras(cell, activation, layer, size):
    values, (forward, backward) = draw_cell(cell, 1, *size), PASSES[cell]
    *states, cache = forward(**values, **activation)
    options = {"return_sequences": True, "return_state": True}
    layer = layer(size[3], dtype="float64", **options)
    weights = {name: values.pop(name) for name in "WUb"}
    outputs, dhs, oracle = keras_gradients(
        layer, values.values(), weights.values(), 2
    )
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


@settings(max_examples=40, deadline=None)
@given(sizes, st.sampled_from(["rnn", "lstm"]))
def test_gradients_equal_finite_differences(size, cell):
    *size, seed = size
    values = draw_cell(cell, seed, *size)
    forward, backward = PASSES[cell]
    *states, cache = forward(**values)
    used = draw(seed + 1, *[state.shape for state in states])

    def loss():
        states = forward(**values)[:-1]
        return sum((s * ds).sum() for s, ds in zip(states, used, strict=True))

    for name, gradient in backward(used[0], cache, *used[1:]).items():
        numeric = finite_differences(loss, values[name])
        error = np.linalg.norm(gradient - numeric)
        assert error < 1e-6 * max(np.linalg.norm(numeric), 1e-3), name


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
def test_training_has_the_losses_of_the_cells_and_their_gradients(cell):
    s, n, T, d, h, m = 2, 3, 6, 2, 4, 2
    width = 4 * h if cell == "lstm" else h
    x, y = draw(20, (s, n, T, d), (s, n, m))
    shapes = (s, d, width), (s, h, width), (s, 1, width), (s, h, m), (s, 1, m)
    weights = draw(21, *shapes)
    batch = weights, x.transpose(2, 0, 3, 1), y.swapaxes(1, 2)
    losses, gradients = training.loss_and_gradients(cell, *batch)
    for k, (W, U, b, V, v) in enumerate(zip(*weights, strict=True)):
        last = PASSES[cell][0](x[k], W, U, b[0])[0][:, -1]
        assert losses[k] == pytest.approx(np.mean((last @ V + v - y[k]) ** 2))
    for weight, gradient in zip(weights, gradients, strict=True):
        numeric = finite_differences(
            lambda: training.loss_and_gradients(cell, *batch)[0].sum(), weight
        )
        np.testing.assert_allclose(gradient, numeric, atol=1e-8)


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
        name for row in rows for name in re.findall(r"[A-Za-z_]+", row[1])
    }
    # states and gradients follow their symbol: h0, dh, dc
    names = {
        name.removeprefix("d").removesuffix("0") or name
        for cell in ("rnn", "lstm", "bilstm")
        for function in PASSES[cell]
        for name in inspect.signature(function).parameters
    }
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
    text = " ".join(
        " ".join(cell.source.split())
        for cell in nbformat.read(path, 4).cells
        if cell.cell_type == "markdown"
    )
    months = "January February March April May June July August September "
    months += "October November December"
    cited = {c for c in CITATION.findall(text) if c[0] not in months.split()}
    assert cited <= known
