"""Read one stock: ``python -m forecasting.study NVDA [--fresh]``.

Runs EDA.ipynb and predictor.ipynb for a ticker and leaves in results/NVDA/
index.html, the page to read; both notebooks, executed and as HTML, with those
of theory/ that they link to; their figures; and forecast.csv. The folder
appears whole or not at all: whatever fails, an older one stays as it was.
"""

import argparse
import re
import sys
from base64 import b64decode
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
import pandas as pd
import papermill
from nbformat import NotebookNode

from forecasting.console import brief
from forecasting.files import write_folder
from forecasting.market import calendars, prices
from forecasting.market.download import download
from forecasting.market.request import Refused, normalise
from forecasting.pages import report
from forecasting.pages.tables import QUANTILES
from forecasting.windows import rows_needed

ROOT = Path(__file__).resolve().parents[1]
ROWS_NEEDED = rows_needed(folds=1)


class StudyError(Exception):
    """Why there is no study, in one line."""


def main(argv: list[str] | None = None, root: Path = ROOT) -> int:
    """Study one ticker with the notebooks in ``root``; the exit code."""
    parser = argparse.ArgumentParser("python -m forecasting.study")
    parser.add_argument("ticker", help="Yahoo symbol, for example NVDA")
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="download it first; without this, only a ticker that has no "
        "CSV yet",
    )
    arguments = parser.parse_args(argv)
    ticker = arguments.ticker
    try:
        ticker = normalise(ticker)
        require_repository(root, ticker)
        missing = ticker not in prices.tickers()
        if (arguments.fresh or missing) and (code := fetch(ticker)):
            return code
        path = prices.find(ticker)
        history = prices.read_csv(path)
        print(f"{prices.show(path)}: to {calendars.age(ticker, history)}")
        prices.require_rows(history, ROWS_NEEDED, ticker)
        sentence = study(ticker, history, root)
    except KeyboardInterrupt:
        unchanged = f"results/{ticker}/ is as it was"
        print(f"{ticker}: stopped; {unchanged}", file=sys.stderr)
        return 130
    except (Refused, StudyError, OSError) as error:
        name = brief(ticker, 24) or '""'
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except prices.PriceError as error:  # names the file or the ticker itself
        print(error, file=sys.stderr)
        return 1
    print(f"{sentence}; see results/{ticker}/index.html")
    return 0


def require_repository(root: Path, ticker: str) -> None:
    """Raise StudyError where the notebooks are not, as beside a wheel."""
    for name in ("EDA.ipynb", "predictor.ipynb"):
        if not (root / name).is_file():
            raise StudyError(
                f"no {name} in {root}: a study runs the repository's "
                "notebooks; clone it, and in its folder type: "
                f"make study TICKER={ticker}"
            )


def fetch(ticker: str) -> int:
    """Download a stock; an exit code, 0 where the study can go on.

    Raises StudyError where downloads would go to the snapshot.
    """
    folder = prices.directories()[0]
    if prices.frozen(folder):
        raise StudyError(
            f"FORECASTING_DATA is {prices.show(folder)}, to which nothing is "
            "downloaded; unset it, or name another directory"
        )
    folder.mkdir(parents=True, exist_ok=True)
    code = download([ticker], folder)  # prints a line
    if code == 1 and ticker in prices.tickers():
        print("the study goes on with what is on disk", file=sys.stderr)
        return 0
    return code


def study(ticker: str, history: pd.DataFrame, root: Path) -> str:
    """Run both notebooks and put results/TICKER/ in place.

    ``history``: the prices that the notebooks read. Returns the forecast in
    one sentence. Raises StudyError or OSError.
    """
    results = root / "results"
    results.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=results, prefix=f".{ticker}-") as scratch:
        new = Path(scratch) / "new"
        (new / "figures").mkdir(parents=True)
        chosen = {"TICKER": ticker}
        notebooks = {
            "EDA": run(root / "EDA.ipynb", new, chosen),
            "predictor": run(
                root / "predictor.ipynb", new, chosen | {"RESULTS": str(new)}
            ),
        }
        forecast = read_forecast(new / "forecast.csv")
        write_pages(new, ticker, history, forecast, notebooks | theory(root))
        write_folder(new, results / ticker)
    return summary(ticker, history, forecast)


