"""The experiment's table, its comparisons and its figure."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from forecasting.pool.data import HORIZONS
from forecasting.pool.scores import (
    MARGIN,
    SAME,
    SCORES,
    Gain,
    gain,
    stocks_needed,
)

READ = [("qlike", 1), ("crps", 1), ("crps", 5), ("qlike", 5), ("crps", 20)]
# What memory is worth, and to what; the first four decide.
PAIRS = [
    *[("D", rival) for rival in ("A", "B", "C", "F", "FC", "E")],
    *[("C", "B"), ("D'", "B'"), ("D'", "A'"), ("D'", "A"), ("D'", "D")],
]
DECIDE = ("A", "B", "C", "F", "FC")
LOOKS = {  # Okabe & Ito's colours; the markers differ, too
    "B": ("#D55E00", "s", "B: network, no memory"),
    "C": ("#009E73", "^", "C: ridge, averages"),
    "D": ("#0072B2", "o", "D: LSTM, 60 sessions"),
    "F": ("#CC79A7", "v", "F: trees"),
}
Fits = dict[str, dict]  # by pool, then (arm, permutation, seed)


def table(jobs: Iterable, parts: Path) -> tuple[pd.DataFrame, Fits]:
    """A row per finished fit and horizon; and the fits' scores by pool."""
    found, fits = [], {}
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
    """The gain of an arm over a rival, ``what``: score and horizon."""
    score, horizon = what
    column = list(HORIZONS).index(horizon)
    return gain(fits[pool], arm, rival, SCORES.index(score), column)


def markdown(fits: Fits) -> str:
    """Every comparison there is, as tables for the page."""
    heads = [f"{score.upper()} {horizon}" for score, horizon in READ]
    others = ["stocks", "years", "fits"]
    lines = []
    arms = sorted({arm for pool in fits.values() for arm, *_ in pool})
    over = [(arm, "A") for arm in arms if arm not in ("A", "D")]
    for pool in sorted(fits, key=lambda p: (int(p.rstrip("t")), p)):
        lines += ["", f"**{pool} stocks**", ""]
        lines += ["| gain | " + " | ".join([*heads, *others]) + " |"]
        lines += ["|:--|" + "--:|" * len([*heads, *others])]
        for arm, rival in dict.fromkeys([*over, *PAIRS]):
            try:
                gains = [compare(fits, pool, arm, rival, w) for w in READ]
            except KeyError:
                continue
            one = gains[READ.index(("crps", 1))]
            cells = [str(g) for g in gains]
            cells += [f"{one.stocks:.0%}", f"{one.years:.0%}", str(one.fits)]
            lines.append(f"| {arm} over {rival} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *verdicts(fits), ""])


def verdicts(fits: Fits) -> list[str]:
    """What the registered criteria say, a line each."""
    lines = []
    sizes = [pool for pool in fits if not pool.endswith("t")]
    for pool in sorted(sizes, key=int):
        for horizon in (1, 5):
            for rival in DECIDE:
                try:
                    g = compare(fits, pool, "D", rival, ("crps", horizon))
                except KeyError:
                    lines.append(
                        f"- {pool}, CRPS {horizon}: D against {rival}: not "
                        "computed yet"
                    )
                    continue
                won = g.low >= MARGIN and g.stocks >= 0.6 and g.years >= 0.8
                same = g.low >= -SAME and g.high <= SAME
                lost = g.high < 0
                says = (
                    "success"
                    if won
                    else "equivalent"
                    if same
                    else "worse"
                    if lost
                    else "neither success nor equivalence"
                )
                lines.append(
                    f"- {pool}, CRPS {horizon}: D against {rival}: {g}: {says}"
                )
    for rival in ("A", "B", "C"):
        for horizon in (1, 5):
            there = []
            for pool in sorted(sizes, key=int):
                try:
                    what = "crps", horizon
                    g = compare(fits, pool, "D", rival, what)
                except KeyError:
                    continue
                there.append((int(pool), g.draws))
            if there:
                known, draws = zip(*there, strict=True)
                low, mid, high = (
                    f"> {known[-1]:,}" if np.isinf(n) else f"{n:,.0f}"
                    for n in stocks_needed(known, np.array(draws), MARGIN)
                )
                lines.append(
                    f"- N*, D over {rival} by {MARGIN} % at {horizon}: "
                    f"{mid} [{low}, {high}], of pools "
                    f"{', '.join(map(str, known))}"
                )
    return lines


def figure(fits: Fits) -> Figure:
    """Gain over A against the number of stocks, an arm a line."""
    shown = [("qlike", 1), ("crps", 1), ("crps", 5)]
    picture = Figure(figsize=(6.4, 9), dpi=110, layout="constrained")
    panels = picture.subplots(len(shown), sharex=True)
    sizes = sorted(int(p) for p in fits if not p.endswith("t"))
    for panel, what in zip(panels, shown, strict=True):
        for k, (arm, (colour, marker, label)) in enumerate(LOOKS.items()):
            points = []
            for size in sizes:
                try:
                    g = compare(fits, str(size), arm, "A", what)
                except KeyError:
                    continue
                points.append((size * 1.06 ** (k - 1.5), g))
            if points:
                x, y = zip(*points, strict=True)
                mean = np.array([g.mean for g in y])
                spread = mean - [g.low for g in y], [g.high for g in y] - mean
                panel.errorbar(
                    x, mean, spread, color=colour, marker=marker,
                    label=label, capsize=3,
                )  # fmt: skip
        panel.axhline(0, color="#7F7F7F", linestyle="--", linewidth=1)
        panel.set_xscale("log")
        panel.set_xticks(sizes, minor=False)
        panel.minorticks_off()
        panel.xaxis.set_major_formatter(ScalarFormatter())
        panel.tick_params(labelsize=12)
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(color="#E6E6E6")
        score, horizon = what
        panel.set_title(
            f"{score.upper()}, {horizon} session{'s' * (horizon > 1)} ahead",
            loc="left", fontsize=13,
        )  # fmt: skip
        panel.set_ylabel("gain over A (%)", fontsize=12)
    panels[-1].set_xlabel("stocks learnt from", fontsize=12)
    panels[0].legend(frameon=False, fontsize=12)
    return picture
