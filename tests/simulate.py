"""Simulated histories whose best forecast is known.

A session is a night and a day of Brownian steps, so that opens, ranges and
returns agree with each other as they do in a market.
"""

import numpy as np
import pandas as pd
from scipy import signal

STEPS = 40  # of a session's path
NIGHT = 0.2  # share of a session's variance between close and open
VOLATILITY = 0.015  # standard deviation of a session's log return


def random_walk(rows, seed):
    """Constant volatility: no forecast beats the random walk's."""
    return _history(rows, seed)


def garch_walk(rows, seed):
    """GARCH(1,1) volatility: only the width can be forecast."""
    return _history(rows, seed, alpha=0.10, beta=0.87)


def ar1_walk(rows, seed, phi=0.3):
    """Returns that repeat a share of the last one: they can be forecast."""
    return _history(rows, seed, phi=phi)


def quarterly_walk(rows, seed):
    """Every 63rd session moves three times as far: a long memory pays."""
    reports = np.arange(rows) % 63 == 17
    return _history(rows, seed, factor=np.where(reports, 9.0, 1.0))


def log_linear_walk(rows, seed):
    """Log variance is an AR(1): nothing for a network beside a regression."""
    news = 0.2 * np.random.default_rng([seed, 1]).standard_normal(rows)
    log_variance = signal.lfilter([1.0], [1.0, -0.97], news)
    return _history(rows, seed, factor=np.exp(log_variance))


def _history(rows, seed, alpha=0.0, beta=0.0, phi=0.0, factor=None):
    factor = np.ones(rows) if factor is None else factor
    rng = np.random.default_rng(seed)
    shares = np.r_[NIGHT, np.full(STEPS, (1 - NIGHT) / STEPS)]
    shocks = rng.standard_normal((rows, STEPS + 1)) * np.sqrt(shares)
    moves = np.empty_like(shocks)
    mean = variance = VOLATILITY**2
    last = 0.0
    for row, shock in enumerate(shocks):
        noise = np.sqrt(variance * factor[row]) * shock
        moves[row] = noise + phi * last * shares
        last = moves[row].sum()
        news = alpha * noise.sum() ** 2 + beta * variance
        variance = (1 - alpha - beta) * mean + news
    path = np.log(100.0) + moves.ravel().cumsum().reshape(moves.shape)
    prices = np.exp(path)
    return pd.DataFrame(
        {
            "Open": prices[:, 0],
            "High": prices.max(axis=1),
            "Low": prices.min(axis=1),
            "Close": prices[:, -1],
            "Volume": rng.integers(1e6, 2e6, rows).astype(float),
        },
        # after the training of the oldest vintage
        index=pd.bdate_range("2010-01-04", periods=rows, name="Date"),
    )
