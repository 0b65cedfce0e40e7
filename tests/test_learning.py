"""What the notes learn and look with: tasks, films, gates, Jacobians."""

from functools import partial

import numpy as np
import pytest

from theory import cells, tasks, watching
from theory.training import CELLS, initial_weights, train_seeds

TASK = partial(tasks.adding_problem, T=12)


def running_sum(rng, n):
    """A task with an answer at every step."""
    x, _ = TASK(rng, n)
    return x, x[:, :, :1].cumsum(axis=1)


@pytest.mark.parametrize("cell", CELLS)
def test_a_film_shows_the_draw_and_what_shorter_training_gives(cell):
    common = {"seeds": [3, 4], "units": 3}
    losses, ends = train_seeds(cell, running_sum, steps=7, **common)
    again, films = train_seeds(cell, running_sum, steps=7, every=3, **common)
    _, early = train_seeds(cell, running_sum, steps=3, **common)
    assert np.array_equal(losses, again)
    for seed, *shown in zip([3, 4], films, early, ends, strict=True):
        drawn = initial_weights(np.random.default_rng(seed), cell, 2, 3, 1)
        for name, first in zip(shown[0], drawn, strict=True):
            film, third, last = (weights[name] for weights in shown)
            assert film.shape == (4, *last.shape)  # 0, 3, 6, the end
            first = first.reshape(last.shape)
            np.testing.assert_allclose(film[0], first, rtol=1e-6)
            assert np.array_equal(film[1], third)
            assert np.array_equal(film[-1], last)
            assert (first != last).all()  # every weight is trained


def test_held_gates_stay_and_the_others_learn():
    held = {"f": 0.9, "o": 0.5}
    _, (film,) = train_seeds("lstm", TASK, [0], 20, held=held, every=20)
    x, _ = TASK(np.random.default_rng(1), 5)
    before, after = ({k: w[at] for k, w in film.items()} for at in (0, -1))
    for w in (before, after):
        cache = cells.lstm_forward(x, w["W"], w["U"], w["b"])[2]
        np.testing.assert_allclose(cache["f"], 0.9, rtol=1e-6)
        np.testing.assert_allclose(cache["o"], 0.5, rtol=1e-6)
    i, c_tilde = np.split(after["W"] - before["W"], 4, axis=1)[::2]
    assert np.abs(i).min() > 0 and np.abs(c_tilde).min() > 0


def networks(cell, rng, s=3, d=2, h=4):
    """Weights of s networks, large enough to leave the linear range."""
    width = 4 * h if cell == "lstm" else h
    shapes = {"W": (s, d, width), "U": (s, h, width), "b": (s, width)}
    return {name: 0.7 * rng.normal(size=size) for name, size in shapes.items()}


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
@pytest.mark.parametrize("k", [1, 4, 9])
def test_jacobians_equal_finite_differences(cell, k):
    rng = np.random.default_rng(7)
    nets, x = networks(cell, rng), rng.normal(size=(2, 9, 2))
    norms = watching.jacobians(cell, nets, x, [2, k])
    forward = {"rnn": cells.rnn_forward, "lstm": cells.lstm_forward}[cell]
    parts = 1 if cell == "rnn" else 2

    def last(state, tail, weights):
        split = [a[None] for a in np.split(state, parts)]
        return forward(tail, *weights, *split)[0][0, -1]

    for s, row in np.ndindex(3, 2):
        weights, whole = [nets[name][s] for name in "WUb"], x[[row]]
        states = forward(whole, *weights)[:parts]
        padded = [np.pad(a, ((0, 0), (1, 0), (0, 0))) for a in states]
        start = np.concatenate([a[0, 9 - k] for a in padded])
        tail = whole[:, 9 - k :], weights
        steps = 1e-6 * np.eye(len(start))
        rise = [last(start + e, *tail) - last(start - e, *tail) for e in steps]
        expected = np.linalg.norm(rise, 2) / 2e-6
        assert norms[s, row, 1] == pytest.approx(expected, rel=1e-5)


