"""What the commands say: one line each, fit for any terminal."""

import sys

from tqdm import tqdm


def brief(text: object, length: int = 80) -> str:
    """Foreign text, made fit for one line on any terminal."""
    line = " ".join(str(text).split())
    line = "".join(c if " " <= c <= "~" else "?" for c in line)
    return line if len(line) <= length else line[: length - 3] + "..."


def say(line: str) -> None:
    """One line on stderr, clear of the progress bar."""
    tqdm.write(line, file=sys.stderr)
