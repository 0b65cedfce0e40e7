"""The ledger's folders: one a day, written whole, never changed.

    ledger/2026-11-24/LSTM.csv     forecasts, in the hubverse's columns
    ledger/2026-11-24/record.json  when, from what, and all checksums

Each record.json holds the checksums of its day's files, and that of the
record.json before it: a chain, in which nothing can be changed, removed or
put between without every later link telling.
"""

import contextlib
import io
import json
import re
import shutil
import uuid
from datetime import date
from pathlib import Path

import pandas as pd

from forecasting.files import checksum, sweep, write_file

# https://docs.hubverse.io: the columns of the hubverse's model output.
COLUMNS = ["model_id", "origin_date", "target_end_date", "horizon", "ticker"]
COLUMNS += ["output_type", "output_type_id", "value"]
# The levels of the COVID-19 Forecast Hub, so that its tools can score this.
LEVELS = (0.01, 0.025, *(n / 100 for n in range(5, 100, 5)), 0.975, 0.99)
RECEIPT = "record.json"
# What file managers leave in any folder, beside all hidden files.
LITTER = {"thumbs.db", "desktop.ini"}
RESTORE = "restore it: git checkout"


class LedgerError(Exception):
    """What is wrong with a ledger, in one line."""


def days(ledger: Path) -> list[Path]:
    """The folders of the days on record, oldest first."""
    name = re.compile(r"\d{4}-\d\d-\d\d")
    found = ledger.iterdir() if ledger.is_dir() else []
    return sorted(p for p in found if p.is_dir() and name.fullmatch(p.name))


def read(ledger: Path) -> pd.DataFrame:
    """Every forecast on record: ``COLUMNS``, dates as dates, and its day.

    ``day``: the name of its folder, which is the latest origin's date there.
    Raises LedgerError for the first file that is not as it was recorded.
    """
    head = ",".join(COLUMNS).encode() + b"\n"
    contents, names, previous = [head], [], ""
    for folder in days(ledger):
        receipt = _receipt(folder)
        if receipt["previous"] != previous:
            raise LedgerError(
                f"{folder}: the day recorded before it is missing or was "
                f"changed; {RESTORE} {ledger}"
            )
        there = {path.name for path in folder.iterdir()} - {RECEIPT}
        there -= {n for n in there if n[0] == "." or n.lower() in LITTER}
        for name in sorted(there | set(receipt["files"])):
            path = folder / name
            if name not in receipt["files"]:
                raise LedgerError(f"{path}: was not recorded; remove it")
            content = path.read_bytes() if path.is_file() else b""
            if checksum(content) != receipt["files"][name]:
                raise LedgerError(
                    f"{path}: not what was recorded; {RESTORE} {path}"
                )
            contents.append(content.removeprefix(head))
            names += [folder.name] * contents[-1].count(b"\n")
        previous = checksum((folder / RECEIPT).read_bytes())
    return parse(b"".join(contents)).assign(day=pd.Series(names, dtype=str))


def parse(content: bytes) -> pd.DataFrame:
    """A CSV whose columns begin as ``COLUMNS`` do, dates as dates."""
    return pd.read_csv(
        io.BytesIO(content),
        parse_dates=COLUMNS[1:3],
        date_format="%Y-%m-%d",
        dtype={"model_id": str, "ticker": str},
        na_filter=False,  # NA and TRUE are tickers, too
    )


def csv(table: pd.DataFrame) -> bytes:
    """A table as CSV; the same numbers give the same bytes."""
    return table.to_csv(
        index=False,
        date_format="%Y-%m-%d",
        float_format="%.8g",
        lineterminator="\n",
    ).encode()


def write(
    ledger: Path, day: date, forecasts: pd.DataFrame, facts: dict
) -> None:
    """Add a day to a ledger that ``read`` has found in order.

    ``forecasts``: ``COLUMNS``; ``facts``: what the receipt says beside the
    checksums. The folder appears whole or not at all. Raises LedgerError
    where the day, or a later one, is on record.
    """
    before, target = days(ledger), ledger / day.isoformat()
    if before and before[-1] >= target:
        raise LedgerError(
            f"{target}: {before[-1].name} is on record, and no day is written "
            "twice or before it"
        )
    contents = {
        f"{model}.csv": csv(rows[COLUMNS])
        for model, rows in forecasts.groupby("model_id", sort=False)
    }
    last = (before[-1] / RECEIPT).read_bytes() if before else b""
    facts = facts | {
        "files": {name: checksum(text) for name, text in contents.items()},
        "previous": checksum(last) if before else "",
    }
    contents[RECEIPT] = (json.dumps(facts, indent=1) + "\n").encode()
    ledger.mkdir(parents=True, exist_ok=True)
    sweep(ledger, ".*.tmp")
    scratch = ledger / f".{day}.{uuid.uuid4().hex}.tmp"
    scratch.mkdir()
    try:
        for name, content in contents.items():
            write_file(content, scratch / name)
        scratch.rename(target)
    except OSError as error:
        if not target.exists():
            raise
        raise LedgerError(f"{target}: another run was faster") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(scratch)


def _receipt(folder: Path) -> dict:
    path = folder / RECEIPT
    try:
        receipt = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(receipt["previous"], str):
            raise ValueError("previous is not a checksum")
        receipt["files"].items()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LedgerError(f"{path}: not readable; {RESTORE} {path}") from error
    return receipt