def theory(root: Path) -> dict[str, NotebookNode]:
    """The notebooks of theory/ as they were committed, executed."""
    paths = sorted((root / "theory").glob("*.ipynb"))
    return {f"theory/{path.stem}": nbformat.read(path, 4) for path in paths}


def write_pages(
    folder: Path,
    ticker: str,
    history: pd.DataFrame,
    forecast: pd.DataFrame,
    notebooks: dict[str, NotebookNode],
) -> None:
    """Leave index.html and a page for each executed notebook."""
    horizon, end = len(forecast), forecast["Date"].iloc[-1].date()
    facts = {
        "Prices up to": calendars.age(ticker, history),
        "Currency": calendars.currency(ticker),
        "Horizon": f"{horizon} sessions, to {end}",
    }
    title = f"{ticker}: where may the close be in the next {horizon} sessions?"
    sentence = summary(ticker, history, forecast)
    report.write(folder, notebooks, title, facts, f"{sentence}.")


def run(path: Path, folder: Path, parameters: dict[str, str]) -> NotebookNode:
    """Execute a notebook; leave it and its figures in a folder."""
    try:
        notebook = papermill.execute_notebook(
            path,
            None,
            parameters,
            kernel_name="python3",
            # no bar where nobody watches, in a log
            progress_bar={"desc": path.name, "unit": "cell", "disable": None},
            cwd=path.parent,
            # a failing cell comes back as the error caught below
            extra_arguments=["--log-level=CRITICAL"],
        )
    except papermill.PapermillExecutionError as error:
        cell = error.source.strip().partition("\n")[0]
        reason = error.evalue.strip().partition("\n")[0]
        if error.ename == "PriceError":  # says it all
            raise StudyError(f"{path.name}: {reason}") from error
        raise StudyError(
            f"{path.name} failed in the cell that starts with "
            f'"{cell}": {error.ename}: {reason}'
        ) from error
    except RuntimeError as error:  # the kernel died, or never started
        raise StudyError(f"{path.name}: {error}") from error
    # Names of the temporary folder, which nobody else should read:
    del notebook.metadata["papermill"]
    for cell in notebook.cells:
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.source = re.sub(r"(?m)^RESULTS = .*", "", cell.source).strip()
    nbformat.write(notebook, folder / path.name)
    for name, png in figures(notebook):
        (folder / "figures" / f"{path.stem}-{name}.png").write_bytes(png)
    return notebook


def figures(notebook: NotebookNode) -> list[tuple[str, bytes]]:
    """Figures in order, each named by its number and section."""
    found: list[tuple[str, bytes]] = []
    for section, cell in report.sections(notebook):
        for output in cell.outputs:
            if figure := report.png(output):
                words = re.sub(r"\W+", "-", section.lower()).strip("-")
                name = f"{len(found) + 1:02d}-{words}"
                found.append((name, b64decode(figure)))
    return found


def read_forecast(path: Path) -> pd.DataFrame:
    """The forecast that predictor.ipynb left; StudyError without one."""
    try:
        forecast = pd.read_csv(path, parse_dates=["Date"])
    except (OSError, ValueError) as error:
        raise StudyError(
            f"predictor.ipynb left no usable {path.name}: {error}"
        ) from error
    wanted = ["Date", "Horizon", *QUANTILES]
    if list(forecast.columns) != wanted or forecast.empty:
        raise StudyError(f"{path.name} lacks rows of {', '.join(wanted)}")
    return forecast


def summary(ticker: str, history: pd.DataFrame, forecast: pd.DataFrame) -> str:
    """The next session's forecast in one line."""
    last, next_ = history["Close"].iloc[-1], forecast.iloc[0]
    decimals = 2 if last >= 1 else 6  # a currency may cost less than a cent
    low, median, high, last = (
        f"{value:,.{decimals}f}"
        for value in (next_["q10"], next_["q50"], next_["q90"], last)
    )
    return (
        f"{ticker}: close of {next_['Date'].date()} forecast: median "
        f"{median}, 80 % between {low} and {high} (last close {last} on "
        f"{calendars.age(ticker, history)})"
    )


if __name__ == "__main__":
    sys.exit(main())
