"""Exercises: stated in their note, solved, and no wrong answer passes."""

import re
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest

THEORY = Path(__file__).resolve().parents[1] / "theory"
sys.path.insert(0, str(THEORY))

from checks import CHECKERS, Wrong, check  # noqa: E402


def trailing_only(transform, series):
    """Cut the series off at each step: sees lost inputs, not moved ones."""
    base = transform(series)
    cut = [transform(series[: t + 1])[t] for t in range(len(series))]
    return int(not np.array_equal(base, cut, equal_nan=True))


def nan_differs(transform, series):
    """Compare by !=, so that a NaN in the output counts as a change."""
    furthest = 0
    for s in range(len(series)):
        moved = series.copy()
        moved[s] += 1
        changed = transform(moved) != transform(series)
        furthest = max([furthest, *(s - np.flatnonzero(changed))])
    return furthest


def five_around(x):
    """Read the label off the input: right, but far too early to know."""
    padded = np.pad(x[:, :, 0], ((0, 0), (2, 2)))
    return sum(padded[:, k : k + x.shape[1]] for k in range(5)) > 0


def whole_window(x):
    """Right at every step, but nothing at all if the end is missing."""
    return five_around(x) & ~np.isnan(x).any(axis=(1, 2))[:, None]


def up_to_now(x):
    """Punctual, and so without the two terms still to come."""
    padded = np.pad(x[:, :, 0], ((0, 0), (2, 0)))
    return sum(padded[:, k : k + x.shape[1]] for k in range(3)) > 0


def logistic(z):
    return 1 / (1 + np.exp(-z))


def coupled(slip):
    """The coupled LSTM of 2.3 with one slip in it."""

    def step(x, h, c, W, U, b):
        z_f, z_c, z_o = np.split(x @ W + h @ U + b, 3, axis=1)
        f, o, c_tilde = logistic(z_f), logistic(z_o), np.tanh(z_c)
        if slip == "candidate":
            c_tilde = logistic(z_c)
        i = {"gate": f, "uncoupled": 1}.get(slip, 1 - f)
        c = i * c + f * c_tilde if slip == "swapped" else f * c + i * c_tilde
        h = o * c if slip == "no tanh" else o * np.tanh(c)
        return (c, h) if slip == "order" else (h, c)

    return step


def hand_set(w_i=20.0, b_i=-10.0, b_f=20.0, b_c=10.0, w_c=0.0):
    """Weights of the counter of 2.5, right unless changed."""
    W, b = np.array([[w_i, 0, w_c, 0]]), np.array([b_i, b_f, b_c, 0])
    return W, np.zeros((1, 4)), b


