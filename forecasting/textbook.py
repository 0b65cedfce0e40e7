"""The network of most tutorials: where the close goes."""

import numpy as np
import pandas as pd
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from forecasting.baselines import STEPS, fit_student_t
from forecasting.features import log_close
from forecasting.forecast import Forecast
from forecasting.lstm import FIRST
from forecasting.networks import Network, compiled
from forecasting.windows import HORIZONS, make_targets, validation_dates


class TextbookLSTM:
    """Where the close goes: the network of most tutorials.

    ``target="close"``: windows of min-max scaled closes → the next closes.
    ``target="return"``: windows of standardised log returns → the next
    returns. The scaler sees the training rows only. One ticker, mean
    squared error; the Student-t around each value is fitted to the
    errors on the training rows.
    """

    def __init__(
        self, target: str, bidirectional: bool = False, seed: int = 0
    ) -> None:
        if target not in ("close", "return"):
            raise ValueError(f"target is close or return, not {target!r}")
        self.target = target
        self.bidirectional = bidirectional
        self.seed = seed

    def fit(self, histories: dict[str, pd.DataFrame]) -> "TextbookLSTM":
        """Fit to the one history in ``{ticker: prices}``."""
        (prices,) = histories.values()
        train_end, valid_start = validation_dates(prices.index)
        learnt = len(prices.loc[:train_end])
        ends = np.arange(FIRST, len(prices) - HORIZONS)
        training = ends[ends < learnt - HORIZONS]
        values = self._values(prices)
        scaler = MinMaxScaler if self.target == "close" else StandardScaler
        self.scaler = scaler().fit(values[:learnt])
        rows = self.scaler.transform(values)
        ahead = [np.roll(rows[:, 0], -h) for h in STEPS]  # ends stop earlier
        self.weights = self._network().train(
            rows,
            np.transpose(ahead),
            training,
            ends[prices.index[ends] >= valid_start],
            self.seed,
        )
        moved = make_targets(log_close(prices), HORIZONS)[training]
        errors = moved - self._called(prices, training)
        self.scale, self.df = np.transpose(
            [fit_student_t(column) for column in errors.T]
        )
        return self

    def predict(self, prices: pd.DataFrame, origins: np.ndarray) -> Forecast:
        """Forecast from the given rows of ``prices``, FIRST or later."""
        prices = prices.iloc[: np.max(origins) + 1]  # nothing later is read
        loc = self._called(prices, origins)
        return Forecast(
            loc,
            np.broadcast_to(self.scale, loc.shape),
            np.broadcast_to(self.df, loc.shape),
        )

    def _called(self, prices: pd.DataFrame, origins: np.ndarray) -> np.ndarray:
        """Log returns that the network predicts, ``(origins, H)``."""
        rows = self.scaler.transform(self._values(prices))
        output = self._network().run(self.weights, rows, origins)
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

    def _network(self) -> Network:
        return compiled(1, HORIZONS, self.bidirectional, False, "mse")
