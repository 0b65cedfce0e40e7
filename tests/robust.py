"""Do the notebooks' claims hold in another draw?

    make robust
    python tests/robust.py theory/2 --kinds seeds

A committed notebook shows one draw: one processor's rounding, one set of
seeds. This runs every notebook that trains anything again, three times each
with its initial weights nudged by a millionth, with other seeds, and with
older instruction sets, and lists the cells that raise, and those whose
output no longer equals the stored one although nbval compares it. What must
hold is in tests/README.md. A notebook never runs in this tree: each draw
has a copy, whose modules are hooked so that joblib's workers draw alike.
"""

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from datetime import date
from importlib.metadata import version
from pathlib import Path

from habits import ROOT, code_cells, ignored, read
from nbclient import NotebookClient

NOTEBOOKS = [
    *sorted(path.relative_to(ROOT) for path in ROOT.glob("theory/*.ipynb")),
    Path("predictor.ipynb"),
]
DRAWS = 3
COPIED = ["data", "forecasting", "results", "theory"]

# An exercise names its seed, and its solution answers for that one.
NOT_WITH = {"seeds": {"solutions"}}

# Python imports a module of this name at its start, in workers too.
SITECUSTOMIZE = '''
import functools
import os
import zlib
from pathlib import Path

import numpy as np

KIND, NUMBER = os.environ["ROBUST"].split()
FIRST = np.random.default_rng


def used():
    """Leave a mark: the hook reached the notebook."""
    Path(__file__).with_name("used").touch()


def nudge(w):
    """w, every entry moved by a millionth: equal weights stay equal."""
    w = np.asarray(w)
    rng = FIRST([int(NUMBER), zlib.crc32(w.tobytes())])
    return (w * (1 + 1e-6 * rng.standard_normal(w.shape))).astype(w.dtype)


def nudged(draw):
    """A function that draws weights, its result moved by a millionth."""

    @functools.wraps(draw)
    def wrapped(*args, **kwargs):
        weights = draw(*args, **kwargs)
        if KIND != "weights":
            return weights
        used()
        several = isinstance(weights, tuple)
        return tuple(map(nudge, weights)) if several else nudge(weights)

    return wrapped


def shifted(seeded):
    """A function of a seed, called with another one."""

    @functools.wraps(seeded)
    def wrapped(seed=None):
        if KIND != "seeds" or not isinstance(seed, int | np.integer):
            return seeded(seed)
        used()
        return seeded(seed + 100 * int(NUMBER))

    return wrapped


np.random.default_rng = shifted(FIRST)
'''

# Appended to the copies; a name that has gone raises in every notebook.
HOOKS = {
    "theory/training.py": "initial_weights = nudged(initial_weights)",
    "theory/tasks.py": "random_rnn = nudged(random_rnn)",
    "theory/practice.py": """
pytorch_weights = nudged(pytorch_weights)
STARTS["PyTorch"] = pytorch_weights
""",
    "forecasting/models/backend.py": """
for kind in ("VarianceScaling", "Orthogonal"):
    kind = getattr(keras.initializers, kind)
    kind.__call__ = nudged(kind.__call__)
keras.utils.set_random_seed = shifted(keras.utils.set_random_seed)
""",
}

