"""scraper.py survives Yahoo and the way to it: the old file or a good one."""

import json
import time
from functools import partial

import pytest
import yahoo_standin as upstream
from yahoo_standin import body, good, refuses, status

from forecasting.market import download
from forecasting.market import yahoo as client


def test_a_good_reply_is_saved_adjusted_and_to_the_byte(scrape, csv):
    code, out, err = scrape("AAPL")
    assert (code, err) == (0, "")
    assert out == f"AAPL: 500 rows, 2000-03-01 to 2002-02-28, {csv}\n"
    assert csv.read_bytes() == good()


def test_unknown_symbol_fails_at_once(yahoo, scrape, tmp_path):
    code, out, err = scrape("NOSUCH")
    assert (code, out) == (1, "")
    assert err.startswith("NOSUCH: unknown symbol")
    assert err.count("\n") == 1
    assert len(yahoo.times()) == 1
    assert list(tmp_path.iterdir()) == []


def test_unknown_symbol_with_status_200(yahoo, scrape, csv):
    yahoo.always["AAPL"] = upstream.error(200, "Not Found", "delisted")
    refuses(scrape, csv, "unknown symbol")
    assert len(yahoo.times()) == 1


def test_no_data_for_range_names_the_range(yahoo, scrape, csv):
    span = ["--start", "2010-01-04", "--end", "2010-02-01"]
    refuses(scrape, csv, "2010-01-04", "2010-02-01", arguments=["AAPL", *span])
    assert len(yahoo.times()) == 1


