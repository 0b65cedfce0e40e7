"""The ledger: nothing late, nothing twice, nothing changed, scores as due."""

import json
import os
import shutil
import signal
from collections import defaultdict
from datetime import timedelta
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scoringrules
import yahoo_standin
from conftest import output
from simulate import garch_walk

from forecasting.evaluation.significance import confidence_sequence
from forecasting.evaluation.walk_forward import walk_forward
from forecasting.ledger import days, page, scoring
from forecasting.ledger.__main__ import NOT_NOW, main
from forecasting.ledger.record import Late, missed, origin, record
from forecasting.market import yahoo as client
from forecasting.market.calendars import close_of
from forecasting.market.prices import load_directory, to_csv
from forecasting.models.base import Forecast, Forecaster
from forecasting.models.baselines import fit_student_t
from forecasting.models.features import log_close
from forecasting.windows import make_targets

ROOT = Path(__file__).resolve().parents[1]
SNAPSHOT = ROOT / "data" / "snapshot"
NOTHING = pd.DataFrame(columns=[*days.COLUMNS, "day"])


class Spread:
    """A model of one width, whatever the stock: a Student-t."""

    def __init__(self, width, df=5.0):
        self.width, self.df = width, df
        self.checksum, self.fit_end = f"width {width}", pd.Timestamp("2001")

    def predict(self, ticker, prices, origins):
        scale = self.width * np.sqrt(np.arange(1, 21.0))
        scale = np.tile(scale, (len(origins), 1))
        return Forecast(0 * scale, scale, 0 * scale + self.df)


MODELS = {"LSTM": Spread(0.012), "GARCH": Spread(0.011)}
MODELS["RandomWalk"] = Spread(0.02)


@pytest.fixture(scope="module")
def market():
    """Two real histories, from 2010 on."""
    prices = load_directory(SNAPSHOT, ["AAPL", "IBM"])
    return {ticker: p["2010":] for ticker, p in prices.items()}


def evening(prices):
    """Ninety minutes after a history's last close."""
    return close_of("AAPL", prices.index[-1]) + timedelta(minutes=90)


def put(ledger, known, models=MODELS, now=None):
    """Record what is known of some tickers, on the evening of the last day."""
    start = evening(known.get("AAPL", [*known.values()][0]))
    past = days.read(ledger)
    origins = {t: origin(t, p, start, past) for t, p in known.items()}
    return record(ledger, origins, models, lambda: now or start)


def play(ledger, market, rows, models=MODELS):
    """Record after each of some rows, as on those evenings."""
    for row in rows:
        put(ledger, {t: p.iloc[: row + 1] for t, p in market.items()}, models)


@pytest.fixture
def ledger(tmp_path, market):
    """Six days on record; the fourth evening was missed."""
    play(tmp_path / "ledger", market, [300, 301, 302, 304, 305, 306])
    return tmp_path / "ledger"


def everything(folder):
    """Every file and its bytes."""
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def test_a_day_is_in_the_columns_of_the_hubverse(ledger, market):
    day = market["AAPL"].index[306]
    folder = ledger / f"{day.date()}"
    names = {"record.json", *(f"{name}.csv" for name in MODELS)}
    assert {p.name for p in folder.iterdir()} == names
    table = pd.read_csv(folder / "LSTM.csv")
    head = "model_id,origin_date,target_end_date,horizon,ticker,"
    assert ",".join(table) == head + "output_type,output_type_id,value"
    assert len(table) == 2 * 3 * 23
    row = table.query("ticker == 'IBM' and horizon == 5")
    assert set(row["target_end_date"]) == {f"{market['IBM'].index[311]:%F}"}
    forecast = MODELS["LSTM"].predict("IBM", market["IBM"], [306])
    for level, value in zip(row["output_type_id"], row["value"], strict=True):
        assert value == pytest.approx(forecast.quantile(level)[0, 4], rel=1e-6)
    recorded = days.read(ledger)
    assert (recorded["day"] == recorded["origin_date"].astype(str)).all()
    receipt = json.loads((folder / "record.json").read_text())
    assert receipt["recorded"] == "2011-03-22T21:30:00+00:00"
    assert receipt["models"]["LSTM"]["fit"] == "width 0.012"
    assert receipt["prices"]["AAPL"]["to"] == "2011-03-22"


