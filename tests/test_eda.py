"""EDA.ipynb answers its seven questions for any history, and correctly."""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import habits
import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

NOTEBOOK = habits.ROOT / "EDA.ipynb"
SNAPSHOT = habits.ROOT / "data" / "snapshot"
USABLE = ["IBM", "SHORT", "EURUSD=X"]


def read(ticker):
    path = SNAPSHOT / f"{ticker}.csv"
    return pd.read_csv(path, index_col="Date", parse_dates=True)


def currency(n=900):
    """A made-up exchange rate, quoted without volume."""
    rng = np.random.default_rng(6)
    path = 1.1 * np.exp(np.cumsum(rng.normal(0, 0.002, (n, 4)).ravel()))
    day = path.reshape(n, 4).round(6)
    ohlc = [day[:, 0], day.max(axis=1), day.min(axis=1), day[:, 3]]
    frame = pd.DataFrame(np.transpose(ohlc), pd.bdate_range("2015", periods=n))
    frame.columns = ["Open", "High", "Low", "Close"]
    return frame.assign(Volume=0).rename_axis("Date")


HISTORIES = {
    "IBM": read("IBM"),
    "SHORT": read("AAPL").tail(300),  # among others
    "EURUSD=X": currency(),  # alone, and without volume
    "TINY": read("MSFT").tail(200),  # less than a year: refused
}


def execute(folder, ticker):
    """Run the notebook on a ticker as `papermill` does on a command line."""
    data = SNAPSHOT
    if ticker != "IBM":
        data = folder / ticker / "data"
        data.mkdir(parents=True)
        HISTORIES[ticker].to_csv(data / f"{ticker}.csv")
    if ticker == "SHORT":
        for peer in ("IBM", "MSFT"):
            read(peer).to_csv(data / f"{peer}.csv")
    out = folder / f"{ticker}.ipynb"
    subprocess.run(
        [sys.executable, "-m", "papermill", NOTEBOOK, out, "-k", "python3"]
        + ["-p", "TICKER", ticker, "--no-progress-bar"],
        env=os.environ | {"FORECASTING_DATA": str(data)},
        capture_output=True,
    )
    return habits.read(out)


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """`{ticker: executed notebook}`."""
    folder = tmp_path_factory.mktemp("eda")
    with ThreadPoolExecutor(2) as pool:
        runs = pool.map(lambda ticker: execute(folder, ticker), HISTORIES)
    return dict(zip(HISTORIES, runs, strict=True))


def text(nb):
    return "\n".join(map(habits.output_text, habits.code_cells(nb)))


def figures(nb):
    return sum("image/png" in habits.mimes(c) for c in habits.code_cells(nb))


def answers(nb):
    """`{question: (answer, what follows)}` of the last table."""
    row = r"(?m)^\| \d\. (.+?) \| (.+?) \| (.+?) \|$"
    return {q: (a, f) for q, a, f in re.findall(row, text(nb))}


@pytest.mark.parametrize("ticker", USABLE)
def test_runs_without_error_or_warning(executed, ticker):
    cells = habits.code_cells(executed[ticker])
    assert not list(habits.clean_outputs(executed[ticker]))
    assert all(cell.execution_count for cell in cells)
    assert "nan" not in re.findall(r"[a-z]+", text(executed[ticker]))


@pytest.mark.parametrize("ticker", USABLE)
def test_answers_every_question_it_asks(executed, ticker):
    asked = [
        heading.partition(". ")[2]
        for heading in habits.headings(executed[ticker], 2)
        if heading.endswith("?")
    ]
    assert len(asked) == 7
    assert list(answers(executed[ticker])) == asked


def test_answers_depend_on_the_stock(executed):
    ibm, other = answers(executed["IBM"]), answers(executed["SHORT"])
    assert all(ibm[question] != other[question] for question in ibm)


def test_prose_holds_for_any_stock():
    prose = [
        habits.prose(cell)
        for cell in habits.read(NOTEBOOK).cells
        if cell.cell_type == "markdown"
    ]
    assert not re.search(r"AAPL|Apple|IBM|GOOG|MSFT", " ".join(prose))


def test_a_history_of_less_than_a_year_is_refused(executed):
    errors = [
        output
        for cell in habits.code_cells(executed["TINY"])
        for output in cell.outputs
        if output.output_type == "error"
    ]
    assert [e.ename for e in errors] == ["PriceError"]
    assert "200 rows, but at least 250" in errors[0].evalue


def test_what_a_history_lacks_is_said_in_a_line(executed):
    alone = text(executed["EURUSD=X"])
    assert "EURUSD=X has no volume" in alone
    assert "peers: none" in alone
    assert (
        "No other history"
        in answers(executed["EURUSD=X"])["How does it move with others?"][0]
    )
    # one figure with volume, and the four that need peers
    assert figures(executed["EURUSD=X"]) == figures(executed["IBM"]) - 5


# --- numbers, computed again by brute force ---------------------------------
@pytest.mark.parametrize("ticker", ["IBM", "SHORT"])
def test_worst_drawdown(executed, ticker):
    close = HISTORIES[ticker]["Close"].to_numpy()
    worst = min(close[i:].min() / close[i] - 1 for i in range(len(close)))
    assert f"worst drawdown {100 * worst:.1f} %" in text(executed[ticker])


@pytest.mark.parametrize("ticker", ["IBM", "SHORT"])
def test_weight_of_the_ten_largest_moves(executed, ticker):
    close = HISTORIES[ticker]["Close"].to_list()
    pairs = zip(close, close[1:], strict=False)
    squares = sorted(np.log(b / a) ** 2 for a, b in pairs)
    weight = 100 * sum(squares[-10:]) / sum(squares)
    told = answers(executed[ticker])["How big are the moves?"][1]
    assert f"ten sessions make {weight:.0f} %" in told


@pytest.mark.parametrize(("ticker", "tested"), [("IBM", 252), ("SHORT", 60)])
def test_bars_of_the_test_period(executed, ticker, tested):
    close = HISTORIES[ticker]["Close"].to_numpy()
    changes = np.diff(close)[-(tested - 1) :]
    rmse = np.sqrt(np.mean(changes**2))
    told = answers(executed[ticker])["What must a model beat?"][0]
    found = re.search(r"RMSE of ([\d.]+) .* CRPS of ([\d.]+) %", told)
    assert float(found[1]) == pytest.approx(rmse, rel=0.005)

    # CRPS: the squared distance of distribution functions, integrated
    returns = 100 * np.diff(np.log(close))
    df, _, scale = stats.t.fit(returns[: -tested - 20], floc=0)
    x = np.linspace(-100, 100, 40_001)
    cdf = stats.t.cdf(x, df, 0, scale)
    distances = [(cdf - (x >= y)) ** 2 for y in returns[-(tested - 1) :]]
    crps = integrate.trapezoid(np.mean(distances, axis=0), x)
    assert float(found[2]) == pytest.approx(crps, abs=0.004)
