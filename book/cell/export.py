"""Train the networks of the living cell: the LSTM and the RNN of note 3.

``python book/cell/export.py`` writes them to ``weights/adding.json``. The page
reads nothing else.
"""

import json
from functools import partial
from pathlib import Path

import numpy as np

from theory.cells import lstm_forward, rnn_forward
from theory.tasks import adding_problem
from theory.training import train_seeds

WEIGHTS = Path(__file__).resolve().parent / "weights" / "adding.json"
LAG, SEEDS = 100, range(5)  # as note 3 trains


def adding() -> dict:
    """The LSTM of note 3 that adds, and the RNN that does not.

    Of five seeds, the LSTM whose slowest unit forgets least, and the RNN of
    the same seed. Both are scored on a thousand new sequences.
    """
    common = {
        "task": partial(adding_problem, T=LAG),
        "seeds": SEEDS,
        "steps": 1200,
        "units": 8,
        "batch": 32,
        "rate": 0.03,
    }
    _, lstms = train_seeds("lstm", **common)
    _, rnns = train_seeds("rnn", **common)
    seed = int(np.argmax([slowest(network)[1] for network in lstms]))
    found = {
        "T": LAG,
        "seed": seed,
        "slow": slowest(lstms[seed])[0],
        "lstm": rounded(lstms[seed]),
        "rnn": rounded(rnns[seed]),
    }
    found["mse"] = {cell: error(cell, found[cell]) for cell in ("lstm", "rnn")}
    assert found["mse"]["lstm"] < 0.01 < 0.1 < found["mse"]["rnn"]
    return found


def new_sequences(T: int = LAG, n: int = 1000) -> tuple:
    """Sequences that no network was trained on: x (n, T, 2), y (n, 1)."""
    return adding_problem(np.random.default_rng(99), n, T)


def error(cell: str, network: dict, T: int = LAG) -> float:
    """Mean squared error of a network's answers to new sequences."""
    x, y = new_sequences(T)
    W, U, b, V, v = (np.array(network[k]) for k in ("W", "U", "b", "V", "v"))
    h = {"lstm": lstm_forward, "rnn": rnn_forward}[cell](x, W, U, b)[0]
    return float(np.mean((h[:, -1] @ V + v - y) ** 2))


def slowest(network: dict) -> tuple[int, float]:
    """The unit with the highest mean forget gate, and that mean."""
    x, _ = new_sequences()
    cache = lstm_forward(x, network["W"], network["U"], network["b"])[2]
    gates = cache["f"].mean(axis=(0, 1))
    return int(gates.argmax()), float(gates.max())


def rounded(arrays: dict) -> dict:
    """``{name: array}`` as nested lists of numbers with seven digits."""
    return {
        name: json.loads(
            json.dumps(np.asarray(a, dtype=float).tolist()),
            parse_float=lambda text: float(f"{float(text):.7g}"),
        )
        for name, a in arrays.items()
    }


if __name__ == "__main__":
    text = json.dumps(adding(), separators=(",", ":"))
    WEIGHTS.write_text(text + "\n", encoding="utf-8")
