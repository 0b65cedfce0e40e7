"""Independent calls side by side: on the cores here, or on a Dask cluster."""

import asyncio
import importlib
import logging
import platform
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from importlib.metadata import version
from itertools import islice
from pathlib import Path

import cloudpickle
import joblib
from joblib.externals.loky.process_executor import TerminatedWorkerError
from tqdm import tqdm

from forecasting.console import brief

# What may change a bit of a forecast.
LIBRARIES = "numpy scipy pandas scikit-learn arch keras tensorflow"


def in_parallel(function: Callable, calls: Iterable[tuple]) -> list:
    """What a function returns for each of the ``calls``, on all cores.

    Parameters
    ----------
    function
        May be a notebook's own, and train.
    calls
        The arguments of each call.

    Returns
    -------
    list
        The results, in the order of the calls.
    """
    # One more than cores: the last of three is not left to run alone on two.
    # (Always the same number, or joblib would start its workers anew.)
    jobs = joblib.cpu_count() + 1
    unpack = joblib.delayed(_unpacked)
    packed = [cloudpickle.dumps((function, these)) for these in calls]
    with warnings.catch_warnings():
        _ignore_leaks()
        results = joblib.Parallel(jobs, return_as="generator")(
            unpack(these) for these in packed
        )
        bar = tqdm(results, "fits", len(packed), leave=False, disable=None)
        return list(bar)


def _unpacked(call: bytes) -> object:
    """A call, unpacked only once TensorFlow has been imported quietly."""
    importlib.import_module("forecasting.models.backend")
    function, arguments = cloudpickle.loads(call)
    return function(*arguments)


def _ignore_leaks() -> None:
    """Keep joblib from reporting a compiled network as a memory leak."""
    warnings.filterwarnings("ignore", "A worker stopped", UserWarning)


def on_cores(
    function: Callable, calls: Iterable[tuple], jobs: int
) -> Iterator:
    """What a function returns for each of the ``calls``, in any order.

    ``jobs``: calls at once, −1 for one a core. Raises OSError, in one line,
    where a process is killed at its call.
    """
    run = joblib.Parallel(
        jobs, return_as="generator_unordered", pre_dispatch="n_jobs"
    )
    try:
        with warnings.catch_warnings():
            _ignore_leaks()
            yield from run(joblib.delayed(function)(*these) for these in calls)
    except TerminatedWorkerError as error:
        raise OSError(
            "a fit's process was killed (too little memory?); the same "
            "command continues, and fewer --jobs need less"
        ) from error


def on_cluster(
    function: Callable,
    calls: Iterable[tuple],
    address: str,
    patience: float = 10,
) -> Iterator:
    """The same on the workers of a Dask scheduler, which come and go.

    A call whose worker is lost is made again elsewhere. (Through joblib's own
    Dask backend, 1.6.0, the arguments are lost with the workers that hold
    them, and a call that kills four workers is waited for without end.)
    Raises OSError, in one line, where no cluster answers within ``patience``
    seconds, where the scheduler or worker after worker is lost, or where a
    worker computes with something else than this process.
    """
    try:
        from distributed import Client, as_completed
    except ImportError as error:
        raise OSError('--dask needs: pip install -e ".[cluster]"') from error
    # Where the scheduler is lost, it logs a traceback of its own.
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
    todo = (cloudpickle.dumps((function, these)) for these in calls)
    try:
        with Client(address, timeout=patience) as client:
            client.wait_for_workers(1, timeout=patience)
            under_way = as_completed()

            def fill() -> None:
                # A few at a time: those that a worker holds when it is killed
                # are all suspected of it.
                room = 2 * max(1, len(client.nthreads())) - under_way.count()
                for call in islice(todo, max(0, room)):
                    there = _checked, identity(), call
                    under_way.add(client.submit(*there, pure=False))

            fill()
            for future in under_way:
                yield future.result()
                fill()
    except (Exception, asyncio.CancelledError) as error:
        reason = f"{brief(error, 160)}; the same command continues"
        raise OSError(f"--dask {address}: {reason}") from error


def _checked(theirs: dict[str, str], call: bytes) -> object:
    """A call, on a worker that computes with what the caller has."""
    for name, mine in identity().items():
        if theirs[name] != mine:
            from distributed import get_worker

            worker = get_worker().address
            raise OSError(f"{worker} has {name} {mine}, here {theirs[name]}")
    function, arguments = cloudpickle.loads(call)
    return function(*arguments)


@lru_cache
def identity() -> dict[str, str]:
    """What this process computes with: versions, and the code's hash."""
    found = {name: version(name) for name in LIBRARIES.split()}
    python = platform.python_version()
    return found | {"Python": python, "forecasting/*.py": code_hash()}


def code_hash() -> str:
    """A hash of this package's code."""
    ours = sorted(Path(__file__).parent.rglob("*.py"))
    return joblib.hash([path.read_bytes() for path in ours])
