"""LSTM and BiLSTM that correct a linear forecast of volatility."""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler

from forecasting.models.backend import tf
from forecasting.models.features import INPUTS, inputs
from forecasting.models.networks import Network
from forecasting.models.regressions import (
    Linear,
    VarianceForecaster,
    log_variance_ahead,
    restore_scaler,
    scaler_state,
)
from forecasting.settings import STUDY, Settings
from forecasting.windows import learning_rows

OUTLIER = 4.0  # standard deviations: a crash is not to be learnt by heart


class LSTMForecaster(VarianceForecaster):
    """How far the close may move: an LSTM or BiLSTM on top of ``Linear``.

    One network, pooled over its tickers, reads the last ``lookback``
    sessions, of each what ``Linear`` reads of the last one, and learns with
    squared error what ``Linear`` leaves of the log variance ahead. Its
    output starts at zero: untrained it repeats ``Linear``, and all that it
    adds is recurrence.
    """

    def __init__(
        self,
        bidirectional: bool = False,
        seed: int = 0,
        settings: Settings = STUDY,
    ) -> None:
        super().__init__(settings)
        self.seed: int = seed
        self.network = Network(
            settings, INPUTS, settings.horizons, bidirectional
        )

    def learn(self, histories: dict[str, pd.DataFrame]) -> "LSTMForecaster":
        """Fit ``Linear``; train the network on what it leaves."""
        learning = learning_rows(histories, self.settings)
        self.linear = Linear(self.settings).learn(histories)
        # What a regression leaves of rows it was fitted on is no measure of
        # what it misses, so the one to learn from saw no validation row.
        early = Linear(self.settings).learn(
            {t: prices[: learning[t].past] for t, prices in histories.items()}
        )
        # Of a large pool these two are the gigabytes: filled, then scaled,
        # where they stand.
        count = sum(map(len, histories.values()))
        rows = np.empty((count, INPUTS), np.float32)
        missed = np.empty((count, self.settings.horizons), np.float32)
        trained, validated, end = [], [], 0
        for ticker, prices in sorted(histories.items()):
            start, end = end, end + len(prices)
            rows[start:end] = inputs(prices)
            ahead = log_variance_ahead(prices, self.settings.horizons)
            linear = early.log_variance(prices, np.arange(len(prices)))
            missed[start:end] = ahead - linear
            trained.append(start + learning[ticker].training)
            validated.append(start + learning[ticker].validation)
        training, validation = map(np.concatenate, (trained, validated))
        self.scaler = StandardScaler(copy=False).fit(rows[training])
        # In its own units, or the noisiest horizon would rule the loss.
        self.unit = missed[training].std(axis=0)
        missed /= self.unit
        missed = np.clip(missed, -OUTLIER, OUTLIER, out=missed)
        # One after the other becomes a tensor, and its array is free to go.
        missed = tf.constant(missed)
        rows = tf.constant(self.scaler.transform(rows))
        self.weights = self.network.train(
            rows, missed, training, validation, self.seed
        )
        return self

    def log_variance(
        self, prices: pd.DataFrame, rows: np.ndarray
    ) -> np.ndarray:
        """Forecast of the log variance ahead from some rows, ``(rows, H)``.

        Raises PriceError for a row before ``settings.first``.
        """
        read = self.scaler.transform(inputs(prices))
        added = self.network.run(self.weights, read, rows) * self.unit
        return self.linear.log_variance(prices, rows) + added

    def spread(self, past: pd.DataFrame) -> np.ndarray:
        """As ``Linear`` has it, which is cheaper and all but the same."""
        return self.linear.spread(past)

    def learnt(self) -> dict[str, np.ndarray]:
        """All but the network's weights: its scaler, its unit, ``Linear``."""
        linear = self.linear.learnt().items()
        mine = scaler_state(self.scaler) | {"unit": self.unit}
        return mine | {f"linear_{name}": array for name, array in linear}

    def relearn(self, state: dict[str, np.ndarray]) -> None:
        """Be as ``learn`` left the model that told its state."""
        self.scaler, self.unit = StandardScaler(), state["unit"]
        restore_scaler(self.scaler, state)
        self.linear = Linear(self.settings)
        self.linear.relearn(
            {
                n.removeprefix("linear_"): a
                for n, a in state.items()
                if n.startswith("linear_")
            }
        )

    def save(self, folder: Path) -> None:
        """Leave the state in a folder, the weights in Keras's own format."""
        super().save(folder)
        self.network.save(self.weights, folder / "network.weights.h5")

    def load(self, folder: Path) -> None:
        """Restore what ``save`` left in a folder."""
        super().load(folder)
        self.weights = self.network.load(folder / "network.weights.h5")
