"""scraper.py as a command: what is typed, what is on disk, who kills it."""

import ast
import itertools
import os
import random
import re
import signal
import sys
import time
import tomllib
import tracemalloc
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yahoo_standin as upstream
from conftest import output, process
from yahoo_standin import body, good, others, status

from forecasting.files import write_file
from forecasting.market import prices
from forecasting.market.calendars import calendar, close_of
from forecasting.market.command import parse_arguments
from forecasting.market.reply import parse
from forecasting.market.request import Manners, Refused, Request, normalise
from forecasting.market.store import previous, write_history
from forecasting.market.validate import validate
from forecasting.market.yahoo import Client, fetch

ROOT = Path(__file__).resolve().parents[1]
posix = pytest.mark.skipif(
    sys.platform == "win32", reason="POSIX signals, limits and permissions"
)


def command(yahoo, folder, *arguments, python=(), **options):
    """The command line in a process of its own."""
    program = [*python, "tests/yahoo_standin.py", yahoo.port, *arguments]
    return process(*program, "--data", folder, **options)


# ---- what is typed

TICKERS = ["AAPL", "^GSPC", "BRK-B", "BTC-USD", "ES=F", "EURUSD=X"]
TICKERS += ["0700.HK", "M&M.NS", "DX-Y.NYB", "AAPL240119C00150000"]


@pytest.mark.parametrize("name", TICKERS)
def test_a_ticker_is_written_as_yahoo_writes_it(name):
    for typed in [name, name.lower(), f" {name.title()}\t"]:
        assert normalise(typed) == name


NO_TICKERS = [
    *["", " ", "BRK/B", "../x", "..", ".", "/etc/passwd", "a\\b", "C:x"],
    *["CON", "con.de", "NUL", "com1", "A" * 300, "A.", "a b", "A\x00"],
    *["A\n/", "ſ", "ＡＡＰＬ", "A%2e", "A?x=1", "A#", "*", "$AAPL", "^"],
    *["~", "A;B"],
]


def test_a_ticker_that_is_none_is_refused_before_any_request(yahoo, scrape):
    code, out, err = scrape(*NO_TICKERS)
    assert (code, out) == (1, "")
    lines = err.partition(f"{len(NO_TICKERS)} of ")[0].splitlines()
    assert len(lines) == len(NO_TICKERS)
    assert max(map(len, lines)) < 200
    with pytest.raises(Refused):
        normalise("-x")  # an option, to argparse
    assert yahoo.asked == []
    assert list(scrape.folder.iterdir()) == []


TIMES = ["0", "-1", "nan", "inf", "x"]
MISTYPED = [
    ("AAPL --start 2001-02-03 --end 2001-02-03", "AAPL: --start 2001-02-03"),
    ("AAPL --start 2002-01-01 --end 2001-01-01", "must come before --end"),
    ("AAPL --start 2001-02-30", "--start: 2001-02-30 is not a date"),
    ("AAPL --end yesterday", "write it as YYYY-MM-DD"),
    ("AAPL --start 20010203", "write it as YYYY-MM-DD"),
    ("AAPL --start 2999-01-04", "--start 2999-01-04 is in the future"),
    *[(f"AAPL --timeout {t}", "--timeout") for t in TIMES],
    ("", "no ticker given; try: python scraper.py AAPL"),
]


@pytest.mark.parametrize("typed, word", MISTYPED)
def test_a_wrong_command_line_is_refused_in_one_line(
    yahoo, scrape, typed, word
):
    code, out, err = scrape(*typed.split())
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert word in err
    assert yahoo.asked == []


def test_the_future_begins_where_the_day_begins_first():
    """So a session in progress in Auckland can be asked for in Honolulu."""
    now = pd.Timestamp("2013-03-01 10:30", tz="UTC")
    for zone in ["Pacific/Honolulu", "Pacific/Kiritimati"]:
        Request(start=date(2013, 3, 2)).check(now.tz_convert(zone))
        with pytest.raises(Refused, match="in the future"):
            Request(start=date(2013, 3, 3)).check(now.tz_convert(zone))


def test_scraper_py_is_the_command_and_is_not_installed():
    out = output("scraper.py", "--help")
    for word in ["python scraper.py AAPL MSFT", "--force", "130"]:
        assert word in out
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    installed = project["tool"]["setuptools"]
    names = installed["packages"] + installed.get("py-modules", [])
    assert {n.partition(".")[0] for n in names} == {"forecasting", "theory"}


