"""`make forecast`: from the newest prices, or from those on the disk."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import simulate
import yahoo_standin as upstream
from test_kept import BRIEF

from forecasting import forecast
from forecasting.market import calendars, prices
from forecasting.market import yahoo as client
from forecasting.market.newest import is_behind, load_newest
from forecasting.models.base import Forecast
from forecasting.pages.tables import QUANTILES
from forecasting.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
# The command with a brief training, and its requests led to a stand-in.
COMMAND = f"""if True:
    import sys
    from pathlib import Path
    from yahoo_standin import StandIn
    from forecasting import forecast
    from forecasting.market import yahoo
    from forecasting.settings import Settings
    root, port, *arguments = sys.argv[1:]
    yahoo.new_session = lambda: StandIn(int(port))
    settings = Settings(**{BRIEF})
    sys.exit(forecast.main(arguments, Path(root), settings))
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
    with upstream.Yahoo() as yahoo:
        process = start(*(root, yahoo.port, "aapl", "nosuch", "x/../y", "IBM"))
        out, err = process.communicate()
    return root, process.returncode, out, err


@pytest.fixture
def root(first, tmp_path):
    """A copy of what the first run left."""
    return shutil.copytree(first[0], tmp_path / "root")


def test_it_downloads_trains_and_forecasts(first):
    root, code, out, err = first
    assert code == 1  # for NOSUCH and x/../y
    last = upstream.snapshot("AAPL", 500).index[-1].date()
    assert f"LSTM: learning from AAPL, IBM up to {last}" in out
    for ticker in ("AAPL", "IBM"):
        history = prices.read_csv(root / "data" / f"{ticker}.csv")
        path = root / "results" / "forecasts" / ticker
        table = pd.read_csv(path / "forecast.csv")
        assert list(table) == ["Date", "Horizon", *QUANTILES]
        count = BRIEF["horizons"]
        days = calendars.sessions_ahead(ticker, history, count).dates
        assert list(table["Date"]) == list(days.strftime("%Y-%m-%d"))
        assert (np.diff(table[list(QUANTILES)]) > 0).all()
        assert np.allclose(table["q50"], history["Close"].iloc[-1], rtol=0.01)
        png = (path / "forecast.png").read_bytes()
        assert png.startswith(b"\x89PNG")
        for value in table.loc[0, ["q50", "q10", "q90", "q025", "q975"]]:
            assert f"{value:,.2f}" in out
    assert sorted(p.name for p in (root / "results").iterdir()) == [
        "forecasts",
        "models",
    ]
    assert "no forecast of a direction" in out


def test_what_is_no_ticker_is_one_line_and_the_others_are_served(first):
    *_, err = first
    lines = err.splitlines()
    for word in ("NOSUCH: unknown symbol", "x/../y: not a Yahoo symbol"):
        assert sum(word in line for line in lines) == 1
    # Peers that cannot be had are no reason to fail, but are named.
    assert sum(line.startswith(("GOOG: ", "MSFT: ")) for line in lines) == 2
    assert sum(line.endswith("cut short?") for line in lines) == 2
    assert len(lines) == 6


def test_it_says_how_old_the_prices_are(first):
    _, _, out, _ = first
    history = upstream.snapshot("AAPL", 500)
    age = calendars.age("AAPL", history)
    assert f"AAPL.csv: to {age}\n" in out


def main(root, *arguments):
    """The same in this process, which has curl_cffi loaded already."""
    return forecast.main(list(arguments), root, Settings(**BRIEF))


@pytest.fixture
def yahoo(root, monkeypatch):
    """A Yahoo that has three sessions more than at the first run."""
    monkeypatch.setenv("FORECASTING_DATA", str(root / "data"))
    with upstream.Yahoo(rows=503) as server:
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
    last = upstream.snapshot("AAPL", 500).index[-1].date()
    assert (mine["date"], mine["currency"]) == (str(last), "USD")
    (place,) = (root / "results" / "models").iterdir()
    manifest = json.loads((place / "manifest.json").read_text("utf-8"))
    assert mine["fit"] == manifest["sha256"]
    # From the kept fit: no word of training, and not a bit is different.
    after = (root / "results/forecasts/AAPL/forecast.csv").read_bytes()
    assert after == before
    assert "learning from" not in err
    assert "offline" in err
    assert "sessions ago" in err


def test_newer_prices_are_forecast_from_by_the_same_fit(root, yahoo, capsys):
    assert main(root, "AAPL") == 0
    out, _ = capsys.readouterr()
    history = upstream.snapshot("AAPL", 503)
    last, end = history.index[-1].date(), history.index[499].date()
    assert "learning from" not in out
    assert f"AAPL: close {history['Close'].iloc[-1]:,.2f} on {last}" in out
    assert f"learnt up to {end}" in out


def test_what_cannot_be_written_is_shown_all_the_same(root, yahoo, capsys):
    shutil.rmtree(root / "results" / "forecasts")
    (root / "results" / "forecasts").touch()
    assert main(root, "AAPL") == 1
    out, err = capsys.readouterr()
    assert "AAPL: close" in out
    assert "AAPL: results/forecasts/AAPL is not written" in err


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_while_it_trains_keeps_what_was_kept(root):
    (place,) = (root / "results" / "models").iterdir()
    before = (place / "manifest.json").read_bytes()
    process = start(root, NOBODY, "AAPL", "--refit")
    while "learning from" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert err.splitlines()[-1] == (
        "stopped; what was kept before is as it was"
    )
    assert "Traceback" not in err
    assert list((root / "results" / "models").iterdir()) == [place]
    assert (place / "manifest.json").read_bytes() == before


def test_the_frozen_prices_are_never_downloaded(monkeypatch, capsys):
    """Under FORECASTING_DATA as the tests have it."""
    found = load_newest(["AAPL", "NOSUCH"], forecast.PEERS)
    assert set(found) == set(forecast.PEERS)
    out, err = capsys.readouterr()
    assert err.startswith("NOSUCH: no CSV in data/snapshot")
    assert err.count("\n") == 1
    (line,) = out.splitlines()
    assert "snapshot/AAPL.csv: to 2013-03-01, " in line


def test_peers_alone_are_not_gathered(capsys):
    """After a ticker that is none, nothing is downloaded."""
    assert load_newest([], forecast.PEERS) == {}
    assert capsys.readouterr() == ("", "")


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


def test_one_fit_serves_those_that_end_in_the_same_quarter():
    walk = simulate.random_walk(300, seed=1)
    old, late, new = walk[:200], walk[:290], walk
    histories = {"NEW": new, "OLD": old, "LATE": late}
    assert forecast.together(histories) == [["OLD"], ["LATE", "NEW"]]
    assert forecast.ended(histories) == ["OLD"]


def test_too_short_a_history_is_one_line(tmp_path, capsys):
    walk = simulate.random_walk(300, seed=1)
    histories = {"YOUNG": walk[-30:], "AAPL": walk}
    assert list(forecast.forecasts(["YOUNG"], histories, tmp_path)) == []
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("YOUNG: 30 rows are too few to learn from; 400")
    assert list(tmp_path.iterdir()) == []


def test_the_caption_says_what_the_median_is_not():
    """Whatever a year is said to bring, the forecast has it."""
    for yearly in (0.0, 0.05):
        loc = np.full((1, 3), np.log1p(yearly) / 252) * [1, 2, 3]
        words = forecast.drift(Forecast(loc, loc * 0 + 0.01, loc * 0 + 5))
        assert f"{100 * yearly:.0f} % a year" in words
        assert "no forecast of a direction" in words
