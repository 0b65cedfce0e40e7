"""A forecast is dated with the sessions of its market, and in its money."""

from datetime import date
from pathlib import Path

import exchange_calendars
import numpy as np
import pandas as pd
import pytest

from forecasting.market import calendars
from forecasting.market.calendars import (
    EXCHANGES,
    calendar,
    close_of,
    closed,
    due,
    exchange_of,
    last_closed,
)

pytestmark = pytest.mark.filterwarnings(
    # exchange_calendars 4.13 uses what pandas 3.1 deprecates.
    "ignore::pandas.errors.Pandas4Warning"
)
TODAY = pd.Timestamp.today().normalize()
SUNDAY_TO_THURSDAY = "1111001"


def history(last, week="1111100"):
    """A year of rows; which prices they hold does not matter."""
    days = pd.bdate_range(end=last, periods=250, freq="C", weekmask=week)
    return pd.DataFrame(index=days)


def ahead(ticker, last, week="1111100"):
    return calendars.sessions_ahead(ticker, history(last, week), 20)


NAMED = {
    ticker: name
    for name, tickers in {
        # New York's two exchanges keep the same days.
        "XNYS": "AAPL BRK-B ^GSPC ^DJI ^IXIC",
        **{
            "XSAU": "2222.SR",
            "XKRX": "005930.KS ^KS11",
            "XTKS": "7203.T ^N225",
        },
        **{"XSWX": "NESN.SW", "XLON": "^FTSE", "XETR": "^GDAXI"},
        **{"XPAR": "^FCHI ^STOXX50E", "XHKG": "^HSI", "BVMF": "^BVSP"},
        **{"XASX": "^AXJO", "XTAI": "^TWII", "XBOM": "^NSEI"},
    }.items()
    for ticker in tickers.split()
} | {
    f"X.{suffix}": exchange.calendar
    for exchange in EXCHANGES
    for suffix in exchange.suffixes.split()
    if suffix != "."
}


# Unusual days, each from two of: x, exchange_calendars 4.13.2 under pandas
# 2.3.3, where its rules work; h, python-holidays 0.109 (its own rules); m,
# pandas_market_calendars 5.5.0 (its own calendars); or n, the exchange's
# notice as two newspapers reported it. "end": "shut", "open", or when the
# session ended, in UTC.
KNOWN = pd.read_csv(Path(__file__).parent / "known_days.csv", dtype=str)


@pytest.mark.parametrize(
    "ticker, day, end", KNOWN[["ticker", "day", "end"]].to_numpy()
)
def test_a_known_day_is_what_it_was(ticker, day, end):
    sessions = calendar(exchange_of(ticker).calendar)
    day = pd.Timestamp(day)
    assert sessions[0] < day <= sessions[-1]
    assert (day in sessions) == (end != "shut")
    if ":" in end:
        ended = pd.Timestamp(f"{day.date()} {end}", tz="UTC")
        assert close_of(ticker, day) == ended


def test_the_known_days_are_more_than_a_hundred_of_twenty_exchanges():
    assert not KNOWN.duplicated(["ticker", "day"]).any()
    assert len(KNOWN) > 100
    assert len({exchange_of(t) for t in KNOWN["ticker"]}) > 20


def test_a_session_at_a_weekend_is_ahead_and_a_fast_is_not():
    budget = ahead("RELIANCE.NS", "2025-01-31").dates[0]
    assert budget == pd.Timestamp("2025-02-01")
    assert pd.Timestamp("1998-12-05") in calendar("XKRX")  # last Saturday
    fast = pd.Timestamp("2026-09-21")
    assert fast not in ahead("TEVA.TA", "2026-09-15").dates


ENDS = {"2026-12-31": "RELIANCE.NS D05.SI 600519.SS 2330.TW"}
ENDS |= {"2026-12-18": "BBCA.JK"}  # Jakarta's list ends with 2025


@pytest.mark.parametrize("end", ENDS)
def test_where_a_list_of_holidays_ends_it_says_so(end):
    for ticker in ENDS[end].split():
        note = ahead(ticker, "2026-12-18").note
        assert note == f"{ticker}: holidays after {end} are not known"


