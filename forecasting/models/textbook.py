"""A small LSTM on scaled closes, or on returns: where the close goes."""

from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from forecasting.models.base import Forecast, Forecaster
from forecasting.models.baselines import fit_student_t
from forecasting.models.features import log_close
from forecasting.models.networks import Network
from forecasting.settings import STUDY, Settings
from forecasting.windows import learning_rows, make_targets

RATE = 1e-3  # Adam's default, as in most tutorials


class TextbookLSTM(Forecaster):
    """A small LSTM on scaled closes: one layer, twenty outputs at once.

    Weaker than the network of most tutorials, whose two layers say one
    close and are fitted up to the test: predictor.ipynb has that one.

    ``target="close"``: windows of min-max scaled closes → the next closes.
    ``target="return"``: windows of standardised log returns → the next
    returns. The scaler sees the training rows only. One ticker, mean
    squared error; the Student-t around each value is fitted to the
    errors on the training rows.
    """

    def __init__(
        self,
        target: str,
        bidirectional: bool = False,
        seed: int = 0,
        settings: Settings = STUDY,
    ) -> None:
        if target not in ("close", "return"):
            raise ValueError(f"target is close or return, not {target!r}")
        self.target = target
        self.seed: int = seed
        self.settings = settings
        self.network = Network(
            replace(settings, learning_rate=RATE),
            1,
            settings.horizons,
            bidirectional,
        )

    def fit(self, histories: dict[str, pd.DataFrame]) -> "TextbookLSTM":
        """Fit to the one history in ``{ticker: prices}``."""
        ((ticker, prices),) = histories.items()
        learning = learning_rows(histories, self.settings)[ticker]
        horizons = self.settings.horizons
        values = self._values(prices)
        scaler = MinMaxScaler if self.target == "close" else StandardScaler
        self.scaler = scaler().fit(values[: learning.past])
        rows = self.scaler.transform(values)
        # Rolled round the end of the rows, where no window ends.
        ahead = [np.roll(rows[:, 0], -h) for h in range(1, horizons + 1)]
        self.weights = self.network.train(
            rows,
            np.transpose(ahead),
            learning.training,
            learning.validation,
            self.seed,
        )
        observed = make_targets(log_close(prices), horizons)
        origins = learning.training
        errors = observed[origins] - self._point(prices, origins)
        self.scale, self.df = np.transpose(
            [fit_student_t(column) for column in errors.T]
        )
        return self

    def predict(self, prices: pd.DataFrame, origins: np.ndarray) -> Forecast:
        """Forecast from rows of ``prices``, ``settings.first`` or later."""
        prices = prices.iloc[: np.max(origins) + 1]  # nothing later is read
        loc = self._point(prices, origins)
        return Forecast(
            loc,
            np.broadcast_to(self.scale, loc.shape),
            np.broadcast_to(self.df, loc.shape),
        )

    def _point(self, prices: pd.DataFrame, origins: np.ndarray) -> np.ndarray:
        """Log returns that the network predicts, ``(origins, H)``."""
        rows = self.scaler.transform(self._values(prices))
        output = self.network.run(self.weights, rows, origins)
        values = self.scaler.inverse_transform(output.reshape(-1, 1))
        values = values.reshape(output.shape)
        if self.target == "return":
            return values.cumsum(axis=1)
        close = prices["Close"].to_numpy()[origins, None]
        return np.log(np.maximum(values / close, 0.01))  # may fall below zero

    def _values(self, prices: pd.DataFrame) -> np.ndarray:
        """The series that the network reads and predicts, ``(n, 1)``."""
        if self.target == "close":
            return prices[["Close"]].to_numpy()
        close = log_close(prices)
        return np.diff(close, prepend=close[0])[:, None]
