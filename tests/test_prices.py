"""Histories are read as written, and what is wrong is said in one line."""

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import simulate
from conftest import output
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forecasting import __main__
from forecasting.evaluation import walk_forward as protocol
from forecasting.market import prices
from forecasting.market.prices import PriceError
from forecasting.models.features import garman_klass, inputs, session_variance

ROOT = Path(__file__).resolve().parents[1]
HISTORY = simulate.random_walk(800, seed=1)
GOOD = prices.to_csv(HISTORY)


def write(folder, text, ticker="AAA"):
    path = folder / f"{ticker}.csv"
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


LINES = GOOD.splitlines()
TABLE = pd.DataFrame([row.split(",") for row in LINES[1:]])
TABLE.columns = LINES[0].split(",")
DAY, LATER = TABLE["Date"][28], TABLE["Date"][38]


def text(table):
    return table.to_csv(index=False, lineterminator="\n")


def field(column, value):
    """The good text with one field of line 40 replaced."""
    table = TABLE.copy()
    table.loc[38, column] = value
    return text(table)


def rows(*order):
    """The good text, but its lines 30 and 31 are these."""
    return text(TABLE.iloc[[*range(28), *order, *range(30, len(TABLE))]])


NO_NUMBERS = [
    *[("High", ""), ("Volume", ""), ("Low", "inf"), ("Close", "n.a")],
    *[("Open", "True"), ("Close", "1_0"), ("High", "9" * 400)],
    *[("Volume", "1e999"), ("Volume", "9" * 400)],
]
# What is wrong with line 40: a field's value, and what is said of it.
FIELDS = [
    *[
        ("Date", date, f"line 40: Date is not YYYY-MM-DD: '{date}'")
        for date in ["05/01/2000", "20000501", "2000-02-30", "0000-01-01"]
    ],
    ("Date", "", "line 40: Date is not YYYY-MM-DD: nan"),
    *[(c, x, f"{LATER}: {c} is not a finite number") for c, x in NO_NUMBERS],
    ("Close", "0", f"{LATER}: Close is not positive"),
    ("Open", "-3.5", f"{LATER}: Open is not positive"),
    ("Close", "1e9", f"{LATER}: Close lies above High"),
    ("Close", "0.1", f"{LATER}: Close lies below Low"),
    ("Volume", "-1", f"{LATER}: Volume is not between 0 and 1e+15"),
    ("Volume", "9" * 30, f"{LATER}: Volume is not between 0 and 1e+15"),
]
UNREADABLE = "not a readable CSV"
FAULTS = {
    "missing column": (text(TABLE.drop(columns="Close")), "no column Close"),
    "no dates": (text(TABLE.drop(columns="Date")), "no column Date"),
    "unsorted": (rows(29, 28), f"{DAY} is not in order"),
    "duplicate": (rows(28, 28), f"{DAY} is there twice"),
    "a field more": (GOOD.replace(LINES[39], LINES[39] + ",1"), UNREADABLE),
    "more fields": (
        "\n".join([LINES[0], *[f"{row},1" for row in LINES[1:]], ""]),
        "rows have more fields than the header",
    ),
    "no rows": (LINES[0] + "\n", "no rows"),
    "empty file": ("", UNREADABLE),
} | {
    f"{name} {value if len(value) < 12 else len(value)}": (
        field(name, value),
        message,
    )
    for name, value, message in FIELDS
}


@pytest.fixture
def refused(capsys):
    """The one line that a refused command leaves on stderr."""

    def run(folder, *arguments):
        options = ["--data", folder, *arguments]
        assert __main__.main(list(map(str, options))) == 1
        out, err = capsys.readouterr()
        assert out == ""
        (message,) = err.splitlines()
        return message

    return run


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_csv_is_refused_naming_file_place_and_fault(
    fault, refused, tmp_path
):
    content, expected = FAULTS[fault]
    path = write(tmp_path, content)
    write(tmp_path, GOOD, "FINE")
    message = refused(tmp_path, "--out", tmp_path / "verdict.csv")
    assert message.startswith(f"{path.as_posix()}: ")
    assert expected in message
    assert {p.name for p in tmp_path.iterdir()} == {"AAA.csv", "FINE.csv"}


@pytest.mark.parametrize("rows, folds, needs", [(599, 1, 672), (750, 4, 1428)])
def test_too_few_rows_are_refused(refused, tmp_path, rows, folds, needs):
    write(tmp_path, text(TABLE[:rows]))
    options = ["--models", "GARCH", "--out", tmp_path / "verdict.csv"]
    assert refused(tmp_path, *options, "--folds", folds) == (
        f"AAA: {rows} sessions, but {folds} test folds need {needs}; "
        "use fewer folds"
    )
    assert [p.name for p in tmp_path.iterdir()] == ["AAA.csv"]