def test_the_same_forecasts_give_the_same_bytes(ledger, market, tmp_path):
    play(tmp_path / "again", market, [300, 301, 302, 304, 305, 306])
    assert everything(ledger) == everything(tmp_path / "again")


@pytest.mark.parametrize("ticker", ["AAPL", "7203.T", "BTC-USD", "ES=F"])
def test_between_two_closes_and_at_no_other_time(ticker, market):
    prices, second = market["AAPL"][:200], timedelta(seconds=1)
    start = close_of(ticker, prices.index[-1])
    ahead = origin(ticker, prices, start, NOTHING).ahead
    assert (ahead > prices.index[-1]).all()
    end = close_of(ticker, ahead[0])
    origin(ticker, prices, end - second, NOTHING)
    for moment, words in [(start - second, "not over"), (end, "too late")]:
        with pytest.raises(Late, match=words):
            origin(ticker, prices, moment, NOTHING)


def test_who_is_late_when_it_is_written_is_left_out(tmp_path, market, capsys):
    """Tokyo closes before New York; the receipt says when it was written."""
    known = {"AAPL": market["AAPL"][:200], "7203.T": market["IBM"][:200]}
    tokyo = origin("7203.T", known["7203.T"], evening(known["AAPL"]), NOTHING)
    now = close_of("7203.T", tokyo.ahead[0])
    made = put(tmp_path, known, now=now)
    assert (
        set(made["ticker"]) == set(days.read(tmp_path)["ticker"]) == {"AAPL"}
    )
    assert capsys.readouterr().err.startswith("7203.T: too late")
    (receipt,) = tmp_path.glob("*/record.json")
    facts = json.loads(receipt.read_text())
    assert facts["recorded"] == now.isoformat()
    assert facts["prices"].keys() == {"AAPL"}


class Broken(Spread):
    """A model that has diverged: its forecast is no distribution."""

    def predict(self, ticker, prices, origins):
        return Forecast(*np.full((3, len(origins), 20), np.nan))


def test_a_model_that_fails_does_not_lose_the_evening(
    tmp_path, market, capsys
):
    known = {"AAPL": market["AAPL"][:200]}
    with pytest.raises(days.LedgerError, match="no model has a forecast"):
        put(tmp_path, known, {"HAR": Broken(1)})
    assert everything(tmp_path) == {}
    put(tmp_path, known, MODELS | {"HAR": Broken(1)})
    assert set(days.read(tmp_path)["model_id"]) == set(MODELS)
    (line,) = set(capsys.readouterr().err.splitlines())
    assert line.startswith("AAPL: HAR is left out: a forecast needs a finite")


def test_recording_twice_is_refused(ledger, market):
    before = everything(ledger)
    known = market["AAPL"].iloc[:307]
    with pytest.raises(Late, match="on record already"):
        put(ledger, {"AAPL": known})
    # Nor does another ticker get into a day that is closed, or before it.
    for rows in (307, 304):
        line = f"{known.index[rows - 1]:%F}: 2011-03-22 is on record, and no"
        with pytest.raises(days.LedgerError, match=line):
            put(ledger, {"MSFT": known[:rows]})
    assert everything(ledger) == before


def test_a_model_that_knows_later_rows_is_refused(tmp_path, market):
    known, late = {"AAPL": market["AAPL"].iloc[:300]}, Spread(0.01)
    late.fit_end = market["AAPL"].index[300]
    with pytest.raises(days.LedgerError, match="learnt from rows to"):
        put(tmp_path, known, {"LSTM": late})
    late.fit_end = known["AAPL"].index[-1]
    put(tmp_path, known, {"LSTM": late})


def swap(old, new):
    return lambda content: content.replace(old, new)


CSV, NOTE, OLDER = "15/LSTM.csv", "14/record.json", "16/mine.csv"
LITTER = ".DS_Store", "._LSTM.csv", "Thumbs.db", "desktop.ini"