def test_a_calendar_that_has_ended_knows_no_last_session():
    assert last_closed("BBCA.JK", None) is None
    before = last_closed("BBCA.JK", date(2025, 12, 1))
    assert before == pd.Timestamp("2025-11-28")
    assert last_closed("AAPL", None) > TODAY - pd.Timedelta(days=7)


@pytest.mark.parametrize("ticker, name", NAMED.items())
@pytest.mark.parametrize("last", ["2023-01-20", "2025-10-31"])
def test_dates_are_those_of_exchange_calendars(ticker, name, last):
    # A Monday: a calendar starts with a session of any week.
    theirs = exchange_calendars.get_calendar(name, start="2022-01-03").sessions
    dates, note = ahead(ticker, last)
    assert list(dates) == list(theirs[theirs > last][:20])
    assert note == ""


@pytest.mark.parametrize("last", ["2013-03-01", TODAY])
def test_coins_trade_every_day_and_currencies_on_weekdays(last):
    first = pd.Timestamp(last) + pd.Timedelta(days=1)
    every_day = pd.date_range(first, periods=20)
    weekdays = pd.bdate_range(first, periods=20)
    for ticker in ["BTC-USD", "ETH-EUR"]:
        assert list(ahead(ticker, last, "1111111").dates) == list(every_day)
    assert list(ahead("EURUSD=X", last).dates) == list(weekdays)
    # Whatever it is called, what trades at weekends does so every day.
    dates, note = ahead("MYCOIN", last, "1111111")
    assert list(dates) == list(every_day)
    assert note == ""


def test_where_holidays_are_not_known_it_says_so():
    friday = "2013-03-01"
    for ticker in ["ES=F", "X.QQ", "^UNHEARD"]:
        dates, note = ahead(ticker, friday)
        assert list(dates) == list(pd.bdate_range("2013-03-04", periods=20))
        assert note == f"{ticker}: holidays after 2013-03-01 are not known"
    # Riyadh's calendar starts in 2021; the history knows its week.
    dates, note = ahead("2222.SR", "2019-03-07", SUNDAY_TO_THURSDAY)
    assert dates[0] == pd.Timestamp("2019-03-10")  # a Sunday
    assert set(dates.day_of_week) == {6, 0, 1, 2, 3}
    assert "not known" in note


def test_past_the_end_of_a_calendar_weekdays_follow():
    end = calendar("XNYS")[-1]
    last = end - pd.Timedelta(days=7)
    dates, note = ahead("AAPL", last)
    known = calendar("XNYS")
    known = known[known > last]
    assert list(dates[: len(known)]) == list(known)
    assert len(dates) == 20
    assert dates.is_monotonic_increasing and dates.is_unique
    assert note == f"AAPL: holidays after {end.date()} are not known"


def test_a_history_that_ends_today_has_sessions_ahead():
    last = history(TODAY).index[-1]  # the Friday, on a weekend
    for ticker in NAMED:
        dates, note = ahead(ticker, last)
        assert len(dates) == 20
        assert dates[0] > last
        # Some calendars end with the year for which they were published.
        assert (dates[-1] <= calendar(NAMED[ticker])[-1]) == (note == "")


def test_a_short_history_has_a_week_of_five_days():
    short = history("2013-03-01")[-3:]
    dates = calendars.sessions_ahead("X.QQ", short, 5).dates
    assert list(dates) == list(pd.bdate_range("2013-03-04", periods=5))


