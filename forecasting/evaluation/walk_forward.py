"""Walk-forward: fit before each test year, forecast it, get the verdict.

``python -m forecasting`` runs it from the command line.
"""

import copy
import inspect
import re
import traceback
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cloudpickle
import joblib
import numpy as np
import pandas as pd
from tqdm import tqdm

from forecasting.console import brief, say
from forecasting.evaluation.verdict import Verdict, judge
from forecasting.market.prices import PriceError
from forecasting.models.base import Forecast, Forecaster
from forecasting.models.baselines import RandomWalk
from forecasting.parallel import code_hash, on_cluster, on_cores
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

PARTS = ("loc", "scale", "df", "own")  # of a Forecast


class Job(NamedTuple):
    """One unit of work: a model, its fold, its tickers and its seed."""

    model: str
    fold: int
    tickers: tuple[str, ...]
    seed: int


class Done(NamedTuple):
    """What came of a job: forecasts by ticker; reasons by ticker without.

    ``trace``: where the last of the errors was raised.
    """

    job: Job
    forecasts: dict[str, Forecast]
    failed: dict[str, str]
    trace: str = ""


@dataclass(frozen=True)
class Walk:
    """What all jobs of a verdict share."""

    models: dict[str, Forecaster]
    histories: dict[str, pd.DataFrame]
    splits: list[Dates]
    settings: Settings = STUDY

    def arguments(self, job: Job) -> tuple:
        """What ``fit_predict`` needs for a job, and no more."""
        histories = {ticker: self.histories[ticker] for ticker in job.tickers}
        model, dates = self.models[job.model], self.splits[job.fold]
        return job, model, histories, dates, self.settings


def walk_forward(
    models: dict[str, Forecaster],
    histories: dict[str, pd.DataFrame],
    folds: int = 4,
    seeds: Iterable[int] = range(5),
    settings: Settings = STUDY,
    jobs: int = 1,
    parts: Path | None = None,
    dask: str | None = None,
) -> Verdict:
    """Give each model its verdict on the last ``folds`` years of prices.

    A fold of a ticker that a model fails at, whatever it raises, is left out
    of that model's verdict; a line on stderr says so.

    Parameters
    ----------
    models
        ``{name: model}``; RandomWalk, to which all are compared, joins them.
    histories
        ``{ticker: prices}``, as ``load_directory`` returns them.
    folds
        Test years, the last of the data.
    seeds
        A model with a seed is fitted once for each of them.
    settings
        The rows; each model brings its own for the rest.
    jobs
        Fits at once, −1 for one a core.
    parts
        A folder that keeps finished fits, so that a killed run continues.
    dask
        Address of a Dask scheduler whose workers carry out the fits.

    Returns
    -------
    Verdict
        Scores, their summary, and what failed.

    Raises
    ------
    PriceError
        Before any fit where a history is too short; where RandomWalk fails,
        or every other model everywhere.
    TypeError
        Where a model does not declare what a ``Forecaster`` declares.
    OSError
        In one line, where a fit's process is killed or a cluster is lost.
    """
    models = {"RandomWalk": RandomWalk(settings)} | models
    for name, model in models.items():
        check_model(name, model)
    splits = fold_dates(histories, folds, settings)
    walk = Walk(models, histories, splits, settings)
    todo = list(plan(models, histories, splits, list(seeds), settings))
    done = run(todo, walk, jobs, parts, dask)
    failed = {
        (job.model, ticker, job.fold): reason
        for job in todo
        for ticker, reason in done[job].failed.items()
    }
    forecasts: dict[str, dict] = {ticker: {} for ticker in histories}
    for name in models:
        for job in (job for job in todo if job.model == name):
            for ticker, forecast in done[job].forecasts.items():
                # Where one seed failed, the others are no ensemble either.
                if (name, ticker, job.fold) not in failed:
                    key = name, job.fold, job.seed
                    forecasts[ticker][key] = forecast
    check_failed(todo, done, forecasts)
    mine = ((t, p, forecasts[t]) for t, p in histories.items())
    verdict = judge(mine, splits, joint_calendar(histories), settings)
    return verdict._replace(failed=failed)


def check_failed(
    todo: list[Job], done: dict[Job, Done], forecasts: dict[str, dict]
) -> None:
    """Name models that failed everywhere; raise if nothing else is left."""
    there = {name for each in forecasts.values() for name, *_ in each}
    lost = dict.fromkeys(j.model for j in todo if j.model not in there)
    if lost and there == {"RandomWalk"}:
        raise failure(next(d for j, d in done.items() if j.model in lost))
    for name in lost:
        say(f"{name}: left out, as it failed at every ticker and fold")


def failure(done: Done) -> PriceError:
    """An error of a job as the end of a run."""
    ticker, reason = next(iter(done.failed.items()))
    error = PriceError(
        f"{done.job.model}: {reason}; {ticker}, fold {done.job.fold}"
    )
    error.add_note(done.trace)
    return error


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
    walk: Walk,
    jobs: int = 1,
    parts: Path | None = None,
    dask: str | None = None,
) -> dict[Job, Done]:
    """Carry out jobs, those excepted that ``parts`` keeps.

    Raises PriceError where RandomWalk fails; OSError, in one line, where a
    process is killed at its fit.
    """
    files, done = {}, {}
    if parts is not None:
        parts.mkdir(parents=True, exist_ok=True)
        files = {j: parts / n for j, n in part_names(todo, walk).items()}
        for job, path in files.items():
            if path.exists() and (kept := read_part(path, job, walk)):
                done[job] = kept
    calls = (walk.arguments(job) for job in todo if job not in done)
    results = (
        on_cluster(attempt, calls, dask)
        if dask
        else on_cores(attempt, calls, jobs)
    )
    bar = tqdm(results, "fits", len(todo), initial=len(done), disable=None)
    for found in bar:
        job = found.job
        done[job] = found
        if found.failed and job.model == "RandomWalk":
            raise failure(found)  # nothing can be compared
        for ticker, reason in found.failed.items():
            say(f"{job.model}, {ticker}, fold {job.fold}: {reason}; left out")
        if job in files and not found.failed:
            write_part(files[job], found.forecasts)
    return done


