"""Checkers of the exercises of note 6: the LSTM in practice."""

import numpy as np

from theory.exercises.marking import exercise, expect_close


@exercise("6.1")
def pytorch_parameters(answer):
    """Numbers in nn.LSTM(3, 50, num_layers=2, bidirectional=True)."""

    def count(d, h, biases=2):
        return 4 * (h * (d + h) + biases * h)

    both = 2 * (count(3, 50) + count(100, 50))
    narrow = 2 * (count(3, 50) + count(50, 50))
    slips = {
        "PyTorch has two biases": 2 * (count(3, 50, 1) + count(100, 50, 1)),
        "the second layer reads both directions": narrow,
        "that is one direction": both / 2,
        "the second layer does not read x": 4 * count(3, 50),
    }
    hint = "count 4(h(d + h) + 2h) per layer and direction; what is d above?"
    expect_close(answer, both, hint, slips, rtol=0)
    return "the second layer has most of them: it reads 100 numbers a step"


@exercise("6.2")
def from_pytorch(answer):
    """W, U, b from the four arrays of a PyTorch LSTM."""
    rng = np.random.default_rng(0)
    for d, h in [(3, 5), (20, 5)]:
        theirs = [rng.normal(size=s) for s in [(4 * h, d), (4 * h, h)]]
        theirs += [rng.normal(size=4 * h) for _ in range(2)]
        W, U, b = answer(*(array.copy() for array in theirs))
        expect_close(W, theirs[0].T, "W differs: no block changes place")
        slip = "4h rows became 4h columns: transpose, not reshape"
        slips = {slip: theirs[1].reshape(h, 4 * h)}
        hint = "U differs: no block changes place"
        expect_close(U, theirs[1].T, hint, slips)
        slips = {
            "that is one of two biases": theirs[2],
            "that is the other of two biases": theirs[3],
            "they are added, not averaged": (theirs[2] + theirs[3]) / 2,
        }
        expect_close(b, theirs[2] + theirs[3], "b differs", slips)
    return "the blocks i, f, g, o stand in the same order"


@exercise("6.3")
def survival(answer):
    """Chance that a state outlives k masks, and the sd of its factor."""
    for p, k in [(0.5, 1), (0.1, 20), (0.25, 40)]:
        kept = (1 - p) ** k
        # E m = 1 and E m^2 = kept / kept^2
        sd = np.sqrt(1 / kept - 1)
        chance, spread = answer(p, k)
        slips = {"p is the chance of a 0": p**k} if p != 0.5 else {}
        hint = f"the chance differs for p = {p}, k = {k}"
        expect_close(chance, kept, hint, slips)
        slips = {"that is the variance": sd**2}
        slips["that is for masks of 0 and 1"] = np.sqrt(kept * (1 - kept))
        hint = f"the deviation differs for p = {p}, k = {k}: what is E m^2?"
        expect_close(spread, sd, hint, slips if k > 1 else {})
    return "the mean stays 1 while nearly every state is lost"
