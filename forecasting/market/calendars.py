"""Exchanges: their sessions, ahead and missing, and their currencies.

One table serves two readers. The scraper knows Yahoo's code of an exchange,
which comes with the prices; the dating of forecasts knows only the ticker,
whose suffix names the exchange (none: New York).
"""

import contextlib
import functools
import re
import threading
import warnings
from datetime import date
from typing import NamedTuple

import numpy as np
import pandas as pd
from exchange_calendars import get_calendar, tase_holidays
from exchange_calendars.pandas_extensions.offsets import (
    CompositeCustomBusinessDay as Weeks,
)


class Exchange(NamedTuple):
    """Where tickers are traded.

    ``calendar``: its name in exchange_calendars; ``currency``: ISO code, or
    the hundredth that prices come in (GBp: pence); "" where not known.
    Then, separated by blanks: Yahoo's codes of the exchange, the suffixes
    of its tickers ("." for none) and the indices of its shares.
    """

    calendar: str = ""
    currency: str = ""
    codes: str = ""
    suffixes: str = ""
    indices: str = ""


EXCHANGES = [
    Exchange(
        "XNYS",
        "USD",
        "NYQ NYS ASE PCX BTS",
        ".",
        "^GSPC ^DJI ^NYA ^RUT ^VIX ^OEX ^SP500TR ^TNX ^TYX ^FVX ^IRX",
    ),
    Exchange("XNAS", "USD", "NMS NGM NCM NAS", "", "^IXIC ^NDX ^SOX"),
    Exchange("XLON", "GBp", "LSE", "L", "^FTSE ^FTMC ^FTAS"),
    Exchange("XLON", "", "IOB", "IL"),  # dollars or euros
    Exchange("XETR", "EUR", "GER", "DE", "^GDAXI ^MDAXI ^SDAXI ^TECDAX"),
    Exchange("XFRA", "EUR", "FRA", "F"),
    Exchange("XPAR", "EUR", "PAR", "PA", "^FCHI ^SBF120 ^N100 ^STOXX50E"),
    Exchange("XAMS", "EUR", "AMS", "AS", "^AEX ^AMX"),
    Exchange("XBRU", "EUR", "BRU", "BR", "^BFX"),
    Exchange("XLIS", "EUR", "LIS", "LS"),
    Exchange("XDUB", "EUR", "ISE", "IR", "^ISEQ"),
    Exchange("XMIL", "EUR", "MIL", "MI"),
    Exchange("XMAD", "EUR", "MCE", "MC", "^IBEX"),
    Exchange("XHEL", "EUR", "HEL", "HE", "^OMXH25"),
    Exchange("XWBO", "EUR", "VIE", "VI", "^ATX"),
    Exchange("XSWX", "CHF", "EBS", "SW", "^SSMI"),
    Exchange("XSTO", "SEK", "STO", "ST", "^OMX"),
    Exchange("XCSE", "DKK", "CPH", "CO", "^OMXC25"),
    Exchange("XOSL", "NOK", "OSL", "OL"),
    Exchange("XICE", "ISK", "ICE", "IC"),
    Exchange("XWAR", "PLN", "WSE", "WA"),
    Exchange("XPRA", "CZK", "PRA", "PR"),
    Exchange("XBUD", "HUF", "BUD", "BD"),
    Exchange("XIST", "TRY", "IST", "IS"),
    Exchange("XTAE", "ILA", "TLV", "TA"),
    Exchange("XSAU", "SAR", "SAU", "SR"),
    Exchange("XJSE", "ZAc", "JNB", "JO"),
    Exchange("XTSE", "CAD", "TOR VAN", "TO V", "^GSPTSE"),
    Exchange("XMEX", "MXN", "MEX", "MX", "^MXX"),
    Exchange("BVMF", "BRL", "SAO", "SA", "^BVSP"),
    Exchange("XBUE", "ARS", "BUE", "BA", "^MERV"),
    Exchange("XSGO", "CLP", "SGO", "SN", "^IPSA"),
    Exchange("XTKS", "JPY", "JPX", "T", "^N225"),
    Exchange("XHKG", "HKD", "HKG", "HK", "^HSI ^HSCE"),
    Exchange("XKRX", "KRW", "KSC KOE", "KS KQ", "^KS11 ^KS200 ^KQ11"),
    Exchange("XTAI", "TWD", "TAI TWO", "TW TWO", "^TWII"),
    Exchange("XSHG", "CNY", "SHH SHZ", "SS SZ"),
    Exchange("XASX", "AUD", "ASX", "AX", "^AXJO ^AORD"),
    Exchange("XNZE", "NZD", "NZE", "NZ", "^NZ50"),
    Exchange("XBOM", "INR", "BSE NSI", "BO NS", "^BSESN ^NSEI ^NSEBANK"),
    Exchange("XSES", "SGD", "SES", "SI", "^STI"),
    Exchange("XBKK", "THB", "SET", "BK"),
    Exchange("XIDX", "IDR", "JKT", "JK", "^JKSE"),
    Exchange("XKLS", "MYR", "KLS", "KL", "^KLSE"),
]
COINS = Exchange("24/7", codes="CCC")
CURRENCIES = Exchange("24/5")
UNKNOWN = Exchange()
EVERY_DAY = "1111111"
ONE_DAY = pd.Timedelta(days=1)
# Their sessions are known to the day, so a gap there is a fault.
CERTAIN = ["XNYS", "XNAS"]
# Sessions that no calendar has, and when they ended in UTC: the National
# Stock Exchange's and Bombay's circulars on Diwali, on the switch to the
# other site, and on the budget.
SPECIAL = {
    "XBOM": [
        "2023-11-12 13:45",  # Sunday, Diwali
        "2024-03-02 07:00",  # Saturday, other site
        "2024-05-18 07:10",  # Saturday, other site
        "2024-11-01 13:30",  # Friday, Diwali
        "2025-10-21 09:15",  # Tuesday, Diwali
        "2026-02-01 10:00",  # Sunday, budget
    ],
}
# Days that a calendar takes for sessions: Tel Aviv's week had changed before.
NOT_HELD = {"XTAE": ["2026-01-04"]}
# The last day whose holidays are listed, where a calendar does not end there.
LISTED = {"XIDX": "2025-12-31", "XTAI": "2026-12-31"}

