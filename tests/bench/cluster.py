"""What does a verdict send through a cluster, and is it the one made here?

Two workers on this machine, once as the study uses them, and once through
joblib's Dask backend, which sends histories with every fit. All bytes of the
loopback device are counted, so nothing else may use it meanwhile.
"""

import pickle

import joblib
import psutil
from distributed import Client, LocalCluster
from runner import HERE, table

from forecasting.cluster import connect
from forecasting.evaluation.walk_forward import walk_forward
from forecasting.market.prices import OHLC, read_csv
from forecasting.models.registry import make_model

TICKERS, FOLDS, WORKERS = 20, 4, 2
MODELS = "EWMA", "Linear"  # one that is fitted ticker by ticker, one pooled


def sent():
    """Megabytes on the loopback device, ever."""
    return psutil.net_io_counters(pernic=True)["lo"].bytes_sent / 1e6


def histories():
    """AAPL at many levels of its price."""
    aapl = read_csv(HERE.parents[1] / "data" / "snapshot" / "AAPL.csv")
    scaled = {f"T{i:02}": aapl.copy() for i in range(TICKERS)}
    for i, prices in enumerate(scaled.values()):
        prices[OHLC] *= 1 + i / TICKERS
    return scaled


def verdict(prices, cluster=None):
    """The verdict on some prices, and the megabytes that were sent."""
    models = {name: make_model(name) for name in MODELS}
    before = sent()
    made = walk_forward(models, prices, FOLDS, [0], cluster=cluster)
    return made, sent() - before


def main():
    prices = histories()
    local, nothing = verdict(prices)
    options = {"n_workers": WORKERS, "threads_per_worker": 1}
    with LocalCluster(**options, dashboard_address=None) as machines:
        with connect(machines.scheduler_address) as cluster:
            ours, each_once = verdict(prices, cluster)
        with (
            Client(machines) as client,
            joblib.parallel_config(backend="dask", client=client),
        ):
            _, each_fit = verdict(prices)
    assert ours.scores.equals(local.scores)
    assert ours.summary.equals(local.summary)
    rows = {
        "on this machine": nothing,
        "histories once to each worker": each_once,
        "histories with every fit (joblib)": each_fit,
        "(the histories)": len(pickle.dumps(prices)) / 1e6,
    }
    rows = [[name, f"{size:,.0f}"] for name, size in rows.items()]
    print(table(["Verdict", "MB sent"], rows))
    print(
        f"\n{TICKERS} tickers of {len(prices['T00']):,} sessions, "
        f"{' and '.join(MODELS)}, {FOLDS} folds: "
        f"{2 * TICKERS * FOLDS + FOLDS} fits on {WORKERS} workers. The "
        "verdicts are the same to the bit."
    )


if __name__ == "__main__":
    main()
