"""The ledger from the command line: ``python -m forecasting.ledger``."""

import argparse
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from forecasting.console import say
from forecasting.files import write_file
from forecasting.ledger import days, page, record, scoring
from forecasting.market.newest import load_newest
from forecasting.market.prices import DATA, PriceError, find, read_csv
from forecasting.market.request import normalise_all, read_list
from forecasting.market.store import final
from forecasting.settings import STUDY

ROOT = DATA.parent
MODELS = ["LSTM", "Memoryless", "PoolAverages", "PoolLinear"]
MODELS += ["HAR", "GARCH", "RandomWalk"]
LIST, SCORES = "tickers.txt", "scores.csv"
NOT_NOW = 3
EXAMPLES = """examples:
  python -m forecasting.ledger record NVDA AAPL   from the newest closes
  python -m forecasting.ledger record             of ledger/tickers.txt
  python -m forecasting.ledger score              whatever has matured
  python -m forecasting.ledger page               draws ledger/README.md

exit codes:
  0 done    1 it cannot be done, stderr says why    2 a wrong command line
  3 some could not be recorded now: a holiday, Yahoo fails, they are on
    record, a model did not converge; stderr says why and, where it can be
    made up for, when; all others are recorded. A day is written once: a
    ticker added to the list after today's record joins from the next close
  130 interrupted
"""


def main(
    argv: list[str] | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> int:
    """Do what a command line says; the exit code.

    ``clock`` says what time it is.
    """
    options = parser().parse_args(argv)
    if options.tickers and options.what != "record":
        parser().error(f"{options.what} takes no tickers")
    try:
        if options.what == "record":
            asked = options.tickers or listed(options.ledger / LIST)
            return enter(options.ledger, asked, clock)
        recorded = days.read(options.ledger)
        if options.what == "score":
            rescore(options.ledger, recorded, clock)
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
    clock: Callable[[], datetime],
) -> int:
    """Record what can be forecast now; the exit code."""
    recorded, (asked, refused) = days.read(ledger), normalise_all(tickers)
    histories = load_newest(asked, pd.Timestamp(clock()))
    now = clock()  # the download may have taken a while
    origins: dict[str, record.Origin] = {}
    for ticker in (ticker for ticker in asked if ticker in histories):
        prices = histories[ticker]
        try:
            if not final(find(ticker), prices):
                raise record.Late(
                    "its last session was saved before its close"
                )
            origins[ticker] = record.origin(ticker, prices, now, recorded)
        except record.Late as reason:
            say(f"{ticker}: {reason}")
    held = days.days(ledger)
    if origins and held and f"{record.day_of(origins)}" <= held[-1].name:
        for ticker, start in origins.items():
            say(
                f"{ticker}: {held[-1].name} is on record, and no day is "
                f"changed; it joins from the close of {start.ahead[0].date()}"
            )
        origins = {}
    # None is forecast by a model that knows rows after its origin.
    end = min((o.date for o in origins.values()), default=None)
    learning = {t: o.prices.loc[:end] for t, o in origins.items()}
    for ticker, prices in list(learning.items()):
        if len(prices) < STUDY.min_train:
            say(f"{ticker}: {len(prices)} rows are too few")
            del origins[ticker], learning[ticker]
    if not origins:
        return NOT_NOW
    models: dict[str, record.Fitted] = {}
    for name in MODELS:
        try:
            models[name] = record.ready(name, learning)
        except Exception as error:  # the evening is not to be had again
            say(record.left_out(name, error))
    try:
        new = record.record(ledger, origins, models, clock)
    except record.Late as reason:
        say(str(reason))
        return NOT_NOW
    by, of = (new[key].unique() for key in ("model_id", "ticker"))
    print(f"{days.days(ledger)[-1]}: {', '.join(of)} by {', '.join(by)}")
    pairs = new[["model_id", "ticker"]].drop_duplicates()
    wanted = len(MODELS) * len([*asked, *refused])
    return 0 if len(pairs) == wanted else NOT_NOW


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


def rescore(
    ledger: Path, recorded: pd.DataFrame, clock: Callable[[], datetime]
) -> None:
    """Bring scores.csv up to date with the newest prices; print a summary."""
    if recorded.empty:
        print("nothing is on record yet")
        return
    tickers = sorted(recorded["ticker"].unique())
    scores = scoring.score(
        recorded, load_newest(tickers, pd.Timestamp(clock()))
    )
    matured, notes = scoring.keep(scores, ledger / SCORES)
    for note in notes:
        say(note)
    write_file(days.csv(matured), ledger / SCORES)
    counts = scores["state"].value_counts().to_dict()
    print(", ".join(f"{n:,} {state}" for state, n in counts.items()))
    if len(matured):
        print(scoring.summarise(matured, recorded).round(4).to_string())


def paint(ledger: Path, recorded: pd.DataFrame) -> None:
    """Draw the page from what the disk holds."""
    histories = {}
    for ticker in recorded["ticker"].unique():
        with suppress(PriceError):  # its scores are kept
            histories[ticker] = read_csv(find(ticker))
    scores = scoring.score(recorded, histories)
    matured, _ = scoring.keep(scores, ledger / SCORES)
    page.draw(ledger, recorded, scores, matured, histories)
    print(f"see {ledger / 'README.md'}")


if __name__ == "__main__":
    sys.exit(main())
