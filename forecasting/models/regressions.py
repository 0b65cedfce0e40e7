"""Linear regressions of volatility on what the sessions' ranges tell.

``HAR`` is the field's standard; ``Linear`` reads whatever the networks read.
Both learn from all tickers at once and see no sequence: what a network gains
on them is what recurrence is worth.
"""

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from forecasting.market.prices import PriceError
from forecasting.models.base import Forecast, Forecaster
from forecasting.models.baselines import fit_student_t, location
from forecasting.models.features import (
    INPUTS,
    TINY,
    inputs,
    log_close,
    mean_of_last,
    recent_volatility,
    session_variance,
)
from forecasting.settings import STUDY, Settings
from forecasting.windows import make_targets

STILL = 1e-3  # of the recent variance: a session without a move has a log
SAMPLE = 65536  # moves that are enough to tell the shape of a large pool


def log_variance_ahead(prices: pd.DataFrame, horizons: int) -> np.ndarray:
    """Log of the session variance summed over the next 1 … H sessions.

    ``(n, horizons)``, NaN where the future is not yet known: what the
    regressions and the networks learn. Near Gaussian, and far less noisy
    than a squared return (Andersen, Bollerslev, Diebold & Ebens 2001).
    """
    ahead = make_targets(np.cumsum(session_variance(prices)), horizons)
    usual = recent_volatility(prices)[:, None] ** 2
    return np.log(ahead + STILL * usual * np.arange(1, horizons + 1))


def level(prices: pd.DataFrame, horizons: int) -> np.ndarray:
    """Log of the variance ahead, were it as lately, ``(n, horizons)``."""
    ahead = np.arange(1, horizons + 1)
    return np.log(recent_volatility(prices)[:, None] ** 2 * ahead)


