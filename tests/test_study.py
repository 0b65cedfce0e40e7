"""`make study`: a whole results folder or one clear line, never a half."""

import os
import shutil
import signal
import subprocess
import sys
import time
from base64 import b64encode
from pathlib import Path

import exchange_calendars
import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from yahoo_standin import Yahoo, status

from forecasting import study
from forecasting.market import calendars, prices
from forecasting.market import yahoo as client

pytestmark = pytest.mark.filterwarnings(
    # exchange_calendars 4.13 uses what pandas 3.1 deprecates.
    "ignore::pandas.errors.Pandas4Warning"
)
ROOT = Path(__file__).resolve().parents[1]
SNAPSHOT = ROOT / "data" / "snapshot"
AAPL = (SNAPSHOT / "AAPL.csv").read_text("utf-8")

# Stand-ins for the two notebooks: they run in seconds, and what study.py
# does with them does not depend on what they compute.
EDA = """\
import matplotlib.pyplot as plt
from forecasting.market import prices
prices.load(TICKER)["Close"].plot()
plt.show()"""
PREDICTOR = """\
import pandas as pd
from forecasting.market import prices
close = prices.load(TICKER)["Close"].iloc[-1]
quantiles = ["q025", "q10", "q25", "q50", "q75", "q90", "q975"]
factors = [0.94, 0.96, 0.98, 1, 1.02, 1.04, 1.06]
table = pd.DataFrame([[close * f for f in factors]] * 20, columns=quantiles)
table.insert(0, "Date", pd.bdate_range("2013-03-04", periods=20))
table.insert(1, "Horizon", range(1, 21))
table.to_csv(f"{RESULTS}/forecast.csv", index=False)"""


def write(path, parameters, source):
    cells = [
        new_code_cell(parameters, metadata={"tags": ["parameters"]}),
        new_markdown_cell("## Where does it close?"),
        new_code_cell(source),
    ]
    kernel = {"name": "python3", "display_name": "Python 3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    nbformat.write(new_notebook(cells=cells, metadata=metadata), path)


@pytest.fixture
def root(tmp_path):
    """A repository with stand-in notebooks and an older study of AAPL."""
    write(tmp_path / "EDA.ipynb", 'TICKER = "IBM"', EDA)
    predictor(tmp_path, PREDICTOR)
    (tmp_path / "results" / "AAPL").mkdir(parents=True)
    (tmp_path / "results" / "AAPL" / "old.txt").touch()
    return tmp_path


def predictor(root, source):
    parameters = 'TICKER = "IBM"\nRESULTS = ""'
    write(root / "predictor.ipynb", parameters, source)


def sessions_ago(day):
    """Sessions of New York that are over since a day's, by its calendar."""
    calendar = exchange_calendars.get_calendar("XNYS", start=day)
    return (calendar.closes <= pd.Timestamp.now("UTC")).sum() - 1


def files(folder):
    """Every file below a folder, hidden ones too."""
    found = [p for p in folder.rglob("*") if p.is_file()]
    return sorted(p.relative_to(folder).as_posix() for p in found)


@pytest.fixture
def refused(root, capsys):
    """The one line of a study that leaves the older one as it was."""

    def refused(*typed):
        assert study.main([*typed], root) == 1
        assert files(root / "results") == ["AAPL/old.txt"]
        (line,) = capsys.readouterr().err.splitlines()
        return line

    return refused


def test_a_study_replaces_the_older_one_as_a_whole(root, capsys):
    assert study.main([" aapl"], root) == 0
    folder = root / "results" / "AAPL"
    drawn = "figures/EDA-01-where-does-it-close.png"
    names = ["EDA.html", "EDA.ipynb", drawn, "forecast.csv", "index.html"]
    assert files(folder) == [*names, "predictor.html", "predictor.ipynb"]
    assert os.listdir(root / "results") == ["AAPL"]
    figure = folder / drawn
    assert figure.read_bytes().startswith(b"\x89PNG")
    for page in ["EDA.html", "index.html"]:
        html = (folder / page).read_text("utf-8")
        assert b64encode(figure.read_bytes()).decode() in html
    for page in ["predictor.html", "predictor.ipynb"]:  # it may be mailed
        assert root.name not in (folder / page).read_text("utf-8")
    executed = nbformat.read(folder / "predictor.ipynb", 4)
    counts = [c.get("execution_count", 0) for c in executed.cells]
    assert counts == [1, 2, 0, 3]  # papermill adds a cell: TICKER = "AAPL"

    close = prices.read_csv(SNAPSHOT / "AAPL.csv")["Close"].iloc[-1]
    out, err = capsys.readouterr()
    assert not err
    age = f"2013-03-01, {sessions_ago('2013-03-01'):,} sessions ago"
    assert f"data/snapshot/AAPL.csv: to {age}\n" in out
    assert f"<dt>Prices up to</dt><dd>{age}</dd>" in html
    sentence = (
        f"AAPL: close of 2013-03-04 forecast: median {close:.2f}, 80 % "
        f"between {close * 0.96:.2f} and {close * 1.04:.2f} "
        f"(last close {close:.2f} on {age})"
    )
    assert out.splitlines()[-1] == f"{sentence}; see results/AAPL/index.html"
    assert sentence in html


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("x = 1\nx / 0", 'starts with "x = 1": ZeroDivisionError: division'),
        ("import os\nos._exit(1)", "ernel died"),
        ("pass", "left no usable forecast.csv"),
        ("open(f'{RESULTS}/forecast.csv', 'w').write('Date\\n')", "lacks"),
    ],
)
def test_a_failing_notebook_is_one_line(root, refused, source, words):
    predictor(root, source)
    line = refused("AAPL")
    assert line.startswith("AAPL: ")
    assert words in line


