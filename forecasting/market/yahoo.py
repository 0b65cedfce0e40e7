"""Fetch: one request for one ticker's chart, in bounded time.

yfinance makes the session, because it knows which browser Yahoo lets in. The
session is one of our own: yfinance's client is shared by the whole process,
and asks for a cookie and a crumb first, which a chart does not need. Its
`history()` is not used, because it mends in silence: it keeps the first of
two conflicting bars and turns a missing volume into 0, a missing adjusted
close into the close.
"""

import json
import math
import sys
import threading
import time
from datetime import date
from email.utils import parsedate_to_datetime

import pandas as pd
from curl_cffi.requests import Response, Session, exceptions
from yfinance.data import new_session

from forecasting.console import brief
from forecasting.market.request import (
    Faulty,
    Limited,
    Manners,
    NoPrices,
    Refused,
)

URL = "https://query2.finance.yahoo.com/v8/finance/chart/"
DAY = 86400  # seconds
UNKNOWN_OPTION = 48  # what curl_cffi is told by a libcurl not its own


class Client:
    """What all threads of a download share: a session and a polite pace.

    `session`: a curl_cffi session; None: a new one, as yfinance makes it.
    When Yahoo limits the rate of one thread, all of them pause.
    """

    def __init__(
        self, session: Session | None = None, manners: Manners | None = None
    ):
        self.session = session or new_session()
        self.manners = manners or Manners()
        self.stopped = threading.Event()  # from then on nothing is asked
        self.turn = threading.Lock()
        self.paused = 0.0  # until then, by the monotonic clock

    def get(self, url: str, query: dict, deadline: float) -> bytes:
        """Send a request at its turn; the content of a good reply.

        `deadline`: by the monotonic clock. Raises Refused, or what curl does.
        """
        self._take_turn(deadline)
        left = deadline - time.monotonic()
        if left <= 0 or self.stopped.is_set():
            raise Faulty("Yahoo gave no complete reply in time", tries=1)
        content, most = bytearray(), self.manners.max_bytes

        def collect(chunk: bytes) -> int:
            content.extend(chunk)
            if len(content) > most:
                raise Refused(f"a reply larger than {most:,} bytes")
            return len(chunk)

        # Half of what is left: one that hangs must not be the last.
        limit = min(left, max(self.manners.chart_time, left / 2))
        response = self.session.get(
            url, params=query, timeout=limit, content_callback=collect
        )
        try:
            check_status(response, bytes(content))
        except Limited as error:
            end = time.monotonic() + max(error.after, self.manners.pause)
            self.paused = max(self.paused, end)
            raise
        return bytes(content)

    def _take_turn(self, deadline: float) -> None:
        """Wait as long as the pace asks for, or Yahoo has asked."""
        # Who has the turn may be waiting out a pause that is too long here.
        if not self.turn.acquire(timeout=max(deadline - time.monotonic(), 0)):
            raise Limited("rate limited by Yahoo", tries=1)
        try:
            now = time.monotonic()
            pause = self.paused - now
            if pause > max(deadline - now, 0):
                raise Limited("rate limited by Yahoo", pause, tries=1)
            self.stopped.wait(max(pause, self.manners.pace))
        finally:
            self.turn.release()


def check_status(response: Response, content: bytes) -> None:
    """Raise what an HTTP status other than 200 means."""
    status = response.status_code
    if status == 200:
        return
    if status == 404:
        raise Refused("unknown symbol; look it up on finance.yahoo.com")
    if status in (400, 422):
        raise NoPrices(said(content))
    after = retry_after(response.headers.get("Retry-After"))
    if status in (429, 999):
        raise Limited(f"rate limited by Yahoo (HTTP {status})", after)
    if status >= 500:
        raise Faulty(f"Yahoo is failing (HTTP {status})", after)
    if status in (401, 403, 407):
        raise Faulty(f"access denied by Yahoo or a proxy (HTTP {status})")
    if status >= 400 and status not in (408, 425):  # these two may pass
        raise Refused(f"Yahoo refuses this request (HTTP {status})")
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
        seconds = float(value or "")
    except ValueError:
        try:
            when = parsedate_to_datetime(value or "")
            seconds = when.timestamp() - time.time()
        except (TypeError, ValueError, OSError, OverflowError):
            return 0.0
    return seconds if 0 < seconds < math.inf else 0.0


def fetch(
    ticker: str,
    start: date | None = None,
    end: date | None = None,
    client: Client | None = None,
    deadline: float | None = None,
) -> bytes:
    """Yahoo's chart reply for one ticker: one request, one attempt.

    `start` is included, `end` excluded, None: all there is. `deadline`: by
    the monotonic clock, None: in a minute. Raises Refused.
    """
    client = client or Client()
    deadline = deadline or time.monotonic() + 60
    now, ages = time.time(), 99 * 365 * DAY
    # A day more at either end: the exchange's midnight is not UTC's.
    first = pd.Timestamp(start).timestamp() - DAY if start else now - ages
    last = pd.Timestamp(end).timestamp() + DAY if end else now
    query = {
        "period1": int(first),
        "period2": int(min(last, now)),
        "interval": "1d",
        "includePrePost": False,
        "events": "div,splits,capitalGains",
    }
    try:
        return client.get(URL + ticker, query, deadline)
    except Refused:
        raise
    except exceptions.Timeout as error:
        raise Faulty("Yahoo gave no complete reply in time") from error
    except Exception as error:  # whatever else a broken reply does to curl
        code = getattr(error, "code", 0)
        if code in (5, 6, 7):  # no proxy, name, host
            offline = "cannot reach Yahoo, are you offline?"
            tries = client.manners.offline_tries
            raise Faulty(offline, tries=tries) from error
        if code == UNKNOWN_OPTION and "tensorflow" in sys.modules:
            raise Refused(
                "TensorFlow was loaded before and its libcurl is in the way; "
                f"download in another process: python scraper.py {ticker}"
            ) from error
        raise Faulty(f"the connection broke ({brief(error)})") from error
