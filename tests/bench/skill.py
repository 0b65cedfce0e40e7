"""Forecast one test year with the study and its peers: ``skill.py PEERS``.

PEERS is the Python that has the peers. Every model is fitted before the last
test fold of data/snapshot and forecasts each of its rows; scores.judge scores
them all alike. Prints the table.
"""

import pickle
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from statistics import median

from runner import run, table

from forecasting.evaluation.verdict import POOLED, judge
from forecasting.evaluation.walk_forward import fit_predict, plan
from forecasting.market.prices import DATA, load_directory
from forecasting.models.base import Forecast
from forecasting.models.baselines import GARCH, Drift, RandomWalk
from forecasting.models.features import log_close
from forecasting.models.lstm import LSTMForecaster
from forecasting.models.regressions import HAR, Linear
from forecasting.models.textbook import TextbookLSTM
from forecasting.settings import STUDY
from forecasting.windows import fold_dates, fold_origins, joint_calendar

SEEDS = 3
MODELS = {
    "RandomWalk": RandomWalk(),
    "Drift": Drift(),
    "GARCH": GARCH(),
    "HAR": HAR(),
    "Linear": Linear(),
    "small LSTM on scaled prices": TextbookLSTM("close"),
    "LSTM": LSTMForecaster(),
    "BiLSTM": LSTMForecaster(bidirectional=True),
}


def study(histories, dates, seeds):
    """``{ticker: {(model, fold, seed): Forecast}}``; seconds of a seed."""
    forecasts, seconds = defaultdict(dict), {}
    for name, model in MODELS.items():
        spent = Counter()
        for job in plan({name: model}, histories, [dates], range(seeds)):
            start = time.process_time()
            mine = {ticker: histories[ticker] for ticker in job.tickers}
            found = fit_predict(job, model, mine, dates)
            spent[job.seed] += time.process_time() - start
            for ticker, forecast in found.items():
                forecasts[ticker][name, 0, job.seed] = forecast
        seconds[name] = median(spent.values())
    return forecasts, seconds


def peers(python, histories, dates):
    """The same of AutoETS, AutoARIMA and neuralforecast's LSTM."""
    work = {
        ticker: {
            "log_close": log_close(prices),
            "train": len(prices.loc[: dates.train_end]),
            "fit": len(prices.loc[: dates.fit_end]),
            "origins": fold_origins(prices, dates),
        }
        for ticker, prices in histories.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder, "given"), Path(folder, "found")
        given.write_bytes(pickle.dumps(work))
        run("peer_skill.py", given, found, python=python)
        parameters, seconds = pickle.loads(found.read_bytes())
    forecasts = {
        ticker: {
            (name, 0, 0): Forecast(*of[ticker]).at(STUDY.reported)
            for name, of in parameters.items()
        }
        for ticker in histories
    }
    return forecasts, seconds


def main(python, seeds=SEEDS):
    histories = load_directory(DATA / "snapshot")
    (dates,) = fold_dates(histories, folds=1)
    ours, seconds = study(histories, dates, seeds)
    theirs, more = peers(python, histories, dates)
    summary = judge(
        ((t, p, ours[t] | theirs[t]) for t, p in histories.items()),
        [dates],
        joint_calendar(histories),
    ).summary
    pooled = summary[summary["ticker"] == POOLED].set_index("model")
    rows = []
    for model, spent in (seconds | more).items():
        scores = pooled.loc[model, ["theil_u", "crps_vs_rw"]].to_numpy().T
        cells = map("{:.3f}".format, scores.ravel())
        rows.append([model, *cells, f"{spent:.1f}"])
    header = ["Model", "U 1", "U 5", "U 20", "CRPS 1", "CRPS 5", "CRPS 20"]
    print(table([*header, "Seconds"], rows))
    tested = f"{dates.test_start.date()} to {dates.test_end.date()}"
    an_hour = {m: 3600 * len(histories) / s for m, s in seconds.items()}
    print(
        f"\nTest rows: {tested}, {', '.join(histories)}.\n\n"
        f"A core does {an_hour['LSTM']:,.0f} tickers × folds × seeds an "
        f"hour with the LSTM, {an_hour['BiLSTM']:,.0f} with the BiLSTM."
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
