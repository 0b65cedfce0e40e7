"""What a published recipe is worth, on other prices than its own.

Each is run twice: as published, its leak included, and under the protocol of
this study. ``python -m forecasting.recipes`` does so for all.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from forecasting.backend import keras
from forecasting.baselines import RandomWalk, fit_student_t
from forecasting.forecast import Forecast, Forecaster
from forecasting.protocol import Job, fit_predict, fold_dates
from forecasting.published import Recipe
from forecasting.scores import judge
from forecasting.settings import Settings
from forecasting.windows import joint_calendar, make_windows

SEED = 0
NEXT = Settings(horizons=1)  # the protocol asks for the next close


# --- what a recipe reads ----------------------------------------------------
def columns(prices: pd.DataFrame, names: tuple[str, ...]) -> np.ndarray:
    """Columns of a history, ``(n, len(names))``; Mid and Mean among them."""
    known = prices.assign(
        Mid=prices[["High", "Low"]].mean(axis=1),
        Mean=prices[["Open", "High", "Low", "Close"]].mean(axis=1),
    )
    return known[list(names)].to_numpy(dtype=float)


def row_scale(recipe: Recipe, values: np.ndarray, fitted: int) -> np.ndarray:
    """Offset and width of each row's scaling, ``(2, n, d)``.

    Fitted to the first ``fitted`` rows of ``values (n, d)``, chunk by chunk;
    later rows have those of the last chunk.
    """
    scale = np.empty((2, *values.shape))
    for first in range(0, fitted, recipe.chunk or fitted):
        part = values[first : min(first + (recipe.chunk or fitted), fitted)]
        if recipe.scaling == "zscore":
            scale[:, first:] = np.stack([part.mean(0), part.std(0)])[:, None]
        else:
            low, high = part.min(0), part.max(0)
            scale[:, first:] = np.stack([low, high - low])[:, None]
    return scale


class Windows(NamedTuple):
    """Windows ``x (k, lookback, d)`` and what turns outputs into prices.

    ``price = offset + width * output``, ``(k,)`` each; window i ends at row
    i + lookback − 1.
    """

    x: np.ndarray
    offset: np.ndarray
    width: np.ndarray


def cut(recipe: Recipe, values: np.ndarray, scale: np.ndarray) -> Windows:
    """Scaled windows of ``values (n, d + 1)``, whose last is the target.

    ``scale``: as ``row_scale`` returns it, or one that broadcasts; windows
    that are scaled by their own rows do not use it.
    """
    lookback = recipe.lookback
    if recipe.scaling == "start":
        windows = make_windows(values, lookback)
        first = windows[:, :1]
        x, offset = windows / first - 1, first[:, 0, -1]
        width = offset
    elif recipe.scaling == "change":
        before = np.concatenate([values[:1], values[:-1]])
        x = make_windows(values / before - 1, lookback)
        offset = width = values[lookback - 1 :, -1]
    else:
        rows = np.broadcast_to(scale, (2, *values.shape))
        x = make_windows((values - rows[0]) / rows[1], lookback)
        offset, width = rows[:, lookback - 1 :, -1]
    return Windows(x[:, :, :-1].astype("float32"), offset, width)


def smoothed(recipe: Recipe, values: np.ndarray) -> np.ndarray:
    """Training rows as the recipe smooths them, or as they are."""
    if recipe.smooth is None:
        return values
    return pd.DataFrame(values).ewm(alpha=recipe.smooth).mean().to_numpy()


# --- what it builds and trains ----------------------------------------------
def build(recipe: Recipe) -> keras.Model:
    """The recipe's network: ``(batch, lookback, inputs)`` → ``(batch, 1)``."""
    last = max(i for i, (k, *_) in enumerate(recipe.layers) if k == "LSTM")
    layers = [keras.Input((recipe.lookback, len(recipe.inputs)))]
    for i, (kind, *settings) in enumerate(recipe.layers):
        more = {"return_sequences": i < last} if kind == "LSTM" else {}
        layers.append(getattr(keras.layers, kind)(*settings, **more))
    return keras.Sequential([*layers, keras.layers.Dense(1)])


