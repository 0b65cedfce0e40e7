"""Where may the close be? ``python -m forecasting.forecast NVDA TSM``.

Downloads the newest prices, forecasts with the LSTM that comes with the study,
and prints the next 20 sessions. results/forecasts/NVDA/ gets forecast.csv and
forecast.png: not results/NVDA/, which belongs to the study of NVDA. Without
a network it goes on with the prices on the disk and says how old they are.
"""

import argparse
import json
import sys
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from forecasting.console import say
from forecasting.files import write_folder
from forecasting.market import calendars, prices
from forecasting.market.newest import load_newest
from forecasting.market.request import normalise_all
from forecasting.models.base import Forecast
from forecasting.models.vintage import LSTM, newest, unlike
from forecasting.pages import plots, tables

ROOT = prices.DATA.parent
SHOWN = {
    "median": "q50",
    "80 % low": "q10",
    "80 % high": "q90",
    "95 % low": "q025",
    "95 % high": "q975",
}


class Outlook(NamedTuple):
    """A forecast from a ticker's last close, and the card of its network.

    ``table``: as ``tables.forecast_table`` has it; ``note``: how the ticker
    differs from what was learnt from, and what is not known of the dates.
    """

    ticker: str
    history: pd.DataFrame
    card: dict
    forecast: Forecast
    table: pd.DataFrame
    note: str


def main(argv: list[str] | None = None, root: Path = ROOT) -> int:
    """Forecast the tickers of a command line; the exit code.

    0: all are forecast; 1: one is not, and a line on stderr says why; 130:
    Ctrl-C. ``root``: where results/ is.
    """
    options = parser().parse_args(argv)
    # For a program, what is said on the way goes where errors go.
    aside = redirect_stdout(sys.stderr) if options.json else nullcontext()
    made, code = {}, 0
    try:
        with aside:
            tickers, refused = normalise_all(options.tickers)
            for ticker, history in load_newest(tickers).items():
                try:
                    found = outlook(ticker, history)
                except prices.PriceError as error:
                    say(f"{ticker}: {error}")
                    continue
                made[ticker] = found
                print(f"\n{in_print(found)}")
                folder = Path("results", "forecasts", ticker)
                try:
                    write(found, root / folder)
                    print(f"{folder}: forecast.csv, forecast.png")
                except OSError as error:
                    say(f"{ticker}: {folder} is not written: {error}")
                    code = 1
    except KeyboardInterrupt:
        say("stopped; what was written before is as it was")
        return 130
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps({t: as_json(o) for t, o in made.items()}, indent=1))
    return 1 if refused or set(tickers) != set(made) else code


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    options = argparse.ArgumentParser(
        "python -m forecasting.forecast",
        description="Where may the close be in the next 20 sessions? From "
        "the newest prices, by an LSTM that has learnt from 1,211 stocks.",
    )
    add = options.add_argument
    add("tickers", nargs="+", metavar="TICKER", help="for example NVDA")
    add("--json", action="store_true",
        help="print one JSON object; all else goes to stderr")  # fmt: skip
    return options


def outlook(ticker: str, history: pd.DataFrame) -> Outlook:
    """Forecast a ticker from the last row of its prices.

    Raises PriceError where there are too few, or too old ones.
    """
    last = np.array([len(history) - 1])
    card = newest(history.index[-1]).card
    forecast = LSTM(end=card["end"]).fit({ticker: history})
    said = forecast.predict(history, last)
    ahead = calendars.sessions_ahead(ticker, history, said.loc.shape[1])
    close = history["Close"].iloc[-1]
    table = tables.forecast_table(ahead.dates, close, said)
    notes = filter(None, [unlike(ticker, history, card), ahead.note])
    return Outlook(ticker, history, card, said, table, "\n".join(notes))


def write(found: Outlook, folder: Path) -> None:
    """Leave forecast.csv and forecast.png in a folder, both or none."""
    figure = draw(found)
    with TemporaryDirectory() as scratch:
        new = Path(scratch) / "new"
        new.mkdir()
        found.table.to_csv(new / "forecast.csv", index=False)
        figure.savefig(new / "forecast.png")
        write_folder(new, folder)
    plots.plt.close(figure)


def draw(found: Outlook) -> Figure:
    """The last 60 closes and the fan of the next sessions."""
    table = found.table
    figure = plots.fan(
        found.history["Close"].iloc[-60:],
        pd.to_datetime(table["Date"]),
        {tables.QUANTILES[q]: table[q] for q in SHOWN.values()},
        calendars.currency(found.ticker),
    )
    plots.caption(
        figure,
        f"{found.ticker}: the last 60 closes and the next {len(table)} "
        f"sessions, from {table['Date'].iloc[0]}",
        "Four closes in five should end in the inner band, nineteen in "
        f"twenty in the outer one. {drift(found.forecast)}",
    )
    return figure


def drift(forecast: Forecast) -> str:
    """What the median does, and what it does not mean."""
    yearly = 100 * np.expm1(252 * forecast.loc[0, 0])
    return (
        f"The median rises by {yearly:.0f} % a year, which every model of "
        "volatility here assumes. It is no forecast of a direction."
    )


def in_print(found: Outlook) -> str:
    """A forecast as a table for a terminal."""
    close = found.history["Close"].iloc[-1]
    decimals = 2 if close >= 1 else 6  # a currency may cost less than a cent
    rows = found.table.set_index("Date")[list(SHOWN.values())]
    text = rows.rename(columns={q: name for name, q in SHOWN.items()})
    lines = [
        f"{found.ticker}: close {close:,.{decimals}f} on "
        f"{found.history.index[-1].date()}, in "
        f"{calendars.currency(found.ticker)}; the next {len(rows)} sessions",
        text.to_string(float_format=f"{{:,.{decimals}f}}".format),
        f"By an LSTM that has learnt from {found.card['stocks']:,} American "
        f"stocks up to {found.card['end']}.",
        drift(found.forecast),
    ]
    return "\n".join([*lines, *filter(None, [found.note])])


def as_json(found: Outlook) -> dict:
    """A forecast for a program: the table, and what it was made from."""
    history = found.history
    return {
        "date": str(history.index[-1].date()),
        "close": float(history["Close"].iloc[-1]),
        "currency": calendars.currency(found.ticker),
        "sessions_since": calendars.sessions_since(found.ticker, history),
        "note": found.note,
        "model": "LSTM",
        "learnt_up_to": found.card["end"],
        "fit": found.card["sha256"],
        "forecast": found.table.to_dict("records"),
    }


if __name__ == "__main__":
    sys.exit(main())
