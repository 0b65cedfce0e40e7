"""Check an answer to an exercise of the notes.

``check("4.1", answer)`` prints one line when the answer is right and raises
``Wrong``, with a hint, when it is not.
"""

from importlib import import_module

from theory.exercises.marking import CHECKERS, Wrong

for note in range(1, 10):  # each registers its checkers
    import_module(f"theory.exercises.note_{note:02}")


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
        hint = f"{number}: the answer does not have the form asked for"
        raise Wrong(f"{hint} ({type(error).__name__}: {error})") from None
    print(f"{number} correct: {lesson}")
