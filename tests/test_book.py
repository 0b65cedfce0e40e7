"""The site: what a reader finds who opens the study on a phone."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import habits
import nbformat
import pytest
from conftest import CONTRAST, served
from nbformat.v4 import new_markdown_cell, new_notebook

from forecasting.pages.formulas import mathml

ROOT = habits.ROOT
README = (ROOT / "README.md").read_text("utf-8")
WIDTHS = [360, 768, 1280]
NO_NETWORK = dict.fromkeys(
    ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"],
    "http://127.0.0.1:9",  # where nobody answers
)


def build(root, site):
    """What `make book` types."""
    return subprocess.run(
        [sys.executable, root / "book" / "build.py", site],
        env=os.environ | NO_NETWORK,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site's folder."""
    site = tmp_path_factory.mktemp("book") / "site"
    done = build(ROOT, site)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    return site


def pages(site):
    """The addresses of all pages, within the site."""
    names = [p.relative_to(site).as_posix() for p in site.rglob("*.html")]
    return sorted(name for name in names if not name.startswith("_static"))


@pytest.fixture(scope="module")
def address(site):
    """Where a server on this machine offers the site."""
    with served(site) as address:
        yield address


def test_every_notebook_and_every_page_of_markdown_is_there(site):
    expected = {"index.html", "search.html", "living-cell.html"}
    for path in [*ROOT.glob("*.ipynb"), *ROOT.glob("theory/*.ipynb")]:
        expected.add(path.relative_to(ROOT).with_suffix(".html").as_posix())
    for folder in ["theory", "results", "data", "tests", "tests/bench"]:
        expected.add(f"{folder}/index.html")
    assert expected <= set(pages(site))


@pytest.fixture
def small(tmp_path):
    """A repository whose site is built in seconds."""
    shutil.copytree(ROOT / "book", tmp_path / "book")
    shutil.copy(ROOT / "LICENSE", tmp_path)
    folders = ["theory", "results", "ledger", "data", "tests", "tests/bench"]
    for folder in ["", *folders]:
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "README.md").write_text("# A page\n")
    for name in ["EDA", "predictor", "theory/solutions"]:
        notebook = new_notebook(cells=[new_markdown_cell("# A note")])
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
    return tmp_path


def kept(folder):
    """All that is in a folder, by name."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder): path.read_bytes() for path in files}


def test_a_folder_that_is_no_site_is_refused_untouched(small):
    """In one line; it may be somebody's work."""
    (work := small / "work").mkdir()
    (thesis := work / "thesis.tex").write_text("years")
    for place in [work, thesis]:
        done = build(small, place)
        assert done.returncode != 0
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"{place} is no site")
        assert kept(work) == {Path("thesis.tex"): b"years"}


def test_a_site_is_replaced_whole_or_not_at_all(small):
    (site := small / "site").mkdir()  # an empty folder may become one
    assert build(small, site).returncode == 0
    (site / "old.html").touch()
    assert build(small, site).returncode == 0
    old = kept(site)
    assert Path("cell/index.html") in old and Path("old.html") not in old
    # No hidden name beside this one is short enough for a file system
    site = site.rename(small / ("s" * 250))
    moved = build(small, site)
    (line,) = moved.stderr.splitlines()
    assert line.startswith(f"{site} is as it was: ")
    (small / "data" / "README.md").write_text("# A page\n\n[x](gone.md)\n")
    failed = build(small, site)
    assert "gone.md" in failed.stderr
    assert moved.returncode and failed.returncode
    assert kept(site) == old


def test_the_front_page_has_every_part_of_the_readme(site):
    html = (site / "index.html").read_text("utf-8")
    sections = re.findall(r"(?m)^## (.+)$", README)
    assert re.findall(r"<h2>(.+?)<a", html) == sections != []


def test_the_notes_stand_in_the_order_of_their_readme(site):
    text = (ROOT / "theory" / "README.md").read_text("utf-8")
    order = re.findall(r"(?m)^\| \[.+?\]\(([\d]+-[\w-]+)\.ipynb\)", text)
    html = (site / "theory" / "index.html").read_text("utf-8")
    listed = re.findall(r'toctree-l2.*?href="([\w-]+)\.html"', html)
    assert listed == [*order, "solutions"]
    assert set(order) == {p.stem for p in ROOT.glob("theory/[0-9]*.ipynb")}


@pytest.mark.parametrize("latex", [r"\nothing{x}", "x_", r"a & b"])
def test_a_formula_that_would_be_spelt_is_none(latex):
    with pytest.raises(ValueError):
        mathml(latex, "inline")


def test_aligned_rows_are_rows():
    rows = r"\begin{aligned} a &= b \\ c &= d \end{aligned}"
    assert mathml(rows, "block").count("<mtr") == 2


WIDER_THAN_THE_SCREEN = """
[...document.querySelectorAll("article *")].filter(e =>
    e.checkVisibility() && e.getBoundingClientRect().right > innerWidth + 1
    && ![...parents(e)].some(p =>
      ["auto", "scroll", "hidden"].includes(getComputedStyle(p).overflowX)))
  .map(e => e.outerHTML.slice(0, 80));
function* parents(e) {
  while ((e = e.parentElement) && e.tagName != "ARTICLE") yield e;
}
"""
SEEN = """() => ({
  images: document.images.length,
  missing: [...document.images].filter(i => i.checkVisibility()
    && !(i.alt && i.complete && i.naturalWidth)).map(i => i.src),
  ids: [...document.querySelectorAll("[id]")].map(e => e.id),
  links: [...document.querySelectorAll("a[href]")].map(a => a.href),
  doors: [...document.querySelectorAll(".doors a")].map(a => a.href),
  code: [...document.querySelectorAll(".cell_input pre")]
    .map(e => e.innerText.trim()),
  formulas: document.querySelectorAll("math").length,
  prose: [...document.querySelectorAll("p, li, td, figcaption")]
    .map(e => e.innerText),
})"""
SPELT = re.compile(r"\$\$|\$[^$\n]*\\[a-z]+[^$\n]*\$|\\(frac|sigma|odot)\b")


