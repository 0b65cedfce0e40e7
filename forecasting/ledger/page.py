"""Draw the running record: README.md of a ledger, and its figure."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import binom

from forecasting import plots
from forecasting.ledger.record import missed
from forecasting.ledger.scoring import (
    ALPHA,
    WALK,
    comparisons,
    daily,
    summarise,
)
from forecasting.market.files import write
from forecasting.significance import confidence_sequence, first_look
from forecasting.windows import joint_calendar

FIGURE = "record.png"
SHOWN = "LSTM"  # whose sequence of days is drawn
TEXT = """\
# Forecasts made before their outcome

{state}

Each folder holds one day: a file a model, its forecasts of the log return
from that day's close as 23 quantiles, 1, 5 and 20 sessions ahead, in the
columns of the [hubverse](https://docs.hubverse.io). `record.json` says when
they were made, from which prices and by which fit; its checksums chain the
days, so that a file changed afterwards is named by every later run. Nothing
is recorded twice, and nothing once its first target's session is over: a day
that was missed stays missing.

{record}
## Keep a ledger of your own

1. Fork the repository, and switch its workflows on (tab *Actions*).
2. Put your symbols into `ledger/tickers.txt`, one a line, as Yahoo has them.
3. *Settings → Actions → General → Workflow permissions*: read and write.
4. *Actions → ledger → Run workflow*: the first day is recorded.
5. From then on it runs by itself, on weekdays after the US close.

By hand, and without GitHub:

```
python -m forecasting.ledger record NVDA AAPL   # before the next close
python -m forecasting.ledger score              # whatever has matured
python -m forecasting.ledger page               # this page
```

`scores.csv` has a row for each matured forecast. Pull requests that touch a
recorded day are refused. `gh attestation verify ledger/DATE/record.json`, with
`--repo` and the repository's name, shows that the workflow wrote it, and when.
"""
EMPTY = "No forecast is on record yet."
RECORD = """\
## How good have they been?

{table}

*CRPS*, in percent of log return, is averaged over tickers and days; lower is
better. *Difference* is to {whom}, in the same unit, with its confidence
sequence: an interval that may be looked at on every day and still excludes
the truth with a probability of 5 % at most, for all {count} comparisons and
all days together (Howard et al. 2021, made for overlapping forecasts; it
needs {looks} days 1, 5 and 20 sessions ahead). Where it holds zero, nothing
has been shown. The last columns: how often the central intervals held what
came.

![Differences of CRPS over time, and what came among the quantiles]({figure})

{tickers}

{gaps}
"""


def draw(
    ledger: Path,
    recorded: pd.DataFrame,
    scores: pd.DataFrame,
    matured: pd.DataFrame,
    histories: dict[str, pd.DataFrame],
) -> None:
    """Write README.md, and record.png where something has matured.

    ``recorded``: what is on record; ``scores``: all of it, with its state;
    ``matured``: the scores kept.
    """
    text, figure = EMPTY, None
    if len(recorded):
        text = _state(recorded, scores, matured)
    record = ""
    if len(matured):
        figure = _figure(matured, recorded, histories)
        record = _record(recorded, scores, matured, histories)
    page = TEXT.format(state=text, record=record)
    write(page.encode(), ledger / "README.md")
    if figure:
        figure.savefig(ledger / FIGURE)
        plt.close(figure)


def _state(
    recorded: pd.DataFrame, scores: pd.DataFrame, matured: pd.DataFrame
) -> str:
    dates, counts = recorded["origin_date"], scores["state"].value_counts()
    return (
        f"{dates.nunique()} days are on record, {dates.min().date()} to "
        f"{dates.max().date()}, of {recorded['ticker'].nunique()} tickers by "
        f"{recorded['model_id'].nunique()} models. Of their {len(scores):,} "
        f"forecasts {len(matured):,} have matured, "
        f"{counts.get('pending', 0):,} have not, and {counts.get('void', 0):,}"
        " never will, as there was no close on their date."
    )


def _record(
    recorded: pd.DataFrame,
    scores: pd.DataFrame,
    matured: pd.DataFrame,
    histories: dict[str, pd.DataFrame],
) -> str:
    summary = summarise(matured)
    best = {h: row["best"].iloc[0] for h, row in summary.groupby("horizon")}
    whom = ", ".join(f"`{name}` at {h}" for h, name in best.items())
    return RECORD.format(
        table=_table(summary),
        whom=f"the random walk, and to the best without a network ({whom})",
        count=len(comparisons(daily(matured))),
        looks=", ".join(str(first_look(h)) for h in (1, 5, 20)),
        figure=FIGURE,
        tickers=_tickers(recorded, scores, histories),
        gaps=_gaps(recorded, histories),
    )


def _table(summary: pd.DataFrame) -> str:
    head = ["ahead", "model", "days", "CRPS (%)", "÷ random walk's"]
    head += ["difference to it", "difference to the best", "50 %", "80 %"]
    rows = [[*head, "95 %"], ["--:", "---", *["--:"] * (len(head) - 1)]]
    for (h, model), row in summary.iterrows():
        cells = [h, model, row["days"], f"{row['crps']:.4f}"]
        cells.append(f"{row['vs_rw']:.3f}")
        cells += [
            "–"
            if np.isnan(row[f"low_{name}"])
            else "too few days"
            if np.isinf(row[f"low_{name}"])
            else f"{row[f'low_{name}']:+.4f} to {row[f'high_{name}']:+.4f}"
            for name in ("rw", "best")
        ]
        cells += [f"{100 * row[f'cover_{p}']:.0f}" for p in (50, 80, 95)]
        rows.append(cells)
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows)


def _tickers(
    recorded: pd.DataFrame,
    scores: pd.DataFrame,
    histories: dict[str, pd.DataFrame],
) -> str:
    rows = [["ticker", "days", "missed", "void", "prices to"], ["---"] * 5]
    for ticker, mine in recorded.groupby("ticker"):
        origins = mine["origin_date"]
        void = scores["ticker"].eq(ticker) & scores["state"].eq("void")
        prices = histories.get(ticker)
        known = prices is not None
        rows.append(
            [
                ticker,
                origins.nunique(),
                len(missed(origins, prices.index)) if known else "?",
                int(void.sum()),
                prices.index[-1].date() if known else "no longer to be had",
            ]
        )
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows)


def _gaps(recorded: pd.DataFrame, histories: dict[str, pd.DataFrame]) -> str:
    gaps = _missed(recorded, histories)
    if not len(gaps):
        return "No session was missed."
    dates = ", ".join(str(day.date()) for day in gaps[-20:])
    more = f"{len(gaps) - 20} more and " if len(gaps) > 20 else ""
    return f"Nothing was recorded after the close of {more}{dates}."


def _missed(
    recorded: pd.DataFrame, histories: dict[str, pd.DataFrame]
) -> pd.DatetimeIndex:
    if not histories:
        return pd.DatetimeIndex([])
    return missed(recorded["origin_date"], joint_calendar(histories))


def _figure(
    matured: pd.DataFrame,
    recorded: pd.DataFrame,
    histories: dict[str, pd.DataFrame],
) -> Figure:
    """Differences over time against two rivals, and PIT, by horizon."""
    costs, summary = daily(matured), summarise(matured)
    alpha = ALPHA / len(comparisons(costs))
    gaps = _missed(recorded, histories)
    fig, axes = plt.subplots(
        3, len(costs), figsize=(7.6, 6.4), squeeze=False, sharey="row"
    )
    for column, (h, table) in enumerate(costs.items()):
        rivals = WALK, summary.loc[h, "best"].iloc[0]
        for ax, rival in zip(axes[:2, column], rivals, strict=True):
            _sequence(ax, table[SHOWN] - table[rival], h, alpha)
            for day in gaps:
                ax.axvline(day, ymax=0.06, color=plots.AMBER, lw=1)
            ax.set(xlabel="day", ylabel=f"CRPS − {rival}'s (%)")
        axes[0, column].set_title(f"{h} ahead")
        shown = matured["model_id"].eq(SHOWN) & matured["horizon"].eq(h)
        pit = matured["pit"][shown]
        ax = axes[2, column]
        counts, edges = np.histogram(pit, np.linspace(0, 1, 11))
        ax.stairs(
            counts / len(pit), edges, fill=True, color=plots.SKY, ec="white"
        )
        band = np.array(binom.interval(0.95, len(pit), 0.1)) / len(pit)
        ax.axhspan(*band, **plots.CHANCE)
        ax.set(xlabel="level of what came", ylabel="share")
    plots.caption(
        fig,
        f"The running record of the {SHOWN}",
        "Below zero the LSTM is ahead. The band is a confidence sequence: it "
        "may be looked at on every day, and shows nothing while it holds "
        "zero. Ticks at the bottom: days that were missed. Last row: flat is "
        "right.",
    )
    return fig


def _sequence(
    ax: plt.Axes, difference: pd.Series, horizon: int, alpha: float
) -> None:
    """The mean difference up to each day, with its confidence sequence."""
    values = difference.to_numpy()
    band = np.array(
        [
            confidence_sequence(values[:n], horizon, alpha)
            for n in range(1, len(values) + 1)
        ]
    )
    band[~np.isfinite(band)] = np.nan
    mean = difference.expanding().mean()
    color = plots.STYLES[SHOWN]["color"]
    ax.fill_between(difference.index, *band.T, color=color, alpha=0.2, lw=0)
    ax.plot(mean, **plots.STYLES[SHOWN])
    ax.axhline(0, **plots.STYLES["persistence"])
