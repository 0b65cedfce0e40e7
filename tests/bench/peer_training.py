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


def train(data, bidirectional, batch):
    """Windows an epoch; after each its loss, CPU seconds and the time."""
    same = correction_loss(data["truth"], data["output"])
    torch.testing.assert_close(same, data["loss"], rtol=1e-4, atol=0)
    torch.manual_seed(0)
    rows, outputs = data["rows"], data["output"].shape[1]
    net = Net(rows.shape[1], int(data["units"]), outputs, bidirectional)
    adam = torch.optim.Adam(net.parameters())
    back = torch.arange(1 - int(data["lookback"]), 1)

    def losses(ends):
        output = net(rows[ends[:, None] + back])
        return correction_loss(data["targets"][ends], output)

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