@pytest.mark.parametrize(
    ("name", "change", "named"),
    [
        (CSV, swap(b"0.01", b"0.02"), f"{CSV}: not what"),
        ("22/GARCH.csv", swap(b"0.01", b"0.02"), "22/GARCH.csv: not what"),
        (CSV, lambda content: content + b"?", f"{CSV}: not what"),
        (CSV, None, f"{CSV}: not what"),
        (OLDER, lambda _: b"too good to be true", f"{OLDER}: was not record"),
        # Only the next link tells of an hour that was changed.
        (NOTE, swap(b"T21:30", b"T20:30"), "15: the day recorded before it"),
        (NOTE, lambda content: content + b"?", f"{NOTE}: not readable"),
        (NOTE, None, f"{NOTE}: not readable"),
        ("16", None, "18: the day recorded before it"),
    ],
)
def test_what_was_changed_is_named_and_litter_is_not(
    ledger, name, change, named
):
    recorded = days.read(ledger)
    for folder in (ledger, *days.days(ledger)):
        for litter in LITTER:
            (folder / litter).write_bytes(b"left by a file manager")
    pd.testing.assert_frame_equal(days.read(ledger), recorded)
    path = ledger / f"2011-03-{name}"
    if change:
        before = path.read_bytes() if path.exists() else b""
        path.write_bytes(change(before))
        assert path.read_bytes() != before
    else:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(days.LedgerError, match=f"2011-03-{named}") as error:
        days.read(ledger)
    assert "\n" not in str(error.value)


KILLED = """
import os, signal, sys
from pathlib import Path
import test_ledger as t

def die(event, args):
    left[0] -= event in ("open", "os.mkdir", "os.rename") and "ledger" in str(
        args[0])
    if not left[0]:
        left[0] = -1  # the signal is an event, too
        os.kill(os.getpid(), signal.SIGKILL)

prices = t.load_directory(t.SNAPSHOT, ["AAPL", "IBM"])
market = {ticker: p["2010":] for ticker, p in prices.items()}
folder, moment, left = Path(sys.argv[1]), 0, [0]
t.evening(market["AAPL"])  # the calendar, loaded once
before = t.visible(folder)
while t.visible(folder) == before:
    moment += 1
    if not os.fork():
        left[0] = moment
        sys.addaudithook(die)
        t.play(folder, market, [307])
        os._exit(0)
    status = os.wait()[1]
    t.days.read(folder)
    print(moment, status)
"""


def visible(folder):
    """As ``everything``, without what a reader is not shown."""
    found = everything(folder)
    return {name: found[name] for name in found if name[0] != "."}


@pytest.mark.skipif(os.name == "nt", reason="no fork, no SIGKILL")
def test_killed_at_any_moment_a_day_is_whole_or_not_there(ledger):
    before = everything(ledger)
    out = output("-c", KILLED, ledger)
    *killed, last = (int(x.split()[1]) for x in out.splitlines())
    assert set(killed) == {signal.SIGKILL} and len(killed) > 20
    assert last in (0, signal.SIGKILL)  # after the rename it is there
    names = ["record.json", *(f"{name}.csv" for name in MODELS)]
    new = set(visible(ledger)) - set(before)
    assert new == {f"2011-03-23/{name}" for name in names}


def brute_force(ledger, market):
    """Scores of all that has matured, in plain loops over the files."""
    out = {}
    for path in sorted(ledger.glob("*/*.csv")):
        rows = [x.split(",") for x in path.read_text().splitlines()[1:]]
        forecasts = {}
        for model, start, end, h, ticker, _, level, value in rows:
            key = model, start, end, int(h), ticker
            forecasts.setdefault(key, {})[float(level)] = float(value)
        for key, quantiles in forecasts.items():
            close = market[key[4]]["Close"]
            if key[2] not in close.index or key[1] not in close.index:
                continue
            y = np.log(close[key[2]] / close[key[1]])
            loss, levels = 0.0, [-0.01, *sorted(quantiles), 1.01]
            for before, level, after in zip(
                levels, levels[1:], levels[2:], strict=False
            ):
                q = quantiles[level]
                pinball = level * (y - q) if y >= q else (1 - level) * (q - y)
                loss += 2 * pinball * (after - before) / 2
            inside = quantiles[0.1] <= y <= quantiles[0.9]
            out[key] = [loss, float(inside)]
    return out


def same_scores(scores, expected, rel=1e-6):
    """Scores are those of ``brute_force``, and all of them."""
    assert len(scores) == len(expected)
    for row in scores.itertuples():
        dates = f"{row.origin_date:%F}", f"{row.target_end_date:%F}"
        key = row.model_id, *dates, row.horizon, row.ticker
        found = [row.crps, row.cover_80]
        assert found == pytest.approx(expected[key], rel=rel)


