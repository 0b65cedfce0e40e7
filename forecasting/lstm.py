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
from forecasting.forecast import Forecast
from forecasting.market.prices import PriceError
from forecasting.networks import Network, compiled
from forecasting.windows import (
    HORIZONS,
    LOOKBACK,
    joint_calendar,
    make_targets,
    validation_dates,
)

FIRST = LOOKBACK + 1  # first row that a window can end at
FEWEST = 250  # training rows of a ticker worth learning from
# What follows was chosen on rows before the first test fold, then frozen;
# tests/bench/README.md shows what else was tried.
# A mean return is known so badly that zero must count for something: where
# annual Sharpe ratios are 0 ± 1, the posterior mean of n daily returns is
# n / (n + 252) of their average.
PRIOR_DAYS = 252
STUBBORNNESS = 1.0  # price of a location, against noise learnt by heart
# Share of a learnt correction that is applied: the whole of it gains more on
# average, but its gain varies so much from day to day that it is less sure.
APPLIED = 0.5
SIGMAS = 3.0  # how sure validation rows must be of a location


def shrunken(base: Forecast) -> np.ndarray:
    """GARCH's location, shrunk by how little is known of a mean, ``(n, H)``.

    ``base``: its forecasts from every row of a history.
    """
    days = np.arange(len(base.loc))[:, None]
    return base.loc * days / (days + PRIOR_DAYS)


def correction_loss(truth: tf.Tensor, output: tf.Tensor) -> tf.Tensor:
    """What a correction of the base costs, a mean per window.

    ``truth (batch, 3H)``: returns in units of the base's scale; their
    squares as the sessions' ranges tell them, one on average; the base's
    degrees of freedom. ``output (batch, 2H)``: location in units of the
    base's scale, log factor on it. The cost is the negative log likelihood
    of the Student-t, plus half of QLIKE (Patton 2011) for the ranges: they
    witness the same volatility with far less noise.
    """
    moved, ranged, df = tf.split(truth, 3, axis=1)
    loc, log_scale = tf.split(output, 2, axis=1)
    shrink = tf.exp(-2 * log_scale)
    tails = tf.math.log1p((moved - loc) ** 2 * shrink / df)
    student_t = log_scale + (df + 1) / 2 * tails
    qlike = ranged * shrink / 2 + log_scale
    return tf.reduce_mean(student_t + qlike + STUBBORNNESS * loc**2, axis=1)


class LSTMForecaster:
    """How far the close may move: an LSTM or BiLSTM that corrects GARCH.

    One network, pooled over its tickers, reads the last LOOKBACK sessions
    and corrects GARCH's Student-t for each of the next HORIZONS sessions:
    its scale and its location. Untrained it repeats GARCH's scale. The
    location is GARCH's, shrunk, plus what the network adds where that has
    proved itself on the validation rows. The tails stay GARCH's.
    """

    pooled = True

    def __init__(self, bidirectional: bool = False, seed: int = 0) -> None:
        self.bidirectional = bidirectional
        self.seed = seed

    def fit(self, histories: dict[str, pd.DataFrame]) -> "LSTMForecaster":
        """Fit to ``{ticker: prices}`` up to the training end.

        Raises PriceError where no history is long enough.
        """
        calendar = joint_calendar(histories)
        train_end, valid_start = validation_dates(calendar)
        self.fit_end = calendar[-1]
        rows, truths, training, validation, tested_on = [], [], [], [], []
        offset = 0
        for _, prices in sorted(histories.items()):
            past = prices.loc[:train_end]
            if len(past) < FEWEST:
                continue
            base = _base(past, prices)
            ends = np.arange(FIRST, len(prices) - HORIZONS)
            learnt = ends[ends < len(past) - HORIZONS]
            tested = ends[prices.index[ends] >= valid_start]
            rows.append(_read(prices, base))
            truths.append(_truth(prices, base, learnt))
            training.append(offset + learnt)
            validation.append(offset + tested)
            tested_on.append(prices.index[tested])
            offset += len(prices)
        if not rows:
            raise PriceError(
                f"{', '.join(histories)}: fewer than {FEWEST} rows to learn "
                "from"
            )
        rows, truths = np.concatenate(rows), np.concatenate(truths)
        training = np.concatenate(training)
        validation = np.concatenate(validation)
        self.scaler = StandardScaler().fit(rows[training])
        rows = self.scaler.transform(rows)
        self.weights = self._network().train(
            rows, truths, training, validation, self.seed
        )
        output = self._network().run(self.weights, rows, validation)
        self.trust = trust(
            output[:, :HORIZONS],
            truths[validation][:, :HORIZONS],
            np.concatenate(tested_on),
        )
        return self

    def predict(self, prices: pd.DataFrame, origins: np.ndarray) -> Forecast:
        """Forecast from the given rows of ``prices``, FIRST or later."""
        past = prices.loc[: self.fit_end]
        prices = prices.iloc[: np.max(origins) + 1]  # nothing later is read
        base = _base(past, prices)
        rows = self.scaler.transform(_read(prices, base))
        output = self._network().run(self.weights, rows, origins)
        loc, log_scale = np.split(output, 2, axis=1)
        scale = base.scale[origins]
        return Forecast(
            shrunken(base)[origins] + scale * loc * self.trust,
            scale * np.exp(APPLIED * log_scale),
            base.df[origins],
        )

    def _network(self) -> Network:
        outputs = 2 * HORIZONS
        return compiled(
            FEATURES, outputs, self.bidirectional, True, correction_loss
        )


