"""Train the study's network: ``own_training.py CONTENDER KIND FILE``.

``data``: write to FILE what LSTMForecaster trains on, pooled over the four
tickers of data/snapshot before their first test fold. ``study``: train its
network on that. ``keras``: train the same network with the same loss and
optimiser, all else by Keras's defaults, windows copied. KIND: LSTM or BiLSTM.
"""

import json
import sys
import time
from dataclasses import asdict, replace

import numpy as np

from forecasting.evaluation.walk_forward import fit_model
from forecasting.market.prices import DATA, load_directory
from forecasting.models.backend import keras
from forecasting.models.lstm import LSTMForecaster
from forecasting.models.networks import Network
from forecasting.settings import STUDY
from forecasting.windows import fold_dates, make_windows

PARTS = ("rows", "targets", "training", "validation")


class Noted(Network):
    """A network that notes what it is asked to train on."""

    def train(self, *given):
        self.given = dict(zip(PARTS, given[:-1], strict=True))
        return super().train(*given)


class Clock(keras.callbacks.Callback):
    """Validation loss, CPU seconds so far and the time after each epoch."""

    def __init__(self):
        super().__init__()
        self.epochs = []

    def on_epoch_end(self, epoch, logs=None):
        now = time.process_time(), time.perf_counter()
        self.epochs.append([logs["val_loss"], *now])


def write(file):
    """Write what a network trains on; how many windows and features."""
    model = LSTMForecaster(settings=replace(STUDY, epochs=1))
    model.network = Noted(*model.network)
    histories = load_directory(DATA / "snapshot")
    network = fit_model(model, histories, fold_dates(histories, 4)[0]).network
    data = asdict(STUDY) | network.given
    # Whole batches, as the study drops the rest: one loss for everybody.
    rows = len(data["validation"])
    kept = np.linspace(0, rows - 1, rows // STUDY.batch * STUDY.batch)
    data["validation"] = data["validation"][kept.astype(int)]
    np.savez(file, **data)
    return len(data["training"]), network.features


def study(network, data):
    """Windows an epoch, and the epochs, of the study's own training."""
    clock = Clock()
    given = [data[part] for part in PARTS]
    network.train(*given, seed=0, callbacks=[clock])
    steps = clock.params["steps"]
    # Of whole batches, whose size is a power of two.
    size = 2 ** int(np.log2(len(data["training"]) / steps))
    return steps * size, clock.epochs


def plain(network, data):
    """The same of the same network, as Keras trains by default."""
    windows = make_windows(data["rows"], STUDY.lookback)
    learnt, valid = (
        (windows[data[part] - STUDY.lookback + 1], data["targets"][data[part]])
        for part in ("training", "validation")
    )
    keras.utils.set_random_seed(0)
    model, clock = network.build(), Clock()
    model.compile(keras.optimizers.Adam(STUDY.learning_rate), "mse")
    stop = keras.callbacks.EarlyStopping(patience=STUDY.patience)
    options = dict(epochs=STUDY.epochs, callbacks=[stop, clock], verbose=0)
    model.fit(*learnt, validation_data=valid, **options)
    return len(data["training"]), clock.epochs


def main(contender, kind, file):
    """Print, as JSON, what the contender's function returns."""
    if contender == "data":
        return print(json.dumps(write(file)))
    network = LSTMForecaster(bidirectional=kind == "BiLSTM").network
    train = {"study": study, "keras": plain}[contender]
    return print(json.dumps(train(network, np.load(file))))


if __name__ == "__main__":
    main(*sys.argv[1:])
