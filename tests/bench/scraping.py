"""How long does a list of tickers take, and how politely is it asked?

`scraper.py --list` in a process of its own, against the loopback Yahoo of the
tests: every reply late by LATENCY, a share FAULTS of them no reply at all.
"""

import collections
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from runner import HERE, table

sys.path.insert(0, str(HERE.parent))

import yahoo_standin as upstream  # noqa: E402

TICKERS, LATENCY, FAULTS = 500, 0.1, 0.02
WRONG = [
    *map(upstream.status, (429, 500, 503)),
    *(upstream.reset, upstream.truncated, upstream.body("<html/>")),
]
AAPL = upstream.document(upstream.chart("AAPL", upstream.snapshot("AAPL")))


def reply(draw):
    """What answers a chart request: mostly AAPL's history by another name."""

    def answer(handler):
        if draw.random() < FAULTS:
            draw.choice(WRONG)(handler)
            return
        symbol = handler.path.partition("?")[0].rpartition("/")[2]
        mine = f'"symbol": "{symbol}"'.encode()
        handler.reply(AAPL.replace(b'"symbol": "AAPL"', mine))

    return answer


def measure(yahoo, folder, names):
    """Seconds, CPU seconds, requests and files saved of one run."""
    path = folder / "list.txt"
    path.write_text("\n".join(names), "utf-8")
    command = [sys.executable, HERE.parent / "yahoo_standin.py"]
    command += [str(yahoo.port), "--list", path, "--data", folder]
    command += ["--end", "2013-03-02"]
    yahoo.asked.clear()
    start = time.monotonic()
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(run.pid, 0)
    if status:
        raise SystemExit(f"{command} failed")
    times = yahoo.times()
    busiest = max(collections.Counter(map(int, times)).values(), default=0)
    return [
        f"{time.monotonic() - start:.0f}",
        f"{usage.ru_utime + usage.ru_stime:.0f}",
        *map(str, [len(times), busiest, len(list(folder.glob("*.csv")))]),
    ]


def main():
    names = [f"T{i:03}" for i in range(TICKERS)]
    with TemporaryDirectory() as folder, upstream.Yahoo() as yahoo:
        answer = reply(random.Random(0))
        yahoo.always = dict.fromkeys(names, answer)
        yahoo.latency = LATENCY
        rows = [
            [run, *measure(yahoo, Path(folder), names)]
            for run in ("the first time", "the same list again")
        ]
    header = ["Run", "Seconds", "CPU seconds", "Requests"]
    header += ["Most in a second", "Files"]
    print(table(header, rows))
    sessions = len(upstream.snapshot("AAPL"))
    print(
        f"\n{TICKERS} tickers of {sessions:,} sessions; a reply takes "
        f"{1000 * LATENCY:.0f} ms, and {100 * FAULTS:.0f} % are faults."
    )


if __name__ == "__main__":
    main()
