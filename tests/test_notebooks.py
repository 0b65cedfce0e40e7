"""Every notebook keeps the rules in habits.py, and nbval runs them all."""

import re
import subprocess
import sys

import habits
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbformat.v4 import new_output as output

ROOT = habits.ROOT
APPLICATION = {
    "EDA.ipynb": {"TICKER"},
    "predictor.ipynb": {"TICKER", "RESULTS"},
}
NOTEBOOKS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ["*.ipynb", "theory/*.ipynb"]
    for path in ROOT.glob(pattern)
)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_keeps_the_habits(name):
    assert not habits.faults(habits.read(ROOT / name))


@pytest.mark.parametrize("name", APPLICATION)
def test_papermill_finds_the_parameters(name):
    cells = habits.code_cells(habits.read(ROOT / name))
    (tagged,) = [
        c for c in cells if "parameters" in c.metadata.get("tags", [])
    ]
    assigned = re.findall(r"(?m)^([A-Z]+) = ", tagged.source)
    assert APPLICATION[name] <= set(assigned)
    assert 'TICKER = "AAPL"' in tagged.source


def test_nbval_collects_every_notebook():
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q"]
    command += ["--ignore-glob=*.py"]
    options = {"cwd": ROOT, "encoding": "utf-8"}
    listing = subprocess.run(command, stdout=subprocess.PIPE, **options).stdout
    assert set(re.findall(r"(?m)^(.+\.ipynb)::", listing)) == set(NOTEBOOKS)


# --- each rule rejects a bad notebook ---------------------------------------
def good():
    """A small notebook without a fault."""
    plot = {"image/png": "", "text/plain": "<Figure>"}
    cells = [
        new_code_cell("WEIGHT = 0.3"),
        new_markdown_cell("## What is the mean?"),
        new_code_cell("print(f'{mean:.2f}')"),
        new_code_cell("draw()\nplots.show(fig, 'T', 'x')"),
        new_code_cell("fit()", metadata={"tags": ["nbval-ignore-output"]}),
        new_code_cell("assert WEIGHT < 1"),
    ]
    cells[2].outputs = [output("stream", name="stdout", text="0.25\n")]
    cells[3].outputs = [output("display_data", plot)]
    for count, cell in enumerate([cells[0], *cells[2:]], 1):
        cell.execution_count = count
    return new_notebook(cells=cells)


def swap(old, new):
    """A fault made by replacing text in every cell."""

    def spoil(nb):
        for cell in nb.cells:
            cell.source = cell.source.replace(old, new)

    return spoil


def put(text, name="stdout"):
    """A fault in what a cell prints."""
    found = output("stream", name=name, text=text)
    return lambda nb: nb.cells[2].outputs.append(found)


def fail(nb):
    nb.cells[2].outputs.append(output("error", ename="E", evalue=""))


def count(number):
    return lambda nb: nb.cells[2].update(execution_count=number)


def tag(number, *tags):
    return lambda nb: nb.cells[number].metadata.update(tags=list(tags))


def say(text):
    """A sentence added to the prose."""
    return lambda nb: nb.cells[1].update(source=text)


BAD = [
    ("executed", count(7)),
    ("executed", count(None)),
    ("clean_outputs", fail),
    ("clean_outputs", put("careful", "stderr")),
    ("clean_outputs", put("Epoch 1/5")),
    ("clean_outputs", put(" 50%|#####     | 5/10")),
    ("portable_outputs", put("0.123456789")),
    ("portable_outputs", put("<Model object at 0x7f00aa>")),
    ("portable_outputs", put("saved in /tmp/xyz")),
    ("portable_outputs", put(r"saved in C:\Users\me")),
    ("compared_outputs", tag(2, "nbval-skip")),
    ("compared_outputs", tag(2, "raises-exception")),
    ("compared_outputs", swap("draw()", "draw()  # NBVAL_IGNORE_OUTPUT")),
    ("compared_outputs", swap("draw()", "warnings.simplefilter('ignore')")),
    ("compared_outputs", swap("assert WEIGHT < 1", "WEIGHT")),
    ("compared_outputs", tag(5, "nbval-ignore-output")),
    ("captions", swap("plots.show", "plots.caption")),
    ("captions", swap("plots.show(fig, 'T', 'x')", "'show()'")),
    ("prose_numbers", say("The mean is 0.250.")),
    ("prose_numbers", say("The mean is 0.2.")),
    ("prose_numbers", say("A rise of 25.0 %.")),
    ("prose_numbers", say("It is right 51 % of the time.")),
    ("prose_numbers", say("| model | RMSE |\n|-|-|\n| LSTM | 1.31 |")),
    ("prose_numbers", say("Between 0.25–0.28.")),
    ("prose_numbers", say("As much as 1,234.5 dollars.")),
]


@pytest.mark.parametrize(("name", "spoil"), BAD)
def test_rule_rejects_a_bad_notebook(name, spoil):
    nb = good()
    spoil(nb)
    assert {fault.partition(":")[0] for fault in habits.faults(nb)} == {name}


@pytest.mark.parametrize(
    "text",
    [
        "The mean is 0.25, a rise of 25 %.",  # printed as 0.25
        "The weight 0.3 is a parameter, 30 % of 1.",
        "At −0.25 the sign is free; so is (0.25).",
        "Where $p < 0.05$ and $$x = 1.5$$ are mathematics, `0.99` is code.",
        "See [there](https://example.org/v1.2), arXiv:1211.5063, in 1997.",
        "Exercise 2.3, equation (1.4) and Keras 3.15.1 are names.",
        "## Is 0.77 in a heading?",
        "```\n0.12\n```",
    ],
)
def test_a_good_notebook_has_no_faults(text):
    nb = good()
    say(text)(nb)
    assert not habits.faults(nb)


def test_caption_through_a_function_counts():
    nb = good()
    nb.cells[0].source += "\ndef draw():\n    plots.show(f, '', '')"
    nb.cells[3].source = "draw()"
    assert not habits.faults(nb)
