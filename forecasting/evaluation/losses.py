"""What each forecast of a ticker cost, origin by origin."""

import numpy as np
import pandas as pd

from forecasting.models.base import Forecast
from forecasting.models.features import TINY, log_close, session_variance
from forecasting.settings import STUDY, Settings
from forecasting.windows import Dates, before, fold_origins, make_targets

INTERVALS = (50, 80, 95)  # central ones, in percent
TAILS = (1, 5)  # lower ones, whose bound is a value at risk, in percent
ENSEMBLE = "ensemble"  # its name in the column seed

# One ticker's forecasts by model, fold and seed.
Forecasts = dict[tuple[str, int, int], Forecast]


def losses(
    prices: pd.DataFrame,
    splits: list[Dates],
    forecasts: Forecasts,
    settings: Settings = STUDY,
) -> pd.DataFrame:
    """What each forecast of one ticker cost, a row per origin and horizon.

    A model's seeds also count as one ensemble. ``squared`` and ``absolute``
    errors of the close are in currency, ``relative`` is the squared error in
    units of the origin's close, ``scaled`` the absolute error over
    persistence's mean error on the training rows (Hyndman & Koehler 2006),
    ``crps``, ``quantile_1`` and ``quantile_5`` in log return. ``up`` and
    ``down``: where the close went. Of one that did not move they are NaN, and
    so is ``hit``: there was no direction to say. ``cover_…`` and ``var_…``
    say whether the return fell into the central interval, or below the value
    at risk of that many percent.
    """
    close, horizons = prices["Close"].to_numpy(), np.array(settings.reported)
    observed, variance = (
        make_targets(series, settings.horizons)[:, horizons - 1]
        # What a running sum gains in h sessions is the sum over them.
        for series in (log_close(prices), session_variance(prices).cumsum())
    )
    members: dict = {}
    for (model, fold, seed), forecast in forecasts.items():
        members.setdefault((model, fold), {})[str(seed)] = forecast
    frames = []
    for (model, fold), by_seed in members.items():
        rows = fold_origins(prices, splits[fold])
        past = close[: len(before(prices, splits[fold], settings))]
        naive = [np.abs(past[h:] - past[:-h]).mean() for h in horizons]
        known = np.isfinite(observed[rows]).T
        column, origin = known.nonzero()
        by_seed = {ENSEMBLE: Forecast.combine([*by_seed.values()])} | by_seed
        for seed, forecast in by_seed.items():
            costs = _costs(forecast, close[rows], observed[rows])
            costs["scaled"] = ratio(costs["absolute"], np.array(naive))
            costs["qlike"] = qlike(forecast.variance(), variance[rows])
            frame = pd.DataFrame(
                {name: value.T[known] for name, value in costs.items()},
                dtype=float,
            )
            label = {"model": model, "fold": fold, "seed": seed}
            label |= {"date": prices.index[rows[origin]]}
            frames.append(frame.assign(**label, horizon=horizons[column]))
    return pd.concat(frames, ignore_index=True)


def _costs(
    forecast: Forecast, close: np.ndarray, observed: np.ndarray
) -> dict[str, np.ndarray]:
    """Losses ``(origins, horizons)`` of one forecast, by name."""
    origin = close[:, None]
    predicted = forecast.close_quantile(0.5, close) - origin
    change = origin * np.expm1(observed)
    error = np.abs(change - predicted)
    level = forecast.pit(observed)
    costs = {
        "squared": error**2,
        "absolute": error,
        "relative": (error / origin) ** 2,
        "crps": forecast.crps(observed),
        "log_score": forecast.log_score(observed),
        "up": np.heaviside(change, np.nan),
        "down": np.heaviside(-change, np.nan),
        # Neither a close at rest nor "as today" has a direction.
        "hit": np.heaviside(predicted * change, np.nan),
    }
    for percent in INTERVALS:
        costs[f"cover_{percent}"] = np.abs(level - 0.5) <= percent / 200
    for percent in TAILS:
        p = percent / 100
        costs[f"var_{percent}"] = below = level < p
        beyond = observed - forecast.quantile(p)
        costs[f"quantile_{percent}"] = (p - below) * beyond
    return costs


def qlike(forecast: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """What a forecast of the variance costs: y/f − log(y/f) − 1.

    Patton (2011): ranks forecasts by an unbiased proxy of the variance as by
    the variance itself. Zero where the forecast f is what was observed, y;
    infinite for an infinite f. y counts as 1e-12 (a move of 0.0001 %) at
    least: a session without any range would cost every model infinity.
    """
    observed = np.maximum(observed, TINY)
    return observed / forecast + np.log(forecast / observed) - 1


def ratio(value, reference):
    """A quotient; NaN over zero, where a price did not move at all."""
    return value / np.where(reference == 0, np.nan, reference)
