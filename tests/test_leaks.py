"""The laboratory of theory/leaks.py: what a task sees, and what it says."""

import numpy as np
import pandas as pd
import pytest

from theory import leaks


@pytest.fixture
def history():
    rng = np.random.default_rng(0)
    index = pd.bdate_range("2005-01-03", periods=1500)
    close = 50 * np.exp(np.cumsum(0.02 * rng.normal(size=len(index))))
    return pd.DataFrame({"Close": close}, index)


@pytest.fixture(params=[False, True])
def task(history, request):
    return leaks.honest(history, returns=request.param)


def test_a_target_is_the_row_after_its_window(task):
    windows, target = task.scaled()
    for row in task.test[[0, -1]]:
        after = windows[row - leaks.LOOKBACK + 2]  # the next window
        assert target[row] == after[-1]


def test_no_row_after_the_origin_is_learnt(history, task):
    learnt = np.concatenate([task.train, task.valid]) + 1  # their targets
    assert learnt.max() < task.test.min()
    assert task.train.max() + 1 < task.valid.min()
    changed = history.copy()
    changed.iloc[task.train.max() + 2 :] *= 3
    other = leaks.honest(changed, task.returns)
    for name, value in vars(task.scaler).items():
        np.testing.assert_array_equal(value, vars(other.scaler)[name])


def test_the_right_answer_is_the_next_close(task):
    _, target = task.scaled()
    said = task.dollars(target[task.test, 0], task.test)
    np.testing.assert_allclose(said, task.close[task.test + 1], rtol=1e-5)


def test_theils_u_of_persistence_is_one_and_of_the_truth_zero():
    close, rows = np.array([10.0, 11, 10, 12]), np.arange(3)
    said = np.stack([close[:-1], close[1:]])
    np.testing.assert_array_equal(leaks.theils_u(close, said, rows), [1, 0])


def test_the_bilstm_reads_the_answers_that_stand_in_its_window(history):
    """All but the last, which is chance: the returns are independent."""
    task = leaks.honest(history, True)
    said, rows = leaks.forecast_every_step(task, 2)
    assert np.isin(rows, task.test).all()
    *inside, last = (
        leaks.theils_u(task.close, said[:, :, t], rows[:, t])
        for t in range(leaks.LOOKBACK)
    )
    assert np.max(inside) < 0.5 and last.min() > 0.95
