"""What the models read of a price history."""

import numpy as np
import pandas as pd

HALF_LIVES = (20, 250)  # sessions, of the volatilities a network reads
FEATURES = 3 + len(HALF_LIVES)


def log_close(prices: pd.DataFrame) -> np.ndarray:
    """Natural logarithm of the close, shape ``(n,)``."""
    return np.log(prices["Close"].to_numpy(dtype=float))


def garman_klass(prices: pd.DataFrame) -> np.ndarray:
    """Daily variance of the log price from its range, shape ``(n,)``.

    Garman & Klass (1980), their estimator
    ``0.511 (u−d)² − 0.019 (c(u+d) − 2ud) − 0.383 c²`` in its usual short
    form ``(u−d)²/2 − (2 ln 2 − 1) c²``, with u, d, c the log high, low and
    close over the open. Zero for a session with no range.
    """
    log = np.log(prices[["Open", "High", "Low", "Close"]].to_numpy(float))
    open_, high, low, close = log.T
    spread, move = (high - low) ** 2, (close - open_) ** 2
    return np.maximum(spread / 2 - (2 * np.log(2) - 1) * move, 0.0)


def session_variance(prices: pd.DataFrame) -> np.ndarray:
    """Variance of the log price from close to close, shape ``(n,)``.

    The squared overnight gap plus ``garman_klass`` for the hours of trade.
    """
    return _gap(prices) ** 2 + garman_klass(prices)


def features(prices: pd.DataFrame, expected: np.ndarray) -> np.ndarray:
    """What a network reads of each session, ``(n, FEATURES)``.

    ``expected (n,)``: the scale of the next session's log return as it was
    forecast at each close. Log return, log range (Garman–Klass) and
    overnight gap are measured against the scale forecast the day before, so
    that they look alike for every stock and decade; the last two columns
    set the volatility of the past month and year against the scale now
    expected.
    """
    close = log_close(prices)
    returns = np.diff(close, prepend=close[0])
    before = np.concatenate([expected[:1], expected[:-1]])
    variance = pd.Series(session_variance(prices))
    columns = [
        np.clip(returns / before, -8, 8),
        # A range can be zero, so a little is added before the logarithm.
        np.log(np.sqrt(garman_klass(prices)) / before + 0.03),
        np.clip(_gap(prices) / before, -8, 8),
    ]
    for sessions in HALF_LIVES:
        past = variance.ewm(halflife=sessions).mean().to_numpy() + 1e-12
        columns.append(np.clip(np.log(np.sqrt(past) / expected), -3, 3))
    return np.column_stack(columns)


def _gap(prices: pd.DataFrame) -> np.ndarray:
    """Log open over the close before, shape ``(n,)``; zero at first."""
    gap = np.log(prices["Open"].to_numpy(float))
    gap[1:] -= log_close(prices)[:-1]
    gap[0] = 0.0
    return gap
