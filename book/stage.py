"""The repository's pages, laid out as a tree that Sphinx can read.

Notebooks and Markdown are copied with one change: their links. On GitHub a
link leads to a file or a folder; on the site it leads to the page that the
file became, and its anchor is spelt as the site spells it.
"""

import json
import posixpath
import re
import shutil
from pathlib import Path
from urllib.parse import unquote

import explorer
import front
from myst_parser.slugs import github_slugify

ROOT = Path(__file__).resolve().parents[1]
CELL = Path(__file__).with_name("cell")
README = "README.md"
LINK = re.compile(r"(?<=\]\()(?!\w+:)([^)\s]+)(?=\))")
FENCED = re.compile(r"(?ms)(^```.*?^```\s*?$)")
LINKED_ONLY = "---\norphan: true\nnosearch: true\n---\n"
# Two levels of navigation; theory/ lists its notes itself.
NAVIGATION = {
    "": ["Theory <theory/index>"],
    "The study": [
        "The data <EDA>",
        "The forecast <predictor>",
        "The verdict, to explore <explorer>",
        "The verdict in full <results/index>",
    ],
    "Do it yourself": [
        "How to run it <run>",
        "The ledger <ledger/index>",
        "The prices <data/index>",
        "The tests <tests/index>",
        "Speed and scale <tests/bench/index>",
    ],
}


def stage(folder: Path) -> None:
    """Lay out the site's sources in an empty folder."""
    tree = Tree(folder)
    touch = (CELL / "index.html").exists()
    start, run, sections = front.pages(read(README), touch)
    tree.run = {github_slugify(section) for section in sections}
    if touch:  # build.py puts the page itself in the place of this one
        tree.write("cell/index.md", f"# Touch an LSTM\n\n{front.TOUCH}")
    navigation = dict(NAVIGATION)
    navigation[""] = ["Touch an LSTM <cell/index>"] * touch + navigation[""]
    start = tree.markdown(start, README, "index.md")
    for caption, entries in navigation.items():
        start += contents(entries, caption)
    tree.write("index.md", start)
    tree.write("run.md", tree.markdown(run, README, "run.md"))
    page = "explorer.md"
    tree.write(page, tree.markdown(explorer.page(), page, page))
    pages = ["theory", "results", "ledger", "data", "tests", "tests/bench"]
    for name in pages:
        tree.page(f"{name}/{README}")
    for path in [*ROOT.glob("*.ipynb"), *ROOT.glob("theory/*.ipynb")]:
        tree.page(path.relative_to(ROOT).as_posix())
    with (folder / "theory" / "index.md").open("a", encoding="utf-8") as page:
        page.write(contents(notes()))


def read(name: str) -> str:
    """A text of the repository."""
    return (ROOT / name).read_text("utf-8")


def contents(entries: list[str], caption: str = "") -> str:
    """A table of contents for the navigation, not for the page."""
    options = ":hidden:\n" + (f":caption: {caption}\n" if caption else "")
    return f"\n```{{toctree}}\n{options}\n" + "\n".join(entries) + "\n```\n"


def notes() -> list[str]:
    """The notebooks of theory/: in the order of its README, then the rest."""
    row = r"(?m)^\| \[(.+?)\]\(([\w-]+)\.ipynb\) \|"
    listed = {
        n: title for title, n in re.findall(row, read("theory/README.md"))
    }
    rest = {path.stem for path in ROOT.glob("theory/*.ipynb")} - set(listed)
    return [*(f"{title} <{n}>" for n, title in listed.items()), *sorted(rest)]


class Tree:
    """A folder with the site's sources.

    ``run``: anchors of the README's sections that are in run.md, the others
    being in index.md. ``page`` makes a page of a file when it is first asked
    for, so that whatever is linked is there.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.run: set[str] = set()
        self.pages: dict[str, str] = {}

    def write(self, name: str, text: str) -> None:
        """A file of the tree."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def page(self, target: str, anchor: str = "") -> str:
        """The page that a file or folder of the repository became."""
        if (ROOT / target / README).exists():
            target = posixpath.normpath(f"{target}/{README}")
        if target == README:
            return "run.md" if anchor in self.run else "index.md"
        if ROOT / target == CELL / "index.html":
            return "cell/index.md"
        if not (ROOT / target).exists():  # a page of the site alone
            return target
        if target not in self.pages:
            self.pages[target] = name(target)  # first: pages link in circles
            self.make(target, self.pages[target])
        return self.pages[target]

    def make(self, target: str, page: str) -> None:
        """Write the page of a file or folder."""
        path = ROOT / target
        title = f"{LINKED_ONLY}# {path.name}\n\n"
        if path.is_dir():
            files = [p.name for p in path.glob("[!._]*") if p.is_file()]
            links = "".join(f"- [{file}]({file})\n" for file in sorted(files))
            links = self.markdown(links, f"{target}/{README}", page)
            self.write(page, title + links)
        elif path.suffix == ".md":
            listed = f"<{page.removesuffix('.md')}>" in str(NAVIGATION)
            text = self.markdown(read(target), target, page)
            self.write(page, text if listed else LINKED_ONLY + text)
        elif path.suffix == ".ipynb":
            self.write(page, self.notebook(read(target), target))
        elif page != target:
            language = "python" if path.suffix == ".py" else "text"
            code = read(target).rstrip()
            self.write(page, f"{title}``````{language}\n{code}\n``````\n")
        elif path.is_file():
            (self.folder / page).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, self.folder / page)

    def markdown(self, text: str, source: str, page: str) -> str:
        """Markdown of the file ``source`` with the links of its ``page``."""

        def link(found: re.Match) -> str:
            return self.link(found[1], source, page)

        parts = FENCED.split(text)  # odd ones are code
        parts[::2] = [LINK.sub(link, part) for part in parts[::2]]
        return "".join(parts)

    def link(self, url: str, source: str, page: str) -> str:
        """Where a link in ``source`` leads on the site, seen from ``page``."""
        path, hash_, anchor = unquote(url).partition("#")
        anchor = github_slugify(anchor)
        target = posixpath.join(posixpath.dirname(source), path)
        target = posixpath.normpath(target) if path else source
        home = self.page(target, anchor)
        if home == page and anchor:
            return f"#{anchor}"
        here = posixpath.dirname(page) or "."
        return posixpath.relpath(home, here) + hash_ + anchor

    def notebook(self, text: str, name: str) -> str:
        """A notebook with the site's links, in its outputs too."""
        notebook = json.loads(text)
        for cell in notebook["cells"]:
            if cell["cell_type"] == "markdown":
                said = "".join(cell["source"])
                cell["source"] = self.markdown(said, name, name)
            for output in cell.get("outputs", []):
                if "text/markdown" in (data := output.get("data", {})):
                    said = "".join(data["text/markdown"])
                    data["text/markdown"] = self.markdown(said, name, name)
        return json.dumps(notebook)


def name(target: str) -> str:
    """What the page of a file or folder is called."""
    path = ROOT / target
    if path.is_dir():
        return f"{target}/index.md"
    if path.name == README:
        return f"{target.removesuffix(README)}index.md"
    shown = path.suffix == ".py" or not path.suffix and path.is_file()
    return f"{target}.md" if shown else target
