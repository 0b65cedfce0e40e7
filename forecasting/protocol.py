"""Walk-forward verdict: what a model can forecast, and is it significant?

``python -m forecasting`` runs it from the command line.
"""

import copy
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

import joblib
import numpy as np
import pandas as pd
from tqdm import tqdm

from forecasting.baselines import RandomWalk
from forecasting.forecast import Forecast
from forecasting.market.prices import PriceError
from forecasting.scores import losses, scores, summarise
from forecasting.windows import (
    MIN_TRAIN,
    Dates,
    fold_origins,
    joint_calendar,
    rows_needed,
    walk_forward_dates,
)


class Forecaster(Protocol):
    """What a model needs to get a verdict.

    ``pooled = True`` fits one model to all tickers at once (default: one
    per ticker). A model with an attribute ``seed`` is fitted once per seed.
    """

    def fit(self, histories: dict[str, pd.DataFrame]) -> "Forecaster":
        """Learn from ``{ticker: prices}`` up to the training end."""

    def predict(self, prices: pd.DataFrame, origins: np.ndarray) -> Forecast:
        """Forecast from rows ``origins``, reading no row after each."""


class Verdict(NamedTuple):
    """``scores``: a row per ticker, model, fold, seed and horizon.

    ``summary``: a row per ticker (and pooled), model and horizon, over all
    folds, with the tests of significance.
    """

    scores: pd.DataFrame
    summary: pd.DataFrame


class Fit(NamedTuple):
    """One unit of work: a model, its fold, its tickers and its seed."""

    name: str
    fold: int
    tickers: tuple[str, ...]
    seed: int


def walk_forward(
    models: dict[str, Forecaster],
    histories: dict[str, pd.DataFrame],
    folds: int = 4,
    seeds: int = 5,
    jobs: int = 1,
    parts: Path | None = None,
) -> Verdict:
    """Give each model its verdict on the last ``folds`` years of prices.

    ``models``: ``{name: model}``; RandomWalk, to which all are compared,
    joins them. ``jobs``: fits at once. ``parts``: a folder that keeps
    finished fits, so that a killed run continues. Raises PriceError, before
    any fit, where a history is too short.
    """
    models = {"RandomWalk": RandomWalk()} | models
    splits = fold_dates(histories, folds)
    fits = list(plan(models, histories, splits, seeds))
    forecasts = run(fits, models, histories, splits, jobs, parts)
    frames = []
    for ticker, prices in histories.items():
        mine = {
            (fit.name, fit.fold, fit.seed): result[ticker]
            for name in models
            for fit, result in forecasts.items()
            if fit.name == name and ticker in result
        }
        frames.append(losses(ticker, prices, splits, mine))
    table = pd.concat(frames, ignore_index=True)
    return Verdict(scores(table), summarise(table))


def fold_dates(histories: dict[str, pd.DataFrame], folds: int) -> list[Dates]:
    """Boundaries of the test folds, the same dates for every ticker.

    Raises PriceError where the joint calendar is too short for the folds,
    or where a ticker can take part in none of them.
    """
    calendar = joint_calendar(histories)
    if len(calendar) < rows_needed(folds):
        raise PriceError(
            f"{', '.join(histories)}: {len(calendar)} sessions, but {folds} "
            f"test folds need {rows_needed(folds)}; use fewer folds"
        )
    splits = walk_forward_dates(calendar, folds)
    for ticker, prices in histories.items():
        if not any(can_test(prices, dates) for dates in splits):
            raise PriceError(
                f"{ticker}: {len(prices)} rows, but no test fold has any of "
                f"them in it and {MIN_TRAIN} before it"
            )
    return splits


def can_train(prices: pd.DataFrame, dates: Dates) -> bool:
    """Whether a ticker has enough rows before a fold to be fitted on."""
    return len(prices.loc[: dates.fit_end]) >= MIN_TRAIN


def can_test(prices: pd.DataFrame, dates: Dates) -> bool:
    """Whether it has rows to be tested on, too."""
    return can_train(prices, dates) and len(fold_origins(prices, dates)) > 0


