"""A recipe of ``published``, built anew: its inputs, network, training."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from forecasting.market.prices import OHLC
from forecasting.models.backend import keras, seeded
from forecasting.recipes.published import Recipe
from forecasting.windows import make_windows

SEED = 0


def columns(prices: pd.DataFrame, names: tuple[str, ...]) -> np.ndarray:
    """Columns of a history, ``(n, len(names))``; Mid and Mean among them."""
    known = prices.assign(
        Mid=prices[["High", "Low"]].mean(axis=1),
        Mean=prices[OHLC].mean(axis=1),
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


def smoothed(values: np.ndarray, weight: float) -> np.ndarray:
    """Exponential mean along the rows, ``weight`` that of the new one."""
    means = pd.DataFrame(values).ewm(alpha=weight, adjust=False).mean()
    return means.to_numpy()


def build(recipe: Recipe) -> keras.Model:
    """The recipe's network: ``(batch, lookback, inputs)`` → ``(batch, 1)``."""
    last = max(i for i, (k, *_) in enumerate(recipe.layers) if k == "LSTM")
    layers = [keras.Input((recipe.lookback, len(recipe.inputs)))]
    for i, (kind, *settings) in enumerate(recipe.layers):
        more = {"return_sequences": i < last} if kind == "LSTM" else {}
        layers.append(getattr(keras.layers, kind)(*settings, **more))
    return keras.Sequential([*layers, keras.layers.Dense(1)])


@seeded(SEED)
def train(
    recipe: Recipe, x: np.ndarray, y: np.ndarray
) -> tuple[keras.Model, list[float]]:
    """The recipe's network, trained, and its loss after each epoch.

    ``x (k, lookback, d)``, ``y (k,)`` scaled. The oldest windows that fill no
    batch are left out: another shape is another compilation.
    """
    model = build(recipe)
    kind, options = recipe.optimizer
    optimizer = getattr(keras.optimizers, kind)(recipe.rate, **options)
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
