"""The living cell: its numbers are Python's, and a hand can move it."""

import json
import sys

import habits
import numpy as np
import pytest
from conftest import CONTRAST, served

from forecasting.models.backend import keras
from theory import cells

CELL = habits.ROOT / "book" / "cell"
sys.path.insert(0, str(CELL))

import bundle  # noqa: E402
import export  # noqa: E402

ADDING = json.loads((CELL / "weights" / "adding.json").read_text())
PASSES = {
    "rnn": (cells.rnn_forward, cells.rnn_backward, keras.layers.SimpleRNN),
    "lstm": (cells.lstm_forward, cells.lstm_backward, keras.layers.LSTM),
}


# The numbers of a sequence are drawn by chance: here always the same
CHANCE = """let seed = 1;
Math.random = () => (seed = seed * 16807 % 2147483647) / 2147483647;"""


def assert_close(page, python):
    np.testing.assert_allclose(page, python, rtol=1e-6, atol=1e-9)


@pytest.fixture(scope="module")
def address():
    """The page on a server of this machine, as the site serves it."""
    with served(CELL) as address:
        yield address


@pytest.fixture(scope="module")
def visit(browser, address):
    """Open the page, wherever it is; whatever goes wrong is kept."""
    wrong, asked = [], []

    def visit(where=address + "index.html", **options):
        page = browser.new_page(**options)
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.add_init_script(CHANCE)
        page.goto(where)
        page.locator("html[data-ready]").wait_for()
        return page

    yield visit
    assert wrong == []
    elsewhere = (address, "data:,", "file://")
    assert [url for url in asked if not url.startswith(elsewhere)] == []


@pytest.fixture(scope="module")
def page(visit):
    return visit(viewport={"width": 1280, "height": 900})


def read(page, *given):
    """What the page's own code reads out of a sequence, with a network."""
    given = json.loads(json.dumps(given, default=np.ndarray.tolist))
    module = "import(new URL('js/cells.js', location.href))"
    return page.evaluate(
        f"async given => (await {module}).read(...given)", given
    )


def said(page, name):
    """The number that stands in an element."""
    return float(page.locator(f"#{name}").inner_text().replace("−", "-"))


def held(page, name):
    """The number that a slider is set to."""
    return float(page.locator(f"#{name}").input_value())


def enter(page, **values):
    """Set sliders as a hand does, one after the other."""
    for name, value in values.items():
        page.locator(f"#{name.replace('_', '-')}").fill(str(value))


# Same numbers


@pytest.mark.parametrize("cell", PASSES)
@pytest.mark.parametrize("shape", [(1, 1, 1), (7, 3, 5), (150, 2, 8)])
def test_a_network_reads_as_in_numpy_and_keras(page, cell, shape):
    """All that is inside, the answers, the gradient of the last one."""
    T, d, h = shape
    rng = np.random.default_rng(shape)
    n = 4 * h if cell == "lstm" else h
    shapes = {"W": (d, n), "U": (h, n), "b": n, "V": (h, 1), "v": 1}
    network = {k: 0.6 * rng.normal(size=s) for k, s in shapes.items()}
    if T == 150:  # the committed ones, beyond the lag that they learnt
        network = {k: np.array(ADDING[cell][k]) for k in shapes}
    W, U, b, V, v = network.values()
    x = rng.random((1, T, d))
    forward, backward, layer = PASSES[cell]
    *_, cache = forward(x, W, U, b)
    dh = np.zeros_like(cache["h"])
    dh[0, -1] = V[:, 0]
    found = read(page, x[0], network)
    for name in {"h", "c", "i", "f", "c_tilde", "o"} & set(cache):
        same = found["cache"][name.replace("c_tilde", "cTilde")]
        assert_close(same, cache[name][0])
    assert_close(found["gradient"], backward(dh, cache)["x"][0])
    layer = layer(h, return_sequences=True, dtype="float64")
    layer.build(x.shape)
    layer.set_weights([W, U, b])
    assert_close(found["answers"], (layer(x).numpy() @ V + v)[0, :, 0])


