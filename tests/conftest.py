"""Settings every test and every notebook kernel inherits."""

import os
from functools import partial
from pathlib import Path

# Builds matplotlib's font cache where there is none yet: a kernel would say
# so on stderr, which nbval compares.
import matplotlib.font_manager  # noqa: F401
import pytest
import yahoo_standin as upstream

ROOT = Path(__file__).resolve().parents[1]

# The suite is about the frozen histories, whatever a user has scraped.
os.environ["FORECASTING_DATA"] = str(ROOT / "data" / "snapshot")


@pytest.fixture
def yahoo(monkeypatch):
    with upstream.impatient(monkeypatch) as yahoo:
        yield yahoo


@pytest.fixture
def scrape(yahoo, tmp_path, capsys):
    return partial(upstream.run, yahoo, tmp_path, capsys)


@pytest.fixture
def csv(tmp_path):
    return tmp_path / "AAPL.csv"
