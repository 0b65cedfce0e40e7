"""The experiment's table, its comparisons and its figure."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import style
from matplotlib.figure import Figure

from forecasting.pool.data import HORIZONS
from forecasting.pool.scores import (
    MARGIN,
    SAME,
    SCORES,
    Gain,
    gain,
    stocks_needed,
)

STYLE = Path(__file__).parents[1] / "pages" / "study.mplstyle"
READ = [("qlike", 1), ("crps", 1), ("crps", 5), ("qlike", 5), ("crps", 20)]
DECIDE = ("A", "B", "C", "F", "FC")
PAIRS = [
    *[(arm, "A") for arm in ("B", "C", "F", "FC", "E", "A'", "B'", "D'")],
    *[("D", rival) for rival in (*DECIDE, "E", "D'")],
    *[("C", "B"), ("D'", "A'"), ("D'", "B'")],
]
LOOKS = {  # Okabe & Ito's colours; the markers differ, too
    "B": ("#D55E00", "s", "B: network, no memory"),
    "C": ("#009E73", "^", "C: ridge, averages"),
    "D": ("#0072B2", "o", "D: LSTM, 60 sessions"),
    "F": ("#CC79A7", "v", "F: trees"),
}
Fits = dict[str, dict]  # by pool, then (arm, permutation, seed)


def table(jobs: Iterable, parts: Path) -> tuple[pd.DataFrame, Fits]:
    """A row per finished fit and horizon; and the fits' scores by pool."""
    fits: Fits = {}
    found = []
    for job in jobs:
        if not (parts / job.file).exists():
            continue
        with np.load(parts / job.file) as part:
            kept = ("by_date", "by_stock", "dates")
            scores = {name: part[name] for name in kept}
            loss, mean = part["loss"], part["by_date"].mean(axis=1)
            fit = job._asdict() | {
                "rate": float(part["rate"]),
                "epoch": float(part["kept"]),
                "start_best": int(loss[0] <= loss[1:].min()),
                "valid_loss": loss[1:].min(),
                "windows": int(part["windows"]),
                "updates": int(part["updates"]),
                "processor_s": float(part["processor"]),
            }
        fits.setdefault(job.pool, {})[job.arm, *job[2:]] = scores
        for column, horizon in enumerate(HORIZONS):
            costs = dict(zip(SCORES, mean[:, column], strict=True))
            found.append(fit | {"horizon": horizon} | costs)
    return pd.DataFrame(found), fits


def compare(fits: Fits, pool: str, arm: str, rival: str, what: tuple) -> Gain:
    """The gain of an arm over a rival, ``what``: score and horizon.

    Raises KeyError where the two have no fit in common.
    """
    column = list(HORIZONS).index(what[1])
    return gain(fits[pool], arm, rival, SCORES.index(what[0]), column)


def sizes(fits: Fits) -> list[int]:
    """The pools that there are, but for the thinned one."""
    return sorted(int(pool) for pool in fits if not pool.endswith("t"))


def markdown(fits: Fits) -> str:
    """Every comparison there is, as tables and lines for the page."""
    heads = [f"{score.upper()} {horizon}" for score, horizon in READ]
    heads = ["gain in %", *heads, "stocks", "years", "pairs"]
    lines = []
    for pool in sorted(fits, key=lambda p: (int(p.rstrip("t")), p)):
        lines += ["", f"**{pool} stocks**", "", f"| {' | '.join(heads)} |"]
        lines += ["|:--" + "|--:" * (len(heads) - 1) + "|"]
        for arm, rival in PAIRS:
            with suppress(KeyError):
                gains = [compare(fits, pool, arm, rival, w) for w in READ]
                one = gains[READ.index(("crps", 1))]
                cells = " | ".join(map(str, gains))
                shares = f"{one.stocks:.0%} | {one.years:.0%} | {one.fits}"
                lines.append(f"| {arm} over {rival} | {cells} | {shares} |")
    lines += ["", *(verdict(fits, r, h) for h in (1, 5) for r in DECIDE)]
    return "\n".join([*lines, ""])


def verdict(fits: Fits, rival: str, horizon: int) -> str:
    """What the registered criteria say of D against a rival, in one line."""
    found = {}
    for size in sizes(fits):
        with suppress(KeyError):
            what = "crps", horizon
            found[size] = compare(fits, str(size), "D", rival, what)
    line = f"- CRPS {horizon}, D over {rival}: "
    if not found:
        return line + "not computed yet"
    largest, g = max(found.items())
    if g.low >= MARGIN and g.stocks >= 0.6 and g.years >= 0.8:
        says = "success"
    elif g.low >= -SAME and g.high <= SAME:
        says = "equivalence"
    else:
        says = "neither success nor equivalence"
    draws = np.array([one.draws for one in found.values()])
    low, middle, high = (
        f"> {largest:,}" if np.isinf(n) else f"{n:,.0f}"
        for n in stocks_needed(list(found), draws, MARGIN)
    )
    return (
        f"{line}{g} from {largest:,} stocks, better in {g.stocks:.0%} of the "
        f"scored ones and {g.years:.0%} of years: {says}; N\\* {middle} "
        f"[{low}, {high}]"
    )


def figure(fits: Fits) -> Figure:
    """Gain over A against the number of stocks, an arm a line."""
    shown = [("qlike", 1), ("crps", 1), ("crps", 5)]
    with style.context(STYLE):
        picture = Figure(figsize=(6.4, 9))
        panels = picture.subplots(len(shown), sharex=True)
        for panel, what in zip(panels, shown, strict=True):
            for k, (arm, (colour, marker, label)) in enumerate(LOOKS.items()):
                points = {}
                for size in sizes(fits):
                    with suppress(KeyError):
                        g = compare(fits, str(size), arm, "A", what)
                        points[size * 1.06 ** (k - 1.5)] = g
                mean = np.array([g.mean for g in points.values()])
                low, high = ([g[n] for g in points.values()] for n in (1, 2))
                panel.errorbar(
                    [*points], mean, [mean - low, high - mean], capsize=3,
                    color=colour, marker=marker, label=label,
                )  # fmt: skip
            panel.axhline(0, color="#7F7F7F", linestyle="--", linewidth=1)
            panel.set_xscale("log")
            panel.set_xticks(sizes(fits), [f"{n:,}" for n in sizes(fits)])
            panel.minorticks_off()
            panel.tick_params(labelsize=12)
            ahead = f"{what[1]} session{'s' * (what[1] > 1)} ahead"
            panel.set_title(f"{what[0].upper()}, {ahead}", fontsize=13)
            panel.set_ylabel("gain over A (%)", fontsize=12)
        panels[-1].set_xlabel("stocks learnt from", fontsize=12)
        handles = panels[0].get_legend_handles_labels()
        picture.legend(
            *handles, loc="outside upper left", ncols=2, fontsize=12
        )
    return picture
