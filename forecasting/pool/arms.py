"""The arms of the experiment: what reads what, and how each one learns."""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import lightgbm
import numpy as np

from forecasting.models.backend import keras
from forecasting.models.features import HALF_LIVES, averages
from forecasting.pool.data import HORIZONS, Rows
from forecasting.settings import STUDY

OUTLIER = 4.0  # standard deviations: a crash is not to be learnt by heart
RAW = 6  # inputs of a session that are no averages: the first ones
BACK = STUDY.lookback  # sessions before the first that a chunk forecasts
AHEAD = 60  # sessions that a chunk forecasts
# Sessions before those that a chunk forecasts, those, and chunks in a batch:
# as many steps of the cell for E as for D.
CHUNK = {
    "lstm": (BACK, AHEAD, 128),
    "session": (0, AHEAD, 128),
    "shuffled": (BACK - 1, 1, 256),
}
UNITS = 32  # of the recurrent layer
UPDATES = 400
EPOCHS = 12  # evaluations on the validation rows, evenly spread
TREES = 300  # at most


class Arm(NamedTuple):
    """How an arm learns (``ridge``, ``trees``, a kind of network), and what.

    ``reads``: columns of a session, or ``memory`` for all at exponential
    averages; ``base``: the ridge arm whose errors it learns.
    """

    learns: str
    reads: str = "inputs"
    base: str | None = None

    @property
    def random(self) -> bool:
        """Whether its fits differ by seed."""
        return self.learns != "ridge"

    @property
    def network(self) -> bool:
        """Whether it is trained by updates."""
        return self.learns in CHUNK


ARMS = {
    "A": Arm("ridge"),
    "C": Arm("ridge", "memory"),
    "B": Arm("session", base="A"),
    "D": Arm("lstm", base="A"),
    "F": Arm("trees", base="A"),
    "FC": Arm("trees", "memory", base="C"),
    "A'": Arm("ridge", "raw"),
    "B'": Arm("session", "raw", base="A'"),
    "D'": Arm("lstm", "raw", base="A'"),
    "E": Arm("shuffled", base="A"),
}
CANDIDATES = {
    "ridge": (1e1, 1e2, 1e3, 1e4),
    "trees": (0.03, 0.1, 0.3),
    "session": (3e-4, 1e-3, 3e-3),
    "lstm": (3e-4, 1e-3, 3e-3),
    "shuffled": (3e-4, 1e-3, 3e-3),
}


class Fit(NamedTuple):
    """What one candidate came to.

    ``rate`` of learning (ridge: penalty); ``loss`` on the validation rows
    before learning and after each epoch, in units of the base's errors;
    ``kept``: epoch (trees: their mean number) of the lowest loss but the
    first; ``valid``, ``dev``: forecasts of ``y``, ``(rows, 3)``.
    """

    rate: float
    loss: np.ndarray
    kept: float
    valid: np.ndarray
    dev: np.ndarray


class Parts(NamedTuple):
    """Rows to learn from, to validate on and to score, a list per stock."""

    train: list[np.ndarray]
    valid: list[np.ndarray]
    dev: list[np.ndarray]


def columns(rows: Rows, arm: Arm, these: list[np.ndarray]) -> np.ndarray:
    """What an arm without a sequence reads of rows, ``(rows, d)``."""
    width = {"raw": RAW, "inputs": rows.x.shape[1]}
    d = width.get(arm.reads) or rows.x.shape[1] * (1 + len(HALF_LIVES))
    found, end = np.empty((sum(map(len, these)), d), np.float32), 0
    starts = np.array([start for start, _ in rows.spans.values()])
    for part in filter(len, these):
        start, end = end, end + len(part)
        if arm.reads != "memory":
            found[start:end] = rows.x[part, :d]
            continue
        first = starts[np.searchsorted(starts, part[0], "right") - 1]
        found[start:end] = averages(rows.x[first : part[-1] + 1])[part - first]
    return found


def fit(
    rows: Rows,
    parts: Parts,
    name: str,
    seed: int,
    rates: tuple[float, ...],
    updates: int = UPDATES,
) -> Fit:
    """The candidate of an arm that has the lowest loss on validation rows.

    ``rates``: candidates to choose from, one where it was chosen before;
    ``updates``: of a network.
    """
    arm = ARMS[name]
    base = ARMS[arm.base] if arm.base else arm
    reads = [columns(rows, base, part) for part in parts]
    wanted = [rows.y[np.concatenate(part)] for part in parts[:2]]
    penalties = CANDIDATES["ridge"] if arm.base else rates
    ridge = min(ridges(reads, wanted, penalties), key=_least)
    if arm.base is None:
        return ridge[0]
    (_, _, _, *bases), trained = ridge
    # What the ridge leaves, in its own units, or the noisiest horizon would
    # rule the loss; and no crash is learnt by heart.
    unit = (wanted[0] - trained).std(axis=0)
    missed = [
        np.clip((y - line) / unit, -OUTLIER, OUTLIER)
        for y, line in zip(wanted, [trained, bases[0]], strict=True)
    ]
    if arm.learns == "trees":
        found = trees(reads, missed, seed, rates)
    else:
        width = RAW if arm.reads == "raw" else rows.x.shape[1]
        x = rows.x[:, :width]
        found = networks(arm.learns, x, parts, missed, seed, rates, updates)
    best = min(found, key=lambda candidate: _least((candidate,)))
    valid, dev = (
        line + added * unit
        for line, added in zip(bases, best[3:], strict=True)
    )
    return best._replace(valid=valid, dev=dev)


