"""The walk forward: its dates, and runs that fail, are killed, or spread."""

import os
import re
import shutil
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import psutil
import pytest
import simulate
from distributed import LocalCluster

from forecasting.__main__ import main
from forecasting.evaluation.verdict import POOLED
from forecasting.evaluation.walk_forward import walk_forward
from forecasting.market.prices import PriceError, to_csv
from forecasting.models.baselines import EWMA, Drift
from forecasting.models.registry import BASELINES
from forecasting.models.regressions import Linear
from forecasting.parallel import on_cluster
from forecasting.settings import STUDY, Settings
from forecasting.windows import fold_dates, fold_origins

ROOT = Path(__file__).resolve().parents[1]
TOMORROW = Settings(horizons=1)  # what is tested here needs no other day
PATIENCE = 120  # seconds for what takes one or two
FOUR = {name: simulate.garch_walk(800, ord(name)) for name in "ABCD"}
PAIR = {name: FOUR[name] for name in "AB"}


class Waiting(Drift):
    """Says that it fits, then waits until its folder holds a file "go"."""

    def __init__(self, folder):
        super().__init__(TOMORROW)
        self.folder = Path(folder)

    def fit(self, histories):
        mark = f"{os.getpid()}-{uuid.uuid4().hex}.fit"
        (self.folder / mark).touch()
        until((self.folder / "go").exists)
        return super().fit(histories)


def fitting(folder):
    """The processes in which a fit was begun."""
    return {int(mark.name.partition("-")[0]) for mark in folder.glob("*.fit")}


def until(condition):
    """Wait for something true, and return it."""
    deadline = time.monotonic() + PATIENCE
    while not (result := condition()):
        assert time.monotonic() < deadline, "this never came"
        time.sleep(0.02)
    return result


