"""The command line of the downloader: python scraper.py AAPL ..."""

import argparse
import contextlib
from pathlib import Path

from curl_cffi.requests import Session

from forecasting.console import brief
from forecasting.market.download import download
from forecasting.market.prices import DATA
from forecasting.market.request import (
    Manners,
    Refused,
    Request,
    day,
    read_list,
)

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
    add("--start", metavar="D", help="first date wanted, YYYY-MM-DD")
    add("--end", metavar="D", help="the day after the last date wanted")
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
    anew = options.force or options.live_bar
    try:
        options.request = Request(
            day(options.start, "--start"),
            day(options.end, "--end"),
            options.timeout,
            options.force,
            options.live_bar,
            resume=bool(options.list) and not anew,
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


def main(
    argv: list[str] | None = None,
    session: Session | None = None,
    manners: Manners | None = None,
) -> int:
    """Download the tickers of a command line; returns the exit code.

    `session`: a curl_cffi session to use in place of a new one.
    `manners`: how patiently Yahoo is asked.
    """
    options = parse_arguments(argv)
    return download(
        options.tickers,
        options.data,
        options.request,
        session,
        options.verbose,
        manners,
    )
