"""Scores are those of plain loops over forecasts and origins."""

import numpy as np
import pandas as pd
import pytest
import scoringrules
import simulate
from scipy import stats

from forecasting.baselines import Drift, RandomWalk
from forecasting.forecast import Forecast, Forecaster
from forecasting.protocol import fold_dates, walk_forward
from forecasting.scores import ENSEMBLE, INTERVALS, POOLED
from forecasting.settings import STUDY

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


def test_two_jobs_find_what_one_finds(verdict):
    again = walk_forward(MODELS, HISTORIES, FOLDS, range(SEEDS), jobs=2)
    pd.testing.assert_frame_equal(again.scores, verdict.scores)
    pd.testing.assert_frame_equal(again.summary, verdict.summary)
