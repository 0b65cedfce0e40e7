"""Kept models: the same forecasts after loading, or a line and a new fit."""

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import simulate
from test_imports import imported, modules

from forecasting import kept
from forecasting.files import write_folder
from forecasting.kept import (
    MANIFEST,
    SEEDS,
    Unusable,
    keep,
    load,
    obtain,
    pool,
)
from forecasting.market.prices import PriceError
from forecasting.models.baselines import GARCH
from forecasting.models.registry import BASELINES, make_model
from forecasting.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
NAMES = [*BASELINES, "LSTM", "BiLSTM"]
# Enough to learn something of everything, and no more.
BRIEF = {"lookback": 8, "horizons": 3, "units": 2, "epochs": 1, "batch": 64}
BRIEF |= {"steps": 4, "min_train": 200, "min_learnt": 100}
SETTINGS = Settings(**BRIEF)
FITTED, LATER = 400, 440  # rows learnt from, and a month later
LONG = {
    "A": simulate.garch_walk(520, seed=1),
    "B": simulate.garch_walk(520, seed=2),
}


def cut(rows, histories=LONG):
    return {ticker: prices[:rows] for ticker, prices in histories.items()}


def numbers(models, histories):
    """Bits of every model's forecasts of each ticker's last row."""
    found = {}
    for name, model in models.items():
        for ticker, prices in histories.items():
            last = np.array([len(prices) - 1])
            forecast = model.predict(ticker, prices, last)
            parts = forecast.loc, forecast.scale, forecast.df
            found[f"{name} {ticker}"] = np.concatenate(parts).tobytes().hex()
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Every model, fitted and kept, beside what it forecast unsaved."""
    folder = tmp_path_factory.mktemp("models")
    models = obtain(BASELINES, cut(FITTED), folder, settings=SETTINGS)
    for name in ("LSTM", "BiLSTM"):  # here: obtain would start workers
        fits = {}
        for seed in SEEDS:
            fits[str(seed)] = network = make_model(name, SETTINGS)
            network.seed = seed
            network.fit(cut(FITTED))
        where = folder / kept._label(name, LONG, SETTINGS)
        models[name] = keep(name, fits, cut(FITTED), where, SETTINGS)
    after = numbers(models, cut(LATER))
    (folder / "after.json").write_text(json.dumps(after), "utf-8")
    return folder


@pytest.fixture
def mine(folder, tmp_path):
    """A copy of the kept models to do harm to."""
    return shutil.copytree(folder, tmp_path / "models")


def place(folder, name):
    (found,) = folder.glob(f"{name}-*")
    return found


def get(folder, name="HAR", rows=LATER, settings=SETTINGS, **options):
    """A model, and what was said on the way."""
    said = []
    options = {"say": said.append, "settings": settings} | options
    found = obtain([name], cut(rows), folder, **options)
    return found[name], said


# ---- the same forecasts


def test_a_fresh_process_forecasts_the_same_bits(folder):
    code = """if True:
        import json, sys
        from pathlib import Path
        from test_kept import LATER, NAMES, SETTINGS, cut, numbers
        from forecasting.kept import obtain
        def fail(line):
            raise AssertionError(line)
        folder = Path(sys.argv[1])
        models = obtain(NAMES, cut(LATER), folder, False, fail, SETTINGS)
        print(json.dumps(numbers(models, cut(LATER))))
    """
    done = subprocess.run(
        [sys.executable, "-c", code, folder],
        cwd=ROOT / "tests",
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    known = json.loads((folder / "after.json").read_text("utf-8"))
    assert len(known) == len(NAMES) * len(LONG)
    assert json.loads(done.stdout) == known


@pytest.mark.parametrize("name", NAMES)
def test_a_split_or_a_dividend_changes_no_return_that_is_forecast(
    folder, name
):
    """Every price of the past is a third: the fit has learnt no price."""
    known, said = get(folder, name)
    split = {}
    for ticker, prices in cut(LATER).items():
        split[ticker] = (prices / 3).round(6)
        split[ticker]["Volume"] = prices["Volume"] * 3
    found = obtain([name], split, folder, False, said.append, SETTINGS)
    assert said == []
    last = np.array([LATER - 1])
    for ticker, prices in split.items():
        one = known.predict(ticker, cut(LATER)[ticker], last)
        other = found[name].predict(ticker, prices, last)
        for part in ("loc", "scale", "df"):
            np.testing.assert_allclose(
                getattr(other, part), getattr(one, part), rtol=1e-3
            )


def test_an_ensemble_is_of_the_seeds_and_a_baseline_of_its_ticker(folder):
    lstm, _ = get(folder, "LSTM")
    assert list(lstm.fits) == ["0", "1"]
    weights = [fit.weights[0] for fit in lstm.fits.values()]
    assert not np.array_equal(*weights)
    garch, _ = get(folder, "GARCH")
    last = np.array([LATER - 1])
    for ticker, prices in cut(LATER).items():
        alone = GARCH(SETTINGS).fit({ticker: cut(FITTED)[ticker]})
        mine = garch.predict(ticker, prices, last)
        theirs = alone.predict(prices, last)
        np.testing.assert_allclose(mine.scale, theirs.scale, rtol=1e-12)


def test_the_manifest_says_what_was_learnt(folder):
    manifest = json.loads((place(folder, "LSTM") / MANIFEST).read_text())
    assert manifest["tickers"] == ["A", "B"]
    last = LONG["A"].index[FITTED - 1]
    assert manifest["data"]["A"]["last"] == str(last.date())
    assert manifest["settings"]["lookback"] == 8
    model, _ = get(folder, "LSTM")
    assert model.fit_end == last
    assert model.checksum == manifest["sha256"]


def test_the_code_version_is_of_all_that_a_fit_imports():
    todo, found = {"models.registry", "models.lstm"}, set()
    while todo:
        found.add(name := todo.pop())
        todo |= imported(modules()[name].read_text("utf-8")) - found
    # Where prices lie, and what is said of them, is no part of a fit.
    rooms = "market.", "models.", "console"
    outside = {n for n in found if not n.startswith(rooms)}
    assert {f"{name}.py" for name in outside} == set(kept.SOURCES)


# ---- when it is used


def test_a_fit_serves_for_a_quarter(folder):
    known = json.loads((place(folder, "HAR") / MANIFEST).read_text())
    days = LONG["A"].index - LONG["A"].index[FITTED - 1]
    rows = int((days.days <= 92).sum())
    model, said = get(folder, rows=rows)
    assert (model.checksum, said) == (known["sha256"], [])


def test_after_a_quarter_it_is_fitted_anew(mine):
    days = LONG["A"].index - LONG["A"].index[FITTED - 1]
    rows = int((days.days <= 92).sum()) + 1
    model, said = get(mine, rows=rows)
    assert "more than a quarter before" in said[0]
    assert model.fit_end == LONG["A"].index[rows - 1]
    assert len(said) == 2
    _, said = get(mine, rows=rows)
    assert said == []  # kept in the place of the old one


def test_a_fit_that_knows_later_rows_is_not_used(mine):
    model, said = get(mine, rows=FITTED - 1)
    assert "but these prices end on" in said[0]
    assert model.fit_end == LONG["A"].index[FITTED - 2]


def test_no_forecast_from_before_the_end_of_a_fit(folder):
    model, _ = get(folder)
    for origin in (FITTED - 2, [LATER - 1, FITTED - 2]):
        with pytest.raises(PriceError, match="has learnt from rows up to"):
            model.predict("A", LONG["A"], np.atleast_1d(origin))
    model.predict("A", LONG["A"], np.array([FITTED - 1]))
    with pytest.raises(PriceError, match="C: HAR has not learnt from it"):
        model.predict("C", LONG["A"], np.array([LATER - 1]))


def test_a_pool_ends_where_the_first_of_its_tickers_does():
    young = LONG["B"][300:]
    histories = {"A": LONG["A"][:450], "B": LONG["B"], "C": young}
    found = pool(["A"], histories, SETTINGS)
    assert {t: p.index[-1] for t, p in found.items()} == {
        "A": LONG["A"].index[449],
        "B": LONG["A"].index[449],
    }  # C has 150 rows by then
    assert set(pool(["B"], histories, SETTINGS)) == {"A", "B", "C"}


def test_another_history_of_the_same_name_is_another_fit(mine):
    strange = {"A": cut(LATER)["A"], "B": simulate.ar1_walk(LATER, seed=9)}
    said = []
    obtain(["HAR"], strange, mine, False, said.append, SETTINGS)
    assert "another history of B" in said[0]


def test_refit_makes_the_same_fit_again(mine):
    before, said = get(mine, "Linear", FITTED)
    assert said == []
    after, said = get(mine, "Linear", FITTED, refit=True)
    assert "learning from A, B up to" in said[0]
    assert after.checksum == before.checksum


def test_the_order_of_tickers_is_none_of_its_business(mine):
    backwards = dict(reversed(cut(LATER).items()))
    said = []
    obtain(["HAR"], backwards, mine, False, said.append, SETTINGS)
    assert said == []


def test_other_settings_are_another_fit_beside_it(mine):
    other = Settings(**BRIEF | {"premium": 0.1})
    _, said = get(mine, settings=other)
    assert len(said) == 1
    assert len(list(mine.glob("HAR-*"))) == 2


def test_a_history_too_short_is_one_line(tmp_path):
    with pytest.raises(PriceError, match="A: 12 rows are too few"):
        get(tmp_path, rows=12)
    assert list(tmp_path.iterdir()) == []


# ---- what is damaged, or foreign


def edit(file, change):
    file.write_bytes(change(file.read_bytes()))


def sign(where, **changes):
    """Make a manifest agree with what is there, as a forger would."""
    path = where / MANIFEST
    manifest = json.loads(path.read_text("utf-8")) | changes
    manifest["files"] = kept._checksums(where)
    manifest["sha256"] = kept._digest(manifest)
    path.write_text(json.dumps(manifest), "utf-8")


def truncate(content):
    return content[: len(content) // 2]


def swap(folder, name, other):
    """Another model's folder in the place of this one's."""
    where = place(folder, name)
    shutil.rmtree(where)
    shutil.copytree(place(folder, other), where)


HARM = {
    "npz": lambda f: edit(place(f, "LSTM") / "0/state.npz", truncate),
    "h5": lambda f: edit(place(f, "LSTM") / "1/network.weights.h5", truncate),
    "bit": lambda f: edit(
        place(f, "LSTM") / "0/network.weights.h5",
        lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
    ),
    "gone": lambda f: (place(f, "LSTM") / "0/state.npz").unlink(),
    "more": lambda f: (place(f, "LSTM") / "0/weights.pkl").touch(),
    "no manifest": lambda f: (place(f, "LSTM") / MANIFEST).unlink(),
    "half a manifest": lambda f: edit(place(f, "LSTM") / MANIFEST, truncate),
    "a list": lambda f: edit(place(f, "LSTM") / MANIFEST, lambda _: b"[]"),
    "binary": lambda f: edit(place(f, "LSTM") / MANIFEST, lambda _: b"\xff"),
    "deep": lambda f: edit(
        place(f, "LSTM") / MANIFEST, lambda _: b"[" * 100_000
    ),
    "edited": lambda f: edit(
        place(f, "LSTM") / MANIFEST, lambda c: c.replace(b"0.05", b"0.06")
    ),
    "another model": lambda f: swap(f, "LSTM", "BiLSTM"),
    "signed settings": lambda f: sign(
        place(f, "LSTM"), settings={**BRIEF, "units": 3}
    ),
    "signed code": lambda f: sign(
        place(f, "LSTM"), code=kept.code_version() | {"keras": "1"}
    ),
    "signed tickers": lambda f: sign(place(f, "LSTM"), tickers=["A", "C"]),
    "signed data": lambda f: sign(place(f, "LSTM"), data=None),
}
HARM["signed h5"] = lambda f: (HARM["h5"](f), sign(place(f, "LSTM")))
HARM["signed npz"] = lambda f: (HARM["npz"](f), sign(place(f, "LSTM")))
HARM["signed other network"] = lambda f: (
    shutil.copy(
        place(f, "BiLSTM") / "0/network.weights.h5", place(f, "LSTM") / "0"
    ),
    sign(place(f, "LSTM")),
)


@pytest.mark.filterwarnings("ignore:Skipping nested container")
@pytest.mark.parametrize("harm", HARM)
def test_what_is_damaged_or_foreign_is_refused_in_one_line(mine, harm):
    histories = cut(LATER)
    load(place(mine, "LSTM"), "LSTM", histories, SETTINGS)
    HARM[harm](mine)
    with pytest.raises(Unusable) as refusal:
        load(place(mine, "LSTM"), "LSTM", histories, SETTINGS)
    line = str(refusal.value)
    assert "\n" not in line
    assert len(line.replace(str(mine), "")) < 200


class Bomb:
    """What a pickle can do: unpickled, it leaves a file."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("form", ["in an npz", "bare"])
