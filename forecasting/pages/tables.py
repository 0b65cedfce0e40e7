"""Tables and sentences of the predictor, made from a verdict."""

import re
from itertools import product

import numpy as np
import pandas as pd

from forecasting.evaluation.significance import diebold_mariano, holm
from forecasting.evaluation.verdict import POOLED
from forecasting.models.base import Forecast
from forecasting.windows import Dates

QUANTILES = {
    "q025": 0.025,
    "q10": 0.1,
    "q25": 0.25,
    "q50": 0.5,
    "q75": 0.75,
    "q90": 0.9,
    "q975": 0.975,
}


def verdict_table(summary: pd.DataFrame, ticker: str) -> pd.DataFrame:
    """Theil's U, CRPS ratios and coverage of one ticker, a row per model."""
    rows = summary[summary["ticker"] == ticker]
    cells = {}
    for label, key, horizon in [
        ("U 1", "theil_u", 1),
        ("CRPS 1", "crps_vs_rw", 1),
        ("CRPS 5", "crps_vs_rw", 5),
        ("CRPS 20", "crps_vs_rw", 20),
    ]:
        at = rows[rows["horizon"] == horizon].set_index("model")
        spread = at[f"{key}_sd"].map(_plus_minus)
        cells[label] = at[key].map("{:.3f}".format) + spread
    at = rows[rows["horizon"] == 1].set_index("model")
    cells["80 % holds"] = at["cover_80"].map("{:.0%}".format)
    return pd.DataFrame(cells).loc[rows["model"].unique()]


def in_words(summary: pd.DataFrame, ticker: str, model: str) -> list[str]:
    """A model's CRPS beside the best classical model's, a line per horizon.

    With p-values as adjusted by Holm; below 0.05 counts as reliable.
    """
    chosen = (summary["ticker"] == ticker) & (summary["model"] == model)
    lines = []
    for row in summary[chosen].itertuples():
        sign = "lower" if row.dm_crps < 0 else "higher"
        sure = "reliably" if row.p_crps_holm < 0.05 else "not reliably"
        lines.append(
            f"{model}, {row.horizon} ahead: CRPS {sure} {sign} than "
            f"{row.against}'s (DM {row.dm_crps:+.1f}, {p_is(row.p_crps_holm)})"
        )
    return lines


def literal(name: str) -> str:
    """A name, of a file for example, as Markdown that shows it as it is."""
    name = re.sub(r"\s+", " ", name)
    return re.sub(r"([!-,/:-@[-`{-~])", r"\\\1", name)


