"""The textbook LSTM of note 8, and note 9's laboratory: a leak at a time."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from forecasting.windows import make_windows, walk_forward_dates
from theory.training import (
    answers,
    descend,
    initial_weights,
    loss_and_gradients,
    predict,
    stack,
    time_first,
    train_seeds,
)

LOOKBACK = 20  # sessions in a window
UNITS, RATE, CLIP = 8, 0.03, 1.0  # as in note 3
BATCH = 64
UPDATES = 600
COOL = 200  # last updates of the BiLSTMs, whose rate falls to 0 in a line
EVERY = 30  # updates from one look at the validation rows to the next


@dataclass(frozen=True)
class Task:
    """What a network is given of a price history; arrays go by its rows.

    ``close (n,)``: what is to be forecast. ``read (n,)``: the series in the
    windows; ``target (n,)``: what the network is to say at each row; both
    are log returns if ``returns``, else dollars. ``scaler``: fitted, serves
    both. ``train, valid, test``: rows at which windows end.
    """

    returns: bool
    close: np.ndarray
    read: np.ndarray
    target: np.ndarray
    scaler: MinMaxScaler | StandardScaler
    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray

    def scaled(self) -> tuple[np.ndarray, np.ndarray]:
        """Windows of what is read, and targets, both scaled.

        ``(n - LOOKBACK + 1, LOOKBACK, 1)``, window k ending at row
        k + LOOKBACK - 1, and ``(n, 1)``.
        """
        read, target = (
            self.scaler.transform(series[:, None]).astype("float32")
            for series in (self.read, self.target)
        )
        return make_windows(read, LOOKBACK), target

    def dollars(self, output: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """A network's outputs at these rows as forecasts of the close."""
        said = self.scaler.inverse_transform(output.reshape(-1, 1))
        said = said.reshape(output.shape)
        return self.close[rows] * np.exp(said) if self.returns else said


def log_returns(close: np.ndarray) -> np.ndarray:
    """Log return of each row, ``(n,)`` → ``(n,)``, the first one zero."""
    return np.diff(np.log(close), prepend=np.log(close[0]))


def honest(prices: pd.DataFrame, returns: bool) -> Task:
    """A task without a leak, the last 252 sessions its test rows.

    Closes are min-max scaled, as in most tutorials, returns standardised.
    """
    close = prices["Close"].to_numpy()
    series = log_returns(close) if returns else close
    dates = walk_forward_dates(prices.index, 1)[0]
    rows = prices.index.get_indexer(dates)
    train_end, valid_start, fit_end, test_start, test_end = rows
    scaler = StandardScaler() if returns else MinMaxScaler()
    return Task(
        returns,
        close,
        series,
        np.append(series[1:], np.nan),
        scaler.fit(series[: train_end + 1, None]),
        np.arange(LOOKBACK, train_end),  # the target is a row further
        np.arange(valid_start, fit_end),
        np.arange(test_start, test_end),
    )


def forecast(tasks: list[Task], seeds: int) -> list[np.ndarray]:
    """Train an LSTM per task and seed → forecasts of its test rows.

    All networks train side by side with the gradients of note 2. The
    weights with the lowest loss on the validation rows count (early
    stopping). Returns ``(seeds, rows)`` per task, in dollars.
    """
    teams = [task for task in tasks for _ in range(seeds)]
    rngs = [np.random.default_rng(s) for _ in tasks for s in range(seeds)]
    weights = stack([initial_weights(r, "lstm", 1, UNITS, 1) for r in rngs])
    best, kept = np.full(len(teams), np.inf), [w.copy() for w in weights]
    data = [task.scaled() for task in teams]

    def gradients(_):
        pairs = zip(rngs, teams, strict=True)
        ends = [rng.choice(task.train, BATCH) for rng, task in pairs]
        return loss_and_gradients("lstm", weights, *_batch(data, ends))

    updates = descend(weights, gradients, [RATE] * UPDATES, CLIP)
    for step, _ in enumerate(updates, start=1):
        if step % EVERY:
            continue
        for k, task in enumerate(teams):
            x, y = _batch(data[k : k + 1], [task.valid])
            said = answers("lstm", [w[k : k + 1] for w in weights], x)
            loss = np.mean((said[-1:] - y) ** 2)
            if loss < best[k]:
                best[k] = loss
                for old, new in zip(kept, weights, strict=True):
                    old[k] = new[k]
    out = []
    for k, task in enumerate(tasks):
        mine = slice(k * seeds, (k + 1) * seeds)
        x, _ = _batch(data[mine], [task.test] * seeds)
        output = answers("lstm", [w[mine] for w in kept], x)[-1, :, 0]
        out.append(task.dollars(output, task.test))
    return out


def _batch(data: list, ends: list) -> tuple[np.ndarray, np.ndarray]:
    """Windows (T, s, 1, n) and targets (1, s, 1, n) at each task's rows."""
    pairs = list(zip(data, ends, strict=True))
    x = [windows[e - LOOKBACK + 1] for (windows, _), e in pairs]
    y = [target[e, None] for (_, target), e in pairs]
    return time_first(x), time_first(y)


def forecast_every_step(task: Task, seeds: int) -> tuple:
    """Train a BiLSTM with a target at every step of its window.

    It has no validation loss to stop by, so its rate falls at the end.
    Returns forecasts in dollars ``(seeds, windows, LOOKBACK)`` and their
    rows ``(windows, LOOKBACK)``; every step of a window is a test row.
    """
    x, target = task.scaled()
    y = make_windows(target, LOOKBACK)
    learnt, tested = (
        rows[LOOKBACK - 1 :] - LOOKBACK + 1 for rows in (task.train, task.test)
    )

    def draw(rng, n):
        k = rng.choice(learnt, n)
        return x[k], y[k]

    sizes = UPDATES, UNITS, BATCH, RATE, CLIP, COOL
    _, networks = train_seeds("bilstm", draw, range(seeds), *sizes)
    output = predict("bilstm", networks, x[tested])[..., 0]
    rows = tested[:, None] + np.arange(LOOKBACK)
    return task.dollars(output, rows), rows


def theils_u(
    close: np.ndarray, forecasts: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    """RMSE over that of persistence, a number per seed.

    ``forecasts (seeds, *rows.shape)`` of the close after each row.
    """
    axes = tuple(range(1, forecasts.ndim))
    squared = (forecasts - close[rows + 1]) ** 2
    naive = (close[rows] - close[rows + 1]) ** 2
    return np.sqrt(squared.mean(axis=axes) / naive.mean())
