"""Download daily prices from Yahoo Finance: one checked CSV per ticker.

The promise: data/TICKER.csv is at every moment the last good history or a
newer good one. A reply becomes a file in four steps, each a function here:

fetch     one request through yfinance's client, held to a deadline
parse     Yahoo's JSON → bars; anything but its schema is refused
validate  unusable rows are dropped and reported, doubtful histories refused
write     a new file beside the old one, then one atomic rename

yfinance's own `history()` is not used, because it repairs in silence: it
keeps the first of two conflicting bars, turns a missing volume into 0 and
a missing adjusted close into the close. Its client (cookies, crumbs,
browser TLS) is. The rules are explained in data/README.md.
"""

import argparse
import contextlib
import functools
import json
import logging
import math
import os
import random
import re
import sys
import threading
import time
import traceback
import uuid
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import exchange_calendars
import numpy as np
import pandas as pd
import tenacity
import yfinance
from curl_cffi.requests import Session, exceptions
from tqdm import tqdm
from yfinance.data import YfData

from forecasting import prices

URL = "https://query2.finance.yahoo.com/v8/finance/chart/"
WORKERS = 6  # tickers under way at once
PACE = 0.025  # seconds between two requests, whatever the ticker
TRIES = 7  # requests for one ticker before giving up
OFFLINE_TRIES = 3  # without a network, waiting longer is no use
PAUSE = 0.5  # seconds before the second try; doubles up to eightfold
MAX_BYTES = 32_000_000  # 60 years of daily bars are 2 MB

MAX_LOST = 0.01  # share of rows or sessions that may be missing ...
FEW = 5  # ... though this many always may
MAX_HOLE = 10  # consecutive sessions that may be missing
MAX_JUMP = 8.0  # from one close to the next, up or down
ROUNDING = 1e-4  # how far Yahoo's rounding may push a close over the high
OHLC = ["Open", "High", "Low", "Close"]
IN_PROGRESS = "the session is still in progress"

# Yahoo's exchange code → calendar. The sessions of US exchanges are known
# to the day, so there a gap is a fault; elsewhere it is only reported.
US = dict.fromkeys(["NMS", "NGM", "NCM", "NAS"], "XNAS") | dict.fromkeys(
    ["NYQ", "NYS", "ASE", "PCX", "BTS"], "XNYS"
)
CALENDARS = US | {
    **{"LSE": "XLON", "GER": "XETR", "FRA": "XFRA", "PAR": "XPAR"},
    **{"AMS": "XAMS", "BRU": "XBRU", "MIL": "XMIL", "MCE": "XMAD"},
    **{"EBS": "XSWX", "STO": "XSTO", "CPH": "XCSE", "OSL": "XOSL"},
    **{"HEL": "XHEL", "VIE": "XWBO", "TOR": "XTSE", "SAO": "BVMF"},
    **{"JPX": "XTKS", "HKG": "XHKG", "KSC": "XKRX", "TAI": "XTAI"},
    **{"SHH": "XSHG", "ASX": "XASX", "BSE": "XBOM", "CCC": "24/7"},
}
WINDOWS_DEVICES = re.compile(r"(CON|PRN|AUX|NUL|COM\d|LPT\d)(\.|$)")


class Refused(Exception):
    """Why a ticker is not saved, in one line; asking again is no use."""


class Faulty(Refused):
    """A fault that may pass: ask again, at the earliest `after` seconds."""

    def __init__(self, reason: str, after: float = 0, tries: int = TRIES):
        """`tries`: how often a ticker may meet this fault."""
        super().__init__(reason)
        self.after, self.tries = after, tries


# ---------------------------------------------------------------- what to ask


def normalise(ticker: str) -> str:
    """A ticker as Yahoo writes it, safe as a file name; else Refused."""
    name = ticker.strip().upper()
    if not name:
        raise Refused("the ticker is empty; type one, for example AAPL")
    if "/" in name and re.fullmatch(r"[A-Z]+/[A-Z]", name):
        raise Refused(f"not a Yahoo symbol; try {name.replace('/', '-')}")
    pattern = r"\^?[A-Z0-9]([A-Z0-9.&=_-]{0,22}[A-Z0-9])?"
    if not ticker.isascii() or not re.fullmatch(pattern, name):
        raise Refused(
            "not a Yahoo symbol; look it up on finance.yahoo.com "
            "(letters, digits and . - = & _, at most 24)"
        )
    if WINDOWS_DEVICES.match(name):
        raise Refused("Windows reserves this file name; it cannot be saved")
    return name


