"""Parse: Yahoo's chart reply → bars; what is not its schema is refused."""

import json
import time
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecasting.console import brief
from forecasting.market import prices
from forecasting.market.calendars import BY_CODE, CERTAIN, UNKNOWN
from forecasting.market.request import Faulty, NoPrices, Refused

# What Python raises where a reply has another form than is read.
MALFORMED = LookupError, TypeError, ValueError, ArithmeticError, AttributeError


@dataclass
class Reply:
    """What one chart reply says.

    `bars`: index Date, in the order received; columns stamp (seconds), the
    prices as traded but for splits, Adj Close and Volume; NaN for null.
    `today` on the exchange; `live`: the date of a session in progress;
    `kind`: EQUITY, INDEX, ...; `splits`: date → new shares per old one.
    """

    bars: pd.DataFrame
    today: pd.Timestamp
    live: pd.Timestamp | None
    exchange: str
    kind: str
    splits: dict[pd.Timestamp, float]


def parse(content: bytes, ticker: str) -> Reply:
    """Read a chart reply received this moment.

    Raises Faulty for what is not a chart, which may pass; and Refused where
    the chart is of something else, or has no prices, or bars that are not
    in Yahoo's schema: it will be the same chart when asked for again.
    """
    try:
        document = json.loads(content, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        kinds = {b"": "nothing", b"<": "a web page"}
        what = kinds.get(content.lstrip()[:1], "something broken")
        raise Faulty(f"not JSON: Yahoo sent {what}") from error
    try:
        chart = _find_chart(document["chart"])
    except MALFORMED as error:
        raise Faulty(f"not Yahoo's format: {brief(error, 60)}") from error
    try:
        _check_subject(chart["meta"], ticker)
        return _read_chart(chart, time.time())
    except MALFORMED as error:
        raise Refused(f"not Yahoo's format: {brief(error, 60)}") from error


def _find_chart(chart: dict) -> dict:
    if error := chart.get("error"):
        if error["code"] == "Not Found":
            raise Refused("unknown symbol; look it up on finance.yahoo.com")
        raise NoPrices(brief(error["description"]))
    if not chart["result"]:
        raise NoPrices("Yahoo's reply is empty")
    (result,) = chart["result"]
    result["meta"].keys()  # of a dictionary
    return result


def _read_chart(result: dict, now: float) -> Reply:
    meta, stamps = result["meta"], result.get("timestamp")
    if not stamps:
        raise NoPrices("Yahoo's reply has no rows")
    if set(map(type, stamps)) != {int}:
        raise ValueError("a timestamp is not a whole number")
    if not -2.3e9 < min(stamps) <= max(stamps) < 4.2e9:  # 1897 to 2103
        raise ValueError("a timestamp is not in seconds")

    kind = str(meta.get("instrumentType"))
    (quote,) = result["indicators"]["quote"]
    columns = {c: quote[c.lower()] for c in prices.COLUMNS}
    if "adjclose" in result["indicators"]:
        (adjusted,) = result["indicators"]["adjclose"]
        columns["Adj Close"] = adjusted["adjclose"]
    elif kind in ("EQUITY", "ETF", "MUTUALFUND"):
        raise ValueError("no adjusted closes")
    else:  # indices and currencies pay no dividends
        columns["Adj Close"] = columns["Close"]
    columns = {c: _numbers(v, len(stamps)) for c, v in columns.items()}

    zone = meta["exchangeTimezoneName"]
    today = _dates([int(now)], zone)[0]
    # Where Yahoo does not say, today's bar is in progress.
    live: pd.Timestamp | None = today
    if period := (meta.get("currentTradingPeriod") or {}).get("regular"):
        seen = min(meta.get("regularMarketTime") or now, now)
        start = _dates([period["start"]], zone)[0]
        live = start if seen < period["end"] else None
    splits = (result.get("events") or {}).get("splits") or {}
    return Reply(
        pd.DataFrame({"stamp": stamps} | columns, _dates(stamps, zone)),
        today,
        live,
        str(meta.get("exchangeName")),
        kind,
        {
            _dates([s["date"]], zone)[0]: s["numerator"] / s["denominator"]
            for s in splits.values()
        },
    )


def _check_subject(meta: dict, ticker: str) -> None:
    if (symbol := meta["symbol"].upper()) != ticker:
        other = brief(symbol, 24)
        raise Refused(f"Yahoo answers about {other}; ask for that symbol")
    if (step := meta.get("dataGranularity", "1d")) != "1d":
        raise Refused(f"Yahoo's bars are {brief(step, 24)}, not 1d")
    dollars = meta.get("currency") in (None, "USD")
    exchange = BY_CODE.get(str(meta.get("exchangeName")), UNKNOWN)
    if exchange.calendar in CERTAIN and not dollars:
        currency = brief(meta["currency"], 24)
        raise Refused(f"prices in {currency} on a US exchange")


def _unique(pairs: list[tuple]) -> dict:
    if len(unique := dict(pairs)) != len(pairs):
        raise ValueError("a key stands twice")
    return unique


def _numbers(values: list, length: int) -> np.ndarray:
    if len(values) != length:
        raise ValueError("lists of different lengths")
    if not set(map(type, values)) <= {int, float, type(None)}:
        raise ValueError("a price is not a number")
    return np.array(values, dtype=float)


def _dates(stamps: list[int], zone: str) -> pd.DatetimeIndex:
    """Dates of bars, which Yahoo stamps with the start of the session."""
    local = pd.to_datetime(stamps, unit="s", utc=True).tz_convert(zone)
    local = local.tz_localize(None)
    # Where Yahoo applies daylight saving twice, midnight is stamped 22:00 or
    # 23:00 of the day before; yfinance mends it the same way.
    late = (local.minute == 0) & (local.hour >= 22)
    local += pd.to_timedelta(np.where(late, 2, 0), unit="h")
    return local.normalize().rename("Date")
