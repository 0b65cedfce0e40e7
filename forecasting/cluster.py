"""Fits on a Dask cluster whose workers come, go and are killed.

A history goes to the scheduler once, from there to one worker, and on to each
other worker that needs it: never with every fit. Where it is lost with its
worker, the scheduler sends it again. Every worker must be like this process,
so that it finds what this process would find, to the bit.
"""

import asyncio
import logging
import pickle
import platform
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from importlib.metadata import version
from itertools import islice

import cloudpickle
import pandas as pd
from distributed import Client, KilledWorker, WorkerPlugin, as_completed

from forecasting.console import say
from forecasting.evaluation.walk_forward import code_hash

# What may change a bit of a forecast, or the way it travels.
LIBRARIES = "numpy scipy pandas scikit-learn arch keras tensorflow distributed"
AHEAD = 2  # fits for each worker: one under way, one to come
REFUSED = "lstm-study-refused"  # the topic of workers that are sent away


class Cluster:
    """Carries out calls on the workers of a scheduler."""

    def __init__(self, client: Client, address: str):
        self.client, self.address = client, address

    def __call__(self, function: Callable, calls: list[tuple]) -> Iterator:
        """What a function returns for each of the ``calls``, in any order.

        Its first argument is ``{ticker: history}``. Raises OSError, in one
        line, where the scheduler is lost, or worker after worker in one call.
        """
        todo, sent, under_way = iter(calls), {}, as_completed()

        def send(prices: pd.DataFrame):
            # Not scattered: what a task made can be made again.
            if id(prices) not in sent:
                task = pickle.loads, pickle.dumps(prices)
                sent[id(prices)] = self.client.submit(*task, pure=False)
            return sent[id(prices)]

        def fill() -> None:
            # A worker that is killed must not take thousands of fits along:
            # Dask gives up one that lost four workers.
            room = AHEAD * max(1, len(self.client.nthreads()))
            room -= under_way.count()
            for histories, *arguments in islice(todo, max(0, room)):
                there = {t: send(prices) for t, prices in histories.items()}
                packed = cloudpickle.dumps((function, arguments))
                future = self.client.submit(unpack, there, packed, pure=False)
                under_way.add(future)

        fill()
        try:
            for future in under_way:
                yield future.result()
                fill()
        except KilledWorker as error:
            reason = f"a fit lost {error.allowed_failures + 1} workers"
            reason += " (too little memory?); the same command continues"
            raise lost(self.address, reason) from error
        except (CancelledError, asyncio.CancelledError) as error:
            reason = "the scheduler is gone; the same command continues"
            raise lost(self.address, reason) from error


def unpack(histories: dict[str, pd.DataFrame], packed: bytes) -> object:
    """Carry out a call that only the worker unpacks, not the scheduler."""
    function, arguments = cloudpickle.loads(packed)
    return function(histories, *arguments)


@contextmanager
def connect(address: str, patience: float = 10) -> Iterator[Cluster]:
    """A cluster whose scheduler and workers are like this process.

    Those that join later are checked when they do, and sent away if they
    differ. Raises OSError, in one line, where no cluster answers within
    ``patience`` seconds or one of its processes differs.
    """
    # Where the scheduler is lost, it logs a traceback of its own.
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
    try:
        client = Client(address, timeout=patience)
    except (OSError, ValueError) as error:
        raise lost(address, error) from error
    with client:
        try:
            ours = packages()
            client.wait_for_workers(1, timeout=patience)
            check("the scheduler", ours, client.run_on_scheduler(packages))
            threads = client.nthreads()
            found = client.run(packages, on_error="return")
            for worker, theirs in found.items():
                check(worker, ours, theirs, threads.get(worker, 1))
        except (OSError, ImportError, AttributeError) as error:
            raise lost(address, error) from error
        client.subscribe_topic(REFUSED, lambda event: say(event[1]))
        client.register_plugin(Doorkeeper(ours), REFUSED)
        try:
            yield Cluster(client, address)
        finally:
            if client.status == "running":
                client.unregister_worker_plugin(REFUSED)


def lost(address: str, reason: object) -> OSError:
    """Why a cluster cannot be used, in one line."""
    return OSError(f"--dask {address}: {str(reason).splitlines()[0]}")


class Doorkeeper(WorkerPlugin):
    """Sends a worker away, before its first fit, that is not like us."""

    def __init__(self, ours: dict[str, str]):
        self.ours = ours

    async def setup(self, worker) -> None:
        """Runs on every worker, before it takes any work."""
        try:
            check(worker.address, self.ours, packages(), worker.state.nthreads)
        except OSError as error:
            worker.log_event(REFUSED, f"{error}; sent away")
            await worker.close_gracefully(reason=str(error))


def packages() -> dict[str, str]:
    """What this process computes with: versions, and the code's hash."""
    found = {name: version(name) for name in LIBRARIES.split()}
    python = platform.python_version()
    return found | {"Python": python, "forecasting/*.py": code_hash()}


def check(
    who: str,
    ours: dict[str, str],
    theirs: dict[str, str] | Exception,
    threads: int = 1,
) -> None:
    """Raise OSError, in one line, for a process that is not like this one."""
    if isinstance(theirs, Exception):
        reason = str(theirs).splitlines()[0]
        raise OSError(f"{who} cannot run this package ({reason})")
    for name, mine in ours.items():
        if theirs[name] != mine:
            raise OSError(f"{who} has {name} {theirs[name]}, here is {mine}")
    if threads != 1:
        raise OSError(
            f"{who} has {threads} threads; start it with --nthreads 1 and as "
            "many --nworkers as it has cores"
        )
