"""What every notebook of this repository keeps, as checks.

Each rule takes a notebook and yields one line per fault; the comments say
where a rule is lenient, and why.
"""

import ast
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[1]


def faults(nb: NotebookNode) -> list[str]:
    """Every fault of a notebook, each led by the name of its rule."""
    return [f"{rule.__name__}: {f}" for rule in RULES for f in rule(nb)]


def executed(nb):
    """Committed executed: counts run 1 … n. (nbval does not look.)"""
    counts = [cell.execution_count for cell in code_cells(nb)]
    if counts != list(range(1, len(counts) + 1)):
        yield f"execution counts are {counts}"


def clean_outputs(nb):
    """No errors, no stderr, no progress logs."""
    for cell in code_cells(nb):
        for output in cell.outputs:
            if output.output_type == "error":
                yield f"an error in the output of{quote(cell)}"
            elif output.get("name") == "stderr":
                yield f"stderr in the output of{quote(cell)}"
        text = output_text(cell)
        if re.search(r"\r|\bEpoch \d|\d+%\||\bit/s\b|\[={3,}", text):
            yield f"a progress log in the output of{quote(cell)}"


def portable_outputs(nb):
    """Nothing of one machine, and no more digits than all agree on."""
    for cell in code_cells(nb):
        text = output_text(cell)
        for found in re.findall(r"at 0x\w+|/tmp/|/home/|[\\/]Users", text):
            yield f"{found!r} differs between machines{quote(cell)}"
        if not ignored(cell):
            for found in re.findall(r"\d\.\d{7,}", text):
                yield f"{found} is compared unrounded{quote(cell)}"


def compared_outputs(nb):
    """nbval compares every text, or the next code cell asserts instead.

    nbval 0.11.0 compares no pictures, and what may raise need not (so no
    such tag is known here).
    """
    known = {"parameters", "nbval-ignore-output", "forecast", "box"}
    cells = code_cells(nb)
    for cell, following in zip(cells, [*cells[1:], None], strict=True):
        for tag in set(cell.metadata.get("tags", [])) - known:
            yield f"unknown tag {tag!r}"
        if re.search(r"#\s*(NBVAL|PYTEST)_", cell.source):
            yield f"an nbval marker in a comment{quote(cell)}"
        if re.search(r"\bwarnings\b|%%capture|os\.environ", cell.source):
            yield f"output may be held back{quote(cell)}"
        if ignored(cell) and not (following and asserts(following)):
            yield f"nothing asserts the claim of{quote(cell)}"


def captions(nb):
    """A cell shows a figure with `plots.show`, or calls what does.

    That is a function of the notebook or of forecasting/pages/plots.py.
    """
    plots = (ROOT / "forecasting" / "pages" / "plots.py").read_text("utf-8")
    sources = [plots, *(cell.source for cell in code_cells(nb))]
    named = {"show"} | {
        node.name
        for source in sources
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and "show" in calls(node)
    }
    for cell in code_cells(nb):
        if "image/png" in mimes(cell) and not named & calls(tree(cell)):
            yield f"a figure without caption{quote(cell)}"


NUMBER = re.compile(
    r"(?<![\w.])(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
    r"(e[-+]?\d+)?(?![\d]|\.\d)\s?(%)?"
)


def prose_numbers(nb):
    """A number in prose stands in an output, at the same rounding.

    Asked of numbers with a decimal point or a percent sign; whole numbers
    (years, counts, window lengths) are too often names. Excepted are
    headings, code, mathematics, link targets, references (`prose` strips
    them), numbers of exercises and equations, and a parameter: a number
    that a code cell states, 0.95 standing for 95 % too. Signs are free
    ("a fall of 51.9 %"), and 80.2 % may be printed as 0.802.
    """
    printed, stated = set(), set()
    for cell in code_cells(nb):
        numbers = NUMBER.findall(output_text(cell))
        printed |= {
            w.replace(",", "") + exponent for w, exponent, _ in numbers
        }
        values = [getattr(node, "value", "") for node in ast.walk(tree(cell))]
        stated |= {float(v) for v in values if type(v) in (int, float)}
    for cell in markdown_cells(nb):
        for whole, exponent, percent in NUMBER.findall(prose(cell)):
            number = whole.replace(",", "") + exponent
            if "." not in number and not percent:
                continue
            found = {number} & printed or {float(number)} & stated
            if percent and not found:
                share = float(number) / 100
                places = len(number.partition(".")[2]) + 2
                found = {f"{share:.{places}f}"} & printed or any(
                    abs(share - value) < 1e-12 for value in stated
                )
            if not found:
                yield f"{whole}{exponent}{percent and ' %'} is in no output"


