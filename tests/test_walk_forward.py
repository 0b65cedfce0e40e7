"""The walk forward: its dates, and runs that are killed, or spread."""

import os
import pickle
import shutil
import socket
import socketserver
import subprocess
import sys
import threading
import time
import uuid
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pandas as pd
import pytest
import simulate
from distributed import Client

from forecasting.__main__ import main, workers
from forecasting.evaluation.walk_forward import walk_forward
from forecasting.market.prices import to_csv
from forecasting.models.baselines import EWMA, Drift
from forecasting.models.registry import BASELINES
from forecasting.models.regressions import Linear
from forecasting.settings import STUDY, Settings
from forecasting.windows import fold_dates, fold_origins

ROOT = Path(__file__).resolve().parents[1]
TOMORROW = Settings(horizons=1)  # what is tested here needs no other day
PATIENCE = 120  # seconds for what takes one or two
FOUR = {name: simulate.garch_walk(800, ord(name)) for name in "ABCD"}
PAIR = {name: FOUR[name] for name in "AB"}


class Waiting(Drift):
    """Says that it fits, then waits until its folder holds a file "go"."""

    def __init__(self, folder):
        super().__init__(TOMORROW)
        self.folder = Path(folder)

    def fit(self, histories):
        mark = f"{os.getpid()}-{uuid.uuid4().hex}.fit"
        (self.folder / mark).touch()
        until((self.folder / "go").exists)
        return super().fit(histories)


def fitting(folder):
    """The process of every fit begun, one entry a fit."""
    return [int(mark.name.partition("-")[0]) for mark in folder.glob("*.fit")]


def until(condition):
    """Wait for something true, and return it."""
    deadline = time.monotonic() + PATIENCE
    while not (result := condition()):
        assert time.monotonic() < deadline, "this never came"
        time.sleep(0.02)
    return result