def trust(
    called: np.ndarray, moved: np.ndarray, dates: np.ndarray
) -> np.ndarray:
    """By how much to multiply each horizon's location, ``(H,)``.

    ``called``, ``moved (m, H)``: what a network said of validation rows, and
    what came; ``dates (m,)``. The slope b of the one on the other, shrunk to
    ``b · max(0, 1 − (limit · se / b)²)`` (James & Stein 1961). Tickers move
    together and targets overlap, so the standard error is clustered by
    blocks of HORIZONS dates (Bester, Conley & Hansen 2011), and the limit is
    SIGMAS for many blocks, more for few. Noise gets 0.
    """
    power = np.maximum((called**2).sum(axis=0), 1e-12)
    slope = np.maximum((called * moved).sum(axis=0) / power, 0.0)
    block = np.unique(dates, return_inverse=True)[1] // HORIZONS
    score = pd.DataFrame(called * (moved - slope * called))
    sums = score.groupby(block).sum().to_numpy()
    others = len(sums) - 1
    if others < 1:
        return np.zeros(HORIZONS)
    error = np.sqrt((sums**2).sum(axis=0) * (1 + 1 / others)) / power
    limit = stats.t.isf(stats.norm.sf(SIGMAS), others)
    share = 1 - (limit * error / np.maximum(slope, 1e-12)) ** 2
    return slope * np.maximum(share, 0.0)


def _base(past: pd.DataFrame, prices: pd.DataFrame) -> Forecast:
    """GARCH's forecast from every row of ``prices``, fitted on ``past``."""
    model = GARCH().fit({"": past})
    return model.predict(prices, np.arange(len(prices)))


def _read(prices: pd.DataFrame, base: Forecast) -> np.ndarray:
    """What the network reads of each session, ``(n, FEATURES)``."""
    return features(prices, base.scale[:, 0])


def _truth(
    prices: pd.DataFrame, base: Forecast, learnt: np.ndarray
) -> np.ndarray:
    """What the network learns from each session, as its loss reads it.

    ``learnt``: the training rows, over which the ranges average one.
    """
    moved = make_targets(log_close(prices), HORIZONS) - shrunken(base)
    ranged = make_targets(np.cumsum(session_variance(prices)), HORIZONS)
    ranged = (ranged + TINY) / base.scale**2
    ranged /= ranged[learnt].mean(axis=0)
    return np.hstack([moved / base.scale, ranged, base.df])
