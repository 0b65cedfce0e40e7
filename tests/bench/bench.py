"""Measure the study beside its peers: ``bench.py PEERS [PART ...]``.

PEERS is the Python of .venv-bench; a PART is training, growth or skill, all
three by default. Prints each part's table in Markdown, with its date and
processor. Everything runs on one core, and seconds are CPU time.
"""

import os
import pickle
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from forecasting.models.lstm import LSTMForecaster
from forecasting.models.networks import Network

from forecasting import windows
from forecasting.evaluation import walk_forward as walk
from forecasting.evaluation.verdict import POOLED, judge
from forecasting.market.prices import DATA, load_directory, to_csv
from forecasting.models.backend import keras
from forecasting.models.base import Forecast
from forecasting.models.registry import make_model
from forecasting.settings import STUDY

HERE = Path(__file__).resolve().parent
TICKERS = (50, 150, 500)  # of the fewest sessions, and ...
SESSIONS = (1600, 3200, 6300)  # ... of the fewest tickers
EPOCHS = 5  # of the growing LSTM, where the study allows 40
MODELS = ("RandomWalk", "Drift", "GARCH", "HAR", "Linear")
MODELS += ("TextbookLSTM", "LSTM", "BiLSTM")
SEEDS = 3


def training(peers):
    """Windows a second of the same network, data, loss and optimiser."""
    given, rows = learnt_from(), []
    count, features = len(given[2]), given[0].shape[1]
    for kind in ("LSTM", "BiLSTM"):
        network, (callback, epochs) = make_model(kind).network, clock()
        network.train(*given, seed=0, callbacks=[callback])
        found = {"this study": epochs}
        found["plain Keras, batch 32"] = by_keras(network, *given)
        work = {"given": given, "bidirectional": kind == "BiLSTM"}
        for batch in (32, 256):
            work |= asdict(STUDY) | {"batch": batch}
            answer = ask(peers, "training", work)
            found[f"torch.nn.LSTM, batch {batch}"] = answer
        speeds = []
        for name, epochs in found.items():
            losses, seconds = np.transpose(epochs)
            # The median epoch; the first compiles.
            speeds.append(count / np.median(np.diff(seconds)))
            cells = f"{speeds[-1]:,.0f}", f"{speeds[0] / speeds[-1]:.1f}"
            rows.append([kind, name, *cells, f"{losses.min():.4f}"])
    table("Network, Trained by, Windows/s, Study is ×, Validation loss", rows)
    shape = f"{STUDY.lookback} × {features}, {STUDY.units} units"
    print(f"\n{count:,} windows of {shape}.")


class Noted(Network):
    """A network that notes what it is asked to train on, and does not."""

    def train(self, *given):
        self.given = [np.asarray(part) for part in given[:4]]
        return self.build().get_weights()


def learnt_from():
    """What the LSTM trains on before the first of four test folds.

    Rows, targets, and where training and validation windows end; whole
    batches of them, as the study would drop the rest.
    """
    model = LSTMForecaster()
    model.network = Noted(*model.network)
    histories = load_directory(DATA / "snapshot")
    (dates, *_) = windows.fold_dates(histories, 4)
    given = walk.fit_model(model, histories, dates).network.given
    for i, ends in enumerate(given[2:], 2):
        whole = len(ends) // STUDY.batch * STUDY.batch
        given[i] = ends[np.linspace(0, len(ends) - 1, whole).astype(int)]
    return given


def clock():
    """A callback, and the list to which it adds losses and CPU seconds."""
    epochs = []

    def note(epoch, logs):
        epochs.append([logs["val_loss"], time.process_time()])

    return keras.callbacks.LambdaCallback(on_epoch_end=note), epochs


def by_keras(network, rows, targets, *ends):
    """The epochs of the same network, as Keras trains by default."""
    cut = windows.make_windows(rows, STUDY.lookback)
    learnt, valid = ((cut[e - STUDY.lookback + 1], targets[e]) for e in ends)
    keras.utils.set_random_seed(0)
    model, (callback, epochs) = network.build(), clock()
    model.compile(keras.optimizers.Adam(STUDY.learning_rate), "mse")
    stop = keras.callbacks.EarlyStopping(patience=STUDY.patience)
    options = dict(epochs=STUDY.epochs, callbacks=[stop, callback], verbose=0)
    model.fit(*learnt, validation_data=valid, **options)
    return epochs


def growth(peers):
    """Seconds and memory of a verdict, each in a process of its own."""
    sizes = [(n, SESSIONS[0]) for n in TICKERS]
    sizes += [(TICKERS[0], n) for n in SESSIONS[1:]]
    rows = [[f"{n:,}" for n in (*size, *measured(*size))] for size in sizes]
    table("Tickers, Sessions, Rows, Seconds, Peak memory (MB)", rows)
    print(f"\nEWMA, HAR, Linear, LSTM of {EPOCHS} epochs; one year, one seed.")


