"""Baselines against scipy, arch's own forecasts and plain loops."""

import numpy as np
import pandas as pd
import pytest
import simulate
from arch import arch_model
from scipy import stats

from forecasting.market.prices import PriceError
from forecasting.models.baselines import (
    EWMA,
    GARCH,
    Climatology,
    Drift,
    LongClimatology,
    RandomWalk,
    fit_student_t,
    garch_variance,
)
from forecasting.models.features import log_close
from forecasting.models.registry import BASELINES
from forecasting.settings import STUDY

STEPS = np.arange(1, STUDY.horizons + 1)
PRICES = simulate.garch_walk(1400, seed=3)
RETURNS = np.diff(log_close(PRICES), prepend=np.nan)
LEARNT = 1000
ORIGINS = np.arange(1000, 1395)
FITTED = [n for n in BASELINES if not n.startswith("Pool")]
VOLATILITY = FITTED[2:]  # all but the random walks


def fitted(model):
    return model().fit({"S": PRICES[:LEARNT]})


def volatility(model):
    """What a fitted model makes of its fitted scale, per origin."""
    return model.predict(PRICES, ORIGINS).scale / model.scale


@pytest.mark.parametrize("df", [3, 6, 20])
def test_student_t_fit_is_scipys(df):
    sample = stats.t(df, 0, 0.02).rvs(4000, random_state=df)
    expected_df, _, expected_scale = stats.t.fit(sample, floc=0)
    sample = np.append(sample, [np.nan, np.nan])
    scale, fit_df = fit_student_t(sample)
    assert scale == pytest.approx(expected_scale, rel=2e-3)
    assert fit_df == pytest.approx(expected_df, rel=2e-2)


def test_student_t_fit_bounds_the_tails():
    rng = np.random.default_rng(0)
    assert fit_student_t(rng.uniform(-1, 1, 2000))[1] == pytest.approx(100)
    assert fit_student_t(rng.standard_cauchy(2000))[1] == pytest.approx(2.1)


@pytest.mark.parametrize("h", [1, 5, 20])
def test_random_walk_is_the_student_t_of_past_moves(h):
    close = log_close(PRICES)[:LEARNT]
    df, _, scale = stats.t.fit(close[h:] - close[:-h], floc=0)
    forecast = fitted(RandomWalk).predict(PRICES, ORIGINS)
    assert (forecast.loc == 0).all()
    np.testing.assert_allclose(forecast.scale[:, h - 1], scale, rtol=5e-3)
    if df < 50:  # the likelihood is flat where the tails are normal
        np.testing.assert_allclose(forecast.df[:, h - 1], df, rtol=0.05)


def test_drift_gains_the_mean_training_return_every_session():
    forecast = fitted(Drift).predict(PRICES, ORIGINS)
    close = log_close(PRICES)[:LEARNT]
    mean = (close[-1] - close[0]) / (LEARNT - 1)
    expected = np.tile(mean * STEPS, (len(ORIGINS), 1))
    np.testing.assert_allclose(forecast.loc, expected)


def test_ewma_weighs_squared_returns_by_their_age():
    for row, actual in zip(ORIGINS, volatility(fitted(EWMA)), strict=True):
        weights = [0.94**age for age in range(row)]
        squares = [RETURNS[row - age] ** 2 for age in range(row)]
        variance = np.dot(weights, squares) / sum(weights)
        np.testing.assert_allclose(
            actual, np.sqrt(variance * STEPS), rtol=1e-6
        )


@pytest.mark.parametrize(
    ("model", "window"), [(Climatology, 250), (LongClimatology, 1000)]
)
def test_climatology_is_the_last_sessions(model, window):
    widths = volatility(fitted(model))
    for k, row in enumerate(ORIGINS):
        lately = RETURNS[row + 1 - window : row + 1]
        expected = lately.std(ddof=1) * np.sqrt(STEPS)
        np.testing.assert_allclose(widths[k], expected, rtol=1e-6)
    # A young stock's are all that it has had, once they are a year.
    young = RETURNS[max(1, 601 - window) : 601]
    said = model().fit({"S": PRICES[:500]})
    width = said.predict(PRICES, np.array([600])).scale / said.scale
    np.testing.assert_allclose(width, [young.std(ddof=1) * np.sqrt(STEPS)])


def test_garch_variance_is_what_arch_forecasts():
    mu, omega, alpha, gamma, beta = 0.03, 0.02, 0.04, 0.09, 0.88
    model = arch_model(100 * RETURNS[1:], p=1, o=1, q=1, dist="t")
    fixed = model.fix([mu, omega, alpha, gamma, beta, 6.0])
    forecast = fixed.forecast(horizon=STUDY.horizons, start=0)
    expected = forecast.variance.to_numpy().cumsum(axis=1) / 1e4
    params = np.array([mu / 100, omega / 1e4, alpha, gamma, beta])
    start = np.nanvar(RETURNS)
    variance = garch_variance(RETURNS, params, start, STUDY.horizons)
    # The first session's variance is a guess, forgotten after a while.
    late = slice(700, None)
    np.testing.assert_allclose(variance[1:][late], expected[late], rtol=1e-5)


