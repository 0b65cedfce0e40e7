"""Fetch: one request to Yahoo through yfinance's client, in bounded time.

yfinance's client (cookies, crumbs, a browser's TLS) does the talking. Its
`history()` is not used, because it mends in silence: it keeps the first of
two conflicting bars and turns a missing volume into 0, a missing adjusted
close into the close.
"""

import json
import math
import sys
import threading
import time
from datetime import date, timedelta
from email.utils import parsedate_to_datetime

import pandas as pd
import yfinance
from curl_cffi.requests import Session, exceptions
from yfinance.data import YfData

from forecasting.console import brief
from forecasting.market.request import (
    Faulty,
    Limited,
    Manners,
    NoPrices,
    Refused,
)

URL = "https://query2.finance.yahoo.com/v8/finance/chart/"
UNKNOWN_OPTION = 48  # what curl_cffi is told by a libcurl not its own


class Guard(Session):
    """A session that ends in time, for yfinance's client to use.

    yfinance would wait 30 s each for a cookie and a crumb, fetch the cookie
    anew for every chart, and repeat a request that fails without a pause.
    Here cookie and crumb are fetched once and soon given up, and HTTP faults
    of a chart are raised at once. yfinance's client is a singleton that all
    threads share, and so is the guard; the deadline is kept per thread, but
    when Yahoo limits the rate of one, all of them pause.
    """

    def __init__(
        self, session: Session | None = None, manners: Manners | None = None
    ):
        """Guard a session; None: the one yfinance has."""
        super().__init__()
        self.manners = manners or Manners()
        inner = session or YfData()._session
        self.inner = getattr(inner, "inner", inner)  # never guard a guard
        self.thread = threading.local()
        self.stopped = threading.Event()
        self.turn = threading.Lock()
        self.paused = 0.0  # until then, by the monotonic clock
        self.kept: dict = {}

    def allow(self, seconds: float) -> None:
        """Start the clock for the requests of this thread."""
        self.thread.deadline = time.monotonic() + seconds

    def request(self, method: str, url: str, **options):
        """Send a request: in time, at a polite pace, of bounded size."""
        if url.startswith(URL):
            self._take_turn()
            limit = self.manners.chart_time
            response = self._send(method, url, limit, options)
            if response.status_code in (401, 403):
                self.kept.clear()  # for yfinance fetches a new cookie now
                return response
            try:
                check_status(response)
            except Limited as error:
                end = time.monotonic() + max(error.after, self.manners.pause)
                self.paused = max(self.paused, end)
                raise
            return response
        if (method, url) not in self.kept:
            limit = self.manners.cookie_time
            try:
                answer = self._send(method, url, limit, options)
            except exceptions.RequestException as error:
                answer = error
            self.kept[method, url] = answer
        if isinstance(answer := self.kept[method, url], Exception):
            raise answer
        return answer

    def _take_turn(self) -> None:
        """Wait as long as the pace asks for, or Yahoo has asked."""
        left = self.thread.deadline - time.monotonic()
        # Who has the turn may be waiting out a pause that is too long here.
        if not self.turn.acquire(timeout=max(left, 0)):
            raise Limited("rate limited by Yahoo", tries=1)
        try:
            now = time.monotonic()
            pause, left = self.paused - now, self.thread.deadline - now
            if pause > max(left, 0):
                raise Limited("rate limited by Yahoo", pause, tries=1)
            self.stopped.wait(max(pause, self.manners.pace))
        finally:
            self.turn.release()

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
            if size > (most := self.manners.max_bytes):
                raise Faulty(f"a reply larger than {most:,} bytes")
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
        raise Limited(f"rate limited by Yahoo (HTTP {status})", after)
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
        except (TypeError, ValueError, OSError, OverflowError):
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
        code = getattr(error, "code", 0)
        if code in (5, 6, 7):  # no proxy, name, host
            raise Faulty(
                "cannot reach Yahoo, are you offline?",
                tries=session.manners.offline_tries,
            ) from error
        if code == UNKNOWN_OPTION and "tensorflow" in sys.modules:
            raise Refused(
                "TensorFlow was loaded before and its libcurl is in the way; "
                f"download in another process: python scraper.py {ticker}"
            ) from error
        raise Faulty(f"the connection broke ({brief(error)})") from error
    check_status(response)
    return response.content
