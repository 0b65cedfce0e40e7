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
from forecasting.models.lstm import LSTMForecaster
from forecasting.pages.tables import learnt_table
from forecasting.settings import STUDY, Settings
from forecasting.windows import (
    before,
    fold_origins,
    joint_calendar,
    learning_rows,
    make_targets,
    rows_needed,
    walk_forward_dates,
)

BRIEF = Settings(epochs=1)  # rows are cut before anything is learnt
LENGTHS = [rows_needed(1), 700, 753, 826, 900, 1000, 1166, 1250, 2000]
SNAPSHOT = prices.load_directory(prices.DATA / "snapshot")


def listed(rows):
    """A simulated stock that trades until today's years, long after 2013."""
    history = simulate.garch_walk(rows, seed=rows)
    days = pd.bdate_range(end="2026-01-30", periods=rows, name="Date")
    return history.set_axis(days)


@pytest.mark.parametrize("rows", LENGTHS)
@pytest.mark.parametrize("peers", [{}, SNAPSHOT], ids=["alone", "snapshot"])
def test_a_stock_is_learnt_from_and_forecast(rows, peers):
    """It trains and validates; four in five closes, give or take chance."""
    history = listed(rows)
    pool = {"NEW": history, **peers}
    (dates,) = walk_forward_dates(history.index, 1)
    past = {ticker: before(p, dates) for ticker, p in pool.items()}
    for ticker, mine in learning_rows(past).items():
        assert len(mine.training) >= 100, ticker
        assert len(mine.validation) >= STUDY.horizons, ticker
        later = past[ticker].index[mine.validation[0]]
        assert past[ticker].index[mine.training[-1] + STUDY.horizons] < later
    model = fit_model(LSTMForecaster(settings=BRIEF), pool, dates)
    origins = fold_origins(history, dates)
    forecast = model.predict(history, origins)
    observed = make_targets(np.log(history["Close"].to_numpy()), 1)[origins]
    inside = np.abs(forecast.at((1,)).pit(observed) - 0.5) < 0.4
    low, high = stats.binom.interval(0.9999, len(origins), 0.8)
    assert low <= inside.sum() <= high


def test_the_reader_is_told_what_each_ticker_taught():
    history = listed(1000)
    (dates,) = walk_forward_dates(history.index, 1)
    table = learnt_table({"NEW": history, **SNAPSHOT}, dates)
    assert list(table.index) == ["NEW", *SNAPSHOT]
    ends = table["training", "to"]
    assert ends["NEW"] > "2023" and ends["IBM"] < "2013"
    last = pd.Timestamp(table.loc["NEW", ("validation", "to")])
    assert (history.index > last).sum() >= STUDY.block + 2 * STUDY.horizons


def test_peers_of_the_same_years_are_cut_at_the_same_dates():
    """No ticker's training rows tell of another's validation rows."""
    past = {t: p.loc[:"2009-01-29"] for t, p in SNAPSHOT.items()}
    rows = learning_rows(past)
    last = {past[t].index[mine.past - 1] for t, mine in rows.items()}
    assert len(last) == 1


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
        lambda h: h.set_axis(pd.bdate_range("1962", periods=len(h))),
    ],
    ids=["tiny", "dear", "no volume", "month at rest", "every day", "1962"],
)
def test_odd_histories_go_through(change):
    history = change(simulate.garch_walk(750, seed=3))
    models = {"LSTM": LSTMForecaster(settings=BRIEF)}
    pool = {"ODD": history}
    scores = walk_forward(models, pool, 1, [0], BRIEF).scores
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
