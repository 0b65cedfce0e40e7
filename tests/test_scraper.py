"""scraper.py as a command: what is typed, what is on disk, who kills it."""

import itertools
import os
import random
import re
import signal
import subprocess
import sys
import time
import tracemalloc
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yahoo_standin as upstream
from yahoo_standin import body, good, status

import scraper
from forecasting.market import prices
from forecasting.market.calendars import calendar
from forecasting.market.files import write
from forecasting.market.reply import parse
from forecasting.market.request import Refused, normalise
from forecasting.market.validate import validate

ROOT = Path(__file__).resolve().parents[1]
posix = pytest.mark.skipif(os.name != "posix", reason="POSIX signals")


def command(yahoo, folder, *arguments, python=()):
    """The command line in a process of its own."""
    return subprocess.Popen(
        [sys.executable, *python, "tests/yahoo_standin.py", str(yahoo.port)]
        + [*arguments, "--data", str(folder)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


# ---- what is typed


@pytest.mark.parametrize(
    "typed, name",
    [
        ("aapl", "AAPL"),
        (" Aapl\t", "AAPL"),
        ("^gspc", "^GSPC"),
        ("BRK-B", "BRK-B"),
        ("btc-usd", "BTC-USD"),
        ("EURUSD=X", "EURUSD=X"),
        ("ES=F", "ES=F"),
        ("0700.HK", "0700.HK"),
        ("M&M.NS", "M&M.NS"),
        ("DX-Y.NYB", "DX-Y.NYB"),
        ("AAPL240119C00150000", "AAPL240119C00150000"),
    ],
)
def test_a_ticker_is_written_as_yahoo_writes_it(typed, name):
    assert normalise(typed) == name


@pytest.mark.parametrize(
    "typed",
    ["", " ", "BRK/B", "../x", "..", ".", "/etc/passwd", "a\\b", "C:x", "-x"]
    + ["CON", "con.de", "NUL", "com1", "A" * 300, "A.", "a b", "A\x00", "A\n/"]
    + ["ſ", "ＡＡＰＬ", "A%2e", "A?x=1", "A#", "*", "$AAPL", "^", "~", "A;B"],
)
def test_a_ticker_that_is_none_is_refused_before_any_request(
    yahoo, scrape, tmp_path, typed
):
    with pytest.raises(Refused):
        normalise(typed)
    if not typed.startswith("-"):  # an option, to argparse
        code, out, err = scrape(typed)
        assert (code, out) == (1, "")
        assert err.count("\n") == 1
        assert len(err) < 200
    assert yahoo.asked == []
    assert list(tmp_path.iterdir()) == []


def test_a_ticker_typed_twice_is_asked_once(yahoo, scrape):
    code, out, _ = scrape("AAPL", "aapl", " AAPL")
    assert (code, out.count("\n")) == (0, 1)
    assert len(yahoo.times()) == 1


TOMORROW = str(date.today() + timedelta(days=2))


@pytest.mark.parametrize(
    "arguments, word",
    [
        (["--start", "2001-02-03", "--end", "2001-02-03"], "before --end"),
        (["--start", "2002-01-01", "--end", "2001-01-01"], "before --end"),
        (["--start", "2001-02-30"], "YYYY-MM-DD"),
        (["--end", "yesterday"], "YYYY-MM-DD"),
        (["--start", "20010203"], "YYYY-MM-DD"),
        (["--start", TOMORROW], "in the future"),
    ],
)
def test_an_impossible_range_is_refused_before_any_request(
    yahoo, scrape, capsys, arguments, word
):
    with pytest.raises(SystemExit) as leaving:
        scrape("AAPL", *arguments)
    err = capsys.readouterr().err
    assert leaving.value.code == 2
    assert err.count("\n") == 1
    assert word in err
    assert "AAPL" in err
    assert yahoo.asked == []


@pytest.mark.parametrize("timeout", ["0", "-1", "nan", "inf", "soon"])
def test_a_timeout_that_is_none_is_refused(scrape, capsys, timeout):
    with pytest.raises(SystemExit) as leaving:
        scrape("AAPL", "--timeout", timeout)
    assert leaving.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_without_a_ticker_it_says_what_to_type(capsys):
    with pytest.raises(SystemExit) as leaving:
        scraper.main([])
    assert leaving.value.code == 2
    assert "python scraper.py AAPL" in capsys.readouterr().err


def test_help_shows_examples_and_exit_codes(capsys):
    with pytest.raises(SystemExit) as leaving:
        scraper.main(["--help"])
    out = capsys.readouterr().out
    assert leaving.value.code == 0
    for word in ["python scraper.py AAPL MSFT", "--force", "130"]:
        assert word in out


def test_files_go_to_data_unless_told_otherwise(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert scraper.parse_arguments(["AAPL"]).data == Path("data")
    monkeypatch.chdir(ROOT / "tests")
    assert scraper.parse_arguments(["AAPL"]).data == prices.DATA


# ---- several tickers


def test_one_bad_ticker_of_three_does_not_keep_the_others(scrape, tmp_path):
    code, out, err = scrape("AAPL", "NOSUCH", "IBM")
    assert code == 1
    assert {line.split(":")[0] for line in out.splitlines()} == {"AAPL", "IBM"}
    assert err.startswith("NOSUCH: unknown symbol")
    assert err.count("\n") == 1
    for name in ["AAPL", "IBM"]:
        assert (tmp_path / f"{name}.csv").read_bytes() == good(name)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_hundred_tickers_are_not_mixed_up(yahoo, scrape, tmp_path):
    base = upstream.snapshot("AAPL", 300)
    names = [f"T{i:02}" for i in range(100)]
    histories = {}
    for i, name in enumerate(names):
        histories[name] = base.mul([1 + i / 100] * 4 + [1]).round(6)
        yahoo.charts[name] = upstream.chart(name, histories[name])
    yahoo.latency = 0.05
    assert scrape(*names)[0] == 0
    for name, history in histories.items():
        saved = prices.read_csv(tmp_path / f"{name}.csv")
        assert np.allclose(saved, history, atol=2e-6)


@posix
def test_on_a_terminal_several_tickers_show_a_bar(yahoo, tmp_path):
    import termios

    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    run = subprocess.run(
        [sys.executable, "tests/yahoo_standin.py", str(yahoo.port)]
        + ["AAPL", "IBM", "--data", str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    assert run.returncode == 0
    assert b"/2 [" in os.read(ours, 10_000)
    assert run.stdout.count(b"\n") == 2


@posix
def test_ctrl_c_keeps_what_is_finished(yahoo, tmp_path):
    names = [f"T{i:02}" for i in range(100)]
    for name in names:
        history = upstream.snapshot("AAPL", 100)
        yahoo.charts[name] = upstream.chart(name, history)
    yahoo.latency = 0.1
    process = command(yahoo, tmp_path, *names)
    while len(list(tmp_path.glob("*.csv"))) < 20:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130
    assert err.count("\n") == 1
    assert re.match(r"interrupted: \d+ of 100 tickers are saved; run", err)
    files = list(tmp_path.iterdir())
    assert 20 <= len(files) < 100
    assert all(f.read_bytes() == good(rows=100) for f in files)


SCRAPER = "import scraper; sys.exit(scraper.main(['AAPL', '--data', folder]))"
STUDY = (
    "from forecasting import study; from pathlib import Path; "
    "sys.exit(study.main(['AAPL'], Path(folder)))"
)
HANGING = """
import sys
sys.path.insert(0, "tests")
from yahoo_standin import StandIn
from yfinance.data import YfData

port, folder = sys.argv[1:]
YfData()._session = StandIn(int(port))
"""


@posix
@pytest.mark.parametrize("program", [SCRAPER, STUDY], ids=["scraper", "study"])
def test_ctrl_c_does_not_wait_for_a_request_that_hangs(
    yahoo, tmp_path, program
):
    yahoo.always["AAPL"] = upstream.hang
    process = subprocess.Popen(
        [sys.executable, "-c", HANGING + program]
        + [str(yahoo.port), str(tmp_path)],
        cwd=ROOT,
        env=os.environ
        | {"PYTHONPATH": str(ROOT), "FORECASTING_DATA": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    while not yahoo.times():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    asked = time.monotonic()
    _, err = process.communicate()
    assert time.monotonic() - asked < 3
    assert process.returncode == 130
    assert err.startswith("interrupted: 0 of 1 tickers are saved; run")
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


# ---- what stands on disk


def test_nothing_new_leaves_the_file_untouched(scrape, tmp_path):
    scrape("AAPL")
    path = tmp_path / "AAPL.csv"
    before = path.stat()
    code, out, err = scrape("AAPL")
    assert (code, err) == (0, "")
    assert out.endswith(", unchanged\n")
    assert path.stat() == before
    assert path.read_bytes() == good()


DAMAGED = {
    "empty": b"",
    "header": good().splitlines(keepends=True)[0],
    "truncated in a line": good()[:9000],
    "truncated in a date": good()[: good().index(b"2001-05-08") + 6],
    "edited": good().replace(b"2001-05-08,", b"2001-05-08,9", 1),
    "text": good().replace(b"2001-05-08,", b"2001-05-08,n/a", 1),
    "line twice": good() + good().splitlines(keepends=True)[-1],
    "the future": good() + b"2999-01-04,1.000000,1.000000,1.0,1.0,1\n",
    "windows line ends": good().replace(b"\n", b"\r\n"),
    "binary": bytes(range(256)) * 10,
    "not utf-8": b"\xff\xfe" + good(),
    "another format": b"Date;Close\n2001-05-08;1,5\n",
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_detected_and_rebuilt(scrape, tmp_path, content):
    path = tmp_path / "AAPL.csv"
    path.write_bytes(content)
    code, _, err = scrape("AAPL")
    assert code == 0
    if content != DAMAGED["edited"]:  # it may be an older adjustment
        assert "damaged" in err
    assert path.read_bytes() == good()


def test_a_file_cut_at_the_end_of_a_line_is_rebuilt(scrape, tmp_path):
    path = tmp_path / "AAPL.csv"
    path.write_bytes(good(rows=200))
    assert scrape("AAPL")[0] == 0
    assert path.read_bytes() == good()


def test_a_directory_in_the_place_of_the_file_is_refused(
    yahoo, scrape, tmp_path
):
    (tmp_path / "AAPL.csv").mkdir()
    code, out, err = scrape("AAPL")
    assert (code, out) == (1, "")
    assert "is a directory" in err
    assert yahoo.asked == []


@posix
def test_a_symlink_is_replaced_and_its_target_left_alone(scrape, tmp_path):
    outside = tmp_path.parent / f"{tmp_path.name}-outside.csv"
    outside.write_text("not ours")
    path = tmp_path / "AAPL.csv"
    path.symlink_to(outside)
    assert scrape("AAPL")[0] == 0
    assert outside.read_text() == "not ours"
    assert not path.is_symlink()
    assert path.read_bytes() == good()


def test_the_folder_is_made_where_it_is_missing(yahoo, tmp_path):
    folder = tmp_path / "deep" / "down"
    arguments = ["AAPL", "--data", str(folder)]
    assert scraper.main(arguments, yahoo.session()) == 0
    assert (folder / "AAPL.csv").read_bytes() == good()


def test_a_file_in_the_place_of_the_folder_is_refused(yahoo, tmp_path, capsys):
    folder = tmp_path / "data"
    folder.write_text("a file")
    with pytest.raises(SystemExit) as leaving:
        scraper.main(["AAPL", "--data", str(folder)], yahoo.session())
    assert leaving.value.code == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "AAPL: --data" in err
    assert yahoo.asked == []


def test_old_strays_are_removed_and_young_ones_left(scrape, tmp_path):
    old, young = tmp_path / ".AAPL.csv.1.tmp", tmp_path / ".AAPL.csv.2.tmp"
    for stray in [old, young]:
        stray.write_text("half")
    os.utime(old, (0, 0))
    assert scrape("AAPL")[0] == 0
    assert not old.exists()
    assert young.exists()  # perhaps another run is writing it


@posix
def test_a_full_disk_leaves_the_old_file(yahoo, scrape, tmp_path):
    # A limit on the size of files fails in the middle of writing, too.
    import resource

    path = tmp_path / "AAPL.csv"
    path.write_bytes(good(rows=100))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (9000, limits[1]))
    try:
        code, out, err = scrape("AAPL")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (code, out) == (1, "")
    assert err.startswith("AAPL: cannot write")
    assert err.count("\n") == 1
    assert path.read_bytes() == good(rows=100)
    assert list(tmp_path.iterdir()) == [path]


@posix
def test_a_read_only_folder_leaves_the_old_file(yahoo, scrape, tmp_path):
    path = tmp_path / "AAPL.csv"
    path.write_bytes(good(rows=100))
    path.chmod(0o444)
    tmp_path.chmod(0o555)
    user = os.geteuid()
    for folder in tmp_path.parents:  # let anybody reach it
        if (
            folder.stat().st_uid == user
            and user == 0
            and "pytest" in str(folder)
        ):
            folder.chmod(folder.stat().st_mode | 0o055)
    try:
        if user == 0:  # root may write anywhere
            os.seteuid(65534)
        code, out, err = scrape("AAPL")
    finally:
        os.seteuid(user)
        tmp_path.chmod(0o755)
    assert (code, out) == (1, "")
    assert err.startswith("AAPL: cannot write")
    assert path.read_bytes() == good(rows=100)
    assert list(tmp_path.iterdir()) == [path]


KILLED = """
import os, signal, sys, time
sys.path.insert(0, "tests")
from yahoo_standin import StandIn
import scraper
from forecasting.market import yahoo

yahoo.PACE = 0
port, folder, *moments = sys.argv[1:]
arguments = ["AAPL", "--data", folder]
assert scraper.main(arguments, StandIn(int(port))) == 0
for moment in moments:
    child = os.fork()
    if not child:
        sys.stdout = open(os.devnull, "w")  # a half line would join ours
        while True:
            scraper.main(arguments, StandIn(int(port)))
    time.sleep(float(moment))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with open(os.path.join(folder, "AAPL.csv")) as file:
        print(repr(file.read()), flush=True)
"""


@posix
def test_killed_at_any_moment_the_file_is_whole(yahoo, tmp_path):
    # Every reply differs from the one before, so every download writes.
    old = upstream.snapshot("AAPL", 60)
    new = old * [2, 2, 2, 2, 1]
    both = [
        body(upstream.document(upstream.chart("AAPL", h))) for h in [old, new]
    ]
    turns = itertools.cycle(both)
    yahoo.always["AAPL"] = lambda handler: next(turns)(handler)
    draw = random.Random(0).uniform  # a download takes about 0.05 s
    moments = [f"{draw(0.02, 0.12):.4f}" for _ in range(100)]
    run = subprocess.run(
        [sys.executable, "-c", KILLED, str(yahoo.port), tmp_path, *moments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    found = [x for x in run.stdout.splitlines() if x.startswith("'Date")]
    assert len(found) == 100
    assert set(found) == {repr(prices.to_csv(h)) for h in [old, new]}
    assert [p.name for p in tmp_path.glob("*.csv")] == ["AAPL.csv"]


def test_two_runs_at_once_leave_one_complete_result(yahoo, tmp_path):
    runs = [command(yahoo, tmp_path, "AAPL", "IBM") for _ in range(2)]
    for run in runs:
        run.communicate()
        assert run.returncode == 0
    assert (tmp_path / "AAPL.csv").read_bytes() == good()
    assert (tmp_path / "IBM.csv").read_bytes() == good("IBM")
    assert len(list(tmp_path.iterdir())) == 2


# ---- manners


def test_warnings_as_errors_change_nothing(yahoo, tmp_path):
    yahoo.faults["AAPL"] = [status(500), body("<html/>"), upstream.reset]
    yahoo.charts["IBM"]["indicators"]["quote"][0]["close"][7] = None
    run = command(
        yahoo, tmp_path, "AAPL", "IBM", "NOSUCH", python=["-W", "error"]
    )
    out, err = run.communicate()
    assert run.returncode == 1
    assert out.count("\n") == 2
    assert sorted(line.split()[0] for line in err.splitlines()) == [
        "IBM:",
        "NOSUCH:",
    ]


def test_verbose_gives_the_traceback(scrape):
    assert "Traceback" not in scrape("NOSUCH")[2]
    assert "Traceback" in scrape("NOSUCH", "--verbose")[2]


def test_a_60_year_history_takes_less_than_200_MB(tmp_path):
    days = calendar("XNYS")[:15_700]
    rng = np.random.default_rng(0)
    close = 100 * np.exp(rng.normal(0, 0.01, len(days)).cumsum())
    history = pd.DataFrame(
        {"Open": close, "High": close * 1.01, "Low": close / 1.01}
        | {"Close": close, "Volume": 10**6},
        index=days.rename("Date"),
    )
    content = upstream.document(upstream.chart("AAPL", history))
    path = tmp_path / "AAPL.csv"
    tracemalloc.start()
    checked = validate(parse(content, "AAPL"))
    write(prices.to_csv(checked.history).encode(), path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200e6
    assert checked.doubts == []
    assert np.allclose(prices.read_csv(path)["Close"], close, atol=1e-6)
