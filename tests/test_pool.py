"""The experiment of results/pool: its rows, arms, scores and parts."""

import os
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import simulate
from scipy import stats
from sklearn.linear_model import Ridge

from forecasting.files import checksum
from forecasting.market.prices import read_csv, to_csv
from forecasting.pool import arms, data, report, scores
from forecasting.pool.__main__ import Job, main, parts_of, plan, run_all

POOL, DEV = ("P1", "P2", "P3", "P4"), ("Q1", "Q2")
SESSIONS = 4600  # 2000-01-03 to 2017-08


def garch_walk(rows, seed):
    """The simulated history, in the years that the experiment learns from."""
    days = pd.bdate_range("2000-01-03", periods=rows, name="Date")
    return simulate.garch_walk(rows, seed).set_axis(days)


def save(folders, changed_from=None):
    """Simulated stocks in both folders; the scored ones changed from a row."""
    for role, names in (("pool", POOL), ("dev", DEV)):
        folders[role].mkdir()
        for name in names:
            prices = garch_walk(SESSIONS, sum(name.encode()))
            if changed_from and role == "dev":
                later = np.linspace(1.1, 4, SESSIONS - changed_from)
                prices.iloc[changed_from:, :4] *= later[:, None]
                prices.iloc[changed_from:, 4] += 1e6
            (folders[role] / f"{name}.csv").write_text(to_csv(prices))
    return folders


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("stocks")
    return save({"pool": root / "pool", "dev": root / "dev"})


@pytest.fixture(scope="module")
def obtained(folders, tmp_path_factory):
    return data.obtain(folders, tmp_path_factory.mktemp("cache"))


@pytest.mark.parametrize("arm", ["A", "C", "B", "D", "E", "F", "FC"])
def test_no_later_row_changes_a_forecast(arm, obtained, tmp_path):
    """Bit for bit, up to the change; and the test sees it after that."""
    other = save({"pool": tmp_path / "p", "dev": tmp_path / "d"}, 4000)
    says, day = [], pd.bdate_range("2000-01-03", periods=SESSIONS)[4000]
    for rows, stocks in (obtained, data.obtain(other, tmp_path / "cache")):
        parts = parts_of(rows, stocks, Job(arm, "4", 0, 0))
        rate = arms.CANDIDATES[arms.ARMS[arm].learns][-1:]
        says.append(arms.fit(rows, parts, arm, 0, rate, updates=12).dev)
    before = rows.date[np.concatenate(parts.dev), 0] < (
        day.to_datetime64().astype("datetime64[D]").astype(int)
    )
    assert 0.3 < before.mean() < 0.9
    np.testing.assert_array_equal(says[0][before], says[1][before])
    assert not np.array_equal(says[0][~before], says[1][~before])


def test_the_parts_do_not_touch_and_know_their_future(obtained):
    rows, stocks = obtained
    for stock in POOL:
        start, _ = rows.spans[stock]
        days = rows.date[start:, 0]
        train, valid = rows.known(stock, "train"), rows.known(stock, "valid")
        ends = [np.datetime64(int(days[p[-1] + 20 - start]), "D")
                for p in (train, valid)]  # fmt: skip
        assert ends == [
            np.datetime64("2010-12-31"),
            np.datetime64("2012-12-31"),
        ]
        assert train[-1] + 20 < valid[0] and train[0] == start + 61
    parts = parts_of(rows, stocks, Job("A", "4", 0, 0))
    learnt = np.concatenate([*parts.train, *parts.valid])
    assert not np.isin(np.concatenate(parts.dev), learnt).any()


def test_only_the_lstm_remembers():
    rng, remembers = np.random.default_rng(0), {}
    chunk = rng.standard_normal((128, 120, 20)).astype(np.float32)
    other = chunk.copy()
    other[:, 70] += 1  # the eleventh session that is forecast
    for learns, first in (("session", 60), ("lstm", 0)):
        model = arms.network(learns, 20)
        one, two = (
            model.predict_on_batch(c[:, first:]) for c in (chunk, other)
        )
        remembers[learns] = np.abs(one - two).max(axis=(0, 2)) > 0
    assert np.flatnonzero(remembers["session"]).tolist() == [10]
    assert remembers["lstm"].tolist() == [False] * 10 + [True] * 50


def test_ridge_and_averages_are_those_of_the_books(obtained):
    rows, _ = obtained
    these = [rows.known(stock, "train")[500:900] for stock in ("P1", "P3")]
    read = arms.columns(rows, arms.ARMS["C"], these)
    start = rows.spans["P3"][0]
    past = rows.x[start : these[1][0] + 1, 2].astype(float)
    weights = 0.5 ** (np.arange(len(past))[::-1] / 4)
    wanted = (weights * past).sum() / weights.sum()
    assert read[400, 20 * 3 + 2] == pytest.approx(wanted, rel=1e-4)
    y = rows.y[np.concatenate(these)]
    found, line = arms.ridges([read] * 3, [y, y], (100.0,))[0]
    z = (read - read.mean(axis=0)) / read.std(axis=0)
    wanted = Ridge(100.0).fit(z.astype(float), y).predict(z)
    np.testing.assert_allclose(line, wanted, atol=2e-3)
    np.testing.assert_array_equal(line, found.dev)


def test_pools_are_nested_and_have_one_stock_of_each_stratum():
    rng = np.random.default_rng(1)
    stocks = pd.DataFrame(
        rng.lognormal(size=(80, 2)), columns=["turnover", "volatility"]
    ).assign(ticker=[f"S{k:02}" for k in range(80)])
    for permutation in range(8):
        found = data.pools(stocks, permutation)
        assert [len(found[size]) for size in (4, 16, 64)] == [4, 16, 64]
        assert set(found[4]) < set(found[16]) < set(found[64])
        four = stocks.set_index("ticker").loc[found[4]]
        above = four["turnover"] > stocks["turnover"].median()
        assert above.sum() == 2
    assert data.pools(stocks, 1) != data.pools(stocks, 2)