def _least(found: tuple) -> float:
    return found[0].loss[1:].min()


def ridges(
    reads: list[np.ndarray],
    wanted: list[np.ndarray],
    penalties: tuple[float, ...],
) -> list[tuple[Fit, np.ndarray]]:
    """Ridge regressions, and what each says of its training rows.

    ``reads``: columns ``(n, d)`` to train on, validate on and score;
    ``wanted``: ``y (n, 3)`` of the first two. By the normal equations, whose
    sums are taken part by part: scikit-learn would copy gigabytes.
    """
    x, y = reads[0], wanted[0].astype(float)
    mean, deviation = x.mean(axis=0, dtype=float), x.std(axis=0, dtype=float)
    deviation[deviation == 0] = 1
    level = y.mean(axis=0)
    gram, moment = np.zeros((len(mean),) * 2), np.zeros((len(mean), 3))
    for start in range(0, len(x), 50_000):
        part = slice(start, start + 50_000)
        z = (x[part] - mean) / deviation
        gram, moment = gram + z.T @ z, moment + z.T @ (y[part] - level)
    found = []
    for penalty in penalties:
        slopes = np.linalg.solve(gram + penalty * np.eye(len(gram)), moment)
        slopes /= deviation[:, None]
        lines = [
            (part @ slopes.astype(np.float32)) + (level - mean @ slopes)
            for part in reads
        ]
        loss = np.mean(((wanted[1] - lines[1]) / y.std(axis=0)) ** 2)
        fitted = Fit(penalty, np.array([np.nan, loss]), 1, *lines[1:])
        found.append((fitted, lines[0]))
    return found


def trees(
    reads: list[np.ndarray],
    missed: list[np.ndarray],
    seed: int,
    rates: tuple[float, ...],
) -> list[Fit]:
    """Gradient-boosted trees (Ke et al. 2017), a set of them per horizon.

    ``reads`` as above; ``missed``: what is to be learnt ``(n, 3)`` of the
    training and validation rows.
    """
    options: dict[str, Any] = {"num_threads": 1, "verbose": -1}
    options |= {"max_bin": 63, "seed": seed}
    data = lightgbm.Dataset(reads[0], params=options, free_raw_data=False)
    check = lightgbm.Dataset(reads[1], reference=data, free_raw_data=False)
    stop = lightgbm.early_stopping(20, verbose=False)
    options |= {
        "objective": "l2",
        "num_leaves": 31,
        "min_data_in_leaf": 200,
        "bagging_fraction": 0.5,
        "bagging_freq": 1,
        "feature_fraction": 0.5,
    }
    found = []
    for rate in rates:
        options["learning_rate"] = rate
        says, kept, losses = [], [], []
        for train, valid in zip(missed[0].T, missed[1].T, strict=True):
            data.set_label(train)
            check.set_label(valid)
            model = lightgbm.train(
                options, data, TREES, [check], callbacks=[stop]
            )
            says.append([model.predict(part) for part in reads[1:]])
            kept.append(model.best_iteration)
            losses.append(np.mean((valid - says[-1][0]) ** 2))
        valid, dev = (np.transpose(part) for part in zip(*says, strict=True))
        loss = np.array([np.mean(missed[1] ** 2), np.mean(losses)])
        found.append(Fit(rate, loss, float(np.mean(kept)), valid, dev))
    return found


@lru_cache
def network(
    learns: str, features: int, outputs: int = len(HORIZONS)
) -> keras.Model:
    """Chunks ``(n, back + ahead, features)`` → ``(n, ahead, outputs)``.

    The same cell in all: ``session`` starts it afresh in every session, so
    that it remembers nothing.
    """
    back, ahead, _ = CHUNK[learns]
    chunk = keras.Input((back + ahead, features))
    if learns == "session":
        alone = keras.ops.reshape(chunk, (-1, 1, features))
        hidden = keras.layers.LSTM(UNITS)(alone)
        hidden = keras.ops.reshape(hidden, (-1, ahead, UNITS))
    else:
        recurrent = keras.layers.LSTM(UNITS, return_sequences=True)
        hidden = recurrent(chunk)[:, back:]
    model = keras.Model(chunk, keras.layers.Dense(outputs)(hidden))
    adam = keras.optimizers.Adam()
    adam.build(model.trainable_variables)
    model.compile(adam, "mse", jit_compile=True)
    return model


