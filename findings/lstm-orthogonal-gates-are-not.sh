#!/usr/bin/env bash
# Keras 3.15.1, LSTM: recurrent_initializer="orthogonal", the default, makes
# one h x 4 h matrix with orthonormal rows and cuts it into the four gates, so
# no gate's own matrix is orthogonal: each is a contraction, on average by one
# half, and twenty steps of it leave a millionth of a vector. SimpleRNN, whose
# matrix is square, keeps the length, as the name promises.
# Expected: each gate's recurrent matrix keeps lengths. Hurt: arguments from
# "orthogonal start, so nothing vanishes", and ports that draw gate by gate and
# so start twice as large.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --no-compile keras==3.15.1 jax==0.10.2 \
  jaxlib==0.10.2 numpy==2.4.6 scipy==1.17.1
KERAS_BACKEND=numpy "$tmp/venv/bin/python" - <<'E'
import keras
import numpy as np

H, STEPS = 64, 20
keras.utils.set_random_seed(0)
start = np.ones(H) / 8  # of length 1
print("keras", keras.__version__)
print("Expected: root mean square 1, largest 1, length 1. Seen:")


def show(name, U):
    U = np.asarray(U).astype(float)
    values = np.linalg.svd(U, compute_uv=False)
    rms = np.sqrt((values**2).mean())
    length = np.linalg.norm(np.linalg.matrix_power(U, STEPS) @ start)
    print(f"{name:9} singular values {rms:.3f} rms, {values[0]:.3f} largest;"
          f" after {STEPS} steps length {length:.1e}")
    return rms, values.max(), length


plain = keras.layers.SimpleRNN(H)
plain.build((None, 5, 1))
kept = show("SimpleRNN", plain.cell.recurrent_kernel)
assert np.allclose(kept, 1, atol=1e-4)
lstm = keras.layers.LSTM(H)
lstm.build((None, 5, 1))
for gate, U in zip("ifco", np.split(lstm.cell.recurrent_kernel, 4, axis=1)):
    rms, largest, length = show(f"LSTM {gate}", U)
    assert 0.45 < rms < 0.55 and largest < 0.95 and length < 1e-4
E
