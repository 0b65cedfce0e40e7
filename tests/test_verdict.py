"""Scores are those of plain loops over forecasts and origins."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import scoringrules
import simulate
from arch.bootstrap import MCS
from scipy import stats

from forecasting.evaluation.losses import ENSEMBLE, INTERVALS, TAILS, qlike
from forecasting.evaluation.significance import (
    christoffersen,
    daily_coverage,
    diebold_mariano,
    kupiec,
)
from forecasting.evaluation.verdict import KEYS, POOLED
from forecasting.evaluation.walk_forward import walk_forward
from forecasting.models.base import Forecast, Forecaster
from forecasting.models.baselines import EWMA, Drift, RandomWalk
from forecasting.models.features import session_variance
from forecasting.models.registry import BASELINES
from forecasting.pages import plots
from forecasting.settings import STUDY
from forecasting.windows import fold_dates

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


class Wide(Forecaster):
    """A second model that is no baseline, without a seed."""

    def __init__(self, loc=0.0, df=5.0):
        self.loc, self.df = loc, df

    def fit(self, histories):
        return self

    def predict(self, history, origins):
        steps = np.tile(np.arange(1, STUDY.horizons + 1), (len(origins), 1))
        scale = 0.03 * np.sqrt(steps)
        return Forecast(0 * scale + self.loc, scale, 0 * scale + self.df)


MODELS = {"Drift": Drift(), "Noisy": Noisy(), "Wide": Wide()}
FOLDS, SEEDS = 2, 3


@pytest.fixture(scope="module")
def verdict():
    return walk_forward(MODELS, HISTORIES, FOLDS, range(SEEDS))


@pytest.fixture(scope="module")
def summary(verdict):
    return verdict.summary.set_index(["ticker", "horizon", "model"])


@pytest.fixture(scope="module")
def loops():
    """Losses of every forecast, one origin and horizon at a time."""
    rows = []
    models = {"RandomWalk": RandomWalk()} | MODELS
    for ticker, history in HISTORIES.items():
        close = history["Close"].to_numpy()
        for fold, dates in enumerate(fold_dates(HISTORIES, FOLDS)):
            learnt = history[history.index <= dates.fit_end]
            origins = [
                t
                for t in range(len(history) - 1)
                if dates.test_start <= history.index[t] <= dates.test_end
            ]
            known = origins, close, close[: len(learnt)]
            known = *known, session_variance(history)
            for name, model in models.items():
                by_seed = {}
                for seed in range(SEEDS if name == "Noisy" else 1):
                    if name == "Noisy":
                        model.seed = seed
                    model.fit({ticker: learnt})
                    by_seed[seed] = model.predict(history, np.array(origins))
                by_seed[ENSEMBLE] = Forecast.combine([*by_seed.values()])
                for seed, forecast in by_seed.items():
                    label = ticker, name, fold, str(seed)
                    rows += loop(label, forecast, *known)
    return pd.DataFrame(rows)


def loop(label, forecast, origins, close, past, variance):
    """One dict per origin and horizon."""
    t_law = stats.t(forecast.df, forecast.loc, forecast.scale)
    variances = t_law.var()
    worst = {level: t_law.ppf(level / 100) for level in TAILS}
    bounds = {level: t_law.interval(level / 100) for level in INTERVALS}
    parts = forecast.loc, forecast.scale, forecast.df
    for h in STUDY.reported:
        moves = [abs(past[i + h] - past[i]) for i in range(len(past) - h)]
        for k, t in enumerate(origins):
            if t + h >= len(close):
                continue
            loc, scale, df = (part[k, h - 1] for part in parts)
            error = close[t + h] - close[t] * np.exp(loc)
            moved = close[t + h] - close[t]
            happened = np.log(close[t + h] / close[t])
            ratio = sum(variance[t + 1 : t + h + 1]) / variances[k, h - 1]
            density = stats.t.pdf((happened - loc) / scale, df) / scale
            row = {
                **dict(zip(KEYS, (*label, h), strict=True)),
                "origin": t,
                "squared": error**2,
                "relative": (error / close[t]) ** 2,
                "absolute": abs(error),
                "scaled": abs(error) / np.mean(moves),
                "crps": scoringrules.crps_t(happened, df, loc, scale),
                "hit": float(loc * moved > 0) if loc * moved else np.nan,
                "qlike": ratio - np.log(ratio) - 1,
                "log_score": -np.log(density),
            }
            for level, bound in worst.items():
                beyond = happened - bound[k, h - 1]
                row[f"var_{level}"] = float(beyond < 0)
                weight = level / 100 if beyond > 0 else level / 100 - 1
                row[f"quantile_{level}"] = weight * beyond
            for level, (low, high) in bounds.items():
                inside = low[k, h - 1] <= happened <= high[k, h - 1]
                row[f"cover_{level}"] = float(inside)
            yield row


@pytest.fixture(scope="module")
def ensembles(loops):
    return loops[loops["seed"] == ENSEMBLE]


def test_scores_are_those_of_a_loop(verdict, loops):
    expected = loops.groupby(KEYS)
    actual = verdict.scores.set_index(KEYS).sort_index()
    assert (actual["n"] == expected.size()).all()
    mean = expected.mean()
    columns = {"mae": "absolute", "mase": "scaled", "crps": "crps"}
    columns |= {"hit_rate": "hit", "qlike": "qlike", "log_score": "log_score"}
    columns |= {f"cover_{c}": f"cover_{c}" for c in INTERVALS}
    columns |= {f"var_{c}": f"var_{c}" for c in TAILS}
    for mine, theirs in columns.items():
        np.testing.assert_allclose(actual[mine], mean[theirs], rtol=1e-9)
    rmse = np.sqrt(mean["squared"])
    np.testing.assert_allclose(actual["rmse"], rmse, rtol=1e-9)
    for mine, row in actual.iterrows():
        ticker, _, fold, _, h = mine
        walk = (ticker, "RandomWalk", fold, "0", h)
        assert row["theil_u"] == pytest.approx(rmse[mine] / rmse[walk])
        ratio = mean["crps"][mine] / mean["crps"][walk]
        assert row["crps_vs_rw"] == pytest.approx(ratio)


def test_every_ticker_model_fold_seed_and_horizon_has_one_row(verdict):
    counts = verdict.scores.groupby(KEYS).size()
    assert (counts == 1).all()
    per_fold = len(HISTORIES) * FOLDS * len(STUDY.reported)
    seeds = 3 * 2 + (SEEDS + 1)  # three without a seed, Noisy; ensembles too
    assert len(counts) == per_fold * seeds


TESTS = {"kupiec": kupiec, "christoffersen": christoffersen}
LOSSES = ["qlike", "log_score"] + [
    f"{name}_{level}" for name in ("var", "quantile") for level in TAILS
]


@pytest.fixture(scope="module")
def daily(ensembles):
    """The ensembles' losses, averaged over tickers date by date."""
    pairs = zip(ensembles["ticker"], ensembles["origin"], strict=True)
    dates = [HISTORIES[ticker].index[t] for ticker, t in pairs]
    days = ensembles.assign(date=dates).groupby(["horizon", "model", "date"])
    return days[["relative", "crps", *LOSSES]].mean()