def test_garch_is_refitted_every_half_year_on_the_rows_so_far():
    model = fitted(GARCH)
    forecast = model.predict(PRICES, ORIGINS)
    widths = forecast.scale / model.scale
    for rows, first, last in [
        (LEARNT, 1000, 1125),
        (LEARNT + 127, 1126, 1251),  # row 1126 knows 1,127 rows
        (LEARNT + 253, 1252, 1377),
    ]:
        learnt = 100 * RETURNS[1:rows]
        arch = arch_model(learnt, p=1, o=1, q=1, dist="t", rescale=False)
        params = arch.fit(disp="off").params
        every = arch_model(100 * RETURNS[1:], p=1, o=1, q=1, dist="t")
        for row in (first, last):
            expected = every.fix(params).forecast(
                horizon=STUDY.horizons, start=row - 1
            )
            variance = expected.variance.to_numpy()[0].cumsum() / 1e4
            k = row - ORIGINS[0]
            np.testing.assert_allclose(widths[k], np.sqrt(variance), rtol=1e-4)


def pegged(seed, deviation, decimals):
    """A coin around one dollar: nothing for the optimiser to hold on to."""
    rng = np.random.default_rng(seed)
    close = 1 + deviation * rng.standard_normal(len(PRICES)).round(decimals)
    bars = {name: close for name in ("Open", "High", "Low", "Close")}
    return pd.DataFrame(bars | {"Volume": 1e6}, PRICES.index)


def test_garch_that_does_not_converge_is_refused_by_name():
    """arch reports some failures as success: means of −100 % a session."""
    refused = 0
    for seed in range(8):
        prices = pegged(seed, 1e-4, 0)
        returns, model = np.diff(log_close(prices[:LEARNT])), GARCH()
        try:
            model.fit({"USDT-USD": prices[:LEARNT]})
        except PriceError as error:
            refused += 1
            text = "USDT-USD: GARCH did not converge on 999 returns"
            assert str(error) == text
        else:
            assert returns.min() <= model.params[0] <= returns.max()
    assert refused
    # Nor is a later estimate, every half year, used unseen.
    with pytest.raises(PriceError, match="S: GARCH did not converge on 1,"):
        fitted(GARCH).predict(pegged(0, 1e-7, 16), ORIGINS)


@pytest.mark.parametrize("name", VOLATILITY)
def test_models_of_volatility_share_one_location(name):
    """5 % a year of 252 sessions, whatever the stock did before."""
    forecast = fitted(BASELINES[name]).predict(PRICES, ORIGINS)
    expected = np.tile(np.log(1.05) / 252 * STEPS, (len(ORIGINS), 1))
    np.testing.assert_allclose(forecast.loc, expected)


@pytest.mark.parametrize("name", VOLATILITY)
@pytest.mark.parametrize("kind", ["coin", "currency"])
def test_what_is_no_share_has_no_premium(name, kind):
    if kind == "coin":
        days = pd.date_range("2000-01-01", periods=len(PRICES))
        prices = PRICES.set_axis(days)
    else:
        prices = PRICES.assign(Volume=0.0)
    model = BASELINES[name]().fit({"S": prices[:LEARNT]})
    assert (model.predict(prices, ORIGINS).loc == 0).all()


@pytest.mark.parametrize("name", FITTED)
def test_the_currency_does_not_matter(name):
    model = BASELINES[name]
    cents = PRICES * 100
    there = fitted(model).predict(PRICES, ORIGINS)
    here = model().fit({"S": cents[:LEARNT]}).predict(cents, ORIGINS)
    np.testing.assert_allclose(here.loc, there.loc, atol=2e-5)
    np.testing.assert_allclose(here.scale, there.scale, rtol=5e-3)


@pytest.mark.parametrize("name", FITTED)
def test_intervals_cover_what_they_say_on_the_training_rows(name):
    model = fitted(BASELINES[name])
    origins = np.arange(300, LEARNT - STUDY.horizons)
    forecast = model.predict(PRICES, origins)
    close = log_close(PRICES)
    for h in (1, 5):
        moved = np.zeros((len(origins), STUDY.horizons))
        moved[:, h - 1] = close[origins + h] - close[origins]
        inside = np.abs(forecast.pit(moved)[:, h - 1] - 0.5) <= 0.4
        assert inside.mean() == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize("name", FITTED)
def test_a_price_that_never_moved_still_has_a_forecast(name):
    flat = PRICES * 0 + 25.0
    model = BASELINES[name]().fit({"S": flat[:LEARNT]})
    forecast = model.predict(flat, ORIGINS)
    low, high = (
        forecast.close_quantile(p, np.full(len(ORIGINS), 25.0))
        for p in (0.01, 0.99)
    )
    # Only the premium, which it never earned, can move it.
    assert (np.abs(low - 25) < 0.4).all()
    assert (np.abs(high - 25) < 0.4).all()