@pytest.mark.skipif(
    sys.platform == "win32", reason="there Ctrl-C goes to the whole console"
)
def test_ctrl_c_leaves_nothing_half_done(root):
    mark = root / "running"
    predictor(root, f"import time\nopen({str(mark)!r}, 'w')\ntime.sleep(600)")
    code = (
        "import sys; from pathlib import Path; from forecasting import study;"
        "sys.exit(study.main(['AAPL'], Path(sys.argv[1])))"
    )
    typed = [sys.executable, "-c", code, root]
    process = subprocess.Popen(typed, stderr=subprocess.PIPE, text=True)
    while not mark.exists() and process.poll() is None:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert err == "AAPL: stopped; results/AAPL/ is as it was\n"
    assert files(root / "results") == ["AAPL/old.txt"]


def rows(text, number):
    return "".join(text.splitlines(keepends=True)[: number + 1])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.replace("Close", "Last", 1), "no column Close"),
        (lambda t: t.replace("2000-03-06", "06.03.2000"), "not YYYY-MM-DD"),
        (lambda t: "", "not a readable CSV"),
    ],
)
def test_an_unusable_csv_is_refused_before_any_notebook_runs(
    root, monkeypatch, refused, change, words
):
    (root / "BAD.csv").write_text(change(AAPL), "utf-8")
    monkeypatch.setenv("FORECASTING_DATA", str(root))
    line = refused("BAD")
    assert "BAD" in line
    assert words in line


FROZEN = "FORECASTING_DATA is data/snapshot, "  # as the tests have it


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["../x"], "../x: "),  # no ticker
        ([""], '"": '),
        (["CON"], "CON: "),
        (["NVDA"], f"NVDA: {FROZEN}"),  # nothing is downloaded to there
        (["AAPL", "--fresh"], f"AAPL: {FROZEN}"),
    ],
)
def test_what_cannot_be_studied_is_refused(refused, typed, words):
    assert refused(*typed).startswith(words)


@pytest.mark.parametrize("missing", ["EDA", "predictor"])
def test_without_the_repository_it_says_to_clone_it(root, refused, missing):
    """As where the package was installed from a wheel."""
    (root / f"{missing}.ipynb").unlink()
    line = refused("AAPL")
    assert line.startswith(f"AAPL: no {missing}.ipynb in {root}: ")
    end = "clone it, and in its folder type: make study TICKER=AAPL"
    assert line.endswith(end)


def command(ticker, **environment):
    """The one line of `make study` that fails, in a process of its own."""
    typed = [sys.executable, "-m", "forecasting.study", ticker]
    env = os.environ | environment
    done = subprocess.run(typed, env=env, capture_output=True, text=True)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    return line


@pytest.fixture
def yahoo(root, monkeypatch):
    """A Yahoo on the loopback, for the scraper's real client."""
    monkeypatch.setenv("FORECASTING_DATA", str(root / "data"))
    with Yahoo(rows=study.ROWS_NEEDED) as server:
        monkeypatch.setattr(client, "new_session", server.session)
        yield server


def test_a_ticker_without_csv_is_scraped_first(root, yahoo, capsys):
    assert study.main(["ibm"], root) == 0
    scraped = prices.read_csv(root / "data" / "IBM.csv")
    assert len(scraped) == study.ROWS_NEEDED
    assert "IBM/forecast.csv" in files(root / "results")
    assert "IBM: close of" in capsys.readouterr().out.splitlines()[-1]


