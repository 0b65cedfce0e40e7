"""Write: a new file, or folder, in one step, if nothing is lost by it."""

import contextlib
import hashlib
import os
import shutil
import time
import uuid
from datetime import date
from pathlib import Path

import pandas as pd

from forecasting.market import calendars, prices
from forecasting.market.request import Refused, brief
from forecasting.market.validate import IN_PROGRESS, ONE_DAY, Checked


def previous(path: Path) -> tuple[pd.DataFrame | None, str]:
    """The history on disk, or None and what is wrong with the file."""
    if not path.exists():
        return None, ""
    try:
        history = prices.read_csv(path)
        if history.index[-1].date() > date.today() + ONE_DAY:
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


def save(checked: Checked, path: Path, force: bool) -> bool:
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
    write(content, path)
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


def write(content: bytes, path: Path) -> None:
    """Replace a file in one step: at no moment is there half of it.

    The new content is on the disk before the name leads to it. A crash
    leaves the old file, and at worst a hidden .tmp beside it, which a later
    run of the same ticker removes.
    """
    sweep(path.parent, f".{path.name}.*.tmp")
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def replace(target: Path, new: Path, old: Path) -> None:
    """Rename a finished folder to its place; the former one becomes old."""
    try:
        if target.exists():
            target.rename(old)
        new.rename(target)
    except BaseException:
        if old.exists() and not target.exists():
            old.rename(target)
        raise


def put(new: Path, place: Path) -> None:
    """Copy a finished folder to its place, where it appears in one step.

    A crash leaves the former one there, or at worst none; and a hidden .tmp
    beside it, which a later run removes. Raises OSError.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    sweep(place.parent, f".{place.name}.*.tmp")
    scratch = place.with_name(f".{place.name}.{uuid.uuid4().hex}.tmp")
    try:
        shutil.copytree(new, scratch / "new")
        replace(place, scratch / "new", scratch / "old")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def sweep(folder: Path, pattern: str) -> None:
    """Remove what runs that were killed left a minute ago or longer."""
    for stray in folder.glob(pattern):
        with contextlib.suppress(OSError):  # another run may be faster
            if time.time() - stray.stat().st_mtime > 60:
                shutil.rmtree(stray) if stray.is_dir() else stray.unlink()


def checksum(content: bytes) -> str:
    """SHA-256, as hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
