"""`make forecast`: from the newest prices, or from those on the disk."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import simulate
import yahoo_standin as upstream

from forecasting import forecast
from forecasting.market import calendars, prices
from forecasting.market import yahoo as client
from forecasting.market.newest import is_behind, load_newest
from forecasting.models.base import Forecast
from forecasting.models.vintage import load
from forecasting.pages.tables import QUANTILES

ROOT = Path(__file__).resolve().parents[1]
# The command, its requests led to a stand-in.
COMMAND = """if True:
    import sys
    from pathlib import Path
    from yahoo_standin import StandIn
    from forecasting import forecast
    from forecasting.market import yahoo
    root, port, *arguments = sys.argv[1:]
    yahoo.new_session = lambda: StandIn(int(port))
    sys.exit(forecast.main(arguments, Path(root)))
"""
NOBODY = 9  # a port at which nothing listens


def start(root, port, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, root, str(port), *arguments],
        cwd=ROOT / "tests",
        env=os.environ
        | {"PYTHONPATH": str(ROOT), "FORECASTING_DATA": str(root / "data")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A root, and what a first run there said of three tickers."""
    root = tmp_path_factory.mktemp("root")
    with upstream.Yahoo(rows=2700) as yahoo:
        process = start(*(root, yahoo.port, "aapl", "nosuch", "x/../y", "IBM"))
        out, err = process.communicate()
    return root, process.returncode, out, err


@pytest.fixture
def root(first, tmp_path):
    """A copy of what the first run left."""
    return shutil.copytree(first[0], tmp_path / "root")


def test_it_downloads_and_forecasts(first):
    root, code, out, err = first
    assert code == 1  # for NOSUCH and x/../y
    for ticker in ("AAPL", "IBM"):
        history = prices.read_csv(root / "data" / f"{ticker}.csv")
        path = root / "results" / "forecasts" / ticker
        table = pd.read_csv(path / "forecast.csv")
        assert list(table) == ["Date", "Horizon", *QUANTILES]
        days = calendars.sessions_ahead(ticker, history, 20).dates
        assert list(table["Date"]) == list(days.strftime("%Y-%m-%d"))
        assert (np.diff(table[list(QUANTILES)]) > 0).all()
        assert np.allclose(table["q50"], history["Close"].iloc[-1], rtol=0.01)
        png = (path / "forecast.png").read_bytes()
        assert png.startswith(b"\x89PNG")
        for value in table.loc[0, ["q50", "q10", "q90", "q025", "q975"]]:
            assert f"{value:,.2f}" in out
    assert [p.name for p in (root / "results").iterdir()] == ["forecasts"]
    assert "no forecast of a direction" in out
    assert re.search(r"from 1,\d\d\d American stocks up to 2008-12-31", out)


def test_what_is_no_ticker_is_one_line_and_the_others_are_served(first):
    *_, err = first
    lines = err.splitlines()
    for word in ("NOSUCH: unknown symbol", "x/../y: not a Yahoo symbol"):
        assert sum(word in line for line in lines) == 1
    assert sum(line.endswith("cut short?") for line in lines) == 2
    assert len(lines) == 4


def test_it_says_how_old_the_prices_are(first):
    _, _, out, _ = first
    history = upstream.snapshot("AAPL", 2700)
    age = calendars.age("AAPL", history)
    assert f"AAPL.csv: to {age}\n" in out


def main(root, *arguments):
    """The same in this process, which has curl_cffi loaded already."""
    return forecast.main(list(arguments), root)


@pytest.fixture
def yahoo(root, monkeypatch):
    """A Yahoo that has three sessions more than at the first run."""
    monkeypatch.setenv("FORECASTING_DATA", str(root / "data"))
    with upstream.Yahoo(rows=2703) as server:
        monkeypatch.setattr(client, "new_session", server.session)
        yield server


@pytest.fixture
def offline(root, monkeypatch):
    """No Yahoo at all."""
    monkeypatch.setenv("FORECASTING_DATA", str(root / "data"))
    monkeypatch.setattr(
        client, "new_session", lambda: upstream.StandIn(NOBODY)
    )


