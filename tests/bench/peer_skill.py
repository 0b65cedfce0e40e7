"""Forecasts of the peers: ``peer_skill.py GIVEN FOUND``, called by skill.py.

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

H, LOOKBACK, UNITS = 20, 60, 32  # those of the study
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
    series = {}
    for ticker, one in work.items():
        y = np.diff(one["log_close"])
        series[ticker] = pd.DataFrame({"ds": np.arange(len(y)), "y": y})
    longest = max(work.values(), key=lambda one: one["fit"])
    model = LSTM(
        h=H,
        input_size=LOOKBACK,
        encoder_n_layers=1,
        encoder_hidden_size=UNITS,
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
    past = [
        frame[: work[ticker]["fit"] - 1].assign(unique_id=ticker)
        for ticker, frame in series.items()
    ]
    network.fit(pd.concat(past), val_size=longest["fit"] - longest["train"])
    found = {}
    for ticker, frame in series.items():
        # One series per origin: the last returns that the network reads.
        origins = work[ticker]["origins"]
        windows = [
            frame[row - LOOKBACK : row].assign(unique_id=row)
            for row in origins
        ]
        out = network.predict(pd.concat(windows)).set_index("unique_id")
        df, loc, scale = (
            out.loc[origins, f"LSTM-{part}"].to_numpy().reshape(-1, H)
            for part in ("df", "loc", "scale")
        )
        variance = (scale**2 * df / (df - 2)).cumsum(axis=1)
        df = df.cumsum(axis=1) / np.arange(1, H + 1)
        scale = np.sqrt(variance * (df - 2) / df)
        found[ticker] = loc.cumsum(axis=1), scale, df
    return found


def main(given, found):
    work = pickle.loads(Path(given).read_bytes())
    forecasts, seconds = {}, {}
    for name, forecast in {
        "AutoETS": lambda: statsforecast(AutoETS, work),
        "AutoARIMA": lambda: statsforecast(AutoARIMA, work),
        "neuralforecast LSTM": lambda: neuralforecast(work),
    }.items():
        start = time.process_time()
        forecasts[name] = forecast()
        seconds[name] = time.process_time() - start
    Path(found).write_bytes(pickle.dumps((forecasts, seconds)))


if __name__ == "__main__":
    main(*sys.argv[1:])