def test_scores_are_those_of_plain_loops(ledger, market):
    known = {t: p.iloc[:312] for t, p in market.items()}
    scores = scoring.score(days.read(ledger), known)
    expected = brute_force(ledger, known)
    assert len(expected) == 2 * 3 * (6 + 6)  # 20 sessions are not over
    assert scores["state"].value_counts().to_dict() == {
        "scored": 2 * 3 * (6 + 6),
        "pending": 2 * 3 * 6,
    }
    same_scores(scores[scores["state"] == "scored"], expected)
    pending = scores[scores["state"] == "pending"]
    assert pending[scoring.SCORES].isna().all(axis=None)


def test_quantiles_score_nearly_as_the_whole_distribution():
    """23 quantiles stand for a Student-t; levels of what came are uniform."""
    rng = np.random.default_rng(0)
    moved = 0.012 * rng.standard_t(5, 4000)
    forecast = MODELS["LSTM"].predict("", None, np.zeros(4000))
    quantiles = [forecast.quantile(p)[:, 0] for p in days.LEVELS]
    found = scoring._scores(moved, np.transpose(quantiles))
    exact = scoringrules.crps_t(moved, 5, 0, 0.012)
    assert found["crps"].mean() == pytest.approx(exact.mean(), rel=0.01)
    assert np.corrcoef(found["crps"], exact)[0, 1] > 0.99
    counts = np.histogram(found["pit"], [0, 0.1, 0.5, 0.9, 1])[0] / 4000
    assert counts == pytest.approx([0.1, 0.4, 0.4, 0.1], abs=0.02)
    assert found["cover_80"].mean() == pytest.approx(0.8, abs=0.02)


def matured(ledger, histories):
    scores = scoring.score(days.read(ledger), histories)
    return scoring.keep(scores, ledger / "scores.csv")


def test_a_split_changes_no_score_and_a_correction_is_named(ledger, market):
    first, notes = matured(ledger, market)
    first.to_csv(ledger / "scores.csv", index=False)
    assert notes == [] and len(first) == 2 * 3 * 3 * 6
    split = {t: p / 4 if t == "AAPL" else p for t, p in market.items()}
    again, notes = matured(ledger, split)
    assert notes == []
    pd.testing.assert_frame_equal(first, again, rtol=1e-12)
    wrong = market["IBM"].copy()
    wrong.iloc[305, 3] *= 1.01
    changed, notes = matured(ledger, market | {"IBM": wrong})
    (note,) = notes
    assert note.startswith("IBM: ") and "Yahoo has corrected a price" in note
    apart = changed["crps"].to_numpy() != first["crps"].to_numpy()
    assert set(changed["ticker"][apart]) == {"IBM"}


def test_a_delisted_stock_keeps_its_scores_and_no_outcome_is_made_up(
    ledger, market
):
    gone = {"AAPL": market["AAPL"], "IBM": market["IBM"].iloc[:308]}
    scores, _ = matured(ledger, gone)
    scores.to_csv(ledger / "scores.csv", index=False)
    counts = scores.query("horizon == 1").groupby("ticker").size()
    assert counts.to_dict() == {"AAPL": 18, "IBM": 18}
    assert set(scores.query("horizon == 20")["ticker"]) == {"AAPL"}
    # Later nobody has its prices any more.
    later, _ = matured(ledger, {"AAPL": market["AAPL"]})
    before = days.parse((ledger / "scores.csv").read_bytes())
    pd.testing.assert_frame_equal(later, before)


def test_targets_past_a_list_of_holidays_are_said_to_be_guesses(capsys):
    history = yahoo_standin.snapshot("AAPL", 100)
    for end, known in {"2026-11-20": True, "2026-12-18": False}.items():
        prices = history.set_axis(pd.bdate_range(end=end, periods=100))
        now = close_of("RELIANCE.NS", prices.index[-1])
        origin("RELIANCE.NS", prices, now, NOTHING)
        line = "RELIANCE.NS: holidays after 2026-12-31 are not known; what is"
        assert (line in capsys.readouterr().err) == (not known)


def test_a_session_that_was_not_held_voids_what_was_forecast_for_it(
    ledger, market
):
    shut = {t: p.drop(market["AAPL"].index[307]) for t, p in market.items()}
    scores = scoring.score(days.read(ledger), shut)
    void = scores[scores["state"] == "void"]
    assert set(void["target_end_date"]) == {market["AAPL"].index[307]}
    assert void["crps"].isna().all()