@contextmanager
def started(*command, path=(), **options):
    """A Python process that is gone when the block ends."""
    path = os.pathsep.join([*path, str(Path(__file__).parent), *sys.path])
    environment = os.environ | {"PYTHONPATH": path}
    process = subprocess.Popen(
        [sys.executable, *command], env=environment, **options
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def walked(models, histories, parts=None, cluster=None):
    """The verdict on the last year."""
    more = {"parts": parts, "cluster": cluster}
    return walk_forward(models, histories, 1, [0], TOMORROW, **more)


def same(ours, theirs):
    for table in ("scores", "summary"):
        pd.testing.assert_frame_equal(
            getattr(ours, table), getattr(theirs, table), check_exact=True
        )


def test_the_folds_have_one_set_of_dates_for_every_ticker():
    """A ticker that starts later or ends earlier is tested on fewer rows."""
    long = simulate.random_walk(2000, seed=5)
    histories = {
        "LONG": long,
        "LATE": long[1200:],
        "ENDED": long[: -STUDY.block - 100],
    }
    splits = fold_dates(histories, 2)
    last = long.index[-2 * STUDY.block :]
    assert splits[0].test_start == last[0]
    assert splits[1].test_start == last[STUDY.block]
    tested = {
        ticker: [len(fold_origins(history, dates)) for dates in splits]
        for ticker, history in histories.items()
    }
    assert tested == {
        "LONG": [STUDY.block, STUDY.block - 1],
        "LATE": [STUDY.block, STUDY.block - 1],
        "ENDED": [STUDY.block - 101, 0],
    }
    scores = walk_forward({}, histories, 2).scores
    ones = scores[(scores["horizon"] == 1) & (scores["seed"] == "0")]
    assert ones.set_index(["ticker", "fold"])["n"].to_dict() == {
        ("LONG", 0): STUDY.block,
        ("LONG", 1): STUDY.block - 1,
        # 800 rows less two years and the embargo are too few to train on.
        ("LATE", 1): STUDY.block - 1,
        ("ENDED", 0): STUDY.block - 101,
    }


def finished(parts):
    """Names of finished fits and when they were written."""
    return {p.name: p.stat().st_mtime_ns for p in parts.iterdir()}


def walk(folder):
    """A run of six fits, the last two of which wait."""
    models = {"EWMA": EWMA(TOMORROW), "Waiting": Waiting(folder)}
    return walked(models, PAIR, parts=Path(folder, "parts"))


def test_a_killed_run_continues_where_it_was(tmp_path):
    """Same tables as an uninterrupted run; no finished fit is repeated."""
    code = "import sys, test_walk_forward; test_walk_forward.walk(sys.argv[1])"
    with started("-c", code, str(tmp_path)):
        until(lambda: fitting(tmp_path))
    once = finished(tmp_path / "parts")
    assert len(once) == 4
    (tmp_path / "go").touch()
    continued = walk(tmp_path)
    twice = finished(tmp_path / "parts")
    assert {name: twice[name] for name in once} == once
    assert len(twice) == 6
    uninterrupted = tmp_path / "uninterrupted"
    uninterrupted.mkdir()
    (uninterrupted / "go").touch()
    same(continued, walk(uninterrupted))


def test_a_killed_command_continues(tmp_path):
    data, killed = tmp_path / "data", tmp_path / "killed.csv"
    data.mkdir()
    for name, history in PAIR.items():
        (data / f"{name}.csv").write_bytes(to_csv(history).encode())
    command = ["--models", "GARCH", "--folds", "1", "--jobs", "1"]
    command += ["--data", str(data), "--out"]
    parts = killed.with_suffix(".parts")
    with started("-m", "forecasting", *command, str(killed)):
        until(lambda: killed.exists() or list(parts.glob("*")))
    for file in (killed, tmp_path / "whole.csv"):
        assert main([*command, str(file)]) == 0
    for end in (".csv", "-summary.csv"):
        continued, whole = (
            tmp_path / f"{n}{end}" for n in ("killed", "whole")
        )
        assert continued.read_bytes() == whole.read_bytes()
    assert not parts.exists()


class Killed(Drift):
    """Its process ends, as where the system takes back memory."""

    def fit(self, histories):
        os._exit(9)


def test_a_fit_that_is_killed_is_one_line(tmp_path):
    models = {"EWMA": EWMA(TOMORROW), "Killed": Killed(TOMORROW)}
    parts = tmp_path / "parts"
    with pytest.raises(OSError, match="process was killed .* continues, and"):
        walk_forward(models, PAIR, 1, [0], TOMORROW, jobs=2, parts=parts)


def test_what_cannot_be_written_is_one_line(tmp_path, capsys):
    """And the fits are not lost by it."""
    out = tmp_path / "mine.csv"
    (tmp_path / "mine-summary.csv").mkdir()
    command = ["--models", "EWMA", "--folds", "1", "--jobs", "1"]
    assert main([*command, "--out", str(out)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "mine-summary.csv" in line
    assert list(out.with_suffix(".parts").iterdir())


def test_other_data_do_not_reuse_finished_fits(tmp_path):
    after = {"A": PAIR["A"].iloc[:-50]}
    walked({}, {"A": PAIR["A"]}, tmp_path)
    again = walked({}, after, tmp_path)
    same(again, walked({}, after))
    assert len(finished(tmp_path)) == 2


@contextmanager
def cluster(folder):
    """A scheduler on loopback, → its client and what starts a worker."""
    file = folder / "scheduler.json"
    where = ["--scheduler-file", str(file), "--no-dashboard"]
    with ExitStack() as stack, (folder / "log").open("w") as log:
        quiet = {"stdout": log, "stderr": log, "cwd": folder}

        def start(command, *options, path=()):
            module = f"distributed.cli.dask_{command}"
            command = ["-m", module, *options, *where]
            return stack.enter_context(started(*command, path=path, **quiet))

        def join(threads=1, path=()):
            options = ["--no-nanny", "--local-directory", str(folder)]
            options += ["--nthreads", str(threads)]
            return start("worker", *options, path=path)

        start("scheduler", "--host", "127.0.0.1", "--port", "0")
        until(file.exists)
        with Client(scheduler_file=str(file)) as client:
            yield client, join


@contextmanager
def remotely(client, models, histories):
    """A verdict in the making on a cluster, → where it will be found."""
    found = []

    def run():
        with workers(client.scheduler.address) as cluster:
            found.append(walked(models, histories, cluster=cluster))

    thread = threading.Thread(target=run)
    thread.start()
    yield found
    thread.join(PATIENCE)


def pids(client):
    return set(client.run(os.getpid).values())


def test_workers_come_and_go_and_the_verdict_is_that_of_one_machine(tmp_path):
    """All are killed in a fit, and others come; bit for bit the same."""
    models = {"Waiting": Waiting(tmp_path), "Linear": Linear(TOMORROW)}
    with cluster(tmp_path) as (client, join):
        first = [join(), join()]
        client.wait_for_workers(2, timeout=PATIENCE)
        with remotely(client, models, FOUR) as found:
            until(lambda: pids(client) <= set(fitting(tmp_path)))
            for process in first:
                process.kill()
            until(lambda: not client.nthreads())
            join(), join()
            until(lambda: pids(client) & set(fitting(tmp_path)))
            (tmp_path / "go").touch()
        late = pids(client)
    assert late & set(fitting(tmp_path))
    (remote,) = found
    same(remote, walked(models, FOUR))


@contextmanager
def metered(address):
    """Another address of a server, and a list of all that is sent to it."""
    host, _, port = address.removeprefix("tcp://").partition(":")
    sizes = []

    class Forward(socketserver.BaseRequestHandler):
        def handle(self):
            with socket.create_connection((host, int(port))) as server:
                back = threading.Thread(
                    target=self.pump, args=[server, self.request]
                )
                back.start()
                self.pump(self.request, server, sizes)
                back.join()

        def pump(self, source, target, count=None):
            with suppress(OSError):
                while data := source.recv(1 << 16):
                    target.sendall(data)
                    if count is not None:
                        count.append(len(data))
            with suppress(OSError):
                target.shutdown(socket.SHUT_WR)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Forward) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"tcp://127.0.0.1:{server.server_address[1]}", sizes
        server.shutdown()


def handed_on(dask_worker):
    """Bytes that a worker sent to others."""
    return dask_worker.transfer_outgoing_bytes_total


def test_a_history_is_sent_once_and_not_with_every_fit(tmp_path):
    models = {f"EWMA {k}": EWMA(TOMORROW) for k in range(20)}
    size = sum(len(pickle.dumps(history)) for history in PAIR.values())
    with cluster(tmp_path) as (client, join):
        join(), join()
        client.wait_for_workers(2, timeout=PATIENCE)
        with (
            metered(client.scheduler.address) as (address, sizes),
            workers(address) as remote,
        ):
            walked(models, PAIR, cluster=remote)
        between = client.run(handed_on).values()
    assert size < sum(sizes) < 3 * size  # 21 times each, with every fit
    assert sum(between) < 8 * size  # the forecasts come back, too


def altered(folder):
    """Where a copy of this package is whose code differs."""
    shutil.copytree(ROOT / "forecasting", folder / "forecasting")
    with (folder / "forecasting" / "losses.py").open("a") as file:
        file.write("# not what it was\n")
    return [str(folder)]


def test_a_worker_that_differs_gets_no_fit(tmp_path, capsys):
    """At the start the run is refused; who joins later is sent away."""
    other = altered(tmp_path / "other")
    with cluster(tmp_path) as (client, join):
        good = join()
        client.wait_for_workers(1, timeout=PATIENCE)
        models = {"Waiting": Waiting(tmp_path)}
        with remotely(client, models, FOUR) as found:
            until(lambda: fitting(tmp_path) == [good.pid])
            late = [join(threads=2), join(path=other)]
            until(lambda: all(p.poll() is not None for p in late))
            (tmp_path / "go").touch()
        assert set(fitting(tmp_path)) == {good.pid}
        assert len(found) == 1
        lines = capsys.readouterr().err.splitlines()
        lines = [line for line in lines if line.endswith("; sent away")]
        assert sorted("2 threads" in line for line in lines) == [False, True]
        assert sum(" has forecasting/*.py " in line for line in lines) == 1

        good.kill()
        data = ["--data", str(ROOT / "data" / "snapshot")]
        for options, word in [
            ({"threads": 3}, "3 threads"),
            ({"path": other}, "*.py"),
        ]:
            until(lambda: not client.nthreads())
            process = join(**options)
            client.wait_for_workers(1, timeout=PATIENCE)
            out = tmp_path / "verdict.csv"
            address = client.scheduler.address
            assert main([*data, "--dask", address, "--out", str(out)]) == 1
            (line,) = capsys.readouterr().err.splitlines()
            assert line.startswith(f"--dask {address}: tcp://")
            assert word in line
            assert process.poll() is None  # it may serve somebody else
            process.kill()


def test_an_absent_cluster_is_named_in_one_line(tmp_path, capsys):
    nobody = "tcp://127.0.0.1:1"
    with pytest.raises(OSError, match=f"--dask {nobody}: "):
        workers(nobody, patience=1).__enter__()
    out = tmp_path / "verdict.csv"
    assert main(["--dask", "ftp://nowhere", "--out", str(out)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("--dask ftp://nowhere: ")
    assert not list(tmp_path.iterdir())


def test_the_order_and_number_of_tickers_change_no_baseline():
    """Bit for bit: nothing leaks from one ticker to another's baselines.

    But for the pooled ones, which learn from all: the order alone.
    """
    models = {name: model(TOMORROW) for name, model in BASELINES.items()}
    pooled = {name: m for name, m in models.items() if m.pooled}
    turned = walked(pooled, dict(reversed(PAIR.items()))).summary
    pd.testing.assert_frame_equal(
        turned.set_index(["ticker", "model"]).sort_index(),
        walked(pooled, PAIR)
        .summary.set_index(["ticker", "model"])
        .sort_index(),
        rtol=1e-9,
    )
    models = {name: m for name, m in models.items() if not m.pooled}
    alone = walked(models, PAIR).scores
    more = {"MORE": simulate.ar1_walk(800, seed=9)}
    more |= dict(reversed(PAIR.items()))
    among = walked(models, more).scores
    for ticker in PAIR:
        pd.testing.assert_frame_equal(
            among[among["ticker"] == ticker].reset_index(drop=True),
            alone[alone["ticker"] == ticker].reset_index(drop=True),
            check_exact=True,
        )
