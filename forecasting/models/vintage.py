"""Models learnt from a thousand stocks, which come with the study.

A *vintage* is what was learnt up to one day: arrays in
``vintages/2012-12-31.npz`` and a card beside them, which says from what, how,
and what it is worth. ``python -m forecasting.pool.vintages`` makes them. None
forecasts from a day before its training ended.
"""

import copy
import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit

from forecasting.files import checksum
from forecasting.market.prices import PriceError
from forecasting.models.base import Forecast
from forecasting.models.features import (
    averages,
    inputs,
    log_close,
    overnight,
    premium,
    relative_volume,
    session_variance,
)
from forecasting.models.regressions import VarianceForecaster, level
from forecasting.settings import STUDY, Settings
from forecasting.windows import make_windows

FOLDER = Path(__file__).parents[1] / "vintages"
LATELY = 1000  # sessions that say what a stock is like


class Vintage(NamedTuple):
    """Arrays by name, and the card: ``end``, ``stocks``, ``sha256`` …"""

    card: dict
    arrays: dict[str, np.ndarray]

    @property
    def end(self) -> pd.Timestamp:
        """The last day learnt from."""
        return pd.Timestamp(self.card["end"])


def ends(folder: Path = FOLDER) -> list[str]:
    """Training ends of the vintages that are there, oldest first."""
    return sorted(path.stem for path in folder.glob("*.npz"))


@cache
def load(end: str, folder: Path = FOLDER) -> Vintage:
    """The vintage that ended on a day; PriceError if it is not as made."""
    path = folder / f"{end}.npz"
    try:
        card = json.loads(path.with_suffix(".json").read_text("utf-8"))
        if card["sha256"] != checksum(path.read_bytes()):
            raise ValueError("its card is of another file")
        with np.load(path, allow_pickle=False) as file:
            return Vintage(card, dict(file))
    except (OSError, ValueError, KeyError) as error:
        raise PriceError(
            f"{path}: cannot be used ({error}); git checkout {path} brings "
            "it back"
        ) from error


def newest(day: pd.Timestamp, folder: Path = FOLDER) -> Vintage:
    """The last vintage that had ended by a day; PriceError for none."""
    known = [end for end in ends(folder) if pd.Timestamp(end) <= day]
    if not known:
        raise PriceError(
            f"no forecast from {day.date()}: what the models have learnt "
            f"from ends on {min(ends(folder), default='no day')}, after it"
        )
    return load(known[-1], folder)


class VintageForecaster(VarianceForecaster):
    """A forecast of volatility by a vintage; ``fit`` trains nothing.

    From the first day that is asked for, the newest vintage forecasts whose
    training had ended by then.

    Parameters
    ----------
    seed
        The network to use, of the vintage's several; None: all of them, as
        an ensemble.
    end
        The vintage to use, by the day on which its training ended.
    """

    vintage: Vintage

    def __init__(
        self,
        settings: Settings = STUDY,
        seed: int | None = None,
        end: str | None = None,
    ) -> None:
        super().__init__(settings)
        self.seed, self.end = seed, end

    def fit(self, histories: dict[str, pd.DataFrame]) -> "VintageForecaster":
        """Itself: it has learnt already, and from none of these."""
        return self

    def predict(self, prices: pd.DataFrame, origins: np.ndarray) -> Forecast:
        """Forecast from the given rows of ``prices``.

        Raises PriceError for a day before the end of the training, and for
        one with too few sessions before it.
        """
        first = prices.index[np.min(origins)]
        if np.min(origins) < STUDY.first:
            raise PriceError(
                f"no forecast from {first.date()}: {STUDY.first} sessions "
                f"must come before it, but there are {np.min(origins)}"
            )
        vintage = load(self.end) if self.end else newest(first)
        if first < vintage.end:
            raise PriceError(
                f"no forecast from {first.date()}: the {type(self).__name__} "
                f"has learnt from rows up to {vintage.end.date()}"
            )
        mine = self.of(vintage)
        said = super(VintageForecaster, mine).predict(prices, origins)
        return said.at(tuple(range(1, self.settings.horizons + 1)))

    def of(self, vintage: Vintage) -> "VintageForecaster":
        """The same model of a vintage."""
        mine = copy.copy(self)
        mine.vintage, mine.settings = vintage, STUDY
        for name in ("width", "factor", "scale", "df"):
            for kind in (self.base, type(self)):
                key = f"{kind.__name__}.{name}"
                if key in vintage.arrays:  # else it is being learnt
                    setattr(mine, name, vintage.arrays[key])
        return mine

    @property
    def base(self) -> type["VintageForecaster"]:
        """The regression beside whose forecasts the moves are known."""
        return type(self)

    def arrays(self, *names: str) -> list[np.ndarray]:
        """Some of what was learnt, by name."""
        arm = type(self).__name__
        return [self.vintage.arrays[f"{arm}.{name}"] for name in names]


