"""Windows a second of the study's training and of its peers'.

``training.py PEERS``: PEERS is the Python that has the peers. Prints the
table; own_training.py and peer_training.py train.
"""

import json
import sys
import tempfile

import numpy as np
from runner import CORES, run, table

from forecasting.settings import STUDY

CONTENDERS = {
    "study": "this study",
    "keras": "plain Keras, batch 32",
    "torch": "torch.nn.LSTM, batch 32",
    "torch-256": "torch.nn.LSTM, batch 256",
}
CPU, WALL = 1, 2  # an epoch's clocks, after its loss
CLOSE = 1.005  # a validation loss within 0.5 % counts as the same


def train(peers, name, *arguments, **cores):
    """What each copy of a contender prints: windows an epoch, its epochs."""
    ours = not name.startswith("torch")
    script = "own_training.py" if ours else "peer_training.py"
    python = sys.executable if ours else peers
    printed = run(script, name, *arguments, python=python, **cores)
    return [json.loads(text) for text in printed]


def seconds(epochs, clock):
    """The median epoch's, the first (it compiles) not."""
    return np.median(np.diff([epoch[clock] for epoch in epochs]))


def compare(peers, kind, file):
    """A row per contender for one kind of network."""
    rows = []
    for name, label in CONTENDERS.items():
        ((windows, epochs),) = train(peers, name, kind, file)
        speed = windows / seconds(epochs, CPU)
        # The study trains one seed a core, the others one on all.
        cores = {"copies": len(CORES) if name == "study" else 1}
        runs = train(peers, name, kind, file, **cores, threads=len(CORES))
        together = sum(n / seconds(several, WALL) for n, several in runs)
        losses = np.array([loss for loss, *_ in epochs])
        loss = losses.min()
        if name == "study":
            ours, all_ours, best = speed, together, loss
        spent = (np.argmax(losses <= CLOSE * best) + 1) * windows / speed
        rows.append(
            [kind, label, f"{speed:,.0f}", f"{ours / speed:.1f}"]
            + [f"{together:,.0f}", f"{all_ours / together:.1f}"]
            + [f"{loss:.4f} ({loss / best - 1:+.1%})"]
            + [f"{spent:.1f}" if loss <= CLOSE * best else "never"]
        )
    return rows


def main(peers):
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/data.npz"
        ((windows, features),) = train(peers, "data", "LSTM", file)
        for kind in ("LSTM", "BiLSTM"):
            rows += compare(peers, kind, file)
    header = ["Network", "Trained by", "Windows/s, one core", "Study is ×"]
    header += [f"Windows/s, {len(CORES)} cores", "Study is ×"]
    header += ["Validation loss", "Seconds to the study's loss"]
    print(table(header, rows))
    print(
        f"\n{windows:,} windows of {STUDY.lookback} × {features}, "
        f"{STUDY.units} units."
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