def measured(tickers, sessions):
    """Rows, CPU seconds and peak memory in MB of one verdict."""
    sys.path.insert(0, str(HERE.parent))
    from simulate import garch_walk

    rows = 0
    with TemporaryDirectory() as folder:
        for k in range(tickers):  # begin on a hundred different days
            prices = garch_walk(sessions, seed=k).iloc[k % 100 :]
            Path(folder, f"S{k:03}.csv").write_text(to_csv(prices))
            rows += len(prices)
        run = subprocess.Popen([sys.executable, __file__, "verdict", folder])
        _, status, usage = os.wait4(run.pid, 0)
    if status:
        raise SystemExit(f"{tickers} × {sessions} failed")
    seconds = usage.ru_utime + usage.ru_stime
    return rows, round(seconds), usage.ru_maxrss // 1024


def verdict(folder):
    """What ``measured`` measures: a verdict of one fold and one seed."""
    models = {name: make_model(name) for name in ("EWMA", "HAR", "Linear")}
    models["LSTM"] = LSTMForecaster(settings=replace(STUDY, epochs=EPOCHS))
    walk.walk_forward(models, load_directory(folder), folds=1, seeds=[0])


def skill(peers):
    """All models' scores in the last of four test years, and their seconds."""
    histories = load_directory(DATA / "snapshot")
    (dates,) = windows.fold_dates(histories, folds=1)
    models = {name: make_model(name) for name in MODELS}
    forecasts = {ticker: {} for ticker in histories}
    seconds = {name: Counter() for name in MODELS}
    for job in walk.plan(models, histories, [dates], range(SEEDS)):
        mine = {ticker: histories[ticker] for ticker in job.tickers}
        start = time.process_time()
        found = walk.fit_predict(job, models[job.model], mine, dates)
        seconds[job.model][job.seed] += time.process_time() - start
        for ticker, forecast in found.items():
            forecasts[ticker][job.model, 0, job.seed] = forecast
    seconds = {name: np.median([*seconds[name].values()]) for name in MODELS}
    work = {}
    for ticker, prices in histories.items():
        origins = windows.fold_origins(prices, dates)
        known = len(prices.loc[: dates.fit_end])
        work[ticker] = np.log(prices["Close"].to_numpy()), known, origins
    for name, (parameters, spent) in ask(peers, "skill", work).items():
        seconds[name] = spent
        for ticker, each in parameters.items():
            forecasts[ticker][name, 0, 0] = Forecast(*each).at(STUDY.reported)
    mine = [(t, prices, forecasts[t]) for t, prices in histories.items()]
    summary = judge(mine, [dates], windows.joint_calendar(histories)).summary
    pooled = summary[summary["ticker"] == POOLED].set_index("model")
    scores = pooled[["theil_u", "crps_vs_rw"]]
    rows = [
        [name, *map("{:.3f}".format, scores.loc[name].to_numpy().T.flat)]
        + [f"{spent:.1f}"]
        for name, spent in seconds.items()
    ]
    table("Model, U 1, U 5, U 20, CRPS 1, CRPS 5, CRPS 20, Seconds", rows)
    years = f"{dates.test_start.date()} to {dates.test_end.date()}"
    print(f"\nTest rows: {years}, {', '.join(histories)}.\n")
    lstm, both = (3600 * len(histories) / seconds[n] for n in MODELS[-2:])
    print(f"A core does {lstm:,.0f} tickers × folds × seeds an hour with the")
    print(f"LSTM, {both:,.0f} with the BiLSTM.")


def ask(peers, part, work):
    """What peers.py makes of some work, in the peers' environment."""
    with TemporaryDirectory() as folder:
        given, found = Path(folder, "given"), Path(folder, "found")
        given.write_bytes(pickle.dumps(work))
        command = [peers, HERE / "peers.py", part, given, found]
        subprocess.run(command, check=True)
        return pickle.loads(found.read_bytes())


def table(header, rows):
    """Print Markdown; all columns but the first are right-aligned."""
    header = header.split(", ")
    for line in [header, ["---"] + ["---:"] * (len(header) - 1), *rows]:
        print(f"| {' | '.join(line)} |")


def main(peers, *parts):
    """Measure each part in a process of its own."""
    if hasattr(os, "sched_setaffinity"):  # children inherit it
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.exists() else "model name: unknown"
    processor = re.search(r"model name\s*: (.*)", text)[1]
    for part in parts or ("training", "growth", "skill"):
        command = [sys.executable, __file__, part, peers]
        one = os.environ | {"OMP_NUM_THREADS": "1"}
        subprocess.run(command, check=True, env=one)
        stamp = f"{date.today()}, {processor}, {os.cpu_count()} cores."
        print(f"\n{stamp}\n", flush=True)


if __name__ == "__main__":
    first, *rest = sys.argv[1:]
    parts = {f.__name__: f for f in (training, growth, skill, verdict)}
    parts[first](*rest) if first in parts else main(first, *rest)