def test_the_command_refuses_what_is_not_there(refused, tmp_path):
    out = tmp_path / "verdict.csv"
    empty = tmp_path / "empty"
    empty.mkdir()
    assert refused(empty, "--out", out) == (
        f"{empty}: no CSV files; see data/README.md"
    )
    nowhere = tmp_path / "nowhere"
    assert refused(nowhere, "--out", out) == f"{nowhere}: no such directory"
    write(tmp_path, GOOD)
    assert refused(tmp_path, "--tickers", "AAA", "BBB", "--out", out) == (
        f"{tmp_path}: no BBB.csv; there are AAA"
    )
    assert refused(tmp_path, "--out", nowhere / "verdict.csv") == (
        f"{nowhere}: no such directory for --out"
    )
    assert refused(tmp_path, "--out", empty) == (
        f"{empty}: --out is a directory, not a file"
    )


def test_a_ticker_outside_every_test_fold_is_refused():
    """Its last row lies before the folds that the other ticker sets."""
    long = simulate.random_walk(2000, seed=2)
    histories = {"LONG": long, "GONE": long[:900]}
    with pytest.raises(PriceError, match="GONE: 900 rows, but no test fold"):
        protocol.fold_dates(histories, 2)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--folds", "0"],
        ["--seeds", "none"],
        ["--jobs", "0"],
        ["--models", "Oracle"],
    ],
)
def test_senseless_options_are_refused(arguments, tmp_path, capsys):
    write(tmp_path, GOOD)
    options = ["--data", str(tmp_path), "--out", str(tmp_path / "v.csv")]
    with pytest.raises(SystemExit) as exit_:
        __main__.main([*options, *arguments])
    assert exit_.value.code == 2
    assert (
        capsys.readouterr()
        .err.splitlines()[-1]
        .startswith(f"python -m forecasting: error: argument {arguments[0]}")
    )


PIECES = st.binary(max_size=4) | st.sampled_from(
    [b"", b",", b"\n", b'"', b"\0", b"9" * 400, b"1e999", b"nan", b"True"]
    + [b"0000-01-01", b"9999-12-31", b"2000-02-30", b"\xe2\x80\xa8", b"1+2j"]
)
PLACES = st.tuples(st.integers(0, 2), st.integers(0, 60), st.integers(0, 9))


@pytest.mark.filterwarnings("error")
@given(st.lists(st.tuples(PLACES, PIECES), max_size=5))
@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_whatever_a_csv_holds_is_read_or_refused_in_one_line(tmp_path, edits):
    rows = [row.encode() for row in LINES[:3]]
    for (row, start, length), piece in edits:
        rows[row] = rows[row][:start] + piece + rows[row][start + length :]
    path = tmp_path / "AAA.csv"
    path.write_bytes(b"\n".join(rows))
    try:
        history = prices.read_csv(path)
    except PriceError as error:
        message = str(error)
        assert message.startswith(path.as_posix())
        assert message.isprintable() and len(message) < len(str(path)) + 120
    else:
        assert np.isfinite(history.to_numpy()).all()
        assert (history[prices.OHLC] > 0).all(axis=None)


def test_hidden_files_are_no_histories(tmp_path, monkeypatch, capsys):
    """macOS leaves them in any folder it has seen."""
    monkeypatch.setenv("FORECASTING_DATA", str(tmp_path))
    write(tmp_path, GOOD)
    for name in ["._AAA", ".AAA"]:
        (tmp_path / f"{name}.csv").write_bytes(b"\0\5\x16\7\xb0")
    assert list(prices.load_directory(tmp_path)) == prices.tickers() == ["AAA"]
    assert capsys.readouterr() == ("", "")


@pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
def test_a_file_name_that_could_be_markup_is_left_out(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("FORECASTING_DATA", str(tmp_path))
    for name in ["<img src=x onerror=alert(1)>", 'a" b', "a\nb", "AAA"]:
        write(tmp_path, GOOD, name)
    assert prices.tickers() == ["AAA"]
    assert list(prices.load_directory(tmp_path)) == ["AAA"]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert all(" is left out; name it with at most 24" in x for x in lines)


def test_a_history_survives_its_csv(tmp_path):
    path = write(tmp_path, GOOD)
    read = prices.read_csv(path)
    pd.testing.assert_frame_equal(
        read, HISTORY, atol=1e-6, rtol=0, check_freq=False
    )
    assert prices.to_csv(read) == GOOD


def test_a_small_price_keeps_six_significant_digits():
    small = [0.0001234567, 0.0098765432, 0.001235, 1e-9]
    history = pd.DataFrame(
        {c: small for c in ["Open", "High", "Low", "Close"]} | {"Volume": 1},
        index=pd.bdate_range("2000-01-03", periods=4, name="Date"),
    )
    text = prices.to_csv(history)
    closes = [line.split(",")[4] for line in text.splitlines()[1:]]
    assert closes == ["0.000123457", "0.00987654", "0.001235", "0.000000001"]
    read = [float(c) for c in closes]
    assert prices.round_prices(np.array(small)).tolist() == read


def test_a_close_past_the_high_by_rounding_is_read(tmp_path):
    close = str(float(TABLE["High"][38]) * 1.00005)
    path = write(tmp_path, field("Close", close))
    assert len(prices.read_csv(path)) == 800


def test_an_installed_copy_keeps_its_data_in_the_current_folder(tmp_path):
    """As pip leaves it: in site-packages, whose parent is nobody's."""
    site = tmp_path / "lib" / "site-packages"
    shutil.copytree(ROOT / "forecasting", site / "forecasting")
    (tmp_path / "lib" / "data").mkdir()
    code = "from forecasting.market import prices; print(prices.DATA)"
    here = {"cwd": tmp_path, "env": os.environ | {"PYTHONPATH": str(site)}}
    assert output("-c", code, **here).strip() == str(tmp_path / "data")


def test_prices_are_looked_for_in_data_and_in_the_snapshot(monkeypatch):
    monkeypatch.delenv("FORECASTING_DATA")
    users, snapshot = prices.directories()
    assert (users, snapshot) == (ROOT / "data", ROOT / "data" / "snapshot")
    assert prices.tickers() >= ["AAPL", "GOOG", "IBM", "MSFT"]
    with pytest.raises(PriceError, match="python scraper.py NOSUCH"):
        prices.find("NOSUCH")


@pytest.mark.parametrize("lacks, found", [(-1, 0), (0, 0), (1, 1)])
def test_of_two_files_the_newer_is_found(tmp_path, monkeypatch, lacks, found):
    """The user's, unless the snapshot has sessions that it lacks."""
    monkeypatch.delenv("FORECASTING_DATA")
    monkeypatch.setattr(prices, "DATA", tmp_path)
    both = tmp_path / "IBM.csv", tmp_path / "snapshot" / "IBM.csv"
    both[1].parent.mkdir()
    for path, rows in zip(both, [600 - lacks, 600], strict=True):
        path.write_text(prices.to_csv(HISTORY[:rows]), "utf-8")
    assert prices.find("IBM") == both[found]
    both[1 - found].unlink()
    assert prices.find("IBM") == both[found]
    # One that cannot be read is not passed over.
    both[1 - found].write_text("nothing", "utf-8")
    with pytest.raises(PriceError, match="IBM.csv: no column"):
        prices.find("IBM")


def test_loading_says_which_file_and_up_to_when(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FORECASTING_DATA", str(tmp_path))
    path = write(tmp_path, GOOD)
    prices.load("AAA")
    assert capsys.readouterr().out == (
        f"{path.as_posix()}: 800 sessions, 2010-01-04 to 2013-01-25\n"
    )


def brownian(overnight):
    """2,000 days of variance 0.02², a share of it before the open."""
    rng = np.random.default_rng(0)
    steps = rng.normal(0, 0.02 * np.sqrt((1 - overnight) / 2000), (2000, 2000))
    steps[:, 0] = rng.normal(0, 0.02 * np.sqrt(overnight), 2000)
    path = np.exp(np.cumsum(steps.ravel()).reshape(steps.shape))
    ends = {"Open": path[:, 0], "Close": path[:, -1]}
    extremes = {"High": path.max(axis=1), "Low": path.min(axis=1)}
    return pd.DataFrame(ends | extremes)


# Discrete steps miss the extremes by a little, hence the tolerances.
def test_garman_klass_finds_the_variance_of_a_day():
    """Five times as sharply as its squared move does."""
    history = brownian(overnight=0)
    estimate = garman_klass(history)
    assert estimate.mean() == pytest.approx(0.02**2, rel=0.1)
    moves = np.log(history["Close"] / history["Open"])
    assert np.var(moves**2) > 5 * np.var(estimate)


def test_session_variance_is_the_variance_of_the_path():
    """Of the range and of the gap."""
    mean = session_variance(brownian(overnight=0.2)).mean()
    assert mean == pytest.approx(0.02**2, rel=0.08)


@given(st.floats(1e-3, 1e5), st.integers(0, 10))
def test_inputs_are_finite_and_know_no_currency(factor, seed):
    history = simulate.garch_walk(80, seed)
    here = inputs(history)
    assert np.isfinite(here).all()
    scaled = history.assign(
        **{c: history[c] * factor for c in ("Open", "High", "Low", "Close")}
    )
    np.testing.assert_allclose(inputs(scaled), here, atol=1e-6)


def test_inputs_of_a_price_that_never_moves_are_finite():
    assert np.isfinite(inputs(HISTORY * 0 + 25.0)).all()
