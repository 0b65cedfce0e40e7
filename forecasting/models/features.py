"""What the models read of a price history."""

import numpy as np
import pandas as pd

LATELY = 20  # sessions, half-life of what counts as recent
SPANS = (1, 5, 22, 66, 250)  # a day, a week, a month, a quarter, a year
QUARTER = 63  # sessions from one report of earnings to the next, about
INPUTS = 2 * 6 + len(SPANS) + 3
LITTLE = 0.03  # of the scale: a session without a range has a logarithm, too
HALF_LIVES = (1, 2, 4, 8, 16, 32, 64, 128)  # sessions, of the averages
TINY = 1e-12  # a price that never moved still has a variance


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
    return overnight(prices) ** 2 + garman_klass(prices)


def recent_volatility(prices: pd.DataFrame) -> np.ndarray:
    """Standard deviation of a session lately, in log price, ``(n,)``.

    The root of the exponentially weighted ``session_variance``, half of the
    weight on the last 20 sessions: the scale that all else is measured in.
    """
    variance = pd.Series(session_variance(prices))
    return np.sqrt(variance.ewm(halflife=LATELY).mean().to_numpy() + TINY)


def inputs(prices: pd.DataFrame) -> np.ndarray:
    """What ``Linear`` and the networks read of each session, ``(n, INPUTS)``.

    All are ratios to the recent volatility or to the stock's own past, so
    that they look alike for every stock and decade:

    - the session: log return, log range (Garman–Klass), overnight gap, size
      of the return, the return where it is negative (Black 1976: volatility
      rises with losses), log volume over the mean of its last 60 sessions;
      each as it is, and as an exponential mean of half-life 4;
    - log volatility of the last day, week, month, quarter and year (Corsi
      2009);
    - the earnings clock: companies report about every 63 sessions, and
      their prices jump (no report dates are read). How wild were the
      sessions 63, 126, 189 and 252 before the next day, week and month,
      against the 60 sessions that led there? The mean of those that the
      history has; zero where it has none.
    """
    close, now = log_close(prices), recent_volatility(prices)
    before = np.concatenate([now[:1], now[:-1]])
    move = np.clip(np.diff(close, prepend=close[0]) / before, -8, 8)
    session = np.column_stack(
        [
            move,
            # A range can be zero, so a little is added before the logarithm.
            np.log(np.sqrt(garman_klass(prices)) / before + LITTLE),
            np.clip(overnight(prices) / before, -8, 8),
            np.abs(move),
            np.minimum(move, 0),
            relative_volume(prices),
        ]
    )
    smooth = pd.DataFrame(session).ewm(halflife=4).mean().to_numpy()
    variance = session_variance(prices)
    past = [mean_of_last(variance, n) for n in SPANS]
    # Rounding may leave a little less than nothing of a sum of squares.
    past = (np.maximum(past, 0) + TINY) / now**2
    wild = np.log(np.sqrt(variance) / before + LITTLE)
    clock = _clock(np.clip(wild - mean_of_last(wild, 60), -2, 3))
    return np.hstack([session, smooth, np.log(past).T / 2, clock])


def averages(read: np.ndarray) -> np.ndarray:
    """Inputs beside their exponential averages, ``(n, d)`` → ``(n, 9 d)``.

    A linear memory: what a session was like, and those before it, at eight
    speeds.
    """
    past = pd.DataFrame(read)
    return np.hstack(
        [past, *(past.ewm(halflife=h).mean() for h in HALF_LIVES)]
    )


def premium(prices: pd.DataFrame, annual: float) -> np.ndarray:
    """Location of a session's log return, as known at each close, ``(n,)``.

    ``annual``: by what fraction the median rises in 252 sessions, about what
    shares have paid above bills in the long run (Dimson et al. 2002). A
    history that trades on all seven days of the week is a coin's; one that
    never had a volume is a currency's or a rate's. They promise nothing: 0.
    """
    days = np.eye(7)[prices.index.day_of_week].cumsum(axis=0)
    coin = days.min(axis=1) > days.sum(axis=1) / 20
    share = (prices["Volume"].to_numpy().cumsum() > 0) & ~coin
    return np.where(share, np.log1p(annual) / 252, 0.0)


def mean_of_last(values: np.ndarray, sessions: int) -> np.ndarray:
    """Mean of the last sessions, of fewer at first, ``(n,)``."""
    rolling = pd.Series(values).rolling(sessions, min_periods=1)
    return rolling.mean().to_numpy()


def _clock(wild: np.ndarray) -> np.ndarray:
    """Mean of what came one to four quarters before what is next, (n, 3)."""
    total = np.concatenate([[0.0], wild.cumsum()])
    row = np.arange(len(wild))
    columns = []
    # A report may come a day earlier or later than the quarter before.
    for first, last in [(0, 2), (1, 5), (1, 20)]:
        start = row + first - QUARTER * np.arange(1, 5)[:, None]
        end = start + last - first + 1
        there = start >= 0
        sums = total[np.maximum(end, 0)] - total[np.maximum(start, 0)]
        count = np.maximum(there.sum(axis=0), 1) * (last - first + 1)
        columns.append((sums * there).sum(axis=0) / count)
    return np.transpose(columns)


def relative_volume(prices: pd.DataFrame) -> np.ndarray:
    """Log volume over the mean of its last 60 sessions, ``(n,)``."""
    volume = np.log1p(prices["Volume"].to_numpy(float))
    return np.clip(volume - mean_of_last(volume, 60), -3, 3)


def overnight(prices: pd.DataFrame) -> np.ndarray:
    """Log open over the close before, shape ``(n,)``; zero at first."""
    gap = np.log(prices["Open"].to_numpy(float))
    gap[1:] -= log_close(prices)[:-1]
    gap[0] = 0.0
    return gap
