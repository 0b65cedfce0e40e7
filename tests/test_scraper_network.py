"""scraper.py survives Yahoo and the way to it: the old file or a good one."""

import contextlib
import itertools
import threading
import time
from functools import partial

import pytest
import yahoo_standin as upstream
from yahoo_standin import body, good, status

from forecasting.market import yahoo as client
from forecasting.market.request import Limited, Manners, Refused


def test_a_good_reply_is_saved_adjusted_and_to_the_byte(scrape):
    line = f"AAPL: 500 rows, 2000-03-01 to 2002-02-28, {scrape.csv}\n"
    assert scrape("AAPL", "--end", "2002-03-01") == (0, line, "")
    assert scrape.csv.read_bytes() == good()


def test_unknown_symbol_fails_at_once(yahoo, scrape):
    code, out, err = scrape("NOSUCH")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("NOSUCH: unknown symbol")
    assert len(yahoo.times()) == 1
    assert list(scrape.folder.iterdir()) == []


def test_no_data_for_range_names_the_range(yahoo, scrape):
    words = "Data doesn't exist for startDate = 1262581200"
    yahoo.always["AAPL"] = upstream.error(400, "Bad Request", words)
    span = ["--start", "2010-01-04", "--end", "2010-02-01"]
    scrape.refuses("from 2010-01-04 to 2010-02-01", words, arguments=span)
    assert len(yahoo.times()) == 1


# What each fault is called when it lasts; when it passes, nobody hears of it.
FAULTS = [
    (status(401), "access denied"),
    (status(403), "access denied"),
    (status(429), "rate limited"),
    (status(500), "Yahoo is failing"),
    (status(502), "Yahoo is failing"),
    (status(503), "Yahoo is failing"),
    (status(204), "incomplete reply (HTTP 204)"),
    (status(206), "incomplete reply (HTTP 206)"),
    (status(304), "incomplete reply (HTTP 304)"),
    (status(302, Location="/v8/finance/chart/AAPL"), "connection broke"),
    (upstream.truncated, "the connection broke"),
    (upstream.reset, "the connection broke (Failed"),
    (body(""), "not JSON: Yahoo sent nothing"),
    (body("<html>captcha</html>"), "not JSON: Yahoo sent a web page"),
    (body("Will be right back"), "not JSON: Yahoo sent something broken"),
    (body('{"chart": {"result": [{"me'), "not JSON"),
    (body(b'{"chart": "\xff\xfe"}'), "not JSON"),
    (body("[" * 100_000), "not JSON"),
    (body(b"\x1f\x8bx", Content_Encoding="gzip"), "not JSON"),
    (body(b"\x1f\x8bgarbage", Content_Encoding="gzip"), "connection broke"),
    (body("null"), "not Yahoo's format"),
    (body("[]"), "not Yahoo's format"),
    (body("7"), "not Yahoo's format"),
    (body('"chart"'), "not Yahoo's format"),
    (body("{}"), "not Yahoo's format"),
    (body('{"chart": null}'), "not Yahoo's format"),
    (body('{"chart": []}'), "not Yahoo's format"),
    (body('{"chart": {"result": {"a": 1}}}'), "not Yahoo's format"),
    (body('{"chart": {"result": [null]}}'), "not Yahoo's format"),
]


@pytest.mark.parametrize("fault, word", FAULTS)
def test_a_passing_fault_is_waited_out(yahoo, scrape, fault, word):
    yahoo.faults["AAPL"] = [fault]
    scrape.saves()


@pytest.mark.parametrize("fault, word", FAULTS)
def test_a_lasting_fault_ends_after_bounded_tries(yahoo, scrape, fault, word):
    yahoo.always["AAPL"] = fault
    scrape.refuses(word, f"{scrape.manners.tries} tries")
    # A redirect loop is many requests in one try, 401 is two, and curl
    # repeats one that is reset on a connection it used before.
    if not word.startswith(("access", "connection", "the connection")):
        assert len(yahoo.times()) == scrape.manners.tries


def test_a_series_of_faults_is_waited_out(yahoo, scrape):
    yahoo.faults["AAPL"] = [
        *[status(code) for code in [401, 429, 500, 503]],
        *[upstream.reset, upstream.truncated],
    ]
    scrape.saves()


