#!/usr/bin/env bash
# Keras 3.15.1: at masked steps an LSTM with return_sequences=True repeats its
# last output; the same LSTM, same weights, inside Bidirectional answers 0.
# Where padding comes first, the bare LSTM has 0 there, so the two conventions
# look alike until padding comes last. Cause: Bidirectional switches on its
# layers' zero_output_for_mask, which is off by default.
# Expected: wrapping a layer leaves the forward half as it was. Hurt: whoever
# takes the last time step (x[:, -1]) or averages over time, after padding of
# unequal histories: a state before the wrapping, zeros after it.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --no-compile keras==3.15.1 jax==0.10.2 \
  jaxlib==0.10.2 numpy==2.4.6 scipy==1.17.1
KERAS_BACKEND=numpy "$tmp/venv/bin/python" - <<'E'
import keras
import numpy as np

keras.utils.set_random_seed(0)
PAD = -1.0
last = np.array([1, 1, PAD, PAD], "float32").reshape(1, 4, 1)
first = last[:, ::-1].copy()


def apply(layer, x):
    mask = (x != PAD)[..., 0]
    return np.asarray(layer(x, mask=mask))[0, :, 0].round(4)


lstm = keras.layers.LSTM(1, return_sequences=True)
bare = apply(lstm, last)
wrapper = keras.layers.Bidirectional(
    keras.layers.LSTM(1, return_sequences=True))
wrapper(last)
wrapper.forward_layer.set_weights(lstm.get_weights())
wrapped = apply(wrapper, last)
print("keras", keras.__version__, "- expected: pairs of equal rows. Seen:")
print("padded last:  LSTM", bare, " forward half of Bidirectional", wrapped)
print("padded first: LSTM", apply(lstm, first),
      " forward half of Bidirectional", apply(wrapper, first))
assert np.allclose(bare[:2], wrapped[:2]) and bare[1] != 0
assert (bare[2:] == bare[1]).all() and (wrapped[2:] == 0).all()
assert (apply(lstm, first) == apply(wrapper, first)).all()
E
