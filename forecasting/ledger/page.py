"""Draw the running record: README.md of a ledger, and its figure."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from forecasting.evaluation.significance import confidence_sequence, first_look
from forecasting.files import write_file
from forecasting.ledger.record import missed
from forecasting.ledger.scoring import (
    WALK,
    comparisons,
    crps_by_model,
    daily_pair,
    summarise,
)
from forecasting.pages import plots
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
that was missed stays missing. A backtest can be had without that: a model that
peeks looks splendid there, and here it has nothing to peek at.

What this does not prove: the chain does not stop an owner who rewrites a day
and then every later receipt, for it fits together again. Against that help
only copies in other hands: a clone, a fork, or the attestations below, which
are kept in a public log.

{record}
## Keep a ledger of your own

1. Fork the repository, and switch its workflows on (tab *Actions*).
2. Put your symbols into `ledger/tickers.txt`, one a line, as Yahoo has them.
3. *Settings → Rules → Rulesets → New branch ruleset*, for the default branch:
   tick *Restrict deletions* and *Block force pushes*, so that no commit of a
   day is ever rewritten. (Do not require pull requests or status checks: the
   workflow's own push has none and would be refused.)
4. *Actions → ledger → Run workflow*: the first day is recorded.
5. From then on it runs by itself, on weekdays after the US close.

A day is written once. A ticker added after today's record joins from the next
close on; until then the command says so and ends with status 3.

By hand, and without GitHub:

```
python -m forecasting.ledger record NVDA AAPL   # before the next close
python -m forecasting.ledger score              # whatever has matured
python -m forecasting.ledger page               # this page
```

`scores.csv` has a row for each matured forecast. A pull request that touches a
recorded day gets a red check, by a workflow that it cannot edit: do not merge
it. `gh attestation verify ledger/DATE/record.json`, with
`--repo` and the repository's name, shows that the workflow wrote it, and when.
"""
EMPTY = "No forecast is on record yet."
RECORD = """\
## How good have they been?

{table}

*CRPS*, in percent of log return, is averaged over tickers and over the days
that a model was on record; lower is better. Then it stands beside the random
walk's and that of the best model without a network:
{whom}.
A difference is of the days that both models have (their number stands behind
it where it is smaller), so a model that joins or leaves changes no other's
record. It comes with a confidence sequence: an interval that may be looked at
on every day and still excludes the truth with a probability of 5 % at most,
for all {count} comparisons and all days together (Howard et al. 2021, made for
forecasts that overlap; it needs {looks} days, 1, 5 and 20 sessions ahead).
That is proved as the days go to infinity; before, the 5 % are approximate.
While the interval holds zero, nothing has been shown.

![Differences of CRPS over time, and what came among the quantiles]({figure})

How often, in percent, central intervals held what came:

{calibration}

Which tickers, and how many of their sessions:

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
    write_file(page.encode(), ledger / "README.md")
    if figure:
        figure.savefig(ledger / FIGURE)
        plt.close(figure)


def _state(
    recorded: pd.DataFrame, scores: pd.DataFrame, matured: pd.DataFrame
) -> str:
    dates = recorded["origin_date"]
    void = int(scores["state"].eq("void").sum())
    return (
        f"{dates.nunique()} days are on record, {dates.min().date()} to "
        f"{dates.max().date()}, of {recorded['ticker'].nunique()} tickers, by "
        f"{recorded['model_id'].nunique()} models. Of their {len(scores):,} "
        f"forecasts {len(matured):,} have matured."
        + f" {void:,} never will: there was no close on their date."
        * bool(void)
    )


def _record(
    recorded: pd.DataFrame,
    scores: pd.DataFrame,
    matured: pd.DataFrame,
    histories: dict[str, pd.DataFrame],
) -> str:
    summary = summarise(matured, recorded)
    best = {h: row["best"].iloc[0] for h, row in summary.groupby("horizon")}
    whom = ", ".join(f"`{name}` {h} ahead" for h, name in best.items())
    return RECORD.format(
        table=_table(summary),
        whom=whom,
        count=len(comparisons(recorded)),
        looks=", ".join(str(first_look(h)) for h in (1, 5, 20)),
        figure=FIGURE,
        calibration=_calibration(summary),
        tickers=_tickers(recorded, scores, histories),
        gaps=_gaps(recorded, histories),
    )


def _table(summary: pd.DataFrame) -> str:
    head = ["ahead", "model", "days", "CRPS (%)"]
    rows = [[*head, "− random walk's", "− the best's"]]
    rows.append(["--:", "---", *["--:"] * 4])
    for (h, model), row in summary.iterrows():
        cells = [h, model, row["days"], f"{row['crps']:.4f}"]
        for rival in ("rw", "best"):
            low, high = row[f"low_{rival}"], row[f"high_{rival}"]
            text = f"{(low + high) / 2:+.4f} ± {(high - low) / 2:.4f}"
            text = "too early" if np.isinf(low) else text
            if row[f"days_{rival}"] < row["days"]:
                text += f" ({row[f'days_{rival}']} days)"
            cells.append("" if np.isnan(low) else text)
        rows.append(cells)
    return _markdown(rows)


def _calibration(summary: pd.DataFrame) -> str:
    rows = [["ahead", "model", "days", "50 %", "80 %", "95 %"]]
    rows.append(["--:", "---", *["--:"] * 4])
    for (h, model), row in summary.iterrows():
        held = [f"{100 * row[f'cover_{p}']:.0f}" for p in (50, 80, 95)]
        rows.append([h, model, row["days"], *held])
    return _markdown(rows)


def _markdown(rows: list[list]) -> str:
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
    return _markdown(rows)


def _gaps(recorded: pd.DataFrame, histories: dict[str, pd.DataFrame]) -> str:
    gaps = _missed(recorded, histories)
    if not len(gaps):
        return "No session was missed."
    place = joint_calendar(histories).get_indexer(gaps)
    spans = np.split(gaps, np.flatnonzero(np.diff(place) > 1) + 1)
    listed = ", ".join(
        f"{span[0].date()}"
        + (f" to {span[-1].date()}" if len(span) > 1 else "")
        for span in spans
    )
    return f"Missed, after the close of {len(gaps)} sessions: {listed}."


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
    """Differences over time to two rivals, and PIT, by horizon."""
    costs, summary = crps_by_model(matured), summarise(matured, recorded)
    alphas = comparisons(recorded)
    gaps = _missed(recorded, histories)
    fig, axes = plt.subplots(3, len(costs), figsize=(7.6, 7), squeeze=False)
    for column, (h, table) in enumerate(costs.items()):
        top, middle, bottom = axes[:, column]
        best = summary.loc[h, "best"].iloc[0]
        for ax, rival in [(top, WALK), (middle, best)]:
            pair = daily_pair(table, SHOWN, rival)
            share = 100 * (pair["model"] - pair["rival"])
            share /= pair["rival"].mean()
            _sequence(ax, share, h, alphas[h, SHOWN, rival])
            for day in gaps:
                ax.axvline(day, ymax=0.06, color=plots.AMBER, lw=1)
            ax.set(xlabel="day", ylabel=f"% of {rival}'s CRPS")
        top.set_title(f"{h} ahead")
        pit = matured.query("model_id == @SHOWN and horizon == @h")["pit"]
        counts, edges = np.histogram(pit, np.linspace(0, 1, 11))
        bottom.stairs(
            counts / len(pit), edges, fill=True, color=plots.SKY, ec="white"
        )
        bottom.axhline(0.1, **plots.STYLES["persistence"])
        bottom.set(xlabel="level of what came", ylabel="share of forecasts")
    plots.caption(
        fig,
        f"The running record of the {SHOWN}: its CRPS beside two rivals'",
        f"Below zero the {SHOWN} is ahead, on average up to that day. The "
        "band may be looked at on every day, and shows nothing while it "
        "holds zero; it opens when there are enough days. Ticks at the "
        "bottom: days that were missed. Last row: flat is right.",
    )
    return fig


def _sequence(
    ax: plt.Axes, difference: pd.Series, horizon: int, alpha: float
) -> None:
    """The mean difference up to each day, with its confidence sequence."""
    values, days = difference.to_numpy(), difference.index
    looks = range(1, len(values) + 1)
    band = np.array(
        [confidence_sequence(values[:n], horizon, alpha) for n in looks]
    )
    band[np.isinf(band)] = np.nan
    color = plots.STYLES[SHOWN]["color"]
    ax.fill_between(days, *band.T, color=color, alpha=0.2, lw=0)
    ax.plot(difference.expanding().mean(), **plots.STYLES[SHOWN])
    ax.axhline(0, **plots.STYLES["persistence"])
    if np.isfinite(band).any():  # the first days swing far, and say nothing
        ax.set_ylim(2.5 * np.array([-1, 1]) * np.abs(band[-1]).max())
    ticks = AutoDateLocator(minticks=2, maxticks=4)
    ax.xaxis.set_major_locator(ticks)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(ticks))
