"""The habits every notebook of this repository keeps, as checks.

Each rule takes a notebook and yields one line per fault; the comments say
where a rule is lenient, and why.
"""

import ast
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import nbformat
import numpy as np
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[1]
TAGS = {"parameters", "nbval-ignore-output"}
RULES = []


def rule(check):
    """Register a rule; the order here is the order of a report."""
    RULES.append(check)
    return check


def faults(nb: NotebookNode, exempt: Iterable[str] = ()) -> list:
    """Every fault of a notebook, each led by the name of its rule."""
    return [
        f"{check.__name__}: {fault}"
        for check in RULES
        if check.__name__ not in exempt
        for fault in check(nb)
    ]


# --- the shape of a notebook ------------------------------------------------
@rule
def opening(nb):
    """First cell: one H1, then a question, its answer, what you need."""
    first = nb.cells[0]
    text = unfenced(first.source) if first.cell_type == "markdown" else ""
    if not text.startswith("# "):
        yield "the first cell does not open with an H1"
    if len(headings(nb, 1)) != 1:
        yield f"{len(headings(nb, 1))} H1 headings; one is wanted"
    body = text.partition("\n")[2]
    question, mark, answer = body.partition("?")
    if not (mark and question.strip()):
        yield "no question in the first cell"
    if len(re.findall(r"[.:](?:\s|\*|$)", answer)) < 2:
        yield "no answer, or not what the reader needs, after the question"
    if "need" not in answer.lower():
        yield "the first cell does not say what you need"


@rule
def setup(nb):
    """One setup cell, the first code cell, holds every import."""
    cells = code_cells(nb)
    if nb.cells[1:2] != cells[:1] and nb.cells[2:3] != cells[:1]:
        yield "no setup cell right after the opening"
    for number, cell in enumerate(cells):
        imports = any(
            isinstance(node, ast.Import | ast.ImportFrom)
            for node in ast.walk(tree(cell))
        )
        if imports != (number == 0):
            where = "no imports in" if number == 0 else "imports outside"
            yield f"{where} the setup cell{quote(cell)}"


@rule
def questions(nb):
    """Every H2 asks a question; only the last ones may say "Takeaways"."""
    found = headings(nb, 2)
    asked = [heading.endswith("?") for heading in found]
    if not any(asked):
        yield "no H2 is a question"
    for i, heading in enumerate(found):
        if not asked[i] and any(asked[i:]):
            yield f"not a question: {heading!r}"


@rule
def closing(nb):
    """Last cell: 3 to 5 numbered takeaways with numbers, then Next."""
    last = nb.cells[-1]
    text = last.source if last.cell_type == "markdown" else ""
    start = re.compile(r"^\d\. ", re.MULTILINE)
    body, _, after = text.partition("\n**Next")
    items = start.split(body)[1:]
    if not 3 <= len(items) <= 5:
        yield f"{len(items)} numbered takeaways; 3 to 5 are wanted"
    if sum(bool(re.search(r"\d", item)) for item in items) * 2 <= len(items):
        yield "most takeaways carry no number"
    if not after:
        yield "no line starting **Next** at the end"


# --- code -------------------------------------------------------------------
@rule
def cell_lengths(nb):
    """Lines with text: median ≤ 5, 90th percentile ≤ 12, none above 20."""
    lengths = [
        sum(bool(line.strip()) for line in cell.source.splitlines())
        for cell in code_cells(nb)
    ]
    median, ninety = np.quantile(lengths, [0.5, 0.9])
    if median > 5:
        yield f"code cells have {median:g} lines in the median"
    if ninety > 12:
        yield f"the 90th percentile of code cells is {ninety:g} lines"
    if max(lengths) > 20:
        yield f"a code cell of {max(lengths)} lines"


@rule
def widths(nb):
    """Code is at most 79 characters wide."""
    for cell in code_cells(nb):
        for line in cell.source.splitlines():
            if len(line) > 79:
                yield f"{len(line)} characters: {line[:50]}…"


@rule
def forbidden(nb):
    """No pip, no warning filters, no environment fiddling, in any cell."""
    words = r"\bpip\b|\bwarnings\b|filterwarnings|os\.environ|getenv|putenv"
    for cell in nb.cells:
        text = cell.source
        if cell.cell_type == "markdown":
            # prose may speak of warnings; it gives no command
            text = " ".join(re.findall(r"`[^`]+`", text))
        for word in re.findall(words, text):
            yield f"mentions {word}{quote(cell)}"


@rule
def tags(nb):
    """Only known tags, and no nbval marker hidden in a comment."""
    for cell in nb.cells:
        for tag in set(cell.metadata.get("tags", [])) - TAGS:
            yield f"unknown tag {tag!r}"
        if re.search(r"#\s*(NBVAL|PYTEST)_", cell.source):
            yield f"an nbval marker in a comment{quote(cell)}"


@rule
def ignored_outputs(nb):
    """After a cell whose output is ignored, the next one asserts."""
    cells = code_cells(nb)
    for cell, following in zip(cells, [*cells[1:], None], strict=True):
        if not ignored(cell):
            continue
        if following is None or ignored(following) or not asserts(following):
            yield f"nothing asserts the claim of{quote(cell)}"


# --- prose ------------------------------------------------------------------
@rule
def prose_before_code(nb):
    """At least 80 % of code cells directly follow prose."""
    after = [
        nb.cells[i - 1].cell_type == "markdown"
        for i, cell in enumerate(nb.cells)
        if i and cell.cell_type == "code"
    ]
    if np.mean(after) < 0.8:
        yield f"only {np.mean(after):.0%} of code cells follow prose"