def test_the_pooled_summary_averages_losses_date_by_date(summary, daily):
    """Both tickers count the same on a date, whatever their currency."""
    for h in STUDY.reported:
        walk = daily.loc[h, "RandomWalk"].mean()
        for name in MODELS:
            row = summary.loc[(POOLED, h, name)]
            mine = daily.loc[h, name].mean()
            assert row["n"] == len(daily.loc[h, name])
            theil = np.sqrt(mine["relative"] / walk["relative"])
            assert row["theil_u"] == pytest.approx(theil)
            assert row["crps_vs_rw"] == pytest.approx(
                mine["crps"] / walk["crps"]
            )
            np.testing.assert_allclose(row[LOSSES].astype(float), mine[LOSSES])


def test_a_ticker_summary_averages_its_folds(summary, ensembles):
    mean = ensembles.groupby(["ticker", "horizon", "model"])[LOSSES].mean()
    np.testing.assert_allclose(summary.loc[mean.index, LOSSES], mean)


def test_a_session_without_any_range_costs_no_infinity():
    cost = qlike(np.array([1e-4, 1e-4, np.inf]), np.array([0.0, 1e-4, 1e-4]))
    assert 10 < cost[0] < 30 and cost[1] == 0 and cost[2] == np.inf


def test_qlike_ranks_by_a_noisy_proxy_as_by_the_variance():
    """Patton (2011): on average, the true variance is forecast best."""
    proxy = np.random.default_rng(0).chisquare(1, 50_000)
    best = qlike(np.ones(1), proxy).mean()
    for wrong in (0.8, 1.25):
        assert qlike(np.full(1, wrong), proxy).mean() > best


def test_each_loss_has_its_own_best_rival(verdict):
    pooled = verdict.summary[verdict.summary["ticker"] == POOLED]
    for h, rows in pooled.groupby("horizon"):
        rivals = rows[rows["model"].isin(BASELINES)].set_index("model")
        everywhere = verdict.summary[verdict.summary["horizon"] == h]
        baseline = everywhere["model"].isin(BASELINES)
        for loss, column in [("crps", "against"), ("qlike", "against_qlike")]:
            best = rivals[loss].idxmin()
            assert (everywhere.loc[~baseline, column] == best).all()
            assert (everywhere.loc[baseline, column] == "RandomWalk").all()