def test_the_pause_grows_from_try_to_try(yahoo, scrape):
    scrape.manners = Manners(pace=0, pause=0.1)
    yahoo.faults["AAPL"] = [status(500)] * 3
    scrape("AAPL")
    first, second, third = (
        later - earlier for earlier, later in itertools.pairwise(yahoo.times())
    )
    assert first >= 0.075
    assert second >= 0.15
    assert third >= 0.3


@pytest.mark.parametrize("code", [429, 503])
def test_retry_after_is_honoured(yahoo, scrape, code):
    yahoo.faults["AAPL"] = [status(code, Retry_After=0.5)]
    assert scrape("AAPL")[0] == 0
    first, second = yahoo.times()
    assert second - first >= 0.5


def test_retry_after_may_be_a_date_or_nonsense():
    soon = time.gmtime(time.time() + 90)
    when = time.strftime("%a, %d %b %Y %H:%M:%S GMT", soon)
    assert 80 < client.retry_after(when) <= 90
    for nonsense in [None, "", "soon", "-5", "nan", "inf", "0"]:
        assert client.retry_after(nonsense) == 0


def test_retry_after_beyond_the_deadline_is_not_waited_for(yahoo, scrape):
    yahoo.always["AAPL"] = status(429, Retry_After=3600)
    scrape.refuses("rate limited", "in 3600 s")
    assert len(yahoo.times()) == 1


def test_nobody_waits_past_a_deadline_for_another_tickers_pause(yahoo):
    guard = client.Guard(yahoo.session())
    guard.paused = time.monotonic() + 20

    def patient():
        guard.allow(60)
        with contextlib.suppress(Refused):
            client.fetch("AAPL", session=guard)

    other = threading.Thread(target=patient)
    other.start()
    while not guard.turn.locked():
        time.sleep(0.001)
    guard.allow(0.5)
    started = time.monotonic()
    with pytest.raises(Limited, match="rate limited"):
        client.fetch("IBM", session=guard)
    assert time.monotonic() - started < 15
    guard.stopped.set()  # as Ctrl-C does
    other.join()


EMPTY = [
    (body('{"chart": {"result": []}}'), "no prices from the first to now"),
    (body('{"chart": {"result": null}}'), "no prices"),
    (upstream.error(200, "Odd", "no\x1b[2J\n data"), "no prices"),
    (upstream.error(200, "Not Found", "delisted"), "unknown symbol"),
]


@pytest.mark.parametrize("reply, word", EMPTY)
def test_an_empty_result_is_no_file(yahoo, scrape, reply, word):
    yahoo.always["AAPL"] = reply
    scrape.refuses(word)
    assert len(yahoo.times()) == 1


class Nowhere(upstream.Session):
    """A session for which no name resolves."""

    def request(self, method, url, **options):
        return super().request(method, "http://yahoo.invalid/", **options)


@pytest.mark.parametrize("session", [upstream.StandIn(port=9), Nowhere()])
def test_without_a_network_it_says_offline(scrape, session):
    scrape.refuses("offline", session=session)


# ---- slow, endless, or too large

DRIP = upstream.drip


@pytest.mark.parametrize("slow", [upstream.hang, partial(DRIP, pieces=600)])
def test_the_deadline_ends_whatever_takes_longer(yahoo, scrape, slow):
    yahoo.always["AAPL"] = slow  # for a minute
    started = time.monotonic()
    scrape.refuses("in time", arguments=["--timeout", "1"])
    assert time.monotonic() - started < 30


def test_a_hanging_cookie_does_not_keep_the_chart(yahoo, scrape, monkeypatch):
    scrape.manners = Manners(cookie_time=0.5)
    monkeypatch.setattr(client.YfData(), "_crumb", None)
    yahoo.elsewhere = upstream.hang
    scrape.saves()


def test_one_hang_is_not_the_end(yahoo, scrape):
    scrape.manners = Manners(chart_time=0.5, pause=0)
    yahoo.faults["AAPL"] = [upstream.hang]
    scrape.saves(arguments=["--timeout", "4"])


def test_a_slow_reply_is_good(yahoo, scrape):
    yahoo.always["AAPL"] = partial(DRIP, pieces=10)
    scrape.saves(arguments=["--timeout", "20"])


def test_a_huge_reply_is_not_read_to_its_end(scrape):
    scrape.manners = Manners(max_bytes=10_000, pause=0)
    scrape.refuses("larger than 10,000 bytes")


def test_garbage_in_the_crumb_does_no_harm(scrape, monkeypatch):
    monkeypatch.setattr(client.YfData(), "_crumb", "<html>\n\x00&crumb=")
    scrape.saves()
