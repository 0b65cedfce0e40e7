"""Formulas as MathML, which browsers draw themselves, without a script."""

import re

from latex2mathml.converter import convert

# What latex2mathml does not know, or not with upright bars of one height.
SPELT = {
    r"\begin{aligned}": r"\begin{split}",
    r"\end{aligned}": r"\end{split}",
    r"\lVert": r"\| ",
    r"\rVert": r"\| ",
    r"\lvert": "|",
    r"\rvert": "|",
}


def mathml(latex: str, display: str) -> str:
    """A formula, ``display`` being "inline" or "block".

    Raises ValueError where a part of it would be spelt instead of drawn.
    """
    for command, known in SPELT.items():
        latex = latex.replace(command, known)
    try:
        formula = convert(latex.strip(), display=display)
    except Exception as error:  # the library's errors have no base
        raise ValueError(f"no formula: {latex!r} ({error!r})") from error
    shown = re.sub(r"<[^>]*>|&#?\w+;", "", formula)
    if re.search(r"[\\&]", shown):
        raise ValueError(f"not all of it is known: {latex!r}")
    # As small as an index a prime is a dot; the style sheet's is larger.
    return re.sub(
        r"<mi>(&#x0203[23];)</mi>", r'<mi class="prime">\1</mi>', formula
    )
