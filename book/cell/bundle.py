"""Put the living cell into one HTML file that opens from disk.

``python book/cell/bundle.py site/living-cell.html`` writes it. A browser
loads no module from a file, so the modules become functions of one inline
script, in the order of their imports; styles and weights go inside, and
links to other pages of the site become plain text.

``python book/cell/bundle.py --picture book/cell/living-cell.png`` draws the
page's first part in the system's Chromium, for README.md.
"""

import re
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
IMPORT = re.compile(r'^import ([^;]+?) from "\./([\w-]+)\.js";\n', re.M)
EXPORT = re.compile(r"^export (?:const|function) ([\w$]+)", re.M)


def bundle() -> str:
    """The whole page as one text."""
    html = read("index.html")
    html = re.sub(r'<p class="home">.*?</p>\n', "", html)
    html = re.sub(r'<a href="\.\./[^"]*">(.*?)</a>', r"\1", html)
    style = f"<style>\n{read('cell.css')}</style>"
    html = html.replace('<link rel="stylesheet" href="cell.css">', style)
    weights = [
        f'<script type="application/json" id="weights-{path.stem}">'
        f"{path.read_text('utf-8').strip()}</script>"
        for path in sorted(HERE.glob("weights/*.json"))
    ]
    code = f'<script type="module">\n{script()}</script>'
    source = '<script type="module" src="js/main.js"></script>'
    return html.replace(source, "\n".join([*weights, code]))


def script() -> str:
    """All modules as one: each a function that returns what it exports."""
    return "\n".join(
        [f"const {variable(n)} = {wrapped(n)};" for n in order("main")[:-1]]
        + [inside("main")]
    )


def order(module: str) -> list[str]:
    """The modules that one needs, and itself, each after what it imports."""
    needed = []
    for _, name in IMPORT.findall(read(f"js/{module}.js")):
        needed += [n for n in order(name) if n not in needed]
    return [*needed, module]


def wrapped(module: str) -> str:
    """A module as a function that is called at once."""
    names = EXPORT.findall(read(f"js/{module}.js"))
    code = re.sub(r"^export ", "", inside(module), flags=re.M)
    return f"(() => {{\n{code}return {{ {', '.join(names)} }};\n}})()"


def inside(module: str) -> str:
    """A module's code; what it imports is taken from the variables."""

    def taken(found: re.Match) -> str:
        names = re.sub(r"^\* as ", "", found[1])
        return f"const {names} = {variable(found[2])};\n"

    return IMPORT.sub(taken, read(f"js/{module}.js"))


def variable(module: str) -> str:
    """The name under which the file knows a module."""
    return "module_" + module.replace("-", "_")


def read(name: str) -> str:
    """A file of the page."""
    return (HERE / name).read_text(encoding="utf-8")


def picture(path: str) -> None:
    """Draw the first part, 1200 pixels wide, as a reader first sees it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as tmp:
        page = Path(tmp) / "page.html"
        page.write_text(bundle(), encoding="utf-8")
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium")
        )
        view = browser.new_page(viewport={"width": 1200, "height": 1600})
        view.goto(page.as_uri())
        view.locator("html[data-ready]").wait_for()
        view.locator("#f").fill("2.6")
        view.locator("#f").blur()
        view.screenshot(path=path, clip=frame(view))
        browser.close()


def frame(view) -> dict:
    """The part of the page to draw: the belt, its sliders, its numbers."""
    top = view.locator("#conveyor").bounding_box()["y"] - 8
    low = view.locator("#now-h").bounding_box()
    height = low["y"] + low["height"] + 12 - top
    return {"x": 0, "y": top, "width": 1200, "height": height}


if __name__ == "__main__":
    if sys.argv[1] == "--picture":
        picture(sys.argv[2])
    else:
        Path(sys.argv[1]).parent.mkdir(parents=True, exist_ok=True)
        Path(sys.argv[1]).write_text(bundle(), encoding="utf-8")