def test_the_committed_networks_solve_the_task_and_do_not():
    assert export.error("lstm", ADDING["lstm"]) < 0.01
    assert export.error("rnn", ADDING["rnn"]) > 0.1
    lstm = {k: np.array(a) for k, a in ADDING["lstm"].items()}
    unit, gate = export.slowest(lstm)
    assert unit == ADDING["slow"] and gate > 0.99
    # Asked on the way it is near the best guess
    x, _ = export.new_sequences(n=200)
    h = cells.lstm_forward(x, lstm["W"], lstm["U"], lstm["b"])[0]
    guess = 1 + np.cumsum(x[:, :, 1] * (x[:, :, 0] - 0.5), axis=1)
    away = (h @ lstm["V"] + lstm["v"])[:, 20:, 0] - guess[:, 20:]
    assert np.sqrt(np.mean(away**2)) < 0.15
    # Four times the lag: worse than at home, and still no constant answer
    assert export.error("lstm", ADDING["lstm"], T=400) < 1 / 6 / 4


# The page under a hand


def test_sliders_move_the_cell(page):
    biases = {"bi": 0.5, "bf": 2.5, "bc": -0.25, "bo": 1}
    enter(page, x=-1.5, h=0.4, c=1.2, **biases)
    b, ones = np.array([*biases.values()]), np.ones((1, 4))
    x, h, c = [[[-1.5]]], np.array([[0.4]]), np.array([[1.2]])
    cache = cells.lstm_forward(np.array(x), ones, ones, b, h, c)[2]
    for name in ("i", "f", "c_tilde", "o", "c", "h"):
        shown = said(page, f"now-{name.replace('c_tilde', 'cTilde')}")
        assert shown == pytest.approx(cache[name].item(), abs=6e-4)


def test_f_can_be_set_and_what_is_left_is_read(page):
    page.get_by_role("button", name="Set f to 0.9:").click()
    f = said(page, "f-is")
    assert f == pytest.approx(0.9, abs=1e-3)
    assert said(page, "gradient-1") == pytest.approx(f, abs=6e-4)
    assert said(page, "gradient-10") == pytest.approx(f**10, abs=1e-3)
    assert page.locator("#gradient-100").inner_text() == "2.7·10⁻⁵"
    for _ in range(3):  # the keyboard moves f, and with it the bias
        f, bias = said(page, "f-is"), held(page, "bf")
        page.locator("#f").press("ArrowLeft")
        assert said(page, "f-is") < f
        assert held(page, "bf") < bias
    page.get_by_role("button", name="Set f to 0.999").click()
    assert said(page, "gradient-100") == pytest.approx(0.999**100, abs=2e-3)


def drag(page, start, end):
    """The mouse, pressed at one place and let go at another."""
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=4)
    page.mouse.up()


def centre(page, selector):
    """Where the middle of an element is, which is scrolled into view."""
    page.locator(selector).scroll_into_view_if_needed()
    box = page.locator(selector).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_the_curve_of_f_can_be_dragged(page):
    x, _ = centre(page, "#decay")
    box = page.locator("#decay").bounding_box()
    end = box["x"] + box["width"] - 14, box["y"] + 14 + 164 / 2
    drag(page, (x, end[1]), end)  # at k = 100 half-way down, to 1e-5
    assert said(page, "f-is") == pytest.approx(10 ** (-5 / 100), abs=2e-3)


def test_the_lstm_adds_where_the_rnn_does_not(page):
    enter(page, length=100, first=5, second=90, step=100)
    for first, second in [(0.9, 0.8), (0.1, 0.2)]:
        enter(page, value_first=first, value_second=second)
        assert said(page, "guess") == pytest.approx(first + second)
        guess = said(page, "guess")
        assert said(page, "says-lstm") == pytest.approx(guess, abs=0.15)
        assert abs(said(page, "says-rnn") - guess) > 0.4


def test_marks_can_be_moved_by_keyboard_and_beyond_the_lag_learnt(page):
    page.get_by_role("button", name="400 steps").click()
    assert held(page, "second") == 390
    page.locator("#second").press("ArrowRight")
    assert held(page, "second") == 391
    enter(page, first=391)  # two marks never share a step
    assert held(page, "first") != 391
    enter(page, first=10, value_first=0.9, value_second=0.7)
    assert abs(said(page, "says-lstm") - said(page, "guess")) < 0.4
    enter(page, length=50)
    assert held(page, "second") <= 50
    assert said(page, "steps-read") == 50


def test_a_mark_can_be_dragged(page):
    enter(page, length=100, first=20, second=80)
    enter(page, value_first=0.5, value_second=0.5)
    x, y = centre(page, "#numbers [data-grip=second]")
    step = (page.locator("#numbers").bounding_box()["width"] - 46) / 100
    drag(page, (x, y), (x - 30 * step, y - 24))
    assert held(page, "second") == 50
    assert held(page, "value-second") > 0.7


