"""Train the networks of the living cell and write them as JSON.

``python book/cell/export.py`` writes ``weights/adding.json`` (two networks
of theory note 3) and ``weights/forecaster.json`` (the study's own, fitted
before its last test year). The page reads nothing else.
"""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from forecasting.evaluation.walk_forward import fit_model
from forecasting.market.prices import read_csv
from forecasting.models.baselines import GARCH, estimate_garch
from forecasting.models.features import log_close, recent_volatility
from forecasting.models.lstm import LSTMForecaster
from forecasting.settings import STUDY
from forecasting.windows import before, fold_dates
from theory.cells import lstm_forward, rnn_forward
from theory.tasks import adding_problem
from theory.training import train_seeds

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

TICKER = "AAPL"
LAG, SEEDS = 100, range(5)  # as note 3 trains
CLOCK = 4 * 63 + 60  # sessions that the earnings clock looks back
SNAPSHOT = ROOT / "data" / "snapshot"
LEVELS = {"80": 0.9, "95": 0.975}  # upper ends of the central intervals


def adding() -> dict:
    """The LSTM of note 3 that adds, and the RNN that does not.

    Of five seeds, the LSTM whose slowest unit forgets least, and the RNN of
    the same seed. Both are scored on a thousand new sequences.
    """
    common = {
        "task": partial(adding_problem, T=LAG),
        "seeds": SEEDS,
        "steps": 1200,
        "units": 8,
        "batch": 32,
        "rate": 0.03,
    }
    _, lstms = train_seeds("lstm", **common)
    _, rnns = train_seeds("rnn", **common)
    seed = int(np.argmax([slowest(network)[1] for network in lstms]))
    found = {
        "T": LAG,
        "seed": seed,
        "slow": slowest(lstms[seed])[0],
        "lstm": rounded(lstms[seed]),
        "rnn": rounded(rnns[seed]),
    }
    found["mse"] = {cell: error(cell, found[cell]) for cell in ("lstm", "rnn")}
    assert found["mse"]["lstm"] < 0.01 < 0.1 < found["mse"]["rnn"]
    return found


def new_sequences(T: int = LAG, n: int = 1000) -> tuple:
    """Sequences that no network was trained on: x (n, T, 2), y (n, 1)."""
    return adding_problem(np.random.default_rng(99), n, T)


def error(cell: str, network: dict, T: int = LAG) -> float:
    """Mean squared error of a network's answers to new sequences."""
    x, y = new_sequences(T)
    W, U, b, V, v = (np.array(network[k]) for k in ("W", "U", "b", "V", "v"))
    h = {"lstm": lstm_forward, "rnn": rnn_forward}[cell](x, W, U, b)[0]
    return float(np.mean((h[:, -1] @ V + v - y) ** 2))


def slowest(network: dict) -> tuple[int, float]:
    """The unit with the highest mean forget gate, and that mean."""
    x, _ = new_sequences()
    cache = lstm_forward(x, network["W"], network["U"], network["b"])[2]
    gates = cache["f"].mean(axis=(0, 1))
    return int(gates.argmax()), float(gates.max())


def rounded(arrays: dict, digits: int = 7) -> dict:
    """``{name: array}`` as nested lists of numbers with so many digits."""
    return {
        name: json.loads(
            json.dumps(np.asarray(a, dtype=float).tolist()),
            parse_float=lambda text: float(f"{float(text):.{digits}g}"),
        )
        for name, a in arrays.items()
    }


def load() -> dict[str, pd.DataFrame]:
    """The histories of the snapshot, whatever has been downloaded since."""
    return {p.stem: read_csv(p) for p in sorted(SNAPSHOT.glob("*.csv"))}


