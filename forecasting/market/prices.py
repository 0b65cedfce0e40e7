"""Find, read, check and format a price history.

A history is a DataFrame of adjusted daily prices: index ``Date``
(ascending, unique), columns ``Open, High, Low, Close, Volume``.
"""

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd

from forecasting.console import brief, say

# data/ of the checkout; of the current folder where this is installed.
DATA = Path(__file__).resolve().parents[2] / "data"
if not (DATA / "snapshot").is_dir():
    DATA = Path.cwd() / "data"
SYMBOL = re.compile(  # Yahoo's; safe as a file name, and in a page
    r"\^?[A-Z0-9]([A-Z0-9.&=_-]{0,22}[A-Z0-9])?", re.ASCII | re.IGNORECASE
)
OHLC = ["Open", "High", "Low", "Close"]
COLUMNS = [*OHLC, "Volume"]
DECIMALS = 6  # of a price in a CSV, and ...
SMALL = 0.01  # ... below this price, as many significant digits
ROUNDING = 1e-4  # how far Yahoo's rounding may push a close past the high
MAX_VOLUME = 1e15


class PriceError(ValueError):
    """A history that cannot be used; its message is one line."""


def directories() -> list[Path]:
    """Where histories are looked for, in order.

    ``data/`` (what scraper.py wrote), then ``data/snapshot/``; the
    environment variable FORECASTING_DATA replaces both with one directory.
    """
    pinned = os.environ.get("FORECASTING_DATA")
    return [Path(pinned)] if pinned else [DATA, DATA / "snapshot"]


def frozen(directory: Path) -> bool:
    """Whether a directory is the snapshot, which no download may change."""
    return directory.resolve() == (DATA / "snapshot").resolve()


def tickers() -> list[str]:
    """Tickers with a CSV, in alphabetical order."""
    found = {name for d in directories() for name in _csv_files(d)}
    return sorted(name for name in found if SYMBOL.fullmatch(name))


def _csv_files(directory: Path) -> dict[str, Path]:
    """CSVs by their names, but for hidden ones: macOS leaves ._IBM.csv."""
    paths = sorted(directory.glob("*.csv"))
    return {p.stem: p for p in paths if not p.name.startswith(".")}


def find(ticker: str) -> Path:
    """Path of a ticker's CSV; PriceError where there is none.

    Where there are two, the one whose prices are newer; of two that end on
    the same day, that of ``data/``.
    """
    paths = [directory / f"{ticker}.csv" for directory in directories()]
    paths = [path for path in paths if path.is_file()]
    if not paths:
        places = " or ".join(map(show, directories()))
        hint = f"download it with: python scraper.py {ticker}"
        raise PriceError(f"{ticker}: no CSV in {places}; {hint}")
    if len(paths) == 1:
        return paths[0]
    return max(paths, key=lambda path: read_csv(path).index[-1])


def load(ticker: str) -> pd.DataFrame:
    """Read a ticker's history and print which file it came from."""
    path = find(ticker)
    prices = read_csv(path)
    first, last = prices.index[0].date(), prices.index[-1].date()
    print(f"{show(path)}: {len(prices):,} sessions, {first} to {last}")
    return prices


