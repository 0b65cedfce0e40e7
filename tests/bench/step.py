"""Where does one training step's time go, and what would shorten it?

``step.py PEERS``: PEERS is the Python that has PyTorch. Prints milliseconds
of CPU for a step on one batch of the study's LSTM: as the study takes it,
parts of it, in other ways, and by PyTorch with oneDNN's LSTM and without.
"""

import sys
import time
from functools import partial

import numpy as np
from runner import run, table

from forecasting.models.backend import keras, tf
from forecasting.models.features import INPUTS
from forecasting.models.networks import batches, build_network
from forecasting.settings import STUDY

BATCH, STEPS = STUDY.batch, STUDY.lookback
UNITS, OUTPUTS = STUDY.units, STUDY.horizons
REPEATS, CALLS = 7, 20
RNG = np.random.default_rng(0)


def normal(*shape):
    """Float32 noise."""
    return RNG.normal(size=shape).astype(np.float32)


X, Y = normal(BATCH, STEPS, INPUTS), normal(BATCH, OUTPUTS)


def stepper(forward, weights, jit=True):
    """A step of Adam on the mean squared error of ``forward(windows)``."""
    adam = keras.optimizers.Adam(STUDY.learning_rate)
    adam.build(weights)

    @tf.function(jit_compile=jit)
    def step(x, y):
        with tf.GradientTape() as tape:
            output = tf.cast(forward(x), tf.float32)
            loss = tf.reduce_mean((output - y) ** 2)
        adam.apply(tape.gradient(loss, weights), weights)
        return loss

    return partial(step, tf.constant(X), tf.constant(Y))


def by_keras(jit=True, policy="float32"):
    """Keras's layers."""
    keras.config.set_dtype_policy(policy)
    network = build_network(STUDY, INPUTS, OUTPUTS, False)
    keras.config.set_dtype_policy("float32")
    return stepper(network, network.trainable_variables, jit)


def by_hand(seeds=1):
    """The input projection of all steps as one product, gates fused.

    ``seeds``: networks trained in one computation, their weights stacked.
    """
    network = build_network(STUDY, INPUTS, OUTPUTS, False)
    drawn = [np.stack([w] * seeds) for w in network.get_weights()]
    weights = [keras.Variable(w) for w in drawn]
    kernel, recurrent, bias, dense, shift = (w.value for w in weights)

    def forward(x):
        at = tf.einsum("btf,kfg->tkbg", x, kernel) + bias[:, None]
        zero = tf.zeros((seeds, BATCH, UNITS))

        def body(t, h, c):
            gates = tf.split(at[t] + tf.matmul(h, recurrent), 4, axis=-1)
            i, f, o = (tf.sigmoid(gates[k]) for k in (0, 1, 3))
            c = f * c + i * tf.tanh(gates[2])
            return t + 1, o * tf.tanh(c), c

        _, h, _ = tf.while_loop(
            lambda t, *_: t < STEPS,
            body,
            [0, zero, zero],
            maximum_iterations=STEPS,
        )
        return tf.matmul(h, dense) + shift[:, None]

    return stepper(forward, weights)


def forward_alone():
    """The network's output, no gradient."""
    network = build_network(STUDY, INPUTS, OUTPUTS, False)
    return partial(tf.function(network, jit_compile=True), tf.constant(X))


def serving(rows=20_000):
    """Cutting a batch of windows from a series."""
    series = normal(rows, INPUTS), normal(rows, OUTPUTS)
    shape = STEPS, BATCH, STUDY.most
    data = batches(*series, np.arange(STEPS, rows), *shape, shuffle=0)
    return partial(next, iter(data.repeat()))


def products():
    """The step's matrix products, forward and backward, and nothing else."""
    x, kernel = normal(STEPS * BATCH, INPUTS), normal(INPUTS, 4 * UNITS)
    hidden, recurrent = normal(BATCH, UNITS), normal(UNITS, 4 * UNITS)
    gates, back = normal(BATCH, 4 * UNITS), normal(4 * UNITS, UNITS)
    states, slopes = (normal(STEPS * BATCH, n * UNITS) for n in (1, 4))

    def step():
        x @ kernel
        for _ in range(STEPS):
            hidden @ recurrent
            gates @ back
        states.T @ slopes
        x.T @ slopes

    return step


def milliseconds(steps):
    """CPU time of a call of each, the median of turns."""
    spent = {name: [] for name in steps}
    for step in steps.values():
        step()  # compiles
    for _ in range(REPEATS):
        for name, step in steps.items():
            start = time.process_time()
            for _ in range(CALLS):
                step()
            spent[name].append((time.process_time() - start) / CALLS)
    return {name: 1000 * np.median(times) for name, times in spent.items()}


def main(peers):
    found = milliseconds(
        {
            "this study: Keras, XLA": by_keras(),
            "of it, the forward pass": forward_alone(),
            "of it, the matrix products (NumPy)": products(),
            "before it, cutting the batch": serving(),
            "Keras without XLA": by_keras(jit=False),
            "one input projection, XLA": by_hand(),
            "two seeds stacked, XLA": by_hand(seeds=2),
            "Keras, XLA, bfloat16": by_keras(policy="mixed_bfloat16"),
        }
    )
    found["two seeds stacked, XLA"] /= 2
    shape = map(str, (BATCH, STEPS, INPUTS, UNITS, OUTPUTS))
    (text,) = run("peer_step.py", *shape, python=peers)
    by_torch = "torch.nn.LSTM, by oneDNN", "torch.nn.LSTM without oneDNN"
    found |= zip(by_torch, map(float, text.split()), strict=True)
    ours = found["this study: Keras, XLA"]
    rows = [
        [name, f"{spent:.1f}", f"{ours / spent:.2f}"]
        for name, spent in found.items()
    ]
    print(table(["One step", "Milliseconds", "Speed, study's = 1"], rows))
    print(
        f"\nA batch of {BATCH} windows of {STEPS} × {INPUTS}, {UNITS} units, "
        f"{OUTPUTS} outputs; of two seeds, one's share."
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
