"""Draw the running record: README.md of a ledger, and its figure."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from forecasting.evaluation.significance import confidence_sequence, first_look
from forecasting.files import write_file
from forecasting.ledger import scoring
from forecasting.ledger.record import missed
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
# Heads of tables: the columns' names, and how they are aligned.
TICKERS = (
    "| ticker | days | missed | void | prices to |\n" + "| --- " * 5 + "|"
)
MODELS = "| ahead | model | days | {} | {} | {} |\n| --: | --- " + "| --: " * 4
MODELS += "|"
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
    state, record = "No forecast is on record yet.", ""
    if len(recorded):
        state = _state(recorded, scores, matured)
    if len(matured):
        summary = scoring.summarise(matured, recorded)
        alphas = scoring.comparisons(recorded)
        gaps = pd.DatetimeIndex([])
        if histories:
            days = joint_calendar(histories)
            gaps = missed(recorded["origin_date"], days)
        best = summary["best"].groupby("horizon").first()
        record = RECORD.format(
            table=_table(summary),
            whom=", ".join(f"`{best[h]}` {h} ahead" for h in best.index),
            count=len(alphas),
            looks=", ".join(str(first_look(h)) for h in (1, 5, 20)),
            figure=FIGURE,
            calibration=_calibration(summary),
            tickers=_tickers(recorded, scores, histories),
            gaps=_spans(gaps, days) if len(gaps) else "No session was missed.",
        )
        figure = _figure(matured, best, alphas, gaps)
        figure.savefig(ledger / FIGURE)
        plt.close(figure)
    page = TEXT.format(state=state, record=record)
    write_file(page.encode(), ledger / "README.md")


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


def _table(summary: pd.DataFrame) -> str:
    rows = []
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
    head = MODELS.format("CRPS (%)", "− random walk's", "− the best's")
    return _markdown(head, rows)


def _calibration(summary: pd.DataFrame) -> str:
    rows = []
    for (h, model), row in summary.iterrows():
        held = [f"{100 * row[f'cover_{p}']:.0f}" for p in (50, 80, 95)]
        rows.append([h, model, row["days"], *held])
    return _markdown(MODELS.format("50 %", "80 %", "95 %"), rows)


def _markdown(head: str, rows: list[list]) -> str:
    lines = [f"| {' | '.join(map(str, row))} |" for row in rows]
    return "\n".join([head, *lines])


def _tickers(
    recorded: pd.DataFrame,
    scores: pd.DataFrame,
    histories: dict[str, pd.DataFrame],
) -> str:
    void = scores[scores["state"] == "void"]["ticker"].value_counts()
    rows = []
    for ticker, origins in recorded.groupby("ticker")["origin_date"]:
        gone, end = "?", "no longer to be had"
        if ticker in histories:
            sessions = histories[ticker].index
            gone = f"{len(missed(origins, sessions))}"
            end = f"{sessions[-1]:%F}"
        never = void.get(ticker, 0)
        rows.append([ticker, origins.nunique(), gone, never, end])
    return _markdown(TICKERS, rows)


def _spans(gaps: pd.DatetimeIndex, days: pd.DatetimeIndex) -> str:
    """The gaps among some days in a line: one, or the first to the last."""
    place = days.get_indexer(gaps)
    spans = np.split(gaps, np.flatnonzero(np.diff(place) > 1) + 1)
    listed = ", ".join(
        f"{span[0].date()}"
        + (f" to {span[-1].date()}" if len(span) > 1 else "")
        for span in spans
    )
    return f"Missed, after the close of {len(gaps)} sessions: {listed}."


def _figure(
    matured: pd.DataFrame,
    best: pd.Series,
    alphas: dict[tuple, float],
    gaps: pd.DatetimeIndex,
) -> Figure:
    """Differences over time to two rivals, and PIT, by horizon."""
    costs = scoring.crps_by_model(matured)
    fig, axes = plt.subplots(3, len(costs), figsize=(7.6, 7), squeeze=False)
    for column, (h, table) in enumerate(costs.items()):
        top, middle, bottom = axes[:, column]
        for ax, rival in [(top, scoring.WALK), (middle, best[h])]:
            pair = scoring.daily_pair(table, SHOWN, rival)
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
