"""A Dask cluster that loses a worker gives the verdict of one machine."""

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager

import pytest
from distributed import Client
from simulate import garch_walk

from forecasting.__main__ import main
from forecasting.market.prices import to_csv

VERDICT = ["--folds", "1", "--models", "Drift", "EWMA", "GARCH"]
PATIENCE = 120  # seconds for what takes one or two


@contextmanager
def started(*command, **options):
    """A process that is gone when the block ends."""
    process = subprocess.Popen([sys.executable, "-m", *command], **options)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def until(condition):
    """Wait for something true, and return it."""
    deadline = time.monotonic() + PATIENCE
    while not (result := condition()):
        assert time.monotonic() < deadline, "this never came"
        time.sleep(0.02)
    return result


@contextmanager
def cluster(folder, **worker_threads):
    """Scheduler and workers on loopback; yields the scheduler's address."""
    with ExitStack() as processes:
        file = folder / "scheduler.json"
        where = ["--scheduler-file", str(file), "--no-dashboard"]
        log = processes.enter_context((folder / "cluster.log").open("w"))
        quiet = {"stdout": log, "stderr": log, "cwd": folder}
        scheduler = ["distributed.cli.dask_scheduler", "--port", "0"]
        processes.enter_context(
            started(*scheduler, "--host", "127.0.0.1", *where, **quiet)
        )
        until(file.exists)
        for name, threads in worker_threads.items():
            processes.enter_context(
                started(
                    "distributed.cli.dask_worker",
                    *("--nthreads", str(threads), "--no-nanny"),
                    *("--name", name, "--local-directory", str(folder)),
                    *where,
                    **quiet,
                )
            )
        with Client(scheduler_file=str(file)) as client:
            client.wait_for_workers(len(worker_threads), timeout=PATIENCE)
            yield client


def busy(client):
    """The address of a worker that has something to do."""
    return next((w for w, fits in client.processing().items() if fits), None)


def test_a_verdict_survives_a_killed_worker_unchanged(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for seed, ticker in enumerate(["A", "B"]):
        (data / f"{ticker}.csv").write_text(to_csv(garch_walk(800, seed)))
    local, remote = tmp_path / "local.csv", tmp_path / "remote.csv"
    command = [*VERDICT, "--data", str(data), "--out"]
    assert main([*command, str(local), "--jobs", "1"]) == 0
    with cluster(tmp_path, first=1, second=1) as client:
        pids = client.run(os.getpid)
        command += [str(remote), "--dask", client.scheduler.address]
        with started("forecasting", *command) as verdict:
            victim = until(lambda: busy(client))
            # Mid-run: it stands still in a fit, the other finishes one.
            os.kill(pids[victim], signal.SIGSTOP)
            until(lambda: list(tmp_path.glob("remote.parts/*")))
            until(lambda: client.processing()[victim])
            assert not remote.exists()
            os.kill(pids[victim], signal.SIGKILL)
            assert verdict.wait(PATIENCE) == 0
        assert client.nthreads().keys() == pids.keys() - {victim}
    assert remote.read_bytes() == local.read_bytes()
    summaries = [
        file.with_name(f"{file.stem}-summary.csv").read_bytes()
        for file in (local, remote)
    ]
    assert summaries[0] == summaries[1]


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "ftp://nowhere"])
def test_an_absent_cluster_is_named_in_one_line(
    address, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("forecasting.__main__.WAIT", 1)
    out = tmp_path / "verdict.csv"
    assert main([*VERDICT, "--dask", address, "--out", str(out)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"--dask {address}: ")
    assert not out.exists()
