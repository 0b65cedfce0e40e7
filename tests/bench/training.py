"""Train one network: ``training.py CONTENDER KIND FILE``.

``data``: write what LSTMForecaster would train on to FILE, pooled over the
four tickers of data/snapshot before their first test fold. ``study``: train
its network on that. ``keras``: train the same network with the same loss and
optimiser by Keras's defaults, windows copied. KIND: LSTM or BiLSTM.
"""

import json
import sys
import time

import numpy as np

from forecasting.backend import keras
from forecasting.lstm import LSTMForecaster, correction_loss
from forecasting.market.prices import DATA, load_directory
from forecasting.networks import EPOCHS, PATIENCE, UNITS, build_network
from forecasting.protocol import fold_dates
from forecasting.settings import STUDY
from forecasting.windows import make_windows


class Recorder(LSTMForecaster):
    """Learns nothing, but writes down what it was to learn from."""

    def _network(self):
        return self

    def train(self, rows, targets, training, validation, seed):
        rng = np.random.default_rng(0)
        output = rng.normal(0, 0.3, (64, 2 * targets.shape[1] // 3))
        truth = targets[training[:64]].astype(np.float32)
        self.data = {
            "rows": rows.astype(np.float32),
            "targets": targets.astype(np.float32),
            "training": training,
            "validation": validation,
            "units": UNITS,
            "lookback": STUDY.lookback,
            "epochs": EPOCHS,
            "patience": PATIENCE,
            # By which a port of the loss can tell that it is one.
            "truth": truth,
            "output": output.astype(np.float32),
            "loss": correction_loss(truth, output.astype(np.float32)),
        }
        raise StopIteration


class Clock(keras.callbacks.Callback):
    """Validation loss, CPU seconds and seconds of each epoch."""

    def on_train_begin(self, logs=None):
        self.epochs = []

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.process_time(), time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        cpu, wall = time.process_time(), time.perf_counter()
        self.epochs.append(
            [logs["val_loss"], cpu - self.start[0], wall - self.start[1]]
        )


def study(data, kind):
    """Windows an epoch, and the epochs, of the study's own training."""
    clock, windows = Clock(), []
    network = LSTMForecaster(bidirectional=kind == "BiLSTM")._network()
    fit = network.model.fit

    def timed(training, callbacks, **options):
        windows.extend(len(y) for _, y in training)
        return fit(training, callbacks=[*callbacks, clock], **options)

    network.model.fit = timed
    parts = ["rows", "targets", "training", "validation"]
    network.train(*[data[part] for part in parts], seed=0)
    return sum(windows), clock.epochs


def plain(data, kind):
    """The same of the same network, as Keras trains by default."""
    windows = make_windows(data["rows"], STUDY.lookback)
    x, y = (
        [array[data[part] - shift] for part in ("training", "validation")]
        for array, shift in [
            (windows, STUDY.lookback - 1),
            (data["targets"], 0),
        ]
    )
    keras.utils.set_random_seed(0)
    shape = data["rows"].shape[1], data["output"].shape[1]
    model = build_network(*shape, kind == "BiLSTM", True)
    model.compile("adam", correction_loss)
    clock = Clock()
    model.fit(
        x[0],
        y[0],
        validation_data=(x[1], y[1]),
        epochs=EPOCHS,
        callbacks=[keras.callbacks.EarlyStopping(patience=PATIENCE), clock],
        verbose=0,
    )
    return len(y[0]), clock.epochs


def main(contender, kind, file):
    """Print windows an epoch and the epochs as JSON, or write the data."""
    if contender == "data":
        histories = load_directory(DATA / "snapshot")
        end = fold_dates(histories, folds=4)[0].fit_end
        recorder = Recorder()
        try:
            recorder.fit({t: p.loc[:end] for t, p in histories.items()})
        except StopIteration:
            np.savez(file, **recorder.data)
        return
    data = np.load(file)
    print(json.dumps({"study": study, "keras": plain}[contender](data, kind)))


if __name__ == "__main__":
    main(*sys.argv[1:])
