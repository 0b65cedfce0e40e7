"""Read one stock: ``python -m forecasting.study NVDA``.

Runs EDA.ipynb and predictor.ipynb for a ticker and leaves both, executed and
as HTML, with their figures and forecast.csv in results/NVDA/. The folder
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
from nbconvert import HTMLExporter
from nbformat import NotebookNode

from forecasting.market import prices
from forecasting.market.download import download
from forecasting.market.request import Refused, brief, normalise
from forecasting.tables import QUANTILES
from forecasting.windows import rows_needed

ROOT = Path(__file__).resolve().parents[1]
ROWS_NEEDED = rows_needed(folds=1)


class StudyError(Exception):
    """Why there is no study, in one line."""


def main(argv: list[str] | None = None, root: Path = ROOT) -> int:
    """Study one ticker with the notebooks in ``root``; the exit code."""
    parser = argparse.ArgumentParser("python -m forecasting.study")
    parser.add_argument("ticker", help="Yahoo symbol, for example NVDA")
    ticker = parser.parse_args(argv).ticker
    try:
        ticker = normalise(ticker)
        try:
            prices.find(ticker)
        except prices.PriceError:
            # download() prints its own line, whether it fails or not.
            folder = prices.directories()[0]
            folder.mkdir(parents=True, exist_ok=True)
            if code := download([ticker], folder):
                return code
        history = prices.load(ticker)
        prices.require_rows(history, ROWS_NEEDED, ticker)
        forecast = study(ticker, root)
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
    print(summary(ticker, history["Close"], forecast))
    return 0


def study(ticker: str, root: Path) -> pd.DataFrame:
    """Run both notebooks and put results/TICKER/ in place.

    Returns the forecast: one row a session ahead, columns Date, Horizon and
    the quantiles of the close. Raises StudyError or OSError.
    """
    results = root / "results"
    results.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=results, prefix=f".{ticker}-") as scratch:
        new = Path(scratch) / "new"
        (new / "figures").mkdir(parents=True)
        run(root / "EDA.ipynb", new, {"TICKER": ticker})
        run(
            root / "predictor.ipynb",
            new,
            {"TICKER": ticker, "RESULTS": str(new)},
        )
        forecast = read_forecast(new / "forecast.csv")
        replace(results / ticker, new, Path(scratch) / "old")
    return forecast


def run(path: Path, folder: Path, parameters: dict[str, str]) -> None:
    """Execute a notebook; leave it, its HTML and its figures in a folder."""
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
    del notebook.metadata["papermill"]  # names of the temporary folder
    nbformat.write(notebook, folder / path.name)
    html, _ = HTMLExporter().from_notebook_node(
        notebook, {"metadata": {"name": f"{parameters['TICKER']} {path.stem}"}}
    )
    (folder / f"{path.stem}.html").write_text(html, encoding="utf-8")
    for name, png in figures(notebook):
        (folder / "figures" / f"{path.stem}-{name}.png").write_bytes(png)


def figures(notebook: NotebookNode) -> list[tuple[str, bytes]]:
    """Figures in order, each named by its number and section."""
    found, section = [], ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for heading in re.findall(r"(?m)^##? (.+)", cell.source):
                section = re.sub(r"\W+", "-", heading.lower()).strip("-")
        for output in cell.get("outputs", []):
            if png := output.get("data", {}).get("image/png"):
                name = f"{len(found) + 1:02d}-{section}"
                found.append((name, b64decode(png)))
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


def replace(target: Path, new: Path, old: Path) -> None:
    """Rename a finished folder to its place; the former one becomes old."""
    if target.exists():
        target.rename(old)
    try:
        new.rename(target)
    except BaseException:
        if old.exists():
            old.rename(target)
        raise


def summary(ticker: str, close: pd.Series, forecast: pd.DataFrame) -> str:
    """The next session's forecast in one line."""
    last, next_ = close.iloc[-1], forecast.iloc[0]
    decimals = 2 if last >= 1 else 6  # a currency may cost less than a cent
    low, median, high, last = (
        f"{value:,.{decimals}f}"
        for value in (next_["q10"], next_["q50"], next_["q90"], last)
    )
    return (
        f"{ticker}: close of {next_['Date'].date()} forecast: median "
        f"{median}, 80 % between {low} and {high} (last close {last} on "
        f"{close.index[-1].date()}); see results/{ticker}/"
    )


if __name__ == "__main__":
    sys.exit(main())
