"""Independent calls side by side, one a core."""

import importlib
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import cloudpickle
import joblib
from joblib.externals.loky.process_executor import TerminatedWorkerError
from tqdm import tqdm


def in_parallel(function: Callable, calls: Iterable[tuple]) -> list:
    """What a function returns for each of the ``calls``, on all cores.

    It may be a notebook's own, and train.
    """
    # One more than cores: the last of three is not left to run alone on two.
    # (Always the same number, or joblib would start its workers anew.)
    jobs = joblib.cpu_count() + 1
    unpack = joblib.delayed(_unpacked)
    packed = [cloudpickle.dumps((function, these)) for these in calls]
    with quiet_workers():
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


@contextmanager
def quiet_workers() -> Iterator[None]:
    """Keep joblib from reporting a compiled network as a memory leak."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "A worker stopped", UserWarning)
        yield


@contextmanager
def killed_workers() -> Iterator[None]:
    """Say in one line that a process has died, and what to do."""
    try:
        yield
    except TerminatedWorkerError as error:
        raise OSError(
            "a fit's process was killed (too little memory?); the same "
            "command continues, and fewer --jobs need less"
        ) from error
