"""The site: what a reader finds who opens the study on a phone."""

import os
import re
import subprocess
import sys
from collections import Counter
from urllib.parse import unquote, urlsplit

import habits
import pandas as pd
import pytest
from conftest import CONTRAST, served

from forecasting.pages.formulas import mathml

ROOT = habits.ROOT
BOOK = ROOT / "book"
sys.path.insert(0, str(BOOK))

import explorer  # noqa: E402
import front  # noqa: E402
import stage  # noqa: E402

README = (ROOT / "README.md").read_text("utf-8")
WIDTHS = [360, 768, 1280]
NO_NETWORK = dict.fromkeys(
    ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"],
    "http://127.0.0.1:9",  # where nobody answers
)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The site's folder, and what was said while it was built."""
    site = tmp_path_factory.mktemp("book") / "site"
    done = subprocess.run(
        [sys.executable, BOOK / "build.py", site],
        env=os.environ | NO_NETWORK,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return site, done.stdout + done.stderr


@pytest.fixture(scope="module")
def site(built):
    return built[0]


def pages(site):
    """The addresses of all pages, within the site."""
    static = site / "_static"
    return sorted(
        path.relative_to(site).as_posix()
        for path in site.rglob("*.html")
        if static not in path.parents
    )


@pytest.fixture(scope="module")
def address(site):
    """Where a server on this machine offers the site."""
    with served(site) as address:
        yield address


def test_it_is_built_without_a_warning(built):
    assert built[1] == ""


def test_every_notebook_and_every_page_of_markdown_is_there(site):
    expected = {"index.html", "run.html", "explorer.html", "search.html"}
    for path in [*ROOT.glob("*.ipynb"), *ROOT.glob("theory/*.ipynb")]:
        expected.add(path.relative_to(ROOT).with_suffix(".html").as_posix())
    for folder in ["theory", "results", "data", "tests", "tests/bench"]:
        expected.add(f"{folder}/index.html")
    assert expected <= set(pages(site))


def test_every_part_of_the_readme_is_on_one_page():
    start, run, _ = front.pages(README, touch=True)
    sections = re.findall(r"(?m)^## (.+)$", README)
    on = Counter(re.findall(r"(?m)^## (.+)$", start + run))
    assert sections
    assert [name for name in sections if on[name] != 1] == []
    for block in re.split(r"\n{2,}", README.partition("\n## ")[0].strip()):
        assert block in start


def test_the_notes_stand_in_the_order_of_their_readme():
    text = (ROOT / "theory" / "README.md").read_text("utf-8")
    order = re.findall(r"(?m)^\| \[.+?\]\(([\d]+-[\w-]+)\.ipynb\)", text)
    entries = re.findall(r"<?(\d+-[\w-]+)>?", "\n".join(stage.notes()))
    assert entries[: len(order)] == order
    assert set(entries) == {p.stem for p in ROOT.glob("theory/[0-9]*.ipynb")}


def test_links_are_those_of_github_spelt_for_the_site(tmp_path):
    tree = stage.Tree(tmp_path)
    tree.run = {"use-another-stock"}
    source = "theory/02-lstm.ipynb"
    for there, here in {
        "01-recurrent-networks.ipynb#What-is-it?": (
            "01-recurrent-networks.ipynb#what-is-it"
        ),
        "README.md#notation": "index.md#notation",
        "cells.py": "cells.py.md",
        "exercises": "exercises/index.md",
        "../README.md#use-another-stock": "../run.md#use-another-stock",
        "../README.md": "../index.md",
        "../results": "../results/index.md",
        "../results/verdict.png": "../results/verdict.png",
        "#Is-it-right?": "#is-it-right",
    }.items():
        assert tree.link(there, source, source) == here
    code = "```\n[a](cells.py)\n```\n[a](https://example.org)"
    assert tree.markdown(code, source, source) == code


@pytest.mark.parametrize("latex", [r"\nothing{x}", "x_", r"a & b"])
def test_a_formula_that_would_be_spelt_is_none(latex):
    with pytest.raises(ValueError):
        mathml(latex, "inline")


def test_aligned_rows_are_rows():
    rows = r"\begin{aligned} a &= b \\ c &= d \end{aligned}"
    assert mathml(rows, "block").count("<mtr") == 2


def test_the_bars_are_those_of_the_verdicts_figure():
    """Recomputed row by row from the summary."""
    summary = pd.read_csv(explorer.SUMMARY)
    table = summary.set_index(["ticker", "horizon", "model"]).sort_index()
    bars = explorer.rows(summary, "crps_vs_rw")
    assert len(bars) == len(summary)
    for bar in bars.itertuples():
        row = table.loc[bar.ticker, bar.horizon, bar.model]
        rival = table.loc[bar.ticker, bar.horizon, row["against"]]
        gap = row["crps_vs_rw"] - rival["crps_vs_rw"]
        if row["dm_crps"] == 0:
            assert pd.isna(bar.low)
            continue
        half = 1.96 * abs(gap / row["dm_crps"])
        assert bar.high - bar.value == pytest.approx(half)
        assert bar.value - bar.low == pytest.approx(half)


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
  images: [...document.images].filter(i => i.checkVisibility())
    .map(i => [i.src, i.alt, i.complete && i.naturalWidth > 0]),
  links: [...document.querySelectorAll("a[href]")].map(a => a.href),
  formulas: document.querySelectorAll("math").length,
  prose: [...document.querySelectorAll("p, li, td, figcaption")]
    .map(e => e.innerText),
})"""


@pytest.fixture(scope="module")
def walk(browser, address, site):
    """What is seen of every page, each opened once, at three widths."""
    seen, wrong, asked = {}, [], []
    page = browser.new_page()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda m: m.type == "error" and wrong.append(m.text))
    page.on("request", lambda request: asked.append(request.url))
    for name in pages(site):
        wrong.clear()
        asked.clear()
        page.set_viewport_size({"width": WIDTHS[0], "height": 800})
        page.goto(address + name)
        wide, widths = page.evaluate(WIDER_THAN_THE_SCREEN), {}
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            widths[width] = page.evaluate(
                "document.documentElement.scrollWidth"
            )
        seen[name] = page.evaluate(SEEN) | {
            "wrong": [*wrong],
            "asked": [*asked],
            "widths": widths,
            "wide": wide,
        }
    page.close()
    return seen


def faults(walk, find):
    """The pages in which something is found, with it."""
    found = {name: [*find(page)] for name, page in walk.items()}
    return {name: what for name, what in found.items() if what}


def test_no_page_asks_for_anything_beyond_its_server(walk, address):
    def beyond(page):
        return (
            url
            for url in page["asked"]
            if not url.startswith((address, "data:", "blob:"))
        )

    assert faults(walk, beyond) == {}


def test_no_page_complains(walk):
    assert faults(walk, lambda page: page["wrong"]) == {}


def test_no_page_scrolls_sideways(walk):
    def wider(page):
        return [w for w, shown in page["widths"].items() if shown > w]

    assert faults(walk, wider) == {}
    assert faults(walk, lambda page: page["wide"]) == {}


def test_every_image_is_there_and_told_in_words(walk):
    def missing(page):
        return (
            src for src, alt, there in page["images"] if not (alt and there)
        )

    assert sum(len(page["images"]) for page in walk.values()) > 50
    assert faults(walk, missing) == {}


def test_every_link_leads_somewhere(walk, address, site):
    ids = {
        name: set(
            re.findall(r'\bid="([^"]+)"', (site / name).read_text("utf-8"))
        )
        for name in pages(site)
    }

    def broken(page):
        for link in page["links"]:
            if not link.startswith(address):
                if not link.startswith(("https://", "mailto:")):
                    yield link
                continue
            parts = urlsplit(link)
            target = unquote(parts.path[1:]) or "index.html"
            if not (site / target).is_file() or (
                parts.fragment
                and target in ids
                and not target.startswith("cell/")
                and unquote(parts.fragment) not in ids[target]
            ):
                yield link

    assert faults(walk, broken) == {}


def test_formulas_are_drawn_not_spelt(walk):
    spelt = re.compile(
        r"\$\$|\$[^$\n]*\\[a-z]+[^$\n]*\$|\\(frac|sigma|odot)\b"
    )

    def find(page):
        return [text for text in page["prose"] if spelt.search(text)]

    assert walk["theory/02-lstm.html"]["formulas"] > 100
    assert faults(walk, find) == {}


def test_the_front_page_says_the_answer_and_opens_doors(walk):
    page = walk["index.html"]
    answer = re.search(r"(?s)\*\*(.+?)\*\*", README)[1].split()
    assert answer == page["prose"][0].split()[: len(answer)] or any(
        " ".join(answer) in " ".join(text.split()) for text in page["prose"]
    )
    ends = [urlsplit(link).path for link in page["links"]]
    for door in ["/theory/index.html", "/predictor.html", "/explorer.html"]:
        assert door in ends


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


SHOWN = """() => [...document.querySelectorAll("#table tbody tr")]
  .map(row => [...row.cells].map(cell => cell.textContent))"""


def test_the_explorer_shows_what_is_chosen(browser, address):
    summary = pd.read_csv(ROOT / "results" / "verdict-summary.csv")
    page = browser.new_page(viewport={"width": 360, "height": 800})
    page.goto(address + "explorer.html#qlike-5-IBM")
    page.locator("#table tbody tr").first.wait_for()
    assert page.locator("#drawn canvas").count()
    for score, horizon, stock in [
        ("qlike", 5, "IBM"),
        ("crps_vs_rw", 1, "pooled"),
        ("theil_u", 20, "GOOG"),
        ("cover_80", 1, "AAPL"),
    ]:
        if score != "qlike":  # which the link chose
            page.select_option("[name=score]", score)
            page.select_option("[name=horizon]", str(horizon))
            page.select_option("[name=stock]", stock)
        rows = summary.query("ticker == @stock and horizon == @horizon")
        shown = page.evaluate(SHOWN)
        assert [row[0] for row in shown] == [*rows["model"]]
        for said, (_, row) in zip(shown, rows.iterrows(), strict=True):
            if score == "cover_80":
                assert said[1:] == [f"{100 * row[score]:.1f} %"]
                continue
            assert float(said[1]) == pytest.approx(row[score], abs=6e-5)
            kind = {"theil_u": "point", "qlike": "qlike"}.get(score, "crps")
            p = row[f"p_{kind}_holm"]
            if said[2][0] not in "–<":
                assert float(said[2]) == pytest.approx(p, abs=6e-4)
            assert said[2][0] != "<" or p < 0.001
        found = page.locator("#found").inner_text()
        assert f"{horizon} session" in found
        assert page.locator("#drawn").get_attribute("aria-label") == found
    page.close()


def test_light_and_dark_can_be_read(browser, address):
    grounds = {}
    for scheme in ["light", "dark"]:
        page = browser.new_page(color_scheme=scheme)
        page.goto(address + "theory/02-lstm.html")
        for words in ["article p", "article p a", "article h2", "math"]:
            grounds[scheme], contrast = page.evaluate(CONTRAST, words)
            assert contrast > 4.5, (scheme, words)  # WCAG 2.2, level AA
        page.close()
    assert grounds["dark"] < 0.05 < 0.9 < grounds["light"]
