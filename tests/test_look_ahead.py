"""No forecast knows a row after its origin, no model a row after its fold."""

import numpy as np
import pytest
import simulate

from forecasting.evaluation.walk_forward import fit_model
from forecasting.models.baselines import GARCH
from forecasting.models.features import inputs
from forecasting.models.registry import BASELINES, NETWORKS, make_model
from forecasting.settings import STUDY
from forecasting.windows import fold_dates, fold_origins

HISTORY = simulate.garch_walk(1000, seed=4)
FITTED = 780  # rows the models are fitted on
MIDDLE = FITTED + GARCH.REFIT - 1  # at the next row GARCH is refitted
ORIGIN = 949
MODELS = [*BASELINES, *NETWORKS]


def changed(history, first, value):
    """The history with every field from row ``first`` on set or scaled."""
    other = history.copy()
    other.iloc[first:] = value(other.iloc[first:])
    return other


FUTURES = {
    "moved": lambda rows: rows * np.linspace(1.01, 3, len(rows))[:, None],
    "missing": lambda rows: rows * np.nan,
    "absurd": lambda rows: rows * 0 - 1e30,
    "infinite": lambda rows: rows * np.inf,
}


def futures(history, origin):
    """Histories that agree up to a row, and in nothing after it."""
    yield "deleted", history[: origin + 1]
    yield "one row kept", history[: origin + 2]
    for name, value in FUTURES.items():
        yield name, changed(history, origin + 1, value)


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    return make_model(request.param).fit({"S": HISTORY[:FITTED]})


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_no_row_after_the_origin_changes_a_forecast(model):
    """Bit for bit, whatever becomes of the rows after the last origin."""
    origins = np.array([FITTED, MIDDLE, ORIGIN])
    known = model.predict(HISTORY, origins)
    for name, history in futures(HISTORY, ORIGIN):
        other = model.predict(history, origins)
        for part in ("loc", "scale", "df"):
            np.testing.assert_array_equal(
                getattr(other, part), getattr(known, part), name
            )


def test_no_row_between_two_origins_changes_the_earlier_forecast(model):
    """Forecast together, the later origin's rows do not reach the others."""
    origins = np.array([FITTED, MIDDLE, ORIGIN])
    known = model.predict(HISTORY, origins)
    history = changed(HISTORY, MIDDLE + 1, FUTURES["moved"])
    other = model.predict(history, origins)
    for part in ("loc", "scale", "df"):
        np.testing.assert_array_equal(
            getattr(other, part)[:2], getattr(known, part)[:2]
        )


def test_the_last_row_does_change_the_models_that_read_it(model):
    """The test above can fail: it sees what a forecast depends on."""
    origins = np.array([FITTED, ORIGIN])
    known = model.predict(HISTORY, origins)
    other = model.predict(changed(HISTORY, ORIGIN, FUTURES["moved"]), origins)
    same = [
        np.array_equal(getattr(other, part), getattr(known, part))
        for part in ("loc", "scale", "df")
    ]
    constant = type(model).__name__ in ("RandomWalk", "Drift")
    assert all(same) == constant
    for part in ("loc", "scale", "df"):
        np.testing.assert_array_equal(
            getattr(other, part)[0], getattr(known, part)[0]
        )


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("future", ["deleted", "one row kept", *FUTURES])
def test_no_feature_of_a_session_knows_a_later_one(future):
    known = inputs(HISTORY)[: ORIGIN + 1]
    history = dict(futures(HISTORY, ORIGIN))[future]
    other = inputs(history)[: ORIGIN + 1]
    for column in range(known.shape[1]):
        np.testing.assert_array_equal(other[:, column], known[:, column])


@pytest.mark.parametrize("name", sorted({*MODELS} - {"GARCH"}))
def test_no_fit_reads_a_row_from_the_test_fold_on(name):
    """Bit-identical forecasts, whatever the embargo's and later rows were.

    Three tickers whose histories begin and end on different dates.
    """
    long = simulate.garch_walk(700, seed=5)
    histories = {
        "LONG": long,
        "LATE": simulate.garch_walk(672, seed=6).set_axis(long.index[28:]),
        "ENDED": simulate.garch_walk(500, seed=7).set_axis(long.index[:500]),
    }
    dates = fold_dates(histories, 1)[0]
    embargo = long.index.get_loc(dates.test_start) - STUDY.horizons
    assert embargo == 700 - STUDY.block - STUDY.horizons
    model, origins = make_model(name), fold_origins(long, dates)
    if not model.pooled:
        histories = {"LONG": long}

    def forecast(row, future):
        """From true prices, by a fit to some that are not from a row on."""
        first = long.index[row]
        other = {
            t: changed(p, p.index.searchsorted(first), FUTURES[future])
            for t, p in histories.items()
        }
        said = fit_model(model, other, dates).predict(long, origins)
        return said.loc, said.scale, said.df

    known = fit_model(model, histories, dates).predict(long, origins)
    for future in ("moved", "missing"):
        for mine, other in zip(
            (known.loc, known.scale, known.df),
            forecast(embargo, future),
            strict=True,
        ):
            np.testing.assert_array_equal(mine, other)
    # The last rows that train do change it, or the test could not fail.
    if name in {
        "RandomWalk",
        "Drift",
        "HAR",
        "Linear",
    }:  # the others do not learn
        assert not np.array_equal(
            forecast(embargo - 200, "moved")[1], known.scale
        )
