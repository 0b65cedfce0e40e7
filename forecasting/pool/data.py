"""Stocks to learn from and to score: rows, pools, converted files."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from forecasting.files import checksum, write_file
from forecasting.market.prices import COLUMNS, PriceError, check, read_csv
from forecasting.models.features import (
    inputs,
    log_close,
    premium,
    recent_volatility,
    session_variance,
)
from forecasting.models.regressions import log_variance_ahead
from forecasting.settings import STUDY
from forecasting.windows import make_targets

HORIZONS = np.array(STUDY.reported)
# The parts, by the days on which a session is forecast and its 20th next.
BEGIN = "2005-01-01"
SPLIT = {
    "train": (BEGIN, "2010-12-31"),
    "valid": ("2011-01-01", "2012-12-31"),
    "dev": ("2013-01-01", "2017-12-31"),
}
LEVELS = 5  # of strata: 4, 16, 64, 256, 1024 of them


class Rows(NamedTuple):
    """Every session of every stock from 2005 on, one below the other.

    ``x (n, 20)`` features.inputs; ``y (n, 3)`` log variance over the next
    1, 5, 20 sessions, relative to the level that ``Linear`` is relative to;
    ``moved`` log returns and ``variance`` session variance over them, both
    ``(n, 3)`` and NaN where not yet known; ``recent (n, 1)`` recent
    volatility; ``drift (n, 1)`` premium; ``date (n, 1)`` days since 1970;
    ``spans`` first and next row of each stock.
    """

    x: np.ndarray
    y: np.ndarray
    moved: np.ndarray
    variance: np.ndarray
    recent: np.ndarray
    drift: np.ndarray
    date: np.ndarray
    spans: dict[str, tuple[int, int]]

    def level(self, rows: np.ndarray) -> np.ndarray:
        """What ``y`` is relative to, ``(rows, 3)``."""
        return np.log(self.recent[rows].astype(float) ** 2 * HORIZONS)

    def known(self, stock: str, part: str) -> np.ndarray:
        """Rows of a stock in a part of the split, their future in it, too."""
        start, stop = self.spans[stock]
        days = self.date[start:stop, 0]
        low, high = np.array(SPLIT[part], "datetime64[D]").astype(int)
        begin = max(np.searchsorted(days, low), STUDY.first)
        end = np.searchsorted(days, high, "right") - STUDY.horizons
        return np.arange(start + begin, start + max(end, begin))


ARRAYS = Rows._fields[:-1]


def stock_rows(prices: pd.DataFrame) -> dict[str, np.ndarray]:
    """The arrays of ``Rows`` of one stock, float32 (days: int32)."""
    columns = HORIZONS - 1
    ahead = log_variance_ahead(prices, STUDY.horizons)[:, columns]
    recent = recent_volatility(prices)[:, None]
    total = session_variance(prices).cumsum()
    parts = {
        "x": inputs(prices),
        "y": ahead - np.log(recent**2 * HORIZONS),
        "moved": make_targets(log_close(prices), STUDY.horizons)[:, columns],
        "variance": make_targets(total, STUDY.horizons)[:, columns],
        "recent": recent,
        "drift": premium(prices, STUDY.premium)[:, None],
    }
    kept = prices.index >= BEGIN
    days = prices.index.to_numpy("datetime64[D]").astype(np.int32)
    rows = {n: part[kept].astype(np.float32) for n, part in parts.items()}
    return rows | {"date": days[kept, None]}


def obtain(folders: dict[str, Path], cache: Path) -> tuple[Rows, pd.DataFrame]:
    """Rows and list of the stocks of all folders, computed once.

    ``folders``: ``{role: folder of CSVs}``. The list: ticker, role, first,
    last, rows, sha256; rows from 2005 on; volatility and turnover of the
    training years. Raises PriceError for a file that breaks the contract, a
    ticker in two folders, and where fits of other files lie beside the cache.
    """
    paths = {
        path: role
        for role, folder in folders.items()
        for path in sorted(folder.glob("*.csv"))
    }
    for role, folder in folders.items():
        if role not in paths.values():
            raise PriceError(f"{folder}: no CSV files")
    if len({path.stem for path in paths}) < len(paths):
        raise PriceError("a stock may be learnt from or scored, not both")
    sums = {path: checksum(path.read_bytes()) for path in paths}
    if (cache / "stocks.csv").exists():
        if load(cache)[1]["sha256"].tolist() == list(sums.values()):
            return load(cache)
        if any(cache.parent.glob("*.npz")):
            raise PriceError(
                f"{cache.parent}: has fits of other files; use another --out"
            )
    cache.mkdir(parents=True, exist_ok=True)
    parts: dict[str, list] = {name: [] for name in ARRAYS}
    facts = []
    for path, role in tqdm(paths.items(), "features", disable=None):
        prices = read_csv(path)
        for name, part in stock_rows(prices).items():
            parts[name].append(part)
        learnt = prices.loc[slice(*SPLIT["train"])]
        facts.append(
            {
                "ticker": path.stem,
                "role": role,
                "first": prices.index[0].date(),
                "last": prices.index[-1].date(),
                "rows": len(prices),
                "sha256": sums[path],
                "kept": len(parts["x"][-1]),
                "volatility": np.diff(log_close(learnt)).std(),
                "turnover": (learnt["Close"] * learnt["Volume"]).median(),
            }
        )
    for name, arrays in parts.items():
        np.save(cache / f"{name}.npy", np.concatenate(arrays))
    write_file(pd.DataFrame(facts).to_csv().encode(), cache / "stocks.csv")
    return load(cache)


def load(cache: Path) -> tuple[Rows, pd.DataFrame]:
    """What ``obtain`` computed."""
    stocks = pd.read_csv(cache / "stocks.csv", keep_default_na=False)
    ends = np.cumsum(stocks["kept"])
    spans = zip(ends - stocks["kept"], ends, strict=True)
    arrays = {n: np.load(cache / f"{n}.npy", mmap_mode="r") for n in ARRAYS}
    named = dict(zip(stocks["ticker"], spans, strict=True))
    return Rows(**arrays, spans=named), stocks


def pools(stocks: pd.DataFrame, permutation: int) -> dict[int, list[str]]:
    """Nested pools of 4, 16, … stocks, one of each stratum: ``{size: …}``.

    The stocks are halved by turnover, each half by volatility, and so on:
    4, 16, 64, 256, 1024 strata, each inside one of the level before. A pool
    has one stock of every stratum of its level, drawn from those of the next
    larger pool. Fewer stocks give fewer levels.
    """
    levels = min(LEVELS, int(np.log(len(stocks)) / np.log(4) + 1e-9))
    cells = [stocks.sort_values("ticker")]
    for level in range(2 * levels):
        by = ["turnover", "volatility"][level % 2]
        ordered = [c.sort_values(by, kind="stable") for c in cells]
        halves = [(c[: len(c) // 2], c[len(c) // 2 :]) for c in ordered]
        cells = [half for pair in halves for half in pair]
    rng = np.random.default_rng(permutation)
    names = [list(cell["ticker"]) for cell in cells]
    nested = {}
    for level in range(levels, 0, -1):
        drawn = [str(rng.choice(sorted(cell))) for cell in names]
        nested[4**level] = drawn
        names = [drawn[k : k + 4] for k in range(0, len(drawn), 4)]
    return nested


def convert(source: Path, target: Path) -> None:
    """Write a ``….us.txt`` of the public data set as a CSV of the project's.

    ``Date,Open,High,Low,Close,Volume,OpenInt``: from 1990 on, six significant
    digits. Raises PriceError for a file that breaks the contract.
    """
    prices = pd.read_csv(source, index_col="Date", parse_dates=True)
    prices = check(prices.loc["1990":, COLUMNS], source.name)
    lines = [",".join(["Date", *COLUMNS])]
    for day, *values, volume in prices.itertuples():
        numbers = [f"{value:.6g}" for value in values]
        lines.append(",".join([f"{day:%F}", *numbers, f"{volume:.0f}"]))
    write_file("\n".join([*lines, ""]).encode(), target)
