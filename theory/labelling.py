"""The task of note 4, three questions about white noise, and its training."""

import numpy as np

from theory.seeds import each_seed

# which of the five terms a question adds up, counted from the step asked
QUESTIONS = {
    "last five": range(-4, 1),
    "around": range(-2, 3),
    "next five": range(1, 6),
}


def answers(noise, t):
    """Is the sum of each question's five terms at step t positive?

    noise (n, length), every term inside it -> Boolean (n, 3).
    """
    sums = [sum(noise[:, t + k] for k in q) for q in QUESTIONS.values()]
    return np.stack(sums, axis=1) > 0


def draw(rng, n, T=16):
    """Draw windows x (n, T, 1) of white noise and their answers (n, T, 3).

    The noise goes on at both ends of the window, so that near its edges
    some of the five terms lie outside. float32.
    """
    noise = rng.normal(size=(n, T + 9))
    x = noise[:, 4 : 4 + T, None]
    y = np.stack([answers(noise, t + 4) for t in range(T)], axis=1)
    return x.astype("float32"), y.astype("float32")


def ceiling(question, t, last):
    """Best possible accuracy at step t for one who read steps 0 ... last.

    With r of the five terms known, the sign of their sum is the best
    answer, right with probability 1/2 + arcsin(sqrt(r/5)) / pi: that two
    normal variables with correlation sqrt(r/5) agree in sign.
    """
    known = sum(0 <= t + k <= last for k in QUESTIONS[question])
    return 0.5 + np.arcsin(np.sqrt(known / 5)) / np.pi


def predict_seeds(model, seeds, x, y, x_test):
    """Train from each seed, each row of x once; predictions (seeds, ...)."""
    predictions = []
    for _ in each_seed(model, seeds):
        model.fit(x, y, batch_size=128, verbose=0)
        predictions.append(model.predict(x_test, batch_size=2048, verbose=0))
    return np.array(predictions)