def forecaster() -> dict:
    """The LSTM, its linear rival and GARCH, fitted before the last year.

    And the sessions of AAPL that the page may forecast from, with as many
    before them as the features look back.
    """
    histories = load()
    prices = histories[TICKER]
    dates = fold_dates(histories, 4)[-1]
    past = before(prices, dates)
    lstm = fit_model(LSTMForecaster(), histories, dates, seed=0)
    garch = fit_model(GARCH(), {TICKER: prices}, dates)
    # GARCH estimates itself again on this row. A window that begins after
    # it can be changed without changing the estimate.
    refit = garch.rows + garch.REFIT
    first, last = refit + STUDY.lookback, refit + garch.REFIT - 1
    start = first - STUDY.lookback - CLOCK - 5
    returns = np.diff(log_close(prices))[:refit]
    linear = lstm.linear
    scaler, ridge = linear.model[0], linear.model[-1]
    return {
        "ticker": TICKER,
        "fit_end": str(dates.fit_end.date()),
        "refit": str(prices.index[refit].date()),
        "origins": [first - start, last - start],
        "rows": rows_of(prices.iloc[start : last + STUDY.horizons + 1]),
        "premium": float(np.log1p(STUDY.premium) / 252),
        "recent": recent_state(prices.iloc[: start + 1]),
        "linear": rounded(
            {
                "mean": scaler.mean_,
                "sd": scaler.scale_,
                "V": ridge.coef_.T,
                "v": ridge.intercept_,
            },
            10,
        )
        | distribution(linear_shape(lstm, histories, dates), past),
        "lstm": rounded(
            dict(zip(("W", "U", "b", "V", "v"), lstm.weights, strict=True))
        )
        | rounded(
            {
                "mean": lstm.scaler.mean_,
                "sd": lstm.scaler.scale_,
                "unit": lstm.unit,
            },
            10,
        )
        | distribution(lstm, past),
        "garch": {
            "params": estimate_garch(returns.tobytes()).tolist(),
            "variance": float(garch_state(prices, garch, refit, start)),
        }
        | rounded({"width": garch.scale, "df": garch.df}, 10)
        | quantiles(garch.df),
    }


def linear_shape(lstm, histories, dates):
    """The linear forecast by itself, with a width and tails of its own."""
    return fit_model(type(lstm.linear)(), histories, dates)


def distribution(model, past: pd.DataFrame) -> dict:
    """What makes a Student-t of a forecast log variance, per horizon."""
    width = model.spread(past) * model.scale
    return rounded({"width": width, "df": model.df}, 10) | quantiles(model.df)


def quantiles(df: np.ndarray) -> dict:
    """Quantiles of the Student-t with ``df``, which a browser lacks."""
    return {"t": rounded({k: stats.t.ppf(p, df) for k, p in LEVELS.items()})}


def rows_of(prices: pd.DataFrame) -> dict:
    """Dates, and open, high, low, close and volume, by column."""
    columns = {name: prices[name].tolist() for name in prices.columns}
    return {"Date": prices.index.strftime("%Y-%m-%d").tolist()} | columns


def recent_state(prices: pd.DataFrame) -> float:
    """Recent variance after some rows: where the page's recursion starts.

    After years the weights of pandas' exponential mean add up to 1, so its
    last value says it all.
    """
    return float(recent_volatility(prices)[-1] ** 2)


def garch_state(prices, garch, refit, start) -> float:
    """Conditional variance after row ``start``, by the second estimate."""
    returns = np.diff(log_close(prices), prepend=np.nan)
    mu, omega, alpha, gamma, beta = estimate_garch(
        returns[1 : refit + 1].tobytes()
    )
    variance = garch.start
    for r in np.nan_to_num(returns[: start + 1] - mu):
        variance = omega + (alpha + gamma * (r < 0)) * r**2 + beta * variance
    return variance


def edited(
    prices: pd.DataFrame, row: int, move: float, spread: float
) -> pd.DataFrame:
    """A history in which one session went otherwise: what the page edits.

    ``move``: its log return, ``spread``: its log high over low (no less
    than open and close need). The gap at the open stays; what high and low
    have beyond open and close is shared as it was. Later sessions keep
    their returns, so their prices shift.
    """
    names = ["Open", "High", "Low", "Close"]
    log = np.log(prices[names].to_numpy(float))
    open_, high, low, close = log[row]
    up, down = high - max(open_, close), min(open_, close) - low
    share = up / (up + down) if up + down > 0 else 0.5
    new = log[row - 1, 3] + move
    beyond = max(spread - abs(new - open_), 0.0)
    log[row + 1 :] += new - close
    log[row, 1] = max(open_, new) + share * beyond
    log[row, 2] = min(open_, new) - (1 - share) * beyond
    log[row, 3] = new
    changed = prices.copy()  # of earlier sessions to the last bit
    changed.iloc[row:, :4] = np.exp(log[row:])
    return changed


def write(name: str, data: dict) -> None:
    """One line of JSON without spaces, as small as it gets."""
    text = json.dumps(data, separators=(",", ":"))
    (HERE / "weights" / name).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    write("adding.json", adding())
    write("forecaster.json", forecaster())
