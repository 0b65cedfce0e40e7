"""python book/build.py FOLDER: the study as a site, with nothing executed.

Sphinx makes pages of the committed notebooks and Markdown, any warning being
an error; the living cell is added. The site is replaced whole or, where
something is wrong, not at all.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from cell.bundle import bundle
from sphinx.cmd.build import build_main

from forecasting.files import write_folder

BOOK = Path(__file__).resolve().parent
CELL = BOOK / "cell"
MARK = ".made-by-book-build"  # in what may be replaced


def build(site: Path) -> str | None:
    """Replace a folder by the site; None, or what went wrong."""
    if site.exists() and not replaceable(site):
        return f"{site} is no site of ours: name a new folder, or empty it"
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "site")
        options = ["--quiet", "--fail-on-warning", "--conf-dir", str(BOOK)]
        if build_main([*options, str(BOOK.parent), str(made)]):
            return f"{site} is as it was: see the warnings above"
        shutil.rmtree(made / ".doctrees")  # Sphinx's notes to itself
        (made / ".buildinfo").unlink()
        (made / MARK).touch()
        code = shutil.ignore_patterns("*.py", "__pycache__")
        shutil.copytree(CELL, made / "cell", ignore=code, dirs_exist_ok=True)
        (made / "living-cell.html").write_text(bundle(), "utf-8")
        try:
            write_folder(made, site)
        except OSError as error:
            return f"{site} is as it was: {error}"
    return None


def replaceable(site: Path) -> bool:
    """Whether a folder is a site that was made here, or empty."""
    return (site / MARK).exists() or site.is_dir() and not any(site.iterdir())


if __name__ == "__main__":
    parser = argparse.ArgumentParser("python book/build.py")
    parser.add_argument("folder", type=Path)
    sys.exit(build(parser.parse_args().folder.resolve()))
