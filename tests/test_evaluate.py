"""Scores against loops, tests against formulas, runs that survive a kill."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scoringrules
import simulate
from scipy import stats

from forecasting.baselines import BASELINES, Drift, RandomWalk
from forecasting.forecast import Forecast, Forecaster
from forecasting.market import prices
from forecasting.protocol import fold_dates, walk_forward
from forecasting.scores import ENSEMBLE, INTERVALS, POOLED
from forecasting.settings import STUDY
from forecasting.significance import diebold_mariano, holm
from forecasting.windows import fold_origins

ROOT = Path(__file__).resolve().parents[1]
KEYS = ["ticker", "model", "fold", "seed", "horizon"]
HISTORIES = {
    "LONG": simulate.garch_walk(1500, seed=1),
    "LATE": simulate.garch_walk(1300, seed=2),
}
# The later one starts later and ends with the other.
HISTORIES["LATE"].index = HISTORIES["LONG"].index[-1300:]


class Noisy(Forecaster):
    """A forecast that depends on its seed, for scores over seeds."""

    def __init__(self, seed=0):
        self.seed = seed

    def fit(self, histories):
        return self

    def predict(self, history, origins):
        rng = np.random.default_rng(self.seed)
        shape = (len(origins), STUDY.horizons)
        return Forecast(
            rng.normal(0.001, 0.01, shape),
            rng.uniform(0.01, 0.03, shape),
            np.full(shape, 5.0),
        )


MODELS = {"Drift": Drift(), "Noisy": Noisy()}
FOLDS, SEEDS = 2, 3


@pytest.fixture(scope="module")
def verdict():
    return walk_forward(MODELS, HISTORIES, FOLDS, range(SEEDS))


@pytest.fixture(scope="module")
def loops():
    """Losses of every forecast, one origin and horizon at a time."""
    rows = []
    for ticker, history in HISTORIES.items():
        close = history["Close"].to_numpy()
        for fold, dates in enumerate(fold_dates(HISTORIES, FOLDS)):
            learnt = history[history.index <= dates.fit_end]
            past = learnt["Close"].to_numpy()
            for name, model in ({"RandomWalk": RandomWalk()} | MODELS).items():
                seeds = range(SEEDS) if name == "Noisy" else range(1)
                origins = [
                    t
                    for t in range(len(history) - 1)
                    if dates.test_start <= history.index[t] <= dates.test_end
                ]
                by_seed = {}
                for seed in seeds:
                    if name == "Noisy":
                        model.seed = seed
                    model.fit({ticker: learnt})
                    by_seed[seed] = model.predict(history, np.array(origins))
                by_seed[ENSEMBLE] = Forecast.combine(list(by_seed.values()))
                for seed, f in by_seed.items():
                    rows += loop(
                        (ticker, name, fold, str(seed)),
                        f,
                        origins,
                        close,
                        past,
                    )
    return pd.DataFrame(rows)


def loop(label, forecast, origins, close, past):
    """One dict per origin and horizon."""
    t_law = stats.t(forecast.df, forecast.loc, forecast.scale)
    bounds = {level: t_law.interval(level / 100) for level in INTERVALS}
    for h in STUDY.reported:
        naive = np.mean(
            [abs(past[i + h] - past[i]) for i in range(len(past) - h)]
        )
        for k, t in enumerate(origins):
            if t + h >= len(close):
                continue
            loc, scale, df = (
                p[k, h - 1]
                for p in (forecast.loc, forecast.scale, forecast.df)
            )
            error = close[t + h] - close[t] * np.exp(loc)
            moved = close[t + h] - close[t]
            happened = np.log(close[t + h] / close[t])
            row = {
                **dict(zip(KEYS, (*label, h), strict=True)),
                "origin": t,
                "squared": error**2,
                "relative": (error / close[t]) ** 2,
                "absolute": abs(error),
                "scaled": abs(error) / naive,
                "crps": scoringrules.crps_t(happened, df, loc, scale),
                "hit": np.nan if loc == 0 else float(loc * moved > 0),
            }
            for level, (low, high) in bounds.items():
                inside = low[k, h - 1] <= happened <= high[k, h - 1]
                row[f"cover_{level}"] = float(inside)
            yield row


def test_scores_are_those_of_a_loop(verdict, loops):
    expected = loops.groupby(KEYS)
    actual = verdict.scores.set_index(KEYS).sort_index()
    assert (actual["n"] == expected.size()).all()
    mean = expected.mean()
    columns = {"mae": "absolute", "mase": "scaled", "crps": "crps"}
    columns |= {"hit_rate": "hit"} | {
        f"cover_{c}": f"cover_{c}" for c in INTERVALS
    }
    for mine, theirs in columns.items():
        np.testing.assert_allclose(actual[mine], mean[theirs], rtol=1e-9)
    rmse = np.sqrt(mean["squared"])
    np.testing.assert_allclose(actual["rmse"], rmse, rtol=1e-9)
    for ticker, model, fold, seed, h in actual.index:
        walk = (ticker, "RandomWalk", fold, "0", h)
        row = actual.loc[(ticker, model, fold, seed, h)]
        mine = (ticker, model, fold, seed, h)
        assert row["theil_u"] == pytest.approx(rmse[mine] / rmse[walk])
        ratio = mean["crps"][mine] / mean["crps"][walk]
        assert row["crps_vs_rw"] == pytest.approx(ratio)


def test_every_ticker_model_fold_seed_and_horizon_has_one_row(verdict):
    counts = verdict.scores.groupby(KEYS).size()
    assert (counts == 1).all()
    per_fold = len(HISTORIES) * FOLDS * len(STUDY.reported)
    seeds = 2 * 2 + (SEEDS + 1)  # two baselines, Noisy; ensembles too
    assert len(counts) == per_fold * seeds


def test_the_pooled_summary_averages_losses_date_by_date(verdict, loops):
    """Both tickers count the same on a date, whatever their currency."""
    index = {t: h.index for t, h in HISTORIES.items()}
    loops = loops.assign(
        date=[
            index[ticker][t]
            for ticker, t in zip(loops["ticker"], loops["origin"], strict=True)
        ]
    )
    chosen = loops[loops["seed"] == ENSEMBLE]
    summary = verdict.summary.set_index(["ticker", "horizon", "model"])
    for h in STUDY.reported:
        daily = (
            chosen[chosen["horizon"] == h]
            .groupby(["model", "date"])[["relative", "crps"]]
            .mean()
        )
        walk = daily.loc["RandomWalk"]
        for name in MODELS:
            row = summary.loc[(POOLED, h, name)]
            mine = daily.loc[name]
            assert row["n"] == len(mine)
            theil = np.sqrt(mine["relative"].mean() / walk["relative"].mean())
            assert row["theil_u"] == pytest.approx(theil)
            ratio = mine["crps"].mean() / walk["crps"].mean()
            assert row["crps_vs_rw"] == pytest.approx(ratio)


def test_the_spread_over_seeds_is_their_standard_deviation(verdict, loops):
    noisy = loops[(loops["model"] == "Noisy") & (loops["ticker"] == "LATE")]
    walk = loops[
        (loops["model"] == "RandomWalk") & (loops["ticker"] == "LATE")
    ]
    for h in STUDY.reported:
        reference = walk[walk["horizon"] == h]["crps"].mean()
        ratios = [
            noisy[(noisy["horizon"] == h) & (noisy["seed"] == seed)][
                "crps"
            ].mean()
            / reference
            for seed in "012"
        ]
        summary = verdict.summary.set_index(["ticker", "horizon", "model"])
        row = summary.loc[("LATE", h, "Noisy")]
        assert row["crps_vs_rw_sd"] == pytest.approx(np.std(ratios, ddof=1))


@pytest.mark.parametrize("h", [1, 5, 20])
def test_diebold_mariano_is_the_published_formula(h):
    """DM (1995, eq. 6) with the HLN (1997, eq. 9) correction, in loops."""
    rng = np.random.default_rng(h)
    noise = np.convolve(rng.normal(size=400 + h - 1), np.ones(h), "valid")
    loss, rival = noise + 0.1, rng.normal(size=400)
    difference = loss - rival
    n, mean = len(difference), sum(difference) / len(difference)
    variance = 0.0
    for k in range(-(h - 1), h):
        for t in range(n):
            if 0 <= t + k < n:
                variance += (
                    (difference[t] - mean) * (difference[t + k] - mean) / n
                )
    expected = mean / np.sqrt(variance / n)
    expected *= np.sqrt((n + 1 - 2 * h + h * (h - 1) / n) / n)
    statistic, p = diebold_mariano(pd.Series(loss), pd.Series(rival), h)
    assert statistic == pytest.approx(expected)
    assert p == pytest.approx(2 * stats.t(n - 1).cdf(-abs(expected)))


def test_equal_losses_are_no_difference():
    loss = pd.Series(np.arange(50.0))
    assert diebold_mariano(loss, loss.copy(), 5) == (0.0, 1.0)


@pytest.mark.parametrize(("h", "n"), [(1, 250), (5, 250), (20, 1000)])
def test_diebold_mariano_cries_wolf_as_rarely_as_it_says(h, n):
    """h-step forecasts without skill: 5 % of p-values lie below 5 %."""
    rng = np.random.default_rng(0)
    draws = 400
    zero = pd.Series(np.zeros(n))
    alarms = 0
    for _ in range(draws):
        shocks = rng.normal(size=n + h - 1)
        overlapping = np.convolve(shocks, np.ones(h), "valid")
        alarms += diebold_mariano(pd.Series(overlapping), zero, h)[1] < 0.05
    # Upper bound: 5 % plus small-sample distortion plus 3 standard errors.
    assert 0.02 < alarms / draws < 0.105


def test_holm_adjusts_step_by_step():
    p = pd.Series([0.01, 0.04, 0.03, 0.005])
    # By hand: 4 × 0.005, 3 × 0.01, 2 × 0.03, then never below the one before.
    assert holm(p) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_spans_tickers_and_horizons_of_a_model(verdict):
    summary = verdict.summary
    mine = summary[
        (summary["model"] == "Noisy") & (summary["ticker"] != POOLED)
    ].sort_values("p_crps")
    assert len(mine) == len(HISTORIES) * len(STUDY.reported)
    running = 0.0
    for rank, row in enumerate(mine.itertuples()):
        running = max(running, (len(mine) - rank) * row.p_crps)
        assert row.p_crps_holm == pytest.approx(min(running, 1.0))


def test_the_folds_have_one_set_of_dates_for_every_ticker(verdict):
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


def test_two_jobs_find_what_one_finds(verdict):
    again = walk_forward(MODELS, HISTORIES, FOLDS, range(SEEDS), jobs=2)
    pd.testing.assert_frame_equal(again.scores, verdict.scores)
    pd.testing.assert_frame_equal(again.summary, verdict.summary)


def command(folder, out):
    models = ["GARCH", "EWMA"]
    return [
        *(sys.executable, "-m", "forecasting", "--data", str(folder)),
        *("--models", *models, "--folds", "4", "--jobs", "1"),
        *("--out", str(out)),
    ]


def killed(call, parts, more):
    """Finished fits of a run that is killed after ``more`` of its own."""
    enough = len(finished(parts)) + more
    child = subprocess.Popen(
        call, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while child.poll() is None and len(finished(parts)) < enough:
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL, "it was done before the kill"
    return finished(parts)


def test_a_killed_run_continues_where_it_was(tmp_path):
    """Same tables as an uninterrupted run; no finished fit is repeated."""
    data = tmp_path / "data"
    data.mkdir()
    for number in range(2):
        history = simulate.garch_walk(1500, seed=number)
        (data / f"S{number}.csv").write_text(prices.to_csv(history))
    out, whole = tmp_path / "verdict.csv", tmp_path / "whole.csv"
    parts = out.with_suffix(".parts")
    once = killed(command(data, out), parts, 10)
    twice = killed(command(data, out), parts, 3)
    assert 10 <= len(once) < len(twice) < 2 * 4 * 3
    assert {name: twice[name] for name in once} == once
    assert not out.exists()
    for file in (out, whole):
        call = command(data, file)
        subprocess.run(call, cwd=ROOT, check=True, capture_output=True)
    assert out.read_bytes() == whole.read_bytes()
    tables = (f"{file.stem}-summary.csv" for file in (out, whole))
    continued, uninterrupted = ((tmp_path / t).read_bytes() for t in tables)
    assert continued == uninterrupted
    assert not parts.exists()


def finished(parts):
    """Names of finished fits and when they were written."""
    if not parts.is_dir():
        return {}
    return {
        path.name: path.stat().st_mtime_ns
        for path in parts.iterdir()
        if path.suffix != ".tmp"
    }


def test_other_data_do_not_reuse_finished_fits(tmp_path):
    before = {"S": HISTORIES["LATE"]}
    after = {"S": HISTORIES["LATE"].iloc[:-300]}
    walk_forward({}, before, 1, parts=tmp_path)
    again = walk_forward({}, after, 1, parts=tmp_path)
    fresh = walk_forward({}, after, 1)
    pd.testing.assert_frame_equal(again.scores, fresh.scores)
    assert len(finished(tmp_path)) == 2


def test_the_order_and_number_of_tickers_change_no_baseline():
    """Bit for bit: nothing leaks from one ticker to another's baselines."""
    models = {name: model() for name, model in BASELINES.items()}
    alone = walk_forward(models, HISTORIES, 1).scores
    more = {"MORE": simulate.ar1_walk(1500, seed=9)}
    more |= dict(reversed(HISTORIES.items()))
    among = walk_forward(models, more, 1).scores
    for ticker in HISTORIES:
        pd.testing.assert_frame_equal(
            among[among["ticker"] == ticker].reset_index(drop=True),
            alone[alone["ticker"] == ticker].reset_index(drop=True),
            check_exact=True,
        )