class PoolLinear(VintageForecaster):
    """``Linear``, learnt from the pool."""

    def log_variance(
        self, prices: pd.DataFrame, rows: np.ndarray
    ) -> np.ndarray:
        """Forecast of ``log_variance_ahead`` from some rows, (rows, H)."""
        slopes, constant = self.arrays("slopes", "constant")
        line = self._read(prices)[rows] @ slopes + constant
        return line + level(prices, STUDY.horizons)[rows]

    def _read(self, prices: pd.DataFrame) -> np.ndarray:
        return inputs(prices)


class PoolAverages(PoolLinear):
    """A memory without a network: a regression on averages of the past.

    Reads ``features.averages``: the inputs of a session, and what they were
    before, at eight speeds.
    """

    def _read(self, prices: pd.DataFrame) -> np.ndarray:
        return averages(inputs(prices))


class LSTM(VintageForecaster):
    """LSTMs that correct ``PoolAverages``: they read the last 60 sessions.

    Of each session they read what ``Linear`` reads of the last one.
    """

    base = PoolAverages
    lookback = STUDY.lookback

    def log_variance(
        self, prices: pd.DataFrame, rows: np.ndarray
    ) -> np.ndarray:
        """Forecast of ``log_variance_ahead`` from some rows, (rows, H)."""
        mean, deviation, unit = self.arrays("mean", "deviation", "unit")
        read = (inputs(prices) - mean) / deviation
        windows = make_windows(read, self.lookback)[rows - self.lookback + 1]
        layers = self.arrays("kernel", "recurrent", "bias", "dense", "shift")
        seeds = range(len(layers[0])) if self.seed is None else [self.seed]
        if max(seeds) >= len(layers[0]):
            raise PriceError(
                f"seed {self.seed}: a vintage has {len(layers[0])} networks"
            )
        said = [run(windows, *(layer[k] for layer in layers)) for k in seeds]
        line = self.base().of(self.vintage).log_variance(prices, rows)
        return line + np.mean(said, axis=0) * unit

    def _errors(self, prices: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """As the regression has them: cheaper, and all but the same."""
        return self.base().of(self.vintage)._errors(prices)


class Memoryless(LSTM):
    """The same network without a memory: it reads one session."""

    lookback = 1


def run(
    windows: np.ndarray,
    kernel: np.ndarray,
    recurrent: np.ndarray,
    bias: np.ndarray,
    dense: np.ndarray,
    shift: np.ndarray,
) -> np.ndarray:
    """What an LSTM and a dense layer say of windows, ``(n, outputs)``.

    In NumPy and double precision: the same forecast on every machine, and
    no library to load.

    Parameters
    ----------
    windows
        ``(n, steps, inputs)``.
    kernel, recurrent, bias
        Of the cell, as Keras has them: ``(inputs, 4 units)``,
        ``(units, 4 units)``, ``(4 units,)``, gates in the order input,
        forget, candidate, output.
    dense, shift
        Of the layer after it, ``(units, outputs)`` and ``(outputs,)``.
    """
    h = c = np.zeros((len(windows), len(recurrent)))
    for x in windows.swapaxes(0, 1):
        i, f, g, o = np.split(x @ kernel + h @ recurrent + bias, 4, axis=1)
        c = expit(f) * c + expit(i) * np.tanh(g)
        h = expit(o) * np.tanh(c)
    return h @ dense + shift


def nature(prices: pd.DataFrame) -> dict[str, float]:
    """What a stock has been like lately, in three numbers.

    ``volatility``: of a session, in per cent; ``gaps``: the overnight gaps'
    share of the variance, in per cent; ``volume``: by what factor it varies
    around its mean of 60 sessions.
    """
    past = prices.iloc[-LATELY:]
    gaps = (overnight(past) ** 2).sum() / session_variance(past).sum()
    return {
        "volatility": float(100 * np.diff(log_close(past)).std()),
        "gaps": float(100 * gaps),
        "volume": float(np.exp(relative_volume(past).std())),
    }


def unlike(ticker: str, prices: pd.DataFrame, card: dict) -> str:
    """In one line, what sets a stock apart from all that was learnt from.

    Empty where nothing does. ``card``: of the vintage; its ``like`` has the
    1st and 99th percentile of its stocks.
    """
    lead = f"{ticker} is unlike the stocks learnt from:"
    if not premium(prices, 1.0)[-1]:
        return f"{lead} it is no share, but a coin, a currency or a rate"
    units = {"volatility": "% a session", "gaps": "%", "volume": "times"}
    found = [
        f"{name} {value:.2g} {units[name]} (theirs: {low:.2g} to {high:.2g})"
        for name, value in nature(prices).items()
        for low, high in [card["like"][name]]
        if not low <= value <= high
    ]
    return f"{lead} {', '.join(found)}" if found else ""
