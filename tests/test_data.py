"""The snapshot is what data/README.md says; a user's files disturb nobody."""

import hashlib
import re
import runpy
from pathlib import Path

import exchange_calendars
import numpy as np
import pandas as pd
import pytest
from bokeh_sampledata.stocks import data as wiki

from forecasting.market import prices

DATA = Path(__file__).resolve().parents[1] / "data"
SNAPSHOT = DATA / "snapshot"
TICKERS = ["AAPL", "GOOG", "IBM", "MSFT"]


@pytest.fixture(params=TICKERS)
def ticker(request):
    return request.param


@pytest.fixture
def raw(ticker):
    """The CSV as pandas reads it, through none of our code."""
    return pd.read_csv(SNAPSHOT / f"{ticker}.csv", parse_dates=["Date"])


def test_every_line_has_fixed_decimals_and_a_unix_end(ticker):
    text = (SNAPSHOT / f"{ticker}.csv").read_bytes().decode("ascii")
    line = r"\d{4}-\d\d-\d\d(,\d+\.\d{6}){4},\d+"
    header, *lines, end = text.split("\n")
    assert header == "Date,Open,High,Low,Close,Volume"
    assert end == ""
    assert all(re.fullmatch(line, one) for one in lines)


# exchange_calendars 4.13 uses what pandas 3.1 deprecates.
@pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")
def test_dates_ascend_and_no_session_is_missing(raw):
    nyse = exchange_calendars.get_calendar("XNYS", start="2000-01-03")
    first, last = raw["Date"].iloc[[0, -1]]
    assert list(raw["Date"]) == list(nyse.sessions_in_range(first, last))


def test_prices_are_positive_and_in_order(raw):
    table = raw[["Open", "High", "Low", "Close"]]
    assert (table > 0).all(axis=None)
    assert (raw["Volume"] > 0).all()
    rounding = 2e-6
    assert (raw["High"] >= table.max(axis=1) - rounding).all()
    assert (raw["Low"] <= table.min(axis=1) + rounding).all()


def test_checksums_hold():
    lines = (SNAPSHOT / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    sums = dict(reversed(line.split("  ")) for line in lines)
    assert sorted(sums) == [f"{t}.csv" for t in TICKERS]
    for name, digest in sums.items():
        content = (SNAPSHOT / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest


def test_build_rebuilds_the_snapshot_byte_for_byte(tmp_path):
    build = runpy.run_path(SNAPSHOT / "build.py")
    build["main"](tmp_path)
    names = [f"{t}.csv" for t in TICKERS] + ["SHA256SUMS"]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(names)
    for name in names:
        rebuilt = (tmp_path / name).read_bytes()
        assert rebuilt == (SNAPSHOT / name).read_bytes()


def test_adjusted_returns_are_those_of_the_source(ticker):
    source = wiki[wiki["ticker"] == ticker].set_index("date")
    theirs = source["adj_close"].sort_index().pct_change()
    ours = prices.read_csv(SNAPSHOT / f"{ticker}.csv")["Close"].pct_change()
    assert np.allclose(ours[1:], theirs[1:], atol=1e-5)


def test_the_readme_states_what_is_there(ticker, raw):
    first, last = raw["Date"].dt.strftime("%Y-%m-%d").iloc[[0, -1]]
    row = f"| {ticker}.csv | {len(raw)} | {first} | {last} |"
    assert row in (DATA / "README.md").read_text(encoding="utf-8")


def test_the_fall_of_september_2000_is_there():
    close = prices.read_csv(SNAPSHOT / "AAPL.csv")["Close"].pct_change()
    assert close.idxmin() == pd.Timestamp("2000-09-29")
    assert round(100 * close.min(), 1) == -51.9


def test_a_scraped_file_never_disturbs_the_tests():
    # tests/conftest.py pins the snapshot, and notebook kernels inherit it.
    assert prices.find("AAPL") == SNAPSHOT / "AAPL.csv"
