"""What a published recipe is worth, on other prices than its own.

Each is run twice: as published, its leak included, and under the protocol of
this study. ``python -m forecasting.recipes`` does so for all.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from forecasting.evaluation.verdict import judge
from forecasting.evaluation.walk_forward import Job, fit_predict
from forecasting.models.base import Forecast, Forecaster
from forecasting.models.baselines import RandomWalk, fit_student_t
from forecasting.recipes.published import Recipe
from forecasting.recipes.rebuilt import (
    SEED,
    columns,
    cut,
    outputs,
    row_scale,
    smoothed,
    train,
)
from forecasting.settings import Settings
from forecasting.windows import fold_dates, joint_calendar

NEXT = Settings(horizons=1)  # the protocol asks for the next close
FACTS = "repository", "licence", "claim", "ticker"
PROTOCOL = "theil_u", "mase", "hit_rate", "majority_rate", "crps_vs_rw"


# --- as published -----------------------------------------------------------
class Replay(NamedTuple):
    """A recipe's forecasts of its test rows, as published; in prices.

    ``said``, ``actual``, ``trivial``: ``(k, steps)``; ``now``, ``offset``,
    ``width``: ``(k, 1)``, the target's last known value and its scaling;
    ``dates (k,)`` of the last row read; ``losses`` of each epoch.
    """

    said: np.ndarray
    actual: np.ndarray
    trivial: np.ndarray
    now: np.ndarray
    offset: np.ndarray
    width: np.ndarray
    dates: pd.DatetimeIndex
    losses: list[float]

    def scaled(self, price: np.ndarray) -> np.ndarray:
        """Prices as the network was to say them."""
        return (price - self.offset) / self.width


def replay(recipe: Recipe, prices: pd.DataFrame) -> Replay:
    """Train and test a recipe as published, on the last of its rows."""
    prices = prices.iloc[-(recipe.rows or len(prices)) :]
    if recipe.backwards:
        prices = prices[::-1]
    values = columns(prices, (*recipe.inputs, recipe.target))
    target, n = values[:, -1], len(values)
    learnt = round(recipe.split * n)
    shown = values.copy()
    shown[:learnt] = smoothed(values[:learnt], recipe.smooth)
    scale = row_scale(recipe, shown, n if recipe.leak else learnt)
    ends = np.arange(recipe.lookback - 1, n - recipe.ahead - recipe.steps + 1)
    x, offset, width = (p[: len(ends)] for p in cut(recipe, shown, scale))
    y = (shown[ends + recipe.ahead, -1] - offset) / width
    if recipe.shuffled:
        order = np.random.default_rng(SEED).permutation(len(ends))
        training, test = np.split(order, [round(recipe.split * len(ends))])
    else:
        known = ends + recipe.ahead < learnt
        # Forecasts that follow each other start where the last ones ended.
        training, later = known.nonzero()[0], (~known).nonzero()[0]
        test = later[:: recipe.steps]
    model, losses = train(recipe, x[training], y[training])
    offset, width = offset[test, None], width[test, None]
    said = offset + width * outputs(model, x[test], recipe.steps)
    said = smoothed(said.T, recipe.smooth_forecast).T
    ends = ends[test]
    return Replay(
        said,
        target[ends[:, None] + recipe.ahead + np.arange(recipe.steps)],
        trivial(recipe, prices, target, ends),
        target[ends, None],
        offset,
        width,
        prices.index[ends],
        losses,
    )


def trivial(
    recipe: Recipe, prices: pd.DataFrame, target: np.ndarray, ends: np.ndarray
) -> np.ndarray:
    """What the recipe's trivial rule says, ``(len(ends), steps)``."""
    last_learnt = round(recipe.split * len(target)) - 1
    steps, last = np.arange(recipe.steps), target[ends, None]
    slope = (target[last_learnt] - target[0]) / last_learnt
    rules = {
        "as today": last,
        "today's close": prices["Close"].to_numpy()[ends, None],
        "always up": 1.01 * last,
        "straight line": target[0] + slope * (ends[:, None] + 1 + steps),
    }
    return rules[recipe.rule] + 0 * steps


def rmse(error: np.ndarray) -> float:
    """Root mean square."""
    return np.sqrt(np.mean(error**2))