def test_files_go_to_data_unless_told_otherwise(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert parse_arguments(["AAPL"]).data == Path("data")
    monkeypatch.chdir(ROOT / "tests")
    assert parse_arguments(["AAPL"]).data == prices.DATA


# ---- several tickers


def test_one_bad_ticker_of_three_does_not_keep_the_others(yahoo, scrape):
    code, out, err = scrape("AAPL", "NOSUCH", "IBM", "aapl", " AAPL")
    assert code == 1
    assert {line.split(":")[0] for line in out.splitlines()} == {"AAPL", "IBM"}
    assert len(yahoo.times()) == 3  # one typed twice is asked once
    (line,) = others(err)
    assert line.startswith("NOSUCH: unknown symbol")
    assert "Traceback" in scrape("NOSUCH", "--verbose")[2]
    for name in ["AAPL", "IBM"]:
        assert (scrape.folder / f"{name}.csv").read_bytes() == good(name)
    assert len(list(scrape.folder.iterdir())) == 2


def test_a_hundred_tickers_are_not_mixed_up(yahoo, scrape):
    base = upstream.snapshot("AAPL", 100)
    histories = {
        f"T{i:02}": base.mul([1 + i / 100] * 4 + [1]).round(6)
        for i in range(100)
    }
    yahoo.charts = {n: upstream.chart(n, h) for n, h in histories.items()}
    yahoo.latency = 0.02
    assert scrape(*histories)[0] == 0
    for name, history in histories.items():
        saved = prices.read_csv(scrape.folder / f"{name}.csv")
        assert np.allclose(saved, history, atol=2e-6)


def many(yahoo, count):
    """Names of tickers that the stand-in serves, all with one history."""
    history = upstream.snapshot("AAPL", 100)
    names = [f"T{i:02}" for i in range(count)]
    yahoo.charts |= {name: upstream.chart(name, history) for name in names}
    return names


def listed(folder, *lines):
    """The option that names a file of these lines."""
    path = folder.parent / "list.txt"
    path.write_text("\n".join(lines), "utf-8")
    return "--list", str(path)


def charts(yahoo):
    """The tickers that the stand-in was asked for."""
    paths = [path.partition("?")[0] for _, path in yahoo.asked]
    return {p.rpartition("/")[2] for p in paths if "/chart/" in p}


def test_a_list_is_read_line_by_line_and_joins_what_is_typed(yahoo, scrape):
    lines = ["# two of them", "", "aapl  # apples", "\tT00\r", "AAPL"]
    many(yahoo, 1)
    code, out, _ = scrape("IBM", *listed(scrape.folder, *lines))
    assert code == 0
    assert {p.stem for p in scrape.folder.iterdir()} == {"IBM", "AAPL", "T00"}
    assert len(yahoo.times()) == out.count("\n") == 3


@pytest.mark.parametrize(
    "content, word",
    [
        (None, "No such file"),
        (b"", "it has no tickers; write one a line"),
        (b"# none\n\n", "it has no tickers; write one a line"),
        (b"\x80\xff\n", "utf-8"),
        (..., "directory"),
    ],
)
def test_a_list_that_is_none_is_refused(yahoo, scrape, content, word):
    path = scrape.folder / "list.txt"
    if content is ...:
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    code, out, err = scrape("AAPL", "--list", str(path))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"scraper.py: --list {path}: ")
    assert word in err
    assert yahoo.asked == []


def test_what_fails_of_many_is_summed_up_by_its_cause(yahoo, scrape):
    names = many(yahoo, 30)
    for i, name in enumerate(names):
        if i % 3 == 0:
            del yahoo.charts[name]
        elif i % 10 == 1:
            yahoo.always[name] = status(503)
        elif i % 10 == 2:
            yahoo.faults[name] = [status(429), upstream.reset]  # these pass
    code, out, err = scrape(*listed(scrape.folder, *names, "no ticker"))
    assert (code, out.count("\n")) == (1, 18)
    head, *causes = err.splitlines()[-4:]
    assert head == "13 of 31 tickers are not saved:"
    shown = "T00, T03, T06, T09, T12, T15, T18, T21, 2 more"
    assert causes[0].startswith("  unknown symbol: 10 (T")
    assert len(re.findall(r"T\d\d", causes[0])) == shown.count("T")
    assert causes[0].endswith(", 2 more)")
    assert causes[1].startswith("  Yahoo is failing (HTTP 503): 2 (T")
    assert causes[2].startswith("  not a Yahoo symbol")
    assert causes[2].endswith(": 1 (no ticker)")


