"""Tables of the predictor: errors, verdict, forecast."""

import numpy as np
import pandas as pd

from forecasting.forecast import Forecast
from forecasting.market.calendars import next_sessions

LEVELS = {
    "q025": 0.025,
    "q10": 0.1,
    "q25": 0.25,
    "q50": 0.5,
    "q75": 0.75,
    "q90": 0.9,
    "q975": 0.975,
}


def rmse(forecast: Forecast, close: np.ndarray, origins: np.ndarray) -> float:
    """Root mean squared error one session ahead, in currency.

    ``close (n,)``: the history; the median close is the point forecast.
    """
    called = forecast.close_quantile(0.5, close[origins])[:, 0]
    return float(np.sqrt(np.mean((close[origins + 1] - called) ** 2)))


def point_table(
    members: dict[str, list[Forecast]], close: np.ndarray, origins: np.ndarray
) -> pd.DataFrame:
    """RMSE and Theil's U one session ahead, a row per model.

    ``members``: a forecast per seed; its first entry is what the others are
    divided by. ± is the standard deviation over seeds.
    """
    errors = {
        name: np.array([rmse(f, close, origins) for f in forecasts])
        for name, forecasts in members.items()
    }
    naive = next(iter(errors.values())).mean()
    return pd.DataFrame(
        {
            "RMSE (dollars)": [f"{e.mean():.2f}" for e in errors.values()],
            "Theil's U": [_spread(e / naive) for e in errors.values()],
        },
        index=list(errors),
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


def forecast_table(
    ticker: str, history: pd.DataFrame, forecast: Forecast
) -> pd.DataFrame:
    """Dated quantiles of the next closes, a row per session ahead.

    ``forecast``: from the last row of ``history``.
    """
    last = history["Close"].to_numpy()[-1:]
    table = pd.DataFrame(
        {q: forecast.close_quantile(p, last)[0] for q, p in LEVELS.items()}
    )
    dates = next_sessions(ticker, history, len(table))
    table.insert(0, "Date", dates.strftime("%Y-%m-%d"))
    table.insert(1, "Horizon", np.arange(1, len(table) + 1))
    return table


def _spread(values: np.ndarray) -> str:
    """Mean, and standard deviation where there are several values."""
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{values.mean():.3f} ± {values.std(ddof=1):.3f}"
