"""What forecasts cost: losses by ticker, scores by fold, their summary."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd

from forecasting.baselines import BASELINES
from forecasting.features import log_close
from forecasting.forecast import Forecast
from forecasting.settings import STUDY, Settings
from forecasting.significance import diebold_mariano, holm
from forecasting.windows import Dates, before, fold_origins, make_targets

INTERVALS = (50, 80, 95)  # central ones, in percent
ENSEMBLE = "ensemble"  # its name in the column seed
POOLED = "pooled"  # its name in the column ticker
KEYS = ["ticker", "model", "fold", "seed", "horizon"]
COVERS = [f"cover_{level}" for level in INTERVALS]

# One ticker's forecasts by model, fold and seed.
Forecasts = dict[tuple[str, int, int], Forecast]


class Verdict(NamedTuple):
    """``scores``: a row per ticker, model, fold, seed and horizon.

    ``summary``: a row per ticker (and pooled), model and horizon, over all
    folds, with the tests of significance.
    """

    scores: pd.DataFrame
    summary: pd.DataFrame


def judge(
    forecasts: Iterable[tuple[str, pd.DataFrame, Forecasts]],
    splits: list[Dates],
    calendar: pd.DatetimeIndex,
    settings: Settings = STUDY,
) -> Verdict:
    """Score every model on every ticker, RandomWalk among them.

    ``forecasts``: of one ticker after the other, with its history, for the
    reported horizons only. A ticker's losses are dropped once they are added
    up, so memory does not grow with tickers × origins. Rows of ticker
    "pooled" average the losses over tickers date by date, on the dates of
    ``calendar``; their Theil's U compares errors relative to each origin's
    close.
    """
    scores, summaries, total = [], [], None
    keys = ["seed", "model", "horizon", "date"]
    for ticker, prices, mine in forecasts:
        table = losses(prices, splits, mine, settings)
        models = table["model"].unique()
        scores.append(_score(ticker, table))
        summaries.append(_summarise(ticker, table))
        table = table[table["date"].isin(calendar)].set_index(keys)
        table = table.drop(columns=["fold", "squared"]).assign(tickers=1.0)
        total = table if total is None else total.add(table, fill_value=0.0)
    mean = total.div(total["tickers"], axis=0)
    pooled = mean.rename(columns={"relative": "squared"}).reset_index()
    pooled = pooled.set_index("model").loc[models].reset_index()
    summaries.insert(0, _summarise(POOLED, pooled))
    return Verdict(pd.concat(scores, ignore_index=True), _compare(summaries))


def losses(
    prices: pd.DataFrame,
    splits: list[Dates],
    forecasts: Forecasts,
    settings: Settings = STUDY,
) -> pd.DataFrame:
    """What each forecast of one ticker cost, a row per origin and horizon.

    A model's seeds also count as one ensemble. ``squared`` and ``absolute``
    errors of the close are in currency, ``relative`` is the squared error in
    units of the origin's close, ``scaled`` the absolute error over
    persistence's mean error on the training rows (Hyndman & Koehler 2006),
    ``crps`` in log return.
    """
    close, horizons = prices["Close"].to_numpy(), settings.reported
    targets = make_targets(log_close(prices), settings.horizons)
    targets = targets[:, [h - 1 for h in horizons]]
    members: dict = {}
    for (model, fold, seed), forecast in forecasts.items():
        members.setdefault((model, fold), {})[str(seed)] = forecast
    frames = []
    for (model, fold), by_seed in members.items():
        rows = fold_origins(prices, splits[fold])
        past = close[: len(before(prices, splits[fold], settings))]
        naive = [np.abs(past[h:] - past[:-h]).mean() for h in horizons]
        by_seed = {ENSEMBLE: Forecast.combine([*by_seed.values()])} | by_seed
        for seed, forecast in by_seed.items():
            columns = _costs(forecast, close[rows], targets[rows])
            columns["scaled"] = _ratio(columns["absolute"], np.array(naive))
            for k, h in enumerate(horizons):
                frame = pd.DataFrame(
                    {name: value[:, k] for name, value in columns.items()},
                    dtype=float,
                )
                frame.insert(0, "date", prices.index[rows])
                label = {"model": model, "fold": fold, "seed": seed}
                frame = frame.assign(**label, horizon=h)
                frames.append(frame[np.isfinite(targets[rows, k])])
    return pd.concat(frames, ignore_index=True)


def _costs(
    forecast: Forecast, close: np.ndarray, observed: np.ndarray
) -> dict[str, np.ndarray]:
    """Losses ``(origins, horizons)`` of one forecast, by name."""
    origin = close[:, None]
    predicted = forecast.close_quantile(0.5, close) - origin
    change = origin * np.expm1(observed)
    error = np.abs(change - predicted)
    off = np.abs(forecast.pit(observed) - 0.5)
    return {
        "squared": error**2,
        "absolute": error,
        "relative": (error / origin) ** 2,
        "crps": forecast.crps(observed),
        "up": change > 0,
        # "As today" is no forecast of the direction.
        "hit": np.where(predicted == 0, np.nan, predicted * change > 0),
    } | {f"cover_{level}": off <= level / 200 for level in INTERVALS}


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
        "hit_rate": mean["hit"],
    }
    return pd.DataFrame(columns).join(mean[COVERS]).reset_index()


def _summarise(
    ticker: str, table: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A ticker's summary by horizon and model, and its tests.

    The tests compare each ensemble's CRPS with that of every baseline (as
    only all tickers together tell which is the best), and its squared error
    with RandomWalk's.
    """
    keys = ["horizon", "model"]
    groups = table.groupby([*keys, "seed"], sort=False)
    mean = groups.mean(numeric_only=True)
    mean["theil_u"] = np.sqrt(_over_walk(mean["squared"]))
    mean["crps_vs_rw"] = _over_walk(mean["crps"])
    mean["majority_rate"] = np.maximum(mean["up"], 1 - mean["up"])
    mean.insert(0, "n", groups.size())
    single = mean.drop(index=ENSEMBLE, level="seed")
    spread = single.groupby(keys, sort=False)[["theil_u", "crps_vs_rw"]].std()
    out = mean.xs(ENSEMBLE, level="seed")
    out = out.join(spread.fillna(0.0).add_suffix("_sd"))
    columns = ["n", "theil_u", "theil_u_sd", "crps", "crps_vs_rw"]
    columns += ["crps_vs_rw_sd", "hit", "majority_rate", *COVERS]
    out = out[columns].rename(columns={"hit": "hit_rate"}).reset_index()
    out = out.sort_values("horizon", kind="stable", ignore_index=True)
    out.insert(0, "ticker", ticker)

    wide = table[table["seed"] == ENSEMBLE].pivot(
        index="date", columns=keys, values=["squared", "crps"]
    )
    tests = []
    for horizon, model in out[keys].itertuples(index=False):
        for rival in out["model"].unique():
            if rival not in BASELINES:
                continue
            row = {"horizon": horizon, "model": model, "against": rival}
            for kind, loss in [("crps", "crps"), ("point", "squared")]:
                if kind == "point" and rival != "RandomWalk":
                    continue
                pair = wide[loss][horizon][[model, rival]].dropna()
                test = diebold_mariano(*pair.to_numpy().T, horizon)
                row[f"dm_{kind}"], row[f"p_{kind}"] = test
            tests.append(row)
    return out, pd.DataFrame(tests).assign(ticker=ticker)


