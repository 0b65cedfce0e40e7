"""Validate: bad rows are dropped and reported, doubtful histories refused.

data/README.md lists the rules.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import pandas as pd

from forecasting.market.calendars import CERTAIN, closed, due
from forecasting.market.prices import MAX_VOLUME, OHLC, ROUNDING, round_prices
from forecasting.market.reply import Reply
from forecasting.market.request import Refused

MAX_LOST = 0.01  # share of rows or sessions that may be missing ...
FEW = 5  # ... though this many always may
MAX_HOLE = 10  # sessions in a row that may be missing
MAX_SILENCE = 14  # days after the last session: longer than holidays
MAX_JUMP = 8.0  # from one close to the next, up or down
CLOSED = "the exchange was closed"
IN_PROGRESS = "the session is still in progress"
ONE_DAY = timedelta(days=1)


@dataclass
class Checked:
    """A usable history, and what there is to say about it."""

    history: pd.DataFrame
    dropped: dict[pd.Timestamp, str]  # date → reason
    notes: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)  # refused unless forced

    def report(self) -> list[str]:
        """What a reader should know, a line each."""
        lines = []
        for reason in dict.fromkeys(self.dropped.values()):
            days = [d for d, r in self.dropped.items() if r == reason]
            shown = ", ".join(str(d.date()) for d in days)
            lines.append(f"dropped {shown}: {reason}")
        return lines + self.notes + self.doubts


def validate(
    reply: Reply,
    start: date | None = None,
    end: date | None = None,
    live_bar: bool = False,
) -> Checked:
    """Keep a reply's usable bars, adjusted for splits and dividends.

    Raises Refused where no row is left or two bars of a day disagree. What
    casts doubt on the history as a whole is collected in `doubts`.
    """
    bars = reply.bars.sort_values("stamp", kind="stable")
    if start:
        bars = bars[bars.index >= pd.Timestamp(start)]
    if end:
        bars = bars[bars.index < pd.Timestamp(end)]
    if bars.empty:
        raise Refused("Yahoo has rows, but none in the range asked")
    history = adjust(bars)
    reasons = row_faults(bars, history, reply)
    bad = reasons != ""
    shut = closed(bars.index, reply.exchange) & ~bad
    sure = due(bars.index, reply.exchange)[0] in CERTAIN
    real = shut & traded(bars) & (not sure)
    reasons[shut & ~real] = CLOSED
    if not live_bar:
        live = bars.index == reply.live
        reasons[live], bad[live] = IN_PROGRESS, False
    keep = reasons == ""
    if not keep.any():
        raise Refused(f"no usable row in {len(bars)}: {reasons[-1]}")
    used, history = one_bar_a_day(bars[keep], history[keep])
    gone = ~bars.index.isin(history.index)
    dropped = dict(zip(bars.index[gone], reasons[gone], strict=True))
    checked = Checked(history, dropped)
    if unknown := used["Volume"].isna().sum():
        note = f"{unknown} sessions without a volume, written as 0"
        checked.notes.append(note)
    if real.any():
        shown = ", ".join(str(d.date()) for d in bars.index[real][:10])
        more = ", ..." if real.sum() > 10 else ""
        checked.notes.append(f"kept {shown}{more}: traded at a weekend")
    if real.sum() > max(FEW, MAX_LOST * len(bars)):
        checked.doubts.append(
            f"{real.sum()} of {len(bars)} rows are of weekends: wrong dates?"
        )
    if bad.sum() > max(FEW, MAX_LOST * len(bars)):
        last = bars.index[bad][-1].date()
        checked.doubts.append(
            f"{bad.sum()} of {len(bars)} rows are unusable, the last on "
            f"{last}: {reasons[bad][-1]}; try --start {last + ONE_DAY}"
        )
    if start and history.index[0] > pd.Timestamp(start) + 10 * ONE_DAY:
        first = history.index[0].date()
        checked.doubts.append(f"it starts on {first}, not on {start} as asked")
    checked.doubts += series_faults(used, reply.splits)
    check_gaps(checked, reply.exchange)
    check_end(checked, reply.today, end)
    return checked


def adjust(bars: pd.DataFrame) -> pd.DataFrame:
    """Prices × adjusted close / close, rounded as in a CSV."""
    raw, close = bars[OHLC].to_numpy(), bars["Adj Close"].to_numpy()
    with np.errstate(all="ignore"):  # row_faults finds what is not finite
        table = raw * (close / raw[:, 3])[:, None]
        table[:, 3] = close
        table = round_prices(table)
        top, bottom = table.max(axis=1), table.min(axis=1)
        level = top <= table[:, 1] * (1 + ROUNDING)
        level &= bottom >= table[:, 2] * (1 - ROUNDING)
    table[level, 1], table[level, 2] = top[level], bottom[level]
    volume = bars["Volume"].fillna(0).round()
    return pd.DataFrame(table, bars.index, OHLC).assign(Volume=volume)


def row_faults(
    bars: pd.DataFrame, history: pd.DataFrame, reply: Reply
) -> np.ndarray:
    """Why each row cannot be used, shape `(n,)`; "" where it can."""
    raw = bars[[*OHLC, "Adj Close"]].to_numpy()
    table, volume = history[OHLC].to_numpy(), bars["Volume"].to_numpy()
    high, low = table[:, 1], table[:, 2]
    share = reply.kind in ("EQUITY", "ETF")
    outside = (table > high[:, None]) | (table < low[:, None])
    faults = {
        "dated in the future": bars.index > reply.today,
        "a price is missing": np.isnan(raw).any(axis=1),
        "a price is not finite": ~np.isfinite(table).all(axis=1),
        "a price is not positive": (np.c_[raw, table] <= 0).any(axis=1),
        "a price lies outside low to high": outside.any(axis=1),
        "low and high are too far apart": high > MAX_JUMP * low,
        "the volume is missing": np.isnan(volume) & share,
        "the volume is impossible": (volume < 0) | (volume > MAX_VOLUME),
    }
    return np.select(list(faults.values()), list(faults), "").astype(object)


def traded(bars: pd.DataFrame) -> np.ndarray:
    """With a volume, and not the bar before once more, shape `(n,)`."""
    table = bars[[*OHLC, "Volume"]]
    again = (table == table.shift()).all(axis=1)
    return ((bars["Volume"] > 0) & ~again).to_numpy()


def one_bar_a_day(
    bars: pd.DataFrame, history: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Drop identical repetitions; Refused where two bars of a day differ."""
    repeated = bars.drop(columns="stamp").reset_index().duplicated()
    # Yahoo may repeat the last session as its latest quote, which wins.
    last, stamp = bars.index[-1], bars["stamp"].iloc[-1]
    quoted = (bars.index == last) & (bars["stamp"] < stamp)
    keep = ~(repeated.to_numpy() | quoted.to_numpy())
    bars, history = bars[keep], history[keep]
    if bars.index.has_duplicates:
        twice = bars.index[bars.index.duplicated()][0].date()
        raise Refused(f"two different bars for {twice}; run again later")
    return bars, history


