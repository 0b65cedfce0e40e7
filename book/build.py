"""python book/build.py FOLDER: the study as a site, with nothing executed.

Stages the committed notebooks and Markdown in a temporary folder, has Sphinx
make pages of them, any warning being an error, and adds the living cell.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import stage
from sphinx.cmd.build import build_main

HERE = Path(__file__).resolve().parent
OPTIONS = ["--quiet", "--fail-on-warning", "--keep-going", "--conf-dir"]


def build(site: Path) -> int:
    """Replace a folder by the site; 0, or what Sphinx found wrong."""
    shutil.rmtree(site, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source")
        source.mkdir()
        stage.stage(source)
        doctrees = ["--doctree-dir", str(Path(folder, "doctrees"))]
        failed = build_main(
            [*OPTIONS, str(HERE), *doctrees, str(source), str(site)]
        )
    if not failed and stage.CELL.exists():
        code = shutil.ignore_patterns("*.py", "__pycache__")
        page = site / "cell"
        shutil.copytree(stage.CELL, page, ignore=code, dirs_exist_ok=True)
        bundle = stage.CELL / "bundle.py"
        single = site / "living-cell.html"
        subprocess.run([sys.executable, bundle, single], check=True)
    return failed


if __name__ == "__main__":
    sys.exit(build(Path(sys.argv[1]).resolve()))