def test_it_plays_to_the_end_and_stops(page):
    enter(page, length=20, step=12)
    page.locator("#play").click()
    assert page.locator("#play").inner_text() == "Pause"
    page.locator("#play", has_text="Play").wait_for()
    assert held(page, "step") == 20


def test_without_motion_a_press_is_a_tenth(visit):
    page = visit(reduced_motion="reduce")
    enter(page, step=30)
    page.locator("#play").click()
    page.wait_for_timeout(300)
    assert held(page, "step") == 40
    assert page.locator("#play").inner_text() == "Play"


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_is_wider_than_the_screen(visit, width):
    page = visit(viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == width
    beyond = """[...document.querySelectorAll("main *")].filter(e => {
      const box = e.getBoundingClientRect();
      return box.width && (box.right > innerWidth + 1 || box.left < -1);
    }).map(e => e.outerHTML.slice(0, 80))"""
    assert page.evaluate(beyond) == []
    page.get_by_role("button", name="400 steps").click()
    assert page.evaluate(beyond) == []


def swipe(page, x, y, right, down):
    """A finger, by the browser's own events of touch."""
    hand = page.context.new_cdp_session(page)
    steps = np.linspace([x, y], [x + right, y + down], 6).tolist()
    touches = [[{"x": x, "y": y}] for x, y in steps]
    kinds = ["touchStart", *["touchMove"] * 5, "touchEnd"]
    for kind, points in zip(kinds, [*touches, []], strict=True):
        event = {"type": kind, "touchPoints": points}
        hand.send("Input.dispatchTouchEvent", event)


def test_a_finger_drags_a_dot_and_does_not_scroll(visit):
    screen = {"width": 360, "height": 740}
    page = visit(viewport=screen, has_touch=True, is_mobile=True)
    f = said(page, "f-is")
    swipe(page, *centre(page, "#decay [data-grip='10']"), 0, 20)
    assert said(page, "f-is") < f - 0.1
    place = centre(page, "#numbers [data-grip=first]")
    there = page.evaluate("scrollY")
    swipe(page, *place, 60, 40)
    assert 38 <= held(page, "first") <= 42
    assert held(page, "value-first") < 0.5  # it was 0.9
    assert page.evaluate("scrollY") == there


def test_what_is_drawn_is_also_said(page):
    drawings = page.locator("main svg")
    assert drawings.count() == 6
    for svg in drawings.all():
        assert svg.get_attribute("role") == "img"
        assert len(svg.get_attribute("aria-label")) > 40
    for slider in page.locator("input").all():
        assert slider.evaluate("e => e.labels.length") == 1
        assert slider.evaluate("e => e.labels[0].innerText.trim()")
    enter(page, f=2, step=60, x=-3)
    for name in ("f", "step", "first"):
        words = page.locator(f"label[for={name}] output").inner_text()
        spoken = page.locator(f"#{name}").get_attribute("aria-valuetext")
        assert spoken == words
    assert page.locator("#x").get_attribute("aria-valuetext") == "−3.00"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_colour_schemes_can_be_read(visit, scheme):
    page = visit(color_scheme=scheme)
    words = ["p", "button", "a", "figcaption", "output", "dt", "thead th"]
    for ink in [[name] for name in words] + [["svg .tick", "fill"]]:
        assert page.evaluate(CONTRAST, ink)[1] > 4.5  # WCAG 2.2, level AA
    for kind in ("ink", "blue", "orange"):
        curve = [f"#answers .curve.{kind}", "stroke"]
        assert page.evaluate(CONTRAST, curve)[1] > 3  # ... for graphics


# The file that opens from disk


def test_the_file_opens_from_disk_and_asks_for_nothing(visit, page, tmp_path):
    path = tmp_path / "living-cell.html"
    path.write_text(bundle.bundle(), encoding="utf-8")
    asked = []
    alone = visit(path.as_uri())
    alone.on("request", lambda request: asked.append(request.url))
    page.reload()
    page.locator("html[data-ready]").wait_for()
    for name in ("#one", "#reads"):
        text = page.locator(name).inner_text()
        assert alone.locator(name).inner_text() == text
    enter(alone, bf=3, length=60)
    assert asked == []
    links = alone.locator("a").evaluate_all("a => a.map(a => a.href)")
    assert all(link.startswith(path.as_uri() + "#") for link in links)
    assert "url(" not in bundle.read("cell.css")


def test_the_code_can_be_read_in_an_hour():
    files = [path.read_text("utf-8") for path in CELL.glob("js/*.js")]
    lines = "".join(files).splitlines()
    assert len(lines) <= 800 and max(map(len, lines)) <= 79
