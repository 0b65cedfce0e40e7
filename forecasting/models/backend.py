"""Keras on TensorFlow: silent at its start, one thread a process.

    from forecasting.models.backend import keras

TensorFlow's libraries write to file descriptor 2 while they load, past
Python and past TF_CPP_MIN_LOG_LEVEL; in a notebook that would stand as a
red box under the first cell.
"""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


@contextmanager
def _quiet_stderr():
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Networks this small fit fastest side by side, one a core: a fit with more
# threads takes as long and a third more of the processor.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
with _quiet_stderr():
    import keras
    import tensorflow as tf

__all__ = ["keras", "seeded", "tf"]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Let Keras draw from a seed; a caller's own draws go on as if unasked.

    Keras seeds the generators of Python and NumPy, which belong to the whole
    process: afterwards they are what they were.
    """
    python, numpy = random.getstate(), np.random.get_state()
    keras.utils.set_random_seed(seed)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
