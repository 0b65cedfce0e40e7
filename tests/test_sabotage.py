"""Four honest mistakes, made on purpose: the suite must see each of them."""

from itertools import combinations

import numpy as np
import pytest
import test_look_ahead as look_ahead

from forecasting.models.base import Forecast
from forecasting.models.features import inputs
from forecasting.models.registry import make_model
from forecasting.models.regressions import HAR
from forecasting.settings import STUDY

HISTORY, FITTED = look_ahead.HISTORY, look_ahead.FITTED
ORIGINS = np.array([FITTED, look_ahead.ORIGIN])


class Contemporaneous(HAR):
    """Reads the session that is to be forecast."""

    def _read(self, prices):
        return np.roll(super()._read(prices), -1, axis=0)

    def predict(self, prices, origins):
        after = min(np.max(origins) + 1, len(prices) - 1)
        said = super().predict(prices, np.append(origins, after))
        return Forecast(said.loc[:-1], said.scale[:-1], said.df[:-1])


class Standstill(HAR):
    """Says of every horizon what it says of the first."""

    def predict(self, prices, origins):
        said = super().predict(prices, origins)
        return said.at((1,) * self.settings.horizons)


class Twin(HAR):
    """HAR under another name, its widths off by no more than rounding."""

    def predict(self, prices, origins):
        said = super().predict(prices, origins)
        return Forecast(said.loc, said.scale * (1 + 1e-13), said.df)


def fitted(model):
    return model.fit({"S": HISTORY[:FITTED]})


@pytest.fixture(scope="module")
def forecasts():
    """What every model of the study says, by name."""
    return {
        name: fitted(make_model(name)).predict(HISTORY, ORIGINS)
        for name in look_ahead.MODELS
    }


def check_widths_grow(forecasts):
    """A forecast further ahead is a wider one: at 20 sessions, twice."""
    for name, said in forecasts.items():
        reported = said.at(STUDY.reported).scale
        assert (np.diff(reported) > 0).all(), name
        assert (reported[:, -1] > 2 * reported[:, 0]).all(), name


def check_no_two_coincide(forecasts):
    """No forecast is another's under a second name."""
    for (one, mine), (two, other) in combinations(forecasts.items(), 2):
        assert not all(
            np.allclose(getattr(mine, p), getattr(other, p), 1e-12, 0)
            for p in ("loc", "scale", "df")
        ), f"{one} is {two}"


CHECKS = [check_widths_grow, check_no_two_coincide]


@pytest.mark.parametrize("check", CHECKS)
def test_the_models_of_the_study_pass(check, forecasts):
    check(forecasts)


@pytest.mark.parametrize("check", CHECKS)
def test_what_one_check_is_for_turns_it_red(check, forecasts):
    broken = {check_widths_grow: Standstill, check_no_two_coincide: Twin}
    said = fitted(broken[check]()).predict(HISTORY, ORIGINS)
    with pytest.raises(AssertionError):
        check(forecasts | {"broken": said})


# Tests that the study's models pass where they stand.
@pytest.mark.parametrize(
    "check",
    [
        look_ahead.test_no_row_after_the_origin_changes_a_forecast,
        look_ahead.test_no_row_between_two_origins_changes_the_earlier_forecast,
    ],
)
def test_a_contemporaneous_regression_turns_the_suite_red(check):
    with pytest.raises(AssertionError):
        check(fitted(Contemporaneous()))


def test_a_scaler_that_saw_the_test_turns_the_suite_red(monkeypatch):
    honest = look_ahead.fit_model

    def peeking(model, histories, dates):
        model = honest(model, histories, dates)
        model.model[0].fit(np.vstack([*map(inputs, histories.values())]))
        return model

    monkeypatch.setattr(look_ahead, "fit_model", peeking)
    with pytest.raises(AssertionError, match="not equal"):
        look_ahead.test_no_fit_reads_a_row_from_the_test_fold_on("Linear")
