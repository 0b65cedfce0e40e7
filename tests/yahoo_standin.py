"""A Yahoo Finance on the loopback, for the real yfinance client.

It serves `/v8/finance/chart/SYMBOL` in Yahoo's schema from the histories
of data/snapshot/, and misbehaves as told. `StandIn` is a session that
sends every host there: chart, cookie and crumb alike.

    python tests/yahoo_standin.py PORT AAPL ...    # scraper.py against PORT
"""

import itertools
import json
import socket
import struct
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import contextmanager
from functools import cache, partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pandas as pd
from curl_cffi.requests import Session

import scraper
from forecasting.market import download, prices
from forecasting.market import yahoo as client

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
        return super().request(method, url, **options)


@cache
def snapshot(symbol: str, rows: int | None = None) -> pd.DataFrame:
    """The first rows of a frozen history."""
    path = SNAPSHOT / f"{symbol}.csv"
    return pd.read_csv(path, index_col="Date", parse_dates=True)[:rows]


def stamps(days: pd.DatetimeIndex, clock: str = "09:30") -> list[int]:
    """Seconds since 1970 at a time of day in New York."""
    local = days + pd.Timedelta(f"{clock}:00")
    local = local.tz_localize("America/New_York").as_unit("s")
    return local.astype("int64").tolist()


