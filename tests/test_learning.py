"""What note 3 looks with: films of training, held gates, Jacobians."""

from functools import partial

import numpy as np
import pytest

from theory import cells, watching
from theory.tasks import adding_problem, latest_value, temporal_order
from theory.training import initial_weights, train_seeds

TASK = partial(adding_problem, T=12)


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_a_film_starts_at_the_draw_and_ends_where_training_ends(cell):
    common = {"seeds": [3, 4], "steps": 7, "units": 3}
    losses, networks = train_seeds(cell, TASK, **common)
    again, films = train_seeds(cell, TASK, every=3, **common)
    assert np.array_equal(losses, again)
    for seed, network, film in zip([3, 4], networks, films, strict=True):
        drawn = initial_weights(np.random.default_rng(seed), cell, 2, 3, 1)
        for (name, last), first in zip(network.items(), drawn, strict=True):
            assert film[name].shape == (4, *last.shape)  # 0, 3, 6, the end
            assert np.array_equal(film[name][-1], last)
            np.testing.assert_allclose(
                film[name][0],
                np.squeeze(first, 0) if name in "bv" else first,
                rtol=1e-6,
            )


def test_a_film_shows_what_shorter_training_gives():
    common = {"seeds": [5], "units": 3}
    _, (film,) = train_seeds("lstm", TASK, steps=6, every=4, **common)
    _, (short,) = train_seeds("lstm", TASK, steps=4, **common)
    for name, weight in short.items():
        assert np.array_equal(film[name][1], weight)


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


def test_silent_steps_have_no_mark():
    x, y = adding_problem(np.random.default_rng(0), 500, 20, silent=8)
    marks = x[:, :, 1]
    assert not marks[:, 12:].any()
    assert (marks[:, :6].sum(axis=1) == 1).all()
    assert (marks[:, 6:12].sum(axis=1) == 1).all()
    np.testing.assert_allclose(y[:, 0], (x[:, :, 0] * marks).sum(axis=1))


def test_temporal_order_has_two_events_in_the_order_of_its_answer():
    x, y = temporal_order(np.random.default_rng(0), 200, 11)
    assert (x.sum(axis=2) == 1).all()
    symbols = x.argmax(axis=2)
    for row, bits in zip(symbols, y, strict=True):
        (at,) = np.nonzero(row < 2)
        assert at[0] < 5 <= at[1] and list(row[at]) == list(bits)


def test_latest_value_is_the_last_marked_one():
    x, y = latest_value(np.random.default_rng(0), 200, 11)
    for row, (answer,) in zip(x, y, strict=True):
        assert answer == row[row[:, 1] == 1, 0][-1]
