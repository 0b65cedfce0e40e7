"""The front page and "How to run it", both cut from the README."""

import re

FRONT = ["Read", "Limits", "Licence"]  # its sections that open the site
TOUCH = """\
Set the gates of one cell by hand, feed it a sequence and watch what it keeps:
in your browser, on a phone too.
"""
DOORS = {
    "Touch an LSTM": ("cell/index.md", TOUCH),
    "Read the theory": (
        "theory/README.md",
        "What an LSTM is, from the vanishing gradient on. Every claim runs.",
    ),
    "See the forecast": (
        "predictor.ipynb",
        "From today's close to a distribution of the next twenty.",
    ),
    "Explore the verdict": (
        "explorer.md",
        "Every model, score, horizon and stock, in one figure and table.",
    ),
}


def pages(readme: str, touch: bool) -> tuple[str, str, list[str]]:
    """The front page, the page on running, the headings of the second.

    The README's first screen is question, answer, table, words, figure and
    commands. Here figure and doors come before the table.
    """
    head, *rest = re.split(r"(?m)^## ", readme)
    sections = {text.partition("\n")[0]: text for text in rest}
    title, *blocks = re.split(r"\n{2,}", head.strip())
    table = first(blocks, "|")
    commands = first(blocks, "```")
    figures = [b for b in blocks[table:commands] if b.startswith("![")]
    words = [b for b in blocks[table:commands] if b not in figures]
    # Who reads the site need not be told first that there is one.
    built = [b for b in blocks[:table] if "make book" in b]
    answer = [b for b in blocks[:table] if b not in built]
    how = blocks[commands:]
    top = [title, *answer, *figures, doors(touch), *words]
    top += ["## Run it", *built, *how]
    top += [f"## {sections[name].strip()}" for name in FRONT]
    others = [name for name in sections if name not in FRONT]
    run = ["# How to run it", *how]
    run += [f"## {sections[name].strip()}" for name in others]
    return "\n\n".join(top) + "\n", "\n\n".join(run) + "\n", others


def first(blocks: list[str], mark: str) -> int:
    """Which block is the first that starts with a mark; all, if none does."""
    starts = (i for i, block in enumerate(blocks) if block.startswith(mark))
    return next(starts, len(blocks))


def doors(touch: bool) -> str:
    """Where to go from the front page."""
    lines = [
        f"- [**{name}**]({page})\\\n  {' '.join(text.split())}"
        for name, (page, text) in DOORS.items()
        if touch or not page.startswith("cell/")
    ]
    return "{.doors}\n" + "\n".join(lines)
