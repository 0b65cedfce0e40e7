"""Download daily prices from Yahoo Finance: one checked CSV per ticker.

The promise: data/TICKER.csv is at every moment the last good history or a
newer good one. A reply becomes a file in four steps, each a function:

fetch     one request through yfinance's client, held to a deadline
parse     Yahoo's JSON → bars; anything but its schema is refused
validate  unusable rows are dropped and reported, doubtful histories refused
write     a new file beside the old one, then one atomic rename

yfinance's client (cookies, crumbs, a browser's TLS) does the talking. Its
`history()` is not used, because it mends in silence: it keeps the first of
two conflicting bars and turns a missing volume into 0, a missing adjusted
close into the close. data/README.md lists the rules.
"""

import argparse
import contextlib
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
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import numpy as np
import pandas as pd
import tenacity
import yfinance
from curl_cffi.requests import Session, exceptions
from tqdm import tqdm
from yfinance.data import YfData

from forecasting.market import prices
from forecasting.market.calendars import calendar

URL = "https://query2.finance.yahoo.com/v8/finance/chart/"
WORKERS = 6  # tickers under way at once
PACE = 0.02  # seconds between two requests, whatever the ticker
TRIES = 7  # requests for one ticker before giving up
OFFLINE_TRIES = 3  # without a network, patience is no use
PAUSE = 0.5  # seconds before the second try, doubling up to eightfold
CHART_SECONDS = 10  # for one request, or half the time left if that is more
COOKIE_SECONDS = 5  # yfinance's first requests, which a chart can do without
MAX_BYTES = 32_000_000  # 60 years of daily bars are 2 MB

MAX_LOST = 0.01  # share of rows or sessions that may be missing ...
FEW = 5  # ... though this many always may
MAX_HOLE = 10  # sessions in a row that may be missing
MAX_JUMP = 8.0  # from one close to the next, up or down
ROUNDING = 1e-4  # how far Yahoo's rounding may push a close past the high
OHLC = ["Open", "High", "Low", "Close"]
IN_PROGRESS = "the session is still in progress"
ONE_DAY = timedelta(days=1)

# Yahoo's exchange code → calendar. The sessions of US exchanges are known
# to the day, so a gap there is a fault; elsewhere it is only reported.
US = dict.fromkeys(["NMS", "NGM", "NCM", "NAS"], "XNAS")
US |= dict.fromkeys(["NYQ", "NYS", "ASE", "PCX", "BTS"], "XNYS")
CALENDARS = US | dict(
    re.findall(
        r"(\w+)=(\S+)",
        "LSE=XLON GER=XETR FRA=XFRA PAR=XPAR AMS=XAMS BRU=XBRU MIL=XMIL "
        "MCE=XMAD EBS=XSWX STO=XSTO CPH=XCSE OSL=XOSL HEL=XHEL VIE=XWBO "
        "TOR=XTSE SAO=BVMF JPX=XTKS HKG=XHKG KSC=XKRX TAI=XTAI SHH=XSHG "
        "ASX=XASX BSE=XBOM CCC=24/7",
    )
)


class Refused(Exception):
    """Why a ticker is not saved, in one line; asking again is no use."""


class NoPrices(Refused):
    """Yahoo has nothing for this ticker in the range asked."""


class Faulty(Refused):
    """A fault that may pass, so ask again."""

    def __init__(self, reason: str, after: float = 0, tries: int = TRIES):
        """`after`: seconds to wait; `tries`: how often to meet it at most."""
        super().__init__(reason)
        self.after, self.tries = after, tries


# ---- what to ask


def normalise(ticker: str) -> str:
    """A ticker as Yahoo writes it, safe as a file name; else Refused."""
    name = ticker.strip().upper()
    if not name:
        raise Refused("the ticker is empty; type one, for example AAPL")
    if re.fullmatch(r"[A-Z]+/[A-Z]", name):
        raise Refused(f"not a Yahoo symbol; try {name.replace('/', '-')}")
    pattern = r"\^?[A-Z0-9]([A-Z0-9.&=_-]{0,22}[A-Z0-9])?"
    if not ticker.isascii() or not re.fullmatch(pattern, name):
        raise Refused(
            "not a Yahoo symbol (letters, digits and . - = & _, at most 24); "
            "look it up on finance.yahoo.com"
        )
    if re.match(r"(CON|PRN|AUX|NUL|COM\d|LPT\d)(\.|$)", name):
        raise Refused("Windows reserves this file name; it cannot be saved")
    return name