def p_value(p: float) -> str:
    """A p-value with three decimals."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def p_is(p: float) -> str:
    """A p-value within a sentence."""
    return f"p {p_value(p)}" if p < 0.001 else f"p = {p_value(p)}"


def beside(
    joint: dict[str, Forecast],
    observed: np.ndarray,
    models: list[str],
    rival: str,
    horizons: tuple[int, ...],
) -> pd.DataFrame:
    """CRPS of some models beside one rival's, a row per model and horizon.

    ``joint``: forecasts by model; ``observed (origins, H)``: log returns.
    Columns: the difference in percent, Diebold–Mariano's statistic, and p
    adjusted by Holm for all rows together.
    """
    cost = {name: joint[name].crps(observed) for name in [*models, rival]}
    rows = {}
    for name, h in product(models, horizons):
        known = np.isfinite(observed[:, h - 1])
        mine, its = (cost[x][known, h - 1] for x in (name, rival))
        dm, p = diebold_mariano(mine, its, h)
        rows[name, h] = [100 * (mine.mean() / its.mean() - 1), dm, p]
    table = pd.DataFrame(rows, ["CRPS (%)", "DM", "p"]).T
    table["p"] = holm(table["p"])
    return table.rename_axis(["model", f"ahead, against {rival}"])


def answer(
    verdict: pd.DataFrame,
    study: pd.DataFrame,
    beside: pd.DataFrame,
    ticker: str,
    dates: Dates,
) -> str:
    """The verdict on one stock in one box, as Markdown.

    ``verdict``: the summary of this stock, ``study``: the committed one,
    whose pooled rows are the headline that may fail here; ``beside``: the
    LSTM against ``Linear``.
    """
    mine = verdict[verdict["ticker"] == ticker]
    lstm = mine[mine["model"] == "LSTM"].set_index("horizon")
    best = mine.loc[mine.groupby("horizon")["crps"].idxmin()]
    gain = beside.loc["LSTM"]
    rows = {
        "lowest CRPS of all": best["model"],
        "LSTM's CRPS / the random walk's": lstm["crps_vs_rw"].map(
            "{:.3f}".format
        ),
        "LSTM's against `Linear`'s": gain["CRPS (%)"].map("{:+.2f} %".format),
        f"its p-value (Holm, {len(beside)} tests)": gain["p"].map(
            "{:.2f}".format
        ),
        "right about up or down": lstm["hit_rate"].map(_percent),
        "the commoner of the two": lstm["majority_rate"].map(_percent),
        "80 % interval holds": lstm["cover_80"].map(_percent),
    }
    days = dates.test_start, dates.test_end
    span = " to ".join(f"{day.day} {day:%B %Y}" for day in days)
    head = [
        f"{literal(ticker)}, {span}, sessions ahead:",
        *map(str, lstm.index),
    ]
    lines = [head, ["---"] * len(head)]
    lines += [[name, *map(str, cells)] for name, cells in rows.items()]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    beaten = best.loc[best["model"] != "LSTM", "horizon"]
    return f"{table}\n\n{_headline(lstm, beaten, study, ticker)}"


def _headline(
    lstm: pd.DataFrame, beaten: pd.Series, study: pd.DataFrame, ticker: str
) -> str:
    """Whether what holds over all stocks and years holds for this one.

    ``beaten``: the horizons at which another model's CRPS is the lowest.
    """
    pooled = study[(study["ticker"] == POOLED) & (study["model"] == "LSTM")]
    pooled = pooled.set_index("horizon")["crps_vs_rw"]
    share = ", ".join(f"{100 - 100 * ratio:.1f}" for ratio in pooled)
    where = ", ".join(map(str, pooled.index))
    failed = [str(h) for h in lstm.index if lstm["crps_vs_rw"][h] >= 1]
    here = (
        "**Here it is below the random walk's at every horizon, too** (no "
        "test: one year)."
    )
    if failed:
        here = (
            f"**It does not hold for {literal(ticker)} in this year "
            f"{', '.join(failed)} sessions ahead**, where the random walk's "
            "fixed width did better (no test: one year)."
        )
    if len(beaten):
        here += (
            " The LSTM is not the best model here "
            f"{', '.join(map(str, beaten))} ahead."
        )
    first = lstm.index[0]
    width = interval_width(lstm["cover_80"][first], lstm["n"][first])
    up = "No model of volatility says a direction here."
    if lstm["hit_rate"].notna().any():
        up = (
            "Every model of volatility says up on every day, as shares rose "
            "in the long run, so being right about it is no skill."
        )
    return (
        "The study's headline: over its stocks and years the LSTM's CRPS is "
        f"{share} % below the random walk's, {where} sessions ahead. {here} "
        f"Its 80 % interval {first} ahead was {width} in this year. {up}"
    )


def interval_width(held: float, closes: int, level: float = 0.8) -> str:
    """What the share of closes that an interval held says of its width.

    It is about right within two standard errors of ``level``, the closes
    taken as independent: give the shares of one session ahead.
    """
    chance = 2 * np.sqrt(level * (1 - level) / closes)
    if abs(held - level) <= chance:
        return "about right"
    return "too wide" if held > level else "too narrow"


def stated(claim: str, holds: bool, ticker: str) -> str:
    """A claim about one stock, and whether it holds there."""
    return f"{ticker}: {claim}: {'yes' if holds else 'NO, not here'}"


def forecast_table(
    dates: pd.DatetimeIndex, close: float, forecast: Forecast
) -> pd.DataFrame:
    """Dated quantiles of the next closes, a row per session ahead.

    ``dates (H,)``: the sessions ahead; ``forecast``: from the one origin
    whose close is ``close``.
    """
    at = np.array([close])
    table = pd.DataFrame(
        {q: forecast.close_quantile(p, at)[0] for q, p in QUANTILES.items()}
    )
    table.insert(0, "Date", dates.strftime("%Y-%m-%d"))
    table.insert(1, "Horizon", np.arange(1, len(table) + 1))
    return table


def _plus_minus(spread: float) -> str:
    """A standard deviation beside three decimals; none where it is 0."""
    if spread >= 5e-4 or not spread:
        return f" ± {spread:.3f}" if spread else ""
    return f" ± {spread:.4f}" if spread >= 5e-5 else " ± < 0.0001"


def _percent(share: float) -> str:
    return "–" if np.isnan(share) else f"{100 * share:.0f} %"
