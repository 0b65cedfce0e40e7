"""Checkers of the exercises of note 9: leaks."""

import numpy as np
import pandas as pd

from theory.exercises.marking import exercise, expect, expect_close


@exercise("9.1")
def smoothed_walk(answer):
    """Theil's U on a random walk smoothed by a mean of five.

    A step of the smoothed walk is the mean of five shocks, and two
    neighbouring steps share four of them.
    """
    kernel = np.ones(5) / 5
    overlap = np.correlate(kernel, kernel, "full")
    rho = overlap[5] / overlap[4]  # of neighbouring steps
    slips = {
        "that is the correlation of neighbouring steps": rho,
        "that is the ratio of squared errors": 1 - rho**2,
        "true of the walk itself; its smoothed steps are correlated": 1,
    }
    hint = "which share of its variance does the last step leave unexplained?"
    expect_close(answer, np.sqrt(1 - rho**2), hint, slips)
    return "smoothing alone makes chance look forecastable"


@exercise("9.2")
def features_that_leak(answer):
    """Letters of the features that depend on a later row."""
    features = {
        "A": lambda close: close.rolling(20).mean(),
        "B": lambda close: close.rolling(5, center=True).mean(),
        "C": lambda close: (close - close.min()) / (close.max() - close.min()),
        "D": lambda close: close.ewm(halflife=10).std(),
        "E": lambda close: close.pct_change().shift(-1),
        "F": lambda close: close.pct_change().bfill(),
        "G": lambda close: close.expanding().max(),
    }
    close = pd.Series(np.random.default_rng(0).uniform(90, 110, 60))
    leaking = set()
    for cut in range(1, len(close)):  # rows from here on are changed
        changed = close.where(close.index < cut, 200 - close**1.01)
        for letter, feature in features.items():
            if not feature(close)[:cut].equals(feature(changed)[:cut]):
                leaking.add(letter)
    expect(isinstance(answer, str), "a string of letters is asked for")
    given = set(answer)
    expect(bool(given) and given <= set(features), "the letters are A to G")
    innocent = " and ".join(sorted(given - leaking))
    expect(not innocent, f"{innocent}: no later row is read")
    missing = len(leaking - given)
    expect(not missing, f"{missing} more of them read a later row")
    return "one row read ahead, even in the first, is a leak"


@exercise("9.3")
def price_of_noise(answer):
    """Theil's U of the last close plus noise of half the change's size."""
    rng = np.random.default_rng(0)
    change, noise = rng.normal(size=(2, 1_000_000))
    expected = np.sqrt(np.mean((noise / 2 - change) ** 2) / np.mean(change**2))
    slips = {
        "that is the ratio of squared errors": 1.25,
        "standard deviations do not add up; variances do": 1.5,
        "noise cannot lower an error": np.sqrt(0.75),
    }
    hint = "the error is noise minus change; what is its variance?"
    expect_close(answer, expected, hint, slips)
    return "no skill, no bias, and an eighth worse than the last close"