@contextmanager
def started(*command, path=(), cwd=None):
    """A Python process that is gone when the block ends."""
    path = os.pathsep.join([*path, str(Path(__file__).parent), *sys.path])
    environment = os.environ | {"PYTHONPATH": path}
    process = subprocess.Popen(
        [sys.executable, *command], env=environment, cwd=cwd
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def walked(models, histories, parts=None, dask=None):
    """The verdict on the last year."""
    more = {"parts": parts, "dask": dask}
    return walk_forward(models, histories, 1, [0], TOMORROW, **more)


def same(ours, theirs):
    for table in ("scores", "summary"):
        pd.testing.assert_frame_equal(
            getattr(ours, table), getattr(theirs, table), check_exact=True
        )


def test_the_folds_have_one_set_of_dates_for_every_ticker():
    """A ticker that starts later or ends earlier is tested on fewer rows."""
    long = simulate.random_walk(2000, seed=5)
    histories = {
        "LONG": long,
        "LATE": long[1200:],
        "ENDED": long[: -STUDY.block - 100],
    }
    splits = fold_dates(histories, 2)
    last = long.index[-2 * STUDY.block :]
    assert splits[0].test_start == last[0]
    assert splits[1].test_start == last[STUDY.block]
    tested = {
        ticker: [len(fold_origins(history, dates)) for dates in splits]
        for ticker, history in histories.items()
    }
    assert tested == {
        "LONG": [STUDY.block, STUDY.block - 1],
        "LATE": [STUDY.block, STUDY.block - 1],
        "ENDED": [STUDY.block - 101, 0],
    }
    scores = walk_forward({}, histories, 2).scores
    ones = scores[(scores["horizon"] == 1) & (scores["seed"] == "0")]
    assert ones.set_index(["ticker", "fold"])["n"].to_dict() == {
        ("LONG", 0): STUDY.block,
        ("LONG", 1): STUDY.block - 1,
        # 800 rows less two years and the embargo are too few to train on.
        ("LATE", 1): STUDY.block - 1,
        ("ENDED", 0): STUDY.block - 101,
    }


def finished(parts):
    """Names of finished fits and when they were written."""
    return {p.name: p.stat().st_mtime_ns for p in parts.iterdir()}


def walk(folder):
    """A run of six fits, the last two of which wait."""
    models = {"EWMA": EWMA(TOMORROW), "Waiting": Waiting(folder)}
    return walked(models, PAIR, parts=Path(folder, "parts"))


def test_a_killed_run_continues_where_it_was(tmp_path):
    """Same tables as an uninterrupted run; no finished fit is repeated."""
    code = "import sys, test_walk_forward; test_walk_forward.walk(sys.argv[1])"
    with started("-c", code, str(tmp_path)):
        until(lambda: fitting(tmp_path))
    once = finished(tmp_path / "parts")
    assert len(once) == 4
    (tmp_path / "go").touch()
    continued = walk(tmp_path)
    twice = finished(tmp_path / "parts")
    assert {name: twice[name] for name in once} == once
    assert len(twice) == 6
    uninterrupted = tmp_path / "uninterrupted"
    uninterrupted.mkdir()
    (uninterrupted / "go").touch()
    same(continued, walk(uninterrupted))


def command(folder, *models):
    """The options of a verdict on a folder's CSVs, up to its file."""
    folder.mkdir()
    for name, history in PAIR.items():
        (folder / f"{name}.csv").write_bytes(to_csv(history).encode())
    options = ["--folds", "1", "--jobs", "1", "--data", str(folder)]
    return [*options, "--models", *models, "--out"]


def test_a_killed_command_continues(tmp_path):
    killed, whole = tmp_path / "killed.csv", tmp_path / "whole.csv"
    options = command(tmp_path / "data", "GARCH")
    parts = killed.with_suffix(".parts")
    with started("-m", "forecasting", *options, str(killed)):
        until(lambda: killed.exists() or list(parts.glob("*")))
    for file in (killed, whole):
        assert main([*options, str(file)]) == 0
    for end in (".csv", "-summary.csv"):
        continued, once = (f.with_name(f.stem + end) for f in (killed, whole))
        assert continued.read_bytes() == once.read_bytes()
    assert not parts.exists()


class Fails(Drift):
    """A model that cannot be fitted to some tickers."""

    def __init__(self, settings, *tickers):
        super().__init__(settings)
        self.tickers = tickers

    def fit(self, histories):
        if {*histories} & {*self.tickers}:
            raise np.linalg.LinAlgError("Singular\nmatrix")
        return super().fit(histories)


def rows(table, model, **where):
    """A model's rows of a summary, but for its name and its rivals."""
    chosen = table[table["model"] == model]
    for column, value in where.items():
        chosen = chosen[chosen[column] == value]
    rivals = chosen.filter(regex="against|holm|mcs|crps$|_qlike")
    kept = chosen.drop(columns=["model", *rivals.columns])
    return kept.assign(crps=chosen["crps"]).reset_index(drop=True)


def test_a_fit_that_fails_costs_its_model_that_ticker_only(capsys):
    """It is compared on the rest; no other model's row is changed by it."""
    models = {"EWMA": EWMA(TOMORROW), "Linear": Linear(TOMORROW)}
    fails = {"Fails": Fails(TOMORROW, "B"), "Never": Fails(TOMORROW, *FOUR)}
    found, without = walked(models | fails, FOUR), walked(models, FOUR)
    reason = "LinAlgError: Singular matrix"
    lost = {("Never", ticker, 0): reason for ticker in FOUR}
    assert found.failed == lost | {("Fails", "B", 0): reason}
    lines = capsys.readouterr().err
    assert f"Fails, B, fold 0: {reason}; left out\n" in lines
    assert "Never: left out, as it failed at every ticker and fold" in lines

    for table, theirs in zip(found[:2], without[:2], strict=True):
        others = table[table["model"] != "Fails"].reset_index(drop=True)
        pd.testing.assert_frame_equal(others, theirs, check_exact=True)
    rest = {ticker: FOUR[ticker] for ticker in "ACD"}
    alike = walked(models | {"Drift": Drift(TOMORROW)}, rest).summary
    pd.testing.assert_frame_equal(
        rows(found.summary, "Fails"), rows(alike, "Drift"), check_exact=True
    )


def test_a_model_that_lacks_a_year_is_compared_on_the_others():
    """Also where the year is that of a single ticker."""

    class Late(Drift):
        def fit(self, histories):
            if len(*histories.values()) < 900:
                raise ValueError("too early")
            return super().fit(histories)

    history = {"S": simulate.garch_walk(1200, seed=1)}
    late = walk_forward({"Late": Late(TOMORROW)}, history, 2, [0], TOMORROW)
    drift = walked({"Drift": Drift(TOMORROW)}, history)
    for ticker in ("S", POOLED):
        ours, theirs = (
            rows(table.summary, name, ticker=ticker)
            for table, name in [(late, "Late"), (drift, "Drift")]
        )
        pd.testing.assert_frame_equal(ours, theirs)


def test_where_one_seed_fails_no_other_stands_for_the_model():
    class Unlucky(Fails):
        seed = 0

        def fit(self, histories):
            self.tickers = "B" * (self.seed == 1)
            return super().fit(histories)

    models = {"Unlucky": Unlucky(TOMORROW)}
    found = walk_forward(models, PAIR, 1, [0, 1, 2], TOMORROW)
    mine = found.scores[found.scores["model"] == "Unlucky"]
    assert set(mine["ticker"]) == {"A"} and len(mine) == 4


def test_a_command_says_what_failed_and_writes_the_rest(
    tmp_path, monkeypatch, capsys
):
    fails = {"Mine": lambda settings: Fails(settings, "B")}
    monkeypatch.setitem(BASELINES, *fails.popitem())
    options, out = command(tmp_path / "data", "Mine"), tmp_path / "mine.csv"
    assert main([*options, str(out)]) == 1
    assert "Mine, B, fold 0: LinAlgError" in capsys.readouterr().err
    table = pd.read_csv(out).groupby("model")["ticker"].unique()
    assert {m: [*t] for m, t in table.items()} == {
        "RandomWalk": ["A", "B"],
        "Mine": ["A"],
    }
    assert out.with_suffix(".png").exists()
    assert len(list(out.with_suffix(".parts").iterdir())) == 3


@pytest.mark.parametrize("name", ["RandomWalk", "mine"])
def test_without_anything_to_compare_there_is_no_verdict(name):
    ticker, fails = ("B", "B") if name == "RandomWalk" else ("A", "AB")
    reason = f"{name}: LinAlgError: Singular matrix; {ticker}, fold 0"
    with pytest.raises(PriceError, match=f"^{reason}") as error:
        walked({name: Fails(TOMORROW, *fails)}, PAIR)
    assert "raise np.linalg.LinAlgError" in error.value.__notes__[0]


class Trap:
    """Code that runs where it is unpickled."""

    def __reduce__(self):
        return os._exit, (7,)


def test_a_damaged_part_is_fitted_anew(tmp_path, capsys):
    """And nothing in it is run, whatever it is."""
    fresh = walked({}, FOUR, tmp_path)
    parts = sorted(tmp_path.iterdir())
    whole = parts[0].read_bytes()
    for part, kept in zip(parts, [whole[:-70], b"", b"?" * 99], strict=False):
        part.write_bytes(kept)
    joblib.dump({"A": Trap()}, parts[3])
    same(walked({}, FOUR, tmp_path), fresh)
    lines = re.findall(r".*anew$", capsys.readouterr().err, re.MULTILINE)
    named = sorted(line.split(": ")[0] for line in lines)
    assert named == [*map(str, parts)]
    np.savez(parts[0], loc=np.zeros((1, 1)))  # as whole, but not ours
    object_array = np.array([Trap()], dtype=object)
    np.savez(parts[1], **{"loc A": object_array, "loc B": object_array})
    same(walked({}, FOUR, tmp_path), fresh)
    assert capsys.readouterr().err.count("anew\n") == 2
    same(walked({}, FOUR, tmp_path), fresh)
    assert "anew" not in capsys.readouterr().err


class Killed(Drift):
    """Its process ends, as where the system takes back memory."""

    def fit(self, histories):
        os._exit(9)


def test_a_fit_that_is_killed_is_one_line(tmp_path):
    models = {"EWMA": EWMA(TOMORROW), "Killed": Killed(TOMORROW)}
    parts = tmp_path / "parts"
    with pytest.raises(OSError, match="process was killed .* continues, and"):
        walk_forward(models, PAIR, 1, [0], TOMORROW, jobs=2, parts=parts)


def test_what_cannot_be_written_is_one_line(tmp_path, capsys):
    """And the fits are not lost by it."""
    out = tmp_path / "mine.csv"
    (tmp_path / "mine-summary.csv").mkdir()
    assert main([*command(tmp_path / "data", "EWMA"), str(out)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "mine-summary.csv" in line
    assert list(out.with_suffix(".parts").iterdir())


def test_other_data_do_not_reuse_finished_fits(tmp_path):
    after = {"A": PAIR["A"].iloc[:-50]}
    walked({}, {"A": PAIR["A"]}, tmp_path)
    again = walked({}, after, tmp_path)
    same(again, walked({}, after))
    assert len(finished(tmp_path)) == 2


@pytest.fixture
def cluster():
    """A scheduler and two workers, each of which is started again."""
    with LocalCluster(2, threads_per_worker=1, dashboard_address=None) as two:
        yield two


def test_workers_are_killed_and_the_verdict_is_that_of_one_machine(
    cluster, tmp_path
):
    """All of them in a fit; others take their place. Bit for bit the same."""
    models = {"Waiting": Waiting(tmp_path), "Linear": Linear(TOMORROW)}
    address = cluster.scheduler_address
    with ThreadPoolExecutor() as pool:
        remote = pool.submit(walked, models, FOUR, dask=address)
        try:
            first = until(lambda: len(f := fitting(tmp_path)) == 2 and f)
            for worker in first:
                psutil.Process(worker).kill()
            until(lambda: fitting(tmp_path) - first)
        finally:
            (tmp_path / "go").touch()
        same(remote.result(), walked(models, FOUR))


def spread(model, address):
    """What ends a verdict on a cluster, in its one line."""
    with pytest.raises(OSError, match="the same command continues") as error:
        walked({"mine": model}, PAIR, dask=address)
    (line,) = str(error.value).splitlines()
    assert line.startswith(f"--dask {address}: ")
    return line


def test_what_ends_a_run_on_a_cluster_is_one_line(cluster, tmp_path):
    """A fit that kills every worker; one that differs; a lost scheduler."""
    address = cluster.scheduler_address
    assert "4 different workers" in spread(Killed(TOMORROW), address)

    other = tmp_path / "other"
    shutil.copytree(ROOT / "forecasting", other / "forecasting")
    with (other / "forecasting" / "files.py").open("a") as file:
        file.write("# not what it was\n")
    cluster.scale(0)
    until(lambda: not cluster.scheduler_info["workers"])
    options = [address, "--no-nanny", "--local-directory", str(tmp_path)]
    module = "distributed.cli.dask_worker"
    with started("-m", module, *options, path=[str(other)], cwd=other):
        line = spread(EWMA(TOMORROW), address)
    assert " has forecasting/*.py " in line

    cluster.scale(2)
    with ThreadPoolExecutor() as pool:
        line = pool.submit(spread, Waiting(tmp_path), address)
        until(lambda: fitting(tmp_path))
        cluster.close()
        assert "scheduler-connection-lost" in line.result()


def test_an_absent_cluster_is_named_in_one_line(tmp_path, capsys):
    nobody = "tcp://127.0.0.1:1"
    with pytest.raises(OSError, match=f"--dask {nobody}: "):
        next(on_cluster(print, [], nobody, patience=1))
    options = [*command(tmp_path / "data", "EWMA"), str(tmp_path / "v.csv")]
    assert main([*options, "--dask", "ftp://nowhere"]) == 1
    *_, line = capsys.readouterr().err.splitlines()
    assert line.startswith("--dask ftp://nowhere: ")


def test_the_order_and_number_of_tickers_change_no_baseline():
    """Bit for bit: nothing leaks from one ticker to another's baselines.

    But for the pooled ones, which learn from all: the order alone.
    """
    models = {name: model(TOMORROW) for name, model in BASELINES.items()}
    pooled = {name: m for name, m in models.items() if m.pooled}
    turned = walked(pooled, dict(reversed(PAIR.items()))).summary
    pd.testing.assert_frame_equal(
        turned.set_index(["ticker", "model"]).sort_index(),
        walked(pooled, PAIR)
        .summary.set_index(["ticker", "model"])
        .sort_index(),
        rtol=1e-9,
    )
    models = {name: m for name, m in models.items() if not m.pooled}
    alone = walked(models, PAIR).scores
    more = {"MORE": simulate.ar1_walk(800, seed=9)}
    more |= dict(reversed(PAIR.items()))
    among = walked(models, more).scores
    for ticker in PAIR:
        pd.testing.assert_frame_equal(
            among[among["ticker"] == ticker].reset_index(drop=True),
            alone[alone["ticker"] == ticker].reset_index(drop=True),
            check_exact=True,
        )
