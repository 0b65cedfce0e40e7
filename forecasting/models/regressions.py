"""Linear regressions of volatility on what the sessions' ranges tell.

``HAR`` is the field's standard; ``Linear`` reads whatever the networks read.
Both learn from all tickers at once and see no sequence: what a network gains
on them is what recurrence is worth.
"""

import numpy as np
import pandas as pd
from scipy.signal import lfilter
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
HALF_LIFE = 250  # sessions, of how far closes move beside a forecast
SHRINK = 500  # sessions that weigh as much as what is known of all stocks
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


def known_spread(moves: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Standard deviation of a stock's moves, as known at each row, ``(n, H)``.

    ``moves (n, H)``, as of each origin, NaN where there is none. Half of the
    weight is on the last 250 sessions whose outcome had come; the pool's
    ``width (H,)`` weighs as much as 500 of them.
    """
    squares = np.full_like(moves, np.nan)
    for h in range(1, moves.shape[1] + 1):
        squares[h:, h - 1] = moves[:-h, h - 1] ** 2
    there = np.isfinite(squares)
    filters = [1.0], [1.0, -(0.5 ** (1 / HALF_LIFE))]
    total = lfilter(*filters, np.where(there, squares, 0.0), axis=0)
    count = lfilter(*filters, there.astype(float), axis=0)
    variance = (total + SHRINK * width**2) / (count + SHRINK)
    return np.sqrt(variance + TINY)


def shape(units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scale and df of moves over what was known of their spread, ``(H,)``."""
    scale, df = np.transpose([fit_student_t(column) for column in units.T])
    return scale, df


class VarianceForecaster(Forecaster):
    """A pooled forecast of session variance, made a Student-t of the close.

    Subclasses forecast the log of the variance ahead. How closes move beside
    it is learnt as it comes: to each stock its standard deviation per
    horizon, from what had come by the origin; to all of them together the
    shape, as tails are too rare to be known of one stock alone.
    """

    pooled = True
    # Of all stocks, (H,): standard deviation of their moves, and by how much
    # the mean variance is above exp(mean log variance)
    width: np.ndarray
    factor: np.ndarray

    def __init__(self, settings: Settings = STUDY) -> None:
        self.settings = settings

    def fit(self, histories: dict[str, pd.DataFrame]) -> "VarianceForecaster":
        """Fit to ``{ticker: prices}`` up to the training end.

        Raises PriceError where a history is not long enough.
        """
        for ticker, prices in histories.items():
            if len(self._rows(prices)) < self.settings.horizons:
                raise PriceError(
                    f"{ticker}: {len(prices)} rows are too few to learn from"
                )
        self.learn(histories)
        moves, ratios = zip(
            *map(self._errors, histories.values()), strict=True
        )
        self.width = np.sqrt(np.nanmean(np.vstack(moves) ** 2, axis=0))
        self.factor = np.nanmean(np.vstack(ratios), axis=0)
        # Of a large pool, every nth row: a shape is known from fewer.
        nth = -(-sum(map(len, moves)) // SAMPLE)
        units = [(m / known_spread(m, self.width))[::nth] for m in moves]
        self.scale, self.df = shape(np.vstack(units))
        return self

    def predict(self, prices: pd.DataFrame, origins: np.ndarray) -> Forecast:
        """Forecast from the given rows of ``prices``."""
        prices = prices.iloc[: np.max(origins) + 1]  # nothing later is read
        moves, _ = self._errors(prices)
        spread = known_spread(moves, self.width)[origins]
        variance = np.exp(self.log_variance(prices, origins))
        return Forecast(
            location(prices, self.settings)[origins],
            np.sqrt(variance) * spread * self.scale,
            np.tile(self.df, (len(origins), 1)),
            variance * self.factor,
        )

    def _errors(self, prices: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """What came, over what was forecast: two arrays ``(n, H)``.

        Log returns beside the location, over the forecast volatility, and
        session variance over its forecast; NaN where not yet known, and in
        rows too early to learn from.
        """
        first, horizons = self.settings.first, self.settings.horizons
        moves = make_targets(log_close(prices), horizons)
        moves -= location(prices, self.settings)
        ratios = make_targets(np.cumsum(session_variance(prices)), horizons)
        moves[:first] = ratios[:first] = np.nan
        if len(prices) > first:
            rows = np.arange(first, len(prices))
            variance = np.exp(self.log_variance(prices, rows))
            moves[first:] /= np.sqrt(variance)
            ratios[first:] /= variance
        return moves, ratios

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
