"""What forecasts are worth: scores by fold, their summary with its tests."""

from collections.abc import Iterable
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd

from forecasting.evaluation.losses import (
    ENSEMBLE,
    INTERVALS,
    TAILS,
    Forecasts,
    losses,
    ratio,
)
from forecasting.evaluation.significance import (
    christoffersen,
    confidence_set,
    daily_coverage,
    diebold_mariano,
    gain_interval,
    holm,
    kupiec,
    same,
)
from forecasting.models.registry import BASELINES
from forecasting.settings import STUDY, Settings
from forecasting.windows import Dates

POOLED = "pooled"  # its name in the column ticker
KEYS = ["ticker", "model", "fold", "seed", "horizon"]
COVERS = [f"cover_{level}" for level in INTERVALS]
BREACHES = [f"var_{level}" for level in TAILS]
QUANTILES = [f"quantile_{level}" for level in TAILS]
# What each kind of Diebold–Mariano test compares, and against whom: the
# column that names the rival.
COMPARED = {"crps": "crps", "qlike": "qlike", "point": "squared"}
AGAINST = {"crps": "against", "qlike": "against_qlike"}


# Why a model has no forecasts, by its name, ticker and fold.
Failures = dict[tuple[str, str, int], str]


class Verdict(NamedTuple):
    """``scores``: a row per ticker, model, fold, seed and horizon.

    ``summary``: a row per ticker (and pooled), model and horizon, over all
    folds, with the tests of significance. ``failed``: what they lack.
    """

    scores: pd.DataFrame
    summary: pd.DataFrame
    failed: Failures = {}


def judge(
    forecasts: Iterable[tuple[str, pd.DataFrame, Forecasts]],
    splits: list[Dates],
    calendar: pd.DatetimeIndex,
    settings: Settings = STUDY,
) -> Verdict:
    """Score every model on every ticker, RandomWalk among them.

    A ticker's losses are dropped once they are added up, so their memory does
    not grow with tickers × origins. Rows of ticker "pooled" average the
    losses over tickers date by date, on the dates of ``calendar``; their
    Theil's U compares errors relative to each origin's close.

    A model that lacks a ticker or a fold is compared with the complete ones
    on the rows that it has. It changes no other model's row, and is nobody's
    rival.

    Parameters
    ----------
    forecasts
        Of each ticker: its name, its history and its forecasts, for the
        reported horizons only.
    splits
        The test folds, as ``walk_forward_dates`` cuts them.
    calendar
        The dates of the pooled rows, as ``joint_calendar`` has them.
    settings
        The rows and horizons.

    Returns
    -------
    Verdict
        Scores and their summary.
    """
    forecasts = list(forecasts)
    # Where each model has forecasts: (ticker, fold).
    covered: dict[str, set] = {}
    for ticker, _, mine in forecasts:
        for model, fold, _ in mine:
            covered.setdefault(model, set()).add((ticker, fold))
    every = covered["RandomWalk"]
    partial = {m: rows for m, rows in covered.items() if rows != every}
    scores, summaries = [], []
    pools: dict[str | None, tuple] = {}
    for ticker, prices, mine in forecasts:
        table = losses(prices, splits, mine, settings)
        scores.append(_score(ticker, table))
        found = []
        for chosen in (None, *partial):
            part = _common(table, ticker, partial, chosen)
            if not part.empty:
                found.append(_summarise(ticker, part, chosen))
                part = part[part["date"].isin(calendar)]
                pools[chosen] = _add(pools.get(chosen), part)
        summaries.append(_joined(found))
    found = [_summarise(POOLED, _mean(*pools[c]), c) for c in pools]
    summaries.insert(0, _joined(found))
    table = pd.concat(scores, ignore_index=True)
    return Verdict(table, _compare(summaries, [*partial]))


def _common(
    table: pd.DataFrame,
    ticker: str,
    partial: dict[str, set],
    chosen: str | None,
) -> pd.DataFrame:
    """Losses of the complete models; or of one that is not, and of those
    where it has any.
    """
    others = partial.keys() - {chosen}
    part = table[~table["model"].isin(others)] if others else table
    if chosen is None:
        return part
    folds = [fold for mine, fold in partial[chosen] if mine == ticker]
    return part[part["fold"].isin(folds)]


