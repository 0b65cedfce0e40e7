"""Forecasts of the peers: ``peer_skill.py GIVEN CAME``, called by skill.py.

Every forecast becomes ``loc, scale, df`` of the cumulative log return over
the next 1 … 20 sessions, ``(origins, 20)`` each.
"""

import pickle
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from neuralforecast import NeuralForecast
from neuralforecast.losses.pytorch import DistributionLoss
from neuralforecast.models import LSTM
from scipy import stats
from statsforecast.models import AutoARIMA, AutoETS

H = 20
LEVEL = 80
NORMAL = 1e4  # degrees of freedom at which a Student-t is a normal


def statsforecast(model, work):
    """Fit to the log closes before the test, then go forward day by day."""
    found = {}
    for ticker, one in work.items():
        close = one["log_close"]
        fitted = model().fit(close[: one["fit"]])
        ahead = [
            fitted.forward(close[: row + 1], h=H, level=[LEVEL])
            for row in one["origins"]
        ]
        loc = np.array([a["mean"] for a in ahead])
        high = np.array([a[f"hi-{LEVEL}"] for a in ahead])
        scale = (high - loc) / stats.norm.ppf(0.5 + LEVEL / 200)
        loc = loc - close[one["origins"], None]
        found[ticker] = loc, scale, np.full(loc.shape, NORMAL)
    return found


def neuralforecast(work):
    """One LSTM on the tickers' daily log returns, with a Student-t loss.

    The validation rows stop it. Returns are added up as if independent:
    locations and variances add, the degrees of freedom are their mean.
    """
    frames = [
        pd.DataFrame(
            {
                "unique_id": ticker,
                "ds": np.arange(1, len(one["dates"])),
                "y": np.diff(one["log_close"]),
            }
        )
        for ticker, one in work.items()
    ]
    longest = max(work.values(), key=lambda one: one["fit"])
    model = LSTM(
        h=H,
        input_size=60,
        encoder_n_layers=1,
        encoder_hidden_size=32,
        loss=DistributionLoss("StudentT", return_params=True),
        max_steps=1000,
        val_check_steps=50,
        early_stop_patience_steps=5,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_checkpointing=False,
    )
    network = NeuralForecast([model], freq=1)
    past = pd.concat(
        frame[frame["ds"] < work[frame["unique_id"].iloc[0]]["fit"]]
        for frame in frames
    )
    network.fit(past, val_size=longest["fit"] - longest["train"])
    found = {}
    for frame, (ticker, one) in zip(frames, work.items(), strict=True):
        # One series per origin: the last sessions that the network reads.
        windows = [
            frame[(frame["ds"] <= row) & (frame["ds"] > row - 60)].assign(
                unique_id=row
            )
            for row in one["origins"]
        ]
        out = network.predict(pd.concat(windows)).set_index("unique_id")
        shape = len(one["origins"]), H
        df, loc, scale = (
            out.loc[one["origins"], f"LSTM-{part}"].to_numpy().reshape(shape)
            for part in ("df", "loc", "scale")
        )
        steps = np.arange(1, H + 1)
        variance = (scale**2 * df / (df - 2)).cumsum(axis=1)
        df = df.cumsum(axis=1) / steps
        found[ticker] = (
            loc.cumsum(axis=1),
            np.sqrt(variance * (df - 2) / df),
            df,
        )
    return found


def main(given, came):
    work = pickle.loads(Path(given).read_bytes())
    found, seconds = {}, {}
    for name, forecast in {
        "AutoETS": lambda: statsforecast(AutoETS, work),
        "AutoARIMA": lambda: statsforecast(AutoARIMA, work),
        "neuralforecast LSTM": lambda: neuralforecast(work),
    }.items():
        start = time.process_time()
        found[name] = forecast()
        seconds[name] = [time.process_time() - start]
    Path(came).write_bytes(pickle.dumps((found, seconds)))


if __name__ == "__main__":
    main(*sys.argv[1:])