# Plausible wrong answers: the slips that a reader is likely to make.
WRONG = {
    "1.1": [0, 1 / 6, 1 / 12, 0.8 / 12, 0.2 / 12, 0.6 / 12, 0.4 / 6, "1/30"],
    "1.2": [19, 21, 10, 40, 20.5, None],
    "1.3": [
        lambda u, x: x[:-1].sum(),
        lambda u, x: u * x.sum(),
        lambda u, x: sum(u**t * x[-1 - t] for t in range(len(x))),
        lambda u, x: sum(u**t * x[-2 - t] for t in range(len(x) - 1)),
        0.5,
    ],
    "1.4": [
        lambda gs, c: gs,
        lambda gs, c: [np.clip(g, -c, c) for g in gs],
        lambda gs, c: [g * min(1, c / np.linalg.norm(g)) for g in gs],
        lambda gs, c: [
            g * c / np.sqrt(sum((a**2).sum() for a in gs)) for g in gs
        ],
    ],
    "1.5": [0, 1, 1.25, 2, -1],
    "2.1": [
        (1.8, 0.8 * 1.8),  # no tanh
        (1.8, np.tanh(1.8)),  # no output gate
        (1.45, 0.8 * np.tanh(1.45)),  # input and forget gate swapped
        (2.1, 0.8 * np.tanh(2.1)),  # the candidate not gated
        (1.5 + 1 / 3, 0.8 * np.tanh(1.5 + 1 / 3)),  # candidate logistic
        (0.757, 1.8),
        1.8,
    ],
    "2.2": [
        lambda k: 0.5 ** (1 / k),  # the gate
        lambda k: np.log(2 ** (1 / k) - 1),  # the sign
        lambda k: np.log(k - 1),  # decay to 1/e, roughly
        lambda k: np.log(0.5) / k,
        lambda k: 1.0,
        5.9,
    ],
    "2.3": [
        coupled("swapped"),
        coupled("gate"),
        coupled("uncoupled"),
        coupled("candidate"),
        coupled("no tanh"),
        coupled("order"),
    ],
    "2.4": [
        lambda f, o, c: f.prod(axis=1),
        lambda f, o, c: o[:, -1] * f.prod(axis=1),
        lambda f, o, c: o[:, -1] * (1 - np.tanh(c[:, -1]) ** 2),
        lambda f, o, c: (o * (1 - np.tanh(c) ** 2) * f).prod(axis=1),
        lambda f, o, c: (
            o[:, -1] * (1 - np.tanh(c[:, -1]) ** 2) * f[:, 1:].prod(axis=1)
        ),
        lambda f, o, c: f,
    ],
    "2.5": [
        hand_set(b_i=0.0),  # zeros are counted by halves
        hand_set(b_f=1.0),  # the usual bias
        hand_set(b_f=np.log(9)),  # f = 0.9
        hand_set(b_c=0.0),  # nothing to add
        hand_set(b_c=1.0),  # adds tanh(1)
        hand_set(b_c=-10.0),  # counts down
        (*hand_set()[:2], np.zeros((1, 4))),
        [hand_set()[0]],
    ],
    "3.1": [
        2 * 10_800,  # no dense layer
        2 * 10_800 + 51,  # dense layer on 50 inputs
        10_800 + 101,  # one direction
        41_600 + 101,  # LSTM(100)
        2 * 4 * 50 * 53 + 101,  # no biases
        "21701",
    ],
    "3.2": [
        [[20, 20], [20, 20]],
        [[20, 20], [20, 0]],
        [[20, 1], [20, 1]],
        [[20, 1], [20, 20]],
        [20, 20, 20, 1],
        [[19, 19], [19, 1]],
    ],
    "3.3": [0, 1, 1 / 60, 4 / 60, 6 / 60, 55 / 60, 5],
    "3.4": [
        lambda transform, series: 0,
        lambda transform, series: len(series) - 1,
        trailing_only,
        nan_differs,
        2,
    ],
    "3.5": [
        up_to_now,
        whole_window,
        lambda x: x[:, :, 0] > 0,
        lambda x: np.ones(x.shape[:2], bool),
        lambda x: five_around(x)[:, :, None],
        lambda x: five_around(x)[:, 2:],
        five_around(np.zeros((2, 16, 1))),
    ],
    "4.1": [0, 1, 1.25, 1.25 - 4 / 3, 7 / 48, 4 / 3, -7 / 12, "7/12"],
    "4.2": [-3, 1.837, -2.324, -2.038, -3.795, 3, -1.5, "-1.84"],
    "4.3": [
        [0.1, 0.005, 0.11, 0.05, 1],  # Bonferroni
        [0.06, 0.005, 0.044, 0.04, 0.4],  # allowed to fall
        [0.005, 0.04, 0.06, 0.06, 0.4],  # sorted
        [0.02, 0.001, 0.022, 0.01, 0.4],
        [0.06, 0.005, 0.06, 0.04],
        0.06,
    ],
    "4.4": [0.8, 0.36, 1, 0, 0.2, 0.4, np.sqrt(0.8), "0.6"],
    "4.5": ["B", "BCE", "ABCEF", "bcef", "BCEFG", "ABCDEFG", "", "X"],
}
NOTES = sorted(THEORY.glob("[1-4]-*.ipynb"))


def cells(path, kind):
    notebook = nbformat.read(path, 4)
    return [cell for cell in notebook.cells if cell.cell_type == kind]


def test_every_exercise_has_wrong_answers():
    assert list(WRONG) == list(CHECKERS)


@pytest.mark.parametrize("note", NOTES, ids=lambda path: path.stem)
def test_note_states_exactly_its_exercises(note):
    text = "\n".join(cell.source for cell in cells(note, "markdown"))
    section = text.partition("## Exercises")[2].partition("\n## ")[0]
    stated = re.findall(r"\*\*(\d\.\d)", section)
    assert stated == [n for n in CHECKERS if n[0] == note.stem[0]]
    assert 3 <= len(stated) <= 5


def test_the_slips_are_what_is_wrong():
    """Without its slip, each family of wrong answers is right."""
    check("2.3", coupled(None))
    check("2.5", hand_set())


@pytest.mark.parametrize("number", CHECKERS)
def test_worked_solution_is_accepted(number):
    """In the committed run; nbval repeats it."""
    solved = [
        cell
        for cell in cells(THEORY / "solutions.ipynb", "code")
        if f'check("{number}", ' in cell.source
    ]
    assert len(solved) == 1
    printed = "".join(o.get("text", "") for o in solved[0].outputs)
    assert f"{number} correct: " in printed


@pytest.mark.parametrize(
    ("number", "place"),
    [(number, i) for number in WRONG for i in range(len(WRONG[number]))],
)
def test_wrong_answer_gets_a_hint(number, place, capsys):
    with pytest.raises(Wrong, match=rf"^{number}: \w"):
        check(number, WRONG[number][place])
    assert "correct" not in capsys.readouterr().out


@pytest.mark.parametrize("number", CHECKERS)
@pytest.mark.parametrize("answer", [None, "no idea", [], object()])
def test_nonsense_is_wrong_not_an_accident(number, answer):
    with pytest.raises(Wrong):
        check(number, answer)


def test_unknown_exercise_is_named():
    with pytest.raises(KeyError, match=r"no exercise 9\.9"):
        check("9.9", 1)


def test_jupyter_shows_the_hint_without_the_checker():
    try:
        check("3.3", 0)
    except Wrong as wrong:
        assert wrong._render_traceback_() == [f"Wrong: {wrong}"]
