"""Tables and sentences of the predictor, made from a verdict."""

import numpy as np
import pandas as pd

from forecasting.forecast import Forecast
from forecasting.scores import ENSEMBLE
from forecasting.settings import STUDY, Settings
from forecasting.windows import Dates, before, learning_rows

QUANTILES = {
    "q025": 0.025,
    "q10": 0.1,
    "q25": 0.25,
    "q50": 0.5,
    "q75": 0.75,
    "q90": 0.9,
    "q975": 0.975,
}


def learnt_table(
    pool: dict[str, pd.DataFrame], dates: Dates, settings: Settings = STUDY
) -> pd.DataFrame:
    """Which rows of each ticker a pooled network learns from, a row each.

    ``windows``: how many windows train or validate; the dates are those of
    the first and the last session at which one of them ends.
    """
    past = {t: before(p, dates, settings) for t, p in pool.items()}
    rows = {}
    for ticker, mine in learning_rows(past, settings).items():
        rows[ticker] = row = {}
        for part in ("training", "validation"):
            ends = getattr(mine, part)
            days = pool[ticker].index[ends[[0, -1]]].strftime("%Y-%m-%d")
            row[part, "windows"] = f"{len(ends):,}"
            row[part, "from"], row[part, "to"] = days
    return pd.DataFrame(rows).T.rename_axis("ticker")


def point_table(scores: pd.DataFrame, unit: str) -> pd.DataFrame:
    """RMSE and Theil's U one session ahead, a row per model.

    ``scores``: a verdict's, of one ticker and fold. Mean over single seeds,
    ± their standard deviation; ``unit``: what prices are in.
    """
    single = (scores["horizon"] == 1) & (scores["seed"] != ENSEMBLE)
    by_model = scores[single].groupby("model", sort=False)
    return pd.DataFrame(
        {
            f"RMSE ({unit})": by_model["rmse"].mean().map("{:.4g}".format),
            "Theil's U": by_model["theil_u"].apply(_spread),
        }
    )


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
        spread = at[f"{key}_sd"].map(lambda s: f" ± {s:.3f}" if s else "")
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
        adjusted = row.p_crps_holm
        p = "< 0.001" if adjusted < 0.001 else f"= {adjusted:.3f}"
        lines.append(
            f"{model}, {row.horizon} ahead: CRPS {sure} {sign} than "
            f"{row.against}'s (DM {row.dm_crps:+.1f}, p {p})"
        )
    return lines


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


def _spread(values: pd.Series) -> str:
    """Mean, and standard deviation where there are several values."""
    if len(values) == 1:
        return f"{values.mean():.3f}"
    return f"{values.mean():.3f} ± {values.std():.3f}"
