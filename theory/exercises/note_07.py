"""Checkers of the exercises of note 7: what came after the LSTM."""

import numpy as np

from theory.exercises.marking import exercise, expect, expect_close


@exercise("7.1")
def one_min_step(answer):
    """c_1 and the limit of c_t of one minLSTM unit, from c_0 = 2."""
    i, f = 1 / 2, 3 / 4
    share = f / (f + i)
    c = share * 2 + (1 - share) * -1
    bent = share * 2 + (1 - share) * np.tanh(-1)
    slips = {"divide the gates by their sum first": (f * 2 - i, -i / (1 - f))}
    slips["a minLSTM's candidate has no tanh"] = bent, np.tanh(-1)
    slips["c_1 is right; it goes on for ever, though"] = c, 0
    hint = "c_1 = f' c_0 + i' c_tilde with f' + i' = 1"
    expect_close(answer, (c, -1), hint, slips)
    return "a weighted mean, so it ends at the candidate"


@exercise("7.2")
def join_matrices(answer):
    """Two steps c A + g, one after the other, as one."""
    rng = np.random.default_rng(0)
    steps = [(rng.normal(size=(3, 3)), rng.normal(size=3)) for _ in range(2)]
    (A, g), (A_next, g_next) = steps
    got_A, got_g = answer(*steps)
    slips = {"a row meets its first factor first": A_next @ A}
    expect_close(got_A, A @ A_next, "the joined factor differs", slips)
    slips = {"the old addend meets the new factor": g + g_next}
    slips["that is the other order of steps"] = g_next @ A + g
    expect_close(got_g, g @ A_next + g_next, "the joined g differs", slips)
    return "associative as well, so it scans, at h x h x h a join"


@exercise("7.3")
def count_modulo_three(answer):
    """A factor by the bit under which a state has three turns."""
    zero, one = (np.asarray(answer(bit), float) for bit in (0, 1))
    expect(zero.shape == one.shape == (2, 2), "both factors are 2 x 2")

    def rests(factor):
        return np.allclose(factor, np.eye(2))

    expect(rests(zero), "a zero must not move the state")
    expect(not rests(one), "a one must move the state")
    expect(not rests(one @ one), "that comes back after two ones")
    expect(rests(one @ one @ one), "three ones must be no move at all")
    return "a turn by 120 degrees: its eigenvalues are complex"


@exercise("7.4")
def delta_rule(answer):
    """Store under a unit key what a later read returns exactly."""
    rng = np.random.default_rng(1)
    h = 4
    keys = np.linalg.qr(rng.normal(size=(h, h)))[0]
    C, v = rng.normal(size=(h, h)), rng.normal(size=h)
    before = C.copy()
    k = keys[0]
    got = np.asarray(answer(C, k, v))
    expect(np.array_equal(C, before), "leave the matrix given as it is")
    slips = {"that adds to what the key held before": C + np.outer(k, v)}
    slips["rows: keys stand first, k^T v"] = C + np.outer(v - k @ C, k)
    slips["other keys lost theirs"] = np.outer(k, v)
    hint = "C + k^T (v - k C)"
    expect_close(got, C + np.outer(k, v - k @ C), hint, slips)
    return "it corrects by the error of a read; an mLSTM would mix the two"
