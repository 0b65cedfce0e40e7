#!/usr/bin/env bash
# Keras 3.15.1 on PyTorch 2.14.1, model.export(format="onnx"): an LSTM whose
# time axis is left open (None) becomes a graph that reads the first time step
# and ignores all others. The file declares the axis as free and accepts any
# length; the answer of four steps is that of the first alone. There is no
# error, only tracer warnings among many that are harmless. With the length
# fixed in the Input the export is right.
# Expected: the loop over time, or a refusal. Hurt: whoever ships a forecaster
# to onnxruntime. (Needs 6 GB of disk for PyTorch's wheels.)
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --no-compile keras==3.15.1 torch==2.14.1 \
  onnx==1.23.2 onnxscript==0.7.2 onnxruntime==1.32.0 numpy==2.4.6
cd "$tmp"
KERAS_BACKEND=torch venv/bin/python -W ignore - <<'E'
import keras
import numpy as np
import onnxruntime
import torch

keras.utils.set_random_seed(0)
x = np.random.default_rng(0).normal(size=(2, 4, 1)).astype("float32")


def worst(a, b):
    return float(np.abs(a - b).max())


print("keras", keras.__version__, "torch", torch.__version__,
      "onnxruntime", onnxruntime.__version__)
print("Expected: no distance from Keras. Seen:")
for length in [None, 4]:
    model = keras.Sequential(
        [keras.Input((length, 1)), keras.layers.LSTM(3)])
    expected = model.predict(x, verbose=0)
    model.export("lstm.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession("lstm.onnx")
    (put,) = session.get_inputs()
    (got,) = session.run(None, {put.name: x})
    print(f"Input(({length}, 1)): declared {put.shape}, "
          f"distance {worst(got, expected):.3f}")
    assert (worst(got, expected) < 1e-6) == (length == 4)
    if length is None:
        first = model.predict(x[:, :1], verbose=0)
        print(f"  distance from the first step alone {worst(got, first):.1e}")
        assert worst(got, first) < 1e-6
E
