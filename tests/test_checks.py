"""Exercises: stated in their note, solved, and no wrong answer passes."""

import re
import subprocess
import sys

import habits
import numpy as np
import pytest

from theory.cells import logistic
from theory.checks import CHECKERS, Wrong, check

THEORY = habits.ROOT / "theory"


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


def coupled(slip):
    """The coupled LSTM of 2.3 with one slip in it."""

    def step(x, h, c, W, U, b):
        z_f, z_c, z_o = np.split(x @ W + h @ U + b, 3, axis=1)
        f, o, c_tilde = logistic(z_f), logistic(z_o), np.tanh(z_c)
        keep, admit = (1 - f, f) if slip == "swapped" else (f, 1 - f)
        c = keep * c + admit * c_tilde
        h = o * c if slip == "no tanh" else o * np.tanh(c)
        return (c, h) if slip == "order" else (h, c)

    return step


def hand_set(b_i=-10.0, b_f=20.0, b_c=10.0):
    """Weights of the counter of 2.5, right unless changed."""
    W, b = np.array([[20.0, 0, 0, 0]]), np.array([b_i, b_f, b_c, 0])
    return W, np.zeros((1, 4)), b


SLIP = """
        dc += dh * o
        dc *= 1 - shown**2
"""


def suspect(line=SLIP):
    """The function that 2.6 shows, its faulty lines replaced."""
    cells = habits.code_cells(habits.read(THEORY / "02-lstm.ipynb"))
    sources = [cell.source for cell in cells]
    (source,) = [s for s in sources if s.startswith("def suspect(")]
    assert source.count(SLIP) == 1
    scope = {"np": np}
    exec(source.replace(SLIP, f"\n        {line.strip()}\n"), scope)
    return scope["suspect"]