def day(text: str | None, option: str) -> date | None:
    """A date given on the command line as YYYY-MM-DD."""
    try:
        return text and datetime.strptime(text.strip(), "%Y-%m-%d").date()
    except ValueError as error:
        raise Refused(
            f"{option} {brief(text)} is not a date; write it as YYYY-MM-DD"
        ) from error


def check_range(start: date | None, end: date | None) -> None:
    """Refuse a range in which no session can lie."""
    if start and start > date.today():
        raise Refused(f"--start {start} is in the future; give an earlier one")
    if start and end and start >= end:
        raise Refused(
            f"--start {start} must come before --end {end}, "
            "which is the day after the last one wanted"
        )


def brief(text: object, length: int = 80) -> str:
    """Foreign text, made fit for one line on any terminal."""
    line = " ".join(str(text).split())
    line = "".join(c if " " <= c <= "~" else "?" for c in line)
    return line if len(line) <= length else line[: length - 3] + "..."


# ---- fetch


class Guard(Session):
    """A session that ends in time, for yfinance's client to use.

    yfinance would wait 30 s each for a cookie and a crumb, fetch the cookie
    anew for every chart, and repeat a request that fails without a pause.
    Here cookie and crumb are fetched once and soon given up, and HTTP faults
    of a chart are raised at once. yfinance's client is a singleton that all
    threads share, and so is the guard; the deadline is kept per thread.
    """

    def __init__(self, session: Session | None = None):
        """Guard a session; None: the one yfinance has."""
        super().__init__()
        inner = session or YfData()._session
        self.inner = getattr(inner, "inner", inner)  # never guard a guard
        self.thread = threading.local()
        self.stopped = threading.Event()
        self.turn = threading.Lock()
        self.kept: dict = {}

    def allow(self, seconds: float) -> None:
        """Start the clock for the requests of this thread."""
        self.thread.deadline = time.monotonic() + seconds

    def request(self, method: str, url: str, **options):
        """Send a request: in time, at a polite pace, of bounded size."""
        if url.startswith(URL):
            with self.turn:
                time.sleep(PACE)
            response = self._send(method, url, CHART_SECONDS, options)
            if response.status_code in (401, 403):
                self.kept.clear()  # for yfinance fetches a new cookie now
            else:
                check_status(response)
            return response
        if (method, url) not in self.kept:
            try:
                answer = self._send(method, url, COOKIE_SECONDS, options)
            except exceptions.RequestException as error:
                answer = error
            self.kept[method, url] = answer
        if isinstance(answer := self.kept[method, url], Exception):
            raise answer
        return answer

    def _send(self, method: str, url: str, limit: float, options: dict):
        left = self.thread.deadline - time.monotonic()
        if left <= 0 or self.stopped.is_set():
            raise Faulty("Yahoo gave no complete reply in time", tries=1)
        if url.startswith(URL):  # one that hangs must not be the last
            limit = max(limit, left / 2)
        chunks, size = [], 0

        def collect(chunk: bytes) -> int:
            nonlocal size
            size += len(chunk)
            if size > MAX_BYTES:
                raise Faulty(f"a reply larger than {MAX_BYTES:,} bytes")
            chunks.append(chunk)
            return len(chunk)

        options |= {"timeout": min(left, limit), "content_callback": collect}
        response = self.inner.request(method, url, **options)
        response.content = b"".join(chunks)
        return response