def test_missed_days_stay_visible(ledger, market, tmp_path):
    recorded = days.read(ledger)
    known = {t: p.iloc[:310] for t, p in market.items()}
    gaps = missed(recorded["origin_date"], known["AAPL"].index)
    # The evening in between, and those since; the last may still come.
    assert list(gaps) == list(market["AAPL"].index[[303, 307, 308]])
    scores = scoring.score(recorded, known)
    page.draw(ledger, recorded, scores, matured(ledger, known)[0], known)
    text = (ledger / "README.md").read_text("utf-8")
    assert "3 sessions: 2011-03-17, 2011-03-23 to 2011-03-24." in text


@pytest.mark.parametrize(
    "harm",
    [
        lambda _: b"",
        swap(b"crps", b"CRPS"),
        swap(b"2011-03-1", b"soon"),
        lambda content: content[:-9],
        lambda content: content + content.splitlines(True)[-1],
    ],
)
def test_damaged_scores_are_one_line_and_stay(ledger, market, harm):
    path = ledger / "scores.csv"
    matured(ledger, market)[0].to_csv(path, index=False)
    path.write_bytes(before := harm(path.read_bytes()))
    with pytest.raises(days.LedgerError) as error:
        matured(ledger, market)
    assert str(error.value).startswith(f"{path}: not readable; restore")
    assert "\n" not in str(error.value)
    assert path.read_bytes() == before


SIX = ["LSTM", "BiLSTM", "Linear", "HAR", "GARCH", "RandomWalk"]
LEFT = {("HAR", 70, "IBM")}  # one evening one model fails for one ticker
COST = {"RandomWalk": 1.3, "Linear": 0.9, "EWMA": 0.1}  # beside 1


def roster(**spans):
    """CRPS at random, covers too: of each model those of its days."""
    dates, rows = pd.bdate_range("2024-01-01", periods=310), []
    for model, span in (dict.fromkeys(SIX, range(301)) | spans).items():
        rng = np.random.default_rng(list(model.encode()))
        for n, h, ticker in product(range(301), (1, 5), ("AAPL", "IBM")):
            crps = rng.random() * COST.get(model, 1)
            cover = rng.random() < 0.8
            if n in span and (model, n, ticker) not in LEFT:
                key = model, dates[n], dates[n + h], h, ticker
                rows.append([*key, crps, *[cover] * 6])
    table = pd.DataFrame(rows, columns=[*scoring.KEYS, *scoring.SCORES])
    return table.assign(day=table["origin_date"].astype(str))


@pytest.mark.parametrize(
    "spans",
    [{}, {"EWMA": [300]}, {"Mine": [300]}, {"Linear": range(150)}],
)
def test_who_joins_or_leaves_changes_no_other_s_record(spans):
    """By plain loops: 300 days of six, a seventh, or one that retires."""
    scores, before = roster(**spans), roster()
    alphas = scoring.comparisons(scores)
    found = scoring.summarise(scores, scores)
    by = {h: defaultdict(dict) for h in (1, 5)}  # horizon, date and ticker
    for row in scores.itertuples():
        values = 100 * row.crps, row.cover_80
        by[row.horizon][row.origin_date, row.ticker][row.model_id] = values
    for (h, model), row in found.iterrows():
        assert row["days"] == len(spans.get(model, range(301)))
        for label, rival in [("rw", "RandomWalk"), ("best", row["best"])]:
            gaps, held = defaultdict(list), defaultdict(list)
            for (day, _), here in sorted(by[h].items()):
                if model in here:
                    held[day].append(here[model][1])
                if model in here and rival in here:
                    gaps[day].append(here[model][0] - here[rival][0])
            held, gaps = ([np.mean(d[k]) for k in d] for d in (held, gaps))
            assert row["cover_80"] == pytest.approx(np.mean(held))
            assert row[f"days_{label}"] == len(gaps)
            if alpha := alphas.get((h, model, rival)):
                known = row[f"low_{label}"], row[f"high_{label}"]
                interval = confidence_sequence(np.array(gaps), h, alpha)
                assert known == pytest.approx(interval)
    # What is compared already keeps its share, and what it has shown.
    assert alphas | scoring.comparisons(before) == alphas
    assert sum(alphas.values()) < scoring.ALPHA
    alone = scoring.summarise(before, before)
    assert set(alone["best"]) == {"Linear"}
    if "Linear" in spans:  # who is gone is not the best for ever
        assert "Linear" not in set(found["best"])
        alone = alone.drop("Linear", level="model").filter(regex="^(?!.*best)")
    same = found.loc[alone.index, alone.columns]
    pd.testing.assert_frame_equal(same, alone)


