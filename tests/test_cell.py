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
    "rnn": (cells.rnn_forward, cells.rnn_backward),
    "lstm": (cells.lstm_forward, cells.lstm_backward),
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


def run(page, module, code, argument):
    """What some code of the page's own modules returns."""
    argument = json.loads(json.dumps(argument, default=np.ndarray.tolist))
    return page.evaluate(
        f"async (given) => {{ const js = await import(new URL("
        f"'js/{module}.js', location.href)); {code} }}",
        argument,
    )


def said(page, name):
    """The number that stands in an element."""
    return float(page.locator(f"#{name}").inner_text().replace("−", "-"))


def enter(page, **values):
    """Set sliders as a hand does, one after the other."""
    for name, value in values.items():
        page.locator(f"#{name.replace('_', '-')}").fill(str(value))


# Same numbers


@pytest.mark.parametrize("cell", PASSES)
@pytest.mark.parametrize("shape", [(1, 1, 1), (7, 3, 5), (40, 2, 8)])
def test_forward_and_backward_are_those_of_cells_py(page, cell, shape):
    T, d, h = shape
    rng = np.random.default_rng([T, d, h])
    width = 4 * h if cell == "lstm" else h
    shapes = {"W": (d, width), "U": (h, width), "b": (width,)}
    weights = {k: 0.6 * rng.normal(size=s) for k, s in shapes.items()}
    x, dh, dc = (rng.normal(size=(T, n)) for n in (d, h, h))
    states = [rng.normal(size=h) for _ in PASSES[cell]][: 1 + (cell == "lstm")]
    forward, backward = PASSES[cell]
    *_, cache = forward(x[None], *weights.values(), *(s[None] for s in states))
    use_c = {"dc": dc[None]} if cell == "lstm" else {}
    python = backward(dh[None], cache, **use_c)
    result, found = run(
        page,
        "cells",
        f"""const cache = js.{cell}Forward(given.x, given.weights,
              ...given.states);
            return [cache, js.{cell}Backward(given.dh, cache, given.weights,
              ...given.dc)];""",
        {
            "x": x,
            "weights": weights,
            "states": states,
            "dh": dh,
            "dc": [dc] if use_c else [],
        },
    )
    names = {"c_tilde": "cTilde"}
    for name in ["h", "c", "i", "f", "c_tilde", "o"][: 6 if use_c else 1]:
        assert_close(result[names.get(name, name)], cache[name][0])
    for name, gradient in python.items():
        whole = gradient if name in weights else gradient[0]
        assert_close(found[name], whole)


@pytest.mark.parametrize("cell", PASSES)
def test_a_network_reads_as_in_numpy_and_keras(page, cell):
    """Its answer after every step, and the gradient of the last."""
    network = {k: np.array(a) for k, a in ADDING[cell].items()}
    x = export.new_sequences(T=150, n=1)[0]
    forward, backward = PASSES[cell]
    h, *_, cache = forward(x, network["W"], network["U"], network["b"])
    dh = np.zeros_like(h)
    dh[0, -1] = network["V"][:, 0]
    found = run(
        page,
        "cells",
        "return js.read(given.x, given.network)",
        {"x": x[0], "network": network},
    )
    layer = {"rnn": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM}[cell]
    layer = layer(8, return_sequences=True, dtype="float64")
    layer.build(x.shape)
    layer.set_weights([network[k] for k in ("W", "U", "b")])
    for states in (h, layer(x).numpy()):
        answers = states @ network["V"] + network["v"]
        assert_close(found["answers"], answers[0, :, 0])
    assert_close(found["gradient"], backward(dh, cache)["x"][0])


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
    state = {"x": -1.5, "h": 0.4, "c": 1.2}
    biases = {"bi": 0.5, "bf": 2.5, "bc": -0.25, "bo": 1}
    enter(page, **state, **biases)
    ones = np.ones((1, 4))
    h, c, cache = cells.lstm_forward(
        np.full((1, 1, 1), state["x"]),
        *(ones, ones, np.array([*biases.values()])),
        *(np.full((1, 1), state[k]) for k in ("h", "c")),
    )
    python = cache | {"c": c, "h": h, "cTilde": cache["c_tilde"]}
    for name in ("i", "f", "cTilde", "o", "c", "h"):
        assert said(page, f"now-{name}") == pytest.approx(
            python[name].item(), abs=6e-4
        )


def test_f_can_be_set_and_what_is_left_is_read(page):
    page.get_by_role("button", name="Set f to 0.9:").click()
    f = said(page, "f-is")
    assert f == pytest.approx(0.9, abs=1e-3)
    assert said(page, "gradient-1") == pytest.approx(f, abs=6e-4)
    assert said(page, "gradient-10") == pytest.approx(f**10, abs=1e-3)
    assert page.locator("#gradient-100").inner_text() == "2.7·10⁻⁵"
    for _ in range(3):  # the keyboard moves f, and with it the bias
        before = said(page, "f-is"), page.locator("#bf").input_value()
        page.locator("#f").press("ArrowLeft")
        assert said(page, "f-is") < before[0]
        assert float(page.locator("#bf").input_value()) < float(before[1])
    page.get_by_role("button", name="Set f to 0.999").click()
    assert said(page, "gradient-100") == pytest.approx(0.999**100, abs=2e-3)


