"""One direction: every module imports only what lies below it."""

import ast
import os
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# From bottom to top; what stands beside them is anywhere that has no circle.
ROOMS = ["market", "models", "evaluation", "pages"]


def modules() -> dict[str, Path]:
    """Every module, by its name within forecasting (or scraper)."""
    package = ROOT / "forecasting"
    found = {
        ".".join(path.relative_to(package).with_suffix("").parts): path
        for path in package.rglob("*.py")
        if path.name != "__init__.py"
    }
    return found | {"scraper": ROOT / "scraper.py"}


def room(name: str) -> str:
    """The folder of a module; a module beside the folders is its own."""
    return name.partition(".")[0]


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


def arrows() -> dict[str, set[str]]:
    """What every module imports of ours."""
    return {
        name: imported(path.read_text(encoding="utf-8"))
        for name, path in modules().items()
    }


def test_no_module_imports_itself_in_a_circle():
    list(TopologicalSorter(arrows()).static_order())  # raises CycleError


def test_the_rooms_are_entered_in_one_direction():
    below = {room(name): set() for name in modules()}
    for name, others in arrows().items():
        below[room(name)] |= {room(other) for other in others}
    floors = {name: others - {name} for name, others in below.items()}
    order = list(TopologicalSorter(floors).static_order())
    assert sorted(ROOMS, key=order.index) == ROOMS


def test_a_command_imports_no_other_command():
    commands = {
        name
        for name, path in modules().items()
        if 'if __name__ == "__main__"' in path.read_text(encoding="utf-8")
    }
    assert {"study", "forecast", "__main__", "ledger.__main__"} <= commands
    for name in commands:
        assert not arrows()[name] & commands, f"{name} imports a command"


def test_every_kind_of_import_is_seen():
    for source in [
        "import forecasting.models.vintage",
        "from forecasting.models.vintage import LSTM",
        "from forecasting.models import vintage as model",
        "def f():\n    from forecasting.models import vintage",
    ]:
        assert imported(source) == {"models.vintage"}
    assert imported("import scraper, numpy") == {"scraper"}


def fresh(code: str, *arguments) -> subprocess.CompletedProcess:
    """Some code in a process of its own, which prints what it has loaded."""
    code += "\nimport sys; print(*sys.modules)"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT / "tests",
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


def loaded(code: str, *arguments) -> set[str]:
    """The packages that code loads which ends well."""
    done = fresh(code, *arguments)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


DOWNLOAD = """
import sys
from pathlib import Path
from yahoo_standin import StandIn
from forecasting.market.download import download
from forecasting.market.yahoo import Client
port, folder = sys.argv[1:]
client = Client(StandIn(int(port)))
if failed := download(["IBM"], Path(folder), client=client):
    sys.exit(failed)
"""
MODULES = ["models.vintage", "models.registry", "evaluation.walk_forward"]


@pytest.mark.parametrize("module", [*MODULES, "pages.tables", "market.prices"])
def test_a_model_needs_no_downloader(module):
    packages = loaded(f"import forecasting.{module}")
    assert not packages & {"yfinance", "curl_cffi", "scraper"}


def test_the_study_downloads_without_tensorflow(yahoo, tmp_path):
    code = "import forecasting.study" + DOWNLOAD
    packages = loaded(code, yahoo.port, tmp_path)
    assert not packages & {"tensorflow", "keras"}
    assert "curl_cffi" in packages
    assert (tmp_path / "IBM.csv").exists()


def test_a_download_after_tensorflow_says_what_is_in_the_way(yahoo, tmp_path):
    code = "from forecasting.models.backend import tf" + DOWNLOAD
    done = fresh(code, yahoo.port, tmp_path)
    # Where the two do not quarrel, as on Windows, it just works.
    if done.returncode:
        (line,) = done.stderr.splitlines()
        assert "another process: python scraper.py IBM" in line
