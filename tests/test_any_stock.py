"""Any history from the stated minimum on is learnt from, beside any peers."""

import numpy as np
import pandas as pd
import pytest
import simulate
from scipy import stats

from forecasting.evaluation.verdict import POOLED
from forecasting.evaluation.walk_forward import fit_model, walk_forward
from forecasting.market import prices
from forecasting.models.base import Forecast, Forecaster
from forecasting.models.registry import make_model
from forecasting.models.vintage import LSTM
from forecasting.settings import STUDY
from forecasting.windows import (
    before,
    fold_origins,
    joint_calendar,
    make_targets,
    rows_needed,
    walk_forward_dates,
)

LENGTHS = [rows_needed(1), 700, 753, 826, 900, 1000, 1166, 1250, 2000]
SNAPSHOT = prices.load_directory(prices.DATA / "snapshot")


def listed(rows):
    """A simulated stock that trades until today's years, long after 2013."""
    history = simulate.garch_walk(rows, seed=rows)
    days = pd.bdate_range(end="2026-01-30", periods=rows, name="Date")
    return history.set_axis(days)


@pytest.mark.parametrize("rows", LENGTHS)
@pytest.mark.parametrize("name", ["LSTM", "Linear"])
@pytest.mark.parametrize("peers", [{}, SNAPSHOT], ids=["alone", "snapshot"])
def test_a_stock_is_learnt_from_and_forecast(rows, name, peers):
    """Four in five closes, give or take chance."""
    history = listed(rows)
    (dates,) = walk_forward_dates(history.index, 1)
    model = fit_model(make_model(name), {"NEW": history, **peers}, dates)
    origins = fold_origins(history, dates)
    forecast = model.predict(history, origins)
    observed = make_targets(np.log(history["Close"].to_numpy()), 1)[origins]
    inside = np.abs(forecast.at((1,)).pit(observed) - 0.5) < 0.4
    low, high = stats.binom.interval(0.9999, len(origins), 0.8)
    assert low <= inside.sum() <= high


def seven_days(history):
    days = pd.date_range(end="2026-01-30", periods=len(history), name="Date")
    return history.set_axis(days)


def test_a_coins_weekends_do_not_shorten_a_stocks_year():
    """252 of the stock's sessions are a test year; the embargo counts its."""
    stock, coin = listed(1500), seven_days(simulate.garch_walk(1200, seed=2))
    (dates,) = walk_forward_dates(joint_calendar({"S": stock, "C": coin}), 1)
    assert (stock.index >= dates.test_start).sum() == STUDY.block
    for history in (stock, coin):
        tested = (history.index >= dates.test_start).sum()
        untold = len(history) - tested - len(before(history, dates))
        assert untold >= STUDY.horizons


@pytest.mark.parametrize(
    "change",
    [
        lambda h: h.assign(**(h.drop(columns="Volume") * 1e-6)),
        lambda h: h.assign(**(h.drop(columns="Volume") * 5000)),
        lambda h: h.assign(Volume=0.0),
        lambda h: (
            pd.concat([h[:400], h[399:400].iloc[[0] * 25], h[425:]])
            .assign(Open=lambda x: x["Close"])
            .set_axis(h.index)
        ),
        seven_days,
    ],
    ids=["tiny", "dear", "no volume", "month at rest", "every day"],
)
def test_odd_histories_go_through(change):
    history = change(simulate.garch_walk(750, seed=3))
    pool = {"ODD": history}
    scores = walk_forward({"LSTM": LSTM()}, pool, 1, [0]).scores
    assert np.isfinite(scores[["rmse", "crps", "theil_u"]]).all(axis=None)


def test_a_year_without_a_move_is_scored_without_a_verdict():
    """Nothing over zero is no number, and no difference is significant."""
    history = simulate.garch_walk(900, seed=5)
    history.iloc[-290:, :4] = history["Close"].iloc[-290]

    class Upward(Forecaster):
        def fit(self, histories):
            return self

        def predict(self, prices, origins):
            shape = len(origins), STUDY.horizons
            return Forecast(*(np.full(shape, x) for x in (0.01, 0.02, 5.0)))

    summary = walk_forward({"up": Upward()}, {"S": history}, 1).summary
    up = summary[summary["model"] == "up"]
    assert up["theil_u"].isna().all()
    assert (up["p_point"] == 1).all() and (up["p_crps"] == 1).all()
    assert set(summary["ticker"]) == {POOLED, "S"}