WORD = re.compile(r"[^\W\d_][\w'’-]*")


@rule
def words(nb):
    """40 to 80 words of prose per code cell.

    Counted without code, mathematics, tables and what stands under
    Exercises and References, which belong to no code cell; Markdown that a
    cell displays is read as prose.
    """
    texts = [prose(c) for c in before_heading(nb, {"Exercises", "References"})]
    for cell in code_cells(nb):
        for output in cell.outputs:
            texts.append(output.get("data", {}).get("text/markdown", ""))
    count = sum(
        len(WORD.findall(re.sub(r"(?m)^\|.*$", "", text))) for text in texts
    )
    ratio = count / len(code_cells(nb))
    if not 40 <= ratio <= 80:
        yield f"{ratio:.0f} words per code cell; 40 to 80 are wanted"


@rule
def captions(nb):
    """Every cell that shows a figure gives it a title and a caption.

    Directly, or through a function, of the notebook or of a module beside
    it, that does.
    """
    named = captioning("\n".join(c.source for c in code_cells(nb)))
    for cell in code_cells(nb):
        if "image/png" in mimes(cell) and not calls(tree(cell)) & named:
            yield f"a figure without caption{quote(cell)}"


# --- outputs ----------------------------------------------------------------
@rule
def executed(nb):
    """Committed executed: counts run 1 … n. (nbval does not look.)"""
    counts = [cell.execution_count for cell in code_cells(nb)]
    if counts != list(range(1, len(counts) + 1)):
        yield f"execution counts are {counts}"


@rule
def clean_outputs(nb):
    """No errors, no stderr, no progress logs, ≤ 15 stream lines a cell."""
    for cell in code_cells(nb):
        text = ""
        for output in cell.outputs:
            if output.output_type == "error":
                yield f"an error in the output of{quote(cell)}"
            elif output.output_type == "stream":
                text += output.text
                if output.name != "stdout":
                    yield f"{output.name} in the output of{quote(cell)}"
        if re.search(r"\r|\bEpoch \d|\d+%\||\bit/s\b|\[={3,}", text):
            yield f"a progress log in the output of{quote(cell)}"
        if len(text.splitlines()) > 15:
            yield f"{len(text.splitlines())} printed lines by{quote(cell)}"


@rule
def stable_outputs(nb):
    """What nbval compares holds no address, path or unrounded float."""
    for cell in code_cells(nb):
        text = "" if ignored(cell) else output_text(cell)
        for found in re.findall(r"at 0x\w+|/tmp/|/home/|\d\.\d{7,}", text):
            yield f"{found!r} may differ between machines{quote(cell)}"


NUMBER = re.compile(
    r"(?<![\w.])(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
    r"(e[-+]?\d+)?(?![\d]|\.\d)\s?(%)?"
)


@rule
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
        printed |= {
            "".join(groups[:2]).replace(",", "")
            for groups in NUMBER.findall(output_text(cell))
        }
        stated |= {
            float(node.value)
            for node in ast.walk(tree(cell))
            if isinstance(node, ast.Constant)
            and type(node.value) in (int, float)
        }
    for cell in before_heading(nb, {"References"}):
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


# --- what the rules read ----------------------------------------------------
def read(path: Path) -> NotebookNode:
    """A notebook in the current format."""
    return nbformat.read(path, 4)


def code_cells(nb):
    """The cells with code, in order."""
    return [cell for cell in nb.cells if cell.cell_type == "code"]


def tree(cell) -> ast.Module:
    """Syntax tree of a cell, lines of IPython magic left out."""
    return ast.parse(re.sub(r"(?m)^\s*[%!].*$", "pass", cell.source))


def calls(node) -> set[str]:
    """Names of the functions and methods called below a node."""
    functions = [n.func for n in ast.walk(node) if isinstance(n, ast.Call)]
    return {getattr(f, "attr", getattr(f, "id", "")) for f in functions}


def captioning(source: str) -> set[str]:
    """`caption`, and every function known to a notebook that calls it."""
    defined = modules() | {
        node.name: calls(node)
        for node in ast.walk(tree(NotebookNode(source=source)))
        if isinstance(node, ast.FunctionDef)
    }
    named = {"caption"}
    while more := {n for n, c in defined.items() if c & named} - named:
        named |= more
    return named


@cache
def modules() -> dict[str, set[str]]:
    """`{function: what it calls}` of the modules notebooks import."""
    paths = [*ROOT.glob("forecasting/*.py"), *ROOT.glob("theory/*.py")]
    return {
        node.name: calls(node)
        for path in paths
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    }


def ignored(cell) -> bool:
    """Whether nbval leaves the cell's output uncompared."""
    return "nbval-ignore-output" in cell.metadata.get("tags", [])


def asserts(cell) -> bool:
    """Whether a cell asserts: the statement, or NumPy's functions."""
    return any(isinstance(n, ast.Assert) for n in ast.walk(tree(cell))) or any(
        name.startswith("assert_") for name in calls(tree(cell))
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
    pattern = re.compile(rf"(?m)^#{{{level}}} (.+?)\s*$")
    return [
        text
        for cell in nb.cells
        if cell.cell_type == "markdown"
        for text in pattern.findall(unfenced(cell.source))
    ]


def before_heading(nb, names: set[str]) -> list:
    """Markdown cells, without the sections of these names."""
    kept, inside = [], False
    for cell in nb.cells:
        if cell.cell_type != "markdown":
            continue
        found = re.match(r"## (.+)", cell.source)
        if found:
            inside = found[1].strip() in names
        if not inside:
            kept.append(cell)
    return kept


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
