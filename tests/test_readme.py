"""The README says what the committed results say."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from urllib.parse import unquote

import habits
import pandas as pd
import pytest

from forecasting.evaluation.verdict import POOLED
from forecasting.models.registry import NETWORKS
from forecasting.pages.plots import NAMES

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
COLUMNS = {
    "CRPS 1": ("crps_vs_rw", 1),
    "CRPS 5": ("crps_vs_rw", 5),
    "CRPS 20": ("crps_vs_rw", 20),
    "QLIKE 1": ("qlike", 1),
}
PAGES = ["README.md", "results/README.md", "results/design-log.md"]
PAGES += ["tests/README.md", "tests/bench/README.md", "theory/README.md"]
PAGES += sorted(
    path.relative_to(ROOT).as_posix()
    for path in [*ROOT.glob("*.ipynb"), *ROOT.glob("theory/*.ipynb")]
)
LABELS = {label: model for model, label in NAMES.items()}
SUMMARY = pd.read_csv(ROOT / "results" / "verdict-summary.csv")
ROWS = SUMMARY.set_index(["ticker", "model", "horizon"]).sort_index()
POOL = ROWS.loc[POOLED]


def table():
    """The README's table, ``{label: [cells]}``."""
    rows = re.findall(r"(?m)^\| (.+) \|$", TEXT)
    cells = [[c.strip(" *") for c in row.split("|")] for row in rows]
    return {row[0]: row[1:] for row in cells if row[0] in LABELS}


def test_the_table_says_what_the_verdict_says():
    """The baseline stands first, and every network is there."""
    for label, cells in table().items():
        numbers = [
            POOL.loc[(LABELS[label], h), c] for c, h in COLUMNS.values()
        ]
        assert cells == [f"{number:.3f}" for number in numbers]
    assert next(iter(table())) == "as today (random walk)"
    assert {*NETWORKS} < {LABELS[label] for label in table()}
    assert {*LABELS.values()} == {*POOL.index.get_level_values("model")}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_leads_somewhere(page):
    """To a file that is there and, of a page, to one of its headings."""
    links = re.findall(r"\]\((?!http)([^)\s]+)\)", markdown(ROOT / page))
    assert links or page.endswith(".ipynb")
    for link in links:
        name, _, anchor = link.partition("#")
        target = (ROOT / page).parent / name if name else ROOT / page
        assert target.exists(), link
        if anchor:
            titles = re.findall(r"(?m)^#+ (.+)", markdown(target))
            if target.suffix == ".ipynb":  # Jupyter keeps its marks
                anchor = slug(unquote(anchor))
            assert anchor in map(slug, titles), link


def markdown(path):
    """The prose of a page or notebook."""
    if path.suffix != ".ipynb":
        return path.read_text("utf-8")
    cells = habits.markdown_cells(habits.read(path))
    return "\n".join(cell.source for cell in cells)


def slug(title):
    """GitHub's anchor of a heading."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def test_every_file_named_exists():
    named = re.findall(r"(?m)^\| `([^`*]+)` \|", TEXT)
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).exists()] == []


def gained(row):
    """A gain in CRPS with its interval, as the pages have it."""
    return f"{row.gain_crps:+.2f} [{row.low_crps:+.2f}, {row.high_crps:+.2f}]"


def test_the_verdict_in_words_is_the_verdict_in_numbers():
    lstm = [POOL.loc[("LSTM", h)] for h in (1, 5, 20)]
    assert {row["against"] for row in lstm} == {"Linear"}
    one, five, twenty = map(gained, lstm)
    text = " ".join(TEXT.split())
    assert (
        f"the LSTM gains {one} % of CRPS one session ahead, {five} % five and "
        f"{twenty} % twenty ahead: no difference is reliable"
    ) in text
    assert min(row["p_crps_holm"] for row in lstm) > 0.05
    assert said(r"\(p = (\d\.\d+) one") == f"{lstm[0]['p_crps_holm']:.3f}"
    walk = POOL["crps_vs_rw"].unstack("model")
    closes = {"RandomWalk", "Drift", "EWMA", "Climatology", "GARCH"}
    ranges = set(walk) - closes - {"LongClimatology"}
    assert (walk.loc[1, [*ranges]] < 0.9605).all()
    pool = POOL["crps"].unstack("model")
    assert (pool["LSTM"] < pool["PoolLinear"])[[1, 5]].all()
    held = [f"{100 * row['cover_80']:.0f}" for row in lstm]
    assert said(r"held (\d+), (\d+) and (\d+) % of") == tuple(held)
    u = POOL["theil_u"].unstack("model").loc[1]
    assert (u - 1).abs().max() < 0.002


def said(pattern):
    """What stands in the README's one place of a pattern."""
    (found,) = re.findall(pattern, TEXT)
    return found


