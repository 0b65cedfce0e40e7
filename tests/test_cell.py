"""The living cell: its numbers are Python's, and a hand can move it."""

import json
import sys

import habits
import numpy as np
import pandas as pd
import pytest
from conftest import served
from sklearn.preprocessing import StandardScaler

from forecasting.evaluation.walk_forward import fit_model
from forecasting.models.backend import keras
from forecasting.models.baselines import GARCH
from forecasting.models.lstm import LSTMForecaster
from forecasting.models.networks import Network
from forecasting.models.regressions import Linear, log_variance_ahead
from forecasting.windows import before, fold_dates, make_windows
from theory import cells

CELL = habits.ROOT / "book" / "cell"
sys.path.insert(0, str(CELL))

import bundle  # noqa: E402
import export  # noqa: E402

ADDING = json.loads((CELL / "weights" / "adding.json").read_text())
MODEL = json.loads((CELL / "weights" / "forecaster.json").read_text())
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
def test_a_network_reads_as_in_python(page, cell):
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
    assert_close(found["answers"], (h @ network["V"] + network["v"])[0, :, 0])
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


class Double(Network):
    """The same layers in float64, where Keras computes in float32."""

    def run(self, weights, rows, origins):
        network = keras.Sequential(
            [
                keras.Input((self.settings.lookback, self.features)),
                keras.layers.LSTM(self.settings.units, dtype="float64"),
                keras.layers.Dense(self.outputs, dtype="float64"),
            ]
        )
        network.set_weights(weights)
        windows = make_windows(rows, self.settings.lookback)
        chosen = windows[origins - self.settings.lookback + 1]
        return network(chosen).numpy()


@pytest.fixture(scope="module")
def study():
    """AAPL, the last test year, and the three models of the page in Python.

    The regression and GARCH's tails are fitted here anew; the network and
    GARCH's parameters are the committed ones.
    """
    histories = export.load()
    prices, dates = histories["AAPL"], fold_dates(histories, 4)[-1]
    past = before(prices, dates)
    linear = fit_model(Linear(), histories, dates)
    lstm, kept = LSTMForecaster(), MODEL["lstm"]
    lstm.fit_end, lstm.linear = linear.fit_end, linear
    lstm.weights = [np.array(kept[k]) for k in ("W", "U", "b", "V", "v")]
    lstm.unit, lstm.df = np.array(kept["unit"]), np.array(kept["df"])
    lstm.scaler = StandardScaler()
    lstm.scaler.mean_ = np.array(kept["mean"])
    lstm.scaler.scale_ = np.array(kept["sd"])
    lstm.scale = np.array(kept["width"]) / lstm.spread(past)
    garch = GARCH()
    garch.params, garch.start = MODEL["garch"]["params"], past_variance(past)
    garch.rows = len(prices)  # so that it is not estimated again
    garch.scale = np.array(MODEL["garch"]["width"])
    garch.df = np.array(MODEL["garch"]["df"])
    models = {"lstm": lstm, "linear": linear, "garch": garch}
    first = pd.Timestamp(MODEL["rows"]["Date"][0])
    return models, prices, dates, prices.index.get_loc(first)


def past_variance(past):
    return np.var(np.diff(np.log(past["Close"])))


def on_the_page(page, origin, change=None):
    """Scales and intervals as the page has them, a session changed or not."""
    return run(
        page,
        "forecaster",
        """let log = js.logPrices(given.model.rows);
           if (given.change) log = js.edit(log, ...given.change);
           const scales = js.forecast(log, given.model, given.origin);
           const ends = {};
           for (const kind in scales) ends[kind] = js.interval(scales[kind],
             given.model[kind], "95", given.model.premium);
           return [scales, ends];""",
        {"model": MODEL, "origin": origin, "change": change},
    )


# origin after the first possible one, sessions back, return, range
CHANGES = [(0, 0, -0.1, 0.12), (65, 30, 0.06, 0.01), (40, 59, -0.15, 0.2)]


@pytest.mark.parametrize("after, back, move, spread", CHANGES)
def test_a_changed_session_changes_the_forecasts_as_in_python(
    page, study, monkeypatch, after, back, move, spread
):
    models, prices, _, start = study
    origin = MODEL["origins"][0] + after
    session = origin - back
    changed = export.edited(prices, start + session, move, spread)
    scales, ends = on_the_page(page, origin, [session, move, spread])
    row = np.array([start + origin])
    single = models["lstm"].predict(changed, row)
    np.testing.assert_allclose(scales["lstm"], single.scale[0], rtol=1e-5)
    network = models["lstm"].network
    monkeypatch.setattr(models["lstm"], "network", Double(*network))
    for kind, model in models.items():
        python = model.predict(changed, row)
        assert_close(scales[kind], python.scale[0])
        for side, p in enumerate([0.025, 0.975]):
            shown = 100 * np.expm1(python.quantile(p)[0])
            assert_close(np.array(ends[kind])[:, side], shown)


def test_what_was_read_is_the_history_itself(page, study):
    """And GARCH, estimated here anew, agrees as far as its optimiser does."""
    models, prices, dates, start = study
    fresh = fit_model(GARCH(), {"AAPL": prices}, dates)
    for origin in MODEL["origins"]:
        scales, _ = on_the_page(page, origin)
        row = np.array([start + origin])
        assert_close(
            scales["linear"], models["linear"].predict(prices, row).scale[0]
        )
        again = fresh.predict(prices, row).scale[0]
        np.testing.assert_allclose(scales["garch"], again, rtol=1e-4)


