"""The tagger of note 5: two LSTMs over words, one tag per word.

Several networks are trained in one loop, as in training.py: arrays have a
leading axis s for the network, sequences the axes (T, s, ., n). float32.
A network is a list E, W, U, b, V, v: the vector of each word, two LSTMs side
by side, and the output layer on both. What sets a BiLSTM apart from two
forward LSTMs is a flag: its second LSTM reads the words in reverse.
"""

import numpy as np

from theory.training import (
    descend,
    initial_weights,
    side_by_side,
    stack,
    stacked_bilstm_backward,
    stacked_bilstm_forward,
    weight_gradients,
)


def first_weights(rng, vocabulary, width, h):
    """Draw one network, as Keras draws its layers; see the module."""
    E = rng.normal(0, 0.5, (vocabulary, width))
    return E, *initial_weights(rng, "bilstm", width, h, 1)


def run(weights, reverse, x, mask=1.0):
    """Read words x (T, s, n) -> log odds (T, s, n) and a cache.

    reverse (s,): does the second LSTM read from the end? mask: a factor
    on the words' vectors (T, s, n, width).
    """
    E, W, U, b, V, v = weights
    words = (E[np.arange(len(E))[None, :, None], x] * mask).mT
    z = W.mT @ words + b.mT
    h, seen, cache = stacked_bilstm_forward(z, U, reverse)
    odds = (V.mT @ h + v.mT)[:, :, 0]
    return odds, (words, h, seen, cache)


def cell_states(cache):
    """The c_t of both LSTMs, (T, s, 2h, n), in the order of the words."""
    reverse, _, (c, *_) = cache[-1]
    return side_by_side(c[1:], reverse)


def loss_and_gradients(weights, reverse, x, y, mask=1.0):
    """Cross-entropy (s,) of tags y (T, s, n) in nats, and its gradients."""
    E, W, U, _, V, _ = weights
    odds, (words, h, seen, cache) = run(weights, reverse, x, mask)
    loss = np.logaddexp(0, np.where(y, -odds, odds)).mean(axis=(0, 2))
    error = (0.5 + 0.5 * np.tanh(odds / 2) - y) / y[:, 0].size
    error = error[:, :, None].astype(E.dtype)  # T, s, 1, n
    dz = stacked_bilstm_backward(V @ error, U, cache)
    by_E = np.zeros_like(E)
    networks = np.broadcast_to(np.arange(len(E))[None, :, None], x.shape)
    np.add.at(by_E, (networks, x), (W @ dz).mT * mask)
    by_cells = weight_gradients(words, seen, dz, 2)
    by_V = (h @ error.mT).sum(axis=0)
    return loss, [by_E, *by_cells, by_V, error.sum(axis=(0, 3))[..., None]]


def train(
    networks,
    reverse,
    rngs,
    words,
    tags,
    epochs,
    steps=50,
    batch=16,
    rate=0.01,
    dropped=0.3,
):
    """Train networks side by side on windows of a text; see the module.

    networks: one list of weights each, with its entry in reverse and
    rngs, which draws order and masks; two networks with the same seed read
    the same windows. words, tags (length,): windows of `steps` start at a
    random word of the text in every pass. Adam, the rate falls along a
    cosine; a share `dropped` of the words' vectors' entries is zeroed.
    Returns the weights, stacked, and the losses (updates, s).
    """
    weights, reverse = stack(networks), np.array(reverse)
    width, windows = weights[0].shape[2], len(words) // steps - 1
    per_pass = windows // batch
    starts = []

    def gradients(step):
        if step % per_pass == 0:
            starts[:] = (
                rng.integers(steps) + steps * rng.permutation(windows)
                for rng in rngs
            )
        k = step % per_pass * batch
        first = np.stack(starts)[:, k : k + batch]
        at = np.arange(steps)[:, None, None] + first
        shape = (*at.shape[::2], width)
        kept = [rng.random(shape, "float32") >= dropped for rng in rngs]
        mask = np.stack(kept, axis=1) / np.float32(1 - dropped)
        return loss_and_gradients(weights, reverse, words[at], tags[at], mask)

    done = np.linspace(0, 1, epochs * per_pass, endpoint=False)
    rates = rate * (1 + np.cos(np.pi * done)) / 2
    return weights, np.array(list(descend(weights, gradients, rates)))
