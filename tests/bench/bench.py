"""Measure the study beside its peers and rewrite the tables: `make bench`.

``bench.py PEERS [PART ...]``: PEERS is the Python of .venv-bench; a PART is
one of the scripts below, and all by default. Each prints Markdown. Everything
runs on one core, one after the other; training runs again on all cores, and
the large verdict only there.
"""

import platform
import re
import sys
from datetime import date
from pathlib import Path

from runner import CORES, HERE, run

PAGE = HERE / "README.md"
PAGES = {  # where a part's table stands
    "training": PAGE,
    "step": PAGE,
    "windows": PAGE,
    "growth": PAGE,
    "large": PAGE,
    "scraping": PAGE,
    "cluster": PAGE,
    "skill": PAGE,
    "choices": HERE.parents[1] / "results" / "README.md",
    "elsewhere": HERE.parents[1] / "results" / "README.md",
}


def machine():
    """Date and processor, for the line under a table."""
    processor = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        processor = re.search(r"model name\s*: (.*)", info.read_text())[1]
    return f"{date.today()}, {processor}, {len(CORES)} cores."


def insert(page, name, text):
    """Replace what stands between a part's marks in a page."""
    start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, rest = page.read_text("utf-8").split(start)
    after = rest.split(end)[1]
    page.write_text(f"{before}{start}{text.strip()}\n{end}{after}", "utf-8")


def main(peers, *parts):
    """Measure each part and put its table where it stands."""
    for part in parts or PAGES:
        threads = len(CORES) if part in ("training", "large") else 1
        (text,) = run(f"{part}.py", peers, threads=threads)
        insert(PAGES[part], part, f"{text.strip()}\n\n{machine()}")


if __name__ == "__main__":
    main(*sys.argv[1:])