def networks(
    learns: str,
    x: np.ndarray,
    parts: Parts,
    missed: list[np.ndarray],
    seed: int,
    rates: tuple[float, ...],
    updates: int = UPDATES,
) -> list[Fit]:
    """Networks, trained with the same number of updates at each rate.

    ``x (n, d)``: all rows. A batch is of chunks that end anywhere in the
    training rows; every session but the first ``back`` of a chunk is
    forecast, so an LSTM pays two steps for a forecast and not sixty. The
    rate falls to zero along half a cosine. Kept are the weights of the
    evaluation that is best on the validation rows; the start is none.
    """
    back, ahead, batch = CHUNK[learns]
    train = np.concatenate(parts.train)
    learnt = x[train].astype(float)
    mean = learnt.mean(axis=0).astype(np.float32)
    deviation = (learnt.std(axis=0) + 1e-12).astype(np.float32)
    del learnt
    target = np.zeros((len(x), len(HORIZONS)), np.float32)
    for part, these in zip(parts, missed, strict=False):
        target[np.concatenate(part)] = these
    ends = np.concatenate([part[ahead - 1 :] for part in parts.train])
    covers = [_cover(part, ahead) for part in parts[1:]]
    model = network(learns, x.shape[1])
    rng = np.random.default_rng(seed)

    def read(last: np.ndarray) -> np.ndarray:
        at = last[:, None] + np.arange(1 - back - ahead, 1)
        if learns == "shuffled":
            at[:, :-1] = rng.permuted(at[:, :-1], axis=1)
        chunk = x[np.maximum(at, 0)]
        return (chunk - mean) / deviation

    def say(last: np.ndarray) -> np.ndarray:
        whole = np.resize(last, -(-len(last) // batch) * batch)
        says = [
            model.predict_on_batch(read(part))
            for part in whole.reshape(-1, batch)
        ]
        return np.concatenate(says)[: len(last)]

    def loss(last: np.ndarray) -> float:
        at = last[:, None] + np.arange(1 - ahead, 1)
        valid = np.isin(at, np.concatenate(parts.valid))
        return float(np.mean((say(last) - target[at])[valid] ** 2))

    def forecast(part: list[np.ndarray], last: np.ndarray) -> np.ndarray:
        says = np.empty_like(target)
        says[last[:, None] + np.arange(1 - ahead, 1)] = say(last)
        return says[np.concatenate(part)]

    watched = covers[0][:: 4 if ahead == 1 else 1]
    found = []
    for rate in rates:
        rng = np.random.default_rng(seed)
        draw_anew(model, seed)
        losses, weights = [loss(watched)], []
        drawn = (rng.choice(ends, batch) for _ in range(updates))
        steps = descend(model, drawn, read, target, rate, updates)
        for update in steps:
            if (update + 1) * EPOCHS % updates < EPOCHS:
                losses.append(loss(watched))
                weights.append(model.get_weights())
        kept = int(np.argmin(losses[1:]))
        model.set_weights(weights[kept])
        says = map(forecast, parts[1:], covers)
        found.append(Fit(rate, np.array(losses), kept + 1, *says))
    return found


def draw_anew(model: keras.Model, seed: int) -> None:
    """Give a network the weights of a seed, its optimiser no past."""
    keras.utils.set_random_seed(seed)
    model.set_weights(keras.models.clone_model(model).get_weights())
    for variable in model.optimizer.variables:
        variable.assign(np.zeros_like(variable))


def descend(
    model: keras.Model,
    drawn: Iterable[np.ndarray],
    read: Callable[[np.ndarray], np.ndarray],
    target: np.ndarray,
    rate: float,
    updates: int,
) -> Iterator[int]:
    """Train on a batch after the other; each update's number, once it is done.

    ``drawn``: ends of the chunks of each batch ``(batch,)``; ``read`` gives
    their inputs; ``target (n, outputs)``. The rate falls to zero along half
    a cosine.
    """
    ahead = model.output_shape[1]
    for update, last in enumerate(drawn):
        fall = (1 + np.cos(np.pi * update / updates)) / 2
        model.optimizer.learning_rate = rate * fall
        at = last[:, None] + np.arange(1 - ahead, 1)
        model.train_on_batch(read(last), target[at])
        yield update


def _cover(part: list[np.ndarray], ahead: int) -> np.ndarray:
    """Ends of the chunks that together forecast rows, per stock."""
    ends = [np.arange(p[-1], p[0] - 1, -ahead) for p in part if len(p)]
    return np.concatenate(ends)