def plan(
    models: dict[str, Forecaster],
    histories: dict[str, pd.DataFrame],
    splits: list[Dates],
    seeds: int,
) -> Iterator[Fit]:
    """Every fit that the verdict needs, the slow pooled ones first."""
    pooled = {n: m for n, m in models.items() if getattr(m, "pooled", False)}
    for name, model in (pooled | models).items():
        for fold, dates in enumerate(splits):
            fit = [t for t, p in histories.items() if can_train(p, dates)]
            test = [t for t in fit if can_test(histories[t], dates)]
            groups = [tuple(fit)] if name in pooled else [(t,) for t in test]
            for seed in range(seeds if hasattr(model, "seed") else 1):
                for group in groups:
                    yield Fit(name, fold, group, seed)


def run(
    fits: list[Fit],
    models: dict[str, Forecaster],
    histories: dict[str, pd.DataFrame],
    splits: list[Dates],
    jobs: int = 1,
    parts: Path | None = None,
) -> dict[Fit, dict[str, Forecast]]:
    """Carry out the fits, those already in ``parts`` excepted."""
    arguments = {
        fit: (
            models[fit.name],
            {ticker: histories[ticker] for ticker in fit.tickers},
            splits[fit.fold],
            fit.seed,
        )
        for fit in fits
    }
    files = {}
    if parts is not None:
        parts.mkdir(parents=True, exist_ok=True)
        files = {f: parts / _part(f, arguments[f]) for f in fits}
    done = {f: joblib.load(p) for f, p in files.items() if p.exists()}
    todo = [fit for fit in fits if fit not in done]
    tasks = [joblib.delayed(_labelled)(f, *arguments[f]) for f in todo]
    with _quiet_workers():
        results = joblib.Parallel(jobs, return_as="generator_unordered")(tasks)
        bar = tqdm(results, "fits", len(fits), initial=len(done), disable=None)
        for fit, result in bar:
            done[fit] = result
            if fit in files:
                temporary = files[fit].with_suffix(".tmp")
                joblib.dump(result, temporary)
                temporary.replace(files[fit])
    return {fit: done[fit] for fit in fits}


def fit_model(
    model: Forecaster,
    histories: dict[str, pd.DataFrame],
    dates: Dates,
    seed: int = 0,
) -> Forecaster:
    """A copy of the model, fitted on the rows before a test fold."""
    model = copy.deepcopy(model)
    if hasattr(model, "seed"):
        model.seed = seed
    model.fit({t: p.loc[: dates.fit_end] for t, p in histories.items()})
    return model


def fit_seeds(
    model: Forecaster,
    histories: dict[str, pd.DataFrame],
    dates: Dates,
    seeds: int,
) -> list[Forecaster]:
    """Copies of a model fitted before a fold, one per seed, in parallel."""
    fit = joblib.delayed(fit_model)
    tasks = [fit(model, histories, dates, seed) for seed in range(seeds)]
    with _quiet_workers():
        return joblib.Parallel(n_jobs=-1)(tasks)


@contextmanager
def _quiet_workers() -> Iterator[None]:
    """Keep joblib from reporting a compiled network as a memory leak."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "A worker stopped", UserWarning)
        yield


def fit_predict(
    model: Forecaster,
    histories: dict[str, pd.DataFrame],
    dates: Dates,
    seed: int,
) -> dict[str, Forecast]:
    """Forecasts of a test fold's rows, by a model fitted before them."""
    fitted = fit_model(model, histories, dates, seed)
    return {
        ticker: fitted.predict(prices, fold_origins(prices, dates))
        for ticker, prices in histories.items()
        if can_test(prices, dates)
    }


def _labelled(fit: Fit, *arguments) -> tuple[Fit, dict[str, Forecast]]:
    """A result with its label, as results come in any order."""
    return fit, fit_predict(*arguments)


def _part(fit: Fit, arguments: tuple) -> str:
    """File name of a finished fit: changes with its data or the code."""
    code = [p.read_bytes() for p in sorted(Path(__file__).parent.glob("*.py"))]
    return f"{fit.name}-{fit.fold}-{fit.seed}-{joblib.hash([code, arguments])}"
