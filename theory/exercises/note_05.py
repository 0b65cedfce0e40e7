"""Checkers of the exercises of note 5: text, character by character."""

import numpy as np

from theory.cells import lstm_forward
from theory.exercises.marking import exercise, expect, expect_close


@exercise("5.1")
def bits_of_said(answer):
    """Bits per character where s, a, i, d got 1/4, 1/2, 1 and 1/8."""
    p = np.array([1 / 4, 1 / 2, 1, 1 / 8])
    slips = {
        "average the logarithms, not the probabilities": -np.log2(p.mean()),
        "bits: the logarithm is to base 2": -np.log(p).mean(),
        "per character: divide by their number": -np.log2(p).sum(),
    }
    hint = "what does one character cost that was given probability p?"
    expect_close(answer, -np.log2(p).mean(), hint, slips)
    return "a sure guess costs nothing, and a doubtful one pays for it"


@exercise("5.2")
def parameters(answer):
    """Numbers in the language model: 70 characters, 32 wide, 96 units."""
    V, d, h = 70, 32, 96
    lstm = 4 * (h * (d + h) + h)
    total = V * d + lstm + h * V + V
    last = "after the LSTM comes a layer with an output per character"
    slips = {last: V * d + lstm, "the output layer has a bias": total - V}
    slips["the characters' vectors are learnt too"] = total - V * d
    hint = "embedding, LSTM, output layer: count each"
    expect_close(answer, total, hint, slips, rtol=0)
    return "most of it is the LSTM's recurrent kernel"


@exercise("5.3")
def quotation_unit(answer):
    """Weights W (3, 4), U (1, 4), b (4,) of one unit that remembers."""
    W, U, b = (np.asarray(a) + 0.0 for a in answer)
    shapes = [a.shape for a in (W, U, b)]
    expect(shapes == [(3, 4), (1, 4), (4,)], f"the shapes are {shapes}")
    rng = np.random.default_rng(0)
    marks = rng.choice(3, 2000, p=[0.02, 0.02, 0.96])
    inside, state = np.zeros(len(marks)), 0
    for t, mark in enumerate(marks):
        state = {0: 1, 1: 0}.get(mark, state)
        inside[t] = state
    _, c, _ = lstm_forward(np.eye(3)[marks][None], W, U, b)
    c = c[0, :, 0]
    expect(c.max() < 1.1, "a second opening mark counts on: erase first")
    fell = c[inside == 1].min()
    expect(fell > 0.9, f"inside a quotation c falls to {fell:.2f}")
    rose = np.abs(c[inside == 0]).max()
    expect(rose < 0.1, f"outside it c is still {rose:.2f}")
    return "one unit can hold a quotation, however long"


@exercise("5.4")
def soften(answer):
    """A function of probabilities p (V,) and a temperature."""
    p = np.array([0.5, 0.3, 0.2, 0.0])
    given = p.copy()
    for temperature in (1.0, 0.5, 2.0, 0.1):
        q = np.asarray(answer(given, temperature)) + 0.0
        expect(np.array_equal(p, given), "p was changed in place")
        expect(q.shape == p.shape, f"the shape is {q.shape}")
        sums = abs(q.sum() - 1) < 1e-9
        expect(sums, f"at {temperature:g} the sum is {q.sum():.3f}")
        right = p ** (1 / temperature) / (p ** (1 / temperature)).sum()
        hint = f"not right at temperature {temperature:g}; log p / temperature"
        expect(np.allclose(q, right, rtol=1e-6), hint)
    return "a low temperature makes the likely likelier"
