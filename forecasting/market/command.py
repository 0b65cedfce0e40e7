"""The command line of the downloader: python scraper.py AAPL ..."""

import argparse
import contextlib
from datetime import date, datetime
from pathlib import Path

from forecasting.console import brief
from forecasting.market.download import download
from forecasting.market.prices import DATA
from forecasting.market.request import Refused, Request, read_list
from forecasting.market.yahoo import Client

EXAMPLES = """examples:
  python scraper.py AAPL                     all there is, to data/AAPL.csv
  python scraper.py AAPL MSFT ^GSPC BTC-USD  several, a few at a time
  python scraper.py --list sp500.txt         many, a symbol a line, # comments
  python scraper.py IBM --start 2000-01-01 --end 2020-01-01 --force
                                             a part, even if less than on disk

With --list, a ticker whose CSV holds its last closed session is not asked
again: after Ctrl-C or a failure the same command gets the rest.

exit codes:
  0 every ticker is saved    1 a ticker is not, stderr says why
  2 a wrong command line     130 interrupted (Ctrl-C)
"""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str):
        """Leave with exit code 2."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def seconds(text: str) -> float:
    """A positive number of seconds, a day at most."""
    if 0 < float(text) <= 86400:
        return float(text)
    raise ValueError


def day(text: str) -> date:
    """A date written as YYYY-MM-DD."""
    try:
        return datetime.strptime(text.strip(), "%Y-%m-%d").date()
    except ValueError as error:
        wrong = f"{brief(text)} is not a date; write it as YYYY-MM-DD"
        raise argparse.ArgumentTypeError(wrong) from error


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line; leaves with code 2 where it is wrong."""
    parser = Parser(
        prog="scraper.py",
        description="Download daily prices from Yahoo Finance, adjusted for "
        "splits and dividends, checked, one CSV per ticker.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("tickers", nargs="*", metavar="TICKER", help="as on finance.yahoo.com")
    add("--list", metavar="FILE", type=Path, help="a file of tickers")
    add("--start", metavar="D", type=day, help="first date, YYYY-MM-DD")
    add("--end", metavar="D", type=day, help="the day after the last date")
    add("--data", metavar="DIR", type=Path, default=DATA,
        help="where the CSVs go (default: data/ of the repository)",
    )  # fmt: skip
    add("--timeout", metavar="S", type=seconds, default=60.0,
        help="seconds for one ticker, all tries together (default: 60)",
    )  # fmt: skip
    add("--force", action="store_true",
        help="accept gaps, jumps and a history shorter than the one on disk",
    )  # fmt: skip
    add("--live-bar", action="store_true",
        help="keep the bar of a session still in progress",
    )  # fmt: skip
    add("--verbose", action="store_true", help="print tracebacks")
    options = parser.parse_args(argv)
    if options.list:
        try:
            options.tickers += read_list(options.list)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            parser.error(f"--list {options.list}: {brief(reason)}")
    if not options.tickers:
        parser.error("no ticker given; try: python scraper.py AAPL")
    names = ", ".join(brief(t, 24) for t in options.tickers[:5])
    anew = options.force or options.live_bar or not options.list
    try:
        options.request = Request(
            options.start,
            options.end,
            options.timeout,
            options.force,
            options.live_bar,
            resume=not anew,
        )
        options.request.check()
        with contextlib.suppress(ValueError):  # shown as the reader knows it
            options.data = options.data.resolve().relative_to(Path.cwd())
        options.data.mkdir(parents=True, exist_ok=True)
    except Refused as error:
        parser.error(f"{names}: {error}")
    except OSError as error:
        parser.error(f"{names}: --data: {brief(error)}; name a directory")
    return options


def main(argv: list[str] | None = None, client: Client | None = None) -> int:
    """Download the tickers of a command line; returns the exit code."""
    given = parse_arguments(argv)
    return download(
        given.tickers, given.data, given.request, client, given.verbose
    )