def test_no_pickle_is_ever_loaded(mine, tmp_path, form):
    mark, state = tmp_path / "mark", place(mine, "HAR") / "0" / "state.npz"
    bomb = Bomb(mark)
    with np.load(state) as arrays:
        rest = dict(arrays)
    if form == "bare":
        state.write_bytes(pickle.dumps(bomb))
    else:
        np.savez(state, **rest | {"scale": np.array([bomb], dtype=object)})
    sign(place(mine, "HAR"))
    model, said = get(mine)
    assert not mark.exists()
    assert "cannot be read" in said[0]
    assert model.fits["0"].scale.dtype == float
    # It would have gone off.
    np.savez(state, scale=np.array([bomb], dtype=object))
    with np.load(state, allow_pickle=True) as arrays:
        assert arrays["scale"] is not None
    assert mark.exists()


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_is_no_fit_is_replaced_by_one(mine, what):
    where = place(mine, "HAR")
    shutil.rmtree(where)
    if what == "file":
        where.write_text("not a folder")
    else:
        where.mkdir()
    _, said = get(mine)
    assert len(said) == 2
    assert all("\n" not in line for line in said)
    _, said = get(mine)
    assert said == []


def test_one_ticker_without_a_fit_leaves_the_others_theirs(tmp_path):
    """A model with a fit a ticker serves those whose fit has converged."""
    noise = 1 + 1e-7 * np.random.default_rng(0).standard_normal((FITTED, 1))
    pegged = LONG["B"][:FITTED] * 0 + noise
    histories, said = cut(FITTED, LONG | {"PEG": pegged}), []
    last = np.array([FITTED - 1])
    for _ in range(2):  # fitted, then found on the disk
        models = obtain(
            ["GARCH"], histories, tmp_path, False, said.append, SETTINGS
        )
        garch = models["GARCH"]
        mine = garch.predict("A", histories["A"], last)
        alone = GARCH(SETTINGS).fit({"A": histories["A"]})
        theirs = alone.predict(histories["A"], last)
        np.testing.assert_allclose(mine.scale, theirs.scale, rtol=1e-12)
        with pytest.raises(PriceError, match="PEG: GARCH did not converge"):
            garch.predict("PEG", pegged, last)
    assert len(said) == 1
    with pytest.raises(PriceError, match="PEG: GARCH did not converge"):
        obtain(["GARCH"], {"PEG": pegged}, tmp_path, settings=SETTINGS)


