"""Score what has matured, and compare models by a test for every day."""

from collections import Counter
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import scoringrules

from forecasting.evaluation.losses import INTERVALS, TAILS
from forecasting.evaluation.significance import confidence_sequence
from forecasting.ledger import days
from forecasting.ledger.days import COLUMNS, LEVELS
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
    on the origin's. Scores, in log return: ``crps``, twice the pinball loss
    integrated over the levels (Laio & Tamea 2007, eq. 3), so that outer
    levels count no more than their share; ``pit``, the level of what came;
    ``cover_…``, whether the central interval held it; ``pinball_…``.
    """
    forecasts = recorded.pivot(
        index=KEYS, columns="output_type_id", values="value"
    ).reindex(columns=LEVELS)
    table = forecasts.index.to_frame(index=False)
    moved, state = np.full(len(table), np.nan), np.full(len(table), "pending")
    groups = table.groupby("ticker").indices
    for ticker in groups.keys() & histories.keys():
        rows, close = groups[ticker], np.log(histories[ticker]["Close"])
        dates = table.loc[rows, ["origin_date", "target_end_date"]]
        start, end = (close.reindex(dates[c]).to_numpy() for c in dates)
        moved[rows] = end - start
        over = dates["target_end_date"] <= close.index[-1]
        state[rows] = np.where(over, "void", "pending")
    state[np.isfinite(moved)] = "scored"
    scores = _scores(moved, forecasts.to_numpy())
    return table.assign(state=state, **scores)


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
    stays as it was; one that has changed is named. Raises LedgerError where
    the file is damaged: nobody may be able to compute its scores again.
    """
    new = scores[scores["state"] == "scored"].drop(columns="state")
    new = new.set_index(KEYS)
    notes = []
    if path.exists():
        old = _kept(path)
        both = old.index.intersection(new.index)
        # A split alone moves the last of a CSV's decimals.
        apart = ~np.isclose(old["crps"][both], new["crps"][both], 0, 2e-6)
        changed = both[apart].to_frame(index=False)
        for ticker, dates in changed.groupby("ticker")["origin_date"]:
            notes.append(
                f"{ticker}: {len(dates)} scores from {dates.min().date()} on "
                "have changed; Yahoo has corrected a price"
            )
        new = pd.concat([new, old.loc[old.index.difference(new.index)]])
    return new.sort_index().reset_index(), notes


def _kept(path: Path) -> pd.DataFrame:
    """The scores of a file, by ``KEYS``."""
    try:
        content = path.read_bytes()
        old = days.parse(content)[[*KEYS, *SCORES]]
        old = old.astype(dict.fromkeys(KEYS[1:3], "datetime64[us]"))
        old = old.astype({"horizon": int} | dict.fromkeys(SCORES, float))
        old = old.set_index(KEYS)
        if old.index.has_duplicates or not content.endswith(b"\n"):
            raise ValueError("rows that are there twice, or cut")
        return old
    except (ValueError, KeyError) as error:
        raise days.LedgerError(
            f"{path}: not readable; {days.RESTORE} {path} (or remove it, and "
            "`score` makes it anew from the prices that can still be had)"
        ) from error


def crps_by_model(matured: pd.DataFrame) -> dict[int, pd.DataFrame]:
    """CRPS in percent of log return, by horizon: NaN where there is none.

    A row per origin's date and ticker, a column per model.
    """
    table = 100 * matured.pivot(
        index=["horizon", "origin_date", "ticker"],
        columns="model_id",
        values="crps",
    )
    found = {int(h): table.loc[h] for h in table.index.unique("horizon")}
    return {h: one.dropna(axis=1, how="all") for h, one in found.items()}


def daily_pair(table: pd.DataFrame, model: str, rival: str) -> pd.DataFrame:
    """Both models' mean CRPS over tickers, by date: columns model, rival.

    ``table``: of ``crps_by_model``. Only what both have forecast counts, so
    a third model that joins, leaves or fails changes nothing here.
    """
    pair = pd.DataFrame({"model": table[model], "rival": table[rival]})
    return pair.dropna().groupby("origin_date").mean()