@pytest.fixture(scope="module")
def walk(browser, address, site):
    """What is seen of every page, each opened once, at three widths."""
    seen, errors, asked = {}, [], []
    page = browser.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda m: m.type == "error" and errors.append(m.text))
    page.on("request", lambda request: asked.append(request.url))
    for name in pages(site):
        errors.clear()
        asked.clear()
        page.set_viewport_size({"width": WIDTHS[0], "height": 800})
        page.goto(address + name)
        wide = page.evaluate(WIDER_THAN_THE_SCREEN)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            if page.evaluate("document.documentElement.scrollWidth") > width:
                wide.append(width)
        seen[name] = page.evaluate(SEEN)
        here = (address, "data:", "blob:")
        seen[name] |= {
            "errors": [*errors],
            "asked": [url for url in asked if not url.startswith(here)],
            "wide": wide,
            "spelt": [t for t in seen[name]["prose"] if SPELT.search(t)],
        }
    page.close()
    return seen


@pytest.mark.parametrize(
    "fault", ["errors", "asked", "wide", "missing", "spelt", "broken"]
)
def test_no_page_has_a_fault(walk, address, site, fault):
    """No error, no request beyond the server, nothing wider than the screen.

    No image without words or missing, no formula spelt, no broken link.
    """
    if fault == "broken":
        found = {name: [*broken(walk, name, address, site)] for name in walk}
    else:
        found = {name: page[fault] for name, page in walk.items()}
    assert {name: what for name, what in found.items() if what} == {}


def broken(walk, name, address, site):
    """The links of a page that lead nowhere."""
    for link in walk[name]["links"]:
        url = urlsplit(link)
        target, anchor = unquote(url.path[1:]), unquote(url.fragment)
        if not link.startswith(address):
            there = url.scheme in ("https", "mailto")
        elif target in walk:
            there = not anchor or anchor in walk[target]["ids"]
        else:
            there = (site / target).is_file()
        if not there:
            yield link


def test_there_is_much_to_see(walk):
    assert sum(page["images"] for page in walk.values()) > 50
    assert walk["theory/02-lstm.html"]["formulas"] > 100


def test_the_front_page_says_the_answer_and_opens_doors(walk):
    page = walk["index.html"]
    answer = " ".join(re.search(r"(?s)\*\*(.+?)\*\*", README)[1].split())
    assert any(answer in " ".join(said.split()) for said in page["prose"])
    doors = ["/cell/index", "/theory/index", "/predictor", "/results/index"]
    ends = [urlsplit(link).path for link in page["doors"]]
    assert ends == [f"{door}.html" for door in doors]


def test_a_link_of_github_leads_to_the_page_of_its_file(walk, address):
    for page, *links in [
        ("index", "theory/00-start-here.html", "cell/index.html"),
        (
            "index",
            "results/index.html#how-often-were-the-test-folds-looked-at",
        ),
        ("EDA", "EDA.html#how-big-are-the-moves"),
        ("theory/02-lstm", "theory/01-recurrent-networks.html"),
        ("theory/02-lstm", "theory/cells.html"),
        ("theory/index", "theory/text/index.html"),
        ("tests/bench/index", "results/index.html"),
    ]:
        there = walk[f"{page}.html"]["links"]
        assert {address + link for link in links} <= {*there}


def test_code_is_shown_as_it_was_written(walk):
    for path in [*ROOT.glob("*.ipynb"), *ROOT.glob("theory/*.ipynb")]:
        name = path.relative_to(ROOT).with_suffix(".html").as_posix()
        cells = habits.code_cells(habits.read(path))
        assert walk[name]["code"] == [c.source.strip() for c in cells]


def test_a_search_finds_the_forget_gate(browser, address):
    page = browser.new_page(viewport={"width": 360, "height": 800})
    page.goto(address + "index.html")
    page.locator("button.search-button:visible").first.click()
    field = page.locator("input[type=search]:visible").first
    field.fill("forget gate")
    field.press("Enter")
    results = page.locator("#search-results li a")
    results.first.wait_for()
    ends = results.evaluate_all("links => links.map(a => a.pathname)")
    assert "/theory/02-lstm.html" in ends
    page.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_the_navigation_opens_and_leads_on(browser, address, width):
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.goto(address + "theory/02-lstm.html")
    link = page.locator("nav a:visible", has_text="The forecast").first
    if width < 992:  # the theme's breakpoint
        assert not link.is_visible()
        page.locator("button.primary-toggle:visible").click()
    link.click()
    page.wait_for_url("**/predictor.html")
    page.close()


def test_light_and_dark_can_be_read(browser, address):
    grounds = {}
    for scheme in ["light", "dark"]:
        page = browser.new_page(color_scheme=scheme)
        page.goto(address + "theory/02-lstm.html")
        for words in ["article p", "article p a", "article h2", "math"]:
            grounds[scheme], contrast = page.evaluate(CONTRAST, [words])
            assert contrast > 4.5, (scheme, words)  # WCAG 2.2, level AA
        page.close()
    assert grounds["dark"] < 0.05 < 0.9 < grounds["light"]
