"""LSTM and BiLSTM forecasters of the close.

``LSTMForecaster`` says how far the close may move; ``TextbookLSTM`` says
where it goes, as most tutorials do.
"""

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.preprocessing import StandardScaler

from forecasting.backend import tf
from forecasting.baselines import GARCH, TINY
from forecasting.features import (
    FEATURES,
    features,
    log_close,
    session_variance,
)
from forecasting.forecast import Forecast, Forecaster
from forecasting.networks import Network
from forecasting.settings import STUDY, Settings
from forecasting.windows import learning_rows, make_targets

STUBBORNNESS = 1.0  # price of a location, against noise learnt by heart
SIGMAS = 3.0  # how sure validation rows must be of a location


def shrunken(base: Forecast, settings: Settings) -> np.ndarray:
    """GARCH's location, shrunk by how little is known of a mean, ``(n, H)``.

    ``base``: its forecasts from every row of a history.
    """
    days = np.arange(len(base.loc))[:, None]
    return base.loc * days / (days + settings.prior_days)


def correction_loss(target: tf.Tensor, output: tf.Tensor) -> tf.Tensor:
    """What a correction of the base costs, a mean per window.

    ``target (batch, 3H)``: log returns in units of the base's scale; their
    squares as the sessions' ranges tell them, one on average; the base's
    degrees of freedom. ``output (batch, 2H)``: location in units of the
    base's scale, log factor on it. The cost is the negative log likelihood
    of the Student-t, plus half of QLIKE (Patton 2011) for the ranges: they
    witness the same volatility with far less noise.
    """
    returns, ranged, df = tf.split(target, 3, axis=1)
    loc, log_scale = tf.split(output, 2, axis=1)
    shrink = tf.exp(-2 * log_scale)
    tails = tf.math.log1p((returns - loc) ** 2 * shrink / df)
    student_t = log_scale + (df + 1) / 2 * tails
    qlike = ranged * shrink / 2 + log_scale
    return tf.reduce_mean(student_t + qlike + STUBBORNNESS * loc**2, axis=1)


class LSTMForecaster(Forecaster):
    """How far the close may move: an LSTM or BiLSTM that corrects GARCH.

    One network, pooled over its tickers, reads the last ``lookback``
    sessions and corrects GARCH's Student-t for each session ahead: its scale
    and its location. Untrained it repeats GARCH's scale. The location is
    GARCH's, shrunk, plus what the network adds where that has proved itself
    on the validation rows. The tails stay GARCH's.
    """

    pooled = True

    def __init__(
        self,
        bidirectional: bool = False,
        seed: int = 0,
        settings: Settings = STUDY,
    ) -> None:
        self.seed = seed
        self.settings = settings
        self.network = Network(
            settings,
            FEATURES,
            2 * settings.horizons,
            bidirectional,
            True,
            correction_loss,
        )

    def fit(self, histories: dict[str, pd.DataFrame]) -> "LSTMForecaster":
        """Fit to ``{ticker: prices}`` up to the training end.

        Raises PriceError where a history is not long enough.
        """
        self.fit_end = max(prices.index[-1] for prices in histories.values())
        learning = learning_rows(histories, self.settings)
        horizons = self.settings.horizons
        days = sum(map(len, histories.values()))
        targets = np.empty((days, 3 * horizons), np.float32)
        rows, training, validation, dates = [], [], [], []
        start = 0
        for ticker, prices in sorted(histories.items()):
            mine = learning[ticker]
            base = self._base(prices[: mine.past], prices)
            rows.append(_read(prices, base))
            end = start + len(prices)
            targets[start:end] = self._targets(prices, base, mine.training)
            training.append(start + mine.training)
            validation.append(start + mine.validation)
            dates.append(prices.index[mine.validation])
            start = end
        rows, training = np.concatenate(rows), np.concatenate(training)
        validation = np.concatenate(validation)
        self.scaler = StandardScaler().fit(rows[training])
        rows = self.scaler.transform(rows)
        self.weights = self.network.train(
            rows, targets, training, validation, self.seed
        )
        self.trust = trust(
            self.network.run(self.weights, rows, validation)[:, :horizons],
            targets[validation, :horizons].astype(float),
            np.concatenate(dates),
        )
        return self

    def predict(self, prices: pd.DataFrame, origins: np.ndarray) -> Forecast:
        """Forecast from the given rows of ``prices``.

        Raises PriceError for a row before ``settings.first``.
        """
        past = prices.loc[: self.fit_end]
        prices = prices.iloc[: np.max(origins) + 1]  # nothing later is read
        base = self._base(past, prices)
        rows = self.scaler.transform(_read(prices, base))
        output = self.network.run(self.weights, rows, origins)
        loc, log_scale = np.split(output, 2, axis=1)
        scale = base.scale[origins]
        mean = shrunken(base, self.settings)[origins]
        return Forecast(
            mean + scale * loc * self.trust,
            scale * np.exp(self.settings.applied * log_scale),
            base.df[origins],
        )

    def _base(self, past: pd.DataFrame, prices: pd.DataFrame) -> Forecast:
        """GARCH's forecast from every row of ``prices``, fitted on past."""
        model = GARCH(self.settings).fit({"": past})
        return model.predict(prices, np.arange(len(prices)))

    def _targets(
        self, prices: pd.DataFrame, base: Forecast, training: np.ndarray
    ) -> np.ndarray:
        """What the network learns from each session, as its loss reads it.

        ``training``: the rows over which the ranges average one.
        """
        horizons = self.settings.horizons
        returns = make_targets(log_close(prices), horizons)
        returns -= shrunken(base, self.settings)
        ranged = make_targets(np.cumsum(session_variance(prices)), horizons)
        ranged = (ranged + TINY) / base.scale**2
        ranged /= ranged[training].mean(axis=0)
        return np.hstack([returns / base.scale, ranged, base.df])


def _read(prices: pd.DataFrame, base: Forecast) -> np.ndarray:
    """What the network reads of each session, ``(n, FEATURES)``."""
    return features(prices, base.scale[:, 0])


def trust(
    forecast: np.ndarray, observed: np.ndarray, dates: np.ndarray
) -> np.ndarray:
    """By how much to multiply each horizon's location, ``(H,)``.

    ``forecast``, ``observed (m, H)`` on validation rows; ``dates (m,)``. The
    slope b of observed on forecast, shrunk to
    ``b · max(0, 1 − (limit · se / b)²)`` (James & Stein 1961). Tickers move
    together and targets overlap, so the standard error is clustered by
    blocks of H dates (Bester, Conley & Hansen 2011), and the limit is
    SIGMAS for many blocks, more for few. Noise gets 0.
    """
    horizons = forecast.shape[1]
    power = np.maximum((forecast**2).sum(axis=0), 1e-12)
    slope = np.maximum((forecast * observed).sum(axis=0) / power, 0.0)
    block = np.unique(dates, return_inverse=True)[1] // horizons
    score = pd.DataFrame(forecast * (observed - slope * forecast))
    sums = score.groupby(block).sum().to_numpy()
    others = len(sums) - 1
    if others < 1:
        return np.zeros(horizons)
    error = np.sqrt((sums**2).sum(axis=0) * (1 + 1 / others)) / power
    limit = stats.t.isf(stats.norm.sf(SIGMAS), others)
    share = 1 - (limit * error / np.maximum(slope, 1e-12)) ** 2
    return slope * np.maximum(share, 0.0)
