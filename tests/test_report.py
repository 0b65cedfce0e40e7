"""A study's pages: what a reader finds who gets the folder by mail."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import habits
import pandas as pd
import pytest
from conftest import CONTRAST
from nbformat.v4 import new_code_cell, new_notebook, new_output

from forecasting import study
from forecasting.eda import answers, findings
from forecasting.market import prices
from forecasting.pages import report
from forecasting.pages.tables import QUANTILES

ROOT = habits.ROOT
STUDIED = ["EDA", "predictor"]
PAGES = [
    *STUDIED,
    *sorted(f"theory/{path.stem}" for path in ROOT.glob("theory/*.ipynb")),
]


@pytest.fixture(scope="module")
def notebooks():
    """The committed notebooks: to run them again would take minutes."""
    return {name: habits.read(ROOT / f"{name}.ipynb") for name in PAGES}


@pytest.fixture(scope="module")
def folder(notebooks, tmp_path_factory):
    """The pages of the committed notebooks, beside a made-up forecast."""
    folder = tmp_path_factory.mktemp("study")
    history = prices.load("AAPL")
    forecast = pd.DataFrame(
        [[history["Close"].iloc[-1]] * len(QUANTILES)] * 20,
        columns=list(QUANTILES),
    )
    forecast.insert(0, "Date", pd.bdate_range("2013-03-04", periods=20))
    forecast.to_csv(folder / "forecast.csv", index=False)
    study.write_pages(folder, "AAPL", history, forecast, notebooks)
    return folder


def pngs(cells):
    """The figures of some cells, in base64, in order."""
    outputs = [o for cell in cells for o in cell.get("outputs", [])]
    data = [o.get("data", {}).get("image/png") for o in outputs]
    return [png for png in data if png]


def tagged(notebooks, tag):
    """The cells of both notebooks that have a tag."""
    cells = [c for name in STUDIED for c in notebooks[name].cells]
    return [c for c in cells if tag in c.metadata.get("tags", [])]


def test_the_notebooks_say_what_comes_first(notebooks):
    kinds = [habits.mimes(cell) for cell in tagged(notebooks, "forecast")]
    assert sum("image/png" in kind for kind in kinds) == 1
    assert sum("text/html" in kind for kind in kinds) == 1
    (box,) = tagged(notebooks, "box")
    assert "text/markdown" in habits.mimes(box)


def test_index_shows_the_forecast_and_then_every_figure_once(
    notebooks, folder
):
    html = (folder / "index.html").read_text("utf-8")
    first = pngs(tagged(notebooks, "forecast"))
    every = first + [
        png
        for name in STUDIED
        for png in pngs(notebooks[name].cells)
        if png not in first
    ]
    shown = re.findall(r'base64,([^"]+)"', html)
    assert shown == [png.replace("\n", "") for png in every]
    places = [html.index(words) for words in ["<dl>", "<img", "q025", "<h2"]]
    assert places == sorted(places)


def test_a_formula_that_is_no_latex_is_left_as_it_is():
    assert report.mathml("x_", "inline") == "<code>x_</code>"


class Seen(HTMLParser):
    """The tags, attributes, links and words of a page."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.links = set(), set(), set()
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links |= {dict(attrs).get("href")}

    def handle_data(self, data):
        self.words += data


