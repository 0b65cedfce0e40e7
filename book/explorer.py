"""The verdict explorer: the summary's numbers, a choice, a figure, a table.

The numbers are in the page, explorer.js chooses among them, Bokeh draws them
in the browser; no server takes part.
"""

import json
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from bokeh.embed import components
from bokeh.models import (
    ColumnDataSource,
    FactorRange,
    HoverTool,
    Range1d,
    Span,
)
from bokeh.plotting import figure
from jinja2 import Template

HERE = Path(__file__).resolve().parent
SUMMARY = HERE.parent / "results" / "verdict-summary.csv"
BAR = 1.96  # standard errors: 95 % of what chance may do
# Colours and markers of the study's figures; grey can be read on any ground.
LOOKS = {"LSTM": ("#0072B2", "square"), "BiLSTM": ("#D55E00", "triangle")}
OTHER = ("#7F7F7F", "circle")


class Score(NamedTuple):
    """A column of the summary, and how to read it.

    ``best``: "low", or the level that is best. ``test``: which of the
    summary's Diebold–Mariano tests compares it, if one does.
    """

    label: str
    axis: str
    text: str
    best: str | float = "low"
    test: str | None = None
    power: int = 1  # of the score, in the units that were tested


SCORES = {
    "crps_vs_rw": Score(
        "CRPS (the whole distribution)",
        "CRPS / random walk's CRPS",
        "How good is the forecast distribution of the close as a whole? "
        "Lower is better; 1 is the random walk.",
        test="crps",
    ),
    "theil_u": Score(
        "Theil's U (the point forecast)",
        "Theil's U",
        "How large is the error of the point forecast, beside that of "
        "“tomorrow = today”? Below 1 would be skill.",
        test="point",
        power=2,
    ),
    "qlike": Score(
        "QLIKE (the volatility)",
        "QLIKE",
        "How well is the variance of the sessions ahead forecast? Lower is "
        "better; 0 is a forecast that equals it.",
        test="qlike",
    ),
    "log_score": Score(
        "Log score (the density)",
        "negative log density of the log return",
        "How much density did the forecast give to what came? Lower is "
        "better. It punishes a forecast that was too sure.",
    ),
    "hit_rate": Score(
        "Hit rate (the direction)",
        "share of directions that were right",
        "How often was the direction right? The dotted line is the share "
        "that always saying the commoner direction would have right.",
        best="high",
    ),
    "cover_50": Score(
        "Coverage of the 50 % interval",
        "share of closes inside",
        "How many closes fell inside the central 50 % interval? The dotted "
        "line is what it says.",
        best=0.5,
    ),
    "cover_80": Score(
        "Coverage of the 80 % interval",
        "share of closes inside",
        "How many closes fell inside the central 80 % interval? The dotted "
        "line is what it says.",
        best=0.8,
    ),
    "cover_95": Score(
        "Coverage of the 95 % interval",
        "share of closes inside",
        "How many closes fell inside the central 95 % interval? The dotted "
        "line is what it says.",
        best=0.95,
    ),
    "var_5": Score(
        "Breaches of the 5 % value at risk",
        "share of returns below it",
        "How many returns fell below the value at risk of 5 %, the lower "
        "quantile of the forecast? The dotted line is what it says.",
        best=0.05,
    ),
    "var_1": Score(
        "Breaches of the 1 % value at risk",
        "share of returns below it",
        "How many returns fell below the value at risk of 1 %, the lower "
        "quantile of the forecast? The dotted line is what it says.",
        best=0.01,
    ),
}
RIVALS = {"crps": "against", "qlike": "against_qlike"}


