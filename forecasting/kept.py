"""Kept models: fitted once, found on the disk, fitted anew when too old.

A fit is a folder of results/models/: manifest.json, and for every seed of a
pooled model, or ticker of another one, a folder in which the model left its
state. The manifest says what was fitted, with which settings, by which code,
on which data, and has the checksum of every file and of itself. Nothing in
the folder is run as code, and nothing is used that does not agree with it.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from forecasting.files import checksum, write_folder
from forecasting.market.prices import DATA, PriceError, to_csv
from forecasting.models.base import Forecast, Forecaster
from forecasting.models.features import log_close
from forecasting.models.registry import BASELINES, make_model
from forecasting.parallel import in_parallel
from forecasting.settings import STUDY, Settings

PEERS = ("AAPL", "GOOG", "IBM", "MSFT")  # to learn volatility from, too
KEPT = DATA.parent / "results" / "models"
SEEDS = (0, 1)  # of a network, as in predictor.ipynb: two cores, two fits
QUARTER = pd.Timedelta(days=92)
MANIFEST = "manifest.json"
# What a fit depends on: every model, and these; and the versions of these.
SOURCES = ("settings.py", "windows.py")
PACKAGES = (
    *("numpy", "scipy", "pandas", "scikit-learn", "arch"),
    *("tensorflow", "keras"),
)
# What reading a state that is none may raise.
BROKEN = (OSError, ValueError, LookupError, TypeError, EOFError, BadZipFile)


class Unusable(Exception):
    """Why a kept fit is not used, in one line."""


class Kept(NamedTuple):
    """A fitted model and what is known of its fit.

    ``fits``: by seed where one learns from all tickers, else by ticker.
    """

    name: str
    manifest: dict
    fits: dict[str, Forecaster]

    @property
    def checksum(self) -> str:
        """Identifies the fit: of the manifest, which has all others."""
        return self.manifest["sha256"]

    @property
    def fit_end(self) -> pd.Timestamp:
        """The last date learnt from."""
        data = self.manifest["data"].values()
        return pd.Timestamp(max(facts["last"] for facts in data))

    def predict(
        self, ticker: str, prices: pd.DataFrame, origins: np.ndarray
    ) -> Forecast:
        """Forecast from rows of a ticker's prices; the seeds as an ensemble.

        Raises PriceError for a ticker not learnt from, and for an origin
        before the last date learnt from.
        """
        if ticker not in self.manifest["data"]:
            raise PriceError(f"{ticker}: {self.name} has not learnt from it")
        if ticker in self.manifest["failed"]:
            raise PriceError(self.manifest["failed"][ticker])
        first = prices.index[np.min(origins)]
        if first < self.fit_end:
            raise PriceError(
                f"{ticker}: {self.name} has learnt from rows up to "
                f"{self.fit_end.date()}, and {first.date()} is before that"
            )
        members = [
            fit.predict(prices, origins)
            for part, fit in self.fits.items()
            if fit.pooled or part == ticker
        ]
        return Forecast.combine(members)


def obtain(
    names: Iterable[str],
    histories: dict[str, pd.DataFrame],
    folder: Path = KEPT,
    refit: bool = False,
    say: Callable[[str], None] = print,
    settings: Settings = STUDY,
) -> dict[str, Kept]:
    """Fitted models by name: kept ones, or new ones that are then kept.

    ``histories``: ``{ticker: prices}``; a new fit learns from every row.
    ``refit``: make new ones in any case. ``say`` is told in one line what
    takes time, and why a kept fit is not used. Raises PriceError where no
    fit of a model succeeds, as where histories are too short; of a model with
    a fit a ticker, the others serve, and the ticker has no forecast.
    """
    histories = dict(sorted(histories.items()))
    names = list(dict.fromkeys(names))
    places = {
        name: folder / _label(name, histories, settings) for name in names
    }
    found = {}
    for name, place in places.items():
        if refit or not place.exists():
            continue
        try:
            found[name] = load(place, name, histories, settings)
        except Unusable as reason:
            say(f"{name}: the kept fit is not used: {reason}")
    missing = [name for name in names if name not in found]
    # The networks last: what was quick is kept if they are interrupted.
    quick = [name for name in missing if name in BASELINES]
    slow = [name for name in missing if name not in BASELINES]
    last = max(prices.index[-1] for prices in histories.values())
    for group in filter(None, (quick, slow)):
        say(
            f"{', '.join(group)}: learning from {_list(histories)} "
            f"up to {last.date()}"
        )
        for name, fits in train(group, histories, settings).items():
            found[name] = keep(
                name, fits, histories, places[name], settings, say
            )
    return {name: found[name] for name in names}


def pool(
    tickers: Iterable[str],
    histories: dict[str, pd.DataFrame],
    settings: Settings = STUDY,
) -> dict[str, pd.DataFrame]:
    """What a fit that is to forecast some of the tickers may learn from.

    ``histories`` up to the day on which the first of ``tickers`` ends, so
    that none is forecast by one who knows later rows. What is too short by
    then is left out. A peer that ends long before the others stays: what it
    was like then is as true, and learning_rows cuts it by its own dates.
    """
    end = min(histories[ticker].index[-1] for ticker in tickers)
    cut = {name: prices.loc[:end] for name, prices in histories.items()}
    return {n: p for n, p in cut.items() if len(p) >= settings.min_train}


def load(
    place: Path,
    name: str,
    histories: dict[str, pd.DataFrame],
    settings: Settings = STUDY,
) -> Kept:
    """The fit in a folder; Unusable, if it may not forecast from these."""
    manifest = _read_manifest(place / MANIFEST)
    for term, wanted in _terms(name, histories, settings).items():
        if manifest.get(term) != wanted:
            raise Unusable(f"it is of other {term}")
    try:
        for ticker, prices in histories.items():
            _check_data(ticker, prices, manifest["data"][ticker])
        found, files = _checksums(place), manifest["files"]
        for file in sorted({*found, *files}):
            if found.get(file) != files.get(file):
                raise Unusable(f"{place / file} is not what was saved")
        model = make_model(name, settings)
        fits = {}
        for part in _parts(model, histories):
            if part in manifest["failed"]:
                continue
            fits[part] = make_model(name, settings)
            fits[part].load(place / part)
    except BROKEN as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise Unusable(f"{place} cannot be read ({reason})") from error
    return Kept(name, manifest, fits)


def train(
    names: list[str],
    histories: dict[str, pd.DataFrame],
    settings: Settings = STUDY,
) -> dict[str, dict[str, Forecaster | PriceError]]:
    """Fits by model and part, on every row; those of networks in parallel.

    Of a model with a fit a ticker, a PriceError stands for one that failed.
    """
    calls = {}
    for name in names:
        model = make_model(name, settings)
        for part in _parts(model, histories):
            pool = histories if model.pooled else {part: histories[part]}
            seed = None if model.seed is None else int(part)
            calls[name, part] = name, pool, seed, settings
    if set(names) <= set(BASELINES):
        done = [_fit(*call) for call in calls.values()]
    else:
        done = in_parallel(_fit, calls.values())
    fits: dict = {name: {} for name in names}
    for (name, part), fit in zip(calls, done, strict=True):
        fits[name][part] = fit
    return fits


def _fit(
    name: str,
    histories: dict[str, pd.DataFrame],
    seed: int | None,
    settings: Settings,
) -> Forecaster | PriceError:
    model = make_model(name, settings)
    if seed is not None:
        model.seed = seed
    try:
        return model.fit(histories)
    except PriceError as error:
        if model.pooled:
            raise
        return error


def keep(
    name: str,
    fits: dict[str, Forecaster | PriceError],
    histories: dict[str, pd.DataFrame],
    place: Path,
    settings: Settings = STUDY,
    say: Callable[[str], None] = print,
) -> Kept:
    """Write a fit to its folder, whole or not at all.

    A fit that cannot be written is used all the same; ``say`` is told.
    Raises PriceError where none has succeeded.
    """
    failed = {p: f for p, f in fits.items() if isinstance(f, PriceError)}
    if len(failed) == len(fits):
        raise next(iter(failed.values()))
    made = {p: f for p, f in fits.items() if not isinstance(f, PriceError)}
    manifest = _terms(name, histories, settings)
    manifest["failed"] = {part: str(error) for part, error in failed.items()}
    manifest["data"] = {
        ticker: _facts(prices) | {"sha256": checksum(to_csv(prices).encode())}
        for ticker, prices in histories.items()
    }
    with TemporaryDirectory() as scratch:
        new = Path(scratch) / place.name
        for part, fit in made.items():
            (new / part).mkdir(parents=True)
            fit.save(new / part)
        manifest["files"] = _checksums(new)
        manifest["sha256"] = _digest(manifest)
        text = json.dumps(manifest, indent=1)
        (new / MANIFEST).write_text(text + "\n", "utf-8")
        try:
            write_folder(new, place)
        except OSError as error:
            say(f"{name}: the fit is not kept: {error}")
    return Kept(name, manifest, made)


def _label(
    name: str, histories: dict[str, pd.DataFrame], settings: Settings
) -> str:
    """The folder of a model, its tickers and its settings."""
    key = json.dumps([list(histories), asdict(settings)])
    return f"{name}-{checksum(key.encode())[:12]}"


def _terms(
    name: str, histories: dict[str, pd.DataFrame], settings: Settings
) -> dict:
    """What must be the same, or a fit is another one, ready for JSON."""
    return {
        "model": name,
        "seeds": list(SEEDS),
        "settings": asdict(settings),
        "tickers": list(histories),
        "code": code_version(),
    }


def _parts(model: Forecaster, histories: dict[str, pd.DataFrame]) -> list[str]:
    """A model's fits: by seed if one learns from all tickers, or by ticker."""
    if not model.pooled:
        return list(histories)
    return ["0"] if model.seed is None else [str(seed) for seed in SEEDS]


