"""Build, train and run the Keras networks: one way for all of them."""

from functools import lru_cache

import numpy as np

from forecasting.backend import keras, tf
from forecasting.windows import LOOKBACK, make_windows

# Chosen on rows before the first test fold, then frozen for every ticker,
# fold and horizon.
UNITS = 32
BATCH = 256  # at most
STEPS = 24  # a pass over the training windows, at least
LEARNING_RATE = 1e-3
EPOCHS = 40
PATIENCE = 5  # epochs without a better validation loss before stopping


def build_network(
    features: int, outputs: int, bidirectional: bool, direct: bool
) -> keras.Model:
    """Windows ``(batch, LOOKBACK, features)`` → ``(batch, outputs)``.

    ``direct``: the last session also reaches the output past the LSTM, so
    that what is linear in it is learnt within a few steps. The output starts
    at zero: an untrained network has no opinion.
    """
    window = keras.Input((LOOKBACK, features))
    recurrent = keras.layers.LSTM(UNITS)
    if bidirectional:
        recurrent = keras.layers.Bidirectional(recurrent)
    seen = recurrent(window)
    if direct:
        seen = keras.layers.Concatenate()([seen, window[:, -1]])
    dense = keras.layers.Dense(outputs, kernel_initializer="zeros")
    return keras.Model(window, dense(seen))


class Network:
    """A compiled network that can be trained again and again.

    XLA takes longer to compile a network than to train it, so all fits of
    one shape share a compilation: ``train`` draws the weights anew.
    """

    def __init__(
        self,
        features: int,
        outputs: int,
        bidirectional: bool,
        direct: bool,
        loss,
    ) -> None:
        self.shape = features, outputs, bidirectional, direct
        self.model = build_network(*self.shape)
        adam = keras.optimizers.Adam(LEARNING_RATE)
        adam.build(self.model.trainable_variables)
        self.model.compile(adam, loss, jit_compile=True)
        self.start = [variable.numpy() for variable in adam.variables]

    def train(
        self,
        rows: np.ndarray,
        targets: np.ndarray,
        training: np.ndarray,
        validation: np.ndarray,
        seed: int,
    ) -> list[np.ndarray]:
        """Train from a seed; return the weights that validated best.

        ``rows (n, features)``, ``targets (n, k)``; ``training`` and
        ``validation``: the rows at which windows end.
        """
        keras.utils.set_random_seed(seed)
        self.model.set_weights(build_network(*self.shape).get_weights())
        variables = self.model.optimizer.variables
        for variable, value in zip(variables, self.start, strict=True):
            variable.assign(value)
        stop = keras.callbacks.EarlyStopping(
            patience=PATIENCE, restore_best_weights=True
        )
        # A short history gets smaller batches (powers of two), as it needs
        # as many steps to learn from.
        size = min(BATCH, 2 ** int(np.log2(max(len(training) / STEPS, 1))))
        self.model.fit(
            batches(rows, targets, training, size, shuffle=seed),
            validation_data=batches(rows, targets, validation, size),
            epochs=EPOCHS,
            shuffle=False,  # the batches are shuffled already
            callbacks=[stop],
            verbose=0,
        )
        return self.model.get_weights()

    def run(
        self,
        weights: list[np.ndarray],
        rows: np.ndarray,
        origins: np.ndarray,
    ) -> np.ndarray:
        """Outputs for the windows that end at ``origins``, ``(m, k)``."""
        self.model.set_weights(weights)
        windows = make_windows(rows.astype(np.float32), LOOKBACK)
        # Whole batches only: another batch shape is another compilation.
        padded = np.resize(origins, -(-len(origins) // BATCH) * BATCH)
        outputs = [
            self.model.predict_on_batch(windows[part - LOOKBACK + 1])
            for part in padded.reshape(-1, BATCH)
        ]
        return np.concatenate(outputs)[: len(origins)].astype(float)


@lru_cache
def compiled(
    features: int, outputs: int, bidirectional: bool, direct: bool, loss
) -> Network:
    """The one network of a shape and loss in this process."""
    return Network(features, outputs, bidirectional, direct, loss)


def batches(
    rows: np.ndarray,
    targets: np.ndarray,
    origins: np.ndarray,
    size: int,
    shuffle: int | None = None,
) -> tf.data.Dataset:
    """Batches of windows that end at ``origins``, cut as they are needed.

    Memory holds the rows, never all windows. ``shuffle``: a seed; the order
    is then another one in every epoch.
    """
    # Whole batches only, as above; what is left over is dropped evenly.
    size = min(size, len(origins))
    steps = len(origins) // size
    kept = np.linspace(0, len(origins) - 1, steps * size).astype(int)
    ends = tf.constant(origins[kept])
    rows = tf.constant(rows, tf.float32)
    targets = tf.constant(targets, tf.float32)
    back = tf.range(1 - LOOKBACK, 1, dtype=tf.int64)

    def deal(epoch: tf.Tensor) -> tf.Tensor:
        return tf.random.experimental.stateless_shuffle(ends, [0, epoch])

    def cut(ends: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        at = ends[:, None] + back
        return tf.gather(rows, at), tf.gather(targets, ends)

    data = tf.data.Dataset.from_tensors(ends)
    if shuffle is not None:
        # Not Dataset.shuffle, which keeps 250 bytes for every window.
        epochs = tf.data.Dataset.random(
            shuffle, rerandomize_each_iteration=True
        )
        data = epochs.take(1).map(deal)
    data = data.rebatch(size).map(cut).prefetch(2)
    return data.apply(tf.data.experimental.assert_cardinality(steps))
