"""Settings every test and every notebook kernel inherits."""

import os
import shutil
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

# Builds matplotlib's font cache where there is none yet: a kernel would say
# so on stderr, which nbval compares.
import matplotlib.font_manager  # noqa: F401
import pytest
import yahoo_standin as upstream
from playwright.sync_api import Error, sync_playwright

ROOT = Path(__file__).resolve().parents[1]

# The suite is about the frozen histories, whatever a user has scraped.
os.environ["FORECASTING_DATA"] = str(ROOT / "data" / "snapshot")


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