def rows(summary: pd.DataFrame, column: str) -> pd.DataFrame:
    """What the page shows of one score, a row per stock, horizon, model.

    ``low`` and ``high`` hold 95 % of what chance may do to the difference
    from the rival, as in results/verdict.png: a Diebold–Mariano statistic is
    a difference over its standard error. Empty where there is no test.
    """
    score = SCORES[column]
    index = ["ticker", "horizon", "model"]
    table = summary.set_index(index)
    out = pd.DataFrame({"value": table[column]})
    out["line"] = line(table, column)
    out[["against", "p", "low", "high"]] = None
    if score.test is None:
        return out.reset_index()
    out["p"] = table[f"p_{score.test}_holm"]
    rival = RIVALS.get(score.test)
    out["against"] = table[rival] if rival else "RandomWalk"
    at = [(t, h, a) for (t, h, _), a in out["against"].items()]
    tested = out["value"] ** score.power
    difference = tested - tested.loc[at].to_numpy()
    statistic = table[f"dm_{score.test}"]
    error = BAR * (difference / statistic.where(statistic != 0)).abs()
    out["low"] = (tested - error).clip(lower=0) ** (1 / score.power)
    out["high"] = (tested + error) ** (1 / score.power)
    return out.reset_index()


def line(table: pd.DataFrame, column: str) -> pd.Series:
    """Where the dotted line stands: the random walk, or what should be."""
    best = SCORES[column].best
    if column == "hit_rate":
        return table["majority_rate"]
    if best != "low":
        return pd.Series(best, table.index)
    walk = table[column].xs("RandomWalk", level="model")
    return pd.Series(
        [walk[t, h] for t, h, _ in table.index], index=table.index
    )


def data(summary: pd.DataFrame) -> dict:
    """All that explorer.js chooses from, ready for JSON."""
    scores = {}
    for column, score in SCORES.items():
        table = rows(summary, column).astype(object)
        table = table.where(table.notna(), None)
        groups = table.groupby(["ticker", "horizon"], sort=False)
        scores[column] = score._asdict() | {
            "rows": {
                f"{ticker} {horizon}": group.drop(
                    columns=["ticker", "horizon"]
                ).to_dict("records")
                for (ticker, horizon), group in groups
            }
        }
    return scores


def chart(models: list[str]) -> tuple[str, str]:
    """Bokeh's script and its place: a figure that waits for numbers."""
    looks = [LOOKS.get(model, OTHER) for model in models]
    source = ColumnDataSource(
        {
            "model": models,
            "color": [color for color, _ in looks],
            "marker": [marker for _, marker in looks],
            **{k: [0.0] * len(models) for k in ["value", "low", "high", "x"]},
            "said": [""] * len(models),
        },
        name="rows",
    )
    plot = figure(
        name="plot",
        height=400,
        sizing_mode="stretch_width",
        x_range=Range1d(0, 1),
        y_range=FactorRange(*models[::-1]),
        toolbar_location=None,
        tools="",
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
        min_border_right=12,
    )
    plot.segment(
        "low", "model", "high", "model", color="color", line_width=2,
        source=source,
    )  # fmt: skip
    dots = plot.scatter(
        "x", "model", color="color", marker="marker", size=10, source=source
    )
    reference = Span(
        location=1, dimension="height", line_dash="dotted", name="line"
    )
    plot.add_layout(reference)
    tips = [("", "@model"), ("", "@said")]
    plot.add_tools(HoverTool(renderers=[dots], tooltips=tips))
    plot.ygrid.grid_line_color = None
    plot.axis.axis_label_text_font_style = "normal"
    plot.axis.major_label_text_font_size = "13px"
    plot.axis.axis_label_text_font_size = "13px"
    plot.xaxis.ticker.desired_num_ticks = 5
    plot.xaxis.name, plot.yaxis.name, plot.xgrid.name = "x", "y", "grid"
    return components(plot)


def page(path: Path = SUMMARY) -> str:
    """The page, as Markdown around HTML."""
    summary = pd.read_csv(path)
    script, place = chart(list(summary["model"].unique()))
    template = Template((HERE / "explorer.md.j2").read_text("utf-8"))
    return template.render(
        scores={name: score.label for name, score in SCORES.items()},
        horizons=summary["horizon"].unique(),
        tickers=summary["ticker"].unique(),
        data=json.dumps(data(summary)).replace("</", "<\\/"),
        place=place,
        script=script,
        code=(HERE / "explorer.js").read_text("utf-8"),
    )