# Older processors: the widest instructions XLA, oneDNN (TensorFlow outside
# XLA), OpenBLAS and NumPy's own loops may use.
PROCESSORS = [
    {
        "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell",
        "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    },
    {
        "XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "OPENBLAS_CORETYPE": "Nehalem",
        "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
    },
    {
        "XLA_FLAGS": "--xla_cpu_max_isa=AVX",
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "OPENBLAS_CORETYPE": "Sandybridge",
    },
]

# Prints a number that depends on every bit of a little arithmetic.
PROBE = """
import numpy as np
from forecasting.models.backend import keras
rng = np.random.default_rng(0)
x, a = rng.normal(size=(512, 16, 1)), rng.normal(size=(64, 64))
parts = [a @ a, np.linalg.qr(a[:16, :16])[0], np.exp(a), np.log(np.abs(a))]
parts += [np.tanh(a), np.tanh(a.astype("float32"))]
for jit in (True, False):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.LSTM(16), keras.layers.Dense(1)])
    model.compile("adam", "mse", jit_compile=jit)
    model.fit(x, x[:, -1], batch_size=128, verbose=0)
    parts += model.get_weights()
print(hash(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)))
"""


def main() -> int:
    """Run all draws of the notebooks named and print what failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="starts of paths")
    parser.add_argument("--kinds", nargs="*", help="weights seeds processor")
    given = parser.parse_args()
    names = tuple(given.names) or ("",)
    chosen = [n for n in NOTEBOOKS if n.as_posix().startswith(names)]
    if not chosen:
        parser.error(f"no notebook starts with {' or '.join(names)}")
    draws = {"weights": [{}] * DRAWS, "seeds": [{}] * DRAWS}
    kinds = given.kinds or [*draws, "processor"]
    if "processor" in kinds:
        draws["processor"] = list(filter(None, map(effective, PROCESSORS)))
    failed, cells = defaultdict(list), Counter()
    for kind in kinds:
        for number, switches in enumerate(draws[kind], 1):
            for name in chosen:
                if name.stem in NOT_WITH.get(kind, ()):
                    continue
                start = time.perf_counter()
                faults, count = run(name, kind, number, switches)
                cells[name, kind] += 1
                for fault in faults:
                    failed[name, kind, *fault].append(number)
                took = time.perf_counter() - start
                print(
                    f"{name} {kind} {number}: {len(faults)} of {count} "
                    f"cells, {took:.0f} s",
                    *faults,
                    sep="\n  ",
                    file=sys.stderr,
                )
    print(f"{machine()}\n")
    print("| notebook | kind | draws | cells that failed in any |")
    print("|---|---|---:|---:|")
    for (name, kind), n in sorted(cells.items()):
        bad = sum(key[:2] == (name, kind) for key in failed)
        print(f"| {name} | {kind} | {n} | {bad} |")
    if failed:
        print("\n| notebook | kind | cell | failed | in draws |")
        print("|---|---|---|---|---|")
    for (name, kind, cell, what), numbers in sorted(failed.items()):
        print(f"| {name} | {kind} | {cell} | {what} | {numbers} |")
    return bool(failed)


def machine() -> str:
    """Date, processor and versions."""
    processor = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        text = info.read_text(encoding="utf-8")
        processor = re.search(r"model name\s*: (.*)", text)[1]
    names = "numpy", "scipy", "tensorflow", "keras"
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    python = platform.python_version()
    return f"{date.today()}, {processor}, Python {python}, {versions}."


def effective(switches: dict) -> dict:
    """The switches that change any bit on this processor."""
    ours = probe({})
    kept = {k: v for k, v in switches.items() if probe({k: v}) != ours}
    for name in switches.keys() - kept.keys():
        print(f"{name}={switches[name]} changes nothing here", file=sys.stderr)
    return kept


def probe(switches: dict) -> str:
    """What PROBE prints in an environment with these switches."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"}
    command = [sys.executable, "-c", PROBE]
    return subprocess.check_output(command, env=env | switches, text=True)


def run(name: Path, kind: str, number: int, switches: dict) -> tuple:
    """Execute a notebook in one draw → [(cell, fault)], cells compared."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "copy")  # a path without the symbolic links
        for part in COPIED:
            shutil.copytree(ROOT / part, copy / part)
        shutil.copy(ROOT / "predictor.ipynb", copy)
        write = {"encoding": "utf-8"}
        (copy / "sitecustomize.py").write_text(SITECUSTOMIZE, **write)
        for path, lines in HOOKS.items():
            with (copy / path).open("a", **write) as file:
                file.write("\n\nfrom sitecustomize import nudged, shifted\n")
                file.write(lines + "\n")
        nb = read(copy / name)
        stored = [compared(cell) for cell in code_cells(nb)]
        env = os.environ | switches | {"ROBUST": f"{kind} {number}"}
        env |= {"PYTHONPATH": str(copy)}
        env |= {"FORECASTING_DATA": str(copy / "data" / "snapshot")}
        at = {"metadata": {"path": copy / name.parent}}
        options = {"timeout": 1200, "allow_errors": True, "resources": at}
        options["extra_arguments"] = ["--log-level=CRITICAL"]
        client = NotebookClient(nb, kernel_name="python3", **options)
        client.execute(env=env)
        if kind != "processor" and not (copy / "used").exists():
            raise RuntimeError(f"{name}: no hook of {kind} was reached")
    faults = []
    for i, (cell, old) in enumerate(zip(code_cells(nb), stored, strict=True)):
        title = f"{i} `{cell.source.splitlines()[0]}`"
        errors = [o for o in cell.outputs if o.output_type == "error"]
        if errors:
            faults.append((title, errors[0].ename))
        elif compared(cell) != old:
            faults.append((title, "output"))
            if os.environ.get("VERBOSE"):
                texts = title, old, compared(cell)
                print(*texts, sep="\n---\n", file=sys.stderr)
    return faults, len(stored)


def compared(cell) -> str:
    """What nbval would compare of a cell's outputs: text, no images."""
    if ignored(cell):
        return ""
    streams, data = "", []
    for output in cell.outputs:
        streams += output.get("text", "")
        for kind, value in sorted(output.get("data", {}).items()):
            data += [value] if kind.startswith("text/") else []
    return "\n".join([streams, *data])


if __name__ == "__main__":
    sys.exit(main())
