"""A Yahoo Finance on the loopback, for the real client.

It serves `/v8/finance/chart/SYMBOL` in Yahoo's schema from the histories
of data/snapshot/, and misbehaves as told. `StandIn` is a session that
sends every host there.

    python tests/yahoo_standin.py PORT AAPL ...    # scraper.py against PORT
"""

import json
import re
import socket
import struct
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd
import pytest
from curl_cffi.requests import Session

from forecasting.market import command, prices
from forecasting.market.request import Manners
from forecasting.market.yahoo import Client

SNAPSHOT = Path(__file__).resolve().parents[1] / "data" / "snapshot"
HOURS = "09:30", "16:00"  # of a session in New York
ENDED = r": last session (\S+), [\d,]+ days ago: delisted, or cut short\?"
EXCHANGES = {"AAPL": "NMS", "IBM": "NYQ"}


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


def stamps(days: pd.DatetimeIndex, clock: str = HOURS[0]) -> list[int]:
    """Seconds since 1970 at a time of day in New York."""
    local = (days + pd.Timedelta(f"{clock}:00")).as_unit("s")
    return local.tz_localize("America/New_York").astype("int64").tolist()


def chart(symbol: str, history: pd.DataFrame) -> dict:
    """Yahoo's chart result for an adjusted history.

    A dividend of 1 % half-way makes closes differ from adjusted closes.
    """
    middle = history.index[len(history) // 2]
    raw = history[prices.OHLC].copy()
    raw[history.index < middle] /= 0.99
    quote = {c.lower(): raw[c].tolist() for c in raw}
    quote["volume"] = history["Volume"].astype(int).tolist()
    (paid,) = stamps(pd.DatetimeIndex([middle]))
    (start,), (end,) = (stamps(history.index[-1:], t) for t in HOURS)
    zone = {"gmtoffset": -18000, "timezone": "EST"}
    return {
        "meta": {
            "currency": "USD",
            "symbol": symbol,
            "exchangeName": EXCHANGES.get(symbol, "NMS"),
            "instrumentType": "EQUITY",
            "regularMarketTime": end + 1,
            "exchangeTimezoneName": "America/New_York",
            "regularMarketPrice": quote["close"][-1],
            "currentTradingPeriod": {
                "regular": zone | {"start": start, "end": end}
            },
            "dataGranularity": "1d",
            "range": "",
        },
        "timestamp": stamps(history.index),
        "events": {"dividends": {str(paid): {"amount": 1.0, "date": paid}}},
        "indicators": {
            "quote": [quote],
            "adjclose": [{"adjclose": history["Close"].tolist()}],
        },
    }


def columns(chart: dict) -> dict[str, list]:
    """The lists of a chart, to be edited in place."""
    (quote,), (adjusted,) = chart["indicators"].values()
    return {"timestamp": chart["timestamp"]} | quote | adjusted


def reorder(chart: dict, rows) -> None:
    """Keep these rows, in this order; one may come twice."""
    for values in columns(chart).values():
        values[:] = [values[i] for i in rows]


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
        threading.Thread(target=self.serve_forever, args=[0.01]).start()
        return self

    def __exit__(self, *error):
        self.shutdown()
        self.socket.close()

    def handle_error(self, request, client_address):
        pass  # a client that hangs up is part of the game


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or a reply waits for the last one's ACK

    def log_message(self, *args):
        pass

    def do_GET(self):
        yahoo = self.server
        yahoo.asked.append((time.monotonic(), self.path))
        time.sleep(yahoo.latency)
        folder, _, symbol = urlsplit(self.path).path.rpartition("/")
        if folder.endswith("/v8/finance/chart") and yahoo.faults[symbol]:
            yahoo.faults[symbol].pop(0)(self)
        elif folder.endswith("/v8/finance/chart"):
            yahoo.always.get(symbol, serve)(self)
        else:
            status(404)(self)

    do_POST = do_GET

    def reply(self, body: bytes, status: int = 200, headers=()):
        self.send_response(status)
        headers = {"Content-Length": len(body)} | dict(headers)
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()
        if status not in {204, 304}:  # or the next reply begins with it
            self.wfile.write(body)


def serve(handler: Handler) -> None:
    """The whole chart of the symbol in the path, whatever range is asked."""
    symbol = urlsplit(handler.path).path.rpartition("/")[2]
    if symbol not in handler.server.charts:
        return error(404, "Not Found", "symbol may be delisted")(handler)
    return handler.reply(document(handler.server.charts[symbol]))


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
    handler.reply(b'{"chart": {"res', headers={"Content-Length": 9000})
    handler.close_connection = True


def hang(handler: Handler) -> None:
    """No reply at all, until the client hangs up."""
    handler.connection.settimeout(60)
    handler.connection.recv(1)
    handler.close_connection = True


def drip(handler: Handler, pieces: int, pause: float = 0.1) -> None:
    """AAPL's chart, in pieces."""
    content = document(handler.server.charts["AAPL"])
    handler.reply(b"", headers={"Content-Length": len(content)})
    size = len(content) // pieces + 1
    for i in range(pieces):
        time.sleep(pause)
        handler.wfile.write(content[i * size : (i + 1) * size])
        handler.wfile.flush()


def good(symbol: str = "AAPL", rows: int = 500) -> bytes:
    """The file that a sound reply becomes."""
    return prices.to_csv(snapshot(symbol, rows)).encode()


def others(err: str) -> list[str]:
    """Lines of stderr, but for what each history of years ago is told."""
    return [x for x in err.splitlines() if not re.search(ENDED, x)]


@dataclass
class Scrape:
    """The command line against a stand-in: exit code, stdout, stderr."""

    yahoo: Yahoo
    folder: Path
    capsys: pytest.CaptureFixture
    manners: Manners = Manners(pace=0, pause=0)  # no waiting between tries

    def __call__(self, *arguments: str, session: Session | None = None):
        session = session or self.yahoo.session()
        try:
            folder = ["--data", str(self.folder)]
            arguments = [*arguments, *folder]
            client = Client(session, self.manners)
            code = command.main(arguments, client)
        except SystemExit as leaving:
            code = leaving.code
        return code, *self.capsys.readouterr()

    @property
    def csv(self) -> Path:
        return self.folder / "AAPL.csv"

    def saves(self, *words: str, history=None, arguments=()) -> None:
        """AAPL's file holds the history (default: all); stderr says why."""
        history = snapshot("AAPL", 500) if history is None else history
        code, out, err = self("AAPL", *arguments)
        assert code == 0, err
        assert out.startswith(f"AAPL: {len(history)} rows, ")
        assert all(word in err for word in words), err
        assert words or not others(err)
        if "--end" not in arguments:
            (last,) = re.findall(ENDED, err)
            assert last == str(history.index[-1].date())
        assert self.csv.read_bytes() == prices.to_csv(history).encode()

    def refuses(self, *words: str, arguments=(), session=None) -> None:
        """AAPL is refused in one line with these words; its file stays."""
        old = good(rows=100)
        if not self.csv.exists():
            self.csv.write_bytes(old)
        code, out, err = self("AAPL", *arguments, session=session)
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert err.startswith("AAPL: ")
        words = [*words, "still holds the history to 2000-07-21"]
        assert all(word in err for word in words), err
        assert self.csv.read_bytes() == old
        assert list(self.folder.iterdir()) == [self.csv]


if __name__ == "__main__":
    sys.exit(command.main(sys.argv[2:], Client(StandIn(int(sys.argv[1])))))
