"""Figures in one style; importing this module switches the style on."""

import textwrap
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import display
from matplotlib.figure import Figure

plt.style.use(Path(__file__).with_name("study.mplstyle"))

# Fixed roles (colours of Okabe & Ito); line styles differ too, so that the
# figures survive a black-and-white printer.
STYLES = {
    "actual": {"color": "black", "linestyle": "-"},
    "persistence": {"color": "#7F7F7F", "linestyle": ":"},
    "LSTM": {"color": "#0072B2", "linestyle": "-"},
    "BiLSTM": {"color": "#D55E00", "linestyle": "--"},
}
GREEN, PINK, AMBER, SKY = "#009E73", "#CC79A7", "#E69F00", "#56B4E9"


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
    ax.set(xlabel="session", ylabel=f"close ({unit})")
    ax.legend()
    show(fig, title, text)


def intervals(
    ax: plt.Axes, dates: pd.DatetimeIndex, quantiles: dict[float, np.ndarray]
) -> None:
    """Shade the central intervals of ``{level of a quantile: values}``.

    The median is a line; each pair of levels p and 1 − p a band, the wider
    the paler. Values may be prices or returns.
    """
    color = STYLES["LSTM"]["color"]
    for low in sorted(p for p in quantiles if p < 0.5):
        ax.fill_between(
            dates,
            quantiles[low],
            quantiles[round(1 - low, 6)],
            color=color,
            alpha=0.18,
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
    """Show closes and the intervals of closes forecast.

    ``quantiles``: ``{level: values}`` on ``dates``, which may be those of
    ``actual`` or later ones; ``unit``: what prices are in.
    """
    fig, ax = plt.subplots()
    intervals(ax, dates, quantiles)
    ax.plot(actual, label="actual", **STYLES["actual"] | {"linewidth": 1})
    ax.set(xlabel="session", ylabel=f"close ({unit})")
    ax.legend(loc="lower left", ncols=2)
    show(fig, title, text)


def pit_histograms(
    levels: dict[str, np.ndarray], title: str, text: str
) -> None:
    """Histogram of where the observed closes lie, ``{model: levels}``."""
    fig, axes = plt.subplots(1, len(levels), sharey=True, figsize=(7.2, 3))
    for ax, (name, pit) in zip(axes, levels.items(), strict=True):
        ax.hist(pit, bins=np.linspace(0, 1, 11), color=SKY, edgecolor="white")
        ax.axhline(len(pit) / 10, **STYLES["persistence"])
        ax.set(title=name, xlabel="quantile level of the observed close")
    axes[0].set_ylabel("sessions")
    show(fig, title, text)


def verdict(summary: pd.DataFrame) -> Figure:
    """The pooled rows of a verdict's summary, models against RandomWalk."""
    pooled = summary[summary["ticker"] == "pooled"]
    models = list(pooled["model"].unique())[::-1]
    fig, axes = plt.subplots(1, 2, figsize=(7.6, 3.2), sharey=True)
    markers = {1: "o", 5: "s", 20: "^"}
    shades = dict(zip(markers, ["black", GREEN, AMBER], strict=True))
    for horizon, marker in markers.items():
        rows = pooled[pooled["horizon"] == horizon].set_index("model")
        for ax, column in zip(axes, ["theil_u", "crps_vs_rw"], strict=True):
            ax.plot(
                rows.loc[models, column],
                models,
                marker,
                color=shades[horizon],
                label=f"{horizon} ahead",
            )
    axes[0].set_xscale("log")
    axes[0].set_xlabel("Theil's U (log scale)")
    axes[0].set_title("Where does the close go?")
    axes[0].set_ylabel("model")
    axes[0].legend(title="sessions", loc="upper right")
    axes[1].set_xlabel("CRPS / random walk's CRPS")
    axes[1].set_title("How far may it move?")
    axes[1].set_xlim(pooled["crps_vs_rw"].min() - 0.005, 1.02)
    for ax in axes:
        ax.axvline(1, **STYLES["persistence"])
    caption(
        fig,
        "Point forecasts and distribution forecasts, all tickers and folds",
        "Left of the dotted line is better than tomorrow = today; what is "
        "far worse lies outside on the right.",
    )
    return fig
