"""Checkers for the exercises that end each note.

``check("3.1", answer)`` prints one line when the answer is right and raises
``Wrong``, with a hint, when it is not. A checker works the answer out from
the definitions, so that it can be read as a second solution.
"""

import numpy as np

CHECKERS = {}  # number of the exercise -> its checker, in reading order


class Wrong(AssertionError):
    """An answer that is not right yet; its message is a hint."""

    def _render_traceback_(self) -> list[str]:
        # Jupyter calls this instead of printing a traceback, which would
        # quote the checker, and so the answer, to the reader.
        return [f"Wrong: {self}"]


def check(number: str, answer) -> None:
    """Print that an exercise is solved, or raise Wrong with a hint.

    ``number`` as in the note, such as "3.1"; ``answer`` the number, array
    or function that the exercise asks for. KeyError: no such exercise.
    """
    if number not in CHECKERS:
        known = ", ".join(CHECKERS)
        raise KeyError(f"no exercise {number}; there are {known}")
    try:
        lesson = CHECKERS[number](answer)
    except Wrong as hint:
        raise Wrong(f"{number}: {hint}") from None
    except Exception as error:
        fault = f"{type(error).__name__}: {error}"
        raise Wrong(
            f"{number}: the answer does not have the form asked for ({fault})"
        ) from None
    print(f"{number} correct: {lesson}")


def exercise(number: str):
    """Register the checker of one exercise.

    A checker takes the answer, raises Wrong through `expect` or
    `expect_close`, and returns the sentence that a right answer earns.
    """

    def register(checker):
        CHECKERS[number] = checker
        return checker

    return register


def expect(condition: bool, hint: str) -> None:
    """Raise Wrong with the hint unless the condition holds."""
    if not condition:
        raise Wrong(hint)


def expect_close(answer, expected, hint: str, rtol: float = 0.01) -> None:
    """Raise Wrong unless the answer has the expected shape and values.

    ``rtol`` is relative to the largest expected value, so that one tolerance
    serves a rounded number and an array with entries near zero.
    """
    answer, expected = np.asarray(answer, float), np.asarray(expected, float)
    if answer.shape != expected.shape:
        raise Wrong(f"shape {answer.shape}; {expected.shape} is asked for")
    tolerance = rtol * np.abs(expected).max()
    expect(bool(np.all(np.abs(answer - expected) <= tolerance)), hint)


# Note 1


# Note 2


# Note 3


@exercise("3.1")
def parameters(answer):
    """Trainable numbers of Bidirectional(LSTM(50)) and Dense(1), d = 3."""
    d, h = 3, 50
    direction = d * 4 * h + h * 4 * h + 4 * h  # W, U, b
    if answer == 2 * direction:
        raise Wrong("the Dense(1) layer has weights and a bias as well")
    if answer == 2 * direction + h + 1:
        raise Wrong("how wide is what the two directions hand to Dense(1)?")
    expect(
        answer == 2 * direction + 2 * h + 1,
        "count W, U and b of one direction first; the other has its own",
    )
    return "the directions share the input and nothing else"


# Note 4
