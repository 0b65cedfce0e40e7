"""Checkers of the exercises of note 1: recurrent networks."""

import numpy as np

from theory.cells import rnn_forward
from theory.exercises.marking import exercise, expect, expect_close
from theory.tasks import random_rnn


@exercise("1.1")
def window(answer):
    """Lowest MSE on the adding problem, T = 100, from the last 80 steps.

    What is not seen is guessed as its mean, 1/2, at the cost of its
    variance, 1/12; the first marked step is one of 50, of which 30 are seen.
    """
    unseen = 20 / 50  # chance that the first marked number is out of sight
    slips = {
        "that is the error of seeing nothing": 1 / 6,
        "is the first marked number always out of sight?": 1 / 12,
        "that is weighted by the chance of seeing it": (1 - unseen) / 12,
        "the second marked number is always in sight": unseen / 6,
    }
    hint = "an unseen number costs the variance of U(0, 1)"
    expect_close(answer, unseen / 12, hint, slips)
    return "memory is worth what the window cannot see"


@exercise("1.2")
def guaranteed_lag(answer):
    """Smallest k with (gamma sigma_max)^k < 1e-6: gamma 1/4, sigma_max 2."""
    k = 1
    while (0.25 * 2) ** k >= 1e-6:
        k += 1
    slips = {"there the bound is still just above 1e-6": k - 1}
    hint = "the bound is (gamma sigma_max)^k; what is gamma here?"
    expect_close(answer, k, hint, slips, rtol=0)
    return "twenty steps cost at least a factor of a million"


@exercise("1.3")
def linear_slope(answer):
    """Derivative of h_T by u, for h_t = u h_{t-1} + x_t, h_0 = 0."""
    rng = np.random.default_rng(0)
    for T in (1, 2, 7):
        u, x = rng.uniform(-1.2, 1.2), rng.normal(size=T)
        # h_T = sum of u^(T-t) x_t, whose derivative is a polynomial too
        powers = np.arange(T - 1, -1, -1)
        expected = np.sum(powers * u ** np.maximum(powers - 1, 0) * x)
        before = np.sum(u ** powers[1:] * x[:-1])
        slip = "that is h_{T-1}, which depends on u as well"
        hint = f"differs from the derivative for a sequence of {T} steps"
        slips = {slip: before} if T > 2 else {}
        expect_close(answer(u, x), expected, hint, slips, rtol=1e-6)
    return "dh_t/du = h_{t-1} + u dh_{t-1}/du, the sum over copies of u"


@exercise("1.4")
def clipping(answer):
    """Scale a list of arrays to a joint norm of at most c."""
    together = "one factor for all arrays and entries keeps the direction"
    short = "a gradient shorter than c stays as it is"
    for c, factor, hint in [(2.0, 2 / 5, together), (9.0, 1, short)]:
        gradients = [np.array([[3.0, 0.0]]), np.array([4.0])]  # joint norm 5
        given = [g.copy() for g in gradients]
        clipped = answer(given, c)
        norm = np.sqrt(sum(np.sum(np.square(g)) for g in clipped))
        expect(norm <= c + 1e-9, "the joint norm exceeds c")
        for g, same, new in zip(gradients, given, clipped, strict=True):
            expect(np.array_equal(g, same), "the input was changed")
            expect_close(new, factor * g, hint, rtol=1e-6)
    zero = answer([np.zeros(2)], 1.0)[0]
    expect(np.all(zero == 0), "a gradient of zero must stay zero")
    return "the length changes, the direction stays"


@exercise("1.5")
def edge(answer):
    """A gain with a Jacobian norm between 1/2 and 2 over 100 steps."""
    norm = norm_after_100(answer)
    expect(norm > 0.5, f"it vanishes: the norm is {norm:.0e}")
    expect(norm < 2, f"it explodes: the norm is {norm:.0e}")
    below, above = (norm_after_100(answer * by) for by in (0.97, 1.03))
    beside = f"{below:.2g} at a gain 3 % lower, {above:.2g} at one 3 % higher"
    return f"the norm is {norm:.2f}; it is {beside}"


def norm_after_100(gain):
    """The norm that 1.5 asks about."""
    rng = np.random.default_rng(1)
    W, U, b = random_rnn(rng, gain)
    h, _ = rnn_forward(rng.normal(size=(1, 200, 2)), W, U, b)
    product = np.eye(len(U))
    for h_t in h[0, :99:-1]:  # the last 100 steps, latest first
        product = product @ ((1 - h_t**2)[:, None] * U.T)
    return np.linalg.norm(product, 2)
