"""Score what has matured, and compare models by a test for every day."""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import scoringrules

from forecasting.evaluation.losses import INTERVALS, TAILS
from forecasting.evaluation.significance import confidence_sequence
from forecasting.ledger.days import COLUMNS, LEVELS, parse
from forecasting.models.registry import BASELINES

WALK = "RandomWalk"
KEYS = COLUMNS[:5]  # what a forecast is: all but its quantiles
COVERS = [f"cover_{level}" for level in INTERVALS]
PINBALLS = [f"pinball_{level}" for level in TAILS]
SCORES = ["crps", "pit", *COVERS, *PINBALLS]
ALPHA = 0.05  # of all comparisons together
# What each level stands for: all between the middles to its neighbours.
EDGES = (np.array(LEVELS[:-1]) + LEVELS[1:]) / 2
WIDTHS = np.diff([0, *EDGES, 1])


def score(
    recorded: pd.DataFrame, histories: dict[str, pd.DataFrame]
) -> pd.DataFrame:
    """What each forecast on record was worth: ``KEYS``, state and scores.

    ``state``: "scored"; "pending", while the history does not reach the
    target's date; "void" where it goes on but has no close on that date or
    on the origin's: an exchange was closed, a bar was taken back. Scores, in
    log return: ``crps``, twice the pinball loss of the quantiles, integrated
    over their levels (Laio & Tamea 2007, eq. 3; beside the weighted interval
    score, its mean, outer levels do not count more than their share),
    ``pit``, the level of what came, ``cover_…``, whether the central
    interval held it, and ``pinball_…`` of single quantiles.
    """
    forecasts = recorded.pivot(
        index=KEYS, columns="output_type_id", values="value"
    ).reindex(columns=LEVELS)
    table = forecasts.index.to_frame(index=False)
    moved, state = np.full(len(table), np.nan), np.full(len(table), "pending")
    for ticker, rows in table.groupby("ticker").indices.items():
        if ticker not in histories:
            continue
        close = np.log(histories[ticker]["Close"])
        dates = table.loc[rows, ["origin_date", "target_end_date"]]
        start, end = (close.reindex(dates[c]).to_numpy() for c in dates)
        moved[rows] = end - start
        over = dates["target_end_date"] <= close.index[-1]
        state[rows] = np.where(over, "void", "pending")
    state[np.isfinite(moved)] = "scored"
    quantiles = forecasts.to_numpy()
    return table.assign(state=state, **_scores(moved, quantiles))


def _scores(moved: np.ndarray, quantiles: np.ndarray) -> dict:
    """Scores of ``quantiles (n, levels)`` where ``moved (n,)`` came.

    NaN where it has not.
    """
    levels, known = np.array(LEVELS), np.isfinite(moved)
    # Beyond the outer quantiles only the side is known.
    tail = levels[0] / 2
    pit = [
        np.interp(y, q, levels, left=tail, right=1 - tail)
        for y, q in zip(moved, quantiles, strict=True)
    ]
    loss = scoringrules.quantile_score(moved[:, None], quantiles, levels)
    out = {"crps": 2 * loss @ WIDTHS, "pit": np.where(known, pit, np.nan)}
    at = {level: quantiles[:, k] for k, level in enumerate(LEVELS)}
    for percent in INTERVALS:
        side = (100 - percent) / 200
        low, high = at[side], at[round(1 - side, 3)]
        inside = (low <= moved) & (moved <= high)
        out[f"cover_{percent}"] = np.where(known, inside, np.nan)
    for percent in TAILS:
        out[f"pinball_{percent}"] = scoringrules.quantile_score(
            moved, at[percent / 100], percent / 100
        )
    return out


def keep(scores: pd.DataFrame, path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Bring the file of matured scores up to date; it, and what to notice.

    A score that cannot be computed again, as its ticker's prices are gone,
    stays as it was. One that has changed is named: Yahoo has corrected its
    prices.
    """
    new = scores[scores["state"] == "scored"].drop(columns="state")
    new = new.set_index(KEYS)
    notes = []
    if path.exists():
        old = parse(path.read_bytes()).set_index(KEYS)
        both = old.index.intersection(new.index)
        # A split alone moves the last of a CSV's decimals.
        apart = ~np.isclose(old["crps"][both], new["crps"][both], 0, 2e-6)
        changed = both[apart].to_frame(index=False)
        for ticker, rows in changed.groupby("ticker"):
            first = rows["origin_date"].min().date()
            notes.append(
                f"{ticker}: {len(rows)} scores from {first} on have changed; "
                "Yahoo has corrected a price"
            )
        new = pd.concat([new, old.loc[old.index.difference(new.index)]])
    return new.sort_index().reset_index(), notes


def daily(matured: pd.DataFrame) -> dict[int, pd.DataFrame]:
    """CRPS by horizon: models as columns, a row per origin's date.

    In percent of log return, averaged over tickers; only what every model
    has forecast.
    """
    table = matured.pivot(
        index=["horizon", "origin_date", "ticker"],
        columns="model_id",
        values="crps",
    )
    mean = 100 * table.dropna().groupby(["horizon", "origin_date"]).mean()
    return {int(h): mean.loc[h] for h in mean.index.unique("horizon")}


def comparisons(costs: dict[int, pd.DataFrame]) -> list[tuple]:
    """Every (horizon, model, rival) that is looked at.

    Each model beside the random walk, each network beside every baseline.
    """
    return [
        (h, model, rival)
        for h, table in costs.items()
        for model, rival in product(table, table)
        if rival in BASELINES
        and model != rival
        and (rival == WALK or model not in BASELINES)
    ]


def summarise(matured: pd.DataFrame) -> pd.DataFrame:
    """The running record by horizon and model.

    ``days``: origins' dates; means of all scores; ``vs_rw`` and ``vs_best``:
    CRPS over the random walk's and the best baseline's, whose name is
    ``best``; then the mean differences, ``low`` to ``high`` of their
    confidence sequences, in percent of log return. The sequences hold for
    all comparisons at once (Bonferroni), so the best rival may be chosen by
    looking.
    """
    costs = daily(matured)
    looked = comparisons(costs)
    alpha = ALPHA / max(len(looked), 1)
    means = matured.groupby(["horizon", "model_id"])[SCORES].mean()
    rows: dict = {}
    for h, table in costs.items():
        mean = table.mean()
        known = [m for m in table if m in BASELINES]
        best = mean[known].idxmin()
        for model in mean.sort_values().index:
            row = rows[h, model] = {"days": len(table), "best": best}
            row |= means.loc[(h, model), SCORES[2:]].to_dict()
            row["crps"] = mean[model]
            for name, rival in [("rw", WALK), ("best", best)]:
                row[f"vs_{name}"] = mean[model] / mean[rival]
                low, high = np.nan, np.nan
                if (h, model, rival) in looked:
                    low, high = confidence_sequence(
                        (table[model] - table[rival]).to_numpy(), h, alpha
                    )
                row[f"low_{name}"], row[f"high_{name}"] = low, high
    index = ["horizon", "model"]
    return pd.DataFrame(rows).T.rename_axis(index).infer_objects()
