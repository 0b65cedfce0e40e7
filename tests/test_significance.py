"""Tests of significance against their formulas, in loops."""

import numpy as np
import pandas as pd
import pytest
from arch.bootstrap import MCS
from scipy import stats
from statsmodels.stats.multitest import multipletests

from forecasting.evaluation.significance import (
    christoffersen,
    confidence_sequence,
    confidence_set,
    daily_coverage,
    diebold_mariano,
    first_look,
    gain_interval,
    holm,
    independence,
    kupiec,
)


@pytest.mark.parametrize("h", [1, 5, 20])
def test_diebold_mariano_is_the_published_formula(h):
    """DM (1995, eq. 6) with the HLN (1997, eq. 9) correction, in loops."""
    rng = np.random.default_rng(h)
    noise = np.convolve(rng.normal(size=400 + h - 1), np.ones(h), "valid")
    loss, rival = noise + 0.1, rng.normal(size=400)
    difference = loss - rival
    n, mean = len(difference), sum(difference) / len(difference)
    variance = sum(
        (difference[t] - mean) * (difference[t + k] - mean) / n
        for k in range(1 - h, h)
        for t in range(max(0, -k), min(n, n - k))
    )
    expected = mean / np.sqrt(variance / n)
    expected *= np.sqrt((n + 1 - 2 * h + h * (h - 1) / n) / n)
    statistic, p = diebold_mariano(pd.Series(loss), pd.Series(rival), h)
    assert statistic == pytest.approx(expected)
    assert p == pytest.approx(2 * stats.t(n - 1).cdf(-abs(expected)))


def test_losses_that_cannot_be_compared_are_no_difference():
    finite, infinite = np.arange(51.0), np.r_[np.inf, np.arange(50.0)]
    assert diebold_mariano(finite, finite.copy(), 5) == (0, 1)
    for rival in (infinite, finite):
        statistic, p = diebold_mariano(infinite, rival, 1)
        assert np.isnan(statistic) and p == 1


@pytest.mark.parametrize(("h", "n"), [(1, 250), (5, 250), (20, 1000)])
def test_diebold_mariano_cries_wolf_as_rarely_as_it_says(h, n):
    """h-step forecasts without skill: 5 % of p-values lie below 5 %."""
    rng = np.random.default_rng(0)
    shocks = rng.normal(size=(400, n + h - 1))
    draws = [np.convolve(shock, np.ones(h), "valid") for shock in shocks]
    p = [diebold_mariano(draw, np.zeros(n), h)[1] for draw in draws]
    # Upper bound: 5 % plus small-sample distortion plus 3 standard errors.
    assert 0.02 < np.mean(np.array(p) < 0.05) < 0.105


@pytest.mark.parametrize(("h", "n"), [(1, 30), (5, 123), (20, 400)])
def test_a_confidence_sequence_is_the_published_boundary(h, n):
    """Howard et al. (2021, eq. 14) in the units of a t-test of the mean."""
    rng = np.random.default_rng(h)
    values = np.convolve(rng.normal(size=n + h - 1), np.ones(h), "valid") + 1
    low, high = confidence_sequence(values, h, alpha=0.02)
    assert (low + high) / 2 == pytest.approx(values.mean())
    # Diebold and Mariano's statistic is the mean in standard errors.
    statistic, _ = diebold_mariano(values, np.zeros(n), h)
    rho = 30  # the boundary of n steps of variance 1, with ρ = η
    boundary = np.sqrt((n + rho) * np.log((n + rho) / (rho * 0.02**2)))
    z = boundary / np.sqrt(n)
    heavier = stats.t(n / h - 1).ppf(stats.norm.cdf(z))
    error = values.mean() / statistic
    assert high - values.mean() == pytest.approx(heavier * error)


@pytest.mark.parametrize("h", [1, 5, 20])
def test_a_confidence_sequence_may_be_looked_at_on_any_day(h):
    """Differences without skill: 95 of 100 draws never exclude zero."""
    rng, alarms, draws = np.random.default_rng(h), 0, 200
    looks = np.arange(first_look(h), 500, 8)
    for _ in range(draws):
        shocks = rng.standard_t(5, size=500 + h - 1)
        values = np.convolve(shocks, np.ones(h), "valid")
        found = (confidence_sequence(values[:n], h) for n in looks)
        alarms += any(low > 0 or high < 0 for low, high in found)
    assert alarms / draws <= 0.05
    # A mean that is not zero is found.
    low, _ = confidence_sequence(values + 2 * values.std(), h)
    assert low > 0
    early = values[: first_look(h) - 1]
    assert confidence_sequence(early, h) == (-np.inf, np.inf)


@pytest.mark.parametrize("size", [1, 2, 30])
def test_holm_is_that_of_statsmodels(size):
    p = np.random.default_rng(size).uniform(size=size).round(1)
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])


def walks(models, dates, seed, h=1):
    """Losses of h-step forecasts, all of one skill, as a table."""
    rng = np.random.default_rng(seed)
    shocks = rng.normal(size=(dates + h - 1, models))
    sums = np.lib.stride_tricks.sliding_window_view(shocks, h, axis=0)
    return pd.DataFrame(sums.sum(axis=2), columns=[*"abcdefgh"[:models]])


