"""Checkers of the exercises of note 8: honest forecasting."""

import numpy as np

from theory.exercises.marking import exercise, expect_close


@exercise("8.1")
def crps_of_uniform(answer):
    """CRPS in dollars of U(100, 104) when 101 comes."""
    low, high, y = 100, 104, 101
    x = low + (high - low) * (np.arange(100_000) + 0.5) / 100_000
    gap = (x - low) / (high - low) - (x >= y)
    expected = np.mean(gap**2) * (high - low)
    slips = {
        "that is the error of the median; the spread counts as well": 1,
        "that is E|X - y|; subtract half of E|X - X'|": 1.25,
        "half of E|X - X'|; a CRPS is never negative": 1.25 - 4 / 3,
        "in dollars: the interval is four dollars long": expected / 4,
    }
    hint = "add up the squared gap left of 101 and right of it"
    expect_close(answer, expected, hint, slips)
    return "an honest spread costs less than the point in its middle"


@exercise("8.2")
def dm_of_four_days(answer):
    """DM with HLN of losses 1, 2, 0, 1 against 2, 4, 4, 6, h = 2."""
    d = np.array([1, 2, 0, 1]) - np.array([2, 4, 4, 6])
    n, h = len(d), 2
    e = d - d.mean()
    gamma = [e @ e / n, e[1:] @ e[:-1] / n]
    shrink = np.sqrt((n + 1 - 2 * h + h * (h - 1) / n) / n)

    def statistic(weight):
        variance = gamma[0] + 2 * weight * gamma[1]
        return d.mean() / np.sqrt(variance / n) * shrink

    expected = statistic(1)
    overlap = "forecasts over two sessions overlap: where is gamma_1?"
    slips = {
        "negative: the model has the lower losses": -expected,
        "that lacks the small-sample correction": expected / shrink,
        overlap: statistic(0),
        "the weight of gamma_1 is 1 here": statistic(0.5),
    }
    hint = "start from d = -1, -2, -4, -5 and divide by n throughout"
    expect_close(answer, expected, hint, slips, rtol=0.005)
    return "three standard errors shrink to less than two"


@exercise("8.3")
def holm_by_hand(answer):
    """Holm's adjusted p-values of five, in the order given."""
    p = np.array([0.02, 0.001, 0.022, 0.01, 0.4])
    products = np.array([q * np.sum(p >= q) for q in p])
    # by definition: the largest of the products up to the own rank
    expected = [products[p <= own].max() for own in p]
    falls = "an adjusted p-value may not fall below that of a smaller p"
    slips = {
        "that multiplies all by five, Bonferroni's way": np.minimum(1, 5 * p),
        falls: products,
        "the right values; give them in the order asked": sorted(expected),
    }
    hint = "sort, multiply by 5, 4, 3, 2, 1, and let none fall"
    expect_close(answer, expected, hint, slips, rtol=1e-3)
    return "two of five stay below 0.05; four did before"