def test_the_same_list_again_asks_for_the_rest(yahoo, scrape):
    """Whatever kept it: a failure, a damaged file, a session since.

    Or a last bar that was in progress when it was saved.
    """
    names = many(yahoo, 12)
    last = upstream.snapshot("AAPL", 100).index[-1].date()
    typed = *listed(scrape.folder, *names), "--end", str(last + timedelta(1))
    yahoo.always["T03"] = status(404)
    assert scrape(*typed)[0] == 1
    (scrape.folder / "T05.csv").write_bytes(good(rows=100)[:-9])
    (scrape.folder / "T07.csv").write_bytes(good(rows=99))
    close = close_of("T09", pd.Timestamp(last)).timestamp()
    os.utime(scrape.folder / "T09.csv", (close, close - 1))
    os.utime(scrape.folder / "T10.csv", (close, close))
    del yahoo.always["T03"]
    yahoo.asked.clear()
    code, out, _ = scrape(*typed)
    assert code == 0
    assert charts(yahoo) == {"T03", "T05", "T07", "T09"}
    assert out.count(f"holds its last closed session, {last}") == 8
    for name in names:
        file = scrape.folder / f"{name}.csv"
        assert file.read_bytes() == good(rows=100)
    yahoo.asked.clear()
    assert scrape("T00", "--end", str(last + timedelta(1)))[0] == 0
    assert len(yahoo.times()) == 1  # one that is named is asked
    assert scrape(*typed, "--force")[0] == 0
    assert len(yahoo.times()) == 1 + 12


def test_when_one_is_asked_to_wait_all_do(yahoo, scrape):
    names = many(yahoo, 20)
    scrape.manners = Manners(workers=2, pace=0, pause=0)
    yahoo.faults[names[3]] = [status(429, Retry_After=1)]
    assert scrape(*listed(scrape.folder, *names))[0] == 0
    (refused, _) = (t for t, path in yahoo.asked if f"/{names[3]}?" in path)
    after = [t - refused for t in yahoo.times() if t > refused]
    # The other one may ask once more while this one reads the refusal.
    assert sum(seconds < 0.9 for seconds in after) <= 3
    assert len(after) > 10


def test_nobody_asks_before_a_pause_is_over_that_outlasts_the_time(
    yahoo, scrape
):
    # So many that twelve fail in a row, though one under way is yet saved.
    names = many(yahoo, 60)
    scrape.manners = Manners(workers=2, pace=0, pause=0)
    yahoo.always[names[3]] = status(429, Retry_After=3600)
    code, out, err = scrape(*listed(scrape.folder, *names))
    assert (code, out.count("\n") < 10) == (1, True)
    assert len(yahoo.times()) < 10
    assert "stopped after 12 failures in a row" in err


def test_who_is_refused_by_yahoo_stops_asking(yahoo, scrape):
    scrape.manners = Manners(pace=0.005, pause=0.01)
    names = many(yahoo, 60)
    for name in names[5:]:
        yahoo.always[name] = status(429)
    code, out, err = scrape(*listed(scrape.folder, *names))
    assert (code, out.count("\n")) == (1, 5)
    assert err.splitlines()[-1] == (
        "stopped after 12 failures in a row: 5 of 60 tickers are saved; "
        "run the same command again for the rest"
    )
    assert len(charts(yahoo)) < 45


def test_what_asking_again_cannot_mend_does_not_end_the_list(yahoo, scrape):
    """Twelve in a row that Yahoo calls otherwise, then a healthy one."""
    scrape.manners = Manners(workers=1, pace=0, pause=0)
    names = many(yahoo, 12)
    for name in names:
        yahoo.charts[name]["meta"]["symbol"] = "MSFT"
    code, out, err = scrape(*listed(scrape.folder, *names, "IBM"))
    assert (code, out.count("\n")) == (1, 1)
    assert (scrape.folder / "IBM.csv").read_bytes() == good("IBM")
    assert len(yahoo.times()) == 12 + 1
    assert err.count("about MSFT") == 12 + 1  # and in the summary