def train(
    recipe: Recipe, x: np.ndarray, y: np.ndarray
) -> tuple[keras.Model, list[float]]:
    """The recipe's network, trained, and its loss after each epoch.

    ``x (k, lookback, d)``, ``y (k,)`` scaled. The oldest windows that fill no
    batch are left out: another shape is another compilation.
    """
    keras.utils.set_random_seed(SEED)
    model = build(recipe)
    optimizer = getattr(keras.optimizers, recipe.optimizer)(recipe.rate)
    model.compile(optimizer, recipe.loss, jit_compile=True)
    batch = min(recipe.batch, len(x))
    first, callbacks = len(x) % batch, []
    if recipe.decay:
        every, factor = recipe.decay
        slower = keras.callbacks.LearningRateScheduler(
            lambda epoch: recipe.rate * factor ** (epoch // every)
        )
        callbacks.append(slower)
    fit = model.fit(
        x[first:],
        y[first:],
        batch_size=batch,
        epochs=recipe.run,
        callbacks=callbacks,
        verbose=0,
    )
    return model, fit.history["loss"]


def outputs(model: keras.Model, x: np.ndarray, steps: int = 1) -> np.ndarray:
    """Outputs for windows ``(k, lookback, d)``, step after step, (k, steps).

    Each output is the last row of the next window, in every column, which is
    how the recipes go on.
    """
    # Whole batches only, as in ``train``; what is repeated is cut off.
    count, size = len(x), min(len(x), 512)
    x = np.resize(x, (-(-count // size) * size, *x.shape[1:]))
    said = []
    for _ in range(steps):
        parts = np.split(x, len(x) // size)
        said.append(np.concatenate([*map(model.predict_on_batch, parts)]))
        row = np.broadcast_to(said[-1][:, None], (len(x), 1, x.shape[2]))
        x = np.concatenate([x[:, 1:], row], axis=1)
    return np.concatenate(said, axis=1)[:count].astype(float)


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
    shown = np.vstack([smoothed(recipe, values[:learnt]), values[learnt:]])
    scale = row_scale(recipe, shown, n if recipe.leak else learnt)
    x, offset, width = cut(recipe, shown, scale)
    ends = np.arange(recipe.lookback - 1, n - recipe.ahead - recipe.steps + 1)
    x, offset, width = x[: len(ends)], offset[: len(ends)], width[: len(ends)]
    y = (shown[ends + recipe.ahead, -1] - offset) / width
    if recipe.shuffled:
        order = np.random.default_rng(SEED).permutation(len(ends))
        parts = np.split(order, [round(recipe.split * len(ends))])
    else:
        known = ends + recipe.ahead < learnt
        # Forecasts that follow each other start where the last ones ended.
        parts = [known.nonzero()[0], (~known).nonzero()[0][:: recipe.steps]]
    training, test = parts
    model, losses = train(recipe, x[training], y[training])
    offset, width = offset[test, None], width[test, None]
    said = offset + width * outputs(model, x[test], recipe.steps)
    ends = ends[test]
    return Replay(
        said,
        target[ends[:, None] + recipe.ahead + np.arange(recipe.steps)],
        trivial(recipe, prices, target, ends, learnt),
        target[ends, None],
        offset,
        width,
        prices.index[ends],
        losses,
    )


def trivial(
    recipe: Recipe,
    prices: pd.DataFrame,
    target: np.ndarray,
    ends: np.ndarray,
    learnt: int,
) -> np.ndarray:
    """What the recipe's trivial rule says, ``(len(ends), steps)``."""
    steps = np.arange(recipe.steps)
    if recipe.rule == "straight line":  # through first and last trained on
        slope = (target[learnt - 1] - target[0]) / (learnt - 1)
        return target[0] + slope * (ends[:, None] + 1 + steps)
    if recipe.rule == "always up":
        return target[ends, None] * 1.01 + 0 * steps
    if recipe.rule == "today's close":
        return prices["Close"].to_numpy()[ends, None] + 0 * steps
    return target[ends, None] + 0 * steps


def rmse(error: np.ndarray) -> float:
    """Root mean square."""
    return np.sqrt(np.mean(error**2))


def score(metric: str, said: np.ndarray, r: Replay) -> float:
    """What a recipe's own metric makes of forecasts ``(k, steps)``."""
    gap = said - r.actual
    match metric:
        case "RMSE, dollars":
            return rmse(gap)
        case "RMSE against scaled targets":
            return rmse(said - r.scaled(r.actual))
        case "RMSE, scaled":
            return rmse(gap / r.width)
        case "MSE, scaled":
            return rmse(gap / r.width) ** 2
        case "half MSE, scaled":
            return rmse(gap / r.width) ** 2 / 2
        case "MSE over range, %":
            return 100 * rmse(gap) ** 2 / np.ptp(r.actual)
        case "accuracy, %":  # prices plus one, as published
            return 100 * (1 - rmse(gap / (r.actual + 1)))
        case "directions right, %":
            return 100 * np.mean((said > r.now) == (r.actual > r.now))
    raise ValueError(f"no metric {metric!r}")


# --- under the protocol -----------------------------------------------------
class RecipeForecaster(Forecaster):
    """A recipe's inputs, scaling, network and training; the next close.

    All that is fitted sees the training rows only. The Student-t around each
    point is fitted to the errors on these rows, as of ``TextbookLSTM``.
    """

    seed = SEED

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe

    def fit(self, histories: dict[str, pd.DataFrame]) -> "RecipeForecaster":
        """Fit to the one history in ``{ticker: prices}``."""
        (prices,) = histories.values()
        recipe = self.recipe
        prices = prices.iloc[-(recipe.rows or len(prices)) :]
        values = smoothed(recipe, self._values(prices))
        scale = row_scale(recipe, values, len(values))
        self.scale = scale[:, -1:]
        x, offset, width = cut(recipe, values, scale)
        y = (values[recipe.lookback :, -1] - offset[:-1]) / width[:-1]
        self.model, _ = train(recipe, x[:-1], y)
        origins = np.arange(recipe.lookback - 1, len(prices) - 1)
        close = prices["Close"].to_numpy()
        moved = np.log(close[origins + 1] / close[origins])
        errors = moved - self._point(prices, origins)
        self.t = fit_student_t(errors)
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
    scores = verdict.scores.query("model == 'it'").iloc[0]
    summary = verdict.summary.query("model == 'it'").iloc[0]
    return {
        "theil_u": scores["theil_u"],
        "mase": scores["mase"],
        "hit_rate": scores["hit_rate"],
        "majority_rate": summary["majority_rate"],
        "crps_vs_rw": scores["crps_vs_rw"],
    }


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
        "repository": recipe.repository,
        "licence": recipe.licence,
        "claim": recipe.claim,
        "ticker": recipe.ticker,
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