def test_each_test_is_against_the_rival_it_names(verdict, ensembles):
    wide = ensembles[ensembles["ticker"] == "LATE"]
    wide = wide.set_index(["horizon", "model", "origin"]).sort_index()
    rows = verdict.summary[verdict.summary["ticker"] == "LATE"]
    for row in rows.itertuples():
        for kind, loss, rival in [
            ("crps", "crps", row.against),
            ("qlike", "qlike", row.against_qlike),
            ("point", "squared", "RandomWalk"),
        ]:
            mine, theirs = (
                wide.loc[(row.horizon, name), loss].to_numpy()
                for name in (row.model, rival)
            )
            expected = diebold_mariano(mine, theirs, row.horizon)
            found = getattr(row, f"dm_{kind}"), getattr(row, f"p_{kind}")
            assert found == pytest.approx(expected, rel=1e-6)


class Halting(Wide):
    """Says that the late ticker falls, and of the others nothing."""

    def fit(self, histories):
        self.loc = -0.001 * (list(histories) == ["LATE"])
        return self


def test_the_pooled_hit_rate_is_of_tickers_with_a_direction():
    verdict = walk_forward({"Halting": Halting()}, HISTORIES, FOLDS, [0])
    rates = verdict.summary[verdict.summary["model"] == "Halting"]
    rates = rates.pivot(index="horizon", columns="ticker", values="hit_rate")
    assert rates["LONG"].isna().all()
    assert (rates["LATE"] > 0).all()
    np.testing.assert_allclose(rates[POOLED], rates["LATE"])


@pytest.mark.parametrize("seed", [1, 2])
def test_a_close_that_does_not_move_has_no_direction(seed):
    """The commoner direction has the better hit rate of always saying one."""
    history = simulate.random_walk(800, seed)
    rests = 1 + np.flatnonzero(np.random.default_rng(seed).random(799) < 0.4)
    history.iloc[rests, :4] = np.nan
    history = history.ffill()
    moves = history["Close"].diff().iloc[-STUDY.block + 1 :]
    moves = moves[moves != 0]  # in neither rate

    models = {"up": Wide(0.001), "down": Wide(-0.001)}
    summary = walk_forward(models, {"S": history}, 1).summary
    ones = summary[summary["horizon"] == 1].set_index(["model", "ticker"])
    for ticker in ("S", POOLED):
        hits = ones["hit_rate"].xs(ticker, level="ticker")
        assert hits["up"] == pytest.approx((moves > 0).mean())
        assert hits["down"] == pytest.approx((moves < 0).mean())
        commoner = ones["majority_rate"].xs(ticker, level="ticker")
        np.testing.assert_allclose(commoner, hits.max())


def test_the_confidence_sets_are_those_of_the_pooled_days(summary, daily):
    single = summary.drop(index=POOLED, level="ticker")
    for loss in ("crps", "qlike"):
        assert single[f"mcs_{loss}"].isna().all()
        for h in STUDY.reported:
            table = daily.loc[h, loss].unstack("model")
            table = table[table.mean().sort_values().index]
            block = max(10, 2 * h)
            test = MCS(table, size=0.1, block_size=block, seed=0)
            test.compute()
            found = summary.loc[(POOLED, h), f"mcs_{loss}"]
            expected = test.pvalues["Pvalue"][found.index]
            np.testing.assert_allclose(found, expected)


def test_breaches_are_tested_one_session_ahead(summary, ensembles, daily):
    chosen = ensembles[ensembles["horizon"] == 1].set_index(
        ["ticker", "model"]
    )
    names = [f"{name}_{level}" for name in TESTS for level in TAILS]
    for h in (5, 20):
        assert summary.xs(h, level="horizon")[names].isna().all(axis=None)
    for (ticker, model), row in summary.xs(1, level="horizon").iterrows():
        for level in TAILS:
            p, breach = level / 100, f"var_{level}"
            if ticker == POOLED:
                found = daily_coverage(daily.loc[(1, model), breach], p)[1]
                assert row[f"kupiec_{level}"] == pytest.approx(found)
                assert np.isnan(row[f"christoffersen_{level}"])
                continue
            breaches = chosen.loc[(ticker, model), breach].to_numpy()
            for name, test in TESTS.items():
                found = test(breaches, p)[1]
                assert row[f"{name}_{level}"] == pytest.approx(found)