@pytest.mark.parametrize(
    "ticker, last, now, count",
    [
        # A Friday, then a weekend, Presidents' Day and a session.
        ("AAPL", "2013-02-15", "2013-02-15 16:00", 0),
        ("AAPL", "2013-02-15", "2013-02-18 23:59", 0),
        ("AAPL", "2013-02-15", "2013-02-19 15:59", 0),
        ("AAPL", "2013-02-15", "2013-02-19 16:00", 1),
        ("AAPL", "2013-03-01", "2012-12-31", 0),  # a clock that is wrong
        ("AAPL", "2012-01-03", "2013-01-02 16:00", 250),
        # Tokyo closes at 15:00, 01:00 in New York.
        ("7203.T", "2013-02-15", "2013-02-18 00:59", 0),
        ("7203.T", "2013-02-15", "2013-02-18 01:00", 1),
        # No calendar: weekdays, which end at 19:00 in New York.
        ("ES=F", "2013-02-15", "2013-02-18 18:59", 0),
        ("ES=F", "2013-02-15", "2013-02-18 19:00", 1),
    ],
)
def test_sessions_since_are_those_over_that_a_history_lacks(
    ticker, last, now, count
):
    """Wherever the clock hangs."""
    now = pd.Timestamp(now, tz="America/New_York")
    for zone in ["UTC", "Pacific/Honolulu", "Pacific/Kiritimati"]:
        here = now.tz_convert(zone)
        found = calendars.sessions_since(ticker, history(last), here)
        assert found == count


def test_sessions_since_follow_the_calendar_and_then_the_week():
    end = calendar("XNYS")[-1]
    closes = exchange_calendars.get_calendar("XNYS", start="2013-01-02").closes
    now = pd.Timestamp.now("UTC")
    missed = (closes <= now) & (closes.index > "2013-03-01")
    found = calendars.sessions_since("AAPL", history("2013-03-01"), now)
    assert found == missed.sum()
    later = end.tz_localize("UTC") + pd.Timedelta(days=14)
    weekdays = pd.bdate_range(
        end, later.tz_localize(None), inclusive="neither"
    )
    found = calendars.sessions_since("AAPL", history(end), later)
    assert found == len(weekdays)
    weekend = history("2013-03-01", "1111111")
    monday = pd.Timestamp("2013-03-04", tz="UTC")
    assert calendars.sessions_since("BTC-USD", weekend, monday) == 2


MONEY = {
    "USD": "AAPL BRK-B BTC-USD",
    **{"JPY": "7203.T", "GBp": "VOD.L", "SAR": "2222.SR", "ZAc": "NPN.JO"},
    "EUR": "SAP.DE ETH-EUR",
    "price units": "^N225 EURUSD=X ES=F X.QQ SMSN.IL",
}


@pytest.mark.parametrize("money", MONEY)
def test_the_currency_is_that_of_the_market(money):
    for ticker in MONEY[money].split():
        assert calendars.currency(ticker) == money


def test_the_table_names_nothing_twice_and_only_known_calendars():
    known = exchange_calendars.get_calendar_names()
    assert {e.calendar for e in EXCHANGES} <= set(known)
    for column in ["codes", "suffixes", "indices"]:
        words = " ".join(getattr(e, column) for e in EXCHANGES).split()
        assert len(words) == len(set(words))


def test_calendars_reach_back_as_far_as_they_are_known():
    assert calendar("XTKS")[0] > pd.Timestamp("1997")
    assert calendar("XNYS")[0] < pd.Timestamp("1961")
    assert calendar("").empty


def test_closed_days_are_those_known_for_certain():
    # A Saturday, Independence Day, a session, one before any calendar.
    days = pd.DatetimeIndex(["2026-07-04", "2025-07-04", "2025-07-07"])
    days = days.append(pd.DatetimeIndex(["1950-01-01"]))
    for code, expected in {
        "NMS": [True, True, False, False],
        "LSE": [True, False, False, False],
        "XXX": [False, False, False, False],
    }.items():
        assert list(closed(days, code)) == expected
    assert not closed(calendar("XSAU"), "SAU").any()  # not even on Sundays
    special = ["2024-01-20", "2025-02-01", "2026-02-01", "2026-02-07"]
    shut = list(closed(pd.DatetimeIndex(special), "NSI"))
    assert shut == [False, False, False, True]
    # A Saturday and a Monday past the end of Jakarta's list.
    past = pd.DatetimeIndex(["2026-03-07", "2026-03-09"])
    assert list(closed(past, "JKT")) == [True, False]
    name, sessions = due(days[[1, 2]], "NMS")
    assert (name, list(sessions)) == ("XNAS", [days[2]])
    assert np.size(due(days, "XXX")[1]) == 0
