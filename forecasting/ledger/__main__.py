"""The ledger from the command line: ``python -m forecasting.ledger``."""

import argparse
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from forecasting import kept
from forecasting.console import say
from forecasting.files import write_file
from forecasting.ledger import days
from forecasting.ledger.page import draw
from forecasting.ledger.record import Late, Origin, origin, record
from forecasting.ledger.scoring import keep, score, summarise
from forecasting.market.newest import load_newest, normalise_all
from forecasting.market.prices import DATA, PriceError, find, read_csv
from forecasting.market.request import read_list
from forecasting.market.store import final
from forecasting.settings import STUDY, Settings

ROOT = DATA.parent
MODELS = ["LSTM", "BiLSTM", "Linear", "HAR", "GARCH", "RandomWalk"]
LIST, SCORES = "tickers.txt", "scores.csv"
NOT_NOW = 3
EXAMPLES = """examples:
  python -m forecasting.ledger record NVDA AAPL   from the newest closes
  python -m forecasting.ledger record             of ledger/tickers.txt
  python -m forecasting.ledger score              whatever has matured
  python -m forecasting.ledger page               draws ledger/README.md

exit codes:
  0 done    1 it cannot be done, stderr says why    2 a wrong command line
  3 some tickers could not be recorded now: a holiday, Yahoo fails, they are
    on record; stderr says why, and all others are recorded
  130 interrupted
"""


def main(
    argv: list[str] | None = None,
    root: Path = ROOT,
    now: datetime | None = None,
    settings: Settings = STUDY,
) -> int:
    """Do what a command line says; the exit code.

    ``root``: where results/ is, which keeps the fits; ``now``: the time, the
    clock's by default.
    """
    options = parser().parse_args(argv)
    if options.tickers and options.what != "record":
        parser().error(f"{options.what} takes no tickers")
    now, models = now or datetime.now(UTC), root / "results" / "models"
    try:
        if options.what == "record":
            asked = options.tickers or listed(options.ledger / LIST)
            return enter(options.ledger, asked, now, models, settings)
        recorded = days.read(options.ledger)
        if options.what == "score":
            rescore(options.ledger, recorded)
        else:
            paint(options.ledger, recorded)
    except KeyboardInterrupt:
        say("stopped; nothing is half recorded")
        return 130
    except (days.LedgerError, PriceError, OSError) as error:
        say(str(error))
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    options = argparse.ArgumentParser(
        "python -m forecasting.ledger",
        description="Forecasts on record before their outcome, scored when "
        "it comes.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = options.add_argument
    add("what", choices=["record", "score", "page"])
    add("tickers", nargs="*", metavar="TICKER",
        help=f"to record; by default those of DIR/{LIST}")  # fmt: skip
    add("--ledger", type=Path, default=ROOT / "ledger", metavar="DIR",
        help="default: ledger/ of the repository")  # fmt: skip
    return options


def enter(
    ledger: Path,
    tickers: list[str],
    now: datetime,
    folder: Path = kept.KEPT,
    settings: Settings = STUDY,
) -> int:
    """Record what can be forecast now, by fits of a folder; the exit code."""
    recorded, asked = days.read(ledger), normalise_all(tickers)
    histories = load_newest([t for t in asked if t], kept.PEERS)
    origins: dict[str, Origin] = {}
    for ticker in asked:
        if ticker in histories:
            try:
                if not final(find(ticker), histories[ticker]):
                    raise Late("its last session was saved before its close")
                origins[ticker] = origin(
                    ticker, histories[ticker], now, recorded, settings
                )
            except Late as reason:
                say(f"{ticker}: {reason}")
    if origins:
        learning = kept.pool(origins, histories, settings)
        for ticker in origins.keys() - learning.keys():
            say(f"{ticker}: {len(histories[ticker])} rows are too few")
            del origins[ticker]
    if origins:
        models = kept.obtain(MODELS, learning, folder, settings=settings)
        day = record(ledger, origins, models, now, settings)
        print(f"{day}: {', '.join(origins)} by {', '.join(MODELS)}")
    return 0 if set(asked) == set(origins) else NOT_NOW


def listed(path: Path) -> list[str]:
    """The tickers of a ledger's list."""
    try:
        return read_list(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise days.LedgerError(
            f"{path}: {reason}; write tickers there, one a line, or name "
            "them: python -m forecasting.ledger record NVDA"
        ) from error


def rescore(ledger: Path, recorded: pd.DataFrame) -> None:
    """Bring scores.csv up to date with the newest prices; print a summary."""
    if recorded.empty:
        print("nothing is on record yet")
        return
    scores = score(recorded, load_newest(sorted(recorded["ticker"].unique())))
    matured, notes = keep(scores, ledger / SCORES)
    for note in notes:
        say(note)
    text = matured.to_csv(
        index=False,
        date_format="%Y-%m-%d",
        float_format="%.8g",
        lineterminator="\n",
    )
    write_file(text.encode(), ledger / SCORES)
    counts = scores["state"].value_counts().to_dict()
    print(", ".join(f"{n:,} {state}" for state, n in counts.items()))
    if len(matured):
        print(summarise(matured).round(4).to_string())


def paint(ledger: Path, recorded: pd.DataFrame) -> None:
    """Draw the page from what the disk holds."""
    histories = {}
    for ticker in recorded["ticker"].unique():
        with suppress(PriceError):  # its scores are kept
            histories[ticker] = read_csv(find(ticker))
    scores = score(recorded, histories)
    matured, _ = keep(scores, ledger / SCORES)
    draw(ledger, recorded, scores, matured, histories)
    print(f"see {ledger / 'README.md'}")


if __name__ == "__main__":
    sys.exit(main())
