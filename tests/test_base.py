"""A Forecast is a Student-t: its scores against integrals and scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from forecasting.models.base import Forecast

RNG = np.random.default_rng(0)
SHAPE = (6, 3)


@pytest.fixture
def forecast():
    return Forecast(
        RNG.normal(0, 0.02, SHAPE),
        RNG.uniform(0.005, 0.1, SHAPE),
        RNG.uniform(2.2, 60, SHAPE),
    )


def one(loc, scale, df):
    return Forecast(*(np.array([[p]]) for p in (loc, scale, df)))


@given(
    st.floats(-0.1, 0.1),
    st.floats(0.001, 0.5),
    st.floats(1.01, 100),
    st.floats(-6, 6),
)
def test_crps_is_the_integral_of_the_squared_distance(loc, scale, df, z):
    """Gneiting & Raftery (2007), eq. 20: ∫ (F(x) − 1{x ≥ y})² dx."""
    t = stats.t(df)
    below, _ = integrate.quad(lambda x: t.cdf(x) ** 2, -np.inf, z)
    above, _ = integrate.quad(lambda x: t.sf(x) ** 2, z, np.inf)
    score = one(loc, scale, df).crps(np.array([[loc + scale * z]]))
    assert score.item() == pytest.approx(scale * (below + above), rel=1e-5)


def test_quantiles_and_pit_are_those_of_scipy(forecast):
    t = stats.t(forecast.df, forecast.loc, forecast.scale)
    for p in (0.025, 0.1, 0.5, 0.9, 0.975):
        np.testing.assert_allclose(forecast.quantile(p), t.ppf(p), atol=1e-12)
        np.testing.assert_allclose(forecast.pit(t.ppf(p)), p)


def test_close_quantiles_are_in_currency(forecast):
    close = RNG.uniform(10, 500, len(forecast.loc))
    parameters = forecast.df, forecast.loc, forecast.scale
    for row in range(SHAPE[0]):
        for h in range(SHAPE[1]):
            df, loc, scale = (p[row, h] for p in parameters)
            t = stats.t(df, loc, scale)
            expected = close[row] * np.exp(t.ppf(0.9))
            actual = forecast.close_quantile(0.9, close)[row, h]
            assert actual == pytest.approx(expected)


def test_samples_are_calibrated_against_their_own_forecast(forecast):
    samples = forecast.sample(4000, RNG)
    assert samples.shape == (4000, *SHAPE)
    pit = np.array([forecast.pit(sample) for sample in samples])
    p = stats.kstest(pit.reshape(4000, -1), "uniform").pvalue
    assert p.min() > 1e-3 / pit[0].size


def test_the_true_forecast_scores_best_on_its_own_samples():
    """A proper score: wider, narrower or shifted forecasts cost more."""
    truth = one(0.001, 0.02, 5.0)
    samples = truth.sample(20_000, RNG)[:, :, 0]
    best = truth.crps(samples).mean()
    for loc, scale in [(0.001, 0.03), (0.001, 0.013), (0.011, 0.02)]:
        assert one(loc, scale, 5.0).crps(samples).mean() > best


def test_the_log_score_is_minus_the_log_density_of_scipy(forecast):
    returns = RNG.normal(0, 0.1, SHAPE)
    t = stats.t(forecast.df, forecast.loc, forecast.scale)
    np.testing.assert_allclose(forecast.log_score(returns), -t.logpdf(returns))


def test_the_variance_is_that_of_scipy(forecast):
    t = stats.t(forecast.df, forecast.loc, forecast.scale)
    np.testing.assert_allclose(forecast.variance(), t.var())


def test_a_models_own_variance_comes_first(forecast):
    """In an ensemble its logarithm is averaged, as that of the scale."""
    parts = forecast.loc, forecast.scale, forecast.df
    mine, other = (Forecast(*parts, np.full(SHAPE, v)) for v in (1e-4, 4e-4))
    assert (mine.at((1,)).variance() == 1e-4).all()
    joint = Forecast.combine([mine, other])
    np.testing.assert_allclose(joint.variance(), 2e-4)
    np.testing.assert_allclose(joint.crps(parts[0]), mine.crps(parts[0]))


@pytest.mark.parametrize("df", [1.01, 1.5, 2.0])
def test_tails_without_a_variance_have_an_infinite_one(df):
    assert one(0.0, 0.02, df).variance().item() == np.inf


def test_an_unknown_outcome_stays_unknown(forecast):
    returns = np.full(SHAPE, np.nan)
    returns[0, 0] = 0.01
    for method in (forecast.crps, forecast.log_score, forecast.pit):
        score = method(returns)
        assert np.isfinite(score[0, 0])
        assert np.isnan(score).sum() == returns.size - 1


def test_an_ensemble_of_one_is_that_member(forecast):
    alone = Forecast.combine([forecast])
    for name in ("loc", "scale", "df"):
        np.testing.assert_allclose(
            getattr(alone, name), getattr(forecast, name)
        )


def test_an_ensemble_is_not_widened_by_its_members_disagreement():
    both = Forecast.combine([one(-0.1, 0.01, 4.0), one(0.3, 0.04, 9.0)])
    assert both.loc.item() == pytest.approx(0.1)
    assert both.scale.item() == pytest.approx(0.02)  # geometric mean
    assert both.df.item() == pytest.approx(6.0)


def test_members_of_equal_df_combine_to_near_the_mean_quantile():
    """Vincentization; exact where the members' scales agree."""
    members = [one(-0.01, 0.02, 5.0), one(0.02, 0.02, 5.0)]
    for p in (0.05, 0.5, 0.95):
        mean = np.mean([m.quantile(p) for m in members], axis=0)
        both = Forecast.combine(members).quantile(p)
        np.testing.assert_allclose(both, mean)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("loc", np.nan),
        ("loc", np.inf),
        ("scale", 0.0),
        ("scale", -0.01),
        ("scale", np.nan),
        ("df", 0.0),
        ("df", 1.0),  # for which the closed form of the CRPS is NaN
        ("df", np.inf),
    ],
)
def test_what_is_no_distribution_is_refused(name, value):
    parameters = {
        "loc": np.zeros(SHAPE),
        "scale": np.ones(SHAPE),
        "df": np.full(SHAPE, 5.0),
    }
    parameters[name][2, 1] = value
    with pytest.raises(ValueError, match="finite loc, scale > 0 and df > 1"):
        Forecast(**parameters)


@pytest.mark.parametrize("shape", [(6, 2), (6,), ()])
def test_unequal_or_flat_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="origins, horizons"):
        Forecast(np.zeros(shape), np.ones(SHAPE), np.ones(SHAPE))