def score(metric: str, said: np.ndarray, r: Replay) -> float:
    """What a recipe's own metric makes of forecasts ``(k, steps)``."""
    gap = said - r.actual
    scaled = rmse(gap / r.width)
    metrics = {
        "RMSE, dollars": rmse(gap),
        "RMSE against scaled targets": rmse(said - r.scaled(r.actual)),
        "RMSE, scaled": scaled,
        "MSE, scaled": scaled**2,
        "half MSE, scaled": scaled**2 / 2,
        "MSE over range, %": 100 * rmse(gap) ** 2 / np.ptp(r.actual),
        # Prices plus one, as published.
        "accuracy, %": 100 * (1 - rmse(gap / (r.actual + 1))),
        "directions right, %": 100
        * np.mean((said > r.now) == (r.actual > r.now)),
    }
    return metrics[metric]


# --- under the protocol -----------------------------------------------------
class RecipeForecaster(Forecaster):
    """A recipe's inputs, scaling, network and training; the next close.

    All that is fitted sees the training rows only. The Student-t around each
    point is fitted to the errors on these rows.
    """

    seed = SEED

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe

    def fit(self, histories: dict[str, pd.DataFrame]) -> "RecipeForecaster":
        """Fit to the one history in ``{ticker: prices}``."""
        (prices,) = histories.values()
        recipe = self.recipe
        prices = prices.iloc[-(recipe.rows or len(prices)) :]
        values = smoothed(self._values(prices), recipe.smooth)
        scale = row_scale(recipe, values, len(values))
        self.scale = scale[:, -1:]
        x, offset, width = cut(recipe, values, scale)
        y = (values[recipe.lookback :, -1] - offset[:-1]) / width[:-1]
        self.model, _ = train(recipe, x[:-1], y)
        origins = np.arange(recipe.lookback - 1, len(prices) - 1)
        close = prices["Close"].to_numpy()
        moved = np.log(close[origins + 1] / close[origins])
        self.t = fit_student_t(moved - self._point(prices, origins))
        return self

    def predict(self, prices: pd.DataFrame, origins: np.ndarray) -> Forecast:
        """Forecast from rows of ``prices`` that end a whole window."""
        prices = prices.iloc[: np.max(origins) + 1]  # nothing later is read
        loc = self._point(prices, origins)[:, None]
        scale, df = (np.full(loc.shape, part) for part in self.t)
        return Forecast(loc, scale, df)

    def _values(self, prices: pd.DataFrame) -> np.ndarray:
        return columns(prices, (*self.recipe.inputs, "Close"))

    def _point(self, prices: pd.DataFrame, origins: np.ndarray) -> np.ndarray:
        """Log returns that the network predicts, ``(origins,)``."""
        windows = cut(self.recipe, self._values(prices), self.scale)
        first = origins - self.recipe.lookback + 1
        x, offset, width = (part[first] for part in windows)
        said = offset + width * outputs(self.model, x)[:, 0]
        close = prices["Close"].to_numpy()[origins]
        return np.log(np.maximum(said / close, 0.01))  # may fall below zero


def under_protocol(recipe: Recipe, prices: pd.DataFrame) -> dict[str, float]:
    """Scores of a recipe's next closes in the last test year."""
    histories = {recipe.ticker: prices}
    splits = fold_dates(histories, 1, NEXT)
    models = {"RandomWalk": RandomWalk(NEXT), "it": RecipeForecaster(recipe)}
    forecasts = {}
    for name, model in models.items():
        job = Job(name, 0, (recipe.ticker,), SEED)
        done = fit_predict(job, model, histories, splits[0], NEXT)
        forecasts[name, 0, SEED] = done[recipe.ticker]
    mine = [(recipe.ticker, prices, forecasts)]
    verdict = judge(mine, splits, joint_calendar(histories), NEXT)
    found: dict[str, float] = {}
    for part in verdict.summary, verdict.scores:
        found |= part.query("model == 'it'").iloc[0].to_dict()
    return {name: found[name] for name in PROTOCOL}


# --- the table --------------------------------------------------------------
def row(recipe: Recipe, prices: pd.DataFrame) -> dict:
    """A recipe's row of the table.

    ``loss_fell``: by what share the training loss fell in the last fifth of
    the epochs; NaN where there are fewer than five.
    """
    r = replay(recipe, prices)
    fifth = recipe.run // 5
    fell = 1 - r.losses[-1] / r.losses[-1 - fifth] if fifth else np.nan
    return {
        "recipe": recipe.name,
        **{fact: getattr(recipe, fact) for fact in FACTS},
        "rows": recipe.rows or len(prices),
        "epochs": recipe.epochs,
        "run_epochs": recipe.run,
        "loss_fell": fell,
        "metric": recipe.metric,
        "score": score(recipe.metric, r.said, r),
        "rule": recipe.rule,
        "rule_score": score(recipe.metric, r.trivial, r),
        **under_protocol(recipe, prices),
        "flaw": recipe.flaw,
    }
