"""Chronological splits, sliding windows and targets, without look-ahead."""

from typing import NamedTuple

import numpy as np
import pandas as pd

LOOKBACK = 60  # sessions a network reads
HORIZONS = 20  # sessions ahead it forecasts, 1 … 20
BLOCK = 252  # sessions of a test period: one trading year
VALIDATION = 0.15  # share of the training part, its last dates
MIN_TRAIN = 400  # rows before a test period that a model needs


class Dates(NamedTuple):
    """Boundaries of one chronological split.

    Fitting may use rows up to ``train_end``; rows from ``valid_start`` to
    ``fit_end`` only stop it. The test origins are ``test_start`` …
    ``test_end``. Between the parts lies an embargo of HORIZONS sessions.
    """

    train_end: pd.Timestamp
    valid_start: pd.Timestamp
    fit_end: pd.Timestamp
    test_start: pd.Timestamp
    test_end: pd.Timestamp


def make_windows(rows: np.ndarray, lookback: int) -> np.ndarray:
    """Sliding windows over a series, as a read-only view: nothing is copied.

    ``(n, d)`` → ``(n − lookback + 1, lookback, d)``; window k holds rows
    k … k + lookback − 1, so it may be used from its last row on.
    """
    if len(rows) < lookback:
        raise ValueError(f"{len(rows)} rows, but a window needs {lookback}")
    view = np.lib.stride_tricks.sliding_window_view(rows, lookback, axis=0)
    return np.moveaxis(view, -1, 1)


def make_targets(log_close: np.ndarray, horizons: int) -> np.ndarray:
    """Cumulative log returns over the next 1 … ``horizons`` sessions.

    ``(n,)`` → ``(n, horizons)``; NaN where the future is not yet known.
    """
    ahead = np.full((len(log_close), horizons), np.nan)
    for h in range(1, horizons + 1):
        ahead[:-h, h - 1] = log_close[h:] - log_close[:-h]
    return ahead


def joint_calendar(histories: dict[str, pd.DataFrame]) -> pd.DatetimeIndex:
    """Every date on which at least one ticker has a row, ascending."""
    dates = pd.DatetimeIndex([])
    for prices in histories.values():
        dates = dates.union(prices.index)
    return dates


def validation_dates(
    calendar: pd.DatetimeIndex,
) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Last date to train on and first date to validate on.

    The last 15 % of a training part's dates validate; an embargo of
    HORIZONS dates before them belongs to neither.
    """
    first = len(calendar) - int(np.ceil(VALIDATION * len(calendar)))
    return calendar[first - HORIZONS - 1], calendar[first]


def walk_forward_dates(calendar: pd.DatetimeIndex, folds: int) -> list[Dates]:
    """Cut the last ``folds`` blocks of 252 dates into test folds.

    The training part of each fold is all that comes before its block and
    the embargo: an expanding window, oldest fold first.
    """
    splits = []
    for k in range(folds, 0, -1):
        first = len(calendar) - k * BLOCK
        fit_end = first - HORIZONS - 1
        train_end, valid_start = validation_dates(calendar[: fit_end + 1])
        splits.append(
            Dates(
                train_end,
                valid_start,
                calendar[fit_end],
                calendar[first],
                calendar[first + BLOCK - 1],
            )
        )
    return splits


def fold_origins(prices: pd.DataFrame, dates: Dates) -> np.ndarray:
    """Rows of the test fold whose next close is known."""
    index = prices.index[:-1]
    return np.flatnonzero(
        (index >= dates.test_start) & (index <= dates.test_end)
    )


def rows_needed(folds: int) -> int:
    """Rows a history must have to be tested on every one of the folds."""
    return MIN_TRAIN + HORIZONS + folds * BLOCK