def comparisons(recorded: pd.DataFrame) -> dict[tuple, float]:
    """Every (horizon, model, rival) that is looked at, and its share of ALPHA.

    Each model is compared with the random walk, each network with every
    baseline. Comparisons that begin on the same day, the first on which both
    are on record for a ticker, share equally in half of what is then left of
    ALPHA: 2.5 % on the first day, 1.25 % for the next to join, and so on. All
    add up to less than ALPHA, so all intervals hold at once (Bonferroni). A
    share is fixed on its first day, before any outcome is known: whoever
    joins or leaves later does not change it.
    """
    table = recorded.drop_duplicates(KEYS).pivot(
        index=["horizon", "origin_date", "ticker"],
        columns="model_id",
        values="day",
    )
    begins = {}
    for model, rival in product(
        table, table.columns.intersection([*BASELINES])
    ):
        if model != rival and (rival == WALK or model not in BASELINES):
            both = table[model][table[rival].notna()].dropna()
            for h, day in both.groupby("horizon").min().items():
                begins[h, model, rival] = day
    rounds = Counter(begins.values())
    left = {day: ALPHA / 2**n for n, day in enumerate(sorted(rounds), 1)}
    return {key: left[day] / rounds[day] for key, day in begins.items()}


def best_baseline(table: pd.DataFrame) -> str:
    """The model without a network that does best beside the random walk.

    ``table``: of ``crps_by_model``. Of those with a score on the latest date
    and on half of all dates: no newcomer, and no model long gone.
    """
    counts = table.groupby("origin_date").count().gt(0)
    lasting = counts.iloc[-1] & (counts.mean() >= 0.5)
    ratios = {WALK: 1.0}
    for name in table.columns.intersection([*BASELINES]):
        pair = daily_pair(table, name, WALK).mean()
        if lasting[name] and pair["model"] < pair["rival"]:
            ratios[name] = pair["model"] / pair["rival"]
    return min(ratios, key=lambda name: ratios[name])


def summarise(matured: pd.DataFrame, recorded: pd.DataFrame) -> pd.DataFrame:
    """The running record by horizon and model.

    Means over the ``days`` with a score of the model, and tickers on each;
    ``crps`` in percent of log return. ``vs_rw`` and ``vs_best``: CRPS over
    the random walk's and over that of the baseline ``best``, on the
    ``days_rw`` and ``days_best`` that both have; ``low`` to ``high``: the
    confidence sequence of their difference. All ``comparisons`` hold at
    once, so the best rival may be chosen by looking.
    """
    alphas = comparisons(recorded)
    by_day = matured.groupby(["horizon", "model_id", "origin_date"])[SCORES]
    means = by_day.mean().groupby(["horizon", "model_id"]).mean()
    rows: dict = {}
    for h, table in crps_by_model(matured).items():
        best = best_baseline(table)
        for model in map(str, table):
            own = daily_pair(table, model, model)
            row = rows[h, model] = {"days": len(own), "best": best}
            row |= means.loc[(h, model), SCORES[2:]].to_dict()
            row["crps"] = own["model"].mean()
            for name, rival in [("rw", WALK), ("best", best)]:
                pair = daily_pair(table, model, rival)
                low, high = np.nan, np.nan
                alpha = alphas.get((h, model, rival))
                if len(pair) and alpha:
                    gaps = (pair["model"] - pair["rival"]).to_numpy()
                    low, high = confidence_sequence(gaps, h, alpha)
                row[f"days_{name}"] = len(pair)
                row[f"vs_{name}"] = pair["model"].mean() / pair["rival"].mean()
                row[f"low_{name}"], row[f"high_{name}"] = low, high
    summary = pd.DataFrame(rows).T.rename_axis(["horizon", "model"])
    return summary.infer_objects().sort_values(["horizon", "vs_rw"])
