"""Files of the repository as Sphinx reads them: which page, what Markdown."""

import re
from functools import partial
from pathlib import Path
from urllib.parse import unquote

from myst_parser.slugs import github_slugify
from sphinx.project import Project

FRONT = Path(__file__).with_name("front.md")
LINK = re.compile(r"\[([^][]*)\]\((?!\w+:)([^)#\s]*)(#[^)\s]+)?\)")
INVITATION = re.compile(r"(?s)New to LSTMs\?.*?(?=\n\n)")
NOTE = re.compile(r"(?m)^\| \[(.+?)\]\(([\w-]+)\.ipynb\) \|")

path2doc = Project.path2doc


def page(project: Project, path: str | Path) -> str | None:
    """The page that a file becomes: in a folder, README.md is the index.

    None for code that is linked to but no page: Sphinx offers the file.
    """
    name = path2doc(project, path) or ""
    name = re.sub(r"(^|/)README$", r"\1index", name.removeprefix("book/"))
    linked = Path(path).is_absolute()  # else Sphinx asks what there is
    return None if linked and name not in project.docnames else name


def prepare(app, name: str, source: list[str]) -> None:
    """Make Markdown of code; add the navigation to the indexes."""
    path = app.env.doc2path(name)
    if path.suffix == ".html":
        text = "# Touch an LSTM\n\nThe living cell.\n"
    elif path.suffix == ".py":
        top = f"---\nnosearch: true\n---\n# {path.name}\n\n"
        text = f"{top}``````python\n{source[0].rstrip()}\n``````\n"
    else:
        text = LINK.sub(partial(link, path), source[0])
    if name == "index":  # who reads the site need not be told of it
        front = FRONT.read_text("utf-8")
        text = INVITATION.sub(lambda _: front, text)
    elif name == "theory/index":
        notes = [f"{title} <{note}>" for title, note in NOTE.findall(text)]
        notes = "\n".join([*notes, "solutions"])
        text += f"\n```{{toctree}}\n:hidden:\n\n{notes}\n```\n"
    source[0] = text


def link(path: Path, found: re.Match) -> str:
    """A link of GitHub's: its anchor spelt as here, no folder its end."""
    words, target, anchor = found.groups(default="")
    if path.suffix == ".md" and target and (path.parent / target).is_dir():
        target += "/README.md"
        if not (path.parent / target).exists():
            return words
    slug = github_slugify(unquote(anchor[1:]))
    return f"[{words}]({target}{anchor and '#' + slug})"