def _compare(
    summaries: list[tuple[pd.DataFrame, pd.DataFrame]],
) -> pd.DataFrame:
    """The summary of all tickers and pooled, with its tests.

    ``against`` is the baseline with the lowest pooled CRPS at that horizon
    (RandomWalk for a baseline); ``dm_crps`` < 0 means less CRPS than it,
    ``dm_point`` < 0 less squared error than RandomWalk. The ``p_holm``
    columns adjust over all tickers × horizons of a model.
    """
    out, tests = (
        pd.concat(part, ignore_index=True)
        for part in zip(*summaries, strict=True)
    )
    baseline = out["model"].isin(BASELINES)
    best = (
        out[baseline & (out["ticker"] == POOLED)]
        .sort_values("crps", kind="stable")
        .drop_duplicates("horizon")
        .set_index("horizon")["model"]
    )
    rival = out["horizon"].map(best)
    out["against"] = rival.where(~baseline, "RandomWalk")
    keys = ["ticker", "horizon", "model"]
    crps = tests[[*keys, "against", "dm_crps", "p_crps"]]
    point = tests.loc[
        tests["against"] == "RandomWalk", [*keys, "dm_point", "p_point"]
    ]
    out = out.merge(crps, on=[*keys, "against"]).merge(point, on=keys)
    family = [out["model"], out["ticker"] == POOLED]
    for kind in ("crps", "point"):
        groups = out[f"p_{kind}"].groupby(family, sort=False)
        out[f"p_{kind}_holm"] = groups.transform(holm)
    return out


def _over_walk(column: pd.Series) -> pd.Series:
    """Each value over RandomWalk's ensemble's on the same rows."""
    levels = ["model", "seed"]
    walk = column.xs(("RandomWalk", ENSEMBLE), level=levels)
    shared = column.index.droplevel(levels)
    return _ratio(column, walk.reindex(shared).to_numpy())


def _ratio(value, reference):
    """A quotient; NaN over zero, where a price did not move at all."""
    return value / np.where(reference == 0, np.nan, reference)