@pytest.mark.parametrize(
    "name",
    [
        '"><img src=x onerror=alert(1)>',
        "<script>alert(1)<!--",
        "![x](https:example.org)",
        "[x](javascript:alert(1))",
        "<b|c>",
        "`*_&lt;$x$",
    ],
)
def test_a_file_name_is_never_markup(tmp_path, monkeypatch, name):
    """Whoever names a file in data/ does not write the page.

    The loader lets in symbols only, so the name is given here.
    """
    ibm = (ROOT / "data" / "snapshot" / "IBM.csv").read_text("utf-8")
    for ticker in ["A", "B"]:
        few = "".join(ibm.splitlines(keepends=True)[:400])
        (tmp_path / f"{ticker}.csv").write_text(few, "utf-8")
    monkeypatch.setenv("FORECASTING_DATA", str(tmp_path))
    together = findings.common_returns("A").rename(columns={"B": name})
    seven = answers.seven(prices.load("A"), together)
    texts = [answers.as_table(seven, name), answers.as_text(seven, 6)]
    data = [{"text/markdown": text} for text in texts]
    data.append({"text/html": findings.ties(together)._repr_html_()})
    outputs = [new_output("display_data", d) for d in data]
    outputs.append(new_output("stream", name="stdout", text=name))
    cell = new_code_cell(f"TICKER = {name!r}", outputs=outputs)
    folder = tmp_path / "pages"
    folder.mkdir()
    notebooks = {"EDA": new_notebook(cells=[cell])}
    report.write(folder, notebooks, name, {name: name}, name)
    for page in ["index", "EDA"]:
        seen = Seen((folder / f"{page}.html").read_text("utf-8"))
        assert seen.tags.isdisjoint({"img", "script"})
        assert not [a for a in seen.attributes if a.startswith("on")]
        assert "javascript" not in str(seen.links)
    assert f"Closest is {name} (" in seen.words
    assert f"{name}\nAnswer\n" in seen.words


WIDER_THAN_THE_SCREEN = """
[...document.querySelectorAll("body *")].filter(e =>
    e.getBoundingClientRect().right > innerWidth + 1
    && ![...parents(e)].some(p => getComputedStyle(p).overflowX == "auto"))
  .map(e => e.outerHTML.slice(0, 80));
function* parents(e) { while (e = e.parentElement) yield e; }
"""


@pytest.mark.parametrize("name", ["index", *PAGES])
def test_a_page_needs_no_network_and_fits_a_phone(browser, folder, name):
    """And its links lead to what is in the folder, or to a paper cited."""
    with browser.new_context(viewport={"width": 400, "height": 800}) as phone:
        page, wrong = phone.new_page(), []
        address = (folder / f"{name}.html").as_uri()
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: wrong.append(request.url))
        page.goto(address)
        asked = [url for url in wrong if not url.startswith("data:image/png")]
        assert asked == [address]
        assert page.evaluate("document.documentElement.scrollWidth") == 400
        assert page.evaluate(WIDER_THAN_THE_SCREEN) == []
        # a text without a full stop is no caption of plots.show
        images = page.locator("img").evaluate_all("i => i.map(i => i.alt)")
        assert [alt for alt in images if ". " not in alt] == []
        # formulas are drawn, not spelt
        prose = page.locator("p, li, td").all_inner_texts()
        assert [text for text in prose if re.search(r"\$|\\[a-z]", text)] == []
        links = page.locator("a").evaluate_all("a => a.map(a => a.href)")
        assert links
        for link in links:
            url = urlsplit(link)
            if url.scheme == "https":
                continue
            target = Path(url2pathname(url.path))
            assert target.is_relative_to(folder) and target.is_file(), link
            if url.fragment:
                anchor = f'id="{unquote(url.fragment)}"'
                assert anchor in target.read_text("utf-8"), link


def test_formulas_are_drawn(browser, folder, notebooks):
    page = browser.new_page()
    page.goto((folder / "theory" / "02-lstm.html").as_uri())
    cells = notebooks["theory/02-lstm"].cells
    text = "".join(c.source for c in cells if c.cell_type == "markdown")
    formulas = re.findall(r"(?s)\$\$.+?\$\$|\$.+?\$", text)
    assert page.locator("math").count() == len(formulas) > 100


def test_both_colour_schemes_can_be_read(browser, folder):
    grounds = {}
    for scheme in ["light", "dark"]:
        page = browser.new_page(color_scheme=scheme)
        page.goto((folder / "index.html").as_uri())
        for words in ["p", "a", "summary", "dt", "h2"]:
            grounds[scheme], contrast = page.evaluate(CONTRAST, [words])
            assert contrast > 4.5, (scheme, words)  # WCAG 2.2, level AA
        figure = "getComputedStyle(document.images[0]).backgroundColor"
        assert page.evaluate(figure) == "rgb(255, 255, 255)"
    assert grounds["dark"] < 0.05 < 0.9 < grounds["light"]
