"""Windows are views of the past, targets lie ahead, folds do not touch."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import TimeSeriesSplit

from forecasting.settings import STUDY
from forecasting.windows import (
    joint_calendar,
    make_targets,
    make_windows,
    rows_needed,
    validation_dates,
    walk_forward_dates,
)


def calendar(days):
    return pd.bdate_range("2000-01-03", periods=days)


def test_windows_of_0_to_5():
    windows = make_windows(np.arange(6)[:, None], 3)
    assert windows[..., 0].tolist() == [
        [0, 1, 2],
        [1, 2, 3],
        [2, 3, 4],
        [3, 4, 5],
    ]


def test_windows_are_views_that_cannot_be_written():
    rows = np.random.default_rng(0).normal(size=(1000, 4))
    windows = make_windows(rows, 60)
    assert np.shares_memory(windows, rows)
    with pytest.raises(ValueError, match="read-only"):
        windows[0, 0, 0] = 1.0


@given(st.integers(1, 12), st.integers(0, 20), st.integers(1, 3))
def test_window_k_holds_rows_k_to_k_plus_lookback(lookback, more, columns):
    rows = np.arange((lookback + more) * columns).reshape(-1, columns)
    windows = make_windows(rows, lookback)
    assert windows.shape == (more + 1, lookback, columns)
    for k, window in enumerate(windows):
        np.testing.assert_array_equal(window, rows[k : k + lookback])


def test_a_window_does_not_see_the_row_after_it():
    rows = np.zeros((30, 2))
    before = make_windows(rows, 5).copy()
    rows[17:] = np.nan
    after = make_windows(rows, 5)
    np.testing.assert_array_equal(after[: 17 - 5 + 1], before[: 17 - 5 + 1])
    assert np.isnan(after[17 - 5 + 1 :]).any(axis=(1, 2)).all()


def test_too_few_rows_for_one_window_are_refused():
    with pytest.raises(ValueError, match="4 rows, but a window needs 5"):
        make_windows(np.zeros((4, 1)), 5)


@given(st.lists(st.floats(-5, 5), min_size=4, max_size=30), st.integers(1, 3))
def test_targets_are_sums_of_the_returns_to_come(values, horizons):
    close = np.array(values)
    targets = make_targets(close, horizons)
    returns = np.diff(close)
    for t in range(len(close)):
        for h in range(1, horizons + 1):
            if t + h < len(close):
                expected = sum(returns[t : t + h])
                assert targets[t, h - 1] == pytest.approx(expected, abs=1e-9)
            else:
                assert np.isnan(targets[t, h - 1])


def test_the_joint_calendar_has_the_dates_of_most_tickers():
    dates = calendar(10)
    histories = {
        "A": pd.DataFrame(index=dates[3:8]),
        "B": pd.DataFrame(index=dates[[0, 4, 9]]),
    }
    # A alone has 3 to 7, but B is listed from 0 to 9: it counts, at rest.
    expected = dates[[0, 4, 9]].tolist()
    assert joint_calendar(histories).tolist() == expected


@given(st.integers(60, 3000))
def test_validation_is_the_last_share_after_an_embargo(days):
    dates = calendar(days)
    train_end, valid_start = validation_dates(dates)
    between = [d for d in dates if train_end < d < valid_start]
    assert len(between) == STUDY.horizons
    share = sum(d >= valid_start for d in dates)
    assert share - 1 < STUDY.validation * days <= share


@given(st.integers(1, 6), st.integers(0, 800))
def test_folds_are_those_of_scikit_learn(folds, spare):
    """Whose training part is cut in two here, by an embargo as long."""
    dates = calendar(rows_needed(folds) + spare)
    # Two folds are its least, so it gets one more in front.
    splitter = TimeSeriesSplit(
        folds + 1, test_size=STUDY.block, gap=STUDY.horizons
    )
    theirs = [*splitter.split(dates)][1:]
    ours = walk_forward_dates(dates, folds)
    for split, (fit, test) in zip(ours, theirs, strict=True):
        assert split.fit_end == dates[fit[-1]]
        assert (split.test_start, split.test_end) == (*dates[test[[0, -1]]],)
        assert len(fit) >= STUDY.min_train
        train, gap, valid = (
            ((dates > first) & (dates < last)).sum()
            for first, last in [
                (dates[0] - dates.freq, split.train_end + dates.freq),
                (split.train_end, split.valid_start),
                (split.valid_start - dates.freq, split.fit_end + dates.freq),
            ]
        )
        assert gap == STUDY.horizons and train + gap + valid == len(fit)
        assert valid - 1 < STUDY.validation * len(fit) <= valid


def test_one_row_fewer_is_too_few_to_train_on():
    dates = calendar(rows_needed(3))
    oldest = walk_forward_dates(dates, 3)[0]
    assert (dates <= oldest.fit_end).sum() == STUDY.min_train
