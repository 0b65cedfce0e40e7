"""The newest prices of some tickers: from Yahoo, or from the disk."""

import pandas as pd

from forecasting.console import say
from forecasting.market import calendars, prices
from forecasting.market.download import download
from forecasting.market.store import final


def load_newest(
    tickers: list[str], now: pd.Timestamp | None = None
) -> dict[str, pd.DataFrame]:
    """The newest prices of tickers: ``{ticker: prices}``.

    Those on the disk where there are no newer ones, and a line says how old
    these are. What has no usable prices is left out, and a line says why.
    ``now``: with a time zone; default: this moment.
    """
    wanted = list(dict.fromkeys(tickers))
    due = [ticker for ticker in wanted if is_behind(ticker, now)]
    folder = prices.directories()[0]
    if prices.frozen(folder):
        due = []
    if due:
        folder.mkdir(parents=True, exist_ok=True)
        if download(due, folder) == 130:
            raise KeyboardInterrupt
    histories = {}
    for ticker in wanted:
        try:
            path = prices.find(ticker)
        except prices.PriceError as error:
            if ticker not in due:  # else the download has said why
                say(str(error))
            continue
        try:
            histories[ticker] = prices.read_csv(path)
        except prices.PriceError as error:
            say(str(error))
            continue
        old = calendars.age(ticker, histories[ticker], now)
        print(f"{prices.show(path)}: to {old}")
    return histories


def is_behind(ticker: str, now: pd.Timestamp | None = None) -> bool:
    """Whether the prices on disk lack a session, or a part of the last one.

    Or cannot be read. ``now``: with a time zone; default: this moment.
    """
    try:
        path = prices.find(ticker)
        history = prices.read_csv(path)
    except prices.PriceError:
        return True
    behind = calendars.sessions_since(ticker, history, now) > 0
    return behind or not final(path, history)
