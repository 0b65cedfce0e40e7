"""What the arms' forecasts cost, and whether a difference is one."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import scoringrules
from statsmodels.api import OLS

from forecasting.evaluation.losses import qlike
from forecasting.models.baselines import fit_student_t
from forecasting.pool.data import HORIZONS, Rows

SCORES = ("qlike", "crps")
MARGIN, SAME = 0.10, 0.05  # per cent of scaled CRPS: success, equivalence
BANDWIDTH = 0.1  # of the dates, of the long-run variance
BLOCK = 40  # dates drawn together in the bootstrap
DRAWS = 2000


class Calibration(NamedTuple):
    """Of an arm's forecasts, per horizon ``(3,)``.

    ``level``: session variance over exp(forecast), on average; ``scale`` and
    ``df``: Student-t of the log return beside the premium, in units of the
    root of exp(forecast).
    """

    level: np.ndarray
    scale: np.ndarray
    df: np.ndarray


def calibrate(
    rows: Rows, these: np.ndarray, forecast: np.ndarray, most: int = 65536
) -> Calibration:
    """Fit to validation rows: the same way for every arm, no stock's own.

    ``forecast``: of ``y``, ``(rows, 3)``. The shape is known from ``most``
    rows, evenly spread.
    """
    variance = np.exp(forecast + rows.level(these))
    level = np.mean(rows.variance[these] / variance, axis=0, dtype=float)
    moves = (rows.moved[these] - rows.drift[these] * HORIZONS) / variance**0.5
    fits = [fit_student_t(m) for m in moves[:: -(-len(moves) // most)].T]
    return Calibration(level, *np.transpose(fits))


def costs(
    rows: Rows, these: np.ndarray, forecast: np.ndarray, fitted: Calibration
) -> np.ndarray:
    """QLIKE and scaled CRPS of each row and horizon, ``(2, rows, 3)``.

    QLIKE of the arm's own variance against the session variance; CRPS of
    the log return over the recent volatility at the origin.
    """
    variance = np.exp(forecast + rows.level(these))
    location = rows.drift[these].astype(float) * HORIZONS
    crps = scoringrules.crps_t(
        rows.moved[these], fitted.df, location, variance**0.5 * fitted.scale
    )
    own = qlike(fitted.level * variance, rows.variance[these].astype(float))
    return np.array([own, crps / rows.recent[these]])


def means(by: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """Mean cost of each group of rows, ``(2, rows, 3)`` → ``(2, g, 3)``.

    ``by (rows,)``: each row's group, any integers; groups come in order.
    """
    return np.array([pd.DataFrame(c).groupby(by).mean() for c in cost])


class Gain(NamedTuple):
    """By how much an arm costs less than a rival, in per cent of the rival.

    ``low``, ``high``: 95 % interval, the wider on each side of the one from
    fixed-b asymptotics and the bootstrap; ``draws``: of the latter;
    ``stocks``: share of them in which the arm is better; ``years``: the
    same of years; ``fits``: pairs compared.
    """

    mean: float
    low: float
    high: float
    draws: np.ndarray
    stocks: float
    years: float
    fits: int

    def __str__(self) -> str:
        """As a cell of a table."""
        return f"{self.mean:+.2f} [{self.low:+.2f}, {self.high:+.2f}]"


def gain(fits: dict, arm: str, rival: str, score: int, horizon: int) -> Gain:
    """Compare two arms in one pool.

    ``fits``: ``{(arm, permutation, seed): {"by_date": (2, dates, 3),
    "by_stock": (2, stocks, 3), "dates": (dates,)}}``. An arm without a seed
    stands beside every seed of the other. Raises KeyError where no pair is.
    """
    mine, theirs = (
        {(p, s): f for (name, p, s), f in fits.items() if name == side}
        for side in (arm, rival)
    )
    if not any(seed for _, seed in theirs):
        theirs = {(p, s): theirs[p, 0] for p, s in mine if (p, 0) in theirs}
    pairs = sorted(mine.keys() & theirs.keys())
    if not pairs:
        raise KeyError(f"no fit of {arm} beside one of {rival}")
    dates: list[np.ndarray] = []
    stocks: list[np.ndarray] = []
    for pair in pairs:
        for key, found in [("by_date", dates), ("by_stock", stocks)]:
            one, other = mine[pair][key], theirs[pair][key]
            unit = theirs[pair]["by_date"][score, :, horizon].mean() / 100
            found.append((other - one)[score, :, horizon] / unit)
    series = np.array(dates)
    mean = series.mean(axis=0)
    half = fixed_b(mean)
    draws = bootstrap(series, [p for p, _ in pairs])
    low, high = np.quantile(draws, [0.025, 0.975])
    days = mine[pairs[0]]["dates"].astype("datetime64[D]")
    yearly = pd.Series(mean).groupby(pd.DatetimeIndex(days).year).mean()
    return Gain(
        mean.mean(),
        min(low, mean.mean() - half),
        max(high, mean.mean() + half),
        draws,
        float(np.mean(np.mean(stocks, axis=0) > 0)),
        float(np.mean(yearly > 0)),
        len(pairs),
    )


def fixed_b(series: np.ndarray, b: float = BANDWIDTH) -> float:
    """Half of a 95 % interval for the mean of dependent dates ``(n,)``.

    Bartlett's weights on b × n lags; the quantile is that of the statistic's
    own distribution with so many (Kiefer & Vogelsang 2005, table 1).
    """
    lags = int(np.ceil(b * len(series)))
    mean = OLS(series, np.ones(len(series)))
    fit = mean.fit(cov_type="HAC", cov_kwds={"maxlags": lags - 1})
    quantile = 1.9600 + 2.9694 * b + 0.4160 * b**2 - 0.5324 * b**3
    return quantile * fit.bse[0]


def bootstrap(series: np.ndarray, permutation: list[int]) -> np.ndarray:
    """Means of draws of permutations, their seeds, and blocks of dates.

    ``series (fits, dates)``. The same dates are drawn in every call with as
    many, so that pools can be compared draw by draw.
    """
    n, there = series.shape[1], np.unique(permutation)
    fits = [np.flatnonzero(np.equal(permutation, p)) for p in there]
    days, units = np.random.default_rng(0), np.random.default_rng(1)
    found = np.empty(DRAWS)
    for draw in range(DRAWS):
        starts = days.integers(0, n, -(-n // BLOCK))
        at = (starts[:, None] + np.arange(BLOCK)).ravel()[:n] % n
        drawn = units.integers(0, len(there), len(there))
        rows = [units.choice(fits[k], len(fits[k])) for k in drawn]
        weight = np.bincount(at, minlength=n) / n
        found[draw] = np.mean([series[r].mean(axis=0) @ weight for r in rows])
    return found


def stocks_needed(sizes: list[int], draws: np.ndarray, bar: float) -> list:
    """Stocks from which on a gain is above a bar: 2.5, 50, 97.5 % of draws.

    ``draws (sizes, draws)``; between two pools by the logarithm of their
    sizes; infinite where the largest pool is below.
    """
    found: list[float] = []
    for gains in np.transpose(draws):
        last = max(np.flatnonzero(gains < bar), default=-1)
        if last == -1:
            found.append(sizes[0])
        elif last == len(sizes) - 1:
            found.append(np.inf)
        else:
            two = slice(last, last + 2)
            needed = np.interp(bar, gains[two], np.log(sizes[two]))
            found.append(np.exp(needed))
    return list(np.quantile(found, [0.025, 0.5, 0.975], method="nearest"))
