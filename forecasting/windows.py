"""Chronological splits, sliding windows and targets, without look-ahead."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from forecasting.market.prices import PriceError
from forecasting.settings import STUDY, Settings


class Dates(NamedTuple):
    """Boundaries of one chronological split.

    Fitting may use rows up to ``train_end``; rows from ``valid_start`` to
    ``fit_end`` only stop it. The test origins are ``test_start`` …
    ``test_end``. Between the parts lies an embargo of as many sessions as
    are forecast.
    """

    train_end: pd.Timestamp
    valid_start: pd.Timestamp
    fit_end: pd.Timestamp
    test_start: pd.Timestamp
    test_end: pd.Timestamp


def make_windows(rows: np.ndarray, lookback: int) -> np.ndarray:
    """Sliding windows over a series, as a read-only view: nothing is copied.

    Parameters
    ----------
    rows
        The series, ``(n, d)``, in order of time.
    lookback
        Rows of a window.

    Returns
    -------
    np.ndarray
        ``(n − lookback + 1, lookback, d)``; window k holds rows
        k … k + lookback − 1, so it may be used from its last row on.

    Raises
    ------
    PriceError
        Where there are fewer rows than one window needs.
    """
    if len(rows) < lookback:
        raise PriceError(f"{len(rows)} rows, but a window needs {lookback}")
    view = np.lib.stride_tricks.sliding_window_view(rows, lookback, axis=0)
    return np.moveaxis(view, -1, 1)


def make_targets(log_close: np.ndarray, horizons: int) -> np.ndarray:
    """Cumulative log returns over the next 1 … ``horizons`` sessions.

    Parameters
    ----------
    log_close
        Natural logarithms of the closes, ``(n,)``.
    horizons
        The furthest session ahead.

    Returns
    -------
    np.ndarray
        ``(n, horizons)``; NaN where the future is not yet known.
    """
    ahead = np.full((len(log_close), horizons), np.nan)
    for h in range(1, horizons + 1):
        ahead[:-h, h - 1] = log_close[h:] - log_close[:-h]
    return ahead


def joint_calendar(histories: dict[str, pd.DataFrame]) -> pd.DatetimeIndex:
    """Dates on which most of the tickers listed then have a row, ascending.

    A ticker is listed from its first row to its last. So the weekends of a
    coin do not make a stock's year shorter, nor one market's holidays
    another's.
    """
    dates = pd.DatetimeIndex([])
    for prices in histories.values():
        dates = dates.union(prices.index)
    traded, listed = np.zeros(len(dates)), np.zeros(len(dates))
    for prices in histories.values():
        traded += dates.isin(prices.index)
        listed += (dates >= prices.index[0]) & (dates <= prices.index[-1])
    return dates[2 * traded > listed]


def validation_dates(
    calendar: pd.DatetimeIndex, settings: Settings = STUDY
) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Last date to train on and first date to validate on.

    The last 15 % of a training part's dates validate; an embargo of
    ``horizons`` dates before them belongs to neither.
    """
    share = int(np.ceil(settings.validation * len(calendar)))
    first = len(calendar) - share
    if first <= settings.horizons:
        raise PriceError(
            f"{len(calendar)} sessions are too few to train and validate on"
        )
    return calendar[first - settings.horizons - 1], calendar[first]


def walk_forward_dates(
    calendar: pd.DatetimeIndex, folds: int, settings: Settings = STUDY
) -> list[Dates]:
    """Cut the last ``folds`` blocks of 252 dates into test folds.

    The training part of each fold is all that comes before its block and
    the embargo: an expanding window, its last 15 % for validation. With *
    for the rows to train on, v to validate on, x to test on, and - for the
    embargoes::

        fold 0   |**********-vv-xxxx            |
        fold 1   |*************-vvv-xxxx        |
        fold 2   |****************-vvvv-xxxx    |
        fold 3   |********************-vvvv-xxxx|

    Parameters
    ----------
    calendar
        The dates to cut, ascending.
    folds
        How many test folds.
    settings
        Lengths of the blocks, the embargoes and the validation.

    Returns
    -------
    list
        The ``Dates`` of each fold, the oldest first.

    Raises
    ------
    PriceError
        Where too few dates come before the first fold.
    """
    splits = []
    for k in range(folds, 0, -1):
        first = len(calendar) - k * settings.block
        fit_end = first - settings.horizons - 1
        splits.append(
            Dates(
                *validation_dates(calendar[: fit_end + 1], settings),
                calendar[fit_end],
                calendar[first],
                calendar[first + settings.block - 1],
            )
        )
    return splits


def before(
    prices: pd.DataFrame, dates: Dates, settings: Settings = STUDY
) -> pd.DataFrame:
    """Rows that a fold lets a model learn from.

    The embargo counts sessions of the ticker itself as well as those of the
    joint calendar.
    """
    past = prices[prices.index < dates.test_start]
    return past.iloc[: -settings.horizons].loc[: dates.fit_end]


def fold_origins(prices: pd.DataFrame, dates: Dates) -> np.ndarray:
    """Rows of the test fold whose next close is known."""
    index = prices.index[:-1]
    return np.flatnonzero(
        (index >= dates.test_start) & (index <= dates.test_end)
    )


def rows_needed(folds: int, settings: Settings = STUDY) -> int:
    """Rows a history must have to be tested on every one of the folds."""
    return settings.min_train + settings.horizons + folds * settings.block


def fold_dates(
    histories: dict[str, pd.DataFrame], folds: int, settings: Settings = STUDY
) -> list[Dates]:
    """Boundaries of the test folds, the same dates for every ticker.

    Parameters
    ----------
    histories
        ``{ticker: prices}``; ``joint_calendar`` is what is cut.
    folds
        How many test folds.
    settings
        Lengths of the blocks, the embargoes and the validation.

    Returns
    -------
    list
        The ``Dates`` of each fold, the oldest first.

    Raises
    ------
    PriceError
        Where the joint calendar is too short for the folds, or where a
        ticker can take part in none of them.
    """
    calendar = joint_calendar(histories)
    needed = rows_needed(folds, settings)
    if len(calendar) < needed:
        raise PriceError(
            f"{', '.join(histories)}: {len(calendar)} sessions, but {folds} "
            f"test folds need {needed}; use fewer folds"
        )
    splits = walk_forward_dates(calendar, folds, settings)
    for ticker, prices in histories.items():
        if not any(can_test(prices, dates, settings) for dates in splits):
            raise PriceError(
                f"{ticker}: {len(prices)} rows, but no test fold has any of "
                f"them in it and {settings.min_train} before it; leave it "
                "out, or use other folds"
            )
    return splits


def can_train(
    prices: pd.DataFrame, dates: Dates, settings: Settings = STUDY
) -> bool:
    """Whether a ticker has enough rows before a fold to be fitted on."""
    return len(before(prices, dates, settings)) >= settings.min_train


def can_test(
    prices: pd.DataFrame, dates: Dates, settings: Settings = STUDY
) -> bool:
    """Whether it has rows to be tested on, too."""
    tested = len(fold_origins(prices, dates)) > 0
    return tested and can_train(prices, dates, settings)
