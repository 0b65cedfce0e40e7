"""Tests of significance against their formulas, in loops."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from forecasting.significance import diebold_mariano, holm


@pytest.mark.parametrize("h", [1, 5, 20])
def test_diebold_mariano_is_the_published_formula(h):
    """DM (1995, eq. 6) with the HLN (1997, eq. 9) correction, in loops."""
    rng = np.random.default_rng(h)
    noise = np.convolve(rng.normal(size=400 + h - 1), np.ones(h), "valid")
    loss, rival = noise + 0.1, rng.normal(size=400)
    difference = loss - rival
    n, mean = len(difference), sum(difference) / len(difference)
    variance = 0.0
    for k in range(-(h - 1), h):
        for t in range(n):
            if 0 <= t + k < n:
                variance += (
                    (difference[t] - mean) * (difference[t + k] - mean) / n
                )
    expected = mean / np.sqrt(variance / n)
    expected *= np.sqrt((n + 1 - 2 * h + h * (h - 1) / n) / n)
    statistic, p = diebold_mariano(pd.Series(loss), pd.Series(rival), h)
    assert statistic == pytest.approx(expected)
    assert p == pytest.approx(2 * stats.t(n - 1).cdf(-abs(expected)))


def test_equal_losses_are_no_difference():
    loss = pd.Series(np.arange(50.0))
    assert diebold_mariano(loss, loss.copy(), 5) == (0.0, 1.0)


@pytest.mark.parametrize(("h", "n"), [(1, 250), (5, 250), (20, 1000)])
def test_diebold_mariano_cries_wolf_as_rarely_as_it_says(h, n):
    """h-step forecasts without skill: 5 % of p-values lie below 5 %."""
    rng = np.random.default_rng(0)
    draws = 400
    zero = pd.Series(np.zeros(n))
    alarms = 0
    for _ in range(draws):
        shocks = rng.normal(size=n + h - 1)
        overlapping = np.convolve(shocks, np.ones(h), "valid")
        alarms += diebold_mariano(pd.Series(overlapping), zero, h)[1] < 0.05
    # Upper bound: 5 % plus small-sample distortion plus 3 standard errors.
    assert 0.02 < alarms / draws < 0.105


def test_holm_adjusts_step_by_step():
    p = pd.Series([0.01, 0.04, 0.03, 0.005])
    # By hand: 4 × 0.005, 3 × 0.01, 2 × 0.03, then never below the one before.
    assert holm(p) == pytest.approx([0.03, 0.06, 0.06, 0.02])
