"""Settings every test and every notebook kernel inherits."""

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

# Builds matplotlib's font cache where there is none yet: a kernel would say
# so on stderr, which nbval compares.
import matplotlib.font_manager  # noqa: F401
import numpy as np
import pytest
import yahoo_standin as upstream
from playwright.sync_api import Error, sync_playwright

ROOT = Path(__file__).resolve().parents[1]

# The suite is about the frozen histories, whatever a user has scraped.
os.environ["FORECASTING_DATA"] = str(ROOT / "data" / "snapshot")


def process(*arguments, **options):
    """A Python of its own, at the root; it may import what tests import."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    usual = {
        "cwd": ROOT,
        "env": os.environ | {"PYTHONPATH": path, "PYTHONUTF8": "1"},
        "encoding": "utf-8",
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
    }
    command = [sys.executable, *map(str, arguments)]
    return subprocess.Popen(command, **usual | options)


def output(*arguments, **options):
    """What a Python of its own prints; it must not fail."""
    run = process(*arguments, **options)
    out, err = run.communicate()
    assert run.returncode == 0, err
    return out


@pytest.fixture
def yahoo():
    """A running stand-in."""
    with upstream.Yahoo() as yahoo:
        yield yahoo


@pytest.fixture
def scrape(yahoo, tmp_path, capsys):
    return upstream.Scrape(yahoo, tmp_path, capsys)


@pytest.fixture(scope="module")
def browser():
    """A Chromium of the system's; Chrome where there is none."""
    path = shutil.which("chromium")
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                executable_path=path, channel=None if path else "chrome"
            )
        except Error:
            if path:
                raise
            pytest.skip("neither Chromium nor Chrome is installed")
        yield browser
        browser.close()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextmanager
def served(folder):
    """The address at which a server on this machine offers a folder."""
    handler = partial(Quiet, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


# Luminance of a page's ground, and its contrast to a selector's ink.
CONTRAST = """([selector, ink = "color"]) => {
  const rgb = colour => colour.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const light = colour => rgb(colour)
    .map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = light(getComputedStyle(document.body).backgroundColor);
  const drawn = light(
    getComputedStyle(document.querySelector(selector))[ink]);
  return [ground, (Math.max(ground, drawn) + 0.05)
                  / (Math.min(ground, drawn) + 0.05)];
}"""


def finite_differences(loss, array, eps=1e-5):
    """Central differences of loss() by every entry of array, in place."""
    gradient = np.empty_like(array)
    for index in np.ndindex(array.shape):
        kept = array[index]
        array[index] = kept + eps
        above = loss()
        array[index] = kept - eps
        gradient[index] = (above - loss()) / (2 * eps)
        array[index] = kept
    return gradient