def load_directory(
    directory: Path, names: list[str] | None = None
) -> dict[str, pd.DataFrame]:
    """Read ``{ticker: history}`` from a directory of CSVs.

    A file whose name is no symbol is left out, and a line says so. Raises
    PriceError for a missing or empty directory, a missing ticker, or any
    file that breaks the contract.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise PriceError(f"{directory}: no such directory")
    paths = _csv_files(directory)
    for name in [name for name in paths if not SYMBOL.fullmatch(name)]:
        say(
            f"{directory}: {brief(paths.pop(name).name)} is left out; name it "
            "with at most 24 letters, digits and . - = & _"
        )
    if not paths:
        raise PriceError(f"{directory}: no CSV files; see data/README.md")
    missing = [name for name in names or [] if name not in paths]
    if missing:
        there = f"there are {', '.join(paths)}"
        raise PriceError(f"{directory}: no {missing[0]}.csv; {there}")
    return {name: read_csv(paths[name]) for name in names or paths}


def read_csv(path: Path) -> pd.DataFrame:
    """Read and check one CSV; PriceError names the file and the fault."""
    where = show(path := Path(path))
    try:
        prices = pd.read_csv(path, dtype={"Date": str})
    except (OSError, ValueError) as error:
        fault = f"not a readable CSV ({brief(error)})"
        raise PriceError(f"{where}: {fault}") from error
    if not isinstance(prices.index, pd.RangeIndex):
        raise PriceError(f"{where}: rows have more fields than the header")
    absent = [c for c in ["Date", *COLUMNS] if c not in prices.columns]
    if absent:
        raise PriceError(f"{where}: no column {', '.join(absent)}")
    dates = pd.to_datetime(prices["Date"], format="%Y-%m-%d", errors="coerce")
    no_date = dates.isna() | (dates.dt.year < 1)  # pandas reads a year 0
    if no_date.any():
        row = int(np.argmax(no_date))
        found = f"Date is not YYYY-MM-DD: {brief(repr(prices['Date'][row]))}"
        raise PriceError(f"{where}: line {row + 2}: {found}")
    prices.index = pd.DatetimeIndex(dates, name="Date")
    return check(prices[COLUMNS], where)


def check(prices: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return a history whose every row can be used, or raise PriceError."""
    if prices.empty:
        raise PriceError(f"{where}: no rows")
    step = np.diff(prices.index.asi8)
    if (bad := step <= 0).any():
        row = int(np.argmax(bad))
        fault = "is not in order" if step[row] else "is there twice"
        raise PriceError(f"{where}: {prices.index[row + 1].date()} {fault}")
    values = prices.apply(_numbers)
    high = values["High"] * (1 + ROUNDING)
    low = values["Low"] * (1 - ROUNDING)
    faults = {
        f"{c} is not a finite number": ~np.isfinite(values[c]) for c in COLUMNS
    }
    faults |= {f"{c} is not positive": values[c] <= 0 for c in OHLC}
    faults |= {f"{c} lies above High": values[c] > high for c in OHLC}
    faults |= {f"{c} lies below Low": values[c] < low for c in OHLC}
    possible = values["Volume"].between(0, MAX_VOLUME)
    faults[f"Volume is not between 0 and {MAX_VOLUME:.0e}"] = ~possible
    for fault, bad in faults.items():
        if bad.any():
            day = values.index[bad][0].date()
            raise PriceError(f"{where}: {day}: {fault}")
    return values


def _numbers(column: pd.Series) -> pd.Series:
    """A column as floats, NaN for what is no number."""
    if column.dtype in (object, bool):  # object: too large for 64 bits
        column = column.astype(str)
    return pd.to_numeric(column, errors="coerce").astype(float)


def require_rows(prices: pd.DataFrame, needed: int, ticker: str) -> None:
    """Raise PriceError where a history is too short for what follows."""
    if len(prices) < needed:
        short = f"{len(prices)} rows, but at least {needed} are needed"
        raise PriceError(f"{ticker}: {short}")


def to_csv(prices: pd.DataFrame) -> str:
    """A history in the one format of data/: fixed decimals, LF endings."""
    days = prices.index.strftime("%Y-%m-%d")
    volume = prices["Volume"].round().astype("int64")
    columns = [prices[c].map(_price).tolist() for c in OHLC]
    rows = zip(days, *columns, volume.map(str), strict=True)
    return "\n".join([",".join(["Date", *COLUMNS]), *map(",".join, rows), ""])


def round_prices(table: np.ndarray) -> np.ndarray:
    """Prices as they are read back from a CSV; any shape."""
    rounded, small = table.round(DECIMALS), np.abs(table) < SMALL
    rounded[small] = [float(f"{p:.{DECIMALS - 1}e}") for p in table[small]]
    return rounded


def _price(price: float) -> str:
    """Six decimals; more where a price is so small that they say little."""
    if price >= SMALL:
        return f"{price:.{DECIMALS}f}"
    digits = float(f"{price:.{DECIMALS - 1}e}")
    _, _, decimals = np.format_float_positional(digits).partition(".")
    return f"0.{decimals.ljust(DECIMALS, '0')}"


def show(path: Path) -> str:
    """A path as the reader knows it: relative to the repository."""
    inside = path.is_relative_to(DATA.parent)
    return (path.relative_to(DATA.parent) if inside else path).as_posix()