def test_a_fresh_study_downloads_first(root, yahoo, capsys):
    assert study.main(["AAPL", "--fresh"], root) == 0
    assert {path.stem for path in (root / "data").iterdir()} == {"AAPL"}
    asked = len(yahoo.times())
    assert study.main(["AAPL"], root) == 0  # nothing, now that it is there
    assert len(yahoo.times()) == asked == 1


def test_a_fresh_study_goes_on_with_what_is_on_disk(root, yahoo, capsys):
    """The download fails: it says so, and of what date the prices are."""
    old = (SNAPSHOT / "IBM.csv").read_text("utf-8")
    (root / "data").mkdir()
    (root / "data" / "IBM.csv").write_text(rows(old, 700), "utf-8")
    last = prices.read_csv(root / "data" / "IBM.csv").index[-1].date()
    yahoo.always["IBM"] = status(404)
    assert study.main(["IBM", "--fresh"], root) == 0
    out, err = capsys.readouterr()
    assert f"IBM.csv: to {last}, {sessions_ago(last):,} sessions" in out
    assert "IBM: unknown symbol" in err
    assert err.endswith("the study goes on with what is on disk\n")


def test_the_newest_prices_are_of_the_latest_session_that_is_over():
    history = prices.read_csv(SNAPSHOT / "AAPL.csv")
    closes = exchange_calendars.get_calendar("XNYS").closes
    past = closes.index[closes <= pd.Timestamp.now("UTC")]
    for end, words in [(None, "the latest session"), (-1, "1 session ago")]:
        history.index = past[:end][-len(history) :]
        age = calendars.age("AAPL", history)
        assert age == f"{past[:end][-1].date()}, {words}"


def test_an_unknown_ticker_is_one_line(root, yahoo, refused):
    assert refused("NOSUCH").startswith("NOSUCH: unknown symbol")
    assert not list((root / "data").glob("*"))


def test_without_a_network_it_says_so(tmp_path):
    # A proxy that nothing listens on: the real scraper finds no network.
    nobody, data = "http://127.0.0.1:9", str(tmp_path)
    line = command("nosuch", FORECASTING_DATA=data, HTTPS_PROXY=nobody)
    assert line.startswith("NOSUCH: ")
    assert "offline" in line
    assert not list(tmp_path.iterdir())
    assert not (ROOT / "results" / "NOSUCH").exists()


def test_a_history_too_short_is_refused(tmp_path):
    (tmp_path / "SHORT.csv").write_text(rows(AAPL, 30), "utf-8")
    line = command("short", FORECASTING_DATA=str(tmp_path))
    needed = f"at least {study.ROWS_NEEDED} are needed"
    assert line == f"SHORT: 30 rows, but {needed}"


make = pytest.mark.skipif(not shutil.which("make"), reason="make is not here")


@make
def test_clean_takes_what_was_made_and_leaves_what_readers_made(root):
    results = root / "results"
    assert study.main(["aapl"], root) == 0
    shutil.copytree(results / "AAPL", results / "AAPL-in-spring")
    shutil.copy(ROOT / "Makefile", root)
    theirs = [
        "data/NVDA.csv",
        "ledger/2011-03-16/AAPL.csv",
        "other.egg-info/PKG-INFO",
        "results/AAPL/what-i-think.txt",
        "results/README.md",
        "results/mine.csv",
        "results/mine.parts/0",
        "results/notes/index.html",
        "results/verdict.csv",
        "site/thesis.tex",
    ]
    made = [
        ".venv/ready",
        ".venv-bench/ready",
        "lstm_study.egg-info/PKG-INFO",
        "results/.IBM-a1b2c3d4/new/EDA.ipynb",  # a study that was killed
        "results/forecasts/AAPL/forecast.csv",
    ]
    for name in theirs + made:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    spring = "results/AAPL-in-spring"
    theirs += [f"{spring}/{name}" for name in files(root / spring)]
    theirs += ["EDA.ipynb", "predictor.ipynb", "Makefile"]
    subprocess.run(["make", "clean"], cwd=root, check=True)
    assert files(root) == sorted(theirs)


@make
def test_clean_knows_a_site(tmp_path):
    """By the mark of its builder; without studies it says nothing."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / ".made-by-book-build").touch()
    subprocess.run(["make", "clean"], cwd=tmp_path, check=True)
    assert [path.name for path in tmp_path.iterdir()] == ["Makefile"]
