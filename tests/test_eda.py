"""EDA.ipynb answers its seven questions for any history, and correctly."""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote

import habits
import numpy as np
import pandas as pd
import pytest
from nbconvert import HTMLExporter
from nbformat.v4 import new_notebook
from scipy import integrate, stats

from forecasting.eda import answers, findings
from forecasting.market.prices import PriceError

NOTEBOOK = habits.ROOT / "EDA.ipynb"
SNAPSHOT = habits.ROOT / "data" / "snapshot"
USABLE = ["AAPL", "SHORT", "EURUSD=X"]


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
    "AAPL": read("AAPL"),  # as committed: nbval compares it
    "SHORT": read("IBM").tail(300),  # among others
    "EURUSD=X": currency(),  # alone, and without volume
    "TINY": read("MSFT").tail(200),  # less than a year: refused
}


def execute(folder, ticker):
    """Run the notebook on a ticker as `papermill` does on a command line."""
    if ticker == "AAPL":
        return habits.read(NOTEBOOK)
    data = folder / ticker / "data"
    data.mkdir(parents=True)
    HISTORIES[ticker].to_csv(data / f"{ticker}.csv")
    if ticker == "SHORT":
        for peer in ("AAPL", "MSFT"):
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


def table(nb):
    """`{question: (answer, what follows)}` of the first table."""
    row = r"(?m)^\| \d\. (.+?) \| (.+?) \| (.+?) \|$"
    return {q: (a, f) for q, a, f in re.findall(row, text(nb))}


@pytest.mark.parametrize("ticker", USABLE)
def test_answers_every_question_it_asks_without_a_warning(executed, ticker):
    nb = executed[ticker]
    assert not list(habits.clean_outputs(nb))
    assert all(cell.execution_count for cell in habits.code_cells(nb))
    assert "nan" not in re.findall(r"[a-z]+", text(nb))
    asked = [
        h.partition(". ")[2] for h in habits.headings(nb, 2) if h[-1] == "?"
    ]
    assert len(asked) == 7
    assert list(table(nb)) == asked


def test_answers_stand_before_the_sections():
    cells = habits.read(NOTEBOOK).cells
    first = next(i for i, c in enumerate(cells) if "## 1." in c.source)
    assert len(table(new_notebook(cells=cells[:first]))) == 7


def test_contents_lead_to_headings():
    html, _ = HTMLExporter(exclude_output=True).from_filename(str(NOTEBOOK))
    contents = re.search(r"<strong>Contents.*?</p>", html, re.DOTALL)[0]
    links = map(unquote, re.findall(r'href="#([^"]+)"', contents))
    headings = re.findall(r'<h2 id="([^"]+)"', html)
    assert list(links) == headings


def test_answers_depend_on_the_stock(executed):
    one, other = table(executed["AAPL"]), table(executed["SHORT"])
    assert all(one[question] != other[question] for question in one)


def test_prose_holds_for_any_stock():
    prose = map(habits.prose, habits.markdown_cells(habits.read(NOTEBOOK)))
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
    alone = executed["EURUSD=X"]
    assert "EURUSD=X has no volume" in text(alone)
    assert "peers: none" in text(alone)
    others = table(alone)["How does it move with others?"][0]
    assert "No other history" in others
    # one figure with volume, and the three that need peers
    assert figures(alone) == figures(executed["AAPL"]) - 4


# --- numbers, computed again by brute force ---------------------------------
@pytest.mark.parametrize("ticker", ["AAPL", "SHORT"])
def test_worst_drawdown_and_weight_of_the_ten_largest_moves(executed, ticker):
    close = HISTORIES[ticker]["Close"].to_numpy()
    worst = min(close[i:].min() / close[i] - 1 for i in range(len(close)))
    assert f"worst drawdown {100 * worst:.1f} %" in text(executed[ticker])
    squares = sorted(np.diff(np.log(close)) ** 2)
    weight = 100 * sum(squares[-10:]) / sum(squares)
    told = table(executed[ticker])["How big are the moves?"][0]
    assert f"ten sessions make {weight:.0f} %" in told


@pytest.mark.parametrize(("ticker", "tested"), [("AAPL", 252), ("SHORT", 60)])
def test_bars_of_the_test_period(executed, ticker, tested):
    close = HISTORIES[ticker]["Close"].to_numpy()
    changes = np.diff(close)[-(tested - 1) :]
    rmse = np.sqrt(np.mean(changes**2))
    told, follows = table(executed[ticker])["What must a model beat?"]
    found = re.search(r"RMSE of ([\d.]+) .* CRPS of ([\d.]+) %", told)
    assert float(found[1]) == pytest.approx(rmse, rel=0.005)
    assert f"{100 * np.mean(changes > 0):.1f} % of closes" in follows

    # CRPS: the squared distance of distribution functions, integrated
    returns = 100 * np.diff(np.log(close))
    df, _, scale = stats.t.fit(returns[: -tested - 20], floc=0)
    x = np.linspace(-100, 100, 40_001)
    cdf = stats.t.cdf(x, df, 0, scale)
    distances = [(cdf - (x >= y)) ** 2 for y in returns[-(tested - 1) :]]
    crps = integrate.trapezoid(np.mean(distances, axis=0), x)
    assert float(found[2]) == pytest.approx(crps, abs=0.004)

    inside = np.abs(returns[-(tested - 1) :]) <= stats.t.ppf(0.9, df, 0, scale)
    held = float(re.search(r"held ([\d.]+) %", told)[1])
    assert held == pytest.approx(100 * inside.mean(), abs=0.5)


