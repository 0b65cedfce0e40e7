"""Learn what is shipped: ``python -m forecasting.pool.vintages --data DIR``.

For each day on which a training ends it writes two files in
forecasting/vintages: the arrays, and the card that says where they are from.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from forecasting.evaluation.losses import qlike
from forecasting.files import checksum, write_file
from forecasting.market.prices import PriceError, load_directory
from forecasting.models.features import (
    averages,
    inputs,
    log_close,
    recent_volatility,
    session_variance,
)
from forecasting.models.regressions import (
    SAMPLE,
    VarianceForecaster,
    known_spread,
    level,
    log_variance_ahead,
    shape,
)
from forecasting.models.vintage import (
    FOLDER,
    LSTM,
    Memoryless,
    PoolAverages,
    PoolLinear,
    Vintage,
    nature,
)
from forecasting.pool.arms import CHUNK, OUTLIER, descend, draw_anew, network
from forecasting.pool.data import BEGIN, HORIZONS
from forecasting.settings import STUDY
from forecasting.windows import make_targets

ENDS = ("2008-12-31", "2012-12-31", "2017-10-31")
MODELS = (PoolLinear, PoolAverages, Memoryless, LSTM)
SEEDS = 5
UPDATES, RATE = 400, 3e-3
PENALTY = 100.0  # of the ridge regressions, against a million rows
WEEKLY = 5  # sessions from one scored forecast to the next
BAR: dict = {"disable": None}  # no bar where nobody watches
SOURCE = "Huge Stock Market Dataset (Boris Marjanovic), CC0"


class Rows(NamedTuple):
    """Sessions of all stocks, one below the other, float32.

    ``x (n, inputs)``; ``y (n, H)`` log variance ahead, relative to what it
    would be as lately; ``known``: rows of each stock to learn from.
    """

    x: np.ndarray
    y: np.ndarray
    known: list[np.ndarray]


def rows_of(histories: Iterable[pd.DataFrame]) -> Rows:
    """Rows of histories that end where the training ends."""
    x, y, known, count = [], [], [], 0
    for prices in histories:
        late = prices.index >= BEGIN
        ahead = log_variance_ahead(prices, STUDY.horizons)
        x.append(inputs(prices)[late].astype(np.float32))
        usual = level(prices, STUDY.horizons)
        y.append((ahead - usual)[late].astype(np.float32))
        last = late.sum() - STUDY.horizons
        known.append(count + np.arange(STUDY.first, max(last, STUDY.first)))
        count += late.sum()
    return Rows(np.concatenate(x), np.concatenate(y), known)


def ridge(
    blocks: Iterable[tuple[np.ndarray, np.ndarray]],
) -> dict[str, np.ndarray]:
    """Ridge regression on standardised columns: slopes, constant.

    ``blocks``: columns ``(n, d)`` and targets ``(n, H)``, piece by piece, of
    which only the sums are kept.
    """
    sums: list = [0.0] * 5
    for x, y in blocks:
        x, y = x.astype(float), y.astype(float)
        new = len(x), x.sum(axis=0), y.sum(axis=0), x.T @ x, x.T @ y
        sums = [old + part for old, part in zip(sums, new, strict=True)]
    n, mean, target, gram, moment = sums[0], *(s / sums[0] for s in sums[1:])
    gram, moment = gram - np.outer(mean, mean), moment - np.outer(mean, target)
    deviation = np.sqrt(np.diag(gram))
    gram /= np.outer(deviation, deviation)
    gram += PENALTY / n * np.eye(len(gram))
    slopes = np.linalg.solve(gram, moment / deviation[:, None])
    slopes /= deviation[:, None]
    return {"slopes": slopes, "constant": target - mean @ slopes}


def train(rows: Rows, left: np.ndarray, learns: str) -> dict[str, np.ndarray]:
    """Networks, one a seed, that learn what a regression leaves.

    ``left (n, H)``: its errors; ``learns``: ``lstm`` or ``session``, as the
    experiment's arms.
    """
    back, ahead, batch = CHUNK[learns]
    all_known = np.concatenate(rows.known)
    mean = rows.x[all_known].mean(axis=0, dtype=float)
    deviation = rows.x[all_known].std(axis=0, dtype=float) + 1e-12
    x = ((rows.x - mean) / deviation).astype(np.float32)
    # In its own units, or the noisiest horizon would rule the loss.
    unit = left[all_known].std(axis=0, dtype=float)
    target = np.clip(left / unit, -OUTLIER, OUTLIER).astype(np.float32)
    ends = np.concatenate([part[ahead - 1 :] for part in rows.known])
    model = network(learns, x.shape[1], target.shape[1])

    def read(last: np.ndarray) -> np.ndarray:
        return x[last[:, None] + np.arange(1 - back - ahead, 1)]

    weights = []
    for seed in range(SEEDS):
        draw_anew(model, seed)
        rng = np.random.default_rng(seed)
        drawn = (rng.choice(ends, batch) for _ in range(UPDATES))
        steps = descend(model, drawn, read, target, RATE, UPDATES)
        for _ in tqdm(steps, f"{learns} {seed}", UPDATES, **BAR):
            pass
        weights.append(model.get_weights())
    names = "kernel", "recurrent", "bias", "dense", "shift"
    stacked = map(np.stack, zip(*weights, strict=True))
    found = dict(zip(names, stacked, strict=True))
    return found | {"mean": mean, "deviation": deviation, "unit": unit}


def learn(histories: dict[str, pd.DataFrame]) -> dict[str, np.ndarray]:
    """Everything a vintage holds, from histories up to its end."""
    rows = rows_of(histories.values())
    parts = [part for part in rows.known if len(part)]

    def remembered(part: np.ndarray) -> np.ndarray:
        first = part[0] - STUDY.first
        return averages(rows.x[first : part[-1] + 1])[STUDY.first :]

    line = ridge((rows.x[part], rows.y[part]) for part in parts)
    memory = ridge((remembered(part), rows.y[part]) for part in parts)
    left = np.zeros_like(rows.y)
    for part in parts:
        said = remembered(part) @ memory["slopes"] + memory["constant"]
        left[part] = rows.y[part] - said
    found = {
        "PoolLinear": line,
        "PoolAverages": memory,
        "Memoryless": train(rows, left, "session"),
        "LSTM": train(rows, left, "lstm"),
    }
    arrays = {
        f"{arm}.{name}": array.astype(np.float32)
        for arm, parts in found.items()
        for name, array in parts.items()
    }
    return arrays | calibrate(arrays, list(histories.values()))


def calibrate(
    arrays: dict[str, np.ndarray], histories: list[pd.DataFrame]
) -> dict[str, np.ndarray]:
    """How closes move beside the forecasts: width, factor, scale and df.

    As ``VarianceForecaster.fit`` has it, but stock by stock, so that a
    thousand fit into memory, and from every nth row. On rows that it has
    learnt from a network's errors are too small: where they are smaller than
    its regression's, the regression's count.
    """
    vintage = Vintage({}, arrays)
    late = [prices.loc[prices.index >= BEGIN] for prices in histories]
    nth = -(-sum(map(len, late)) // SAMPLE)
    found: dict[str, np.ndarray] = {}
    for regression in (PoolLinear, PoolAverages):
        model = regression().of(vintage)
        squares = count = np.zeros(STUDY.horizons)
        for prices in tqdm(late, f"{regression.__name__}: width", **BAR):
            moves, _ = model._errors(prices)
            squares = squares + np.nansum(moves**2, axis=0)
            count = count + np.isfinite(moves).sum(axis=0)
        width = np.sqrt(squares / count)
        found[f"{regression.__name__}.width"] = width
        models = [k().of(vintage) for k in MODELS if k().base is regression]
        units: dict = {other: [] for other in models}
        ratios: dict = {other: [] for other in models}
        for prices in tqdm(late, f"{regression.__name__}: shape", **BAR):
            rows = np.arange(STUDY.first, len(prices), nth)
            moves, ratio = model._errors(prices)
            moves = moves / known_spread(moves, width)
            line = model.log_variance(prices, rows)
            for other in models:
                gap = other.log_variance(prices, rows) - line
                units[other].append(moves[rows] / np.exp(gap / 2))
                ratios[other].append(ratio[rows] / np.exp(gap))
        fits = [shape(np.vstack(units[other])) for other in models]
        factors = [np.nanmean(np.vstack(r), axis=0) for r in ratios.values()]
        for other, (scale, df), factor in zip(
            models, fits, factors, strict=True
        ):
            least, tails = fits[0]  # of the regression
            names = {
                "scale": np.maximum(scale, least),
                "df": np.where(scale < least, tails, df),
                "factor": np.maximum(factor, factors[0]),
            }
            kind = type(other).__name__
            found |= {f"{kind}.{name}": a for name, a in names.items()}
    return found


def score(
    vintage: Vintage, histories: dict[str, pd.DataFrame]
) -> dict[str, dict[str, list[float]]]:
    """Gains over PoolLinear on other stocks and later days, in per cent.

    ``{"crps": {model: [1, 5, 20 sessions ahead]}, "qlike": …}``: CRPS over
    the recent volatility; QLIKE of the model's own variance.
    """
    cost: dict = {kind.__name__: [] for kind in MODELS}
    columns = HORIZONS - 1
    for prices in tqdm(histories.values(), "scores", **BAR):
        past = prices.loc[: vintage.end]
        origins = np.arange(len(past), len(prices) - STUDY.horizons, WEEKLY)
        if len(past) < STUDY.min_train or not len(origins):
            continue
        came = make_targets(log_close(prices), STUDY.horizons)[origins]
        total = session_variance(prices).cumsum()
        variance = make_targets(total, STUDY.horizons)[origins]
        recent = recent_volatility(prices)[origins, None]
        for kind in MODELS:
            model = kind().of(vintage)
            said = VarianceForecaster.predict(model, prices, origins)
            crps = said.crps(came) / recent
            q = qlike(said.variance(), variance)
            cost[kind.__name__].append(np.array([crps, q])[:, :, columns])
    if not cost["LSTM"]:
        return {}
    mean = {a: np.concatenate(c, axis=1).mean(axis=1) for a, c in cost.items()}
    return {
        name: {
            arm: [round(float(g), 2) for g in 100 * (1 - m[k] / base[k])]
            for arm, m in mean.items()
        }
        for base in [mean["PoolLinear"]]
        for k, name in enumerate(["crps", "qlike"])
    }


def make(
    end: str,
    histories: dict[str, pd.DataFrame],
    dev: dict[str, pd.DataFrame],
    folder: Path,
) -> None:
    """Learn up to a day and leave the vintage and its card in a folder."""
    past = {t: p.loc[:end] for t, p in histories.items()}
    past = {t: p for t, p in past.items() if len(p) >= STUDY.min_train}
    arrays = learn(past)
    natures = pd.DataFrame([nature(prices) for prices in past.values()])
    first = min(p.index[0] for p in past.values())
    card = {
        "end": end,
        "stocks": len(past),
        "rows": int(sum((p.index >= BEGIN).sum() for p in past.values())),
        "from": max(str(first.date()), BEGIN),
        "data": SOURCE,
        "list": "results/pool/stocks.csv",
        "caveat": "every stock survived to 2017-10",
        "command": f"python -m forecasting.pool.vintages --ends {end}",
        "settings": {"seeds": SEEDS, "updates": UPDATES, "rate": RATE},
        "like": {
            name: [round(float(q), 3) for q in column.quantile([0.01, 0.99])]
            for name, column in natures.items()
        },
        "scores": score(Vintage({"end": end}, arrays), dev),
        "scored": f"{len(dev)} other stocks, every {WEEKLY}th session after "
        "the end; per cent over PoolLinear, 1, 5 and 20 sessions ahead",
        "licence": "MIT",
    }
    buffer = BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    card["sha256"] = checksum(buffer.getvalue())
    folder.mkdir(parents=True, exist_ok=True)
    write_file(buffer.getvalue(), folder / f"{end}.npz")
    text = json.dumps(card, indent=1) + "\n"
    write_file(text.encode(), folder / f"{end}.json")
    print(f"{folder / end}: {len(buffer.getvalue()) / 1e3:.0f} kB")
    print(json.dumps(card["scores"]))


def main(arguments: list[str] | None = None) -> int:
    """Learn the vintages of a command line; exit status."""
    options = argparse.ArgumentParser(
        "python -m forecasting.pool.vintages",
        description="Learn the models that are shipped with the study.",
    )
    add = options.add_argument
    add("--data", type=Path, required=True, metavar="DIR",
        help="CSVs of the stocks to learn from")  # fmt: skip
    add("--dev", type=Path, required=True, metavar="DIR",
        help="CSVs of other stocks, to score")  # fmt: skip
    add("--ends", nargs="+", default=ENDS, metavar="DAY",
        help="where trainings end")  # fmt: skip
    add("--out", type=Path, default=FOLDER, metavar="DIR")
    args = options.parse_args(arguments)
    try:
        histories, dev = map(load_directory, (args.data, args.dev))
        for end in args.ends:
            make(end, histories, dev, args.out)
    except (PriceError, OSError) as error:
        print(f"{options.prog}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