def turn(angle):
    """A rotation of the plane."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, s], [-s, c]])


def recalling(f=-40.0, i=-20.0, scale=0.1):
    """Weights of the unit of 3.3, right unless changed."""
    W = np.array([[0, 0, scale, 0], [40.0, f, 0, 0]])
    b = np.array([i, 20.0, 0, 10])
    return W, np.zeros((1, 4)), b, np.array([[1 / scale]])


def remembering(erased=-20.0, closed=-20.0, kept=20.0):
    """Weights of the unit of 5.3, right unless changed."""
    opened = [20.0, erased, 20.0, 0]
    W = np.array([opened, [-20, closed, 0, 0], [-20, kept, 0, 0]])
    return W, np.zeros((1, 4)), np.zeros(4)


# Plausible wrong answers: the slips that a reader is likely to make.
WRONG = {
    "1.1": [0, 1 / 6, 1 / 12, 0.6 / 12, 0.4 / 6, "1/30"],
    "1.2": [19, 21, 20.5],
    "1.3": [
        lambda u, x: u * x.sum(),
        lambda u, x: x[::-1] @ u ** np.arange(len(x)),
        lambda u, x: x[-2::-1] @ u ** np.arange(len(x) - 1),
    ],
    "1.4": [
        lambda gs, c: gs,
        lambda gs, c: [np.clip(g, -c, c) for g in gs],
        lambda gs, c: [g * min(1, c / np.linalg.norm(g)) for g in gs],
        lambda gs, c: [g * c / 5 for g in gs],
        lambda gs, c: [np.multiply(g, min(1, c / 5), out=g) for g in gs],
    ],
    "1.5": [0, 1, 1.25, 2, -1],
    "2.1": [
        (1.8, 0.8 * 1.8),  # no tanh
        (1.8, np.tanh(1.8)),  # no output gate
        (1.45, 0.8 * np.tanh(1.45)),  # input and forget gate swapped
        (0.757, 1.8),
        1.8,
    ],
    "2.2": [
        lambda k: 0.5 ** (1 / k),  # the gate
        lambda k: np.log(2 ** (1 / k) - 1),  # the sign
        lambda k: np.log(k - 1),  # decay to 1/e, roughly
        5.9,
    ],
    "2.3": [coupled("swapped"), coupled("no tanh"), coupled("order")],
    "2.4": [
        lambda f, o, c: f.prod(axis=1),
        lambda f, o, c: o[:, -1] * f.prod(axis=1),
        lambda f, o, c: (o * (1 - np.tanh(c) ** 2) * f).prod(axis=1),
    ],
    "2.5": [
        hand_set(b_i=0.0),  # zeros are counted by halves
        hand_set(b_f=1.0),  # the usual bias
        hand_set(b_c=1.0),  # adds tanh(1)
        hand_set(b_c=-10.0),  # counts down
        (*hand_set()[:2], np.zeros((1, 4))),
    ],
    "2.6": [
        suspect(),
        suspect("dc += dh * o"),  # no slope
        suspect("dc = dc * (1 - shown**2) + dh * o"),  # the wrong road's
        suspect("dc = dh * o * (1 - shown**2)"),  # no carousel
    ],
    "3.1": [0.1, 0.04, 0.125, 2.25, "1/4"],
    "3.2": [
        lambda f: np.log(0.5) / np.log(f.mean()),
        lambda f: np.log(0.5) / np.log(f).mean(),
        lambda f: np.log(0.5) / np.log(f.mean(axis=(0, 1)).max()),
        lambda f: np.log(2) / np.log(f).mean(axis=(0, 1)).max(),
        lambda f: np.log(0.5) / np.log(f).mean(axis=(0, 1)),
    ],
    "3.3": [
        recalling(f=0.0),  # values add up
        recalling(i=0.0),  # lets everything in
        recalling(scale=1.0),  # bent by both tanh
        recalling()[:3],
    ],
    "3.4": [0.25, 0.1, -0.5, 0, [0.3, 0.4]],
    "4.1": [
        2 * 10_800,  # no dense layer
        2 * 10_800 + 51,  # dense layer on 50 inputs
        10_800 + 101,  # one direction
        2 * 4 * 50 * 53 + 101,  # no biases
        "21701",
    ],
    "4.2": [
        [[20, 20], [20, 20]],
        [[20, 1], [20, 20]],
        [20, 20, 20, 1],
        [[19, 19], [19, 1]],
    ],
    "4.3": [0, 1, 4 / 60, 6 / 60, 55 / 60],
    "4.4": [lambda transform, series: 0, trailing_only, nan_differs],
    "4.5": [
        whole_window,
        lambda x: x[:, :, 0] > 0,
        lambda x: five_around(x)[:, 2:],
        lambda x: five_around(x).astype(int),
    ],
    "4.6": [
        [1, 1 / 3],  # the filter before its step
        [1 / 2, 1 / 4],  # x_t used twice
        [1 / 3, 1 / 2],
        [1 / 2, 1 / 2],
        1 / 2,
    ],
    "5.1": [1.1047, 1.0397, 6, 0, "1.5"],
    "5.2": [56_326, 58_496, 51_776, 49_536, "58566"],
    "5.3": [
        remembering(kept=0),  # half of it is lost at every step
        remembering(erased=20),  # a second opening mark adds up
        remembering(closed=20),  # nothing ends it
        (np.zeros((3, 4)), np.zeros((1, 4)), np.zeros((4, 1))),
    ],
    "5.4": [
        lambda p, t: p,
        lambda p, t: p / t,
        lambda p, t: p**t / (p**t).sum(),
        lambda p, t: np.exp(p / t) / np.exp(p / t).sum(),
    ],
    "6.1": [
        81_200,  # one bias
        82_800 / 2,  # one direction
        44_000,  # both layers read x
        62_800,  # the second reads one direction
        "82800",
    ],
    "6.2": [
        lambda W, U, b, c: (W, U, b + c),
        lambda W, U, b, c: (W.T, U.T, b),
        lambda W, U, b, c: (W.T, U.reshape(U.shape[::-1]), b + c),
        lambda W, U, b, c: (W.T, np.roll(U.T, 5, axis=1), b + c),
        lambda W, U, b, c: (W.T, U.T),
    ],
    "6.3": [
        lambda p, k: (p**k, (p**-k - 1) ** 0.5),  # p is what is lost
        lambda p, k: ((1 - p) ** k, (1 - p) ** -k - 1),  # the variance
        lambda p, k: ((1 - p) ** k, ((1 - p) ** k * p) ** 0.5),
        lambda p, k: (1 - p * k, 0.0),
        0.5,
    ],
    "7.1": [
        (1.0, -2),  # gates not divided by their sum
        (0.8, 0),  # it does not decay to zero
        (1.2 + 0.4 * np.tanh(-1), np.tanh(-1)),  # a tanh too many
        (0.8, 2),
        0.8,
    ],
    "7.2": [
        lambda p, q: (q[0] @ p[0], p[1] @ q[0] + q[1]),  # columns
        lambda p, q: (p[0] @ q[0], q[1] @ p[0] + p[1]),  # order
        lambda p, q: (p[0] @ q[0], p[1] + q[1]),
        lambda p, q: (p[0] * q[0], p[1] * q[1]),
    ],
    "7.3": [
        lambda bit: np.eye(2),  # never moves
        lambda bit: np.diag([1 - 2 * bit, 1]),  # parity
        lambda bit: turn(2 * np.pi / 3),  # zeros turn too
        lambda bit: turn(bit * np.pi / 2),  # modulo four
        lambda bit: np.diag([1, 0.5**bit]),
    ],
    "7.4": [
        lambda C, k, v: C + np.outer(k, v),
        lambda C, k, v: np.outer(k, v),
        lambda C, k, v: C + np.outer(v - k @ C, k),
        lambda C, k, v: C + np.outer(k, v - C @ k),
        lambda C, k, v: np.add(C, np.outer(k, v - k @ C), out=C),
    ],
    "8.1": [1, 1.25, 1.25 - 4 / 3, 7 / 48, 4 / 3, "7/12"],
    "8.2": [-3, 1.837, -2.324, -2.038, -3.795],
    "8.3": [
        [0.1, 0.005, 0.11, 0.05, 1],  # Bonferroni
        [0.06, 0.005, 0.044, 0.04, 0.4],  # allowed to fall
        [0.005, 0.04, 0.06, 0.06, 0.4],  # sorted
        [0.06, 0.005, 0.06, 0.04],
    ],
    "9.1": [0.8, 0.36, 1, 0.2, "0.6"],
    "9.2": ["B", "ABCEF", "bcef", "", "X"],
    "9.3": [1.25, 1.5, 0.866, 0.5, 1, "1.118"],
}


def test_every_exercise_has_wrong_answers():
    assert list(WRONG) == list(CHECKERS)


@pytest.mark.parametrize("number", WRONG)
def test_wrong_answers_get_a_hint(number, capsys):
    for answer in WRONG[number]:
        with pytest.raises(Wrong, match=rf"^{number}: \w"):
            check(number, answer)
    assert not capsys.readouterr().out


def test_the_slips_are_what_is_wrong():
    """Without its slip, each family of wrong answers is right."""
    check("2.3", coupled(None))
    check("2.5", hand_set())
    check("2.6", suspect("dc += dh * o * (1 - shown**2)"))
    check("3.3", recalling())
    check("5.3", remembering())


@pytest.mark.parametrize("number", CHECKERS)
def test_nonsense_is_wrong_not_an_accident(number):
    for answer in [None, "no idea", [], object()]:
        with pytest.raises(Wrong):
            check(number, answer)


@pytest.mark.parametrize(
    "note", sorted(THEORY.glob("[0-9]*.ipynb")), ids=lambda path: path.stem
)
def test_note_states_exactly_its_exercises(note):
    cells = habits.markdown_cells(habits.read(note))
    text = "\n".join(cell.source for cell in cells)
    section = text.partition("## Exercises")[2].partition("\n## ")[0]
    stated = re.findall(r"\*\*(\d+\.\d)", section)
    number = f"{int(note.stem[:2])}."
    assert stated == [n for n in CHECKERS if n.startswith(number)]


def test_every_exercise_has_a_worked_solution():
    """nbval runs them."""
    cells = habits.code_cells(habits.read(THEORY / "solutions.ipynb"))
    code = "".join(cell.source for cell in cells)
    assert re.findall(r'check\("(\d+\.\d)", ', code) == list(CHECKERS)


@pytest.mark.parametrize("folder", [THEORY.parent, THEORY])
def test_check_is_at_hand_in_the_notes_folder_and_above(folder):
    code = "from theory.checks import check; check('1.2', 20)"
    run = [sys.executable, "-c", code]
    said = subprocess.run(run, cwd=folder, capture_output=True, text=True)
    assert said.stdout.startswith("1.2 correct: "), said.stderr


def test_unknown_exercise_is_named():
    with pytest.raises(KeyError, match=r"no exercise 9\.99"):
        check("9.99", 1)


def test_jupyter_shows_the_hint_without_the_checker():
    with pytest.raises(Wrong) as caught:
        check("4.3", 0)
    assert caught.value._render_traceback_() == [f"Wrong: {caught.value}"]
