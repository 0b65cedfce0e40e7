"""Write: a new file, or folder, in one step, if nothing is lost by it."""

from pathlib import Path

import pandas as pd

from forecasting.console import brief
from forecasting.files import write_file
from forecasting.market import calendars, prices
from forecasting.market.request import Refused
from forecasting.market.validate import IN_PROGRESS, Checked


def previous(
    path: Path, now: pd.Timestamp | None = None
) -> tuple[pd.DataFrame | None, str]:
    """The history on disk, or None and what is wrong with the file.

    ``now``: with a time zone; default: this moment.
    """
    if not path.exists():
        return None, ""
    try:
        history = prices.read_csv(path)
        if history.index[-1] > calendars.latest_date(now):
            return None, "it reaches into the future"
        if prices.to_csv(history).encode() != path.read_bytes():
            return None, "it was edited"
    except (OSError, ValueError) as error:
        return None, brief(error)
    return history, ""


def final(path: Path, history: pd.DataFrame) -> bool:
    """Whether a CSV was written after the close of its last session.

    It was not where ``--live-bar`` kept a session in progress.
    """
    close = calendars.close_of(path.stem, history.index[-1])
    return path.stat().st_mtime >= close.timestamp()


def write_history(checked: Checked, path: Path, force: bool) -> bool:
    """Bring a CSV up to date; False where it was. Raises Refused, OSError.

    What is doubted about the history is refused unless `force`.
    """
    content = prices.to_csv(checked.history).encode()
    if path.exists() and path.read_bytes() == content:
        return False
    old, damage = previous(path)
    if damage:
        note = f"the file on disk was damaged ({damage}), now rebuilt"
        checked.notes.append(note)
    if old is not None:
        compare(checked, old, path)
    if checked.doubts and not force:
        raise Refused(f"{'; '.join(checked.doubts)}; --force accepts it")
    write_file(content, path)
    return True


def compare(checked: Checked, old: pd.DataFrame, path: Path) -> None:
    """Doubt a history that lacks sessions which the one on disk has."""
    days, dropped = checked.history.index, checked.dropped
    lost = [
        day
        for day in old.index.difference(days)
        # A row just reported may go, but the history may not end earlier,
        # unless the last bar on disk is still in progress.
        if day not in dropped
        or (day > days[-1] and dropped[day] != IN_PROGRESS)
    ]
    if lost:
        checked.doubts.append(
            f"it lacks {len(lost)} sessions that {path} has, "
            f"{lost[0].date()} to {lost[-1].date()}"
        )
