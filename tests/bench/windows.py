"""Windows of 500 tickers, 13 years, 60 sessions, 3 features.

Prints seconds and peak memory over the raw series, first of making the
windows, then of serving a whole epoch of them in shuffled batches.
"""

import resource
import time

import numpy as np
from runner import table

from forecasting.models.networks import batches
from forecasting.settings import STUDY
from forecasting.windows import make_windows

TICKERS, ROWS, FEATURES = 500, 13 * 252, 3


def peak():
    """Most memory this process ever held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def serve(rows, ends):
    """How many windows an epoch serves."""
    shape = STUDY.lookback, STUDY.batch, len(ends)
    return sum(len(x) for x, _ in batches(rows, rows, ends, *shape, shuffle=0))


def main():
    series = np.random.default_rng(0).normal(size=(TICKERS, ROWS, FEATURES))
    series = series.astype(np.float32)
    last = np.arange(STUDY.lookback - 1, ROWS)
    serve(series[0], last)  # TensorFlow's own memory is not the windows'
    raw, seconds = peak(), []
    for _ in range(5):
        start = time.process_time()
        windows = [make_windows(one, STUDY.lookback) for one in series]
        seconds.append(time.process_time() - start)
    made = peak()
    ends = (np.arange(TICKERS)[:, None] * ROWS + last).ravel()
    start = time.process_time()
    serve(series.reshape(-1, FEATURES), ends)
    served = time.process_time() - start
    copied = sum(one.nbytes for one in windows) / 1e6
    rows = [
        ["the raw series", "", f"{series.nbytes / 1e6:,.0f}"],
        ["making every window", f"{np.median(seconds):.3f}"]
        + [f"+{made - raw:,.0f}"],
        ["serving each once, shuffled, in batches", f"{served:.1f}"]
        + [f"+{peak() - raw:,.0f}"],
        ["(all windows, were they copied)", "", f"{copied:,.0f}"],
    ]
    print(table([f"{len(ends):,} windows", "Seconds", "Memory (MB)"], rows))


if __name__ == "__main__":
    main()