def series_faults(bars: pd.DataFrame, splits: dict) -> Iterator[str]:
    """What no single row shows: slipped units, wrong adjustment, weeks."""
    if len(bars) < 2:
        return
    days = bars.index[1:]
    raw = np.diff(np.log(bars["Close"]))
    adjusted = np.diff(np.log(bars["Adj Close"]))
    split = pd.Series(splits, dtype=float).reindex(days, fill_value=1)
    split = np.log(split.to_numpy())
    faults = {
        f"the close moves more than {MAX_JUMP:.0f}-fold (a slip of units?)": (
            np.abs(adjusted) > np.log(MAX_JUMP)
        ),
        "the prices step by the ratio of a split": (
            (np.abs(split) > 0.4) & (np.abs(raw + split) < 0.2)
        ),
        # A dividend explains a fall of the close; it never makes a move.
        "the adjustment for dividends makes a jump": (
            np.abs(adjusted) - np.abs(raw) > 0.1
        ),
    }
    for fault, where in faults.items():
        if where.any():
            yield f"{days[where][0].date()}: {fault}"
    apart = np.median(np.diff(bars.index) / np.timedelta64(1, "D"))
    if len(bars) > 10 and apart > 4:
        yield f"its bars are {apart:.0f} days apart, not daily"


def check_gaps(checked: Checked, code: str) -> None:
    """Compare a history with its exchange's calendar, where one is known."""
    days = checked.history.index
    name, sessions = due(days, code)
    missing = sessions.difference(days)
    silent = [d for d in missing if d not in checked.dropped]
    if silent:
        shown = ", ".join(str(d.date()) for d in silent[:10])
        more = ", ..." if len(silent) > 10 else ""
        gap = f"{len(silent)} sessions of {name} are missing: {shown}{more}"
        checked.notes.append(gap)
    hole = np.diff(np.flatnonzero(sessions.isin(days))).max(initial=1) - 1
    many = len(missing) > max(FEW, MAX_LOST * len(sessions))
    if name in CERTAIN and (many or hole > MAX_HOLE):
        checked.doubts.append(
            f"{len(missing)} of {len(sessions)} sessions of {name} are "
            f"missing, up to {hole} in a row"
        )


def check_end(checked: Checked, today: pd.Timestamp, end: date | None) -> None:
    """Point out a history that ends long before today, or before `end`."""
    last, until, when = checked.history.index[-1], today, "ago"
    if end and pd.Timestamp(end) < today:
        until, when = pd.Timestamp(end), "before --end"
    if (days := (until - last).days) > MAX_SILENCE:
        checked.notes.append(
            f"last session {last.date()}, {days:,} days {when}: delisted, or "
            "cut short?"
        )