def check_status(response) -> None:
    """Raise what an HTTP status other than 200 means."""
    status = response.status_code
    if status == 200:
        return
    if status == 404:
        raise Refused("unknown symbol; look it up on finance.yahoo.com")
    if status in (400, 422):
        raise NoPrices(said(response.content))
    after = retry_after(response.headers.get("Retry-After"))
    if status in (429, 999):
        raise Faulty(f"rate limited by Yahoo (HTTP {status})", after)
    if status >= 500:
        raise Faulty(f"Yahoo is failing (HTTP {status})", after)
    if status in (401, 403, 407):
        raise Faulty(f"access denied by Yahoo or a proxy (HTTP {status})")
    raise Faulty(f"an incomplete reply (HTTP {status})")


def said(content: bytes) -> str:
    """Yahoo's own words about an error, where there are any."""
    try:
        return brief(json.loads(content)["chart"]["error"]["description"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return "Yahoo gives no reason"


def retry_after(value: str | None) -> float:
    """Seconds a Retry-After header asks for: a number or an HTTP date."""
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (TypeError, ValueError):
            return 0.0
    return seconds if 0 < seconds < math.inf else 0.0


def fetch(
    ticker: str,
    start: date | None = None,
    end: date | None = None,
    session: Session | None = None,
) -> bytes:
    """Yahoo's chart reply for one ticker: one request, one attempt.

    `start` is included, `end` excluded, None: all there is. `session`: any
    curl_cffi session; a Guard brings its own clock. Raises Refused.
    """
    if not isinstance(session, Guard):
        session = Guard(session)
        session.allow(60)
    today = date.today()
    # A day more at either end: the exchange's midnight is not UTC's.
    first = pd.Timestamp(start or today - timedelta(days=99 * 365))
    last = pd.Timestamp(end or today) + timedelta(days=1)
    query = {
        "period1": int(first.timestamp()) - 86400,
        "period2": min(int(last.timestamp()), int(time.time())),
        "interval": "1d",
        "includePrePost": False,
        "events": "div,splits,capitalGains",
    }
    try:
        response = YfData(session=session).get(URL + ticker, params=query)
    except Refused:
        raise
    except exceptions.Timeout as error:
        raise Faulty("Yahoo gave no complete reply in time") from error
    except yfinance.exceptions.YFRateLimitError as error:
        raise Faulty("rate limited by Yahoo (HTTP 429)") from error
    except Exception as error:  # whatever else a broken reply does to curl
        if getattr(error, "code", 0) in (5, 6, 7):  # no proxy, name, host
            raise Faulty(
                "cannot reach Yahoo, are you offline?", tries=OFFLINE_TRIES
            ) from error
        raise Faulty(f"the connection broke ({brief(error)})") from error
    check_status(response)
    return response.content


# ---- parse


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


def parse(content: bytes, ticker: str, now: float | None = None) -> Reply:
    """Read a chart reply received at `now` (default: this moment).

    Raises Refused where Yahoo has no prices, and Faulty for anything that
    is not its schema or not about the daily bars of this ticker.
    """
    try:
        document = json.loads(content, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        what = {b"": "nothing", b"<": "a web page"}
        what = what.get(content.lstrip()[:1], "something broken")
        raise Faulty(f"not JSON: Yahoo sent {what}") from error
    try:
        return _read_chart(document["chart"], ticker, now or time.time())
    except (LookupError, TypeError, ValueError, ArithmeticError) as error:
        raise Faulty(f"not Yahoo's format: {brief(error, 60)}") from error
    except AttributeError as error:
        raise Faulty("not Yahoo's format: a list for a dictionary") from error


def _read_chart(chart: dict, ticker: str, now: float) -> Reply:
    if error := chart.get("error"):
        if error["code"] == "Not Found":
            raise Refused("unknown symbol; look it up on finance.yahoo.com")
        raise NoPrices(brief(error["description"]))
    if not chart["result"]:
        raise NoPrices("Yahoo's reply is empty")
    (result,) = chart["result"]
    meta, stamps = result["meta"], result.get("timestamp")
    _check_subject(meta, ticker)
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
    live = today  # where Yahoo does not say, today's bar is in progress
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
    if meta["symbol"].upper() != ticker:
        raise ValueError(f"it is about {meta['symbol']}")
    if meta.get("dataGranularity", "1d") != "1d":
        raise ValueError(f"its bars are {meta['dataGranularity']}, not 1d")
    dollars = meta.get("currency") in (None, "USD")
    if meta.get("exchangeName") in US and not dollars:
        raise ValueError(f"prices in {meta['currency']} on a US exchange")


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
    utc = pd.to_datetime(stamps, unit="s", utc=True)
    local = utc.tz_convert(zone).tz_localize(None)
    # Where Yahoo applies daylight saving twice, midnight is stamped 22:00 or
    # 23:00 of the day before; yfinance mends it the same way.
    late = (local.minute == 0) & (local.hour >= 22)
    local += pd.to_timedelta(np.where(late, 2, 0), unit="h")
    return local.normalize().rename("Date")


# ---- validate


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

    Raises Refused where no row is left or two bars of a day disagree. What
    casts doubt on the history as a whole is collected in `doubts`.
    """
    bars = reply.bars.sort_values("stamp", kind="stable")
    if start:
        bars = bars[bars.index >= pd.Timestamp(start)]
    if end:
        bars = bars[bars.index < pd.Timestamp(end)]
    history = adjust(bars)
    reasons = row_faults(bars, history, reply)
    bad = reasons != ""
    closed = exchange_closed(bars.index, reply.exchange)
    reasons[closed & ~bad] = "the exchange was closed"
    if not live_bar:
        live = bars.index == reply.live
        reasons[live], bad[live] = IN_PROGRESS, False
    keep = reasons == ""
    if not keep.any():
        raise NoPrices(f"no usable row in {len(bars)}, {reasons[-1:]}")
    used, history = one_bar_a_day(bars[keep], history[keep])
    gone = ~bars.index.isin(history.index)
    dropped = dict(zip(bars.index[gone], reasons[gone], strict=True))
    checked = Checked(history, dropped)
    if bad.sum() > max(FEW, MAX_LOST * len(bars)):
        last = bars.index[bad][-1].date()
        checked.doubts.append(
            f"{bad.sum()} of {len(bars)} rows are unusable, the last on "
            f"{last}: {reasons[bad][-1]}; try --start {last + ONE_DAY}"
        )
    if start and history.index[0] > pd.Timestamp(start) + 10 * ONE_DAY:
        first = history.index[0].date()
        checked.doubts.append(f"it starts on {first}, not on {start} as asked")
    checked.doubts += series_faults(used, reply.splits)
    check_gaps(checked, reply.exchange)
    return checked


def adjust(bars: pd.DataFrame) -> pd.DataFrame:
    """Prices × adjusted close / close, rounded to the decimals of a CSV."""
    raw, close = bars[OHLC].to_numpy(), bars["Adj Close"].to_numpy()
    with np.errstate(all="ignore"):  # row_faults finds what is not finite
        table = raw * (close / raw[:, 3])[:, None]
        table[:, 3] = close
        table = table.round(prices.DECIMALS)
        top, bottom = table.max(axis=1), table.min(axis=1)
        level = top <= table[:, 1] * (1 + ROUNDING)
        level &= bottom >= table[:, 2] * (1 - ROUNDING)
    table[level, 1], table[level, 2] = top[level], bottom[level]
    volume = bars["Volume"].fillna(0).round()
    return pd.DataFrame(table, bars.index, OHLC).assign(Volume=volume)


def row_faults(
    bars: pd.DataFrame, history: pd.DataFrame, reply: Reply
) -> np.ndarray:
    """Why each row cannot be used, shape `(n,)`; "" where it can."""
    raw = bars[[*OHLC, "Adj Close"]].to_numpy()
    table, volume = history[OHLC].to_numpy(), bars["Volume"].to_numpy()
    high, low = table[:, 1], table[:, 2]
    share = reply.kind in ("EQUITY", "ETF")
    outside = (table > high[:, None]) | (table < low[:, None])
    faults = {
        "dated in the future": bars.index > reply.today,
        "a price is missing": np.isnan(raw).any(axis=1),
        "a price is not finite": ~np.isfinite(table).all(axis=1),
        "a price is not positive": (np.c_[raw, table] <= 0).any(axis=1),
        "a price lies outside low to high": outside.any(axis=1),
        "low and high are too far apart": high > MAX_JUMP * low,
        "the volume is missing": np.isnan(volume) & share,
        "the volume is impossible": (volume < 0) | (volume > 1e15),
    }
    return np.select(list(faults.values()), list(faults), "").astype(object)


def one_bar_a_day(
    bars: pd.DataFrame, history: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Drop identical repetitions; Refused where two bars of a day differ."""
    repeated = bars.drop(columns="stamp").reset_index().duplicated()
    # Yahoo may repeat the last session as its latest quote, which wins.
    last, stamp = bars.index[-1], bars["stamp"].iloc[-1]
    quoted = (bars.index == last) & (bars["stamp"] < stamp)
    keep = ~(repeated.to_numpy() | quoted.to_numpy())
    bars, history = bars[keep], history[keep]
    if bars.index.has_duplicates:
        twice = bars.index[bars.index.duplicated()][0].date()
        raise Refused(f"two different bars for {twice}; run again later")
    return bars, history


def series_faults(bars: pd.DataFrame, splits: dict) -> Iterator[str]:
    """What no single row shows: slipped units, wrong adjustment, weeks."""
    if len(bars) < 2:
        return
    days = bars.index[1:]
    raw = np.diff(np.log(bars["Close"]))
    adjusted = np.diff(np.log(bars["Adj Close"]))
    split = pd.Series(splits, dtype=float).reindex(days, fill_value=1)
    split = np.log(split.to_numpy())
    faults = {
        f"the close moves more than {MAX_JUMP:.0f}-fold (a slip of units?)": (
            np.abs(adjusted) > np.log(MAX_JUMP)
        ),
        "the prices step by the ratio of a split": (
            (np.abs(split) > 0.4) & (np.abs(raw + split) < 0.2)
        ),
        # A dividend explains a fall of the close; it never makes a move.
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
    """Days without a session, shape `(n,)`: of those known for certain."""
    if exchange not in CALENDARS:
        return np.zeros(len(days), dtype=bool)
    sessions = calendar(CALENDARS[exchange])
    known = (exchange in US) | (days.day_of_week >= 5)
    return known & (days >= sessions[0]) & ~days.isin(sessions)


def check_gaps(checked: Checked, exchange: str) -> None:
    """Compare a history with its exchange's calendar, where one is known."""
    if exchange not in CALENDARS:
        return
    name, days = CALENDARS[exchange], checked.history.index
    sessions = calendar(name)
    due = sessions[(sessions >= days[0]) & (sessions <= days[-1])]
    missing = due.difference(days)
    silent = [d for d in missing if d not in checked.dropped]
    if silent:
        shown = ", ".join(str(d.date()) for d in silent[:10])
        more = ", ..." if len(silent) > 10 else ""
        gap = f"{len(silent)} sessions of {name} are missing: {shown}{more}"
        checked.notes.append(gap)
    hole = np.diff(np.flatnonzero(due.isin(days))).max(initial=1) - 1
    many = len(missing) > max(FEW, MAX_LOST * len(due))
    if exchange in US and (many or hole > MAX_HOLE):
        checked.doubts.append(
            f"{len(missing)} of {len(due)} sessions of {name} are missing, "
            f"up to {hole} in a row"
        )


# ---- write


def previous(path: Path) -> tuple[pd.DataFrame | None, str]:
    """The history on disk, or None and what is wrong with the file."""
    if not path.exists():
        return None, ""
    try:
        history = prices.read_csv(path)
        if history.index[-1].date() > date.today() + ONE_DAY:
            return None, "it reaches into the future"
        if prices.to_csv(history).encode() != path.read_bytes():
            return None, "it was edited"
    except (OSError, ValueError) as error:
        return None, brief(error)
    return history, ""


def compare(checked: Checked, old: pd.DataFrame, path: Path) -> None:
    """Doubt a history that lacks sessions which the one on disk has."""
    days, dropped = checked.history.index, checked.dropped
    lost = [
        day
        for day in old.index.difference(days)
        # A row just reported may go, but the history may not end earlier,
        # unless the last bar on disk is still in progress.
        if day not in dropped
        or (day > days[-1] and dropped[day] != IN_PROGRESS)
    ]
    if lost:
        checked.doubts.append(
            f"it lacks {len(lost)} sessions that {path} has, "
            f"{lost[0].date()} to {lost[-1].date()}"
        )


def write(content: bytes, path: Path) -> None:
    """Replace a file in one step: at no moment is there half of it.

    The new content is on the disk before the name leads to it. A crash
    leaves the old file, and at worst a hidden .tmp beside it, which a later
    run of the same ticker removes.
    """
    for stray in path.parent.glob(f".{path.name}.*.tmp"):
        with contextlib.suppress(OSError):  # another run may be faster
            if time.time() - stray.stat().st_mtime > 60:
                stray.unlink()
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


# ---- one ticker


def download(
    ticker: str,
    start: date | None,
    end: date | None,
    guard: Guard,
    limit: float,
) -> Reply:
    """Fetch and parse, again and again until it works or time is up."""
    guard.allow(limit)

    def wait(state) -> float:
        pause = PAUSE * 2 ** min(state.attempt_number - 1, 3)
        pause *= random.uniform(0.75, 1.25)
        return max(pause, state.outcome.exception().after)

    def stop(state) -> bool:
        late = state.seconds_since_start + state.upcoming_sleep > limit
        return late or state.attempt_number >= state.outcome.exception().tries

    @tenacity.retry(
        retry=tenacity.retry_if_exception_type(Faulty),
        wait=wait,
        stop=stop,
        sleep=guard.stopped.wait,  # Ctrl-C ends the waiting
        reraise=True,
    )
    def attempt() -> Reply:
        return parse(fetch(ticker, start, end, guard), ticker)

    try:
        return attempt()
    except NoPrices as error:
        span = f"from {start or 'the first'} to {end or 'now'}"
        raise Refused(
            f"no prices {span} ({error}); check the ticker, --start and --end"
        ) from error
    except Faulty as error:
        tries = attempt.statistics["attempt_number"]
        patience = f"in {error.after:.0f} s" if error.after else "later"
        raise Refused(
            f"{error}; {tries} tries, run again {patience}"
        ) from error


def scrape(
    ticker: str, options: argparse.Namespace, guard: Guard
) -> tuple[str, list[str]]:
    """Bring one CSV up to date: its summary line and notes, or Refused."""
    path = options.data / f"{ticker}.csv"
    if path.is_dir():
        raise Refused(f"{path} is a directory; move it away")
    start, end = options.start, options.end
    reply = download(ticker, start, end, guard, options.timeout)
    checked = validate(reply, start, end, options.live_bar)
    history = prices.check(checked.history, ticker)
    content = prices.to_csv(history).encode()
    unchanged = path.exists() and path.read_bytes() == content
    if not unchanged:
        old, damage = previous(path)
        if damage:
            note = f"the file on disk was damaged ({damage}), now rebuilt"
            checked.notes.append(note)
        if old is not None:
            compare(checked, old, path)
        if checked.doubts and not options.force:
            doubts = "; ".join(checked.doubts)
            raise Refused(f"{doubts}; --force accepts it")
        if guard.stopped.is_set():
            raise Refused("interrupted; run again")
        write(content, path)
    first, last = (str(d.date()) for d in history.index[[0, -1]])
    line = f"{ticker}: {len(history)} rows, {first} to {last}, {path}"
    dropped = pd.Series(checked.dropped, dtype=object)
    notes = [
        f"dropped {', '.join(str(d.date()) for d in group.index)}: {reason}"
        for reason, group in dropped.groupby(dropped)
    ]
    notes += checked.notes + checked.doubts
    return line + ", unchanged" * unchanged, notes


# ---- command line


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
    """A positive number of seconds, a day at most."""
    if 0 < float(text) <= 86400:
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
        for name in ["yfinance", "bs4"]:
            logging.getLogger(name).setLevel(logging.CRITICAL)
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
    code = main()
    if code == 130:  # do not wait for requests under way, which may hang
        sys.stdout.flush()
        os._exit(code)
    sys.exit(code)
