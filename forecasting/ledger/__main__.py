"""The ledger from the command line: ``python -m forecasting.ledger``."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from curl_cffi.requests import Session

from forecasting.ledger import days
from forecasting.ledger.record import Late, Origin, origin, record
from forecasting.market.download import download
from forecasting.market.prices import DATA, PriceError, directories, load
from forecasting.market.request import Refused, brief, normalise

LEDGER = DATA.parent / "ledger"
MODELS = ["LSTM", "BiLSTM", "Linear", "HAR", "GARCH", "RandomWalk"]
EXAMPLES = """examples:
  python -m forecasting.ledger record NVDA AAPL   forecasts from today's close
  python -m forecasting.ledger record             of ledger/tickers.txt
  python -m forecasting.ledger score              what has matured
  python -m forecasting.ledger page               ledger/README.md

exit codes:
  0 done    1 it cannot be, stderr says why    2 a wrong command line
  3 some tickers could not be recorded now (a holiday, Yahoo fails, recorded
    already): the others are    130 interrupted
"""
NOT_NOW = 3


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    options = argparse.ArgumentParser(
        "python -m forecasting.ledger",
        description="Forecasts on record before their outcome, scored as it "
        "comes.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = options.add_argument
    add("what", choices=["record", "score", "page"])
    add("tickers", nargs="*", metavar="TICKER",
        help="of record; default: ledger/tickers.txt")  # fmt: skip
    add("--ledger", type=Path, default=LEDGER, metavar="DIR",
        help="default: ledger/ of the repository")  # fmt: skip
    return options