def test_the_curve_of_f_can_be_dragged(page):
    page.locator("#decay").scroll_into_view_if_needed()
    box = page.locator("#decay").bounding_box()
    right = box["x"] + box["width"] - 14  # k = 100
    page.mouse.move(right, box["y"] + 14 + 164 / 2)  # half-way down: 1e-5
    page.mouse.down()
    page.mouse.move(right, box["y"] + 14 + 164 / 2)
    page.mouse.up()
    assert said(page, "f-is") == pytest.approx(10 ** (-5 / 100), abs=2e-3)


def test_the_lstm_adds_where_the_rnn_does_not(page):
    enter(page, length=100, first=5, second=90)
    enter(page, value_first=0.9, value_second=0.8, step=100)
    assert said(page, "guess") == pytest.approx(1.7)
    assert said(page, "says-lstm") == pytest.approx(1.7, abs=0.15)
    assert abs(said(page, "says-rnn") - 1.7) > 0.4
    enter(page, value_first=0.1, value_second=0.2)
    assert said(page, "says-lstm") == pytest.approx(0.3, abs=0.15)
    assert abs(said(page, "says-rnn") - 0.3) > 0.4


def test_marks_can_be_moved_by_keyboard_and_beyond_the_lag_learnt(page):
    page.get_by_role("button", name="400 steps").click()
    assert page.locator("#second").input_value() == "390"
    page.locator("#second").press("ArrowRight")
    assert page.locator("#second").input_value() == "391"
    enter(page, first=391)  # two marks never share a step
    assert page.locator("#first").input_value() != "391"
    enter(page, first=10, value_first=0.9, value_second=0.7)
    assert abs(said(page, "says-lstm") - said(page, "guess")) < 0.4
    enter(page, length=50)
    assert float(page.locator("#second").input_value()) <= 50
    assert page.locator("#steps-read").inner_text() == "50"


def test_a_mark_can_be_dragged(page):
    enter(page, length=100, first=20, second=80)
    enter(page, value_first=0.5, value_second=0.5)
    page.locator("#numbers").scroll_into_view_if_needed()
    grip = page.locator("#numbers [data-grip=second]").bounding_box()
    x, y = grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2
    step = (page.locator("#numbers").bounding_box()["width"] - 46) / 100
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 30 * step, y - 24, steps=4)
    page.mouse.up()
    assert page.locator("#second").input_value() == "50"
    assert float(page.locator("#value-second").input_value()) > 0.7


def test_it_plays_to_the_end_and_stops(page):
    enter(page, length=20, step=12)
    button = page.locator("#play")
    button.click()
    assert button.inner_text() == "Pause"
    page.wait_for_function("document.getElementById('step').value == 20")
    page.wait_for_function(
        "document.getElementById('play').textContent == 'Play'"
    )


def test_without_motion_a_press_is_a_tenth(visit):
    page = visit(reduced_motion="reduce")
    enter(page, step=30)
    page.locator("#play").click()
    page.wait_for_timeout(300)
    assert page.locator("#step").input_value() == "40"
    assert page.locator("#play").inner_text() == "Play"
    page.close()


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
    page.close()


def swipe(page, start, end):
    """A finger, by the browser's own events of touch."""
    hand = page.context.new_cdp_session(page)
    places = np.linspace(start, end, 6)
    for kind, place in [("touchStart", places[0])] + [
        ("touchMove", place) for place in places[1:]
    ]:
        points = [{"x": float(place[0]), "y": float(place[1])}]
        hand.send(
            "Input.dispatchTouchEvent", {"type": kind, "touchPoints": points}
        )
    hand.send(
        "Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []}
    )


def centre(page, selector):
    box = page.locator(selector).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_a_finger_drags_a_dot_and_does_not_scroll(visit):
    page = visit(
        viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True
    )
    page.locator("#decay").scroll_into_view_if_needed()
    f = said(page, "f-is")
    x, y = centre(page, "#decay [data-grip='10']")
    swipe(page, (x, y), (x, y + 20))
    assert said(page, "f-is") < f - 0.1
    page.locator("#numbers").scroll_into_view_if_needed()
    there = page.evaluate("scrollY")
    x, y = centre(page, "#numbers [data-grip=first]")
    swipe(page, (x, y), (x + 60, y + 40))
    assert 38 <= float(page.locator("#first").input_value()) <= 42
    assert float(page.locator("#value-first").input_value()) < 0.5  # was 0.9
    assert page.evaluate("scrollY") == there
    page.close()


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
    page.close()


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
    alone.close()


def test_the_code_can_be_read_in_an_hour():
    lines = [
        line
        for path in (CELL / "js").glob("*.js")
        for line in path.read_text("utf-8").splitlines()
    ]
    assert len(lines) <= 800
    assert max(map(len, lines)) <= 79