def test_the_spread_over_seeds_is_their_standard_deviation(summary, loops):
    late = loops[loops["ticker"] == "LATE"]
    mean = late.groupby(["horizon", "model", "seed"])["crps"].mean()
    for h in STUDY.reported:
        noisy = [mean[h, "Noisy", str(seed)] for seed in range(SEEDS)]
        spread = np.std(noisy, ddof=1) / mean[h, "RandomWalk", "0"]
        found = summary.loc[("LATE", h, "Noisy"), "crps_vs_rw_sd"]
        assert found == pytest.approx(spread)


@pytest.mark.parametrize("kind", ["crps", "qlike", "point"])
@pytest.mark.parametrize("pooled", [True, False])
@pytest.mark.parametrize("models", [["Noisy", "Wide"], ["Drift"]])
def test_holm_spans_models_tickers_and_horizons(verdict, kind, pooled, models):
    summary = verdict.summary
    mine = summary[
        summary["model"].isin(models)
        & ((summary["ticker"] == POOLED) == pooled)
    ].sort_values(f"p_{kind}")
    tickers = 1 if pooled else len(HISTORIES)
    assert len(mine) == len(models) * tickers * len(STUDY.reported)
    running = 0.0
    for rank, (_, row) in enumerate(mine.iterrows()):
        running = max(running, (len(mine) - rank) * row[f"p_{kind}"])
        assert row[f"p_{kind}_holm"] == pytest.approx(min(running, 1.0))


class Again(Wide):
    """Wide under another name; its losses differ in rounding only."""

    def predict(self, history, origins):
        said = super().predict(history, origins)
        return Forecast(said.loc, said.scale * (1 + 1e-15), said.df)


def test_holm_counts_a_forecast_under_two_names_once(monkeypatch):
    """Whoever says it again makes nobody's p-value larger."""
    monkeypatch.setitem(BASELINES, "DriftAgain", Drift)
    twins = {"Again": "Wide", "DriftAgain": "Drift"}
    models = MODELS | {"EWMA": EWMA()}
    more = models | {"Again": Again(), "DriftAgain": Drift()}
    once, twice = (
        walk_forward(m, HISTORIES, FOLDS, [0]).summary.set_index("model")
        for m in (models, more)
    )
    columns = [f"p_{kind}_holm" for kind in ("crps", "qlike", "point")]
    assert (once[columns] < 1).any().all()
    for name in more:
        expected = once.loc[twins.get(name, name), columns]
        np.testing.assert_allclose(twice.loc[name, columns], expected)


def bars(summary):
    """Half lengths of the figure's bars, by horizon and model."""
    fig = plots.verdict(summary)
    names = [label.get_text() for label in fig.axes[0].get_yticklabels()]
    bars = [c.lines[2][0].get_segments() for c in fig.axes[1].containers]
    plt.close(fig)
    ends = np.array(bars)[..., 0]
    return pd.DataFrame(np.ptp(ends, axis=2) / 2, STUDY.reported, names)


def test_a_bar_never_measures_a_model_against_its_rival_on_other_rows(verdict):
    """Of one that failed somewhere; RandomWalk's number is 1 on all rows."""
    summary = verdict.summary.copy()
    wide = summary["model"] == "Wide"
    summary.loc[wide & (summary["horizon"] == 5), "against"] = "Drift"
    whole = bars(summary)
    assert (whole["Wide"] > 0).all()
    partial = bars(summary[~wide | (summary["ticker"] != "LATE")])
    whole.loc[5, "Wide"] = 0
    pd.testing.assert_frame_equal(partial, whole)


def test_the_random_walk_alone_gets_its_summary():
    summary = walk_forward({}, HISTORIES, 1).summary
    assert (summary["mcs_qlike"].dropna() == 1).all()
    for kind in ("crps", "qlike", "point"):
        assert (summary[f"p_{kind}_holm"] == 1).all()


@pytest.mark.filterwarnings("error")
def test_an_infinite_variance_costs_infinity_and_wins_nothing():
    models = {"Heavy": Wide(df=1.5), "Drift": Drift()}
    summary = walk_forward(models, HISTORIES, 1).summary
    heavy = summary[summary["model"] == "Heavy"]
    assert (heavy["qlike"] == np.inf).all() and heavy["mcs_qlike"].isna().all()
    assert (heavy["p_qlike_holm"] == 1).all()
    others = summary[summary["model"] != "Heavy"]
    assert np.isfinite(others[["qlike", "dm_qlike"]]).all(axis=None)


def test_two_jobs_find_what_one_finds(verdict):
    again = walk_forward(MODELS, HISTORIES, FOLDS, range(SEEDS), jobs=2)
    pd.testing.assert_frame_equal(again.scores, verdict.scores)
    pd.testing.assert_frame_equal(again.summary, verdict.summary)