def write_part(path: Path, forecasts: dict[str, Forecast]) -> None:
    """Keep a finished job, whole or not at all, in NumPy's own format."""
    arrays = {
        f"{part} {ticker}": getattr(forecast, part)
        for ticker, forecast in forecasts.items()
        for part in PARTS
        if getattr(forecast, part) is not None
    }
    temporary = path.with_suffix(f".{uuid.uuid4().hex}.tmp")
    with temporary.open("xb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    temporary.replace(path)


def read_part(path: Path, job: Job, walk: Walk) -> Done | None:
    """A job that ``write_part`` kept; None, and a line, for anything else.

    No code in it is run: pickles are refused.
    """
    forecasts = {}
    *_, histories, dates, settings = walk.arguments(job)
    try:
        with np.load(path, allow_pickle=False) as file:
            for ticker, prices in histories.items():
                if can_test(prices, dates, settings):
                    names = [f"{part} {ticker}" for part in PARTS]
                    if names[-1] not in file:
                        names.pop()
                    forecast = Forecast(*(file[name] for name in names))
                    count = len(fold_origins(prices, dates))
                    if forecast.loc.shape != (count, len(settings.reported)):
                        raise ValueError("another shape")
                    forecasts[ticker] = forecast
    except Exception:  # a damaged archive raises whatever it likes
        say(f"{path}: is damaged or not ours; fitted anew")
        return None
    return Done(job, forecasts, {})


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
    return {
        ticker: predict(fitted, ticker, prices, dates, settings)
        for ticker, prices in histories.items()
        if can_test(prices, dates, settings)
    }


def attempt(
    job: Job,
    model: Forecaster,
    histories: dict[str, pd.DataFrame],
    dates: Dates,
    settings: Settings = STUDY,
) -> Done:
    """``fit_predict``, but what fails is said of each ticker, not raised."""
    tested = [t for t, p in histories.items() if can_test(p, dates, settings)]
    done = Done(job, {}, {})
    try:
        fitted = fit_model(model, histories, dates, job.seed, settings)
    except Exception as error:
        failed = dict.fromkeys(tested, reason(error))
        return Done(job, {}, failed, traceback.format_exc())
    for ticker in tested:
        try:
            done.forecasts[ticker] = predict(
                fitted, ticker, histories[ticker], dates, settings
            )
        except Exception as error:
            done.failed[ticker] = reason(error)
            done = done._replace(trace=traceback.format_exc())
    return done


def reason(error: Exception) -> str:
    """An error in one line, with its kind unless it is one that explains."""
    plain = type(error) in (PriceError, ValueError)
    kind = "" if plain else f"{type(error).__name__}: "
    return brief(f"{kind}{error}", 200)


def predict(
    fitted: Forecaster,
    ticker: str,
    prices: pd.DataFrame,
    dates: Dates,
    settings: Settings,
) -> Forecast:
    """A fitted model's forecasts of a fold, at the reported horizons.

    Raises ValueError, in one line, for any other shape than asked for.
    """
    origins = fold_origins(prices, dates)
    shape = len(origins), settings.horizons
    wanted = f"{ticker} needs a Forecast, each part (origins, horizons): "
    wanted += str(shape)
    try:
        forecast = fitted.predict(prices, origins)
    except PriceError:
        raise
    except ValueError as error:  # of Forecast itself, most likely
        raise ValueError(f"{error}; {wanted}") from error
    if not isinstance(forecast, Forecast):
        kind = type(forecast).__name__
        raise ValueError(f"predict gave {kind}; {wanted}")
    if forecast.loc.shape != shape:
        raise ValueError(f"predict gave {forecast.loc.shape}; {wanted}")
    return forecast.at(settings.reported)


def part_names(todo: list[Job], walk: Walk) -> dict[Job, str]:
    """File names of finished jobs: they change with the data or the code.

    The code of a model is the file, or the notebook cell, that defines it.
    """
    code = code_hash()
    data = {ticker: joblib.hash(p) for ticker, p in walk.histories.items()}
    theirs = {n: joblib.hash([m, _code(m)]) for n, m in walk.models.items()}
    names = {}
    for job in todo:
        rows = [(ticker, data[ticker]) for ticker in job.tickers]
        parts = [code, theirs[job.model], rows, walk.splits[job.fold]]
        label = re.sub(r"\W+", "-", job.model)
        key = joblib.hash([job.model, *parts, walk.settings])
        names[job] = f"{label}-{job.fold}-{job.seed}-{key}.npz"
    return names


def _code(model: Forecaster) -> bytes | str:
    """What defines a model's class, as text or as code objects."""
    try:
        kind = type(model)
        return inspect.getsource(inspect.getmodule(kind) or kind)
    except (OSError, TypeError):  # in a notebook
        return cloudpickle.dumps(type(model))
