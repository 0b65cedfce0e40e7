"""Build, train and run the Keras networks: one way for all of them."""

import threading
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from forecasting.market.prices import PriceError
from forecasting.models.backend import keras, seeded, tf
from forecasting.settings import Settings
from forecasting.windows import make_windows

# A process has one compiled model of a shape and one generator of weights, so
# its threads take turns.
TURN = threading.RLock()
LONGEST = 3e-3  # learning rate, for the largest pools


def build_network(
    settings: Settings,
    features: int,
    outputs: int,
    bidirectional: bool,
) -> keras.Model:
    """Windows ``(batch, lookback, features)`` → ``(batch, outputs)``.

    The output starts at zero: an untrained network has no opinion.
    """
    window = keras.Input((settings.lookback, features))
    recurrent = keras.layers.LSTM(settings.units)
    if bidirectional:
        recurrent = keras.layers.Bidirectional(recurrent)
    dense = keras.layers.Dense(outputs, kernel_initializer="zeros")
    return keras.Model(window, dense(recurrent(window)))


class Network(NamedTuple):
    """A network by its shape, to be trained again and again.

    XLA takes longer to compile a network than to train it, so all fits of
    one shape in a process share a compilation: ``train`` draws the weights
    anew.
    """

    settings: Settings
    features: int
    outputs: int
    bidirectional: bool

    def build(self) -> keras.Model:
        """The network with weights drawn anew, not compiled."""
        return build_network(*self)

    def train(
        self,
        rows: np.ndarray | tf.Tensor,
        targets: np.ndarray | tf.Tensor,
        training: np.ndarray,
        validation: np.ndarray,
        seed: int,
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> list[np.ndarray]:
        """Train from a seed; return the weights that validated best.

        Parameters
        ----------
        rows
            What the network reads, ``(n, features)``, scaled.
        targets
            What it is to put out, ``(n, outputs)``.
        training, validation
            Rows at which windows end, ``(k,)``: each from ``lookback − 1``.
        seed
            Of the weights and of the order of the windows.
        callbacks
            Keras's, to watch the epochs.

        Returns
        -------
        list
            Arrays of weights, as ``run`` takes them.
        """
        settings = self.settings
        watching = [
            keras.callbacks.EarlyStopping(
                patience=settings.patience, restore_best_weights=True
            ),
            *callbacks,
        ]
        # A short history gets smaller batches (powers of two), as it needs
        # as many steps to learn from.
        size = 2 ** int(np.log2(max(len(training) / settings.steps, 1)))
        size = min(settings.batch, size)
        rate = self.rate(len(training) // size)
        if rate > settings.learning_rate:
            # Longer steps find the place, shorter ones settle there.
            shorten = keras.callbacks.ReduceLROnPlateau(
                patience=2, factor=0.5, min_lr=settings.learning_rate
            )
            watching.append(shorten)
        shape = settings.lookback, size, settings.most
        rows = tf.constant(rows, tf.float32)  # once for both parts
        targets = tf.constant(targets, tf.float32)
        with TURN:
            model, start = _compiled(self)
            with seeded(seed):
                model.set_weights(self.build().get_weights())
                variables = model.optimizer.variables
                for variable, value in zip(variables, start, strict=True):
                    variable.assign(value)
                model.optimizer.learning_rate = rate
                model.fit(
                    batches(rows, targets, training, *shape, shuffle=seed),
                    validation_data=batches(rows, targets, validation, *shape),
                    epochs=settings.epochs,
                    shuffle=False,  # the batches are shuffled already
                    callbacks=watching,
                    verbose=0,
                )
            return model.get_weights()

    def rate(self, whole: int) -> float:
        """Learning rate to begin with, of windows for ``whole`` batches.

        An epoch that draws some of them takes fewer steps than a pass over
        all, each as much longer, up to a limit (results/design-log.md).
        """
        rate, most = self.settings.learning_rate, self.settings.most
        return max(rate, min(rate * whole / most, LONGEST))

    def run(
        self, weights: list[np.ndarray], rows: np.ndarray, origins: np.ndarray
    ) -> np.ndarray:
        """Outputs for the windows that end at ``origins``, ``(m, k)``.

        Raises PriceError for an origin with too few rows before it.
        """
        settings = self.settings
        lookback, batch = settings.lookback, settings.batch
        if np.min(origins) < settings.first:
            raise PriceError(
                f"no forecast from row {np.min(origins)}: the first whole "
                f"window of {lookback} sessions ends at row {settings.first}"
            )
        windows = make_windows(rows.astype(np.float32), lookback)
        # Whole batches only: another batch shape is another compilation.
        padded = np.resize(origins, -(-len(origins) // batch) * batch)
        with TURN:
            model, _ = _compiled(self)
            model.set_weights(weights)
            outputs = [
                model.predict_on_batch(windows[part - lookback + 1])
                for part in padded.reshape(-1, batch)
            ]
        return np.concatenate(outputs)[: len(origins)].astype(float)

    def save(self, weights: list[np.ndarray], path: Path) -> None:
        """Write weights as Keras does, to a file named ``….weights.h5``."""
        with TURN:
            model = self.build()
            model.set_weights(weights)
            model.save_weights(path)

    def load(self, path: Path) -> list[np.ndarray]:
        """Weights that ``save`` wrote; OSError or ValueError without."""
        with TURN:
            model = self.build()
            model.load_weights(path)
            return model.get_weights()


@lru_cache
def _compiled(network: Network) -> tuple[keras.Model, list[np.ndarray]]:
    """The one model of its shape, and its optimiser's state at the start."""
    with seeded(0):  # any weights do: each fit draws its own
        model = network.build()
    adam = keras.optimizers.Adam(network.settings.learning_rate)
    adam.build(model.trainable_variables)
    model.compile(adam, "mse", jit_compile=True)
    return model, [variable.numpy() for variable in adam.variables]


def batches(
    rows: np.ndarray,
    targets: np.ndarray,
    origins: np.ndarray,
    lookback: int,
    size: int,
    most: int,
    shuffle: int | None = None,
) -> tf.data.Dataset:
    """Batches of windows that end at ``origins``, cut as they are needed.

    Memory holds the rows, never all windows. ``shuffle``: a seed; the order
    is then another one in every epoch. Where there are windows for more than
    ``most`` batches, every epoch draws anew which it serves; unshuffled, they
    are always the same, evenly spread.
    """
    # Whole batches only, as above; what is left over is dropped evenly.
    size = min(size, len(origins))
    whole = len(origins) // size
    steps = min(whole, most)
    there = steps if shuffle is None else whole
    kept = np.linspace(0, len(origins) - 1, there * size).astype(int)
    ends = tf.constant(origins[kept])
    rows = tf.constant(rows, tf.float32)
    targets = tf.constant(targets, tf.float32)
    back = tf.range(1 - lookback, 1, dtype=tf.int64)

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
    data = data.rebatch(size).take(steps).map(cut).prefetch(2)
    # Its optimiser would copy the rows and the targets.
    options = tf.data.Options()
    options.experimental_optimization.apply_default_optimizations = False
    options.autotune.enabled = False
    data = data.with_options(options)
    return data.apply(tf.data.experimental.assert_cardinality(steps))
