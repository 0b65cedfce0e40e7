"""The trading sessions ahead, which date a forecast."""

import functools
import threading
import warnings

import exchange_calendars
import pandas as pd

# Yahoo's suffix of a ticker → calendar; none: New York.
EXCHANGES = {
    "": "XNYS",
    "L": "XLON",
    "DE": "XETR",
    "PA": "XPAR",
    "AS": "XAMS",
    "MI": "XMIL",
    "SW": "XSWX",
    "TO": "XTSE",
    "T": "XTKS",
    "HK": "XHKG",
    "AX": "XASX",
}


def next_sessions(
    ticker: str, history: pd.DataFrame, count: int
) -> pd.DatetimeIndex:
    """The next ``count`` trading sessions after a history's last row.

    From the calendar of the ticker's exchange where it is known here; else,
    and for currencies, Monday to Friday; every day for what trades at
    weekends.
    """
    last = history.index[-1]
    symbol, _, suffix = ticker.partition(".")
    if (history.index.dayofweek >= 5).mean() > 0.1:
        return pd.date_range(last, periods=count + 1, freq="D")[1:]
    if suffix in EXCHANGES and "=" not in symbol:
        sessions = calendar(EXCHANGES[suffix])
        ahead = sessions[sessions > last]
        if len(ahead) >= count:
            return ahead[:count]
    return pd.bdate_range(last, periods=count + 1)[1:]


CALENDAR_LOCK = threading.Lock()


def calendar(name: str) -> pd.DatetimeIndex:
    """Every session of an exchange, as far back as they are known."""
    # exchange_calendars 4.13 uses what pandas 3.1 deprecates.
    with CALENDAR_LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _sessions(name)


@functools.cache
def _sessions(name: str) -> pd.DatetimeIndex:
    try:
        return exchange_calendars.get_calendar(name, start="1960").sessions
    except ValueError:  # not known that far back: its default, 20 years
        return exchange_calendars.get_calendar(name).sessions
