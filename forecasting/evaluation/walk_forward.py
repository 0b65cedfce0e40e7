"""Walk-forward: fit before each test year, forecast it, get the verdict.

``python -m forecasting`` runs it from the command line.
"""

import copy
import inspect
import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import cloudpickle
import joblib
import pandas as pd
from tqdm import tqdm

from forecasting.evaluation.verdict import Verdict, judge
from forecasting.market.prices import PriceError
from forecasting.models.base import Forecast, Forecaster
from forecasting.models.baselines import RandomWalk
from forecasting.parallel import in_parallel, killed_workers, quiet_workers
from forecasting.settings import STUDY, Settings
from forecasting.windows import (
    Dates,
    before,
    can_test,
    can_train,
    fold_dates,
    fold_origins,
    joint_calendar,
)


class Job(NamedTuple):
    """One unit of work: a model, its fold, its tickers and its seed."""

    model: str
    fold: int
    tickers: tuple[str, ...]
    seed: int


def walk_forward(
    models: dict[str, Forecaster],
    histories: dict[str, pd.DataFrame],
    folds: int = 4,
    seeds: Iterable[int] = range(5),
    settings: Settings = STUDY,
    jobs: int = 1,
    parts: Path | None = None,
    cluster: Callable | None = None,
) -> Verdict:
    """Give each model its verdict on the last ``folds`` years of prices.

    ``models``: ``{name: model}``; RandomWalk, to which all are compared,
    joins them. ``settings``: the rows; each model brings its own for the
    rest. ``jobs``: fits at once, −1 for one a core. ``parts``: a folder that
    keeps finished fits, so that a killed run continues. ``cluster``: carries
    out the fits in place of ``jobs`` (forecasting/cluster.py). Raises
    PriceError, before any fit, where a history is too short.
    """
    models = {"RandomWalk": RandomWalk(settings)} | models
    for name, model in models.items():
        check_model(name, model)
    splits = fold_dates(histories, folds, settings)
    todo = list(plan(models, histories, splits, list(seeds), settings))
    done = run(todo, models, histories, splits, settings, jobs, parts, cluster)
    forecasts: dict[str, dict] = {ticker: {} for ticker in histories}
    for name in models:
        for job in (job for job in todo if job.model == name):
            for ticker, forecast in done[job].items():
                key = job.model, job.fold, job.seed
                forecasts[ticker][key] = forecast
    mine = ((t, p, forecasts[t]) for t, p in histories.items())
    return judge(mine, splits, joint_calendar(histories), settings)


def check_model(name: str, model: Forecaster) -> None:
    """Refuse, in one line, what does not declare what a model declares."""
    for attribute in ("fit", "predict", "pooled", "seed"):
        if not hasattr(model, attribute):
            raise TypeError(
                f"{name}: {type(model).__name__} has no {attribute}; let the "
                "class inherit from forecasting.models.base.Forecaster"
            )


def plan(
    models: dict[str, Forecaster],
    histories: dict[str, pd.DataFrame],
    splits: list[Dates],
    seeds: list[int],
    settings: Settings = STUDY,
) -> Iterator[Job]:
    """Every fit that the verdict needs, the slow pooled ones first."""
    pooled = {name: m for name, m in models.items() if m.pooled}
    for name, model in (pooled | models).items():
        for fold, dates in enumerate(splits):
            train = tuple(
                ticker
                for ticker, prices in histories.items()
                if can_train(prices, dates, settings)
            )
            test = [
                (ticker,)
                for ticker in train
                if can_test(histories[ticker], dates, settings)
            ]
            for seed in [0] if model.seed is None else seeds:
                for tickers in [train] if model.pooled else test:
                    yield Job(name, fold, tickers, seed)


def run(
    todo: list[Job],
    models: dict[str, Forecaster],
    histories: dict[str, pd.DataFrame],
    splits: list[Dates],
    settings: Settings = STUDY,
    jobs: int = 1,
    parts: Path | None = None,
    cluster: Callable | None = None,
) -> dict[Job, dict[str, Forecast]]:
    """Carry out jobs, those already in ``parts`` excepted.

    Returns forecasts of the reported horizons by job and ticker. Raises
    OSError, in one line, where a process is killed at its fit.
    """
    files, done = {}, {}
    if parts is not None:
        parts.mkdir(parents=True, exist_ok=True)
        names = part_names(todo, models, histories, splits, settings)
        files = {job: parts / name for job, name in names.items()}
        done = {j: joblib.load(p) for j, p in files.items() if p.exists()}
    calls = [
        (
            {ticker: histories[ticker] for ticker in job.tickers},
            job,
            models[job.model],
            splits[job.fold],
            settings,
        )
        for job in todo
        if job not in done
    ]
    with quiet_workers(), killed_workers():
        here = joblib.Parallel(
            jobs, return_as="generator_unordered", pre_dispatch="n_jobs"
        )
        results = (
            cluster(_labelled, calls)
            if cluster
            else here(joblib.delayed(_labelled)(*call) for call in calls)
        )
        bar = tqdm(results, "fits", len(todo), initial=len(done), disable=None)
        for job, result in bar:
            done[job] = result
            if job in files:
                temporary = files[job].with_suffix(f".{uuid.uuid4().hex}.tmp")
                joblib.dump(result, temporary)
                temporary.replace(files[job])
    return done