BY_CODE = {c: e for e in [*EXCHANGES, COINS] for c in e.codes.split()}
BY_SUFFIX = {s: e for e in EXCHANGES for s in e.suffixes.split()}
BY_INDEX = {i: e for e in EXCHANGES for i in e.indices.split()}
COIN = re.compile(r"[A-Z0-9]+-(USD|EUR|GBP|JPY|CAD|AUD|CNY|INR|KRW)")


def exchange_of(ticker: str) -> Exchange:
    """The exchange of a ticker, as its suffix or its form tells."""
    _, dot, suffix = ticker.rpartition(".")
    if ticker.endswith("=X"):
        return CURRENCIES
    if "=" in ticker:  # futures, each with a calendar of its own
        return UNKNOWN
    if ticker.startswith("^") and not dot:
        return BY_INDEX.get(ticker, UNKNOWN)
    if COIN.fullmatch(ticker):
        return COINS
    return BY_SUFFIX.get(suffix if dot else ".", UNKNOWN)


def currency(ticker: str) -> str:
    """What a ticker's prices are in: "USD", "GBp", ... or "price units".

    Price units where the exchange is not known here, and for indices and
    exchange rates, which are not sums of money.
    """
    if coin := COIN.fullmatch(ticker):
        return coin[1]
    money = "" if ticker.startswith("^") else exchange_of(ticker).currency
    return money or "price units"


class Ahead(NamedTuple):
    """Sessions to come, and what is not known about them ("": nothing)."""

    dates: pd.DatetimeIndex
    note: str


def sessions_ahead(ticker: str, history: pd.DataFrame, count: int) -> Ahead:
    """The next ``count`` sessions after a history's last row.

    From the calendar of the ticker's exchange. Where that is not known, or
    not known for these dates, they are the days of the week on which the
    history has its rows, and the note says that holidays may be among them.
    """
    last, week = history.index[-1], weekdays(history.index)
    name = exchange_of(ticker).calendar
    if week == EVERY_DAY:  # no exchange has holidays and trades at weekends
        name = COINS.calendar
    sessions = calendar(name)
    dates = sessions[:0]
    if len(sessions) and sessions[0] <= last:
        dates = sessions[sessions > last][:count]
    if len(dates) == count:
        return Ahead(dates, "")
    known = max(last, sessions[-1]) if len(dates) else last
    guess = pd.bdate_range(
        known + ONE_DAY,
        periods=count - len(dates),
        freq="C",
        weekmask=week,
    )
    always = name in (COINS.calendar, CURRENCIES.calendar)
    note = f"{ticker}: holidays after {known.date()} are not known"
    return Ahead(dates.append(guess), "" if always else note)


def utc(now: pd.Timestamp | None = None) -> pd.Timestamp:
    """A moment in UTC; default: this one. No clock on a wall is asked."""
    return pd.Timestamp.now("UTC") if now is None else now.tz_convert("UTC")


def latest_date(now: pd.Timestamp | None = None) -> pd.Timestamp:
    """The date where a day begins first, which no session can exceed."""
    east = utc(now) + pd.Timedelta(hours=14)
    return east.tz_localize(None).normalize()


def sessions_since(
    ticker: str, history: pd.DataFrame, now: pd.Timestamp | None = None
) -> int:
    """How many sessions a history lacks: those after it that are over.

    ``now``: with a time zone; default: this moment. Sessions are those of
    ``sessions_ahead``, so where the calendar is not known holidays count,
    too, and a session is over when its day is, in UTC.
    """
    now = utc(now)
    # No more days than sessions.
    count = max((latest_date(now) - history.index[-1]).days, 0)
    days = sessions_ahead(ticker, history, count).dates
    ends = (days + ONE_DAY).tz_localize("UTC")
    known = _closes(exchange_of(ticker).calendar).reindex(days)
    return int((known.fillna(pd.Series(ends, days)) <= now).sum())


