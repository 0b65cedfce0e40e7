"""HAR and Linear against statsmodels, NumPy and plain loops."""

import numpy as np
import pandas as pd
import pytest
import simulate
import statsmodels.api as sm

from forecasting.market.prices import PriceError
from forecasting.models import features, regressions
from forecasting.models.baselines import fit_student_t
from forecasting.models.features import inputs, log_close, session_variance
from forecasting.models.regressions import HAR, Linear, log_variance_ahead
from forecasting.settings import STUDY

H = STUDY.horizons
HISTORIES = {
    "A": simulate.garch_walk(900, 1),
    "B": simulate.garch_walk(700, 2),
}
ORIGINS = np.arange(620, 690)


def recent(prices):
    """The exponentially weighted volatility, by its definition."""
    variance = session_variance(prices)
    total = weight = 0.0
    found = []
    for value in variance:
        total, weight = total / 2**0.05 + value, weight / 2**0.05 + 1
        found.append(total / weight)
    return np.sqrt(found)


def ahead(prices, row, h):
    """Log of the variance of sessions row + 1 … row + h."""
    return np.log(session_variance(prices)[row + 1 : row + h + 1].sum())


def test_the_target_is_the_variance_of_the_sessions_ahead():
    prices = HISTORIES["A"]
    found = log_variance_ahead(prices, H)
    for row, h in [(0, 1), (300, 5), (879, 20), (898, 1)]:
        # A little is added, for a session without a move.
        assert found[row, h - 1] == pytest.approx(
            ahead(prices, row, h), abs=0.05
        )
        assert found[row, h - 1] > ahead(prices, row, h)
    assert np.isnan(found[-1]).all()
    assert np.isnan(found[-5, 4:]).all()


def test_har_is_statsmodels_regression():
    """On the day, week, month, quarter and the losses, in plain loops."""
    x, y = [], []
    for prices in HISTORIES.values():
        rows, volatility = range(STUDY.first, len(prices) - H), recent(prices)
        x += [regressors(prices, volatility, row) for row in rows]
        y += [*log_variance_ahead(prices, H)[rows][:, [0, 4, 19]]]
    model = HAR().fit(HISTORIES)
    for column, h in enumerate([1, 5, 20]):
        fit = sm.OLS(np.array(y)[:, column], sm.add_constant(x)).fit()
        prices = HISTORIES["A"]
        volatility = recent(prices)
        rows = [regressors(prices, volatility, row) for row in ORIGINS]
        expected = fit.predict(sm.add_constant(rows))
        found = model.log_variance(prices, ORIGINS)[:, h - 1]
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def regressors(prices, volatility, row):
    variance, now = session_variance(prices), volatility[row]
    close = log_close(prices)
    moves = np.diff(close, prepend=close[0]) / volatility

    def past(values, n):
        return values[max(row - n + 1, 0) : row + 1].mean()

    spans = [past(variance, n) + 1e-3 * now**2 for n in (1, 5, 22, 66)]
    losses = [min(past(moves, n), 0) for n in (1, 5, 22)]
    return [*np.log(spans), *losses]


def test_linear_is_ridge_regression_on_what_a_network_reads():
    """By the normal equations, in units of the recent volatility."""
    steps = np.arange(1, H + 1)
    x, y = [], []
    for prices in HISTORIES.values():
        level = 2 * np.log(recent(prices))[:, None] + np.log(steps)
        rows = slice(STUDY.first, len(prices) - H)
        x.append(inputs(prices)[rows])
        y.append((log_variance_ahead(prices, H) - level)[rows])
    x, y = np.vstack(x), np.vstack(y)
    center, spread = x.mean(axis=0), x.std(axis=0)
    z = (x - center) / spread
    left = z.T @ z + 100 * np.eye(z.shape[1])
    weights = np.linalg.solve(left, z.T @ (y - y.mean(axis=0)))
    prices = HISTORIES["B"]
    expected = (inputs(prices)[ORIGINS] - center) / spread @ weights
    expected += y.mean(axis=0) + np.log(steps)
    expected += 2 * np.log(recent(prices))[ORIGINS, None]
    found = Linear().fit(HISTORIES).log_variance(prices, ORIGINS)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_stocks_width_is_of_what_had_come_by_the_origin():
    """In plain loops: half of the weight on 250 sessions, 500 the pool's."""
    model = HAR().fit(HISTORIES)
    squares = {h: [] for h in (1, 20)}
    for prices in HISTORIES.values():
        rows, close = np.arange(len(prices)), log_close(prices)
        volatility = np.exp(model.log_variance(prices, rows) / 2)
        for h in squares:
            moved = close[h:] - close[:-h] - h * np.log(1.05) / 252
            squares[h].append((moved / volatility[:-h, h - 1]) ** 2)
    for k, prices in enumerate(HISTORIES.values()):
        said = model.predict(prices, ORIGINS)
        np.testing.assert_array_equal(said.df[0], model.df)
        volatility = np.exp(model.log_variance(prices, ORIGINS) / 2)
        for h, each in squares.items():
            pool = np.mean(np.concatenate([s[STUDY.first :] for s in each]))
            for n in (0, 69):
                last = ORIGINS[n] - h  # the last whose outcome had come
                came = each[k][STUDY.first : last + 1][::-1]
                weight = 0.5 ** (np.arange(len(came)) / 250)
                total = weight @ came + 500 * pool
                width = np.sqrt(total / (weight.sum() + 500))
                assert said.scale[n, h - 1] == pytest.approx(
                    volatility[n, h - 1] * width * model.scale[h - 1]
                )