RULES = [executed, clean_outputs, portable_outputs, compared_outputs]
RULES += [captions, prose_numbers]


# --- what the rules read ----------------------------------------------------
def read(path: Path) -> NotebookNode:
    """A notebook in the current format."""
    return nbformat.read(path, 4)


def code_cells(nb):
    """The cells with code, in order."""
    return [cell for cell in nb.cells if cell.cell_type == "code"]


def markdown_cells(nb):
    """The cells with prose, in order."""
    return [cell for cell in nb.cells if cell.cell_type == "markdown"]


def tree(cell) -> ast.Module:
    """Syntax tree of a cell."""
    return ast.parse(cell.source)


def calls(node) -> set[str]:
    """Names of the functions and methods called below a node."""
    functions = [n.func for n in ast.walk(node) if isinstance(n, ast.Call)]
    return {getattr(f, "attr", getattr(f, "id", "")) for f in functions}


def ignored(cell) -> bool:
    """Whether nbval leaves the cell's output uncompared."""
    return "nbval-ignore-output" in cell.metadata.get("tags", [])


def asserts(cell) -> bool:
    """Whether a cell asserts, or prints a claim that nbval compares."""
    nodes = ast.walk(tree(cell))
    return not ignored(cell) and (
        any(isinstance(node, ast.Assert) for node in nodes)
        or "stated" in calls(tree(cell))  # forecasting/pages/tables.py
    )


def mimes(cell) -> set[str]:
    """Media types of a cell's outputs."""
    return {key for output in cell.outputs for key in output.get("data", {})}


def output_text(cell) -> str:
    """All text a cell printed or displayed; tables without their markup."""
    parts = []
    for output in cell.outputs:
        parts.append(output.get("text", ""))
        for key, value in output.get("data", {}).items():
            if key == "text/html":
                # styles hold lengths and colours, which nobody reads
                value = re.sub(r"(?s)<style.*?</style>", "", value)
                parts.append(re.sub(r"<[^>]*>", " ", value))
            elif key.startswith("text/"):
                parts.append(value)
    return "\n".join(parts)


def unfenced(source: str) -> str:
    """Markdown without its fenced code."""
    return re.sub(r"(?ms)^```.*?^```", "", source)


def headings(nb, level: int) -> list[str]:
    """Texts of the headings of one level."""
    text = "\n".join(unfenced(cell.source) for cell in markdown_cells(nb))
    return re.findall(rf"(?m)^#{{{level}}} (.+?)\s*$", text)


def prose(cell) -> str:
    """What is left of Markdown to be read as sentences."""
    text = unfenced(cell.source)
    for pattern in [
        r"(?s)\$\$.*?\$\$",  # displayed mathematics
        r"\$[^$\n]+(?:\n[^$\n]+)?\$",  # and in the line
        r"`[^`]*`",
        r"(?m)^#+ .*$",
        r"(?s)<[a-z/!][^>]*>",
        r"\]\([^)]*\)",  # link targets
        r"(?:https?://|doi:|DOI |arXiv:?\s?)\S+",
        r"\b(?:[Ee]xercises?|[Ee]quations?|[Ff]igures?|[Ss]ections?|[Cc]hapters?"
        r"|[Ee]q\.|§) ?\(?[\d.]+\)?",
        r"(?m)^\s*(?:[-*] )?\*\*\d+\.\d+",  # the number of an exercise
    ]:
        text = re.sub(pattern, " ", text)
    return text


def quote(cell) -> str:
    """The start of a cell, to find it by."""
    return f" (cell {cell.source.strip().partition(chr(10))[0][:40]!r})"
