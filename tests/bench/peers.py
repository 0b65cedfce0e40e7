"""What the peers make of some work: ``peers.py PART GIVEN FOUND``.

Runs in the peers' environment, for bench.py; both files are pickles.
"""

import pickle
import sys
import time
from pathlib import Path

import numpy as np
import torch
from scipy import stats
from statsforecast.models import AutoARIMA, AutoETS
from torch import nn


def training(work):
    """Losses and CPU seconds of the study's network, as PyTorch has it."""
    torch.manual_seed(0)
    rows, targets, training, validation = map(torch.tensor, work["given"])
    units, both = work["units"], work["bidirectional"]
    lstm = nn.LSTM(rows.shape[1], units, batch_first=True, bidirectional=both)
    dense = nn.Linear(units * (1 + both), targets.shape[1])
    weights = [*lstm.parameters(), *dense.parameters()]
    for parameter in dense.parameters():
        nn.init.zeros_(parameter)
    adam = torch.optim.Adam(weights, work["learning_rate"])
    back = torch.arange(1 - work["lookback"], 1)

    def errors(ends):
        _, (last, _) = lstm(rows[ends[:, None] + back])
        output = dense(torch.cat([*last], dim=1))
        return ((output - targets[ends]) ** 2).mean(dim=1)

    epochs = []
    for epoch in range(work["epochs"]):
        order = training[torch.randperm(len(training))]
        for ends in order.split(work["batch"]):
            adam.zero_grad()
            errors(ends).mean().backward()
            adam.step()
        with torch.no_grad():
            tried = torch.cat([errors(e) for e in validation.split(256)])
        epochs.append([tried.mean().item(), time.process_time()])
        if epoch - np.argmin(np.transpose(epochs)[0]) >= work["patience"]:
            break
    return epochs


def skill(work):
    """``{name: ({ticker: (loc, scale, df)}, seconds)}`` of statsforecast."""
    found, width = {}, stats.norm.ppf(0.9)
    for model in (AutoETS, AutoARIMA):
        mine, start = {}, time.process_time()
        for ticker, (close, known, origins) in work.items():
            # Fitted before the test, then taken forward day by day.
            fit = model().fit(close[:known])
            ends = [close[: row + 1] for row in origins]
            ahead = [fit.forward(past, h=20, level=[80]) for past in ends]
            mean = np.array([each["mean"] for each in ahead])
            high = np.array([each["hi-80"] for each in ahead])
            loc, scale = mean - close[origins, None], (high - mean) / width
            mine[ticker] = loc, scale, np.full(loc.shape, 1e4)  # a normal
        found[model.__name__] = mine, time.process_time() - start
    return found


if __name__ == "__main__":
    part, given, found = sys.argv[1:]
    answer = {"training": training, "skill": skill}[part]
    work = pickle.loads(Path(given).read_bytes())
    Path(found).write_bytes(pickle.dumps(answer(work)))
