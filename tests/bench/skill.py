"""Forecast one test year with the study and its peers: prints JSON.

``skill.py PEERS``: PEERS is the Python that has the peers. Every model is
fitted before the last test fold of data/snapshot and forecasts each of its
rows; scores.summarise scores them all alike.
"""

import json
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from forecasting.baselines import GARCH, Drift, RandomWalk
from forecasting.features import log_close
from forecasting.forecast import Forecast
from forecasting.lstm import LSTMForecaster
from forecasting.market.prices import DATA, load_directory
from forecasting.protocol import fit_predict, fold_dates
from forecasting.scores import POOLED, losses, summarise
from forecasting.textbook import TextbookLSTM
from forecasting.windows import fold_origins

FOLDS, SEEDS = 4, 3
MODELS = {
    "RandomWalk": RandomWalk(),
    "Drift": Drift(),
    "GARCH": GARCH(),
    "textbook LSTM (price)": TextbookLSTM("close"),
    "LSTM": LSTMForecaster(),
    "BiLSTM": LSTMForecaster(bidirectional=True),
}


def study(histories, dates):
    """Forecasts ``{model: {seed: {ticker: Forecast}}}`` and their seconds."""
    forecasts, seconds = {}, {}
    for name, model in MODELS.items():
        pooled = getattr(model, "pooled", False)
        groups = (
            [histories] if pooled else [{t: histories[t]} for t in histories]
        )
        for seed in range(SEEDS if hasattr(model, "seed") else 1):
            start = time.process_time()
            found = {}
            for group in groups:
                found |= fit_predict(model, group, dates, seed)
            forecasts.setdefault(name, {})[seed] = found
            seconds.setdefault(name, []).append(time.process_time() - start)
    return forecasts, seconds


def peers(python, histories, dates):
    """The same of AutoETS, AutoARIMA and neuralforecast's LSTM."""
    work = {
        ticker: {
            "log_close": log_close(prices),
            "dates": prices.index.to_numpy(),
            "train": len(prices.loc[: dates.train_end]),
            "fit": len(prices.loc[: dates.fit_end]),
            "origins": fold_origins(prices, dates),
        }
        for ticker, prices in histories.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        given, came = Path(folder, "given"), Path(folder, "came")
        given.write_bytes(pickle.dumps(work))
        script = Path(__file__).with_name("peer_skill.py")
        command = [python, script, given, came]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        found, seconds = pickle.loads(came.read_bytes())
    forecasts = {
        name: {0: {t: Forecast(*p) for t, p in by_ticker.items()}}
        for name, by_ticker in found.items()
    }
    return forecasts, seconds


def main(python):
    histories = load_directory(DATA / "snapshot")
    splits = fold_dates(histories, FOLDS)
    forecasts, seconds = study(histories, splits[-1])
    for mine, theirs in zip(
        (forecasts, seconds), peers(python, histories, splits[-1]), strict=True
    ):
        mine |= theirs
    table = pd.concat(
        losses(
            ticker,
            prices,
            splits,
            {
                (name, FOLDS - 1, seed): found[ticker]
                for name, seeds in forecasts.items()
                for seed, found in seeds.items()
            },
        )
        for ticker, prices in histories.items()
    )
    summary = summarise(table)
    pooled = summary[summary["ticker"] == POOLED]
    columns = ["model", "horizon", "theil_u", "crps_vs_rw"]
    print(
        json.dumps(
            {
                "dates": [f"{d:%Y-%m-%d}" for d in splits[-1][-2:]],
                "tickers": list(histories),
                "seconds": {
                    n: float(np.median(s)) for n, s in seconds.items()
                },
                "rows": pooled[columns].to_dict("records"),
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
