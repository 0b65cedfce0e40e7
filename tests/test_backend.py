"""Keras starts in silence."""

import subprocess
import sys


def test_importing_keras_writes_nothing():
    done = subprocess.run(
        [sys.executable, "-c", "from forecasting.models.backend import keras"],
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("", "")
