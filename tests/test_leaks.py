"""The laboratory of theory/leaks.py: what a task sees, and what it says."""

import numpy as np
import pandas as pd
import pytest

from theory import leaks
from theory.cells import bilstm_backward, bilstm_forward


@pytest.fixture
def history():
    rng = np.random.default_rng(0)
    index = pd.bdate_range("2005-01-03", periods=1500)
    close = 50 * np.exp(np.cumsum(0.02 * rng.normal(size=len(index))))
    return pd.DataFrame({"Close": close}, index)


@pytest.mark.parametrize("returns", [False, True])
def test_a_target_is_the_row_after_its_window(history, returns):
    task = leaks.honest(history, returns)
    windows, target = task.scaled()
    for row in task.test[[0, -1]]:
        after = windows[row - leaks.LOOKBACK + 2]  # the next window
        assert target[row] == after[-1]


@pytest.mark.parametrize("returns", [False, True])
def test_no_row_after_the_origin_is_learnt(history, returns):
    task = leaks.honest(history, returns)
    learnt = np.concatenate([task.train, task.valid]) + 1  # their targets
    assert learnt.max() < task.test.min()
    assert task.train.max() + 1 < task.valid.min()
    changed = history.copy()
    changed.iloc[task.train.max() + 2 :] *= 3
    other = leaks.honest(changed, returns)
    for name, value in vars(task.scaler).items():
        np.testing.assert_array_equal(value, vars(other.scaler)[name])


@pytest.mark.parametrize("returns", [False, True])
def test_the_right_answer_is_the_next_close(history, returns):
    task = leaks.honest(history, returns)
    _, target = task.scaled()
    said = task.dollars(target[task.test, 0], task.test)
    np.testing.assert_allclose(said, task.close[task.test + 1], rtol=1e-5)


def test_theils_u_of_persistence_is_one_and_of_the_truth_zero():
    close, rows = np.array([10.0, 11, 10, 12]), np.arange(3)
    said = np.stack([close[:-1], close[1:]])
    np.testing.assert_array_equal(leaks.theils_u(close, said, rows), [1, 0])


def test_both_ways_has_the_gradients_of_the_cells():
    rng = np.random.default_rng(0)
    seeds, n, T, h = 2, 3, 5, 4
    shapes = (1, 4 * h), (h, 4 * h), (1, 4 * h), (h, 1)
    weights = [rng.normal(size=(2 * seeds, *shape)) for shape in shapes]
    weights.append(rng.normal(size=(seeds, 1, 1)))
    x, y = rng.normal(size=(2, seeds, n, T, 1))
    said, gradients = leaks._both_ways(weights, x, y)
    for k in range(seeds):
        ways = [
            (W, U, b[0])
            for W, U, b in zip(
                *(w[2 * k : 2 * k + 2] for w in weights[:3]), strict=True
            )
        ]
        V = np.concatenate(weights[3][2 * k : 2 * k + 2])
        out, cache = bilstm_forward(x[k], *ways)
        expected = out @ V + weights[4][k, 0]
        np.testing.assert_allclose(said[k], expected[:, :, 0])
        dy = 2 * (expected - y[k]) / (n * T)
        g = bilstm_backward(dy @ V.T, cache)
        for way, name in enumerate(["forward", "backward"]):
            for got, w in zip(gradients[:3], "WUb", strict=True):
                oracle = g[name][w].reshape(got[2 * k + way].shape)
                np.testing.assert_allclose(got[2 * k + way], oracle)
        dV = np.tensordot(out, dy, [(0, 1), (0, 1)])
        got = np.concatenate(gradients[3][2 * k : 2 * k + 2])
        np.testing.assert_allclose(got, dV)
        np.testing.assert_allclose(gradients[4][k], dy.sum().reshape(1, 1))


def test_every_weight_of_both_directions_is_trained(history, monkeypatch):
    seen, update = [], leaks.adam

    def spy(weights, *rest):
        seen.append(np.concatenate([w.ravel() for w in weights]))
        update(weights, *rest)

    monkeypatch.setattr(leaks, "adam", spy)
    monkeypatch.setattr(leaks, "UPDATES", 2)
    answers = leaks._both_ways
    used = []

    def record(weights, x, y):
        used.append(np.concatenate([w.ravel() for w in weights]))
        return answers(weights, x, y)

    monkeypatch.setattr(leaks, "_both_ways", record)
    leaks.forecast_every_step(leaks.honest(history, True), 2)
    assert (seen[0] != seen[1]).mean() > 0.99
    np.testing.assert_array_equal(seen[1], used[1])