def test_the_tutorials_network_is_that_of_the_notebook():
    notebook = habits.read(ROOT / "predictor.ipynb")
    (text,) = [
        habits.output_text(cell)
        for cell in habits.code_cells(notebook)
        if "Theil's U" in cell.source and "point = " in cell.source
    ]
    (u,) = re.findall(r"network +[\d.]+ +(\d+\.\d+)", text)
    assert said(r"Theil's U is (\d\.\d),") == f"{float(u):.1f}"


def test_the_gains_by_stock_are_those_of_the_verdict():
    page = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    found = re.findall(r"(?m)^\| ([A-Z]+) \| ([-+]\d.*) \|$", page)
    assert [ticker for ticker, _ in found] == ["AAPL", "GOOG", "IBM", "MSFT"]
    for ticker, row in found:
        cells = []
        for h in (1, 5, 20):
            lstm = ROWS.loc[ticker, "LSTM", h]
            assert lstm["against"] == "Linear"
            cells += [gained(lstm), f"{lstm['p_crps_holm']:.3f}"]
        assert row.split(" | ") == cells


def test_the_wheel_asks_for_what_requirements_pin():
    """And for everything that the package imports."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    asked = {d.partition(">=")[0] for d in project["project"]["dependencies"]}
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    pinned = {line.partition("==")[0] for line in lines if "==" in line}
    assert asked <= pinned
    distributions = packages_distributions()
    files = [*(ROOT / "forecasting").rglob("*.py"), ROOT / "scraper.py"]
    found = {
        getattr(node, "module", alias.name).partition(".")[0]
        for file in files
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    foreign = found - set(sys.stdlib_module_names) - {"forecasting", "scraper"}
    # nbformat comes with nbconvert, distributed with the extra "cluster".
    for module in foreign - {"nbformat", "distributed"}:
        assert asked & set(distributions[module]), module


def make(folder, *typed, **environment):
    """What make says on stderr in a copy of the repository's set-up."""
    for file in ("Makefile", "requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / file, folder)
    kept = {"cwd": folder, "env": environment, "text": True}
    done = subprocess.run(["make", *typed], capture_output=True, **kept)
    assert done.returncode != 0
    return done.stderr


def script(path, line):
    """A program of one line, for the shell."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{line}\n", "utf-8")
    path.chmod(0o755)


@pytest.mark.skipif(not shutil.which("make"), reason="make is not here")
@pytest.mark.parametrize("target", ["study", "forecast"])
def test_a_ticker_is_no_command(tmp_path, target):
    """The shell never reads it; the program refuses it."""
    script(tmp_path / ".venv/bin/python", f'exec "{sys.executable}" "$@"')
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ticker = "TICKER=x'; touch pwned; '\"; touch pwned"
    error = make(tmp_path, target, ticker, "-o.venv/ready", **environment)
    assert "not a Yahoo symbol" in error
    assert not (tmp_path / "pwned").exists()


@pytest.mark.skipif(not shutil.which("make"), reason="make is not here")
@pytest.mark.parametrize("found", ["3.10", "3.14", ""])
def test_a_python_that_will_not_do_is_named(tmp_path, found):
    """Before pip, in one line, with what brings another."""
    (tools := tmp_path / "bin").mkdir()
    for tool in ("make", "sh"):
        (tools / tool).symlink_to(shutil.which(tool))
    if found:  # one that says its version, whatever it is asked
        script(tools / "python3", f"echo {found}")
    error = make(tmp_path, "study", PATH=str(tools))
    line, _ = error.splitlines()  # the other is make's own
    assert line.startswith("Python 3.11, 3.12 or 3.13 is needed (here: ")
    assert (f"python3 is {found}," if found else "none,") in line
    assert "uv python install 3.13" in line


def test_what_many_stocks_are_worth_is_what_the_experiment_found():
    """The rows of README are those of the page that the command printed."""
    page = (ROOT / "results" / "pool" / "README.md").read_text("utf-8")
    page = page.partition("**1024 stocks**")[2].partition("**1024t")[0]
    rows = dict(re.findall(r"(?m)^\| (\S+ over \S+) \| (.+) \|$", page))
    cells = {name: row.split(" | ") for name, row in rows.items()}
    gains = {name: row[1:3] for name, row in cells.items()}
    said = re.findall(r"(?m)^\| [^|]+ \| (.*\+0.+) \|$", TEXT)
    said = [
        row.replace("*", "").replace("<br>", " ").split(" | ") for row in said
    ]
    assert said == [gains[f"{arm} over A"] for arm in ("B", "D", "C", "FC")]
    (text,) = re.findall(r"What the memory adds.+?every number", TEXT, re.S)
    text = " ".join(text.split())
    one, five = gains["D over B"]
    assert f": {one} one session ahead, {five} five ahead" in text
    assert f"it is {cells['D over B'][0]} one session ahead" in text
    low, high = re.findall(r"-(0\.\d+)", gains["D over FC"][0])[1:][::-1]
    mean = gains["D over FC"][0].split()[0].lstrip("-")
    assert f"beat it, by {mean} [{low}, {high}]" in text
    raw = gains["D' over B'"][0]
    assert f"itself: {raw} over the same" in text