@pytest.mark.parametrize(("h", "block"), [(1, 10), (5, 10), (20, 40)])
def test_the_confidence_set_is_that_of_arch(h, block):
    losses = walks(4, 500, seed=h) + [0.0, 0.05, 0.1, 1.0]
    test = MCS(losses, size=0.1, block_size=block, seed=0)
    test.compute()
    expected = test.pvalues["Pvalue"][losses.columns]
    np.testing.assert_allclose(confidence_set(losses, h), expected)
    assert expected["d"] < 0.1 < expected.max() == 1


def test_the_confidence_set_holds_equals_as_often_as_it_says():
    sets = [confidence_set(walks(3, 500, s), 1, 200) for s in range(100)]
    lost = np.mean([p.min() < 0.1 for p in sets])
    assert 0.03 < lost < 0.22  # 10 % and what 100 draws and blocks add


def test_a_twin_and_a_model_that_always_costs_more_change_no_p_value():
    """The one shares its twin's, the other has none."""
    losses = walks(3, 300, seed=3) + [0.0, 0.1, 0.5]
    alone, b = confidence_set(losses, 1), losses["b"]
    p = confidence_set(losses.assign(twin=b, worse=b + 1e-3), 1)
    pd.testing.assert_series_equal(p[["a", "b", "c"]], alone)
    assert p["twin"] == p["b"] > 0 == p["worse"]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"a": np.arange(50.0)}, [1]),
        ({"a": np.ones(50), "b": np.ones(50)}, [1, 1]),
        ({"a": np.ones(50), "b": np.full(50, 2.0)}, [1, 0]),
        ({"a": np.zeros(50), "b": np.zeros(50)}, [1, 1]),
        ({"a": np.r_[np.inf, np.ones(49)], "b": np.ones(50)}, [np.nan, 1]),
        ({"a": np.full(50, np.nan)}, [np.nan]),
        ({"a": np.ones(19), "b": np.zeros(19)}, [np.nan, np.nan]),
        ({"a": np.ones(0)}, [np.nan]),
    ],
)
@pytest.mark.filterwarnings("error")
def test_a_confidence_set_survives_losses_that_cannot_vary(columns, expected):
    p = confidence_set(pd.DataFrame(columns), 1)
    np.testing.assert_array_equal(p, expected)


@pytest.mark.filterwarnings("error")
def test_a_confidence_set_survives_equal_means():
    """Of different series: there is no worst among them."""
    ones = np.tile([0.0, 1.0], 50)
    for other in (1 - ones, np.random.default_rng(0).permutation(ones)):
        p = confidence_set(pd.DataFrame({"a": ones, "b": other}), 1)
        assert (p > 0.5).all()


@pytest.mark.parametrize(
    ("n", "level", "fewest", "most"),
    [
        (255, 0.01, 1, 6),
        (510, 0.01, 2, 10),
        (1000, 0.01, 5, 16),
        (255, 0.05, 7, 20),
        (510, 0.05, 17, 35),
        (1000, 0.05, 38, 64),
    ],
)
def test_kupiec_rejects_where_his_table_does(n, level, fewest, most):
    """Kupiec (1995), non-rejection regions at 5 %: 0 < N < 7 and so on."""
    p = [kupiec(np.arange(n) < hits, level)[1] for hits in range(n + 1)]
    kept = np.flatnonzero(np.array(p) > 0.05)
    assert (kept[0], kept[-1]) == (fewest, most)


@pytest.mark.parametrize("hits", [0, 3, 17, 250])
def test_kupiec_is_a_ratio_of_binomial_likelihoods(hits):
    free, held = (stats.binom(250, p).logpmf(hits) for p in (hits / 250, 0.05))
    statistic, p = kupiec(np.arange(250) < hits, 0.05)
    assert statistic == pytest.approx(2 * (free - held))
    assert p == pytest.approx(stats.chi2(1).sf(2 * (free - held)))


def chain(n, calm, again, seed):
    """Breaches with one probability after none, another after a breach."""
    rng = np.random.default_rng(seed)
    days = [False]
    for _ in range(n - 1):
        days.append(rng.uniform() < (again if days[-1] else calm))
    return np.array(days)


@pytest.mark.parametrize("seed", range(3))
def test_tests_of_runs_are_ratios_of_chains(seed):
    """A G-test of the pairs of days; Christoffersen (1998), day by day."""
    breaches = chain(400, 0.05, 0.3, seed)
    pairs = pd.crosstab(breaches[:-1], breaches[1:])
    expected = stats.chi2_contingency(
        pairs, correction=False, lambda_="log-likelihood"
    )
    assert independence(breaches) == pytest.approx(expected[:2])
    chance = pairs.div(pairs.sum(axis=1), axis=0)
    statistic = 0.0
    for pair in zip(breaches[:-1], breaches[1:], strict=True):
        statistic += 2 * np.log(chance.loc[pair])
        statistic -= 2 * np.log(0.05 if pair[1] else 0.95)
    expected = statistic, stats.chi2(2).sf(statistic)
    assert christoffersen(breaches, 0.05) == pytest.approx(expected)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("breaches", [[], [True], [False] * 9, [True] * 9])