PASSING = {
    "401": status(401),
    "429": status(429),
    "500": status(500),
    "502": status(502),
    "503": status(503),
    "reset": upstream.reset,
    "truncated": upstream.truncated,
    "half": upstream.half,
    "html": body("<html>Will be right back</html>"),
    "empty body": body(""),
    "204": status(204),
    "206": status(206),
    "gzip garbage": body(b"\x1f\x8bgarbage", Content_Encoding="gzip"),
    "wrong symbol": body(
        upstream.document(
            upstream.chart("MSFT", upstream.snapshot("MSFT", 500))
        )
    ),
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_a_passing_fault_is_waited_out(yahoo, scrape, csv, fault):
    yahoo.faults["AAPL"] = [fault]
    code, _, err = scrape("AAPL")
    assert (code, err) == (0, "")
    assert csv.read_bytes() == good()


def test_a_series_of_faults_is_waited_out(yahoo, scrape, csv):
    names = ["401", "429", "500", "503", "reset", "truncated"]
    yahoo.faults["AAPL"] = [PASSING[name] for name in names]
    assert scrape("AAPL")[0] == 0
    assert csv.read_bytes() == good()


def test_the_pause_grows_from_try_to_try(yahoo, scrape, monkeypatch):
    monkeypatch.setattr(download, "PAUSE", 0.2)
    yahoo.faults["AAPL"] = [status(500)] * 3
    scrape("AAPL")
    asked = yahoo.times()
    gaps = [b - a for a, b in zip(asked, asked[1:], strict=False)]
    assert gaps[0] >= 0.15
    assert gaps[1] >= 0.3
    assert gaps[2] >= 0.6


@pytest.mark.parametrize("code", [429, 503])
def test_retry_after_is_honoured(yahoo, scrape, code):
    yahoo.faults["AAPL"] = [status(code, Retry_After=1)]
    assert scrape("AAPL")[0] == 0
    first, second = yahoo.times()
    assert second - first >= 1


def test_retry_after_may_be_a_date_or_nonsense():
    when = time.strftime(
        "%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 90)
    )
    assert 80 < client.retry_after(when) <= 90
    for nonsense in [None, "", "soon", "-5", "nan", "inf", "0"]:
        assert client.retry_after(nonsense) == 0


def test_retry_after_beyond_the_deadline_is_not_waited_for(yahoo, scrape, csv):
    yahoo.always["AAPL"] = status(429, Retry_After=3600)
    refuses(scrape, csv, "rate limited", "in 3600 s")
    assert len(yahoo.times()) == 1


LASTING = {
    "429": (status(429), "rate limited"),
    "500": (status(500), "Yahoo is failing"),
    "503": (status(503), "Yahoo is failing"),
    "401": (status(401), "access denied"),
    "403": (status(403), "access denied"),
    "204": (status(204), "incomplete reply"),
    "206": (status(206), "incomplete reply"),
    "304": (status(304), "incomplete reply"),
    "redirect loop": (status(302, Location="/v8/finance/chart/AAPL"), "broke"),
    "html": (body("<html>captcha</html>"), "not JSON"),
    "right back": (body("Will be right back"), "not JSON"),
    "empty body": (body(""), "not JSON"),
    "half": (upstream.half, "not JSON"),
    "truncated": (upstream.truncated, "the connection broke"),
    "reset": (upstream.reset, "the connection broke"),
    "not utf-8": (body(b'{"chart": "\xff\xfe"}'), "not JSON"),
    "deep": (body("[" * 100_000), "not JSON"),
    "gzip": (body(b"\x1f\x8bx", Content_Encoding="gzip"), "not JSON"),
}


@pytest.mark.parametrize("fault, word", LASTING.values(), ids=LASTING)
def test_a_lasting_fault_ends_after_bounded_tries(
    yahoo, scrape, csv, fault, word
):
    yahoo.always["AAPL"] = fault
    refuses(scrape, csv, word, f"{download.TRIES} tries")
    # A redirect loop is many requests in one try, 401 is two, and curl
    # repeats one that is reset on a connection it used before.
    if word in ["rate limited", "Yahoo is failing", "not JSON"]:
        assert len(yahoo.times()) == download.TRIES


def test_a_broken_reply_is_never_called_delisted(yahoo, scrape):
    yahoo.always["AAPL"] = body("Will be right back")
    assert "delisted" not in scrape("AAPL")[2]


EMPTY = {
    "result is empty": '{"chart": {"result": [], "error": null}}',
    "result is null": '{"chart": {"result": null, "error": null}}',
    "error": json.dumps(
        {
            "chart": {
                "error": {"code": "Odd", "description": "no\x1b[2J\n data"}
            }
        }
    ),
}


@pytest.mark.parametrize("content", EMPTY.values(), ids=EMPTY)
def test_an_empty_result_is_no_file(yahoo, scrape, csv, content):
    yahoo.always["AAPL"] = body(content)
    refuses(scrape, csv, "no prices")


def test_connection_refused_says_offline(scrape, csv):
    nobody = upstream.StandIn(port=9)
    refuses(scrape, csv, "offline", session=nobody)


def test_dns_failure_says_offline(scrape, csv):
    class Nowhere(upstream.Session):
        def request(self, method, url, **options):
            return super().request(method, "http://yahoo.invalid/", **options)

    refuses(scrape, csv, "offline", session=Nowhere())


def test_a_hang_ends_with_the_deadline(yahoo, scrape, csv):
    yahoo.always["AAPL"] = upstream.hang  # for a minute
    started = time.monotonic()
    refuses(scrape, csv, "in time", arguments=["AAPL", "--timeout", "1"])
    assert time.monotonic() - started < 30


def test_a_hanging_cookie_does_not_keep_the_chart(
    yahoo, scrape, csv, monkeypatch
):
    monkeypatch.setattr(client, "COOKIE_SECONDS", 0.5)
    monkeypatch.setattr(client.YfData(), "_crumb", None)
    monkeypatch.setattr(
        upstream.Handler,
        "do_GET",
        lambda self: (
            upstream.serve(self)
            if "/chart/" in self.path
            else upstream.hang(self)
        ),
    )
    assert scrape("AAPL")[0] == 0
    assert csv.read_bytes() == good()


def test_one_hang_is_not_the_end(yahoo, scrape, csv, monkeypatch):
    monkeypatch.setattr(client, "CHART_SECONDS", 0.5)
    yahoo.faults["AAPL"] = [upstream.hang]
    assert scrape("AAPL", "--timeout", "4")[0] == 0
    assert csv.read_bytes() == good()


def test_a_slow_reply_is_good(yahoo, scrape, csv):
    yahoo.always["AAPL"] = partial(upstream.drip, pieces=20, pause=0.1)
    assert scrape("AAPL", "--timeout", "20")[0] == 0
    assert csv.read_bytes() == good()


def test_a_drip_beyond_the_deadline_is_not(yahoo, scrape, csv):
    yahoo.always["AAPL"] = partial(upstream.drip, pieces=600, pause=0.1)
    refuses(scrape, csv, "in time", arguments=["AAPL", "--timeout", "1"])


def test_a_huge_reply_is_not_read_to_its_end(yahoo, scrape, csv, monkeypatch):
    monkeypatch.setattr(client, "MAX_BYTES", 10_000)
    refuses(scrape, csv, "larger than 10,000 bytes")


def test_garbage_in_the_crumb_does_no_harm(yahoo, scrape, csv, monkeypatch):
    monkeypatch.setattr(client.YfData(), "_crumb", "<html>\n\x00&crumb=")
    assert scrape("AAPL")[0] == 0
    assert csv.read_bytes() == good()
