"""Figures in one style; importing this module switches the style on."""

import textwrap
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import display
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from scipy.stats import binom

plt.style.use(Path(__file__).with_name("study.mplstyle"))
# A date that lacks its year is a riddle; a style file knows no line breaks.
plt.rcParams["date.autoformatter.month"] = "%b %Y"
plt.rcParams["date.autoformatter.day"] = "%d %b\n%Y"

# Fixed roles (colours of Okabe & Ito); line styles differ too, so that the
# figures survive a black-and-white printer.
STYLES: dict[str, dict[str, Any]] = {
    "actual": {"color": "black", "linestyle": "-"},
    "persistence": {"color": "#7F7F7F", "linestyle": ":"},
    "LSTM": {"color": "#0072B2", "linestyle": "-"},
    "BiLSTM": {"color": "#D55E00", "linestyle": "--"},
}
CHANCE = {"color": "#7F7F7F", "alpha": 0.25, "linewidth": 0}
GREEN, PINK, AMBER, SKY = "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
EDGE = 1.03  # of a random walk's error: where the verdict's axes end
# What the study's models are called where there is room, as in the README.
NAMES = {
    "RandomWalk": "as today (random walk)",
    "Drift": "random walk with drift",
    "EWMA": "EWMA volatility",
    "Climatology": "250-session volatility",
    "LongClimatology": "1,000-session volatility",
    "GARCH": "GARCH",
    "HAR": "HAR on the sessions' ranges",
    "Linear": "linear, on what the LSTM reads",
    "PoolLinear": "the same, from 1,211 stocks",
    "PoolAverages": "the same, on averages of the past",
    "Memoryless": "LSTM without its memory",
    "LSTM": "LSTM",
}


def caption(fig: Figure, title: str, text: str) -> None:
    """Give a figure its title and, under it, what to notice in italics.

    Raises ValueError where an axis has no label: a reader must never have
    to guess a unit. (Label ``" "`` where there is nothing to say.)
    """
    for ax in fig.axes:
        if not ax.axison or ax.get_label() == "<colorbar>":
            continue
        for name in "xy":
            shared = getattr(ax, f"get_shared_{name}_axes")()
            family = [ax, *shared.get_siblings(ax)]
            if not any(getattr(a, f"get_{name}label")() for a in family):
                raise ValueError(f"{title}: an {name} axis has no label")
    columns = int(fig.get_figwidth() * 14.5)
    fig.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    fig.supxlabel(
        textwrap.fill(text, columns),
        x=0.01,
        ha="left",
        fontsize=9,
        style="italic",
        color="#444444",
    )


def show(fig: Figure, title: str, text: str) -> None:
    """Caption a figure and show it in the notebook, once.

    Title and caption are also its alternative text, for those who hear the
    page.
    """
    caption(fig, title, text)
    display(fig, metadata={"image/png": {"alt": f"{title}. {text}"}})
    plt.close(fig)


def predicted_vs_actual(
    actual: pd.Series,
    curves: dict[str, tuple[str, np.ndarray]],
    unit: str,
    title: str,
    text: str,
) -> None:
    """Show closes and, on the dates they are for, the closes predicted.

    ``curves``: ``{label: (role in STYLES, values)}``, values aligned with
    ``actual``; ``unit``: what prices are in.
    """
    fig, ax = plt.subplots()
    ax.plot(actual, label="actual", **STYLES["actual"])
    for label, (role, values) in curves.items():
        ax.plot(actual.index, values, label=label, **STYLES[role])
    ax.set(xlabel="date", ylabel=f"close ({unit})")
    ax.legend()
    show(fig, title, text)


def intervals(
    ax: plt.Axes,
    dates: pd.DatetimeIndex,
    quantiles: dict[float, np.ndarray],
    color: str = STYLES["LSTM"]["color"],
) -> None:
    """Shade the central intervals of ``{level of a quantile: values}``.

    The median is a line; each pair of levels p and 1 − p a band, the wider
    the paler. Values may be prices or returns.
    """
    ink = np.array(to_rgb(color))
    lower = sorted(p for p in quantiles if p < 0.5)
    shares = np.linspace(0.2, 0.45, len(lower))
    for share, low in zip(shares, lower, strict=True):
        ax.fill_between(
            dates,
            quantiles[low],
            quantiles[round(1 - low, 6)],
            color=1 - share * (1 - ink),  # opaque, as in the legend
            linewidth=0,
            label=f"{round(100 * (1 - 2 * low))} % interval",
        )
    ax.plot(dates, quantiles[0.5], color=color, label="median")


def fan_chart(
    actual: pd.Series,
    dates: pd.DatetimeIndex,
    quantiles: dict[float, np.ndarray],
    unit: str,
    title: str,
    text: str,
) -> None:
    """Show the ``fan`` of closes and of the intervals forecast."""
    show(fan(actual, dates, quantiles, unit), title, text)


