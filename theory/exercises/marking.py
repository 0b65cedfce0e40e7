"""What the checkers of all notes share: a hint, a tolerance, a register.

A checker works the answer out from the definitions, so that it can be read
as a second solution.
"""

from functools import partial

import numpy as np

CHECKERS = {}  # number of the exercise -> its checker, in reading order


class Wrong(AssertionError):
    """An answer that is not right yet; its message is a hint."""

    def _render_traceback_(self) -> list[str]:
        # Jupyter calls this instead of printing a traceback, which would
        # quote the checker, and so the answer, to the reader.
        return [f"Wrong: {self}"]


def exercise(number: str):
    """Register the checker of one exercise.

    A checker takes the answer, raises Wrong through `expect` or
    `expect_close`, and returns the sentence that a right answer earns.
    """
    return partial(CHECKERS.setdefault, number)


def expect(condition: bool, hint: str) -> None:
    """Raise Wrong with the hint unless the condition holds."""
    if not condition:
        raise Wrong(hint)


def expect_close(answer, expected, hint: str, slips=None, rtol=0.01) -> None:
    """Raise Wrong unless the answer has the expected shape and values.

    ``rtol`` is relative to the largest expected value, so that one tolerance
    serves a rounded number and an array with entries near zero. ``slips``:
    hints of their own for answers that show where a reader went wrong,
    ``{hint: answer}``.
    """
    answer = np.asarray(answer) + 0.0  # a text is refused, even "1"
    expected = np.asarray(expected, float)
    if answer.shape != expected.shape:
        raise Wrong(f"shape {answer.shape}; {expected.shape} is asked for")
    tolerance = rtol * np.abs(expected).max()

    def says(value):
        return np.all(np.abs(answer - value) <= tolerance)

    for slip, wrong in (slips or {}).items():
        expect(not says(wrong), slip)
    expect(says(expected), hint)
