"""theory/practice.py: noise inside the cell, layer norm, tasks, tables."""

import numpy as np
import pytest

from forecasting.models.backend import keras, tf
from theory import practice, practice_tasks, training
from theory.cells import logistic, lstm_forward
from theory.tasks import adding_problem

S, N, T, D, H, M = 2, 3, 6, 2, 4, 2
SHAPES = (S, D, 4 * H), (S, H, 4 * H), (S, 1, 4 * H), (S, H, M), (S, 1, M)


def draw(seed, *shapes):
    rng = np.random.default_rng(seed)
    return [0.5 * rng.standard_normal(shape) for shape in shapes]


def batch():
    """Weights, x (T, s, d, n) and y (s, m, n)."""
    return draw(1, *SHAPES), *draw(2, (T, S, D, N), (S, M, N))


def masks(where, fresh, drop=0.4):
    rngs = [np.random.default_rng(k) for k in range(S)]
    return practice.draw_masks(rngs, (T, H, N), drop, where, fresh)


def test_without_masks_it_is_the_training_of_the_other_notes():
    weights, x, y = batch()
    losses, gradients = practice.loss_and_gradients(weights, x, y, {})
    theirs = training.loss_and_gradients("lstm", weights, x, y)
    np.testing.assert_allclose(losses, theirs[0])
    for ours, expected in zip(gradients, theirs[1], strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-12)


@pytest.mark.parametrize("where", "hca")
@pytest.mark.parametrize("fresh", [True, False])
def test_gradients_with_masks_equal_finite_differences(where, fresh):
    weights, x, y = batch()
    noise = masks(where, fresh)
    _, gradients = practice.loss_and_gradients(weights, x, y, noise)
    for array, gradient in zip(weights, gradients, strict=True):
        for index in np.ndindex(array.shape):
            kept, losses = array[index], []
            for shift in (1e-5, -1e-5):
                array[index] = kept + shift
                run = practice.loss_and_gradients(weights, x, y, noise)
                losses.append(run[0].sum())
            array[index] = kept
            slope = (losses[0] - losses[1]) / 2e-5
            assert gradient[index] == pytest.approx(slope, abs=1e-8)


@pytest.mark.parametrize("where", "hca")
def test_masks_have_mean_one_and_their_shape(where):
    fresh, one = (masks(where, fresh)[where] for fresh in (True, False))
    assert fresh.shape == (T, S, H, N) and one.shape == (1, S, H, N)
    np.testing.assert_allclose(np.unique(fresh), [0, 1 / 0.6], rtol=1e-6)
    rngs = [np.random.default_rng(0)]
    many = practice.draw_masks(rngs, (50, 50, 50), 0.3, where, True)[where]
    assert many.mean() == pytest.approx(1, abs=0.01)
    assert practice.draw_masks(rngs, (T, H, N), 0.0, where, True) == {}


def test_a_mask_on_the_cell_state_multiplies_what_is_kept():
    """One unit, f = 1 and i = 0 after the first step: c only fades."""
    z = np.zeros((3, 1, 4, 1))
    z[:, 0, 1] = 1000
    z[1:, 0, 0] = -1000
    z[0, 0, 2] = 0.3
    m = np.array([9, 0.5, 2.5]).reshape(3, 1, 1, 1)
    h = practice.forward(z, np.zeros((1, 1, 4)), {"c": m})[0]
    c = 0.5 * np.tanh(0.3) * 0.5 * 2.5
    assert h.item() == pytest.approx(0.5 * np.tanh(c))


def test_predictions_are_those_of_the_cell():
    x = draw(3, (5, T, D))[0]
    weights = [w.astype("float32") for w in draw(1, *SHAPES)]
    answers = practice.predict(weights, x)
    assert answers.shape == (S, 5, M)
    for says, W, U, b, V, v in zip(answers, *weights, strict=True):
        h = lstm_forward(x, W, U, b[0])[0][:, -1]
        np.testing.assert_allclose(says, h @ V + v, atol=1e-5)


@pytest.mark.parametrize("options", [{}, {"drop": 0.2, "fresh": True}])
@pytest.mark.parametrize("start", practice.STARTS)
def test_train_lowers_the_loss_and_repeats_itself(start, options):
    def task(rng, n):
        return adding_problem(rng, n, 6)

    runs = [
        practice.train(task, range(2), 150, start=start, **options)
        for _ in range(2)
    ]
    np.testing.assert_array_equal(runs[0][0], runs[1][0])
    losses = runs[0][0]
    assert (losses[:, -30:].mean(1) < 0.6 * losses[:, :10].mean(1)).all()