def fit_model(
    model: Forecaster,
    histories: dict[str, pd.DataFrame],
    dates: Dates,
    seed: int = 0,
    settings: Settings = STUDY,
) -> Forecaster:
    """A copy of the model, fitted on the rows before a test fold."""
    model = copy.deepcopy(model)
    if model.seed is not None:
        model.seed = seed
    past = {t: before(p, dates, settings) for t, p in histories.items()}
    model.fit(past)
    return model


def fit_all(
    models: dict[str, Forecaster],
    alone: dict[str, pd.DataFrame],
    pool: dict[str, pd.DataFrame],
    dates: Dates,
    seeds: Iterable[int],
    settings: Settings = STUDY,
) -> dict[str, list[Forecaster]]:
    """Copies of every model fitted before a fold, one per seed, in parallel.

    A pooled model learns from the ``pool``, any other ``alone`` from the one
    history; one without a seed is fitted once.
    """
    calls = {}
    for name, model in models.items():
        histories = pool if model.pooled else alone
        for seed in [0] if model.seed is None else seeds:
            calls[name, seed] = model, histories, dates, seed, settings
    done = in_parallel(fit_model, calls.values())
    fits: dict[str, list[Forecaster]] = {name: [] for name in models}
    for (name, _), fitted in zip(calls, done, strict=True):
        fits[name].append(fitted)
    return fits


def fit_predict(
    job: Job,
    model: Forecaster,
    histories: dict[str, pd.DataFrame],
    dates: Dates,
    settings: Settings = STUDY,
) -> dict[str, Forecast]:
    """Forecasts of a test fold's rows, by a model fitted before them.

    At the reported horizons. Raises ValueError, in one line, for what is no
    forecast of the shape that was asked for.
    """
    fitted = fit_model(model, histories, dates, job.seed, settings)
    forecasts = {}
    for ticker, prices in histories.items():
        if not can_test(prices, dates, settings):
            continue
        origins = fold_origins(prices, dates)
        shape = len(origins), settings.horizons
        wanted = f"{ticker} needs a Forecast, each part (origins, horizons): "
        wanted += str(shape)
        try:
            forecast = fitted.predict(prices, origins)
        except PriceError:
            raise
        except ValueError as error:  # of Forecast itself, most likely
            raise ValueError(f"{job.model}: {error}; {wanted}") from error
        if not isinstance(forecast, Forecast):
            kind = type(forecast).__name__
            raise ValueError(f"{job.model}: predict gave {kind}; {wanted}")
        if forecast.loc.shape != shape:
            got = forecast.loc.shape
            raise ValueError(f"{job.model}: predict gave {got}; {wanted}")
        forecasts[ticker] = forecast.at(settings.reported)
    return forecasts


def _labelled(
    histories: dict[str, pd.DataFrame], job: Job, model: Forecaster, *arguments
) -> tuple[Job, dict[str, Forecast]]:
    """A result with its label, as results come in any order."""
    return job, fit_predict(job, model, histories, *arguments)


def code_hash() -> str:
    """A hash of this package's code."""
    ours = sorted(Path(__file__).parents[1].rglob("*.py"))
    return joblib.hash([path.read_bytes() for path in ours])


def part_names(
    todo: list[Job],
    models: dict[str, Forecaster],
    histories: dict[str, pd.DataFrame],
    splits: list[Dates],
    settings: Settings,
) -> dict[Job, str]:
    """File names of finished jobs: they change with the data or the code.

    The code of a model is the file, or the notebook cell, that defines it.
    """
    code = code_hash()
    data = {ticker: joblib.hash(p) for ticker, p in histories.items()}
    theirs = {name: joblib.hash([m, _code(m)]) for name, m in models.items()}
    names = {}
    for job in todo:
        rows = [(ticker, data[ticker]) for ticker in job.tickers]
        parts = [code, theirs[job.model], rows, splits[job.fold], settings]
        label = re.sub(r"\W+", "-", job.model)
        key = joblib.hash([job.model, *parts])
        names[job] = f"{label}-{job.fold}-{job.seed}-{key}"
    return names


def _code(model: Forecaster) -> bytes | str:
    """What defines a model's class, as text or as code objects."""
    try:
        return inspect.getsource(inspect.getmodule(type(model)))
    except (OSError, TypeError):  # in a notebook
        return cloudpickle.dumps(type(model))
