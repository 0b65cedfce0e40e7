"""What forecasts cost: losses, scores by fold and seed, their summary."""

import numpy as np
import pandas as pd

from forecasting.baselines import BASELINES
from forecasting.features import log_close
from forecasting.forecast import Forecast
from forecasting.significance import diebold_mariano, holm
from forecasting.windows import HORIZONS, Dates, fold_origins, make_targets

REPORTED = (1, 5, 20)  # horizons in every table
LEVELS = (50, 80, 95)  # central intervals, in percent
ENSEMBLE = "ensemble"  # its name in the column seed
POOLED = "pooled"  # its name in the column ticker
KEYS = ["ticker", "model", "fold", "seed", "horizon"]


def losses(
    ticker: str,
    prices: pd.DataFrame,
    splits: list[Dates],
    forecasts: dict[tuple[str, int, int], Forecast],
) -> pd.DataFrame:
    """What each forecast of one ticker cost, a row per origin and horizon.

    ``forecasts``: by model, fold and seed; a model's seeds also count as
    one ensemble. ``squared`` and ``absolute`` errors of the close are in
    currency, ``relative`` is the squared error in units of the origin's
    close, ``scaled`` the absolute error over persistence's mean error on
    the training rows (Hyndman & Koehler 2006), ``crps`` in log return.
    """
    close = prices["Close"].to_numpy()
    ahead = make_targets(log_close(prices), HORIZONS)
    members = {}
    for (name, fold, seed), forecast in forecasts.items():
        members.setdefault((name, fold), {})[seed] = forecast
    frames = []
    for (name, fold), by_seed in members.items():
        rows = fold_origins(prices, splits[fold])
        origin = close[rows][:, None]
        past = close[: len(prices.loc[: splits[fold].fit_end])]
        ensemble = Forecast.combine(list(by_seed.values()))
        for seed, forecast in [(ENSEMBLE, ensemble), *by_seed.items()]:
            called = forecast.close_quantile(0.5, close[rows]) - origin
            moved = origin * np.expm1(ahead[rows])
            error = np.abs(moved - called)
            columns = {
                "squared": error**2,
                "absolute": error,
                "relative": (error / origin) ** 2,
                "crps": forecast.crps(ahead[rows]),
                "up": moved > 0,
                # "As today" is no call on the direction.
                "hit": np.where(called == 0, np.nan, called * moved > 0),
            }
            off = np.abs(forecast.pit(ahead[rows]) - 0.5)
            for level in LEVELS:
                columns[f"cover_{level}"] = off <= level / 200
            for h in REPORTED:
                naive = np.abs(past[h:] - past[:-h]).mean()
                frame = pd.DataFrame(
                    {key: value[:, h - 1] for key, value in columns.items()},
                    dtype=float,
                )
                frame["scaled"] = frame["absolute"] / naive
                frame.insert(0, "date", prices.index[rows])
                frame = frame[np.isfinite(ahead[rows, h - 1])]
                label = [ticker, name, fold, str(seed), h]
                frames.append(
                    frame.assign(**dict(zip(KEYS, label, strict=True)))
                )
    return pd.concat(frames, ignore_index=True)


