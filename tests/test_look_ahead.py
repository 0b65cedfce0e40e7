"""No forecast knows a row after its origin, no model a row after its fold."""

import copy

import numpy as np
import pytest
import simulate

from forecasting.evaluation.walk_forward import fit_model
from forecasting.kept import obtain, pool
from forecasting.models.baselines import GARCH
from forecasting.models.features import inputs
from forecasting.models.lstm import LSTMForecaster
from forecasting.models.registry import BASELINES
from forecasting.models.textbook import TextbookLSTM
from forecasting.settings import STUDY, Settings
from forecasting.windows import fold_dates

HISTORY = simulate.garch_walk(1000, seed=4)
FITTED = 780  # rows the models are fitted on
MIDDLE = FITTED + GARCH.REFIT - 1  # at the next row GARCH is refitted
ORIGIN = 949
# What a network may read does not depend on how long it learnt.
BRIEF = Settings(epochs=2)
MODELS = {
    **{name: model() for name, model in BASELINES.items()},
    "LSTM": LSTMForecaster(settings=BRIEF),
    "BiLSTM": LSTMForecaster(bidirectional=True, settings=BRIEF),
    "textbook close": TextbookLSTM("close", settings=BRIEF),
    "textbook return": TextbookLSTM("return", settings=BRIEF),
}


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
    return copy.deepcopy(MODELS[request.param]).fit({"S": HISTORY[:FITTED]})


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


def test_a_pooled_model_reads_no_ticker_from_the_test_fold_on():
    """Bit-identical weights and calibration, embargo rows perturbed too.

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
    known = fit_model(LSTMForecaster(settings=BRIEF), histories, dates)
    for name in ("moved", "missing"):
        perturbed = {
            ticker: changed(
                history,
                history.index.searchsorted(long.index[embargo]),
                FUTURES[name],
            )
            for ticker, history in histories.items()
        }
        other = fit_model(LSTMForecaster(settings=BRIEF), perturbed, dates)
        for mine, theirs in zip(other.weights, known.weights, strict=True):
            np.testing.assert_array_equal(mine, theirs)
        np.testing.assert_array_equal(other.scale, known.scale)
        np.testing.assert_array_equal(other.df, known.df)
        np.testing.assert_array_equal(other.scaler.mean_, known.scaler.mean_)
    earlier = {  # among them the last rows that train
        ticker: changed(
            history,
            history.index.searchsorted(long.index[embargo - 200]),
            FUTURES["moved"],
        )
        for ticker, history in histories.items()
    }
    other = fit_model(LSTMForecaster(settings=BRIEF), earlier, dates)
    pairs = zip(other.weights, known.weights, strict=True)
    assert not all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("future", FUTURES)
def test_a_kept_fit_reads_no_row_after_the_first_end_of_its_tickers(
    tmp_path, future
):
    """Two fits, of which one could see other rows later, are the same."""
    long = simulate.garch_walk(700, seed=5)
    ended = simulate.garch_walk(500, seed=7).set_axis(long.index[:500])
    checksums = []
    for name, peer in {"known": long, **dict(futures(long, 499))}.items():
        if name not in ("known", future):
            continue
        learning = pool(["ENDED"], {"ENDED": ended, "LONG": peer})
        models = obtain(
            ["GARCH", "Linear"], learning, tmp_path / name, say=str
        )
        assert {m.fit_end for m in models.values()} == {ended.index[-1]}
        checksums.append([m.checksum for m in models.values()])
    assert checksums[0] == checksums[1]
