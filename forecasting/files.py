"""Files and folders that reach the disk whole or not at all."""

import contextlib
import hashlib
import os
import shutil
import time
import uuid
from pathlib import Path


def write_file(content: bytes, path: Path) -> None:
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


def write_folder(new: Path, place: Path) -> None:
    """Copy a finished folder to its place, where it appears in one step.

    A crash leaves the former one there, or at worst none; and a hidden .tmp
    beside it, which a later run removes. Raises OSError.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    sweep(place.parent, f".{place.name}.*.tmp")
    scratch = place.with_name(f".{place.name}.{uuid.uuid4().hex}.tmp")
    old = scratch / "old"
    try:
        shutil.copytree(new, scratch / "new")
        if place.exists():
            place.rename(old)
        (scratch / "new").rename(place)
    finally:
        if old.exists() and not place.exists():
            old.rename(place)
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