def scores(table: pd.DataFrame) -> pd.DataFrame:
    """The verdict: mean losses by ticker, model, fold, seed and horizon."""
    groups = table.groupby(KEYS, sort=False)
    mean = groups.mean(numeric_only=True)
    out = pd.DataFrame(
        {
            "n": groups.size(),
            "rmse": np.sqrt(mean["squared"]),
            "mae": mean["absolute"],
            "mase": mean["scaled"],
        }
    )
    reference = _of_random_walk(out["rmse"])
    out["theil_u"] = out["rmse"] / reference
    out["crps"] = mean["crps"]
    out["crps_vs_rw"] = out["crps"] / _of_random_walk(out["crps"])
    out["hit_rate"] = mean["hit"]
    covers = [f"cover_{level}" for level in LEVELS]
    return out.join(mean[covers]).reset_index()


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """All folds together, with significance: a row per ticker and model.

    Rows of ticker "pooled" average the losses over tickers date by date;
    their Theil's U compares errors relative to each origin's close.
    ``against`` is the baseline with the lowest pooled CRPS at that horizon
    (RandomWalk for a baseline); ``dm_crps`` < 0 means less CRPS than it,
    ``dm_point`` < 0 less squared error than RandomWalk. The ``p_holm``
    columns adjust over all tickers × horizons of a model.
    """
    mean = table.groupby(["seed", "model", "horizon", "date"], sort=False)
    pooled = mean.mean(numeric_only=True).reset_index()
    pooled = pooled.assign(ticker=POOLED, squared=pooled["relative"])
    both = pd.concat([pooled, table])
    rows = [
        _summary(ticker, horizon, group)
        for (ticker, horizon), group in both.groupby(
            ["ticker", "horizon"], sort=False
        )
    ]
    out = pd.concat(rows, ignore_index=True)
    best = (
        out[out["model"].isin(BASELINES) & (out["ticker"] == POOLED)]
        .sort_values("crps")
        .drop_duplicates("horizon")
        .set_index("horizon")["model"]
    )
    rival = out["horizon"].map(best)
    out["against"] = rival.where(~out["model"].isin(BASELINES), "RandomWalk")
    wide = (
        both[both["seed"] == ENSEMBLE]
        .set_index(["ticker", "horizon", "model", "date"])[["squared", "crps"]]
        .sort_index()
    )
    for row in out.index:
        ticker, horizon, model, rival = out.loc[
            row, ["ticker", "horizon", "model", "against"]
        ]
        series = wide.loc[(ticker, horizon)]
        for kind, loss, other in [
            ("crps", "crps", rival),
            ("point", "squared", "RandomWalk"),
        ]:
            statistic, p = diebold_mariano(
                series.loc[model, loss], series.loc[other, loss], horizon
            )
            out.loc[row, [f"dm_{kind}", f"p_{kind}"]] = statistic, p
    family = [out["model"], out["ticker"] == POOLED]
    for kind in ("crps", "point"):
        out[f"p_{kind}_holm"] = (
            out[f"p_{kind}"].groupby(family, sort=False).transform(holm)
        )
    return out


def _of_random_walk(column: pd.Series) -> np.ndarray:
    """For each row of a score table, RandomWalk's value on the same rows."""
    frame = column.rename("value").reset_index()
    shared = [key for key in ("ticker", "fold", "horizon") if key in frame]
    walk = frame[(frame["model"] == "RandomWalk") & (frame["seed"] == "0")]
    walk = walk.set_index(shared)["value"]
    return walk.loc[frame.set_index(shared).index].to_numpy()


def _summary(ticker: str, horizon: int, group: pd.DataFrame) -> pd.DataFrame:
    """Scores of every model on one ticker (or pooled) and horizon."""
    by_seed = group.groupby(["model", "seed"], sort=False)
    mean = by_seed.mean(numeric_only=True)
    walk = mean.loc[("RandomWalk", ENSEMBLE)]
    mean["theil_u"] = np.sqrt(mean["squared"] / walk["squared"])
    mean["crps_vs_rw"] = mean["crps"] / walk["crps"]
    mean["majority_rate"] = np.maximum(mean["up"], 1 - mean["up"])
    single = mean.drop(index=ENSEMBLE, level="seed")
    spread = single.groupby("model", sort=False)[["theil_u", "crps_vs_rw"]]
    out = mean.xs(ENSEMBLE, level="seed").join(
        spread.std().fillna(0.0).add_suffix("_sd")
    )
    out.insert(0, "n", by_seed.size().xs(ENSEMBLE, level="seed"))
    columns = ["n", "theil_u", "theil_u_sd", "crps", "crps_vs_rw"]
    columns += ["crps_vs_rw_sd", "hit", "majority_rate"]
    columns += [f"cover_{level}" for level in LEVELS]
    out = out[columns].rename(columns={"hit": "hit_rate"}).reset_index()
    out.insert(0, "ticker", ticker)
    out.insert(2, "horizon", horizon)
    return out
