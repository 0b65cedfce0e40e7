"""python book/build.py FOLDER: the study as a site, with nothing executed.

Stages the committed notebooks and Markdown in a temporary folder, has Sphinx
make pages of them, any warning being an error, and adds the living cell. The
site is replaced whole or, where something is wrong, not at all.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import stage
from sphinx.cmd.build import build_main

CONFIG = Path(__file__).resolve().parent
OPTIONS = ["--quiet", "--fail-on-warning", "--keep-going"]


def build(site: Path) -> int:
    """Replace a folder by the site; 0, or what Sphinx found wrong."""
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder, "source"), Path(folder, "site")
        source.mkdir()
        stage.stage(source)
        folders = ["--conf-dir", str(CONFIG), str(source), str(made)]
        if failed := build_main(OPTIONS + folders):
            return failed
        shutil.rmtree(made / ".doctrees")  # Sphinx's notes to itself
        (made / ".buildinfo").unlink()
        if stage.CELL.exists():
            add_cell(made)
        shutil.rmtree(site, ignore_errors=True)
        shutil.move(made, site)
    return 0


def add_cell(site: Path) -> None:
    """The living cell: as a page, and as one file that can be mailed."""
    code = shutil.ignore_patterns("*.py", "__pycache__")
    shutil.copytree(stage.CELL, site / "cell", ignore=code, dirs_exist_ok=True)
    bundle = [stage.CELL / "bundle.py", site / "living-cell.html"]
    subprocess.run([sys.executable, *bundle], check=True)


if __name__ == "__main__":
    sys.exit(build(Path(sys.argv[1]).resolve()))
