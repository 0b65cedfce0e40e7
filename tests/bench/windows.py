"""Windows of 500 tickers, 13 years, 60 sessions, 3 features: prints JSON.

Seconds and peak memory over the raw series, first of making the windows,
then of serving a whole epoch of them in shuffled batches.
"""

import json
import resource
import time

import numpy as np

from forecasting.networks import BATCH, batches
from forecasting.settings import STUDY
from forecasting.windows import make_windows

TICKERS, ROWS, FEATURES = 500, 13 * 252, 3


def peak():
    """Most memory this process ever held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main():
    series = np.random.default_rng(0).normal(size=(TICKERS, ROWS, FEATURES))
    series = series.astype(np.float32)
    # TensorFlow's own memory is not the windows'.
    one = series[0]
    list(batches(one, one, np.arange(STUDY.lookback, 400), BATCH, 0))
    raw, seconds = peak(), []
    for _ in range(5):
        start = time.process_time()
        windows = [make_windows(one, STUDY.lookback) for one in series]
        seconds.append(time.process_time() - start)
    made = peak()
    first = np.arange(TICKERS)[:, None] * ROWS
    ends = (first + np.arange(STUDY.lookback - 1, ROWS)).ravel()
    rows = series.reshape(-1, FEATURES)
    start = time.process_time()
    epoch = batches(rows, rows, ends, BATCH, shuffle=0)
    served = sum(len(x) for x, _ in epoch)
    print(
        json.dumps(
            {
                "windows": sum(map(len, windows)),
                "raw_mb": series.nbytes / 1e6,
                "copied_mb": sum(w.nbytes for w in windows) / 1e6,
                "seconds": seconds,
                "made_mb": made - raw,
                "served": served,
                "served_seconds": time.process_time() - start,
                "served_mb": peak() - raw,
            }
        )
    )


if __name__ == "__main__":
    main()
