"""scraper.py survives Yahoo and the way to it: the old file or a good one."""

import threading
import time
from functools import partial

import numpy as np
import pytest
import yahoo_standin as upstream
from conftest import output
from yahoo_standin import body, good, status

from forecasting.market.request import Limited, Manners, Refused
from forecasting.market.yahoo import Client, fetch, retry_after


def test_a_good_reply_is_saved_adjusted_and_to_the_byte(yahoo, scrape):
    line = f"AAPL: 500 rows, 2000-03-01 to 2002-02-28, {scrape.csv}\n"
    assert scrape("AAPL", "--end", "2002-03-01") == (0, line, "")
    assert scrape.csv.read_bytes() == good()
    assert len(yahoo.asked) == len(yahoo.times()) == 1  # no cookie, no crumb


def test_a_download_leaves_yfinance_as_it_was(yahoo, tmp_path):
    """Its session, its loggers, its cache; and it can be used as ever."""
    code = """if True:
        import logging, sys
        from pathlib import Path
        import yfinance
        from yfinance import cache
        from yfinance.data import YfData
        from yahoo_standin import StandIn
        from forecasting.market.download import download
        from forecasting.market.yahoo import Client

        def look():
            managers = [m for m in vars(cache).values()
                        if hasattr(m, "get_location")]
            assert managers
            return [YfData()._session, vars(YfData()),
                    *[logging.getLogger(n).level for n in ("yfinance", "bs4")],
                    *[m.get_location() for m in managers]]

        port, folder = sys.argv[1:]
        yfinance.set_tz_cache_location(folder)
        YfData()._session = session = StandIn(int(port))
        before = str(look())
        assert download(["IBM"], Path(folder), client=Client(session)) == 0
        assert str(look()) == before
        print(len(yfinance.Ticker("IBM").history(start="2000-01-01")))
    """
    out = output("-c", code, yahoo.port, tmp_path)
    assert out.endswith("\n500\n")


# ---- faults that may pass: asked again, a bounded number of times

NO_CHART = ["null", "[]", "7", '"chart"', "{}", '{"chart": null}']
NO_CHART += ['{"chart": []}', '{"chart": {"result": {"a": 1}}}']
NO_CHART += [
    f'{{"chart": {{"result": [{result}]}}}}'
    for result in ["null", "{}", '{"meta": []}']
]
# What each is called when it lasts; when it passes, nobody hears of it.
FAULTS = [
    *[(status(code), "access denied") for code in (401, 403)],
    (status(429), "rate limited"),
    *[(status(code), "Yahoo is failing") for code in (500, 502, 503)],
    *[
        (status(code), f"incomplete reply (HTTP {code})")
        for code in (204, 206, 304, 408)
    ],
    (status(302, Location="/v8/finance/chart/AAPL"), "connection broke"),
    (upstream.truncated, "the connection broke"),
    (upstream.reset, "the connection broke (Failed"),
    (body(""), "not JSON: Yahoo sent nothing"),
    (body("<html>captcha</html>"), "not JSON: Yahoo sent a web page"),
    (body("Will be right back"), "not JSON: Yahoo sent something broken"),
    (body('{"chart": {"result": [{"me'), "not JSON"),
    (body(b'{"chart": "\xff\xfe"}'), "not JSON"),
    (body("[" * 100_000), "not JSON"),
    (body('{"chart": {"result": [{"meta": {}, "meta": {}}]}}'), "not JSON"),
    (body(b"\x1f\x8bx", Content_Encoding="gzip"), "not JSON"),
    (body(b"\x1f\x8bgarbage", Content_Encoding="gzip"), "connection broke"),
    *[(body(text), "not Yahoo's format") for text in NO_CHART],
]


@pytest.mark.parametrize("fault, word", FAULTS)
def test_a_fault_that_may_pass_is_waited_out(yahoo, scrape, fault, word):
    yahoo.always["AAPL"] = fault
    scrape.refuses(word, f"{scrape.manners.tries} tries")
    # A redirect loop is many requests in one try, and curl repeats one that
    # is reset on a connection it used before.
    if "connection" not in word:
        assert len(yahoo.times()) == scrape.manners.tries
    del yahoo.always["AAPL"]
    yahoo.faults["AAPL"] = [fault, fault]
    scrape.saves()


def test_the_pause_grows_from_try_to_try(yahoo, scrape):
    scrape.manners = Manners(pace=0, pause=0.1)
    yahoo.faults["AAPL"] = [status(500)] * 3
    scrape("AAPL")
    pauses = np.diff(yahoo.times())
    assert (pauses >= [0.075, 0.15, 0.3]).all()