def test_the_models_own_variance_is_right_on_average():
    """Of the rows that it has learnt from: a mean of ratios of one."""
    model, ratios = HAR().fit(HISTORIES), []
    for prices in HISTORIES.values():
        rows = np.arange(STUDY.first, len(prices) - H)
        said = model.predict(prices, rows).variance()
        came = [
            session_variance(prices)[row + 1 : row + 21].sum() for row in rows
        ]
        ratios += [*(came / said[:, 19])]
    assert np.mean(ratios) == pytest.approx(1)


@pytest.mark.parametrize("model", [HAR, Linear])
def test_of_a_large_pool_every_nth_row_tells_the_shape(model, monkeypatch):
    """The equations and the pool's width are learnt from all rows."""
    all_rows = model().fit(HISTORIES)
    monkeypatch.setattr(regressions, "SAMPLE", 400)
    few = model().fit(HISTORIES)
    prices = HISTORIES["A"]
    np.testing.assert_array_equal(
        few.log_variance(prices, ORIGINS),
        all_rows.log_variance(prices, ORIGINS),
    )
    np.testing.assert_array_equal(few.width, all_rows.width)
    moves = [few._errors(p)[0] for p in HISTORIES.values()]
    nth = int(np.ceil(1600 / 400))
    units = [
        (m / regressions.known_spread(m, few.width))[::nth] for m in moves
    ]
    shapes = [fit_student_t(column) for column in np.vstack(units).T]
    np.testing.assert_array_equal(np.transpose(shapes), [few.scale, few.df])
    np.testing.assert_allclose(few.scale, all_rows.scale, rtol=0.1)


def test_the_earnings_clock_looks_at_the_quarters_before():
    """A stock that jumps every 63rd session, and one that does not."""
    prices = simulate.random_walk(600, 3)
    jumps = np.zeros(600)
    jumps[40::63] = 0.2
    moved = prices.mul(np.exp(jumps.cumsum()), axis=0).assign(
        Volume=prices["Volume"]
    )
    tomorrow, week, _ = inputs(moved)[:, -3:].T
    before = [40 + 63 * k - 1 for k in range(5, 9)]
    quiet = [row + 30 for row in before[:-1]]
    assert tomorrow[before].min() > tomorrow[quiet].max() + 0.3
    assert week[before].min() > week[quiet].max() + 0.2
    calm = inputs(prices)[:, -3]
    assert np.abs(calm[before]).max() < tomorrow[before].min()


@pytest.mark.parametrize("first, last", [(0, 2), (1, 5), (1, 20)])
def test_the_earnings_clock_is_a_mean_over_the_quarters_there_are(first, last):
    wild = np.random.default_rng(0).normal(size=400)
    column = [(0, 2), (1, 5), (1, 20)].index((first, last))
    found = features._clock(wild)[:, column]
    for row in (10, 62, 63, 100, 200, 399):
        came = [
            wild[row + first - back : row + last - back + 1].mean()
            for back in (63, 126, 189, 252)
            if row + first - back >= 0
        ]
        expected = np.mean(came) if came else 0.0
        assert found[row] == pytest.approx(expected)


def test_inputs_look_alike_for_every_stock_and_currency():
    prices = HISTORIES["A"]
    wild = np.exp(2 * np.log(prices[["Open", "High", "Low", "Close"]]))
    wild["Volume"] = prices["Volume"] * 1000
    mine, theirs = inputs(prices), inputs(wild)
    assert mine.shape == (900, features.INPUTS)
    np.testing.assert_allclose(theirs[1:], mine[1:], atol=0.02)


def test_a_history_without_volume_or_range_has_inputs():
    prices = HISTORIES["A"].copy()
    prices["Volume"] = 0.0
    prices.iloc[400:440, :4] = prices["Close"].iloc[400]
    assert np.isfinite(inputs(prices)).all()
    assert (inputs(prices)[:, [5, 11]] == 0).all()


@pytest.mark.parametrize("model", [HAR, Linear])
def test_too_few_rows_are_refused_in_one_line(model):
    with pytest.raises(PriceError, match="A: 90 rows are too few"):
        model().fit({"A": HISTORIES["A"][:90]})


@pytest.mark.parametrize("trades", ["Sunday to Thursday", "a Saturday once"])
def test_a_market_with_other_weekends_keeps_its_premium(trades):
    prices = HISTORIES["B"]
    days = pd.bdate_range("2000-01-03", periods=len(prices))
    if trades == "a Saturday once":
        days = days.insert(6, pd.Timestamp("2000-01-08")).sort_values()[:-1]
    else:
        days -= pd.Timedelta("1D")
    earned = features.premium(prices.set_axis(days), 0.05)
    assert earned == pytest.approx(np.log(1.05) / 252)