def test_what_cannot_be_written_is_used_all_the_same(tmp_path):
    (tmp_path / "models").touch()
    model, said = get(tmp_path / "models")
    assert "the fit is not kept" in said[1]
    assert len(said) == 2
    model.predict("A", LONG["A"], np.array([LATER]))


# ---- interrupted

VERSIONS = "old", "new"
WRITER = """if True:
    import sys
    from pathlib import Path
    from forecasting.files import write_folder
    old, new, place = map(Path, sys.argv[1:])
    write_folder(new, place)
    print("ready", flush=True)
    try:
        while True:
            write_folder(old, place)
            write_folder(new, place)
    except KeyboardInterrupt:
        pass
"""


@pytest.fixture
def versions(tmp_path):
    """Two folders of a fit's form, whose files all say which one it is."""
    for version in VERSIONS:
        for part in range(8):
            (tmp_path / version / str(part)).mkdir(parents=True)
            file = tmp_path / version / str(part) / "state.npz"
            file.write_text(version * 10_000)
    return tmp_path


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("blow", ["SIGKILL", "SIGINT"])
def test_stopped_at_any_moment_a_fit_is_whole_or_none(versions, blow):
    where = versions / "models" / "fit"
    for pause in (0.01, 0.05):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER]
            + [versions / v for v in VERSIONS]
            + [where],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout.readline() == "ready\n"
        time.sleep(pause)
        process.send_signal(getattr(signal, blow))
        process.communicate()
        if where.exists() or blow == "SIGINT":
            texts = [p.read_text() for p in where.rglob("*") if p.is_file()]
            assert len(texts) == 8
            assert len(set(texts)) == 1
            assert texts[0] in [version * 10_000 for version in VERSIONS]


def test_what_a_killed_run_left_is_removed_by_a_later_one(versions):
    where = versions / "models" / "fit"
    old, young = (
        where.with_name(f".{where.name}.{word}.tmp") for word in ("a", "b")
    )
    for stray in (old, young):
        (stray / "new").mkdir(parents=True)
    os.utime(old, (time.time() - 100,) * 2)
    write_folder(versions / "old", where)
    left = {path.name for path in where.parent.iterdir()}
    assert left == {where.name, young.name}