def test_a_file_that_is_no_history_is_no_peer(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FORECASTING_DATA", str(tmp_path))
    for ticker in ("AAPL", "IBM"):
        read(ticker).to_csv(tmp_path / f"{ticker}.csv")
    together = findings.common_returns("AAPL")
    (tmp_path / "mine.csv").write_text("symbol,shares\nIBM,3\n", "utf-8")
    pd.testing.assert_frame_equal(findings.common_returns("AAPL"), together)
    line = f"left out: {tmp_path.as_posix()}/mine.csv: no column Date, "
    assert capsys.readouterr().out.startswith(line)
    with pytest.raises(PriceError, match="mine.csv: no column Date"):
        findings.common_returns("mine")


def test_one_session_hides_the_arch_effect_from_the_squares():
    returns = findings.log_returns(read("AAPL"))
    told = findings.arch_tests(returns)
    assert told.index[1] == "squared, without 2000-09-29"
    squares = (returns - returns.mean()) ** 2
    for row, values in enumerate([squares, squares.drop(squares.idxmax())]):
        lags = np.lib.stride_tricks.sliding_window_view(values, 11)
        x = np.column_stack([np.ones(len(lags)), lags[:, :10]])
        y = lags[:, 10]
        residuals = y - x @ np.linalg.lstsq(x, y)[0]
        lm = len(y) * (1 - residuals.var() / y.var())
        assert told["LM"].iloc[row] == pytest.approx(lm)
    assert list(told["adjusted p-value"] < 0.05) == [False, True, True]


def test_means_whose_bars_overlap_may_differ():
    together = pd.DataFrame(
        {t: findings.log_returns(read(t)) for t in ("AAPL", "MSFT")}
    ).loc["2004-08-20":]
    own, other = together.to_numpy().T
    z = (own - other).mean() / np.sqrt(np.var(own - other, ddof=1) / len(own))
    bars = 1.96 * (own.std() + other.std()) / np.sqrt(len(own))
    (told,) = findings.mean_differences(together).itertuples()
    assert told.overlap == (abs(own.mean() - other.mean()) < bars)
    assert told.overlap
    assert told.p == pytest.approx(2 * stats.norm.sf(abs(z)), rel=0.02)
    assert told.p < 0.05


def stock(returns, seed=0):
    """A history with these log returns (%), its ranges in their spirit."""
    close = 100 * np.exp(np.cumsum(returns) / 100)
    open_ = np.concatenate([[100], close[:-1]])
    wick = 1 + np.abs(returns) / 200
    frame = pd.DataFrame({"Open": open_, "Close": close})
    frame["High"] = frame.max(axis=1) * wick
    frame["Low"] = frame[["Open", "Close"]].min(axis=1) / wick
    frame.index = pd.bdate_range("2000", periods=len(close), name="Date")
    return frame.assign(Volume=0.0)


def shaken(rng, n):
    """Unpredictable returns whose volatility changes: a GARCH(1, 1)."""
    shocks, variance, out = rng.normal(size=n), 1.0, []
    for shock in shocks:
        out.append(shock * np.sqrt(variance))
        variance = 0.05 + 0.15 * out[-1] ** 2 + 0.8 * variance
    return np.array(out)


def test_answers_follow_the_data():
    rng = np.random.default_rng(1)
    noise, wild = rng.normal(size=1200), shaken(rng, 1200)
    carried = noise + 0.3 * np.concatenate([[0], noise[:-1]])
    for returns, direction, size in [
        (noise, "No trace", "No trace"),
        (wild, "No trace", "Large moves follow"),
        (carried, "A trace", ""),
    ]:
        history = stock(returns)
        own = findings.log_returns(history).to_frame("OWN")
        told = [answer for answer, _ in answers.seven(history, own).values()]
        assert told[2].startswith(direction)
        assert told[3].startswith(size)


def test_stationarity_of_a_walk_and_of_a_trend():
    rng = np.random.default_rng(2)
    noise = rng.normal(size=1500)
    days = pd.bdate_range("2000", periods=1500)
    walk, trend = np.cumsum(noise) / 100, np.arange(1500) / 1000 + noise / 100
    for log, verdict in [(walk, "not stationary"), (trend, "stationary")]:
        told = findings.stationarity(pd.Series(np.exp(log), days))
        assert told.loc["log close", "together"] == verdict


def test_only_the_robust_portmanteau_keeps_its_level():
    rng = np.random.default_rng(3)
    p = [findings.portmanteau(pd.Series(shaken(rng, 800))) for _ in range(200)]
    box, robust = np.mean(np.array(p) < 0.05, axis=0)
    assert box > 0.15
    assert robust < 0.1


def test_a_planted_price_is_the_largest_spike():
    history = read("IBM")
    day = history.index[2000]
    history.loc[day, "Low"] *= 0.7
    assert findings.spikes(history).idxmax() == day


def test_only_a_peer_that_leads_tells_the_next_return():
    rng = np.random.default_rng(4)
    own, noise = rng.normal(size=(2, 800))
    peers = {"LEADS": np.append(own[1:], 0), "FOLLOWS": np.append(0, own[:-1])}
    together = pd.DataFrame({"OWN": own} | peers)
    together.iloc[:, 1:] += noise[:, None]
    told = findings.ties(together)
    assert told.loc["LEADS", "p"] < 0.001 < 0.05 < told.loc["FOLLOWS", "p"]
    assert told.loc["LEADS", "before"] == pytest.approx(0.7, abs=0.05)
