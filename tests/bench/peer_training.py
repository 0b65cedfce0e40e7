"""Train a peer: ``peer_training.py CONTENDER KIND FILE``.

``torch``: nn.LSTM in the network of training.py, on its windows with its loss
and optimiser, batch 32, without a DataLoader's overhead.
``neuralforecast``: its LSTM of the same size, on windows of the same rows'
first column, with its own Student-t loss.
"""

import json
import logging
import sys
import time
from functools import partial

import numpy as np
import torch
from torch import nn

BATCH = 32


class Net(nn.Module):
    """The port of forecasting.networks.build_network."""

    def __init__(self, features, units, outputs, bidirectional):
        super().__init__()
        self.lstm = nn.LSTM(
            features, units, batch_first=True, bidirectional=bidirectional
        )
        seen = units * (1 + bidirectional) + features
        self.dense = nn.Linear(seen, outputs)
        nn.init.zeros_(self.dense.weight)
        nn.init.zeros_(self.dense.bias)

    def forward(self, windows):
        _, (last, _) = self.lstm(windows)
        return self.dense(torch.cat([*last, windows[:, -1]], dim=1))


def correction_loss(truth, output):
    """The port of forecasting.lstm.correction_loss, ``(batch,)``."""
    moved, ranged, df = truth.chunk(3, dim=1)
    loc, log_scale = output.chunk(2, dim=1)
    shrink = torch.exp(-2 * log_scale)
    tails = torch.log1p((moved - loc) ** 2 * shrink / df)
    student_t = log_scale + (df + 1) / 2 * tails
    qlike = ranged * shrink / 2 + log_scale
    return (student_t + qlike + loc**2).mean(dim=1)


def train_torch(data, kind, batch=BATCH):
    """Windows an epoch; validation loss, CPU seconds, seconds of each."""
    same = correction_loss(
        *(torch.tensor(data[part]) for part in ("truth", "output"))
    )
    np.testing.assert_allclose(same, data["loss"], rtol=1e-4)
    torch.manual_seed(0)
    rows, targets = torch.tensor(data["rows"]), torch.tensor(data["targets"])
    training, validation = (
        torch.tensor(data[part]) for part in ("training", "validation")
    )
    back = torch.arange(1 - int(data["lookback"]), 1)
    net = Net(
        rows.shape[1],
        int(data["units"]),
        data["output"].shape[1],
        kind == "BiLSTM",
    )
    adam = torch.optim.Adam(net.parameters())
    epochs, best = [], (np.inf, 0)
    for epoch in range(int(data["epochs"])):
        start = time.process_time(), time.perf_counter()
        for ends in training[torch.randperm(len(training))].split(batch):
            adam.zero_grad()
            loss = correction_loss(
                targets[ends], net(rows[ends[:, None] + back])
            )
            loss.mean().backward()
            adam.step()
        with torch.no_grad():
            losses = [
                correction_loss(targets[ends], net(rows[ends[:, None] + back]))
                for ends in validation.split(256)
            ]
        score = torch.cat(losses).mean().item()
        cpu = time.process_time() - start[0]
        epochs.append([score, cpu, time.perf_counter() - start[1]])
        best = min(best, (score, epoch))
        if epoch - best[1] >= data["patience"]:
            break
    return len(training), epochs


def train_neuralforecast(data, kind):
    """Seconds of as many windows as an epoch has, several times over."""
    import pandas as pd
    from neuralforecast import NeuralForecast
    from neuralforecast.losses.pytorch import DistributionLoss
    from neuralforecast.models import LSTM
    from pytorch_lightning import Callback

    class Clock(Callback):
        ticks = []

        def on_train_batch_end(self, *_):
            self.ticks.append([time.process_time(), time.perf_counter()])

    clock, rounds = Clock(), 6
    steps = len(data["training"]) // BATCH
    returns = data["rows"][: data["training"][-1], 0]
    model = LSTM(
        h=20,
        input_size=int(data["lookback"]),
        encoder_n_layers=1,
        encoder_hidden_size=int(data["units"]),
        loss=DistributionLoss("StudentT"),
        windows_batch_size=BATCH,
        max_steps=rounds * steps,
        accelerator="cpu",
        callbacks=[clock],
        logger=False,
        enable_progress_bar=False,
        enable_checkpointing=False,
        enable_model_summary=False,
    )
    frame = pd.DataFrame(
        {"unique_id": "all", "ds": np.arange(len(returns)), "y": returns}
    )
    NeuralForecast([model], freq=1).fit(frame)
    seconds = np.diff(clock.ticks[::steps], axis=0).tolist()
    return steps * BATCH, [[None, *pair] for pair in seconds]


def main(contender, kind, file):
    """Print the epochs as JSON."""
    for name in ("pytorch_lightning", "lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    train = {
        "torch": train_torch,
        "torch-256": partial(train_torch, batch=256),
        "neuralforecast": train_neuralforecast,
    }
    print(json.dumps(train[contender](np.load(file), kind)))


if __name__ == "__main__":
    main(*sys.argv[1:])