def age(
    ticker: str, history: pd.DataFrame, now: pd.Timestamp | None = None
) -> str:
    """The date of a history's last row, and how many sessions ago it was."""
    count = sessions_since(ticker, history, now)
    ago = {0: "the latest session", 1: "1 session ago"}
    last = history.index[-1].date()
    return f"{last}, {ago.get(count, f'{count:,} sessions ago')}"


def weekdays(days: pd.DatetimeIndex) -> str:
    """Days of the week with sessions in the last year: "1111100" is usual."""
    if len(days) < 20:  # too few to tell
        return "1111100"
    held = np.bincount(days[-250:].day_of_week, minlength=7)
    # Holidays thin no day out as much, and one odd Saturday is no rule.
    return "".join("1" if share > 0.05 else "0" for share in held / held.sum())


def closed(days: pd.DatetimeIndex, code: str) -> np.ndarray:
    """Days without a session, shape ``(n,)``: of those known for certain.

    ``code``: Yahoo's for an exchange. Outside the United States these are
    the weekends alone, and a bar that was traded is better evidence.
    """
    name = BY_CODE.get(code, UNKNOWN).calendar
    sessions = calendar(name)
    if sessions.empty:
        return np.zeros(len(days), dtype=bool)
    # Where a list of holidays has ended its weekends go on.
    known = (name in CERTAIN) & (days <= sessions[-1])
    known = (known | (days.day_of_week >= 5)) & (days >= sessions[0])
    return known & ~days.isin(sessions)


def due(days: pd.DatetimeIndex, code: str) -> tuple[str, pd.DatetimeIndex]:
    """The calendar of an exchange, by Yahoo's code, and its sessions.

    Those from the first to the last of some days; none where not known.
    """
    name = BY_CODE.get(code, UNKNOWN).calendar
    sessions = calendar(name)
    return name, sessions[(sessions >= days[0]) & (sessions <= days[-1])]


def last_closed(ticker: str, end: date | None) -> pd.Timestamp | None:
    """The last session that is over, before ``end``; None where not known."""
    closes = _closes(exchange_of(ticker).calendar)
    until = min(latest_date(), pd.Timestamp(end or latest_date()))
    if closes.empty or closes.index[-1] + ONE_DAY < until:
        return None  # the calendar has ended
    over = closes.index[(closes <= utc()) & (closes.index < until)]
    return over[-1] if len(over) else None


def calendar(name: str) -> pd.DatetimeIndex:
    """Every session of an exchange, as far as known; none for ""."""
    return _closes(name).index


def close_of(ticker: str, day: pd.Timestamp) -> pd.Timestamp:
    """When a ticker's session ends, in UTC.

    Where the exchange, or this session of it, is not known: the first
    moment of that day. No session of it is over then, anywhere.
    """
    closes = _closes(exchange_of(ticker).calendar)
    return closes[day] if day in closes.index else day.tz_localize("UTC")


def _sessions_of(weeks: Weeks, stamps: np.ndarray) -> np.ndarray:
    """Which days, shape ``(n,)``, an exchange trades whose week changes."""
    days = stamps.astype("datetime64[D]")
    held = np.is_busday(days, busdaycal=weeks.calendar)
    for first, last, week in weeks.business_days:
        spell = days <= np.datetime64(last, "D")
        if first is not None:
            spell &= days >= np.datetime64(first, "D")
        held[spell] = np.is_busday(days[spell], busdaycal=week.calendar)
    return held


# exchange_calendars 4.13 overrides what pandas 3 no longer calls, and loses
# extra Saturdays, changes of week and the holidays of the Hebrew calendar.
Weeks._get_daily_offset_mask = _sessions_of
for _rule in (
    tase_holidays._HolidayOffset,
    tase_holidays._YomKippurEveObserved,
):
    _rule._add_datetime = _rule._apply
CALENDAR_LOCK = threading.Lock()  # filters of warnings are a process's


@functools.cache
def _closes(name: str) -> pd.Series:
    """When each session of an exchange ends, in UTC."""
    with CALENDAR_LOCK, warnings.catch_warnings():
        # exchange_calendars 4.13 uses what pandas 3.1 deprecates.
        warnings.simplefilter("ignore")
        # Not all reach back to 1960; most do for 20 years, the default. That
        # of Athens breaks under pandas 3, and is not in the table.
        for start in ["1960-01-04", None] if name else []:
            with contextlib.suppress(ValueError):
                closes = get_calendar(name, start=start).closes
                closes = closes.drop(pd.DatetimeIndex(NOT_HELD.get(name, [])))
                for end in pd.DatetimeIndex(SPECIAL.get(name, []), tz="UTC"):
                    closes[end.tz_localize(None).normalize()] = end
                return closes.sort_index()[: LISTED.get(name)]
    return pd.Series([], pd.DatetimeIndex([]), "datetime64[ns, UTC]")
