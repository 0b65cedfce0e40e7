#!/usr/bin/env bash
# Keras 3.15.1: the documentation of timeseries_dataset_from_array predicts the
# next step with inputs data[:-L], targets data[L:] and sequence_length=L. That
# never uses the last L - 1 targets: the function itself stops where the last
# full window of the (shortened) inputs does. Of a year of 250 closes with
# windows of 60, 131 of the 190 possible pairs come out, and the newest 59
# closes are never a target. Inputs data[:-1] give all of them.
# Expected: a window for each value that has L values before it. Hurt: every
# tutorial that copies the recipe; on a test set, the most recent days go.
# (Shown with format="grain", which needs no TensorFlow.)
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --no-compile keras==3.15.1 grain==0.2.18 \
  jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6 scipy==1.17.1
KERAS_BACKEND=numpy "$tmp/venv/bin/python" - <<'E'
import keras
import numpy as np

N, L = 250, 60
data = np.arange(N)


def targets(inputs):
    dataset = keras.utils.timeseries_dataset_from_array(
        inputs, data[L:], sequence_length=L, format="grain")
    pairs = [(x[-1], y) for xs, ys in dataset
             for x, y in zip(np.asarray(xs), np.asarray(ys))]
    assert all(y == x + 1 for x, y in pairs)  # each pair is right
    return [int(y) for _, y in pairs]


recipe, all_of_them = targets(data[:-L]), targets(data[:-1])
print("keras", keras.__version__)
print(f"Expected: targets {L} to {N - 1}, {N - L} of them.")
print(f"Seen by the documented recipe: {recipe[0]} to {recipe[-1]}, "
      f"{len(recipe)} of them; with data[:-1]: {len(all_of_them)}.")
assert recipe == list(range(L, N - L + 1))
assert all_of_them == list(range(L, N))
E
