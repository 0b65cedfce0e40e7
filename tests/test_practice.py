"""theory/practice.py: noise inside the cell, layer norm, tables."""

from functools import partial
from itertools import product

import numpy as np
import pytest

from forecasting.models.backend import keras
from theory import practice
from theory.cells import logistic, lstm_forward
from theory.tasks import adding_problem, spelled_out

N, T, D, H = 3, 6, 2, 4


@pytest.mark.parametrize("where", "hca")
def test_masks_have_mean_one_and_their_shape(where):
    def masks(fresh, shape=(T, H, N), drop=0.4):
        rngs = [np.random.default_rng(k) for k in range(2)]
        return practice.draw_masks(rngs, shape, drop, where, fresh)[where]

    assert masks(True).shape == (T, 2, H, N)
    assert masks(False).shape == (1, 2, H, N)
    np.testing.assert_allclose(np.unique(masks(True)), [0, 5 / 3], rtol=1e-6)
    many = masks(True, (50, 50, 50), 0.3)
    assert many.mean() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("options", [{}, {"drop": 0.2, "fresh": True}])
@pytest.mark.parametrize("start", practice.STARTS)
def test_train_lowers_the_loss_and_repeats_itself(start, options):
    task = partial(adding_problem, T=6)
    losses, networks = practice.train(task, range(2), 150, start, **options)
    again, _ = practice.train(task, range(2), 150, start, **options)
    np.testing.assert_array_equal(losses, again)
    assert (losses[:, -30:].mean(1) < 0.6 * losses[:, :10].mean(1)).all()
    x, _ = task(np.random.default_rng(7), 5)
    for said, w in zip(practice.predict(networks, x), networks, strict=True):
        h = lstm_forward(x, w["W"], w["U"], w["b"])[0][:, -1]
        np.testing.assert_allclose(said, h @ w["V"] + w["v"], atol=1e-5)


@pytest.mark.parametrize("start", practice.STARTS)
def test_train_begins_at_its_start(start):
    task = partial(adding_problem, T=6)
    _, (network,) = practice.train(task, [0], 0, start)
    drawn = practice.STARTS[start](np.random.default_rng(0), d=2, h=8, m=1)
    np.testing.assert_allclose(network["W"], drawn[0], rtol=1e-6)


def test_every_kind_of_dropout_trains_another_network():
    task = partial(adding_problem, T=6)
    ends = [practice.train(task, [0], 5)[1]]
    for where, fresh in product("hca", (True, False)):
        kind = {"drop": 0.5, "where": where, "fresh": fresh}
        ends.append(practice.train(task, [0], 5, **kind)[1])
    assert len({network["U"].tobytes() for (network,) in ends}) == 7


def test_pytorch_weights_are_uniform_within_their_bounds():
    rng = np.random.default_rng(0)
    W, U, b, V, v = practice.pytorch_weights(rng, 3, 64, 2)
    shapes = [(3, 256), (64, 256), (1, 256), (64, 2), (1, 2)]
    assert [a.shape for a in (W, U, b, V, v)] == shapes
    for array in (W, U, V):
        assert np.abs(array).max() <= 1 / 8
        assert array.std() == pytest.approx(1 / 8 / 3**0.5, rel=0.1)
    assert np.abs(b).max() <= 2 / 8
    assert b.std() == pytest.approx(2**0.5 / 8 / 3**0.5, rel=0.15)


def normalised(a, gain=1.0, shift=0.0):
    mean, variance = a.mean(1, keepdims=True), a.var(1, keepdims=True)
    return (a - mean) / np.sqrt(variance + 1e-3) * gain + shift


def test_layer_norm_cell_has_a_forget_bias_of_one_and_equals_numpy():
    keras.utils.set_random_seed(0)
    cell = practice.LayerNormCell(H)
    layer = keras.layers.RNN(cell, return_sequences=True)
    rng = np.random.default_rng(5)
    x = 0.5 * rng.normal(size=(N, T, D))
    layer.build(x.shape)
    np.testing.assert_array_equal(cell.b, np.repeat([0, 1, 0, 0], H))
    moved = [w + rng.normal(size=w.shape) for w in layer.get_weights()]
    layer.set_weights(moved)
    norms = cell.norm_x, cell.norm_h, cell.norm_c
    W, U, b = (w.numpy() for w in (cell.W, cell.U, cell.b))
    g_x, g_h = (norm.gamma.numpy() for norm in norms[:2])
    g_c, shift = cell.norm_c.gamma.numpy(), cell.norm_c.beta.numpy()
    h, c = np.zeros((2, N, H))
    for t in range(T):
        z = normalised(x[:, t] @ W, g_x) + normalised(h @ U, g_h) + b
        i, f, c_tilde, o = np.split(z, 4, axis=1)
        c = logistic(f) * c + logistic(i) * np.tanh(c_tilde)
        h = logistic(o) * np.tanh(normalised(c, g_c, shift))
        out = layer(x.astype("float32")).numpy()
        np.testing.assert_allclose(out[:, t], h, atol=2e-5)


@pytest.mark.parametrize("masks", [{}, {"dropout": 0.3}])
def test_fit_seeds_starts_every_seed_afresh(masks):
    model = practice.network("LSTM", 3, **masks)
    given = [1, 2, 1], partial(spelled_out, n=64), 0.05
    one = practice.fit_seeds(model, *given, batch_size=32, epochs=2)["loss"]
    assert one.shape == (3, 2)
    np.testing.assert_allclose(one[0], one[2], rtol=1e-6)
    assert not np.allclose(one[0], one[1])


def test_paired_table_judges_by_the_interval_of_the_differences():
    base = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    small = 0.1 * np.array([1.0, -1, 1, -1, 0.5])
    scores = {"a": base, "b": base - 1 + small, "c": base + 1 + small}
    table = practice.paired_table(scores | {"d": base + small}, "a")
    assert list(table["verdict"]) == ["", "helped", "hurt", "did not show"]
    # Student's t with 4 degrees of freedom, 97.5 %: 2.7764
    half = 2.7764 * small.std(ddof=1) / 5**0.5
    row = table.loc["c", ["difference", "from", "to"]].astype(float)
    expected = [1.01, 1.01 - half, 1.01 + half]
    np.testing.assert_allclose(row, expected, atol=6e-4)
    assert table.loc["a", "mean"] == "3.000"
    assert table.loc["a", "sd"] == "1.581"
