"""Every notebook keeps the habits in habits.py, and nbval runs them all."""

import ast
import subprocess
import sys

import habits
import pytest
from nbformat.v4 import (
    new_code_cell,
    new_markdown_cell,
    new_notebook,
    new_output,
)

ROOT = habits.ROOT
APPLICATION = {
    "EDA.ipynb": {"TICKER"},
    "predictor.ipynb": {"TICKER", "RESULTS"},
}
NOTES = [
    "theory/1-recurrent-networks.ipynb",
    "theory/2-lstm.ipynb",
    "theory/3-bidirectional-lstm.ipynb",
    "theory/4-honest-forecasting.ipynb",
]
NOTEBOOKS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ["*.ipynb", "theory/*.ipynb"]
    for path in ROOT.glob(pattern)
)
# Worked solutions answer the exercises one by one: no question and answer of
# their own, little prose, and a solution is as long as it must be.
EXEMPT = {
    "theory/solutions.ipynb": {
        *["opening", "setup", "questions", "closing"],
        *["cell_lengths", "prose_before_code", "words"],
    }
}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_keeps_the_habits(name):
    nb = habits.read(ROOT / name)
    assert not habits.faults(nb, EXEMPT.get(name, ()))


@pytest.mark.parametrize(
    "name",
    ["README.md", "requirements.txt", "scraper.py", "data/README.md"]
    + ["theory/README.md", "tests/test_notebooks.py", *APPLICATION, *NOTES],
)
def test_top_level_is_complete(name):
    assert (ROOT / name).is_file()


@pytest.mark.parametrize("name", APPLICATION)
def test_papermill_finds_the_parameters(name):
    tagged = [
        cell
        for cell in habits.read(ROOT / name).cells
        if "parameters" in cell.metadata.get("tags", [])
    ]
    assert len(tagged) == 1
    assigned = {
        target.id: node.value.value
        for node in habits.tree(tagged[0]).body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        for target in node.targets
    }
    assert APPLICATION[name] <= assigned.keys()
    assert assigned["TICKER"] == "AAPL"


