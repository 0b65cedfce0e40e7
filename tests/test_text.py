"""Note 5: the text it reads, its labels, and the tagger's gradients."""

import hashlib
import re

import numpy as np
import pytest
from conftest import finite_differences

from theory import characters, tagging
from theory.cells import bilstm_forward, lstm_forward
from theory.characters import TEXT, inside_quotation


def test_the_text_is_the_one_described():
    content = TEXT.read_bytes()
    described = TEXT.with_name("README.md").read_text(encoding="utf-8")
    assert hashlib.sha256(content).hexdigest() in described
    assert f"{len(content):,} characters" in described
    assert content.isascii() and b"\r" not in content
    assert not re.search(rb"Gutenberg|MILLENNIUM|THE END", content)


def test_chapters_join_to_the_text():
    assert len(characters.chapters()) == 12
    assert "".join(characters.chapters()) == TEXT.read_text(encoding="utf-8")


def test_quotations_are_closed_but_for_a_few():
    """An opening mark inside a quotation is a verse or a new paragraph."""
    text = TEXT.read_text(encoding="utf-8")
    inside = inside_quotation(text)
    opened = [t for t in range(1, len(text)) if text[t] == "`"]
    assert len(opened) == 1108
    assert sum(inside[t - 1] for t in opened) < 12


@pytest.mark.parametrize(
    ("text", "states"),
    [("a `b' c", "  xx   "), ("`I'm b' 's", "xxxxxx    "), ("b' `c", "   xx")],
)
def test_an_apostrophe_closes_nothing(text, states):
    assert list(inside_quotation(text)) == [s == "x" for s in states]


def test_words_lose_their_marks_and_keep_their_tags():
    said = "`Oh, \"No!\"'\n\nsaid 'tis I'll"
    words, inside = characters.words_without_marks(said)
    expected = ["oh", ",", "no", "!", "¶", "said", "tis", "i'll"]
    assert words == expected
    assert inside.tolist() == [True] * 4 + [False] * 4


def test_streams_go_on_from_batch_to_batch():
    ids = np.arange(1000)
    x, y = characters.streams(ids, 4, 7)
    assert np.array_equal(y, x + 1)
    for k in range(4):
        rows = x[k::4].ravel()
        assert np.array_equal(rows, rows[0] + np.arange(len(rows)))
    assert len(np.unique(x)) == x.size


def small_networks():
    """Two networks, the second bidirectional, float64, and a batch."""
    rng = np.random.default_rng(3)
    drawn = [tagging.first_weights(rng, 6, 3, 4) for _ in range(2)]
    weights = [np.stack(w) for w in zip(*drawn, strict=True)]
    x = rng.integers(6, size=(5, 2, 3))
    y = rng.random(x.shape) < 0.5
    mask = (rng.random((5, 2, 3, 3)) < 0.7) / 0.7
    return weights, np.array([False, True]), x, y, mask


def test_tagger_equals_the_cells():
    weights, reverse, x, *_ = small_networks()
    odds, _ = tagging.run(weights, reverse, x)
    for k in range(2):
        E, W, U, b, V, v = (w[k] for w in weights)
        words = E[x[:, k]].swapaxes(0, 1)
        parts = (np.split(w, 2, axis=1) for w in (W, U, b))
        one, two = ((W, U, b[0]) for W, U, b in zip(*parts, strict=True))
        if reverse[k]:
            h = bilstm_forward(words, one, two)[0]
        else:
            pair = [lstm_forward(words, *w)[0] for w in (one, two)]
            h = np.concatenate(pair, axis=2)
        np.testing.assert_allclose(odds[:, k].T, (h @ V + v)[..., 0])


def test_tagger_gradients_equal_finite_differences():
    arguments = small_networks()

    def loss():
        return tagging.loss_and_gradients(*arguments)[0].sum()

    gradients = tagging.loss_and_gradients(*arguments)[1]
    for w, gradient in zip(arguments[0], gradients, strict=True):
        numeric = finite_differences(loss, w)
        np.testing.assert_allclose(gradient, numeric, rtol=1e-5, atol=1e-9)
