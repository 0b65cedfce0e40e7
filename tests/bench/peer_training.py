"""Train a peer: ``peer_training.py CONTENDER KIND FILE``.

``torch``: nn.LSTM in the network of own_training.py, on its windows with its
loss and optimiser, batch 32, without a DataLoader's overhead; ``torch-256``:
in batches of 256.
"""

import json
import sys
import time

import numpy as np
import torch
from torch import nn


class Net(nn.Module):
    """The port of forecasting.models.networks.build_network."""

    def __init__(self, features, units, outputs, bidirectional):
        super().__init__()
        self.lstm = nn.LSTM(
            features, units, batch_first=True, bidirectional=bidirectional
        )
        self.dense = nn.Linear(units * (1 + bidirectional), outputs)
        nn.init.zeros_(self.dense.weight)
        nn.init.zeros_(self.dense.bias)

    def forward(self, windows):
        _, (last, _) = self.lstm(windows)
        return self.dense(torch.cat([*last], dim=1))


def train(data, bidirectional, batch):
    """Windows an epoch; after each its loss, CPU seconds and the time."""
    torch.manual_seed(0)
    rows, targets = data["rows"], data["targets"]
    shape = rows.shape[1], int(data["units"]), targets.shape[1]
    net = Net(*shape, bidirectional)
    adam = torch.optim.Adam(net.parameters(), float(data["learning_rate"]))
    back = torch.arange(1 - int(data["lookback"]), 1)

    def losses(ends):
        output = net(rows[ends[:, None] + back])
        return ((output - targets[ends]) ** 2).mean(dim=1)

    training, epochs, best = data["training"], [], (np.inf, 0)
    for epoch in range(int(data["epochs"])):
        for ends in training[torch.randperm(len(training))].split(batch):
            adam.zero_grad()
            losses(ends).mean().backward()
            adam.step()
        with torch.no_grad():
            parts = [losses(ends) for ends in data["validation"].split(256)]
        score = torch.cat(parts).mean().item()
        epochs.append([score, time.process_time(), time.perf_counter()])
        best = min(best, (score, epoch))
        if epoch - best[1] >= data["patience"]:
            break
    return len(training), epochs


def main(contender, kind, file):
    """Print the epochs as JSON."""
    with np.load(file) as arrays:
        data = {name: torch.tensor(array) for name, array in arrays.items()}
    batch = 256 if contender == "torch-256" else 32
    print(json.dumps(train(data, kind == "BiLSTM", batch)))


if __name__ == "__main__":
    main(*sys.argv[1:])