def chart(symbol: str, history: pd.DataFrame) -> dict:
    """Yahoo's chart result for an adjusted history.

    A dividend of 1 % half-way makes closes differ from adjusted closes.
    """
    middle = history.index[len(history) // 2]
    raw = history[["Open", "High", "Low", "Close"]].copy()
    raw[history.index < middle] /= 0.99
    quote = {c.lower(): raw[c].tolist() for c in raw}
    quote["volume"] = history["Volume"].astype(int).tolist()
    opens, last = stamps(history.index), history.index[-1:]
    (paid,), (open_,) = stamps(pd.DatetimeIndex([middle])), stamps(last)
    (early,), (close,), (late,) = (
        stamps(last, clock) for clock in ["04:00", "16:00", "20:00"]
    )
    zone = {"timezone": "EST", "gmtoffset": -18000}
    return {
        "meta": {
            "currency": "USD",
            "symbol": symbol,
            "exchangeName": EXCHANGES.get(symbol, "NMS"),
            "fullExchangeName": "NasdaqGS",
            "instrumentType": "EQUITY",
            "firstTradeDate": opens[0],
            "regularMarketTime": close + 1,
            "hasPrePostMarketData": True,
            "gmtoffset": -18000,
            "timezone": "EST",
            "exchangeTimezoneName": "America/New_York",
            "regularMarketPrice": quote["close"][-1],
            "priceHint": 2,
            "currentTradingPeriod": {
                "pre": zone | {"start": early, "end": open_},
                "regular": zone | {"start": open_, "end": close},
                "post": zone | {"start": close, "end": late},
            },
            "dataGranularity": "1d",
            "range": "",
            "validRanges": ["1d", "5d", "1mo", "1y", "10y", "ytd", "max"],
        },
        "timestamp": opens,
        "events": {"dividends": {str(paid): {"amount": 1.0, "date": paid}}},
        "indicators": {
            "quote": [quote],
            "adjclose": [{"adjclose": history["Close"].tolist()}],
        },
    }


class Yahoo(ThreadingHTTPServer):
    """The server; `with Yahoo() as yahoo` runs it in a thread.

    `charts[symbol]`: what it serves, free to edit. `faults[symbol]`: what
    its next chart requests meet instead, each a function of the handler;
    `always[symbol]`: what all meet. `asked`: (time, path) of each request.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, rows: int | None = 500):
        super().__init__(("127.0.0.1", 0), Handler)
        self.charts = {s: chart(s, snapshot(s, rows)) for s in EXCHANGES}
        self.faults: dict[str, list[Callable]] = defaultdict(list)
        self.always: dict[str, Callable] = {}
        self.asked: list[tuple[float, str]] = []
        self.latency = 0.0
        self.port = self.server_address[1]

    def session(self) -> StandIn:
        return StandIn(self.port)

    def times(self) -> list[float]:
        """When a chart was asked for."""
        return [when for when, path in self.asked if "/chart/" in path]

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=[0.05]).start()
        return self

    def __exit__(self, *error):
        self.shutdown()
        self.socket.close()

    def handle_error(self, request, client_address):
        pass  # a client that hangs up is part of the game


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet a reply, or each waits for the last one's ACK

    def log_message(self, *args):
        pass

    def do_GET(self):
        yahoo = self.server
        yahoo.asked.append((time.monotonic(), self.path))
        time.sleep(yahoo.latency)
        _, is_chart, symbol = self.path.partition("/v8/finance/chart/")
        symbol = symbol.partition("?")[0]
        if is_chart and yahoo.faults[symbol]:
            yahoo.faults[symbol].pop(0)(self)
        elif is_chart:
            yahoo.always.get(symbol, serve)(self)
        elif self.path.endswith("/v1/test/getcrumb"):
            self.reply(b"crumb")
        else:  # fc.yahoo.com answers 404, and the cookie comes with it
            self.reply(b"", 404, {"Set-Cookie": "A3=cookie; Path=/"})

    do_POST = do_GET

    def reply(self, body: bytes, status: int = 200, headers=()):
        self.send_response(status)
        headers = {"Content-Length": len(body)} | dict(headers)
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)


def serve(handler: Handler) -> None:
    """The chart of the symbol in the path, cut to the range asked."""
    url = urlsplit(handler.path)
    symbol, query = url.path.rpartition("/")[2], parse_qs(url.query)
    if symbol not in handler.server.charts:
        return error(404, "Not Found", "symbol may be delisted")(handler)
    first, last = int(query["period1"][0]), int(query["period2"][0])
    result = dict(handler.server.charts[symbol])
    inside = [first <= t < last for t in result["timestamp"]]
    if not any(inside):
        words = f"Data doesn't exist for startDate = {first}"
        return error(400, "Bad Request", words)(handler)
    if not all(inside):
        cut = partial(_cut, inside=inside)
        result["timestamp"] = cut(result["timestamp"])
        result["indicators"] = {
            kind: [{name: cut(v) for name, v in lists.items()}]
            for kind, (lists,) in result["indicators"].items()
        }
    return handler.reply(document(result))


def _cut(values: list, inside: list[bool]) -> list:
    return list(itertools.compress(values, inside))


def document(result: dict) -> bytes:
    """A chart result as the body of a reply."""
    chart = {"result": [result], "error": None}
    return json.dumps({"chart": chart}).encode()


# What a chart request may meet instead; each makes a function of the handler.


def body(content: bytes | str, status: int = 200, **headers) -> Callable:
    """A fixed reply; `Retry_After=3` stands for `Retry-After: 3`."""
    content = content.encode() if isinstance(content, str) else content
    headers = {k.replace("_", "-"): v for k, v in headers.items()}
    return lambda handler: handler.reply(content, status, headers)


def status(code: int, **headers) -> Callable:
    """An HTTP status with a body that says nothing."""
    return body(f"<html>{code}</html>", code, **headers)


def error(code: int, name: str, description: str) -> Callable:
    """An error in Yahoo's own words."""
    reason = {"code": name, "description": description}
    chart = {"result": None, "error": reason}
    return body(json.dumps({"chart": chart}), code)


def reset(handler: Handler) -> None:
    """The connection is torn down, with no reply."""
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    socket.close(handler.connection.detach())


def truncated(handler: Handler) -> None:
    """A reply that ends before the length it announced."""
    handler.reply(
        b'{"chart": {"result": [{"me', headers={"Content-Length": 9000}
    )
    handler.close_connection = True


def half(handler: Handler) -> None:
    """A complete HTTP reply with half of a JSON document."""
    handler.reply(b'{"chart": {"result": [{"me')


def hang(handler: Handler) -> None:
    """No reply at all, until the client hangs up."""
    handler.connection.settimeout(60)
    handler.connection.recv(1)
    handler.close_connection = True


def drip(handler: Handler, pieces: int = 10, pause: float = 0.1) -> None:
    """The good reply, in pieces."""
    url = urlsplit(handler.path)
    result = handler.server.charts[url.path.rpartition("/")[2]]
    content = document(result)
    handler.reply(b"", headers={"Content-Length": len(content)})
    size = len(content) // pieces + 1
    for i in range(pieces):
        time.sleep(pause)
        handler.wfile.write(content[i * size : (i + 1) * size])
        handler.wfile.flush()


# How the tests of scraper.py use it.


@contextmanager
def impatient(monkeypatch):
    """A running stand-in, and a scraper that does not wait between tries."""
    monkeypatch.setattr(download, "PAUSE", 0.001)
    monkeypatch.setattr(client, "PACE", 0)
    with Yahoo() as yahoo:
        yield yahoo


def run(yahoo, folder, capsys, *arguments, session=None) -> tuple:
    """Run the command line; exit code, stdout, stderr."""
    session = session or yahoo.session()
    code = scraper.main([*arguments, "--data", str(folder)], session)
    return code, *capsys.readouterr()


def good(symbol: str = "AAPL", rows: int = 500) -> bytes:
    """The file that a sound reply becomes."""
    return prices.to_csv(snapshot(symbol, rows)).encode()


def refuses(scrape, csv, *words, arguments=("AAPL",), session=None) -> None:
    """The call fails in one line with these words; the old file stays."""
    csv.write_bytes(old := good(rows=100))
    code, out, err = scrape(*arguments, session=session)
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert err.startswith("AAPL: ")
    for word in [*words, "still holds the history to 2000-07-21"]:
        assert word in err
    assert csv.read_bytes() == old
    assert list(csv.parent.iterdir()) == [csv]


if __name__ == "__main__":
    sys.exit(scraper.main(sys.argv[2:], session=StandIn(int(sys.argv[1]))))
