"""The committed verdict is what the committed code finds."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecasting.evaluation.verdict import ENSEMBLE
from forecasting.evaluation.walk_forward import Job, fit_predict
from forecasting.market import prices
from forecasting.models.registry import BASELINES, NETWORKS, make_model
from forecasting.settings import STUDY
from forecasting.windows import fold_dates, fold_origins

ROOT = Path(__file__).resolve().parents[1]
KEYS = ["ticker", "model", "fold", "seed", "horizon"]
TICKER, FOLD, FOLDS, SEEDS = "IBM", 3, 4, 5


@pytest.fixture(scope="module")
def committed():
    table = pd.read_csv(ROOT / "results" / "verdict.csv")
    return table.set_index(KEYS).sort_index()


@pytest.fixture(scope="module")
def histories():
    return prices.load_directory(ROOT / "data" / "snapshot")


def recomputed(name, histories, horizon):
    """RMSE and CRPS of a model's first seed on one stock and fold."""
    dates = fold_dates(histories, FOLDS)[FOLD]
    job = Job(name, FOLD, tuple(histories), 0)
    model = make_model(name)
    forecast = fit_predict(job, model, histories, dates)[TICKER]
    column = STUDY.reported.index(horizon)
    close = histories[TICKER]["Close"].to_numpy()
    origins = fold_origins(histories[TICKER], dates)
    known = origins + horizon < len(close)
    start, end = close[origins[known]], close[origins[known] + horizon]
    # Later rows are still unknown: any number does, they are not counted.
    moved = np.zeros(forecast.loc.shape)
    moved[known, column] = np.log(end / start)
    crps = forecast.crps(moved)[known, column].mean()
    point = start * np.exp(forecast.loc[known, column])
    return np.sqrt(np.mean((end - point) ** 2)), crps


def test_every_cell_is_there_once(committed):
    models = [*BASELINES, *NETWORKS]
    expected = {
        (ticker, model, fold, seed, horizon)
        for ticker in prices.tickers()
        for model in models
        for fold in range(FOLDS)
        for seed in [
            ENSEMBLE,
            *map(str, range(SEEDS if model in NETWORKS else 1)),
        ]
        for horizon in STUDY.reported
    }
    assert len(committed) == len(expected)
    assert set(committed.index) == expected


@pytest.mark.parametrize("name", ["RandomWalk", "GARCH"])
@pytest.mark.parametrize("horizon", STUDY.reported)
def test_a_baseline_scores_what_was_committed(
    name, horizon, committed, histories
):
    alone = {TICKER: histories[TICKER]}
    rmse, crps = recomputed(name, alone, horizon)
    row = committed.loc[(TICKER, name, FOLD, "0", horizon)]
    assert rmse == pytest.approx(row["rmse"], rel=1e-5)
    assert crps == pytest.approx(row["crps"], rel=1e-4)


def test_a_network_scores_what_was_committed(committed, histories):
    """To the digits that were written, on any machine: it is not trained."""
    rmse, crps = recomputed("LSTM", histories, 1)
    row = committed.loc[(TICKER, "LSTM", FOLD, "0", 1)]
    assert rmse == pytest.approx(row["rmse"], rel=1e-5)
    assert crps == pytest.approx(row["crps"], rel=1e-5)
