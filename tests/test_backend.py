"""Keras can be imported beside what the rest of the study needs."""

import subprocess
import sys
from http.server import HTTPServer, SimpleHTTPRequestHandler
from threading import Thread

import pytest


@pytest.fixture
def server(tmp_path):
    (tmp_path / "page").write_text("good")

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(tmp_path))

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/page"
        server.shutdown()


def run(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )


def test_a_download_works_after_keras_is_imported(server):
    done = run(
        "from forecasting.backend import keras\n"
        "from curl_cffi import requests\n"
        f"print(requests.get({server!r}).text)"
    )
    assert done.stdout == "good\n", done.stderr


def test_importing_keras_writes_nothing():
    done = run("from forecasting.backend import keras")
    assert (done.stdout, done.stderr) == ("", "")