def test_the_tests_of_tails_survive_what_cannot_vary(breaches):
    assert independence(np.array(breaches, bool)) == (0, 1)
    for test in (kupiec, christoffersen):
        statistic, p = test(np.array(breaches, bool), 0.01)
        assert statistic >= 0 and 0 <= p <= 1


def test_the_tests_of_tails_cry_wolf_as_rarely_as_they_say():
    rng = np.random.default_rng(0)
    draws = [rng.uniform(size=1000) < 0.05 for _ in range(1000)]
    for test, most in [
        (lambda draw: kupiec(draw, 0.05), 0.075),
        (lambda draw: christoffersen(draw, 0.05), 0.075),
        (independence, 0.08),
    ]:
        alarms = np.mean([test(draw)[1] < 0.05 for draw in draws])
        assert 0.03 < alarms < most


def test_runs_of_breaches_are_seen_by_independence_only():
    breaches = chain(1000, 0.035, 0.335, 0)  # 5 % in the long run
    assert kupiec(breaches, 0.05)[1] > 0.05
    assert independence(breaches)[1] < 0.001
    assert christoffersen(breaches, 0.05)[1] < 0.001


def shares(n, tickers, together, seed):
    """Daily shares of breaches at 5 % of equally correlated stocks."""
    rng = np.random.default_rng(seed)
    common, own = rng.normal(size=(n, 1)), rng.normal(size=(n, tickers))
    moves = np.sqrt(together) * common + np.sqrt(1 - together) * own
    return (moves < stats.norm.ppf(0.05)).mean(axis=1)


@pytest.mark.parametrize("copies", [1, 2, 7])
def test_stocks_that_always_fall_together_count_as_one(copies):
    one = chain(400, 0.05, 0.05, 0)
    share = np.tile(one[:, None], copies).mean(axis=1)
    assert daily_coverage(share, 0.03) == pytest.approx(kupiec(one, 0.03))


def test_stocks_that_fall_apart_count_as_many():
    """To within the noise of the correlation that was drawn."""
    breaches = np.random.default_rng(0).uniform(size=(100_000, 4)) < 0.05
    found, _ = daily_coverage(breaches.mean(axis=1), 0.047)
    assert found == pytest.approx(kupiec(breaches.ravel(), 0.047)[0], rel=0.02)


def test_coverage_of_many_stocks_counts_what_varies_as_much():
    """Rao & Scott (1981): the ratio over the design effect."""
    share = shares(500, 4, 0.5, 0)
    effect = share.var() / (share.mean() * (1 - share.mean()) / 4)
    hits = round(share.sum() * 4)
    naive, _ = kupiec(np.arange(2000) < hits, 0.06)
    statistic, p = daily_coverage(share, 0.06)
    assert statistic == pytest.approx(naive / effect)
    assert p == pytest.approx(stats.chi2(1).sf(naive / effect))
    assert effect > 1.5


def test_stocks_that_fall_together_are_not_so_many_trials():
    draws = [shares(1000, 4, 0.8, seed) for seed in range(400)]
    alarms = np.mean([daily_coverage(s, 0.05)[1] < 0.05 for s in draws])
    assert 0.02 < alarms < 0.085
    naive = [kupiec(np.arange(4000) < s.sum() * 4, 0.05)[1] for s in draws]
    assert np.mean(np.array(naive) < 0.05) > 0.15


def test_stocks_that_never_breach_count_as_one():
    never = np.zeros(255)
    assert daily_coverage(never, 0.05) == kupiec(never, 0.05)
    assert daily_coverage(never, 0.05)[1] < 0.001
    assert daily_coverage(never + 1, 0.05)[1] < 0.001
    assert daily_coverage(never + 0.05, 0.05)[1] == pytest.approx(1)


def test_the_interval_of_a_gain_is_that_of_the_test():
    """scipy: the paired t interval of independent differences, in per cent."""
    rng = np.random.default_rng(1)
    rival = rng.gamma(2.0, size=400)
    loss = rival - rng.normal(0.02, 0.3, 400)
    dm, p = diebold_mariano(loss, rival, 1)
    gain, low, high = gain_interval(loss, rival, dm)
    oracle = stats.ttest_rel(rival, loss).confidence_interval(0.95)
    unit = rival.mean() / 100
    # Of the variance with n in the denominator, as Diebold and Mariano's.
    assert [low, high] == pytest.approx([x / unit for x in oracle], abs=0.02)
    assert gain == pytest.approx(100 * (1 - loss.mean() / rival.mean()))
    assert (low < 0 < high) == (p > 0.05)
    assert gain_interval(rival, rival, 0.0) == pytest.approx((0, 0, 0))
    assert np.isnan(gain_interval(rival * 0, rival * 0, 0.0)).all()