def day(text: str | None, option: str) -> date | None:
    """Parse an ISO date given on the command line."""
    try:
        return text and datetime.strptime(text.strip(), "%Y-%m-%d").date()
    except ValueError as error:
        raise Refused(
            f"{option} {brief(text)} is not a date; write it as YYYY-MM-DD"
        ) from error


def check_range(start: date | None, end: date | None) -> None:
    """Refuse a range no history can lie in."""
    if start and start > date.today():
        raise Refused(f"--start {start} is in the future; give an earlier one")
    if start and end and start >= end:
        raise Refused(
            f"--start {start} is not before --end {end} "
            "(the end itself is excluded); swap or widen them"
        )


def brief(text: object, length: int = 80) -> str:
    """Foreign text made fit for one line of a terminal."""
    line = " ".join(str(text).split())
    line = "".join(c if c.isprintable() else "?" for c in line)
    return line if len(line) <= length else line[: length - 3] + "..."


# -------------------------------------------------------------------- network


class Guard(Session):
    """yfinance's session, which it alone cannot hold to a deadline.

    yfinance asks for a cookie and a crumb first, 30 s each; the chart does
    without them, so here they get 5 s. HTTP faults of the chart are raised
    at once, before yfinance repeats the request on its own. One guard
    serves all threads (yfinance's client is a singleton), so the deadline
    is kept per thread.
    """

    def __init__(self, session: Session | None = None):
        """Guard a given session, or the one yfinance has."""
        super().__init__()
        inner = session or YfData()._session
        self.inner = getattr(inner, "inner", inner)  # never guard a guard
        self.thread = threading.local()
        self.stopped = threading.Event()
        self.lock = threading.Lock()
        self.next_start = 0.0

    def request(self, method: str, url: str, **options):
        """Send a request: in time, at a polite pace, of bounded size."""
        chart = url.startswith(URL)
        if chart:
            self._wait_for_turn()
        left = self.thread.deadline - time.monotonic()
        if left <= 0 or self.stopped.is_set():
            raise Faulty("Yahoo gave no complete reply in time", tries=1)
        limit = max(left / 2, 10) if chart else 5
        options["timeout"] = min(limit, left)
        chunks: list[bytes] = []
        size = 0

        def collect(chunk: bytes) -> int:
            nonlocal size
            size += len(chunk)
            if size > MAX_BYTES:
                raise Faulty(f"the reply is larger than {MAX_BYTES:,} bytes")
            chunks.append(chunk)
            return len(chunk)

        options["content_callback"] = collect
        response = self.inner.request(method, url, **options)
        response.content = b"".join(chunks)
        # 401 and 403 go to yfinance, which fetches a new cookie and crumb.
        if chart and response.status_code not in (401, 403):
            check_status(response)
        return response

    def _wait_for_turn(self) -> None:
        with self.lock:
            start = max(self.next_start, time.monotonic())
            self.next_start = start + PACE
        time.sleep(max(0.0, start - time.monotonic()))


def check_status(response) -> None:
    """Raise what an HTTP status other than 200 means."""
    status = response.status_code
    if status == 200:
        return
    if status == 404:
        raise Refused("unknown symbol; look it up on finance.yahoo.com")
    if status in (400, 422):
        raise Refused(
            "Yahoo has no data for this range "
            f"({said(response.content)}); change --start and --end"
        )
    after = retry_after(response.headers.get("Retry-After"))
    if status in (429, 999):
        raise Faulty(f"rate limited by Yahoo (HTTP {status})", after)
    if status >= 500:
        raise Faulty(f"Yahoo is failing (HTTP {status})", after)
    if status in (401, 403, 407):
        raise Faulty(f"access denied (HTTP {status}), by Yahoo or a proxy")
    raise Faulty(f"an incomplete reply (HTTP {status})")