class VarianceForecaster(Forecaster):
    """A pooled forecast of session variance, made a Student-t of the close.

    Subclasses forecast the log of the variance ahead. How closes move beside
    it is fitted on the training rows: to each stock its standard deviation
    per horizon, to all of them together the shape, as tails are too rare to
    be known of one stock alone.
    """

    pooled = True

    def __init__(self, settings: Settings = STUDY) -> None:
        self.settings = settings

    def fit(self, histories: dict[str, pd.DataFrame]) -> "VarianceForecaster":
        """Fit to ``{ticker: prices}`` up to the training end.

        Raises PriceError where a history is not long enough.
        """
        self.fit_end = max(prices.index[-1] for prices in histories.values())
        for ticker, prices in histories.items():
            if len(self._rows(prices)) < self.settings.horizons:
                raise PriceError(
                    f"{ticker}: {len(prices)} rows are too few to learn from"
                )
        self.learn(histories)
        # Of a large pool, every nth row: a shape is known from fewer.
        count = sum(len(self._rows(prices)) for prices in histories.values())
        nth = -(-count // SAMPLE)
        moves = [
            self._moves(prices, nth) / self.spread(prices)
            for prices in histories.values()
        ]
        fits = [fit_student_t(column) for column in np.vstack(moves).T]
        self.scale, self.df = np.transpose(fits)
        return self

    def predict(self, prices: pd.DataFrame, origins: np.ndarray) -> Forecast:
        """Forecast from the given rows of ``prices``."""
        spread = self.spread(prices.loc[: self.fit_end])
        prices = prices.iloc[: np.max(origins) + 1]  # nothing later is read
        volatility = np.exp(self.log_variance(prices, origins) / 2)
        return Forecast(
            location(prices, self.settings)[origins],
            volatility * spread * self.scale,
            np.tile(self.df, (len(origins), 1)),
        )

    def spread(self, past: pd.DataFrame) -> np.ndarray:
        """Standard deviation of the moves of a stock's training rows, (H,).

        In units of the forecast volatility.
        """
        return np.sqrt(np.mean(self._moves(past) ** 2, axis=0) + TINY)

    def _moves(self, past: pd.DataFrame, nth: int = 1) -> np.ndarray:
        """Log returns beside location and forecast volatility, (rows, H).

        From every ``nth`` of the rows that a model learns from.
        """
        rows, horizons = self._rows(past)[::nth], self.settings.horizons
        moves = make_targets(log_close(past), horizons)
        moves -= location(past, self.settings)
        return moves[rows] / np.exp(self.log_variance(past, rows) / 2)

    def _rows(self, past: pd.DataFrame) -> np.ndarray:
        """Rows with enough sessions before and a known future."""
        return np.arange(
            self.settings.first, len(past) - self.settings.horizons
        )

    def learn(
        self, histories: dict[str, pd.DataFrame]
    ) -> "VarianceForecaster":
        """Estimate what ``log_variance`` needs from the training rows.

        The first half of ``fit``: enough for one who needs no distribution.
        """
        raise NotImplementedError

    def log_variance(
        self, prices: pd.DataFrame, rows: np.ndarray
    ) -> np.ndarray:
        """Forecast of ``log_variance_ahead`` from some rows, (rows, H)."""
        raise NotImplementedError


class _Regression(VarianceForecaster):
    """One linear regression for all tickers, an equation per horizon."""

    READS: int  # numbers of a session

    def learn(self, histories: dict[str, pd.DataFrame]) -> "_Regression":
        """Estimate the equations from ``{ticker: prices}``."""
        rows = [self._rows(prices) for prices in histories.values()]
        count, end = sum(map(len, rows)), 0
        # Filled part by part: a list of the parts would be gigabytes more.
        x = np.empty((count, self.READS))
        y = np.empty((count, self.settings.horizons))
        for prices, these in zip(histories.values(), rows, strict=True):
            start, end = end, end + len(these)
            ahead = log_variance_ahead(prices, self.settings.horizons)
            x[start:end] = self._read(prices)[these]
            y[start:end] = (ahead - self._level(prices))[these]
        self.model = self._model().fit(x, y)
        return self

    def log_variance(
        self, prices: pd.DataFrame, rows: np.ndarray
    ) -> np.ndarray:
        """Forecast of ``log_variance_ahead`` from some rows, (rows, H)."""
        found = self.model.predict(self._read(prices)[rows])
        # scikit-learn has no second axis where there is one horizon.
        return found.reshape(len(rows), -1) + self._level(prices)[rows]

    def _level(self, prices: pd.DataFrame) -> np.ndarray:
        """What the regression is relative to, broadcastable to (n, H)."""
        return np.zeros((len(prices), 1))

    def _read(self, prices: pd.DataFrame) -> np.ndarray:
        """What the regression reads of each session, ``(n, d)``."""
        raise NotImplementedError

    def _model(self):
        """The regression of scikit-learn."""
        raise NotImplementedError


class HAR(_Regression):
    """Heterogeneous autoregression of the log session variance (Corsi 2009).

    Ordinary least squares on its mean over the last day, week, month and
    quarter, and on the negative part of the mean return over day, week and
    month: the leverage terms of Corsi & Renò (2012).
    """

    READS = 7

    def _read(self, prices: pd.DataFrame) -> np.ndarray:
        close, variance = log_close(prices), session_variance(prices)
        now = recent_volatility(prices)
        moves = np.diff(close, prepend=close[0]) / now
        past = [mean_of_last(variance, n) for n in (1, 5, 22, 66)]
        losses = [np.minimum(mean_of_last(moves, n), 0) for n in (1, 5, 22)]
        return np.transpose([*np.log(past + STILL * now**2), *losses])

    def _model(self) -> LinearRegression:
        return LinearRegression(copy_X=False)


class Linear(_Regression):
    """The network without its recurrence: ridge regression on its inputs.

    Reads ``features.inputs`` of the origin's session only, learns the same
    target, and becomes a distribution in the same way.
    """

    READS = INPUTS
    PENALTY = 100.0  # against some thousand rows: next to none

    def _read(self, prices: pd.DataFrame) -> np.ndarray:
        return inputs(prices)

    def _level(self, prices: pd.DataFrame) -> np.ndarray:
        return level(prices, self.settings.horizons)

    def _model(self):
        # Nobody else holds what it reads, so it need not be copied.
        return make_pipeline(
            StandardScaler(copy=False), Ridge(self.PENALTY, copy_X=False)
        )
