"""One direction: every module imports only what lies below it."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# From bottom to top. A module may import those of lower lines and its own.
LAYERS = """
market.prices market.calendars market.request settings
market.reply market.yahoo market.validate market.files market.download features
forecaster windows
backend baselines networks regressions lstm textbook models
losses significance
scores
protocol
kept
formulas tables plots report findings
answers
recipes.published
recipes.rebuilt
recipes.replays
cluster study forecast __main__ recipes.__main__
ledger.days
ledger.record ledger.scoring
ledger.page
ledger.__main__
scraper
"""
LEVEL = {
    name: level
    for level, names in enumerate(LAYERS.strip().splitlines())
    for name in names.split()
}


def modules() -> dict[str, Path]:
    """Every module, by its name within forecasting (or scraper)."""
    package = ROOT / "forecasting"
    found = {
        ".".join(path.relative_to(package).with_suffix("").parts): path
        for path in package.rglob("*.py")
        if path.name != "__init__.py"
    }
    return found | {"scraper": ROOT / "scraper.py"}


def imported(source: str) -> set[str]:
    """Our modules that a source imports, inside functions too."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "write imports in full: from forecasting..."
            names.add(node.module)
            names |= {f"{node.module}.{a.name}" for a in node.names}
    names = {name.removeprefix("forecasting.") for name in names}
    return names & set(modules())


@pytest.mark.parametrize("name", modules())
def test_a_module_imports_none_of_a_higher_layer(name):
    assert name in LEVEL, f"give {name} a layer in tests/test_imports.py"
    source = modules()[name].read_text(encoding="utf-8")
    for other in imported(source) & set(LEVEL):
        assert LEVEL[other] <= LEVEL[name], f"{name} imports {other}, above it"


def test_every_kind_of_import_is_seen():
    for source in [
        "import forecasting.lstm",
        "from forecasting.lstm import LSTMForecaster",
        "from forecasting import lstm as model",
        "def f():\n    from forecasting import lstm",
    ]:
        assert imported(source) == {"lstm"}
    assert imported("import scraper, numpy") == {"scraper"}


def loaded(code: str, *arguments) -> set[str]:
    """The packages that a fresh process has loaded after some code."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"]
        + [str(a) for a in arguments],
        cwd=ROOT / "tests",
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "module", ["lstm", "textbook", "protocol", "tables", "market.prices"]
)
def test_a_model_needs_no_downloader(module):
    packages = loaded(f"import forecasting.{module}")
    assert not packages & {"yfinance", "curl_cffi", "scraper"}


def test_the_study_downloads_without_tensorflow(yahoo, tmp_path):
    code = """if True:
        import sys
        from pathlib import Path
        import forecasting.study
        from forecasting.market.download import download
        from yahoo_standin import StandIn
        port, folder = sys.argv[1:]
        session = StandIn(int(port))
        assert download(["IBM"], Path(folder), session=session) == 0
    """
    packages = loaded(code, yahoo.port, tmp_path)
    assert not packages & {"tensorflow", "keras"}
    assert "curl_cffi" in packages
    assert (tmp_path / "IBM.csv").exists()


def test_a_download_after_tensorflow_says_what_is_in_the_way(yahoo, tmp_path):
    code = """if True:
        import sys
        from pathlib import Path
        from forecasting.backend import tf
        from yahoo_standin import StandIn
        from forecasting.market.download import download
        port, folder = sys.argv[1:]
        session = StandIn(int(port))
        sys.exit(download(["IBM"], Path(folder), session=session))
    """
    done = subprocess.run(
        [sys.executable, "-c", code, str(yahoo.port), str(tmp_path)],
        cwd=ROOT / "tests",
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    # Where the two do not quarrel, as on Windows, it just works.
    if done.returncode:
        (line,) = done.stderr.splitlines()
        assert "another process: python scraper.py IBM" in line
