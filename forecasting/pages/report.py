"""Executed notebooks as pages: index.html, and each of them in full.

A page loads nothing: figures and styles are inside it, formulas are MathML,
which browsers draw themselves. Its links lead to pages of its own folder or
to the sources on the web, so the folder can be zipped and mailed.
"""

import posixpath
import re
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from urllib.parse import urlsplit

from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import (
    IPythonRenderer,
    MarkdownWithMath,
)
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from forecasting.pages import formulas

TEMPLATE = Path(__file__).with_name("report.html.j2")
LEGEND = """\
A row is a session. The close ends below `q10` with a chance of 10 %, below
`q50` with 50 %, and so on; [forecast.csv](forecast.csv) has every session.
"""


def write(
    folder: Path,
    notebooks: dict[str, NotebookNode],
    title: str,
    facts: dict[str, str],
    sentence: str,
) -> None:
    """Leave index.html and a page for each notebook in a folder.

    ``notebooks``: executed, by their path without suffix, which is their
    page's too; those in a folder ("theory/2-lstm") are for links only.
    ``title``, ``facts``, ``sentence``: what index.html says first.
    """
    studied = {n: nb for n, nb in notebooks.items() if "/" not in n}
    head = {"title": title, "facts": facts, "sentence": sentence}
    pages = {"index": (digest(studied), head)}
    for name, notebook in notebooks.items():
        pages[name] = notebook, {"title": heading(notebook) or name}
    files = {f"{name}.ipynb" for name in notebooks}
    files |= {path.name for path in folder.iterdir()}
    for name, (notebook, page) in pages.items():
        path = folder / f"{name}.html"
        path.parent.mkdir(exist_ok=True)
        home = posixpath.relpath("index.html", posixpath.dirname(name) or ".")
        exporter = HTMLExporter(
            template_name="basic", template_file=str(TEMPLATE)
        )
        markdown = MarkdownWithMath(Renderer(name, files))
        exporter.register_filter("markdown2html", markdown.render)
        html, _ = exporter.from_notebook_node(
            notebook, {"page": {"home": home, "name": name, **page}}
        )
        path.write_text(html, encoding="utf-8")


def digest(notebooks: dict[str, NotebookNode]) -> NotebookNode:
    """The notebook that index.html shows.

    First the cells tagged ``forecast``, figures before tables, and the one
    tagged ``box``; then, under each question that a figure answers, its
    figures and computed sentences.
    """
    forecast, box = [], []
    body: list[str | NotebookNode] = []
    for name, notebook in notebooks.items():
        title = heading(notebook) or name
        body.append(f"## {title}")
        body.append(f"[In full, with its reasoning]({name}.ipynb)")
        for section, group in groupby(sections(notebook), itemgetter(0)):
            below = []
            for _, cell in group:
                tags = cell.metadata.get("tags", [])
                if "forecast" in tags:
                    forecast.append(copy(cell, cell.outputs))
                elif "box" in tags:
                    box.append(copy(cell, cell.outputs))
                elif shown := [o for o in cell.outputs if shows(o)]:
                    below.append(copy(cell, shown))
            if any(map(figured, below)):
                if section not in ("", title):
                    body.append(f"### {section}")
                body += below
    forecast.sort(key=figured, reverse=True)
    top = [*forecast, LEGEND] if forecast else []
    top += ["## For this stock", *box] if box else []
    cells = [
        new_markdown_cell(c) if isinstance(c, str) else c for c in top + body
    ]
    metadata = {"language_info": {"name": "python"}}
    return new_notebook(cells=cells, metadata=metadata)


def copy(cell: NotebookNode, outputs: list[NotebookNode]) -> NotebookNode:
    """A code cell with these outputs and an id of its own."""
    return new_code_cell(cell.source, metadata=cell.metadata, outputs=outputs)


def sections(notebook: NotebookNode) -> Iterator[tuple[str, NotebookNode]]:
    """Every code cell, with the heading (# or ##) that it stands under."""
    section = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            source = re.sub(r"(?ms)^```.*?^```", "", cell.source)
            section = [section, *re.findall(r"(?m)^##? (.+)", source)][-1]
        elif cell.cell_type == "code":
            yield section, cell


def heading(notebook: NotebookNode) -> str:
    """The notebook's first heading; "" without one."""
    sources = (c.source for c in notebook.cells if c.cell_type == "markdown")
    found = re.search(r"(?m)^# (.+)", "\n".join(sources))
    return found[1] if found else ""


def png(output: NotebookNode) -> str:
    """The figure in an output, in base64; "" without one."""
    return output.get("data", {}).get("image/png", "")


def figured(cell: NotebookNode) -> bool:
    """Whether a code cell shows a figure."""
    return any(map(png, cell.outputs))


def shows(output: NotebookNode) -> bool:
    """Whether an output is a figure or a computed sentence."""
    return bool(png(output)) or "text/markdown" in output.get("data", {})


class Renderer(IPythonRenderer):
    """nbconvert's, with MathML, tables that scroll, links that work here.

    HTML within Markdown is shown, not obeyed: a file's name may be in it.
    """

    def __init__(self, page: str, files: set[str]):
        super().__init__(allow_harmful_protocols=False)
        self.folder, self.files = posixpath.dirname(page) or ".", files

    def heading(self, text, level, **attrs):
        """With the id that Jupyter gives it, for links from elsewhere."""
        name = re.sub(r"<[^>]*>", "", text).replace(" ", "-").replace('"', "")
        return f'<h{level} id="{name}">{text}</h{level}>\n'

    def link(self, text, url, title=None):
        """To a notebook's page, to the web, or else the text alone."""
        path, hash_, anchor = url.partition("#")
        if urlsplit(url).scheme or not path:
            return super().link(text, url, title)
        if posixpath.normpath(f"{self.folder}/{path}") not in self.files:
            return text
        path = re.sub(r"\.ipynb$", ".html", path)
        return super().link(text, path + hash_ + anchor, title)

    def table(self, text):
        """In a box of its own, which scrolls where the screen is narrow."""
        return f'<div class="scroll"><table>{text}</table></div>\n'

    def inline_math(self, body):
        """A formula in a line."""
        return mathml(body, "inline")

    def block_math(self, body):
        """A formula on a line of its own."""
        return f'<span class="scroll">{mathml(body, "block")}</span>'

    def latex_environment(self, name, body):
        """The same, as an environment."""
        return self.block_math(f"\\begin{{{name}}}{body}\\end{{{name}}}")


def mathml(latex: str, display: str) -> str:
    """A formula as MathML; as it was written if that is no LaTeX."""
    try:
        return formulas.mathml(latex, display)
    except ValueError:
        return f"<code>{IPythonRenderer().escape_html(latex)}</code>"