@posix
def test_on_a_terminal_several_tickers_show_a_bar(yahoo, tmp_path):
    import termios

    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    run = command(yahoo, tmp_path, "AAPL", "IBM", stderr=theirs)
    out, _ = run.communicate()
    assert run.returncode == 0
    assert b"/2 [" in os.read(ours, 10_000)
    assert out.count("\n") == 2


@posix
def test_ctrl_c_keeps_what_is_finished(yahoo, tmp_path):
    names = many(yahoo, 100)
    yahoo.latency = 0.1
    run = command(yahoo, tmp_path, *names)
    while len(list(tmp_path.glob("*.csv"))) < 20:
        assert run.poll() is None
        time.sleep(0.01)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate()
    (line,) = others(err)
    assert run.returncode == 130
    assert re.match(r"interrupted: \d+ of 100 tickers are saved; run", line)
    files = list(tmp_path.iterdir())
    assert 20 <= len(files) < 100
    assert all(f.read_bytes() == good(rows=100) for f in files)


STUDY = """
import sys
from yahoo_standin import StandIn
from forecasting import study
from forecasting.market import yahoo

yahoo.new_session = lambda: StandIn(int(sys.argv[1]))
sys.exit(study.main(["AAPL"]))
"""


@posix
@pytest.mark.parametrize("program", ["scraper", "study"])
def test_ctrl_c_does_not_wait_for_a_request_that_hangs(
    yahoo, tmp_path, monkeypatch, program
):
    monkeypatch.setenv("FORECASTING_DATA", str(tmp_path))
    yahoo.always["AAPL"] = upstream.hang
    if program == "scraper":
        run = command(yahoo, tmp_path, "AAPL")
    else:
        run = process("-c", STUDY, yahoo.port)
    while not yahoo.times():
        assert run.poll() is None
        time.sleep(0.01)
    run.send_signal(signal.SIGINT)
    asked = time.monotonic()
    _, err = run.communicate()
    assert time.monotonic() - asked < 20  # the request would take 60
    assert (run.returncode, err.count("\n")) == (130, 1)
    assert err.startswith("interrupted: 0 of 1 tickers are saved; run")
    assert list(tmp_path.iterdir()) == []


# ---- what stands on disk


def test_the_four_steps_of_the_docstring_are_the_commands(
    yahoo, scrape, monkeypatch
):
    scrape.saves()
    saved = scrape.csv.read_bytes()
    scrape.csv.unlink()
    monkeypatch.chdir(scrape.folder)
    Path("data").mkdir()
    text = ast.get_docstring(ast.parse((ROOT / "scraper.py").read_text()))
    steps = re.findall(r"^ {4}(\w.*)$", text, re.MULTILINE)
    ask = partial(fetch, client=Client(yahoo.session()))
    here = {"fetch": ask, "parse": parse, "validate": validate}
    here |= {"write_history": write_history, "Path": Path}
    exec("\n".join(steps), here)
    assert Path("data", "AAPL.csv").read_bytes() == saved


def test_the_folder_is_made_and_nothing_new_leaves_the_file_untouched(scrape):
    scrape.folder /= "deep/down"
    scrape.saves()
    before = scrape.csv.stat()
    _, out, _ = scrape("AAPL")
    assert out.endswith(", unchanged\n")
    assert scrape.csv.stat() == before


DAMAGED = [
    b"",
    good().splitlines(keepends=True)[0],
    good()[:9000],  # in a line
    good()[: good().index(b"2001-05-08") + 6],  # in a date
    good().replace(b"2001-05-08,", b"2001-05-08,9", 1),
    good().replace(b"2001-05-08,", b"2001-05-08,n/a", 1),
    good() + good().splitlines(keepends=True)[-1],
    good() + b"2999-01-04,1.000000,1.000000,1.000000,1.000000,1\n",
    good().replace(b"\n", b"\r\n"),
    bytes(range(256)) * 10,
    b"\xff\xfe" + good(),
    b"Date;Close\n2001-05-08;1,5\n",
]