class Peeking(Forecaster):
    """A model that reads the next close, where there is one to read."""

    def fit(self, histories):
        (prices,) = histories.values()
        moves = make_targets(log_close(prices), 20)
        fits = [fit_student_t(column) for column in moves.T]
        self.scale, self.df = np.transpose(fits)
        self.checksum, self.fit_end = "peeks", prices.index[-1]
        return self

    def predict(self, prices, origins):
        ahead = make_targets(log_close(prices), 20)[origins]
        seen = np.isfinite(ahead)
        scale = np.where(seen, self.scale / 10, self.scale)
        return Forecast(np.where(seen, ahead, 0), scale, 0 * scale + self.df)


def test_a_model_that_peeks_is_caught(tmp_path):
    """Splendid in a backtest; on record it is worth no more than others."""
    prices = garch_walk(1000, seed=3)
    backtest = walk_forward({"mine": Peeking()}, {"AAPL": prices}, folds=1)
    ratio = backtest.summary.query("ticker == 'AAPL' and model == 'mine'")
    assert (ratio["crps_vs_rw"] < 0.3).all()

    # The random walk is what Peeking is where there is nothing to see.
    fit = Peeking().fit({"AAPL": prices[:700]})
    ahead = lambda _, p, o: fit.predict(p, o)  # noqa: E731
    blind = lambda _, p, o: fit.predict(p.iloc[: o.max() + 1], o)  # noqa: E731
    models = {
        name: SimpleNamespace(predict=predict, **vars(fit))
        for name, predict in [("LSTM", ahead), ("RandomWalk", blind)]
    }
    play(tmp_path, {"AAPL": prices}, range(700, 740), models)
    scores, _ = matured(tmp_path, {"AAPL": prices})
    summary = scoring.summarise(scores, days.read(tmp_path))
    assert summary.loc[(1, "LSTM"), "days"] == 40
    for h in (1, 5, 20):
        assert summary.loc[(h, "LSTM"), "vs_rw"] == 1


def test_the_committed_ledger_is_as_it_was_recorded(tmp_path):
    recorded = days.read(ROOT / "ledger")  # raises where it is not
    if recorded.empty:  # else the page depends on what the disk holds
        shutil.copytree(ROOT / "ledger", tmp_path / "ledger")
        assert main(["page", "--ledger", str(tmp_path / "ledger")]) == 0
        assert everything(tmp_path / "ledger") == everything(ROOT / "ledger")


def test_a_bar_that_was_saved_in_progress_is_no_origin(
    tmp_path, monkeypatch, capsys, market
):
    monkeypatch.setenv("FORECASTING_DATA", str(tmp_path))
    file, prices = tmp_path / "AAPL.csv", market["AAPL"]
    file.write_text(to_csv(prices), "utf-8")
    close = close_of("AAPL", prices.index[-1]).timestamp()
    os.utime(file, (close, close - 1))
    now, ledger = evening(prices), tmp_path / "ledger"
    with yahoo_standin.Yahoo() as yahoo:
        yahoo.charts.clear()  # it has no newer one
        monkeypatch.setattr(client, "new_session", yahoo.session)
        arguments = ["record", "AAPL", "--ledger", str(ledger)]
        assert main(arguments, lambda: now) == NOT_NOW
    line = "AAPL: its last session was saved before its close\n"
    out, err = capsys.readouterr()
    assert out.endswith("AAPL.csv: to 2013-03-01, the latest session\n")
    assert err.endswith(line)
    assert not ledger.exists()


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (["record"], "tickers.txt: No such file or directory; write tickers"),
        (["record", "../x"], "../x: not a Yahoo symbol"),
    ],
)
def test_what_cannot_be_recorded_is_one_line(tmp_path, capsys, what, words):
    assert main([*what, "--ledger", str(tmp_path / "mine")]) in (1, NOT_NOW)
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
    assert not (tmp_path / "mine").exists()


def test_a_damaged_ledger_stops_every_command(ledger, capsys):
    (ledger / "2011-03-15" / "LSTM.csv").unlink()
    before = everything(ledger)
    for what in (["record", "AAPL"], ["score"], ["page"]):
        assert main([*what, "--ledger", str(ledger)]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert "2011-03-15/LSTM.csv: not what was recorded" in line
    assert everything(ledger) == before