def test_slowest_unit_reads_the_gates_of_the_cells():
    rng = np.random.default_rng(8)
    nets, x = networks("lstm", rng), rng.normal(size=(2, 9, 2))
    marks = rng.random((2, 9)) < 0.5
    found = np.transpose(watching.slowest_unit(nets, x, marks))
    for s, (f, at_marks, elsewhere) in enumerate(found):
        weights = [nets[name][s] for name in "WUb"]
        cache = cells.lstm_forward(x, *weights)[2]
        means = cache["f"].mean(axis=(0, 1))
        i = cache["i"][:, :, means.argmax()]
        assert f == pytest.approx(means.max())
        assert at_marks == pytest.approx(i[marks].mean())
        assert elsewhere == pytest.approx(i[~marks].mean())


@pytest.mark.parametrize("T, silent", [(11, 0), (20, 8)])
def test_adding_problem_marks_one_step_in_each_half(T, silent):
    x, y = tasks.adding_problem(np.random.default_rng(0), 4000, T, silent)
    assert x.shape == (4000, T, 2) and y.shape == (4000, 1)
    marks, end = x[:, :, 1], T - silent
    assert (marks[:, : end // 2].sum(axis=1) == 1).all()
    assert (marks[:, end // 2 : end].sum(axis=1) == 1).all()
    assert not marks[:, end:].any()
    np.testing.assert_allclose(y[:, 0], (x[:, :, 0] * marks).sum(axis=1))
    assert np.mean((y - 1) ** 2) == pytest.approx(1 / 6, abs=0.01)


def test_temporal_order_has_two_events_in_the_order_of_its_answer():
    x, y = tasks.temporal_order(np.random.default_rng(0), 200, 11)
    assert (x.sum(axis=2) == 1).all()
    symbols = x.argmax(axis=2)
    for row, bits in zip(symbols, y, strict=True):
        (at,) = np.nonzero(row < 2)
        assert at[0] < 5 <= at[1] and list(row[at]) == list(bits)


def test_latest_value_is_the_last_marked_one():
    x, y = tasks.latest_value(np.random.default_rng(0), 200, 11)
    for row, (answer,) in zip(x, y, strict=True):
        assert answer == row[row[:, 1] == 1, 0][-1]


@pytest.mark.parametrize(
    "make, counted",
    [
        (tasks.three_at_once, lambda read: (read > 0).sum()),
        (tasks.spelled_out, lambda read: sum(words_with_b(read))),
    ],
)
def test_parity_is_that_of_all_read_so_far(make, counted):
    x, y = make(np.random.default_rng(0), 50)
    assert x.shape == (50, 9, 3) and y.shape == (50, 9, 1)
    for row, answers in zip(x, y[..., 0], strict=True):
        for t, answer in enumerate(answers):
            assert answer == counted(row[: t + 1]) % 2


def words_with_b(read):
    """Which words that have ended hold two letters b, or three."""
    assert (read[:, :2].sum(axis=1) == 1).all()  # a letter is a or b
    return [read[k - 2 : k + 1, 1].sum() >= 2 for k in range(2, len(read), 3)]


def test_noisy_sums_have_fifteen_percent_wrong():
    x, y = tasks.noisy_sums(np.random.default_rng(0), 2000)
    truth = x[:, :, :1].cumsum(axis=1) > 0
    assert (truth != y).mean() == pytest.approx(0.15, abs=0.01)


@pytest.mark.parametrize("gain", [0.5, 3.0])
@pytest.mark.parametrize("orthogonal", [True, False])
@pytest.mark.parametrize("activation", ["tanh", "logistic"])
def test_random_rnn_has_the_gain_asked_for(gain, orthogonal, activation):
    steepest, middle = {"tanh": (1, 0.0), "logistic": (4, 0.5)}[activation]
    rng = np.random.default_rng(0)
    W, U, b = tasks.random_rnn(rng, gain, activation, orthogonal, d=3, h=5)
    values = np.linalg.svd(U, compute_uv=False)
    assert values[0] == pytest.approx(gain * steepest)
    assert (values[-1] == pytest.approx(values[0])) == orthogonal
    # without input it rests where the activation is steepest
    rest = np.full((1, 5), middle)
    h, _ = cells.rnn_forward(np.zeros((1, 3, 3)), W, U, b, rest, activation)
    np.testing.assert_allclose(h, rest[:, None].repeat(3, axis=1))