def test_costs_are_those_of_plain_loops(obtained):
    rows, _ = obtained
    these = rows.known("Q1", "dev")[:3]
    says = np.full((3, 3), 0.2)
    fitted = scores.Calibration(
        np.array([1.1, 1.2, 1.3]), np.array([0.9, 1.0, 1.1]), np.full(3, 5.0)
    )
    found = scores.costs(rows, these, says, fitted)
    for i, row in enumerate(these):
        for j, h in enumerate((1, 5, 20)):
            recent, moved = float(rows.recent[row, 0]), rows.moved[row, j]
            variance = np.exp(0.2) * recent**2 * h
            ratio = rows.variance[row, j] / (fitted.level[j] * variance)
            assert found[0, i, j] == pytest.approx(ratio - np.log(ratio) - 1)
            width = np.sqrt(variance) * fitted.scale[j]
            law = stats.t(5, h * np.log(1.05) / 252, width)
            x = np.linspace(-60, 60, 400_001) * width
            beyond = law.cdf(x) - (x >= moved)
            wanted = np.trapezoid(beyond**2, x) / recent
            assert found[1, i, j] == pytest.approx(wanted, rel=1e-3)
    groups = np.array([5, 3, 5])
    by = scores.means(groups, found)
    np.testing.assert_allclose(by[:, 1], found[:, [0, 2]].mean(axis=1))
    np.testing.assert_allclose(by[:, 0], found[:, 1])


def test_intervals_hold_what_they_say():
    """Of dependent dates without a difference, some 5 % are missed."""
    rng, missed = np.random.default_rng(2), []
    for _ in range(400):
        noise = rng.standard_normal(1020)
        series = np.convolve(noise, np.ones(20), "valid")
        missed.append(abs(series.mean()) > scores.fixed_b(series))
    assert 0.01 < np.mean(missed) < 0.10
    units = rng.standard_normal((3, 4000)) + [[0], [1], [5]]
    draws = scores.bootstrap(units, [0, 0, 1])
    assert draws.std() > 1  # permutations differ by 4.5, and that is seen
    alone = scores.bootstrap(units[:1], [0]).std()
    assert alone == pytest.approx(1 / np.sqrt(4000), rel=0.25)
    grow = np.array([[0.0], [0.1], [0.2]])
    assert scores.stocks_needed([4, 16, 64], grow, 0.15) == pytest.approx(
        [32] * 3
    )
    assert scores.stocks_needed([4, 16, 64], grow, 0.3) == [np.inf] * 3


def test_files_of_the_public_data_set_are_converted(tmp_path, capsys):
    """Those of another content are named, and those that are missing."""
    (out := tmp_path / "out").mkdir()
    prices = garch_walk(300, 3)
    prices.assign(OpenInt=0).to_csv(tmp_path / "t.us.txt")
    prices.assign(OpenInt=0).to_csv(tmp_path / "u.us.txt")
    data.convert(tmp_path / "t.us.txt", tmp_path / "T.csv")
    right = checksum((tmp_path / "T.csv").read_bytes())
    listed = ["ticker,role,sha256", f"T,pool,{right}", "U,dev,0", "V,dev,0"]
    (out / "stocks.csv").write_text("\n".join(listed))
    names = ["data", "dev", "convert", "out"]
    folders = [tmp_path / "pool", tmp_path / "dev", tmp_path, out]
    pairs = zip(names, folders, strict=True)
    assert main([f"--{name}={folder}" for name, folder in pairs]) == 1
    said = capsys.readouterr().err.splitlines()
    assert [line[:2] for line in said] == ["U:", "V:"]
    read = read_csv(tmp_path / "pool" / "T.csv")
    pd.testing.assert_frame_equal(read, prices, rtol=1e-5, check_freq=False)


def test_a_killed_run_continues_to_the_same_table(folders, tmp_path):
    """No finished fit is done again; half a fit is none."""
    stages = [[Job(arm, "4", 0, 0)] for arm in ("A", "F", "C", "FC")]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for parts in (whole, killed):
        data.obtain(folders, parts / "cache")
    code = f"""if True:
        from pathlib import PosixPath, WindowsPath
        from forecasting.pool.__main__ import Job, run_all
        run_all({stages}, {killed!r}, 1)"""
    run = subprocess.Popen(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=subprocess.DEVNULL,
    )
    while not (killed / stages[0][0].file).exists() and run.poll() is None:
        time.sleep(0.01)
    run.kill()
    run.wait()
    there = {p: p.stat().st_mtime_ns for p in killed.glob("*.npz")}
    assert there
    jobs = [job for stage in stages for job in stage]
    tables = []
    for parts in (killed, whole):
        run_all(stages, parts, 1)
        table, _ = report.table(jobs, parts)
        tables.append(table.drop(columns="processor_s"))
    pd.testing.assert_frame_equal(*tables)
    assert all(p.stat().st_mtime_ns == before for p, before in there.items())


def test_the_plan_has_every_fit_once_and_its_rate_before_it():
    stages = plan()
    jobs = [job for stage in stages for job in stage]
    assert len(set(jobs)) == len(jobs)
    random = sum(arm.random for arm in arms.ARMS.values())
    drawn = 8 + 8 + 4 + 2 + 1 + 1
    assert len(jobs) == drawn * (5 * random + len(arms.ARMS) - random)
    done = set()
    for stage in stages:
        assert all(job == job.first or job.first in done for job in stage)
        done |= set(stage)