def test_without_yahoo_it_goes_on_and_a_program_can_read_it(
    root, offline, capfd
):
    before = (root / "results/forecasts/AAPL/forecast.csv").read_bytes()
    shutil.rmtree(root / "results/forecasts")
    assert main(root, "AAPL", "IBM", "--json") == 0
    out, err = capfd.readouterr()
    answer = json.loads(out)
    assert list(answer) == ["AAPL", "IBM"]
    mine = answer["AAPL"]
    written = pd.read_csv(root / "results/forecasts/AAPL/forecast.csv")
    assert mine["forecast"] == written.to_dict("records")
    last = upstream.snapshot("AAPL", 2700).index[-1].date()
    assert (mine["date"], mine["currency"]) == (str(last), "USD")
    card = load(mine["learnt_up_to"]).card
    assert mine["fit"] == card["sha256"]
    after = (root / "results/forecasts/AAPL/forecast.csv").read_bytes()
    assert after == before
    assert "offline" in err
    assert "sessions ago" in err


def test_newer_prices_are_forecast_from(root, yahoo, capsys):
    assert main(root, "AAPL") == 0
    out, _ = capsys.readouterr()
    close = upstream.snapshot("AAPL", 2703)["Close"]
    assert f"AAPL: close {close.iloc[-1]:,.2f} on {close.index[-1]:%F}" in out


def test_what_cannot_be_written_is_shown_all_the_same(root, yahoo, capsys):
    shutil.rmtree(root / "results" / "forecasts")
    (root / "results" / "forecasts").touch()
    assert main(root, "AAPL") == 1
    out, err = capsys.readouterr()
    assert "AAPL: close" in out
    assert "AAPL: results/forecasts/AAPL is not written" in err


def test_the_frozen_prices_are_never_downloaded(monkeypatch, capsys):
    """Under FORECASTING_DATA as the tests have it."""
    assert set(load_newest(["AAPL", "NOSUCH"])) == {"AAPL"}
    out, err = capsys.readouterr()
    assert err.startswith("NOSUCH: no CSV in data/snapshot")
    assert err.count("\n") == 1
    (line,) = out.splitlines()
    assert "snapshot/AAPL.csv: to 2013-03-01, " in line


def test_a_history_with_every_session_is_not_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("FORECASTING_DATA", str(tmp_path))
    history = prices.read_csv(upstream.SNAPSHOT / "IBM.csv")
    (tmp_path / "IBM.csv").write_text(prices.to_csv(history), "utf-8")
    friday, monday = (
        pd.Timestamp(f"2013-03-0{day} 16:00", tz="America/New_York")
        for day in (1, 4)
    )
    before = monday - pd.Timedelta(seconds=1)
    for now in (friday, before, before.tz_convert("Pacific/Kiritimati")):
        assert not is_behind("IBM", now)
    assert is_behind("IBM", monday)
    assert is_behind("IBM", monday.tz_convert("Pacific/Honolulu"))
    end = friday.timestamp()
    os.utime(tmp_path / "IBM.csv", (end, end - 1))  # its last bar is not final
    assert is_behind("IBM", friday)
    (tmp_path / "IBM.csv").write_text("Date", "utf-8")
    assert is_behind("IBM", friday)
    assert is_behind("NOSUCH", friday)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (
            slice(-30, None),
            "61 sessions must come before it, but",
        ),
        (slice(500), "what the models have learnt from ends on 2008-12-31"),
    ],
)
def test_what_cannot_be_forecast_is_one_line(
    rows, reason, tmp_path, monkeypatch, capsys
):
    """Too young a stock; prices that end before any training did."""
    monkeypatch.setenv("FORECASTING_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(
        client, "new_session", lambda: upstream.StandIn(NOBODY)
    )
    (tmp_path / "data").mkdir()
    history = prices.read_csv(upstream.SNAPSHOT / "IBM.csv").iloc[rows]
    (tmp_path / "data" / "IBM.csv").write_text(prices.to_csv(history), "utf-8")
    assert main(tmp_path, "IBM") == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("IBM: no forecast from ") and reason in line
    assert not (tmp_path / "results").exists()


def test_a_coin_is_said_to_be_none_of_what_was_learnt():
    history = simulate.garch_walk(900, seed=1)
    days = pd.date_range("2010-01-01", periods=900, name="Date")
    found = forecast.outlook("BTC-USD", history.set_axis(days))
    assert "BTC-USD is unlike the stocks learnt from" in found.note
    assert found.note in forecast.in_print(found)


def test_the_caption_says_what_the_median_is_not():
    """Whatever a year is said to bring, the forecast has it."""
    for yearly in (0.0, 0.05):
        loc = np.full((1, 3), np.log1p(yearly) / 252) * [1, 2, 3]
        words = forecast.drift(Forecast(loc, loc * 0 + 0.01, loc * 0 + 5))
        assert f"{100 * yearly:.0f} % a year" in words
        assert "no forecast of a direction" in words
