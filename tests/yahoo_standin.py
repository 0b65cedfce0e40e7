"""A Yahoo Finance of our own on the loopback, for the real yfinance client.

It serves `/v8/finance/chart/SYMBOL` in Yahoo's schema from the histories
of data/snapshot/, and misbehaves on demand. `StandIn` is a session that
sends every host there: chart, cookie and crumb alike.

    python tests/yahoo_standin.py PORT AAPL ...    # scraper.py against PORT
"""

import copy
import itertools
import json
import sys
import threading
import time
from collections import defaultdict, deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pandas as pd
from curl_cffi.requests import Session

SNAPSHOT = Path(__file__).resolve().parents[1] / "data" / "snapshot"
EXCHANGES = {"AAPL": "NMS", "GOOG": "NMS", "IBM": "NYQ", "MSFT": "NMS"}


class StandIn(Session):
    """A session whose every request goes to the stand-in."""

    def __init__(self, port: int):
        super().__init__()
        self.port = port

    def request(self, method, url, **options):
        parts = urlsplit(url)
        url = f"http://127.0.0.1:{self.port}/{parts.netloc}{parts.path}"
        url += f"?{parts.query}" * bool(parts.query)
        return super().request(method, url, **options)


def snapshot(symbol: str) -> pd.DataFrame:
    path = SNAPSHOT / f"{symbol}.csv"
    return pd.read_csv(path, index_col="Date", parse_dates=True)


def stamps(days: pd.DatetimeIndex, clock: str = "09:30") -> list[int]:
    """Seconds since 1970 of a New York wall clock on these days."""
    local = (days + pd.Timedelta(f"{clock}:00")).tz_localize(
        "America/New_York"
    )
    return local.as_unit("s").astype("int64").tolist()


def chart(
    symbol: str, history: pd.DataFrame, exchange: str | None = None
) -> dict:
    """Yahoo's chart result for an adjusted history.

    A dividend of 1 % half-way makes the closes differ from the adjusted.
    """
    middle = history.index[len(history) // 2]
    factor = pd.Series(1.0, history.index)
    factor[history.index < middle] = 0.99
    raw = history[["Open", "High", "Low", "Close"]].div(factor, axis=0)
    open_, close = stamps(history.index), stamps(history.index, "16:00")
    quote = {c.lower(): raw[c].tolist() for c in raw}
    quote["volume"] = history["Volume"].astype(int).tolist()
    session = {"timezone": "EST", "gmtoffset": -18000}
    paid = stamps(pd.DatetimeIndex([middle]))[0]
    return {
        "meta": {
            "currency": "USD",
            "symbol": symbol,
            "exchangeName": exchange or EXCHANGES.get(symbol, "NMS"),
            "fullExchangeName": "NasdaqGS",
            "instrumentType": "EQUITY",
            "firstTradeDate": open_[0],
            "regularMarketTime": close[-1],
            "hasPrePostMarketData": True,
            "gmtoffset": -18000,
            "timezone": "EST",
            "exchangeTimezoneName": "America/New_York",
            "regularMarketPrice": quote["close"][-1],
            "priceHint": 2,
            "currentTradingPeriod": {
                "pre": session | {"start": open_[-1], "end": open_[-1]},
                "regular": session | {"start": open_[-1], "end": close[-1]},
                "post": session | {"start": close[-1], "end": close[-1]},
            },
            "dataGranularity": "1d",
            "range": "",
            "validRanges": ["1d", "5d", "1mo", "1y", "10y", "ytd", "max"],
        },
        "timestamp": open_,
        "events": {"dividends": {str(paid): {"amount": 1.0, "date": paid}}},
        "indicators": {
            "quote": [quote],
            "adjclose": [{"adjclose": history["Close"].tolist()}],
        },
    }


class Yahoo(ThreadingHTTPServer):
    """The server; `with Yahoo() as yahoo` runs it in a thread.

    `charts[symbol]`: what it serves, free to edit.
    `faults[symbol]`: functions of the request handler, each used for one
    chart request; `always[symbol]` for every one.
    `asked`: the paths requested; `latency`: seconds before each answer.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.charts = {s: copy.deepcopy(c) for s, c in _charts().items()}
        self.faults = defaultdict(deque)
        self.always = {}
        self.asked = []
        self.latency = 0.0
        self.cached = {}

    @property
    def port(self) -> int:
        return self.server_address[1]

    def session(self) -> StandIn:
        return StandIn(self.port)

    def charts_asked(self) -> list[str]:
        return [p for p in self.asked if "/v8/finance/chart/" in p]

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error):
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        pass  # a client that went away is part of the game


_cache = {}


def _charts() -> dict:
    if not _cache:
        _cache.update({s: chart(s, snapshot(s)) for s in EXCHANGES})
    return _cache


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        path = self.path.partition("/v8/finance/chart/")
        self.server.asked.append(self.path)
        time.sleep(self.server.latency)
        if path[1]:
            symbol = urlsplit(path[2]).path
            faults = self.server.faults[symbol]
            if faults:
                faults.popleft()(self)
            elif symbol in self.server.always:
                self.server.always[symbol](self)
            else:
                self.chart(symbol)
        elif self.path.endswith("/v1/test/getcrumb"):
            self.reply(b"crumb")
        else:  # fc.yahoo.com answers 404 and sets the cookie
            self.reply(b"", 404, {"Set-Cookie": "A3=cookie; Path=/"})

    do_POST = do_GET

    def chart(self, symbol: str):
        status, document = self.document(symbol)
        self.reply(json.dumps(document).encode(), status)

    def document(self, symbol: str) -> tuple[int, dict]:
        """Status and reply, cut to the range that was asked."""
        if symbol not in self.server.charts:
            return 404, error("Not Found", "symbol may be delisted")
        query = parse_qs(urlsplit(self.path).query)
        first, last = int(query["period1"][0]), int(query["period2"][0])
        result = copy.deepcopy(self.server.charts[symbol])
        times = result["timestamp"]
        inside = [first <= t < last for t in times]
        if not any(inside):
            words = f"Data doesn't exist for {first} to {last}"
            return 400, error("Bad Request", words)
        if not all(inside):
            parts = result["indicators"]
            for lists in [result, *parts["quote"], *parts["adjclose"]]:
                for name, values in lists.items():
                    if isinstance(values, list):
                        lists[name] = list(itertools.compress(values, inside))
        return 200, {"chart": {"result": [result], "error": None}}

    def reply(self, body: bytes, status: int = 200, headers=()):
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        if "Content-Length" not in dict(headers):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def error(code: str, description: str) -> dict:
    return {
        "chart": {
            "result": None,
            "error": {"code": code, "description": description},
        }
    }


if __name__ == "__main__":
    import scraper

    sys.exit(scraper.main(sys.argv[2:], session=StandIn(int(sys.argv[1]))))
