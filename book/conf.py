"""How Sphinx makes a site of the repository as it lies there.

A page is made of every notebook and README.md, and of code they link to.
"""

import json
import re
from base64 import b64decode
from hashlib import sha256
from html import escape
from pathlib import Path

import sources
from docutils import nodes
from sphinx.project import Project
from sphinx.util import logging

from forecasting.pages.formulas import mathml

ROOT = Path(__file__).resolve().parents[1]
PROSE = 80  # characters in a cell, from which on a table is no list of facts
log = logging.getLogger(__name__)

project = (ROOT / "README.md").read_text("utf-8").partition("\n")[0][2:]
copyright = re.search(r"\(c\) (.+)", (ROOT / "LICENSE").read_text("utf-8"))[1]
language = "en"

root_doc = "index"
include_patterns = [
    *["README.md", "**/README.md", "*.ipynb", "theory/*.ipynb"],
    *["theory/[a-z]*.py", "tests/test_walk_forward.py"],
    *["forecasting/settings.py", "forecasting/eda/findings.py"],
    "book/cell/index.html",  # build.py puts it in the place of its page
]
exclude_patterns = [".*", "site"]
source_suffix = {".py": "myst-nb", ".html": "myst-nb"}
suppress_warnings = ["toc.not_included"]  # code is linked to, not listed

extensions = ["myst_nb"]
nb_execution_mode = "off"
nb_output_stderr = "error"  # a committed notebook is silent
nb_merge_streams = True
nb_render_markdown_format = "myst"
nb_ipywidgets_js = {}  # or every page would ask a CDN for them
myst_enable_extensions = ["amsmath", "attrs_block", "dollarmath"]
myst_dmath_double_inline = True
myst_heading_anchors = 4

templates_path = ["templates"]
html_theme = "sphinx_book_theme"
html_title = "The LSTM study"
html_theme_options = {
    "use_download_button": False,
    "use_fullscreen_button": False,
    "home_page_in_toc": True,
    "show_toc_level": 2,
    "search_bar_text": "Search",
    "footer_content_items": ["copyright.html"],
}
html_context = {"default_mode": "auto"}  # light or dark, as the reader has it
html_static_path = ["static"]
html_css_files = ["book.css"]
html_favicon = "static/favicon.svg"
html_copy_source = False
html_domain_indices = html_use_index = False
html_math_renderer = "mathml"


def drawn(node: nodes.Node, display: str) -> str:
    """The MathML of a formula; a warning where there is none."""
    try:
        return mathml(node.astext(), display)
    except ValueError as error:
        log.warning("%s", error, location=node)
        return ""


def inline(translator, node) -> None:
    """A formula in a line."""
    translator.body.append(drawn(node, "inline"))
    raise nodes.SkipNode


def block(translator, node) -> None:
    """A formula on a line of its own, which scrolls if it is long."""
    formula = drawn(node, "block")
    translator.body.append(f'<span class="formula">{formula}</span>\n')
    raise nodes.SkipNode


def alternatives(path: Path) -> dict[str, str]:
    """What the figures of a notebook show, by the name myst-nb gives them."""
    texts = {}
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            if png := output.get("data", {}).get("image/png"):
                name = sha256(b64decode("".join(png))).hexdigest()
                metadata = output["metadata"].get("image/png", {})
                texts[name] = metadata.get("alt", "")
    return texts


def describe(app, doctree) -> None:
    """Give a notebook's figures their texts, in words under them too.

    The caption is drawn in the figure, where a phone makes it too small to
    read; the style sheet shows the words on narrow screens only.
    """
    path = app.env.doc2path(app.env.docname)
    texts = alternatives(path) if path.suffix == ".ipynb" else {}
    for image in list(doctree.findall(nodes.image)):
        if text := texts.get(Path(image["uri"]).stem):
            image["alt"] = text
            said = f'<p class="said" aria-hidden="true">{escape(text)}</p>'
            words = nodes.raw("", said, format="html")
            image.parent.insert(image.parent.index(image) + 1, words)
        if not image.get("alt"):
            log.warning("a figure without words", location=image)


def label(app, doctree) -> None:
    """Mark tables of prose, and say in each cell which column it is in.

    Narrow screens show such a table as a list, without the line of headings.
    """
    for table in doctree.findall(nodes.table):
        entries = list(table.findall(nodes.entry))
        if max(len(entry.astext()) for entry in entries) < PROSE:
            continue
        table["classes"].append("prose")
        head, *rows = table.findall(nodes.row)
        names = [entry.astext() for entry in head]
        for row in rows:
            for name, entry in list(zip(names, row, strict=True))[1:]:
                said = f'<span class="column">{escape(name)}: </span>'
                if len(entry):
                    entry[0].insert(0, nodes.raw("", said, format="html"))


def setup(app) -> dict[str, bool]:
    """Tell Sphinx of the above."""
    Project.path2doc = sources.page  # Sphinx has no setting for it
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    app.connect("source-read", sources.prepare)
    app.connect("doctree-read", describe)
    app.connect("doctree-read", label)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