def test_nbval_collects_every_code_cell():
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q"]
    listing = subprocess.run(
        [*command, "--ignore-glob=*.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    wanted = {
        f"{name}::Cell {number}"
        for name in NOTEBOOKS
        for number, _ in enumerate(habits.code_cells(habits.read(ROOT / name)))
    }
    assert {line for line in listing if ".ipynb::" in line} == wanted


# --- each rule rejects a bad notebook --------------------------------------
PROSE = " ".join(["word"] * 45)
OPENING = """\
# A made-up notebook

**Question.** Does each rule see a fault?

**Answer.** It does.

**You need** nothing.
"""
CLOSING = """\
## Takeaways

1. The mean is 0.25.
2. There were 3 rows.
3. A third attempt failed.

**Next**: nothing.
"""


def code(source, *outputs, tags=()):
    metadata = {"tags": list(tags)} if tags else {}
    return new_code_cell(source, outputs=list(outputs), metadata=metadata)


def printed(text, name="stdout"):
    return new_output("stream", name=name, text=text)


def figure():
    return new_output("display_data", {"image/png": "", "text/plain": "<F>"})


def good():
    """A small notebook that keeps every habit."""
    cells = [
        new_markdown_cell(OPENING + PROSE),
        code("import numpy as np\n\nWEIGHT = 0.3"),
        new_markdown_cell("## What is the mean?\n\n" + PROSE),
        code("print(f'{mean:.2f}')", printed("0.25\n")),
        new_markdown_cell(PROSE),
        code("draw()\nplots.caption(fig, 'T', 'x')", figure()),
        new_markdown_cell(PROSE),
        code("fit()", printed("0.71\n"), tags=["nbval-ignore-output"]),
        new_markdown_cell(PROSE),
        code("assert WEIGHT < 1"),
        new_markdown_cell(CLOSING),
    ]
    nb = new_notebook(cells=cells)
    for count, cell in enumerate(habits.code_cells(nb), 1):
        cell.execution_count = count
    return nb


def prose(old, new):
    """A fault made by replacing text in every cell."""

    def change(nb):
        for cell in nb.cells:
            cell.source = cell.source.replace(old, new)

    return change


def output(*outputs):
    """A fault in the output of the third code cell."""
    return lambda nb: nb.cells[5].outputs.extend(outputs)


def drop(*numbers):
    """A fault made by leaving cells out."""

    def change(nb):
        nb.cells = [c for i, c in enumerate(nb.cells) if i not in numbers]

    return change


def tag(*tags):
    return lambda nb: nb.cells[9].metadata.update(tags=list(tags))


def count(number):
    return lambda nb: nb.cells[3].update(execution_count=number)


def lengthen(nb):
    for cell in nb.cells:
        cell.source += "\n" + "a\n" * 6


def claim(text):
    """A sentence added to the prose."""

    def change(nb):
        nb.cells[4].source += "\n\n" + text

    return change


BAD = [
    ("opening", prose("# A made", "A made")),
    ("opening", prose("## What", "# What")),
    ("opening", prose("fault?", "fault.")),
    ("opening", prose("**Answer.** It does.\n\n**You need** nothing.", "")),
    ("opening", prose("You need", "You want")),
    ("opening", drop(0)),
    ("setup", prose("draw()", "import keras")),
    ("setup", drop(1)),
    ("questions", prose("mean?", "mean")),
    ("questions", prose("## Takeaways", "## Data\n\n## Takeaways?")),
    ("closing", prose("3. A third", "A third")),
    ("closing", prose("3. A", "3. A\n4. B\n5. C\n6. D")),
    ("closing", lambda nb: prose("0.25", "low")(nb) or prose("3 r", "r")(nb)),
    ("closing", prose("**Next**", "Next")),
    ("closing", drop(10)),
    ("cell_lengths", prose("draw()", "draw()\n" * 20)),
    ("cell_lengths", prose("draw()", "draw()\n" * 18)),
    (
        "cell_lengths",
        lambda nb: [c.update(source="a\n" * 6) for c in nb.cells],
    ),
    ("widths", prose("draw()", "draw" + "w" * 74 + "()")),
    ("forbidden", prose("draw()", "%pip install keras")),
    ("forbidden", claim("Run `pip install keras` first.")),
    ("forbidden", prose("draw()", "warnings.simplefilter('ignore')")),
    ("forbidden", prose("draw()", "os.environ['A'] = '1'")),
    ("tags", tag("nbval-skip")),
    ("tags", tag("raises-exception")),
    ("tags", prose("draw()", "draw()  # NBVAL_IGNORE_OUTPUT")),
    ("tags", prose("draw()", "# NBVAL_SKIP")),
    ("ignored_outputs", prose("assert WEIGHT < 1", "WEIGHT")),
    ("ignored_outputs", drop(9)),
    ("ignored_outputs", tag("nbval-ignore-output")),
    ("prose_before_code", drop(4, 6)),
    ("words", prose(PROSE, "word " * 30)),
    ("words", prose(PROSE, "word " * 90)),
    ("words", prose(PROSE, "```\n" + PROSE + "\n```")),
    ("captions", prose("plots.caption", "plots.show")),
    ("captions", prose("plots.caption(fig, 'T', 'x')", "'caption()'")),
    ("executed", count(None)),
    ("executed", count(7)),
    ("clean_outputs", output(printed("careful", "stderr"))),
    ("clean_outputs", output(new_output("error", ename="E", evalue=""))),
    ("clean_outputs", output(printed("row\n" * 16))),
    ("clean_outputs", output(printed("row\n" * 8), printed("row\n" * 8))),
    ("clean_outputs", output(printed("Epoch 1/5"))),
    ("clean_outputs", output(printed(" 50%|#####     | 5/10"))),
    ("stable_outputs", output(printed("0.123456789"))),
    ("stable_outputs", output(printed("<Model object at 0x7f00aa>"))),
    ("stable_outputs", output(printed("saved in /tmp/xyz"))),
    ("prose_numbers", claim("The mean is 0.26.")),
    ("prose_numbers", claim("The mean is 0.250.")),
    ("prose_numbers", claim("The mean is 0.2.")),
    ("prose_numbers", claim("A rise of 25.0 %.")),
    ("prose_numbers", claim("It is right 51 % of the time.")),
    ("prose_numbers", claim("| model | RMSE |\n|-|-|\n| LSTM | 1.31 |")),
    ("prose_numbers", claim("Between 0.25–0.28.")),
    ("prose_numbers", claim("As much as 1,234.5 dollars.")),
]


def test_a_good_notebook_has_no_faults():
    assert not habits.faults(good())


@pytest.mark.parametrize(("name", "spoil"), BAD)
def test_rule_rejects_a_bad_notebook(name, spoil):
    nb = good()
    spoil(nb)
    assert name in {fault.partition(":")[0] for fault in habits.faults(nb)}


def test_every_rule_has_a_bad_notebook():
    assert {name for name, _ in BAD} == {r.__name__ for r in habits.RULES}


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
def test_prose_numbers_accepts(text):
    nb = good()
    claim(text)(nb)
    assert not list(habits.prose_numbers(nb))


def test_caption_through_a_function_counts():
    nb = good()
    prose("WEIGHT = 0.3", "def draw():\n    plots.caption(f, '', '')")(nb)
    prose("plots.caption(fig, 'T', 'x')", "")(nb)
    assert not list(habits.captions(nb))
