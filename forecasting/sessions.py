"""The trading sessions ahead, which date a forecast."""

import pandas as pd

from scraper import calendar

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
