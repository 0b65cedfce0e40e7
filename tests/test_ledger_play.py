"""Evenings of a market that goes on: record, score, look at the page."""

import json
import re
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yahoo_standin as upstream
from test_ledger import brute_force, same_scores, visible

from forecasting.ledger import days
from forecasting.ledger.__main__ import NOT_NOW, main
from forecasting.market import prices
from forecasting.market import yahoo as client
from forecasting.market.calendars import close_of

ROOT = Path(__file__).resolve().parents[1]
TICKERS = ["AAPL", "IBM"]
START = 700  # row of the first evening


class Market:
    """Four stocks, day by day, on the loopback."""

    def __init__(self, yahoo, folder):
        self.yahoo, self.root = yahoo, folder
        self.ledger = folder / "ledger"
        known = prices.load_directory(ROOT / "data" / "snapshot")
        self.prices = {t: p["2009-02":].copy() for t, p in known.items()}
        self.gone, self.dates = set(), self.prices["AAPL"].index

    def show(self, row):
        """What Yahoo has after a session."""
        self.yahoo.charts = {
            ticker: upstream.chart(ticker, p.iloc[: row + 1])
            for ticker, p in self.prices.items()
            if ticker not in self.gone
        }

    def run(self, what, *times):
        """A command, by a clock that shows some times, the last for ever."""
        times, arguments = [*times], [what, "--ledger", str(self.ledger)]
        clock = lambda: times.pop(0) if len(times) > 1 else times[0]  # noqa: E731
        return main(arguments, clock)

    def evening(self, n):
        """Ninety minutes after a close."""
        close = close_of("AAPL", self.dates[START + n])
        return close + timedelta(minutes=90)


@pytest.fixture
def market(yahoo, tmp_path, monkeypatch):
    monkeypatch.setenv("FORECASTING_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(client, "new_session", yahoo.session)
    made = Market(yahoo, tmp_path)
    made.ledger.mkdir()
    (made.ledger / "tickers.txt").write_text("\n".join(TICKERS))
    return made


def test_what_goes_wrong_costs_no_more_than_itself(market, capsys):
    pegged = market.prices["AAPL"] * 0 + 1e6  # a fund at one dollar
    noise = 1e-4 * np.random.default_rng(0).standard_normal(len(pegged))
    pegged[prices.OHLC] = np.c_[[1 + noise.round(4)] * 4].T
    market.prices["PEG"] = pegged
    tickers = market.ledger / "tickers.txt"
    tickers.write_text("AAPL\nPEG")
    market.show(START)

    def record(*times):
        code = market.run("record", *times)
        return code, capsys.readouterr().err.splitlines()

    # The next session ends while the forecasts are made.
    code, lines = record(*[market.evening(n) for n in (0, 0, 1)])
    assert code == NOT_NOW and visible(market.ledger).keys() == {"tickers.txt"}
    assert "nothing is recorded" in lines[-1]
    assert "AAPL: too late" in lines[-3] and "PEG: too late" in lines[-2]
    # One model finds no fit for one ticker.
    now = market.evening(0) + timedelta(minutes=30)
    code, lines = record(market.evening(0), now)
    assert code == NOT_NOW
    line = "PEG: GARCH is left out: GARCH did not converge on 700 returns"
    assert lines[-1] == line
    recorded = days.read(market.ledger)
    by = recorded.groupby("model_id")["ticker"].unique().map(set)
    assert by.pop("GARCH") == {"AAPL"}
    assert len(by) == 6 and all(both == {"AAPL", "PEG"} for both in by)
    (folder,) = days.days(market.ledger)
    receipt = json.loads((folder / "record.json").read_text())
    assert receipt["recorded"] == now.isoformat()
    # A ticker comes late.
    tickers.write_text("AAPL\nIBM")
    before = visible(market.ledger)
    code, lines = record(now)
    assert code == NOT_NOW and visible(market.ledger) == before
    day = market.dates[START + 1]
    assert lines[-1] == (
        f"IBM: {folder.name} is on record, and no day is changed; it joins "
        f"from the close of {day:%F}"
    )
    # By the ledger's clock there is nothing newer to ask Yahoo for.
    asked = len(market.yahoo.times())
    assert market.run("score", now) == 0
    assert len(market.yahoo.times()) == asked


MISSPELT, MISSED, LATE, DOWN = 5, 10, 25, 30  # evenings
SPLIT, DELISTED, CORRECTED = 20, 35, 45


def happens(market, n):
    """What the world does before an evening."""
    names = TICKERS + ["x/../y"] * (n == MISSPELT)
    (market.ledger / "tickers.txt").write_text("\n".join(names))
    if n == SPLIT:  # four for one: Yahoo tells the past anew
        market.prices["AAPL"][prices.OHLC] /= 4
        market.prices["AAPL"]["Volume"] *= 4
    if n == DELISTED:
        market.gone.add("IBM")
    if n == CORRECTED:  # a close of the second week was wrong
        market.prices["AAPL"].iloc[START + 12, :4] *= 1.002
    market.show(START + n - (n == LATE))  # that evening Yahoo is behind
    if n == DOWN:
        market.yahoo.charts = {}


def test_sixty_sessions(market, capsys):
    ledger, codes, seen, closed = market.ledger, {}, {}, 0
    for n in range(60):
        day = market.dates[START + n]
        now = market.evening(n)
        happens(market, n)
        if n == MISSED:
            continue
        codes[n] = market.run("record", now)
        if n % 20 == 19:
            assert market.run("score", now) == 0
        there = visible(ledger)
        assert {name: there[name] for name in seen} == seen
        # Is the exchange closed on the next weekday? Then nothing is new.
        if day + pd.offsets.BDay() != market.dates[START + n + 1]:
            before, closed = visible(ledger), closed + 1
            assert market.run("record", now + timedelta(days=1)) == NOT_NOW
            assert visible(ledger) == before
        seen = {name: there[name] for name in there if "/" in name}

    assert closed == 3  # Christmas, New Year, Martin Luther King
    partly = {*range(DELISTED, 60), MISSPELT, LATE, DOWN}
    assert codes == {n: NOT_NOW * (n in partly) for n in codes}
    held = [f"{market.dates[START + n]:%F}" for n in codes]
    assert [folder.name for folder in days.days(ledger)] == [
        d for n, d in zip(codes, held, strict=True) if n not in (LATE, DOWN)
    ]
    (note,) = re.findall(".*have changed.*", capsys.readouterr().err)
    assert note.startswith("AAPL: 35 scores from 2011-11-18 on have changed")

    # A month later all of it has matured but what IBM did not live to see.
    market.show(START + 85)
    now = market.evening(85)
    assert market.run("score", now) == market.run("page", now) == 0
    data = prices.load_directory(market.root / "data")
    assert data["IBM"].index[-1] == market.dates[START + DELISTED - 1]
    expected = brute_force(ledger, data)
    scores = days.parse((ledger / "scores.csv").read_bytes())
    same_scores(scores, expected, rel=1e-5)  # as written in a CSV
    text = (ledger / "README.md").read_text("utf-8")
    gaps = [f"{market.dates[START + n]:%F}" for n in (MISSED, LATE, DOWN)]
    since = (f"{market.dates[START + n]:%F}" for n in (60, 84))
    missed = ", ".join([*gaps, " to ".join(since)])
    assert f"after the close of 28 sessions: {missed}." in text
    assert "57 days are on record" in text
    assert (ledger / "record.png").stat().st_size > 30_000
