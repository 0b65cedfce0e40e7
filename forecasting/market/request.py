"""What is asked of Yahoo, and how the answer can be no."""

import math
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd

from forecasting.console import brief, say
from forecasting.market.calendars import latest_date
from forecasting.market.prices import SYMBOL


class Refused(Exception):
    """Why a ticker is not saved, in one line; asking again is no use."""


class NoPrices(Refused):
    """Yahoo has nothing for this ticker in the range asked."""


class Faulty(Refused):
    """A fault that may pass, so ask again."""

    def __init__(self, reason: str, after: float = 0, tries: float = math.inf):
        """`after`: seconds to wait; `tries`: how often to meet it at most."""
        super().__init__(reason)
        self.after, self.tries = after, tries


class Limited(Faulty):
    """Yahoo is asked too often, not for this ticker alone."""


@dataclass(frozen=True)
class Request:
    """What is wanted of every ticker, and what is accepted.

    `start` is included, `end` excluded, None: all there is. `timeout`:
    seconds for one ticker, all tries together. `force`: save what is
    doubted. `live_bar`: keep the bar of a session in progress. `resume`: do
    not ask for what holds its last closed session already.
    """

    start: date | None = None
    end: date | None = None
    timeout: float = 60.0
    force: bool = False
    live_bar: bool = False
    resume: bool = False

    def check(self, now: pd.Timestamp | None = None) -> None:
        """Refuse a range in which no session can lie, until now."""
        start, end = self.start, self.end
        if start and pd.Timestamp(start) > latest_date(now):
            raise Refused(f"--start {start} is in the future; begin earlier")
        if start and end and start >= end:
            last = "which is the day after the last one wanted"
            raise Refused(
                f"--start {start} must come before --end {end}, {last}"
            )


@dataclass(frozen=True)
class Manners:
    """How Yahoo is asked. Times in seconds."""

    workers: int = 6  # tickers under way at once
    pace: float = 0.02  # between two requests, whatever the ticker
    tries: int = 7  # of one ticker, before giving up
    offline_tries: int = 3  # without a network, patience is no use
    pause: float = 0.5  # before the second try, doubling up to eightfold
    chart_time: float = 10  # of a request, or half the time left if more
    max_bytes: int = 32_000_000  # 60 years of daily bars are 2 MB


def normalise(ticker: str) -> str:
    """A ticker as Yahoo writes it, safe as a file name; else Refused."""
    name = ticker.strip().upper()
    if not name:
        raise Refused("the ticker is empty; type one, for example AAPL")
    if re.fullmatch(r"[A-Z]+/[A-Z]", name):
        raise Refused(f"not a Yahoo symbol; try {name.replace('/', '-')}")
    if not ticker.isascii() or not SYMBOL.fullmatch(name):
        raise Refused(
            "not a Yahoo symbol (letters, digits and . - = & _, at most 24); "
            "look it up on finance.yahoo.com"
        )
    if re.match(r"(CON|PRN|AUX|NUL|COM\d|LPT\d)(\.|$)", name):
        raise Refused("Windows reserves this file name; it cannot be saved")
    return name


def normalise_all(tickers: list[str]) -> tuple[list[str], dict[str, Refused]]:
    """Tickers as Yahoo writes them, each once; and why others are none.

    A line on stderr says it, too.
    """
    names: dict[str, None] = {}
    refused: dict[str, Refused] = {}
    for ticker in tickers:
        try:
            names[normalise(ticker)] = None
        except Refused as error:
            shown = brief(ticker, 24) or repr(ticker)
            refused[shown] = error
            say(f"{shown}: {error}")
    return list(names), refused


def read_list(path: Path) -> list[str]:
    """The tickers in a file, one a line; ValueError, OSError without any.

    What follows a # is a comment.
    """
    lines = path.read_text("utf-8-sig").splitlines()
    tickers = [line.partition("#")[0].strip() for line in lines]
    if not any(tickers):
        raise ValueError("it has no tickers; write one a line")
    return [ticker for ticker in tickers if ticker]
