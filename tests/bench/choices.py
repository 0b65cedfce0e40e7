"""Score other settings before the first test fold: prints JSON.

Four years of walk-forward on data/snapshot, all of them before the first
test fold: what the settings of lstm.py and networks.py were chosen by.
"""

import json
import tempfile
from contextlib import contextmanager
from itertools import product

import joblib
import numpy as np
import pandas as pd

from forecasting import lstm, networks
from forecasting.backend import tf
from forecasting.baselines import GARCH, RandomWalk
from forecasting.lstm import correction_loss
from forecasting.market.prices import DATA, load_directory
from forecasting.protocol import can_test, fit_model, fit_predict, fold_dates
from forecasting.scores import POOLED, losses, summarise
from forecasting.windows import fold_origins

FOLDS, SEEDS = 4, 2
CHOSEN = "as chosen"


def returns_alone(truth, output):
    """The study's loss without its second term, which reads the ranges."""
    moved, ranged, df = tf.split(truth, 3, axis=1)
    _, log_scale = tf.split(output, 2, axis=1)
    unseen = tf.concat([moved, 0 * ranged, df], axis=1)
    qlike = tf.reduce_mean(log_scale, axis=1)  # of no range
    return correction_loss(unseen, output) - qlike


def shrunk_by_error(base):
    """GARCH's location times mean² / (mean² + its squared error)."""
    mean, df = base.loc[:, :1], base.df[:, :1]
    variance = base.scale[:, :1] ** 2 * df / (df - 2)
    days = np.arange(1, len(mean) + 1)[:, None]
    error = np.cumsum(variance, axis=0) / days**2
    return base.loc * mean**2 / (mean**2 + error)


# What is trained otherwise, and what is only predicted otherwise.
TRAINED = {
    CHOSEN: {},
    "learnt from returns alone": {"correction_loss": returns_alone},
    "learning rate × 2": {"LEARNING_RATE": 2 * networks.LEARNING_RATE},
    "learning rate ÷ 2": {"LEARNING_RATE": networks.LEARNING_RATE / 2},
    "half the units": {"UNITS": networks.UNITS // 2},
}
PREDICTED = {
    "correction applied: all": {"APPLIED": 1.0},
    "correction applied: ¾": {"APPLIED": 0.75},
    "correction applied: ¼": {"APPLIED": 0.25},
    "location: GARCH's": {"PRIOR_DAYS": 0},
    "location: shrunk by 4 years": {"PRIOR_DAYS": 1008},
    "location: shrunk by its error": {"shrunken": shrunk_by_error},
    "location: zero": {"PRIOR_DAYS": np.inf},
}


@contextmanager
def changed(**settings):
    """Names of lstm.py or networks.py, changed for a while."""
    homes = {k: networks if hasattr(networks, k) else lstm for k in settings}
    before = {name: getattr(homes[name], name) for name in settings}
    for name, value in settings.items():
        setattr(homes[name], name, value)
    yield
    for name, value in before.items():
        setattr(homes[name], name, value)


def tested(histories, dates):
    """Those with rows enough in and before a test fold."""
    return {t: p for t, p in histories.items() if can_test(p, dates)}


def main():
    prices = load_directory(DATA / "snapshot")
    end = fold_dates(prices, FOLDS)[0].fit_end
    prices = {ticker: p.loc[:end] for ticker, p in prices.items()}
    splits = fold_dates(prices, FOLDS)
    found = {ticker: {} for ticker in prices}
    for fold, dates in enumerate(splits):
        pool = tested(prices, dates)
        for ticker, model in product(pool, (RandomWalk(), GARCH())):
            alone = {ticker: pool[ticker]}
            key = type(model).__name__, fold, 0
            found[ticker][key] = fit_predict(model, alone, dates, 0)[ticker]
    for label, settings in TRAINED.items():
        networks.compiled.cache_clear()
        variants = {label: {}} | (PREDICTED if label == CHOSEN else {})
        for (fold, dates), seed in product(enumerate(splits), range(SEEDS)):
            pool = tested(prices, dates)
            with changed(**settings):
                model = fit_model(lstm.LSTMForecaster(), pool, dates, seed)
            for (name, other), ticker in product(variants.items(), pool):
                origins = fold_origins(pool[ticker], dates)
                with changed(**other):
                    forecast = model.predict(pool[ticker], origins)
                found[ticker][name, fold, seed] = forecast
    table = pd.concat(
        losses(ticker, prices[ticker], splits, forecasts)
        for ticker, forecasts in found.items()
    )
    summary = summarise(table)
    summary = summary[summary["ticker"] == POOLED]
    columns = ["model", "horizon", "theil_u", "crps_vs_rw", "dm_crps"]
    rows = summary[columns].to_dict("records")
    dates = [str(splits[0].test_start.date()), str(end.date())]
    print(json.dumps({"rows": rows, "dates": dates, "seeds": SEEDS}))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        # GARCH is the same under every setting.
        lstm._base = joblib.Memory(folder, verbose=0).cache(lstm._base)
        main()