@pytest.mark.parametrize("content", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_file_is_detected_and_rebuilt(scrape, content):
    scrape.csv.write_bytes(content)
    scrape.saves("the file on disk was damaged")


def test_a_file_is_older_or_damaged_by_utc_and_not_by_a_clock_on_a_wall(
    scrape,
):
    scrape.csv.write_bytes(good(rows=200))
    scrape.saves()  # the older one is replaced without a word
    now = pd.Timestamp("2002-02-28", tz="Pacific/Kiritimati")
    for zone in ["Pacific/Kiritimati", "Pacific/Honolulu"]:
        assert previous(scrape.csv, now.tz_convert(zone))[0] is not None
    now -= pd.Timedelta(seconds=1)
    assert previous(scrape.csv, now) == (None, "it reaches into the future")


def test_a_folder_for_the_file_or_a_file_for_the_folder_is_refused(
    yahoo, scrape
):
    scrape.csv.mkdir()
    code, out, err = scrape("AAPL")
    assert (code, out) == (1, "")
    assert "is a directory" in err
    scrape.folder = scrape.folder / "data"
    scrape.folder.write_bytes(b"a file")
    code, _, err = scrape("AAPL")
    assert (code, err.count("\n")) == (2, 1)
    assert "AAPL: --data" in err
    assert yahoo.asked == []


@posix
def test_a_symlink_is_replaced_and_its_target_left_alone(scrape):
    outside = scrape.folder / "outside"
    outside.write_bytes(b"not ours")
    scrape.csv.symlink_to(outside)
    scrape.saves("the file on disk was damaged")
    assert outside.read_bytes() == b"not ours"
    assert not scrape.csv.is_symlink()


def test_old_strays_are_removed_and_young_ones_left(scrape):
    old, young = (scrape.folder / f".AAPL.csv.{i}.tmp" for i in range(2))
    old.write_bytes(b"half")
    young.write_bytes(b"half")
    os.utime(old, (0, 0))
    scrape.saves()
    assert not old.exists()
    assert young.exists()  # perhaps another run is writing it


@posix
def test_a_full_disk_leaves_the_old_file(scrape):
    # A limit on the size of files fails in the middle of writing, too.
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (9000, limits[1]))
    try:
        scrape.refuses("AAPL: cannot write")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@posix
def test_a_read_only_folder_leaves_the_old_file(scrape):
    scrape.csv.write_bytes(good(rows=100))
    scrape.folder.chmod(0o555)
    user = os.geteuid()
    if user == 0:  # root may write anywhere, so somebody else has to try
        for folder in scrape.folder.parents:
            if "pytest" in str(folder) and folder.stat().st_uid == user:
                folder.chmod(folder.stat().st_mode | 0o055)
        os.seteuid(65534)
    try:
        scrape.refuses("AAPL: cannot write")
    finally:
        os.seteuid(user)
        scrape.folder.chmod(0o755)


KILLED = """
import os, signal, sys, time
from yahoo_standin import StandIn
from forecasting.market.command import main
from forecasting.market.request import Manners
from forecasting.market.yahoo import Client

port, folder, *moments = sys.argv[1:]
arguments = ["AAPL", "--data", folder]
client = Client(StandIn(int(port)), Manners(pace=0))
for _ in range(2):  # the second shows how long one takes here
    started = time.monotonic()
    assert main(arguments, client) == 0
    took = time.monotonic() - started
for moment in moments:
    child = os.fork()
    if not child:
        # A half line would join ours.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")
        while True:
            main(arguments, client)
    time.sleep(float(moment) * took)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with open(os.path.join(folder, "AAPL.csv"), "rb") as file:
        print(repr(file.read().decode()), flush=True)
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
    draw = random.Random(0).uniform
    moments = [f"{draw(0.4, 2.4):.4f}" for _ in range(100)]
    out = output("-c", KILLED, yahoo.port, tmp_path, *moments)
    found = [x for x in out.splitlines() if x.startswith("'Date")]
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
    upstream.columns(yahoo.charts["IBM"])["close"][7] = None
    names = ["AAPL", "IBM", "NOSUCH"]
    run = command(yahoo, tmp_path, *names, python=["-W", "error"])
    out, err = run.communicate()
    assert (run.returncode, out.count("\n")) == (1, 2)
    first_words = [line.split()[0] for line in others(err)]
    assert sorted(first_words) == ["IBM:", "NOSUCH:"]


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
    write_file(prices.to_csv(checked.history).encode(), path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200e6
    assert checked.doubts == []
    assert np.allclose(prices.read_csv(path)["Close"], close, atol=1e-6)