def said(content: bytes) -> str:
    """Yahoo's own words about an error, where there are any."""
    try:
        return brief(json.loads(content)["chart"]["error"]["description"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return "it gave no reason"


def retry_after(value: str | None) -> float:
    """Seconds a Retry-After header asks for: a number or an HTTP date."""
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (TypeError, ValueError, AttributeError):
            return 0.0
    return seconds if 0 < seconds < math.inf else 0.0


def fetch(
    ticker: str,
    start: date | None = None,
    end: date | None = None,
    session: Session | None = None,
    timeout: float = 60,
) -> bytes:
    """Yahoo's chart reply for one ticker: one request, one attempt.

    `start` is included, `end` excluded, None means all there is. `session`
    is any curl_cffi session, or a Guard with the deadline already running.
    Raises Refused or Faulty.
    """
    guard = session if isinstance(session, Guard) else Guard(session)
    if guard is not session:
        guard.thread.deadline = time.monotonic() + timeout
    now = datetime.now().date()
    # A day more at either end: the exchange's midnight is not UTC's.
    first = (start or now - timedelta(days=99 * 365)) - timedelta(days=1)
    last = (end or now) + timedelta(days=1)
    query = {
        "period1": (first - date(1970, 1, 1)).days * 86400,
        "period2": min((last - date(1970, 1, 1)).days * 86400, _now()),
        "interval": "1d",
        "includePrePost": False,
        "events": "div,splits,capitalGains",
    }
    try:
        response = YfData(session=guard).get(URL + ticker, params=query)
    except Refused:
        raise
    except (exceptions.DNSError, exceptions.ConnectionError) as error:
        # 5, 6, 7: no proxy, no name, no connection; else it broke midway.
        if error.code in (5, 6, 7):
            raise Faulty(
                "cannot reach Yahoo; are you offline?", tries=OFFLINE_TRIES
            ) from error
        raise Faulty(f"the connection broke ({brief(error)})") from error
    except exceptions.Timeout as error:
        raise Faulty("Yahoo gave no complete reply in time") from error
    except yfinance.exceptions.YFRateLimitError as error:
        raise Faulty("rate limited by Yahoo (HTTP 429)") from error
    except Exception as error:  # whatever else a broken reply does to curl
        raise Faulty(f"the connection broke ({brief(error)})") from error
    check_status(response)
    return response.content


def _now() -> int:
    return int(time.time())


# ---------------------------------------------------------------------- parse


@dataclass
class Reply:
    """What one chart reply says.

    `bars`: index Date, in the order received; columns `stamp` (seconds),
    Open, High, Low, Close, Adj Close, Volume, unadjusted, NaN for null.
    `live`: the date of the session still in progress. `splits`: new shares
    per old one, by date. `kind`: EQUITY, INDEX, CURRENCY, ...
    """

    bars: pd.DataFrame
    today: pd.Timestamp
    live: pd.Timestamp | None
    exchange: str
    kind: str
    splits: dict[pd.Timestamp, float]


def parse(content: bytes, ticker: str, now: float | None = None) -> Reply:
    """Read a chart reply, received at `now` (seconds; default: this moment).

    Raises Refused where Yahoo has no prices, and Faulty for anything that
    is not its schema, or not about this ticker's daily bars.
    """
    try:
        document = json.loads(content, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        kind = "web page" if content.lstrip()[:1] == b"<" else "broken reply"
        kind = kind if content.strip() else "empty reply"
        raise Faulty(f"Yahoo sent a {kind}, not JSON") from error
    try:
        return _parse(document["chart"], ticker, now or time.time())
    except (LookupError, TypeError, ValueError, ArithmeticError) as error:
        reason = f"{type(error).__name__}: {brief(error, 60)}"
        raise Faulty(f"not Yahoo's chart schema ({reason})") from error
    except AttributeError as error:
        raise Faulty("not Yahoo's chart schema (a wrong type)") from error


def _parse(chart: dict, ticker: str, now: float) -> Reply:
    if error := chart.get("error"):
        if error["code"] == "Not Found":
            raise Refused("unknown symbol; look it up on finance.yahoo.com")
        raise Refused(f"Yahoo says: {brief(error['description'])}")
    if not chart["result"]:
        raise Refused("Yahoo has no prices for it")
    (result,) = chart["result"]
    meta = result["meta"]
    _check_meta(meta, ticker)
    if not result.get("timestamp"):
        raise Refused("Yahoo has no prices for it in this range")
    stamps = result["timestamp"]
    if set(map(type, stamps)) != {int}:
        raise ValueError("a timestamp is not a whole number")
    if not -2.3e9 < min(stamps) <= max(stamps) < 4.2e9:  # 1897 to 2103
        raise ValueError("a timestamp is not in seconds")

    (quote,) = result["indicators"]["quote"]
    columns = {c: quote[c.lower()] for c in prices.COLUMNS}
    kind = str(meta.get("instrumentType"))
    if "adjclose" in result["indicators"]:
        (adjusted,) = result["indicators"]["adjclose"]
        columns["Adj Close"] = adjusted["adjclose"]
    elif kind in ("EQUITY", "ETF", "MUTUALFUND"):
        raise ValueError("no adjusted closes")
    else:  # indices and currencies pay no dividends
        columns["Adj Close"] = columns["Close"]
    data = {c: _numbers(v, len(stamps)) for c, v in columns.items()}

    zone = meta["exchangeTimezoneName"]
    today = _dates([int(now)], zone)[0]
    live = today  # where Yahoo does not say, today's bar is in progress
    if period := (meta.get("currentTradingPeriod") or {}).get("regular"):
        last_trade = meta.get("regularMarketTime") or now
        final = min(last_trade, now) >= period["end"]
        live = None if final else _dates([period["start"]], zone)[0]
    splits = (result.get("events") or {}).get("splits") or {}
    return Reply(
        bars=pd.DataFrame(
            {"stamp": stamps} | data, index=_dates(stamps, zone)
        ),
        today=today,
        live=live,
        exchange=str(meta.get("exchangeName")),
        kind=kind,
        splits={
            _dates([s["date"]], zone)[0]: s["numerator"] / s["denominator"]
            for s in splits.values()
        },
    )


def _check_meta(meta: dict, ticker: str) -> None:
    if meta["symbol"].upper() != ticker:
        raise ValueError(f"it is about {meta['symbol']}")
    if meta.get("dataGranularity", "1d") != "1d":
        raise ValueError(f"its bars are {meta['dataGranularity']}, not 1d")
    foreign = meta.get("currency") not in (None, "USD")
    if meta.get("exchangeName") in US and foreign:
        raise ValueError(f"prices in {meta['currency']} on a US exchange")


def _unique(pairs: list[tuple]) -> dict:
    if len(unique := dict(pairs)) != len(pairs):
        raise ValueError("the same key twice")
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
    # Where daylight saving was applied twice, midnight is stamped 22:00 or
    # 23:00 of the day before (yfinance mends the same).
    local = local.tz_localize(None)
    local += pd.to_timedelta(
        np.where((local.minute == 0) & (local.hour >= 22), 2, 0), unit="h"
    )
    return local.normalize().rename("Date")


# ------------------------------------------------------------------- validate


@dataclass
class Checked:
    """A usable history, and what there is to say about it."""

    history: pd.DataFrame
    dropped: dict[pd.Timestamp, str]  # date → reason
    notes: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)  # refused unless forced


def validate(
    reply: Reply,
    start: date | None = None,
    end: date | None = None,
    live_bar: bool = False,
) -> Checked:
    """Keep a reply's usable bars, adjusted for splits and dividends.

    Raises Refused where no row is left or two bars of a date disagree.
    What casts doubt on the history as a whole is collected in `doubts`.
    """
    bars = reply.bars.sort_values("stamp", kind="stable")
    if start:
        bars = bars[bars.index >= pd.Timestamp(start)]
    if end:
        bars = bars[bars.index < pd.Timestamp(end)]
    history = adjust(bars)
    reasons = row_faults(bars, history, reply)
    bad = int((reasons != "").sum())
    reasons[(reasons == "") & exchange_closed(bars.index, reply.exchange)] = (
        "the exchange was closed"
    )
    if not live_bar:
        reasons[bars.index == reply.live] = IN_PROGRESS
    keep = reasons == ""
    dropped = dict(zip(bars.index[~keep], reasons[~keep], strict=True))
    if not keep.any():
        why = f" ({len(bars)} rows, {reasons[-1]})" if len(bars) else ""
        raise Refused(f"no prices in this range{why}; change --start or --end")
    used, history = one_bar_a_day(bars[keep], history[keep])
    dropped = {d: why for d, why in dropped.items() if d not in history.index}

    checked = Checked(history, dropped)
    if bad > max(FEW, MAX_LOST * len(bars)):
        last = max(d for d, why in dropped.items() if why != IN_PROGRESS)
        sound = last.date() + timedelta(days=1)
        checked.doubts.append(
            f"{bad} of {len(bars)} rows are unusable, the last on "
            f"{last.date()} ({dropped[last]}); try --start {sound}"
        )
    if start and history.index[0] > pd.Timestamp(start) + timedelta(days=10):
        first = history.index[0].date()
        checked.doubts.append(f"it starts on {first}, not on {start} as asked")
    checked.doubts += series_faults(used, reply.splits)
    check_gaps(checked, reply.exchange)
    return checked


def adjust(bars: pd.DataFrame) -> pd.DataFrame:
    """Adjusted prices, `price × adjusted close / close`, rounded as stored."""
    raw = bars[OHLC].to_numpy()
    with np.errstate(all="ignore"):  # row_faults names what is not finite
        close = bars["Adj Close"].to_numpy()
        table = raw * (close / raw[:, 3])[:, None]
        table[:, 3] = close
        table = table.round(prices.DECIMALS)
        top, bottom = table.max(axis=1), table.min(axis=1)
        level = (top <= table[:, 1] * (1 + ROUNDING)) & (
            bottom >= table[:, 2] * (1 - ROUNDING)
        )
    table[level, 1], table[level, 2] = top[level], bottom[level]
    volume = bars["Volume"].fillna(0).round()
    return pd.DataFrame(table, bars.index, OHLC).assign(Volume=volume)


def row_faults(
    bars: pd.DataFrame, history: pd.DataFrame, reply: Reply
) -> np.ndarray:
    """Why each row cannot be used, shape `(n,)`; "" where it can."""
    raw = bars[[*OHLC, "Adj Close"]].to_numpy()
    table = history[OHLC].to_numpy()
    high, low, volume = table[:, 1], table[:, 2], bars["Volume"].to_numpy()
    traded = reply.kind in ("EQUITY", "ETF")
    faults = {
        "dated in the future": bars.index > reply.today,
        "a price is missing": np.isnan(raw).any(axis=1),
        "a price is not finite": ~np.isfinite(table).all(axis=1),
        "a price is zero or negative": (np.c_[raw, table] <= 0).any(axis=1),
        "the high or the low is not the extreme": (
            (high < table.max(axis=1)) | (low > table.min(axis=1))
        ),
        "high and low are too far apart": high > MAX_JUMP * low,
        "the volume is missing": np.isnan(volume) & traded,
        "the volume is impossible": (volume < 0) | (volume > 1e15),
    }
    return np.select(list(faults.values()), list(faults), "").astype(object)


def one_bar_a_day(
    bars: pd.DataFrame, history: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Drop identical repetitions; Refused where two bars of a day differ."""
    repeated = bars.drop(columns="stamp").reset_index().duplicated()
    # Yahoo may repeat the last session as its latest quote, which wins.
    quoted = (bars.index == bars.index[-1]) & (
        bars["stamp"] < bars["stamp"].iloc[-1]
    )
    keep = ~repeated.to_numpy() & ~quoted.to_numpy()
    bars, history = bars[keep], history[keep]
    if bars.index.has_duplicates:
        day = bars.index[bars.index.duplicated()][0].date()
        raise Refused(f"two different bars for {day}; try again later")
    return bars, history


def series_faults(bars: pd.DataFrame, splits: dict) -> Iterator[str]:
    """What no single row shows: slipped units, wrong adjustment, weeks."""
    if len(bars) < 2:
        return
    days = bars.index[1:]
    raw = np.diff(np.log(bars["Close"]))
    adjusted = np.diff(np.log(bars["Adj Close"]))
    split = np.log(pd.Series(splits, dtype=float).reindex(days, fill_value=1))
    faults = {
        f"the close jumps more than {MAX_JUMP:.0f}-fold (a slip of units?)": (
            np.abs(adjusted) > np.log(MAX_JUMP)
        ),
        "a split is not in the prices": (
            (np.abs(split) > 0.4) & (np.abs(raw + split) < 0.2)
        ).to_numpy(),
        # A dividend explains a fall of the close, it never makes a move.
        "the adjustment for dividends makes a jump": (
            np.abs(adjusted) - np.abs(raw) > 0.1
        ),
    }
    for fault, where in faults.items():
        if where.any():
            yield f"{days[where][0].date()}: {fault}"
    apart = np.median(np.diff(bars.index) / np.timedelta64(1, "D"))
    if len(bars) > 10 and apart > 4:
        yield f"its bars are {apart:.0f} days apart, not daily"


def exchange_closed(days: pd.DatetimeIndex, exchange: str) -> np.ndarray:
    """Days on which a US exchange had no session, shape `(n,)`."""
    if exchange not in US:
        return np.zeros(len(days), dtype=bool)
    sessions = calendar(US[exchange])
    return (days >= sessions[0]) & ~days.isin(sessions)


def check_gaps(checked: Checked, exchange: str) -> None:
    """Compare a history with its exchange's calendar, where one is known."""
    if exchange not in CALENDARS:
        return
    name, days = CALENDARS[exchange], checked.history.index
    sessions = calendar(name)
    due = sessions[(sessions >= days[0]) & (sessions <= days[-1])]
    missing = due.difference(days)
    fresh = missing.difference(pd.DatetimeIndex(list(checked.dropped)))
    if len(fresh):
        shown = ", ".join(str(d.date()) for d in fresh[:FEW])
        more = ", ..." if len(fresh) > FEW else ""
        gap = f"{len(fresh)} sessions of {name} are missing: {shown}{more}"
        checked.notes.append(gap)
    have = np.flatnonzero(due.isin(days))
    hole = np.diff(have).max(initial=1) - 1
    if exchange in US and (
        len(missing) > max(FEW, MAX_LOST * len(due)) or hole > MAX_HOLE
    ):
        checked.doubts.append(
            f"{len(missing)} of {len(due)} sessions of {name} are missing, "
            f"{hole} of them in a row"
        )


CALENDAR_LOCK = threading.Lock()


@functools.cache
def _sessions(name: str) -> pd.DatetimeIndex:
    try:
        return exchange_calendars.get_calendar(name, start="1960").sessions
    except ValueError:  # not recorded that far back: the last 20 years
        return exchange_calendars.get_calendar(name).sessions


def calendar(name: str) -> pd.DatetimeIndex:
    """Every session of an exchange, as far back as it is known."""
    # exchange_calendars 4.13 uses what pandas 3.1 deprecates.
    with CALENDAR_LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _sessions(name)


# ---------------------------------------------------------------------- write


def previous(path: Path) -> tuple[pd.DataFrame | None, str]:
    """The history on disk, or None and, for a damaged file, what is wrong."""
    if not path.exists():
        return None, ""
    try:
        history = prices.read_csv(path)
        if history.index[-1].date() > date.today() + timedelta(days=1):
            return None, "it reaches into the future"
        if prices.to_csv(history).encode() != path.read_bytes():
            return None, "it was edited"
    except (prices.PriceError, OSError, ValueError) as error:
        return None, brief(error)
    return history, ""


def compare(checked: Checked, old: pd.DataFrame, path: Path) -> None:
    """Doubt a history that lacks sessions which the one on disk has."""
    days, dropped = checked.history.index, checked.dropped
    lost = [
        day
        for day in old.index.difference(days)
        # What was just reported may go, but the history must not end earlier
        # (unless the last bar on disk is still in progress).
        if day not in dropped
        or (day > days[-1] and dropped[day] != IN_PROGRESS)
    ]
    if lost:
        checked.doubts.append(
            f"it lacks {len(lost)} sessions that {path} has, "
            f"{lost[0].date()} to {lost[-1].date()}"
        )


def write(text: str, path: Path) -> None:
    """Replace a file in one step: at no moment is there half of it.

    The new text is on the disk before the name points to it, so a crash
    leaves the old file, and at worst a hidden .tmp that the next run of
    this ticker removes.
    """
    for stray in path.parent.glob(f".{path.name}.*.tmp"):
        with contextlib.suppress(OSError):  # another run may be faster
            if time.time() - stray.stat().st_mtime > 60:
                stray.unlink()
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "x", encoding="ascii", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


# ----------------------------------------------------------------- one ticker


def download(
    ticker: str,
    start: date | None,
    end: date | None,
    timeout: float,
    guard: Guard,
) -> Reply:
    """Fetch and parse, again and again until it works or time is up."""
    guard.thread.deadline = time.monotonic() + timeout

    def wait(state) -> float:
        pause = PAUSE * 2 ** min(state.attempt_number - 1, 3)
        pause *= random.uniform(0.75, 1.25)
        return max(pause, state.outcome.exception().after)

    def stop(state) -> bool:
        late = state.seconds_since_start + state.upcoming_sleep > timeout
        return late or state.attempt_number >= state.outcome.exception().tries

    @tenacity.retry(
        retry=tenacity.retry_if_exception_type(Faulty),
        wait=wait,
        stop=stop,
        sleep=guard.stopped.wait,
        reraise=True,
    )
    def attempt() -> Reply:
        return parse(fetch(ticker, start, end, guard), ticker)

    try:
        return attempt()
    except Faulty as error:
        tries = attempt.statistics["attempt_number"]
        after = f", which asks to wait {error.after:.0f} s" * bool(error.after)
        again = f"{error}{after}; tried {tries} times, run again later"
        raise Refused(again) from error


def scrape(ticker: str, options: argparse.Namespace, guard: Guard) -> tuple:
    """Bring one CSV up to date; (summary line, notes) or Refused."""
    path = options.data / f"{ticker}.csv"
    if path.is_dir():
        raise Refused(f"{path} is a directory; move it away")
    start, end = options.start, options.end
    reply = download(ticker, start, end, options.timeout, guard)
    checked = validate(reply, start, end, options.live_bar)
    old, damage = previous(path)
    if damage:
        checked.notes.append(
            f"the file on disk was damaged: {damage}; rebuilt"
        )
    if old is not None:
        compare(checked, old, path)
    if checked.doubts and not options.force:
        raise Refused(f"{checked.doubts[0]}; --force accepts it")
    history = prices.check(checked.history, ticker)
    text = prices.to_csv(history)
    if guard.stopped.is_set():
        raise Refused("interrupted")
    unchanged = old is not None and text == prices.to_csv(old)
    if not unchanged:
        write(text, path)
    days = [str(d.date()) for d in history.index[[0, -1]]]
    first, last = (str(d.date()) for d in history.index[[0, -1]])
    line = f"{ticker}: {len(history)} rows, {first} to {last}, {path}"
    notes = checked.doubts + checked.notes
    for reason in sorted(set(checked.dropped.values())):
        days = [
            str(d.date()) for d, r in checked.dropped.items() if r == reason
        ]
        notes.append(f"dropped {', '.join(days)}: {reason}")
    return line + ", unchanged" * unchanged, notes


# --------------------------------------------------------------- command line


EXAMPLES = """examples:
  python scraper.py AAPL                     all there is, to data/AAPL.csv
  python scraper.py AAPL MSFT ^GSPC BTC-USD  several, a few at a time
  python scraper.py IBM --start 2000-01-01 --end 2020-01-01 --force
                                             a part, even if less than on disk

exit codes:
  0 every ticker is saved    1 a ticker is not, stderr says why
  2 a wrong command line     130 interrupted (Ctrl-C)
"""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str):
        """Leave with exit code 2."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def seconds(text: str) -> float:
    """A positive, finite number of seconds."""
    if 0 < float(text) < math.inf:
        return float(text)
    raise ValueError


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line; leaves with code 2 where it is wrong."""
    parser = Parser(
        prog="scraper.py",
        description="Download daily prices from Yahoo Finance, adjusted for "
        "splits and dividends, checked, one CSV per ticker.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("tickers", nargs="*", metavar="TICKER", help="as on finance.yahoo.com")
    add("--start", metavar="D", help="first date wanted, YYYY-MM-DD")
    add("--end", metavar="D", help="the day after the last date wanted")
    add(
        "--data",
        metavar="DIR",
        type=Path,
        default=prices.DATA,
        help="where the CSVs go (default: data/ of the repository)",
    )
    add(
        "--timeout",
        metavar="S",
        type=seconds,
        default=60.0,
        help="seconds for one ticker, all tries together (default: 60)",
    )
    add(
        "--force",
        action="store_true",
        help="accept gaps, jumps and a history shorter than the one on disk",
    )
    add(
        "--live-bar",
        action="store_true",
        help="keep the bar of a session still in progress",
    )
    add("--verbose", action="store_true", help="print tracebacks")
    options = parser.parse_args(argv)
    if not options.tickers:
        parser.error("no ticker given; try: python scraper.py AAPL")
    names = ", ".join(brief(t, 24) for t in options.tickers[:FEW])
    try:
        options.start = day(options.start, "--start")
        options.end = day(options.end, "--end")
        check_range(options.start, options.end)
        with contextlib.suppress(ValueError):  # shown as the reader knows it
            options.data = options.data.resolve().relative_to(Path.cwd())
        options.data.mkdir(parents=True, exist_ok=True)
    except Refused as error:
        parser.error(f"{names}: {error}")
    except OSError as error:
        parser.error(f"{names}: --data: {brief(error)}; name a directory")
    return options


def main(argv: list[str] | None = None, session: Session | None = None) -> int:
    """Download the tickers of a command line; returns the exit code.

    `session`: a curl_cffi session to use in place of yfinance's own.
    """
    options = parse_arguments(argv)
    # yfinance's caches on disk may be locked or corrupt; ours is to have none.
    yfinance.set_tz_cache_location(os.devnull)
    if not options.verbose:
        logging.getLogger("yfinance").setLevel(logging.CRITICAL)
    wanted, failed, saved = [], 0, 0
    for ticker in options.tickers:
        try:
            wanted.append(normalise(ticker))
        except Refused as error:
            failed += 1
            say(f"{brief(ticker, 24) or repr(ticker)}: {error}")
    wanted = list(dict.fromkeys(wanted))

    guard = Guard(session)
    pool = ThreadPoolExecutor(WORKERS)
    jobs = {pool.submit(scrape, t, options, guard): t for t in wanted}
    bar = tqdm(
        as_completed(jobs),
        total=len(jobs),
        unit="ticker",
        leave=False,
        disable=True if len(jobs) < 2 else None,  # None: off without terminal
    )
    try:
        for job in bar:
            try:
                line, notes = job.result()
            except Exception as error:
                failed += 1
                say(explain(jobs[job], error, options))
            else:
                saved += 1
                for note in notes:
                    say(f"{jobs[job]}: {note}")
                tqdm.write(line)
    except KeyboardInterrupt:
        guard.stopped.set()
        pool.shutdown(wait=False, cancel_futures=True)
        say(
            f"interrupted: {saved} of {len(jobs)} tickers are saved; "
            "run the same command again for the rest"
        )
        return 130
    pool.shutdown()
    return 1 if failed else 0


def say(line: str) -> None:
    """One line on stderr, clear of the progress bar."""
    tqdm.write(line, file=sys.stderr)


def explain(ticker: str, error: Exception, options) -> str:
    """Why a ticker failed, what to do, and what is still on disk."""
    if options.verbose:
        say("".join(traceback.format_exception(error)).rstrip())
    path = options.data / f"{ticker}.csv"
    if isinstance(error, OSError):
        reason = f"cannot write {path} ({brief(error.strerror or error)})"
    elif isinstance(error, Refused | prices.PriceError):
        reason = str(error).removeprefix(f"{ticker}: ")
    else:
        kind = type(error).__name__
        reason = f"unexpected {kind}: {brief(error)}; --verbose tells where"
    old, _ = previous(path)
    if old is not None:
        reason += f"; {path} still holds the history to {old.index[-1].date()}"
    return f"{ticker}: {reason}"


if __name__ == "__main__":
    sys.exit(main())
