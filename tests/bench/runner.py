"""Scripts of this folder on one core or on all, and tables in Markdown."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PINS = hasattr(os, "sched_setaffinity")
CORES = sorted(os.sched_getaffinity(0)) if PINS else range(os.cpu_count())
POOLS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


def run(script, *arguments, python=sys.executable, copies=1, threads=1):
    """What each copy of a script prints, all run at once.

    ``threads``: how many cores the copies share.
    """
    print(script, *arguments, file=sys.stderr)
    if PINS:  # children inherit it
        os.sched_setaffinity(0, CORES[-threads:])
    running = [
        subprocess.Popen(
            [python, HERE / script, *arguments],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | dict.fromkeys(POOLS, str(threads // copies)),
        )
        for _ in range(copies)
    ]
    printed = [one.communicate()[0] for one in running]
    if any(one.returncode for one in running):
        raise SystemExit(f"{script} failed")
    return printed


def table(header, rows):
    """A Markdown table; all columns but the first are right-aligned."""
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