@cache
def code_version() -> dict[str, str]:
    """Checksum of the sources that a fit depends on; the packages' versions.

    Line ends, which Git may change, are left out of it.
    """
    folder = Path(__file__).parent
    sources = sorted((folder / "models").glob("*.py"))
    sources += [folder / name for name in SOURCES]
    texts = [path.read_text("utf-8") for path in sources]
    code = {"sources": checksum("\0".join(texts).encode())}
    return code | {package: version(package) for package in PACKAGES}


def _facts(prices: pd.DataFrame) -> dict:
    """What does not change when a split or a dividend changes the prices.

    No model kept here has learnt a price: all have learnt returns and
    ranges, and these are what they were.
    """
    first, last = prices.index[[0, -1]].strftime("%Y-%m-%d")
    deviation = float(np.diff(log_close(prices)).std())
    return {
        "first": first,
        "last": last,
        "rows": len(prices),
        "deviation": deviation,  # of the log returns
    }


def _check_data(ticker: str, prices: pd.DataFrame, learnt: dict) -> None:
    """Unusable, where a fit knows later rows, too old ones or others."""
    last, now = pd.Timestamp(learnt["last"]), prices.index[-1]
    if last > now:
        raise Unusable(
            f"it has learnt from rows of {ticker} up to {last.date()}, but "
            f"these prices end on {now.date()}"
        )
    if now - last > QUARTER:
        raise Unusable(
            f"it has learnt from {ticker} up to {last.date()} only, more "
            f"than a quarter before {now.date()}"
        )
    facts = _facts(prices.loc[:last])
    same = np.isclose(facts["deviation"], learnt["deviation"], 1e-3, 1e-12)
    if not same or any(facts[k] != learnt[k] for k in ("first", "rows")):
        raise Unusable(f"it has learnt from another history of {ticker}")


def _read_manifest(path: Path) -> dict:
    try:
        manifest = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise Unusable(f"{path} is missing or damaged") from error
    if not isinstance(manifest, dict):
        raise Unusable(f"{path} is not a manifest")
    if manifest.get("sha256") != _digest(manifest):
        raise Unusable(f"{path} was edited")
    return manifest


def _digest(manifest: dict) -> str:
    """Checksum of a manifest, but for the entry that holds it."""
    rest = {k: v for k, v in manifest.items() if k != "sha256"}
    return checksum(json.dumps(rest, sort_keys=True).encode())


def _checksums(folder: Path) -> dict[str, str]:
    """Of every file below a folder, but for the manifest."""
    return {
        path.relative_to(folder).as_posix(): checksum(path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / MANIFEST
    }


def _list(histories: dict[str, pd.DataFrame]) -> str:
    """Tickers for a line, not more than fit there."""
    names = list(histories)
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return ", ".join(names[:6]) + more