def test_the_committed_network_has_learnt(study):
    """On its test year it misses the log variance no more than Linear."""
    models, prices, dates, _ = study
    rows = np.flatnonzero(prices.index >= dates.test_start)[:-20]
    ahead = log_variance_ahead(prices, 20)[rows]
    missed = {
        kind: np.mean((models[kind].log_variance(prices, rows) - ahead) ** 2)
        for kind in ("lstm", "linear")
    }
    assert missed["lstm"] != missed["linear"]
    assert missed["lstm"] < 1.02 * missed["linear"]


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


def widths(page, kind):
    """Half-widths after 1, 5 and 20 sessions, before and after a change."""
    cells = [page.locator(f"#{kind}-{h}").inner_text() for h in (1, 5, 20)]
    return np.array([[float(n) for n in c.split(" → ")] for c in cells]).T


def test_a_loss_widens_all_and_a_range_only_those_who_read_it(page):
    page.get_by_role("button", name="The last day: a loss").click()
    losses = {}
    for kind in ("lstm", "linear", "garch"):
        before, losses[kind] = widths(page, kind)
        assert (losses[kind] > 1.2 * before).all()
    page.get_by_role("button", name="The same as a gain").click()
    for kind, after_loss in losses.items():
        assert (after_loss > 1.1 * widths(page, kind)[1]).all()
    page.get_by_role("button", name="A range of 15 %").click()
    assert page.locator("#move").input_value() != "-10"
    for kind in ("lstm", "linear"):
        before, after = widths(page, kind)
        assert (after > 1.1 * before).all()
    before, after = widths(page, "garch")
    assert (after == before).all()
    page.get_by_role("button", name="As it was", exact=True).click()
    for kind in ("lstm", "linear", "garch"):
        before, after = widths(page, kind)
        assert (after == before).all()


def test_the_table_is_that_of_the_forecast(page):
    enter(page, origin=30, day=55, move=-7)
    origin = MODEL["origins"][0] + 30
    log = run(
        page,
        "forecaster",
        """const log = js.logPrices(given);
           return log.map((_, t) => t && js.spreadOf(log, t));""",
        MODEL["rows"],
    )
    session = origin - 5
    ends = run(
        page,
        "forecaster",
        """const log = js.edit(js.logPrices(given.rows), ...given.change);
           const { lstm } = js.forecast(log, given, given.origin);
           return js.interval(lstm, given.lstm, "80", given.premium);""",
        MODEL | {"origin": origin, "change": [session, -0.07, log[session]]},
    )
    half = np.diff(ends)[[0, 4, 19], 0] / 2
    np.testing.assert_allclose(widths(page, "lstm")[1], half, atol=0.051)


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
    page.locator("#days").scroll_into_view_if_needed()
    there = page.evaluate("scrollY")
    x, y = centre(page, "#days [data-grip=move]")
    swipe(page, (x, y), (x, y - 40))
    assert float(page.locator("#move").input_value()) > -2  # it was -10
    x, y = centre(page, "#days [data-grip=spread]")
    swipe(page, (x, y), (x, y - 30))
    assert float(page.locator("#spread").input_value()) > 8
    assert page.evaluate("scrollY") == there
    page.locator("#numbers").scroll_into_view_if_needed()
    x, y = centre(page, "#numbers [data-grip=first]")
    swipe(page, (x, y), (x + 60, y))
    assert 38 <= float(page.locator("#first").input_value()) <= 42
    page.close()


def test_what_is_drawn_is_also_said(page):
    drawings = page.locator("main svg")
    assert drawings.count() == 10
    for svg in drawings.all():
        assert svg.get_attribute("role") == "img"
        assert len(svg.get_attribute("aria-label")) > 40
    for slider in page.locator("input").all():
        assert slider.evaluate("e => e.labels.length") == 1
        assert slider.evaluate("e => e.labels[0].innerText.trim()")
    enter(page, day=60, move=-3)
    for name in ("f", "day", "origin"):
        words = page.locator(f"label[for={name}] output").inner_text()
        spoken = page.locator(f"#{name}").get_attribute("aria-valuetext")
        assert spoken == words
    assert page.locator("#move").get_attribute("aria-valuetext") == "−3.0 %"


CONTRAST = """colours => {
  const light = colour => colour.match(/[\\d.]+/g).slice(0, 3)
    .map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = light(getComputedStyle(document.body).backgroundColor);
  return colours.map(([selector, property]) => {
    const e = document.querySelector(selector);
    const ink = light(getComputedStyle(e)[property]);
    return (Math.max(ground, ink) + 0.05) / (Math.min(ground, ink) + 0.05);
  });
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_colour_schemes_can_be_read(visit, scheme):
    page = visit(color_scheme=scheme)
    words = ["p", "button", "a", "figcaption", "output", "dt", "thead th"]
    texts = [[name, "color"] for name in words] + [["svg .tick", "fill"]]
    assert min(page.evaluate(CONTRAST, texts)) > 4.5  # WCAG 2.2, level AA
    curves = [f"#answers .curve.{c}" for c in ("ink", "blue", "orange")]
    lines = [[name, "stroke"] for name in curves]
    assert min(page.evaluate(CONTRAST, lines)) > 3  # ... for graphics
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
    for name in ("#one", "#reads", "#outlook"):
        text = page.locator(name).inner_text()
        assert alone.locator(name).inner_text() == text
    enter(alone, bf=3, length=60, move=5)
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
