"""Measure the study beside its peers and rewrite README.md: `make bench`.

``bench.py PEERS [PART ...]``: PEERS is the Python of .venv-bench; a PART is
training, windows, growth, skill or choices, and all by default. Everything
runs on one core, one after the other; training runs again on all cores.
"""

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from datetime import date
from importlib.metadata import version
from pathlib import Path

# Before NumPy, whose own products are timed on one core.
os.environ["OMP_NUM_THREADS"] = "1"

import time  # noqa: E402

import numpy as np  # noqa: E402

HERE = Path(__file__).parent
CONTENDERS = {
    "study": "this study",
    "keras": "plain Keras, batch 32",
    "torch": "torch.nn.LSTM, batch 32",
    "torch-256": "torch.nn.LSTM, batch 256",
    "neuralforecast": "neuralforecast LSTM, batch 32",
}
POOLS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
CPU, WALL = 1, 2  # where an epoch's seconds are, after its loss
PARTS = ("training", "windows", "growth", "skill", "choices")
CLOSE = 1.005  # a validation loss within 0.5 % counts as the same


def cores():
    """The processor's cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count()))


CORES = cores()


def measured(python, script, *arguments, copies=1, threads=1):
    """What a script of this folder prints as JSON in its last line.

    A list, as several copies may run at once. ``threads``: how many cores
    they share.
    """
    print(script, *arguments, flush=True)
    if hasattr(os, "sched_setaffinity"):  # children inherit it
        os.sched_setaffinity(0, CORES[-threads:])
    running = [
        subprocess.Popen(
            [python, HERE / script, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | dict.fromkeys(POOLS, str(threads // copies)),
        )
        for _ in range(copies)
    ]
    printed = []
    for run in running:
        out, errors = run.communicate()
        if run.returncode:
            raise SystemExit(errors)
        printed.append(json.loads(out.splitlines()[-1]))
    return printed


def table(header, rows):
    """A Markdown table; all columns but the first are right-aligned."""
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def matmul_rate():
    """Floating-point operations a second of a large matrix product."""
    a = np.random.default_rng(0).random((1024, 1024), dtype=np.float32)
    seconds = []
    for _ in range(10):
        start = time.process_time()
        a @ a
        seconds.append(time.process_time() - start)
    return 2 * 1024**3 / np.median(seconds)


def training(peers):
    """Windows a second of the study's training and of its peers'."""
    rows, rate = [], matmul_rate()
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/data.npz"
        subprocess.run(
            [sys.executable, HERE / "training.py", "data", "LSTM", file],
            check=True,
        )
        data = np.load(file)
        for kind in ("LSTM", "BiLSTM"):
            alone, together = {}, {}
            for name in CONTENDERS:
                if name == "neuralforecast" and kind == "BiLSTM":
                    continue  # it has none
                own = name in ("study", "keras")
                script = (
                    sys.executable if own else peers,
                    "training.py" if own else "peer_training.py",
                    *(name, kind, file),
                )
                (alone[name],) = measured(*script)
                # The study trains one seed a core, the others one on all.
                copies = len(CORES) if name == "study" else 1
                runs = measured(*script, copies=copies, threads=len(CORES))
                together[name] = sum(speed(run, WALL) for run in runs)
            rows += training_rows(kind, alone, together)
            inputs = data["rows"].shape[1] + data["units"]
            cells = data["lookback"] * 4 * data["units"] * inputs
            operations = 2 * 3 * cells * (2 if kind == "BiLSTM" else 1)
            floor = rate / operations
            ours = speed(alone["study"])
            rows.append(
                [kind, "arithmetic floor", f"{floor:,.0f}"]
                + [f"{ours / floor:.2f}", "", "", "", ""]
            )
    header = ["Network", "Trained by", "Windows/s, one core", "Study is ×"]
    header += [f"Windows/s, {len(CORES)} cores", "Study is ×"]
    header += ["Validation loss", "Seconds to the study's loss"]
    sizes = f"{len(data['training']):,} windows of {data['lookback']} × "
    sizes += f"{data['rows'].shape[1]}, {data['units']} units; large "
    sizes += f"matrices are multiplied at {rate / 1e9:.0f} GFLOP/s."
    return f"{table(header, rows)}\n\n{sizes}"


def training_rows(kind, alone, together):
    """Rows of the table for one kind of network."""
    best = min(loss for loss, *_ in alone["study"][1])
    rows = []
    for name, run in alone.items():
        losses = [loss for loss, *_ in run[1]]
        loss = reached = "its own"
        if None not in losses:
            loss = f"{min(losses):.4f} ({min(losses) / best - 1:+.1%})"
            epoch = np.median([epoch[CPU] for epoch in run[1][1:]])
            there = [k for k, v in enumerate(losses) if v <= CLOSE * best]
            reached = f"{(there[0] + 1) * epoch:.1f}" if there else "never"
        rows.append(
            [kind, CONTENDERS[name], f"{speed(run):,.0f}"]
            + [f"{speed(alone['study']) / speed(run):.1f}"]
            + [f"{together[name]:,.0f}"]
            + [f"{together['study'] / together[name]:.1f}"]
            + [loss, reached]
        )
    return rows


def speed(run, clock=CPU):
    """Windows a second: the median epoch, the first (it compiles) not."""
    windows, epochs = run
    return windows / np.median([epoch[clock] for epoch in epochs[1:]])


def windows(_):
    """Time and memory of making and serving many windows."""
    (got,) = measured(sys.executable, "windows.py")
    seconds = np.median(got["seconds"])
    rows = [
        ["the raw series", "", f"{got['raw_mb']:,.0f}"],
        ["making every window", f"{seconds:.3f}", f"+{got['made_mb']:,.0f}"],
        [
            "serving each once, shuffled, in batches",
            f"{got['served_seconds']:.1f}",
            f"+{got['served_mb']:,.0f}",
        ],
        ["(all windows, were they copied)", "", f"{got['copied_mb']:,.0f}"],
    ]
    header = [f"{got['windows']:,} windows", "Seconds", "Memory (MB)"]
    return table(header, rows)


def growth(_):
    """Time and peak memory of the command for more and more tickers."""
    (got,) = measured(sys.executable, "growth.py", str(HERE / "growth.png"))
    rows = [
        [str(tickers), f"{seconds:.0f}", f"{seconds / tickers:.1f}"]
        + [f"{memory:,.0f}"]
        for tickers, seconds, memory in got["runs"]
    ]
    header = ["Tickers", "Seconds", "Seconds a ticker", "Peak memory (MB)"]
    ran = f"`python -m forecasting {' '.join(got['options'])}`, "
    ran += f"{got['rows']} sessions a ticker."
    return f"{table(header, rows)}\n\n{ran}"


def scores(rows):
    """Rows of a summary as ``{model: {horizon: row}}``."""
    by_model = {}
    for row in rows:
        by_model.setdefault(row["model"], {})[row["horizon"]] = row
    return by_model


def skill(peers):
    """Scores of study, baselines and peers on one test year."""
    (got,) = measured(sys.executable, "skill.py", peers)
    by_model = scores(got["rows"])
    rows = []
    for model, by_horizon in by_model.items():
        cells = [
            f"{by_horizon[h][column]:.3f}"
            for column in ("theil_u", "crps_vs_rw")
            for h in by_horizon
        ]
        rows.append([model, *cells, f"{got['seconds'][model]:.1f}"])
    header = ["Model", "U 1", "U 5", "U 20", "CRPS 1", "CRPS 5", "CRPS 20"]
    hour = {
        kind: f"{3600 * len(got['tickers']) / got['seconds'][kind]:,.0f}"
        for kind in ("LSTM", "BiLSTM")
    }
    text = f"Test rows: {' to '.join(got['dates'])}, "
    text += f"{', '.join(got['tickers'])}.\n\nA core does {hour['LSTM']} "
    text += "tickers × folds × seeds an hour with the LSTM, "
    text += f"{hour['BiLSTM']} with the BiLSTM."
    return f"{table([*header, 'Seconds'], rows)}\n\n{text}"


def choices(_):
    """What other settings score before the first test fold."""
    (got,) = measured(sys.executable, "choices.py")
    by_model = scores(got["rows"])
    garch = by_model.pop("GARCH")
    rows = []
    for model, by_horizon in by_model.items():
        change = [
            f"{row['crps_vs_rw'] / garch[h]['crps_vs_rw'] - 1:+.2%}"
            for h, row in by_horizon.items()
        ]
        tests = [f"{row['dm_crps']:.1f}" for row in by_horizon.values()]
        points = [f"{row['theil_u']:.3f}" for row in by_horizon.values()]
        if model != "RandomWalk":
            rows.append([model, *change, *tests, *points])
    header = [f"{name} {h}" for name in ("CRPS", "DM", "U") for h in garch]
    ran = f"Test years {' to '.join(got['dates'])}, {got['seeds']} seeds."
    return f"{table(['Setting', *header], rows)}\n\n{ran}"


def machine():
    """Date, processor and versions."""
    processor = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        processor = re.search(r"model name\s*: (.*)", info.read_text())[1]
    ours = [f"{p} {version(p)}" for p in ("keras", "tensorflow", "numpy")]
    pins = (HERE / "requirements.txt").read_text()
    theirs = [" ".join(p) for p in re.findall(r"^(\w+)==(\S+)", pins, re.M)]
    return (
        f"{date.today()}, {processor}, {len(CORES)} cores, Python "
        f"{platform.python_version()}, {', '.join(ours + theirs)}."
    )


def main(peers, *parts):
    """Measure each part and put it between its marks in README.md."""
    for part in parts or PARTS:
        insert(part, globals()[part](peers))
        insert("machine", machine())


def insert(name, text):
    """Replace what stands between a part's marks in README.md."""
    readme = HERE / "README.md"
    start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, rest = readme.read_text().split(start)
    after = rest.split(end)[1]
    readme.write_text(f"{before}{start}{text}\n{end}{after}")


if __name__ == "__main__":
    main(*sys.argv[1:])
