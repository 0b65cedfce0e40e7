"""The tagger of note 5: two LSTMs over words, one tag per word.

Several networks are trained in one loop, as in training.py: arrays have a
leading axis s for the network, sequences the axes (T, s, ., n). float32.
A network is a list E, W1, U1, b1, W2, U2, b2, V, v: the vector of each word,
two LSTMs, and the output layer on both. What sets a BiLSTM apart from two
forward LSTMs is a flag: its second LSTM reads the words in reverse.
"""

import numpy as np

from theory.training import (
    descend,
    initial_weights,
    stack,
    stacked_lstm_backward,
    stacked_lstm_forward,
    transpose,
    weight_gradients,
)


def first_weights(rng, vocabulary, width, h):
    """Draw one network, as Keras draws its layers; see the module."""
    E = rng.normal(0, 0.5, (vocabulary, width))
    (W1, U1, b1, V1, v), (W2, U2, b2, V2, _) = (
        initial_weights(rng, "lstm", width, h, 1) for _ in range(2)
    )
    return E, W1, U1, b1, W2, U2, b2, np.concatenate([V1, V2]), v


def turned(a, reverse):
    """Reverse the first axis of a (T, s, ...) where reverse (s,) is set."""
    return np.where(reverse.reshape(1, -1, *[1] * (a.ndim - 2)), a[::-1], a)


def run(weights, reverse, x, mask=1.0):
    """Read words x (T, s, n) -> log odds (T, s, n) and a cache.

    reverse (s,): does the second LSTM read from the end? mask: a factor
    on the words' vectors (T, s, n, width).
    """
    E, W1, U1, b1, W2, U2, b2, V, v = weights
    words = E[np.arange(len(E))[None, :, None], x] * mask  # T, s, n, width
    both = words, turned(words, reverse)
    z = [transpose(both[0] @ W1 + b1), transpose(both[1] @ W2 + b2)]
    U = np.concatenate([U1, U2])
    states, cache = stacked_lstm_forward(np.concatenate(z, axis=1), U)
    one, two = np.split(states[1:], 2, axis=1)
    h = np.concatenate([one, turned(two, reverse)], axis=2)
    odds = (transpose(V) @ h + transpose(v))[:, :, 0]
    return odds, (both, U, states, cache, h)


def loss_and_gradients(weights, reverse, x, y, mask=1.0):
    """Cross-entropy (s,) of tags y (T, s, n) in nats, and its gradients."""
    E, W1, _, _, W2, _, _, V, _ = weights
    odds, (both, U, states, cache, h) = run(weights, reverse, x, mask)
    loss = np.logaddexp(0, np.where(y, -odds, odds)).mean(axis=(0, 2))
    error = (0.5 + 0.5 * np.tanh(odds / 2) - y) / y[:, 0].size
    error = error[:, :, None].astype(E.dtype)  # T, s, 1, n
    one, two = np.split(V @ error, 2, axis=2)
    dh = np.concatenate([one, turned(two, reverse)], axis=1)
    dz = np.split(stacked_lstm_backward(dh, U, cache), 2, axis=1)
    read = np.split(states[:-1], 2, axis=1)  # h before each step
    gradients, by_words = [], 0
    for k, W in enumerate((W1, W2)):
        gradients += weight_gradients(transpose(both[k]), read[k], dz[k])
        by_word = transpose(W @ dz[k])
        by_words = by_words + (turned(by_word, reverse) if k else by_word)
    by_E = np.zeros_like(E)
    networks = np.broadcast_to(np.arange(len(E))[None, :, None], x.shape)
    np.add.at(by_E, (networks, x), by_words * mask)
    by_V = (h @ transpose(error)).sum(axis=0)
    return loss, [by_E, *gradients, by_V, error.sum(axis=(0, 3))[..., None]]


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