def test_pytorch_weights_are_uniform_within_their_bounds():
    rng = np.random.default_rng(0)
    W, U, b, V, v = practice.pytorch_weights(rng, 3, 64, 2)
    assert [a.shape for a in (W, U, b, V, v)] == [
        (3, 256),
        (64, 256),
        (1, 256),
        (64, 2),
        (1, 2),
    ]
    for array in (W, U, V):
        assert np.abs(array).max() <= 1 / 8
        assert array.std() == pytest.approx(1 / 8 / 3**0.5, rel=0.1)
    assert np.abs(b).max() <= 2 / 8
    assert b.std() == pytest.approx(2**0.5 / 8 / 3**0.5, rel=0.15)


def test_pytorch_has_that_start():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    layer, dense = torch.nn.LSTM(3, 64), torch.nn.Linear(64, 2)
    theirs = [*layer.parameters(), *dense.parameters()]
    for array in theirs:
        array = array.detach().numpy()
        assert np.abs(array).max() <= 1 / 8
    pooled = np.concatenate([a.detach().numpy().ravel() for a in theirs])
    assert pooled.std() == pytest.approx(1 / 8 / 3**0.5, rel=0.02)


def normalised(a, gain=1.0, shift=0.0):
    centred = a - a.mean(axis=-1, keepdims=True)
    return (
        centred / np.sqrt(a.var(axis=-1, keepdims=True) + 1e-3) * gain + shift
    )


def test_layer_norm_cell_equals_numpy():
    keras.utils.set_random_seed(0)
    cell = practice.LayerNormCell(H)
    layer = keras.layers.RNN(cell, return_sequences=True)
    (x,) = draw(4, (N, T, D))
    layer.build(x.shape)
    rng = np.random.default_rng(5)
    layer.set_weights(
        [w + rng.normal(size=w.shape) for w in layer.get_weights()]
    )
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


def test_layer_norm_cell_starts_with_a_forget_bias_of_one():
    cell = practice.LayerNormCell(H)
    cell.build((None, D))
    np.testing.assert_array_equal(cell.b, np.repeat([0, 1, 0, 0], H))


def test_three_at_once_asks_for_the_parity_so_far():
    x, y = practice_tasks.three_at_once(np.random.default_rng(0), 50)
    assert x.shape == (50, 9, 3) and y.shape == (50, 9, 1)
    for row, answers in zip(x, y[..., 0], strict=True):
        for t in range(9):
            assert answers[t] == (row[: t + 1] > 0).sum() % 2


def test_spelled_out_asks_for_the_parity_of_the_words_so_far():
    x, y = practice_tasks.spelled_out(np.random.default_rng(0), 50)
    assert x.shape == (50, 9, 3) and y.shape == (50, 9, 1)
    for row, answers in zip(x, y[..., 0], strict=True):
        for t in range(9):
            words = [row[k : k + 3, 1].sum() >= 2 for k in (0, 3, 6)]
            assert answers[t] == sum(words[: (t + 1) // 3]) % 2
    assert (x[:, :, :2].sum(axis=2) == 1).all()


def test_noisy_sums_have_fifteen_percent_wrong():
    x, y = practice_tasks.noisy_sums(np.random.default_rng(0), 2000)
    truth = x[:, :, :1].cumsum(axis=1) > 0
    assert (truth != y).mean() == pytest.approx(0.15, abs=0.01)


@pytest.mark.parametrize("masks", [{}, {"dropout": 0.3}])
def test_fit_seeds_starts_every_seed_afresh(masks):
    model = practice.network("LSTM", 3, **masks)

    def some(rng):
        return practice_tasks.spelled_out(rng, 64)

    budget = {"batch_size": 32, "epochs": 2}
    one = practice.fit_seeds(model, [1, 2, 1], some, 0.05, **budget)["loss"]
    assert one.shape == (3, 2)
    np.testing.assert_allclose(one[0], one[2], rtol=1e-6)
    assert not np.allclose(one[0], one[1])


def test_the_network_is_compiled_with_one_logit_per_step():
    model = practice.network("layer norm", 3, depth=2)
    assert model.output_shape == (None, 9, 1)
    assert model.jit_compile
    assert isinstance(model.optimizer.learning_rate.value, tf.Variable)


def test_paired_table_judges_by_the_interval_of_the_differences():
    base = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    small = 0.1 * np.array([1.0, -1, 1, -1, 0.5])
    table = practice.paired_table(
        {
            "a": base,
            "b": base - 1 + small,
            "c": base + 1 + small,
            "d": base + small,
        },
        "a",
    )
    assert list(table["verdict"]) == ["", "helped", "hurt", "did not show"]
    # Student's t with 4 degrees of freedom, 97.5 %: 2.7764
    half = 2.7764 * small.std(ddof=1) / 5**0.5
    row = table.loc["c", ["difference", "from", "to"]].astype(float)
    expected = [1.01, 1.01 - half, 1.01 + half]
    np.testing.assert_allclose(row, expected, atol=6e-4)
    assert table.loc["a", "mean"] == "3.000"
    assert table.loc["a", "sd"] == "1.581"
