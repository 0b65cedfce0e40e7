"""CPU milliseconds of PyTorch's training step: ``peer_step.py SHAPE``.

SHAPE: batch, steps, features, units, outputs.
"""

import sys
import time
from statistics import median

import torch
from peer_training import Net


def main(*shape):
    """With oneDNN's LSTM, PyTorch's choice, and without."""
    for onednn in (True, False):
        with torch.backends.mkldnn.flags(enabled=onednn):
            print(milliseconds(*shape))


def milliseconds(batch, steps, features, units, outputs):
    """CPU time of a step, the median of turns."""
    net = Net(features, units, outputs, bidirectional=False)
    adam = torch.optim.Adam(net.parameters())
    x, y = torch.randn(batch, steps, features), torch.randn(batch, outputs)
    spent = []
    for _ in range(8):
        start = time.process_time()
        for _ in range(20):
            adam.zero_grad()
            ((net(x) - y) ** 2).mean().backward()
            adam.step()
        spent.append((time.process_time() - start) / 20)
    return 1000 * median(spent[1:])


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