def _add(
    so_far: tuple | None, table: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """One ticker's losses added to the total, their number, the models."""
    models = table["model"].unique()
    table = table.set_index(["seed", "model", "horizon", "date"])
    table = table.drop(columns=["fold", "squared"])
    # Counted by column: a model may say a direction of some tickers only.
    there = table.notna().astype(float)
    if so_far is None:
        return table, there, models
    total, count, _ = so_far
    total = total.add(table, fill_value=0.0)
    return total, count.add(there, fill_value=0.0), models


def _mean(
    total: pd.DataFrame, count: pd.DataFrame, models: np.ndarray
) -> pd.DataFrame:
    """Losses averaged over tickers, date by date."""
    mean = (total / count).rename(columns={"relative": "squared"})
    return mean.reset_index().set_index("model").loc[models].reset_index()


def _joined(
    found: list[tuple[pd.DataFrame, pd.DataFrame]],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Summaries of one ticker's models, and their comparisons, as one."""
    out, tests = (
        pd.concat(each, ignore_index=True) for each in zip(*found, strict=True)
    )
    out = out.sort_values("horizon", kind="stable", ignore_index=True)
    return out, tests


def _score(ticker: str, table: pd.DataFrame) -> pd.DataFrame:
    """Mean losses of one ticker by model, fold, seed and horizon."""
    groups = table.assign(ticker=ticker).groupby(KEYS, sort=False)
    mean = groups.mean(numeric_only=True)
    rmse, crps = np.sqrt(mean["squared"]), mean["crps"]
    columns = {
        "n": groups.size(),
        "rmse": rmse,
        "mae": mean["absolute"],
        "mase": mean["scaled"],
        "theil_u": _over_walk(rmse),
        "crps": crps,
        "crps_vs_rw": _over_walk(crps),
        "qlike": mean["qlike"],
        "log_score": mean["log_score"],
        "hit_rate": mean["hit"],
    }
    out = pd.DataFrame(columns).join(mean[[*COVERS, *BREACHES]])
    return out.reset_index()


def _summarise(
    ticker: str, table: pd.DataFrame, chosen: str | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A ticker's summary by horizon and model, and its comparisons.

    ``chosen``: the one model whose rows are kept.
    """
    keys = ["horizon", "model"]
    groups = table.groupby([*keys, "seed"], sort=False)
    mean = groups.mean(numeric_only=True)
    mean["theil_u"] = np.sqrt(_over_walk(mean["squared"]))
    mean["crps_vs_rw"] = _over_walk(mean["crps"])
    # The hit rate of always saying the better one of the two directions.
    mean["majority_rate"] = mean[["up", "down"]].max(axis=1)
    mean.insert(0, "n", groups.size())
    single = mean.drop(index=ENSEMBLE, level="seed")
    spread = single.groupby(keys, sort=False)[["theil_u", "crps_vs_rw"]].std()
    out = mean.xs(ENSEMBLE, level="seed")
    out = out.join(spread.fillna(0.0).add_suffix("_sd"))
    columns = ["n", "theil_u", "theil_u_sd", "crps", "crps_vs_rw"]
    columns += ["crps_vs_rw_sd", "qlike", "log_score", "hit", "majority_rate"]
    out = out[[*columns, *COVERS, *BREACHES, *QUANTILES]]
    daily = table[table["seed"] == ENSEMBLE].pivot(
        index="date", columns=keys, values=[*COMPARED.values(), *BREACHES]
    )
    out = out.join(_tails(daily, ticker == POOLED))
    if ticker == POOLED:
        out = out.join(_confidence_sets(daily))
    out = out.rename(columns={"hit": "hit_rate"}).reset_index()
    out.insert(0, "ticker", ticker)
    tests = _comparisons(daily).assign(ticker=ticker)
    if chosen is None:
        return out, tests
    # On fewer rows, nothing is the same as another's.
    tests[[f"as_{kind}" for kind in COMPARED]] = chosen
    return out[out["model"] == chosen], tests[tests["model"] == chosen]


def _tails(daily: pd.DataFrame, pooled: bool) -> pd.DataFrame:
    """p-values of the breaches of value at risk, by horizon and model.

    One session ahead only, as breaches of overlapping horizons depend on
    each other. So do those of several stocks on one date: pooled rows test
    the daily shares of breaches, and not whether days depend on each other.
    """
    rows: dict = {}
    for model in daily[BREACHES[0]][1]:
        rows[1, model] = row = {}
        for name, test in [
            ("kupiec", daily_coverage if pooled else kupiec),
            ("christoffersen", None if pooled else christoffersen),
        ]:
            for level in TAILS:
                share = daily[f"var_{level}"][1][model].dropna().to_numpy()
                p = test(share, level / 100)[1] if test else np.nan
                row[f"{name}_{level}"] = p
    return pd.DataFrame(rows).T.rename_axis(["horizon", "model"])


def _confidence_sets(daily: pd.DataFrame) -> pd.DataFrame:
    """p-values of the model confidence sets, by horizon and model."""
    return pd.DataFrame(
        {
            f"mcs_{kind}": pd.concat(
                {
                    h: confidence_set(daily[kind][h].dropna(), h)
                    for h in daily.columns.unique("horizon")
                }
            )
            for kind in AGAINST
        }
    ).rename_axis(["horizon", "model"])


def _comparisons(daily: pd.DataFrame) -> pd.DataFrame:
    """Every model against every baseline, by Diebold–Mariano.

    Every one, as only all tickers together tell which is the best. ``as_…``
    names the first model with the same losses.
    """
    tests: dict = {}
    for kind, loss in COMPARED.items():
        for horizon in daily.columns.unique("horizon"):
            known = daily[loss][horizon].dropna()
            cost = {model: known[model].to_numpy() for model in known}
            first = {
                model: next(m for m in cost if same(mine, cost[m]))
                for model, mine in cost.items()
            }
            for model, rival in product(cost, BASELINES):
                if rival in cost:
                    row = tests.setdefault((horizon, model, rival), {})
                    pair = cost[model], cost[rival]
                    dm, row[f"p_{kind}"] = diebold_mariano(*pair, horizon)
                    row[f"dm_{kind}"], row[f"as_{kind}"] = dm, first[model]
                    row |= zip(
                        _gain(kind), gain_interval(*pair, dm), strict=True
                    )
    table = pd.DataFrame(tests).T.infer_objects()
    return table.rename_axis(["horizon", "model", "rival"]).reset_index()


def _compare(
    summaries: list[tuple[pd.DataFrame, pd.DataFrame]], partial: list[str]
) -> pd.DataFrame:
    """The summary of all tickers and pooled, with its tests.

    ``against`` is the complete baseline with the lowest pooled CRPS at that
    horizon (``partial`` names the models that are not complete),
    ``against_qlike`` the one with the lowest QLIKE (RandomWalk for a
    baseline). ``dm_crps`` and ``dm_qlike`` < 0 mean a lower loss than its,
    ``dm_point`` < 0 less squared error than RandomWalk; ``gain_…`` says by
    how many per cent, ``low_…`` and ``high_…`` its 95 % interval.

    The ``p_…_holm`` columns adjust over a family: of one kind of loss, all
    models that are no baselines × tickers × horizons. The pooled rows of
    these models × horizons are a family of their own, and so are the
    baselines' two; RandomWalk, compared with itself, counts in none. Models
    of a family with the same losses are one hypothesis, and count once.
    """
    out, tests = (
        pd.concat(part, ignore_index=True)
        for part in zip(*summaries, strict=True)
    )
    baseline, pooled = out["model"].isin(BASELINES), out["ticker"] == POOLED
    family = [baseline, out["model"] == "RandomWalk", pooled]
    keys = ["ticker", "horizon", "model"]
    for kind in COMPARED:
        out["rival"] = "RandomWalk"
        if kind in AGAINST:
            whole = baseline & pooled & ~out["model"].isin(partial)
            ranked = out[whole].sort_values(kind, kind="stable")
            best = ranked.drop_duplicates("horizon").set_index("horizon")
            rival = out["horizon"].map(best["model"])
            out["rival"] = rival.where(~baseline, "RandomWalk")
            out[AGAINST[kind]] = out["rival"]
        columns = [f"dm_{kind}", f"p_{kind}", *_gain(kind)]
        found = tests[[*keys, "rival", *columns, f"as_{kind}"]]
        out = out.merge(found, "left").drop(columns="rival")
    for kind in COMPARED:
        by = [*family, out["ticker"], out["horizon"], out.pop(f"as_{kind}")]
        distinct = out[f"p_{kind}"].groupby(by, sort=False).first()
        adjusted = distinct.groupby(level=[0, 1, 2]).transform(holm)
        every = adjusted.reindex(pd.MultiIndex.from_arrays(by))
        out[f"p_{kind}_holm"] = every.to_numpy()
    return out


def _gain(kind: str) -> list[str]:
    """Columns of a comparison in per cent, with its interval."""
    return [f"gain_{kind}", f"low_{kind}", f"high_{kind}"]


def _over_walk(column: pd.Series) -> pd.Series:
    """Each value over RandomWalk's ensemble's on the same rows."""
    levels = ["model", "seed"]
    walk = column.xs(("RandomWalk", ENSEMBLE), level=levels)
    shared = column.index.droplevel(levels)
    return ratio(column, walk.reindex(shared).to_numpy())