def fan(
    actual: pd.Series,
    dates: pd.DatetimeIndex,
    quantiles: dict[float, np.ndarray],
    unit: str,
) -> Figure:
    """Closes and the intervals of closes forecast, without a caption.

    ``quantiles``: ``{level: values}`` on ``dates``, which may be those of
    ``actual`` or later ones, which open from its last close; ``unit``: what
    prices are in.
    """
    fig, ax = plt.subplots()
    if dates[0] > actual.index[-1]:
        dates = pd.DatetimeIndex([actual.index[-1], *dates])
        quantiles = {
            p: np.concatenate([[actual.iloc[-1]], values])
            for p, values in quantiles.items()
        }
    intervals(ax, dates, quantiles)
    ax.plot(actual, label="actual", **STYLES["actual"] | {"linewidth": 1})
    ax.set(xlabel="date", ylabel=f"close ({unit})")
    ax.legend(loc="lower left", ncols=2)
    return fig


def pit_histograms(
    levels: dict[str, np.ndarray], title: str, text: str
) -> None:
    """Histogram of where the observed closes lie, ``{model: levels}``.

    The band holds 95 % of the counts that chance gives a bin.
    """
    fig, axes = plt.subplots(1, len(levels), sharey=True, figsize=(7.2, 3))
    for ax, (name, pit) in zip(axes, levels.items(), strict=True):
        ax.hist(pit, bins=np.linspace(0, 1, 11), color=SKY, edgecolor="white")
        ax.axhspan(*binom.interval(0.95, len(pit), 0.1), **CHANCE)
        ax.axhline(len(pit) / 10, **STYLES["persistence"])
        ax.set(title=name, xlabel="quantile level of the observed close")
    axes[0].set_ylabel("sessions")
    show(fig, title, text)


def verdict(summary: pd.DataFrame) -> Figure:
    """The pooled rows of a verdict's summary, models against RandomWalk.

    Bars hold 95 % of what chance may do to the difference between a model
    and the one it was tested against, by Diebold and Mariano's variance; a
    model that failed somewhere has one against RandomWalk only.
    What lies off an axis stands on it in words.
    """
    pooled = summary[summary["ticker"] == "pooled"]
    rows = pooled.set_index(["horizon", "model"])
    models = list(pooled["model"].unique())[::-1]
    n = summary.groupby(["horizon", "model"])["n"].sum()
    fig, axes = plt.subplots(1, 2, figsize=(7.6, 3.9), sharey=True)
    looks = {1: ("o", "black"), 5: ("s", GREEN), 20: ("^", AMBER)}
    for step, (horizon, (marker, color)) in enumerate(looks.items()):
        at = rows.loc[horizon].loc[models]
        rival = at["crps_vs_rw"].loc[at["against"]].to_numpy()
        error = ((at["crps_vs_rw"] - rival) / at["dm_crps"]).abs()
        # On fewer rows only RandomWalk's number, 1, is known to be the same.
        same = n[horizon].loc[models] == n[horizon, "RandomWalk"]
        error = error.where(same | (at["against"] == "RandomWalk")).fillna(0)
        y = np.arange(len(models)) + 0.22 * (1 - step)
        look = {"marker": marker, "color": color, "linestyle": "none"}
        label = f"{horizon} ahead"
        axes[0].plot(at["theil_u"], y, label=label, ms=4, **look)
        axes[1].errorbar(
            at["crps_vs_rw"], y, xerr=1.96 * error, lw=1, ms=4, **look
        )
    axes[0].set(ylabel="model", yticks=range(len(models)))
    axes[0].set_yticklabels([NAMES.get(name, name) for name in models])
    axes[0].set(xlabel="Theil's U", title="Where does the close go?")
    axes[1].set_xlabel("CRPS / random walk's CRPS")
    axes[1].set_title("How far may it move?")
    for ax, key in zip(axes, ["theil_u", "crps_vs_rw"], strict=True):
        of = pooled.groupby("model")[key]
        far = of.max().index[of.max() >= EDGE]
        low = min(1, pooled.loc[~pooled["model"].isin(far), key].min())
        ax.set_xlim(low - (EDGE - low) / 3, EDGE)
        ax.axvline(1, **STYLES["persistence"])
        for name in far:
            words = f"{of.min()[name]:.1f} to {of.max()[name]:.1f} →"
            place = (0.98, models.index(name))
            ax.annotate(
                words,
                place,
                xycoords=("axes fraction", "data"),
                ha="right",
                va="center",
                fontsize=9,
            )
    legend: dict[str, Any] = {
        "title_fontsize": 8,
        "fontsize": 8,
        "handletextpad": 0,
    }
    axes[0].legend(title="sessions", loc="upper right", **legend)
    caption(
        fig,
        "Point forecasts and distribution forecasts, all tickers and folds",
        "Left of the dotted line is better than tomorrow = today; in the "
        "left panel by a steady rise, which pays where the years rose. Bars: "
        "95 % intervals of the difference to the model tested against, for a "
        "network the best one without, else the random walk. Arrows: off the "
        "axis.",
    )
    return fig