@pytest.mark.parametrize("code", [429, 503])
def test_retry_after_is_honoured(yahoo, scrape, code):
    yahoo.faults["AAPL"] = [status(code, Retry_After=0.5)]
    assert scrape("AAPL")[0] == 0
    first, second = yahoo.times()
    assert second - first >= 0.5


def test_retry_after_may_be_a_date_or_nonsense():
    soon = time.gmtime(time.time() + 90)
    when = time.strftime("%a, %d %b %Y %H:%M:%S GMT", soon)
    assert 80 < retry_after(when) <= 90
    for nonsense in [None, "", "soon", "-5", "nan", "inf", "0"]:
        assert retry_after(nonsense) == 0


def test_retry_after_beyond_the_deadline_is_not_waited_for(yahoo, scrape):
    yahoo.always["AAPL"] = status(429, Retry_After=3600)
    scrape.refuses("rate limited", "in 3600 s")
    assert len(yahoo.times()) == 1


def test_nobody_waits_past_a_deadline_for_another_tickers_pause(yahoo):
    client = Client(yahoo.session())
    client.paused = (started := time.monotonic()) + 20

    def patient():
        with pytest.raises(Refused):
            fetch("AAPL", client=client)

    other = threading.Thread(target=patient)
    other.start()
    while not client.turn.locked():
        time.sleep(0.001)
    with pytest.raises(Limited, match="rate limited"):
        fetch("IBM", client=client, deadline=time.monotonic() + 0.5)
    assert time.monotonic() - started < 15
    client.stopped.set()  # as Ctrl-C does
    other.join()


# ---- faults that asking again cannot mend: one request

WORDS = "Data doesn't exist for startDate = 1262581200"
LASTING = [
    (status(404), "unknown symbol; look it up"),
    *[(status(code), f"refuses this request (HTTP {code})")
      for code in (405, 410, 451)],
    (upstream.error(400, "Bad Request", WORDS), WORDS),
    (body('{"chart": {"result": []}}'), "no prices from the first to now"),
    (body('{"chart": {"result": null}}'), "no prices"),
    (upstream.error(200, "Odd", "no\x1b[2J\n data"), "no prices"),
    (upstream.error(200, "Not Found", "delisted"), "unknown symbol"),
]  # fmt: skip


@pytest.mark.parametrize("reply, word", LASTING)
def test_a_fault_that_lasts_costs_one_request(yahoo, scrape, reply, word):
    yahoo.always["AAPL"] = reply
    scrape.refuses(word)
    assert len(yahoo.times()) == 1


def test_no_data_for_range_names_the_range(yahoo, scrape):
    yahoo.always["AAPL"] = upstream.error(400, "Bad Request", WORDS)
    span = ["--start", "2010-01-04", "--end", "2010-02-01"]
    scrape.refuses("from 2010-01-04 to 2010-02-01", WORDS, arguments=span)


def test_a_huge_reply_is_not_read_to_its_end(yahoo, scrape):
    scrape.manners = Manners(max_bytes=10_000, pause=0)
    scrape.refuses("larger than 10,000 bytes")
    assert len(yahoo.times()) == 1


class Nowhere(upstream.Session):
    """A session for which no name resolves."""

    def request(self, method, url, **options):
        return super().request(method, "http://yahoo.invalid/", **options)


@pytest.mark.parametrize("session", [upstream.StandIn(port=9), Nowhere()])
def test_without_a_network_it_says_offline(scrape, session):
    scrape.refuses("offline", "3 tries", session=session)


# ---- slow or endless

DRIP = upstream.drip


@pytest.mark.parametrize("slow", [upstream.hang, partial(DRIP, pieces=600)])
def test_the_deadline_ends_whatever_takes_longer(yahoo, scrape, slow):
    yahoo.always["AAPL"] = slow  # for a minute
    started = time.monotonic()
    scrape.refuses("in time", arguments=["--timeout", "1"])
    assert time.monotonic() - started < 30


def test_one_hang_is_not_the_end(yahoo, scrape):
    scrape.manners = Manners(chart_time=0.5, pause=0)
    yahoo.faults["AAPL"] = [upstream.hang]
    scrape.saves(arguments=["--timeout", "4"])


def test_a_slow_reply_is_good(yahoo, scrape):
    yahoo.always["AAPL"] = partial(DRIP, pieces=10)
    scrape.saves(arguments=["--timeout", "20"])
