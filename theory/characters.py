"""The text of note 5, its quotations, and the training of both its tasks."""

import re
from pathlib import Path

import numpy as np

from forecasting.models.backend import keras
from theory.seeds import each_seed

TEXT = Path(__file__).with_name("text") / "alice.txt"
layers = keras.layers


def chapters():
    """Return the chapters of the text, headings included; joined: all."""
    text = TEXT.read_text(encoding="utf-8")
    return re.split(r"(?m)^(?= +CHAPTER [IVX]+$)", text)[1:]


def inside_quotation(text):
    """Is each character inside a quotation? -> Boolean (len(text),).

    A quotation opens with ` and closes with ', unless a letter follows,
    which makes the mark an apostrophe. The opening mark counts as inside,
    the closing one as outside: the state once the character is read.
    """
    inside, states = False, np.empty(len(text), bool)
    for t, mark in enumerate(text):
        if mark == "`":
            inside = True
        elif mark == "'" and not text[t + 1 : t + 2].isalpha():
            inside = False
        states[t] = inside
    return states


def words_without_marks(text):
    """Take the quotation marks away -> words, and which stood inside.

    A word is in lower case; a run of other punctuation is a word too, and
    so is the end of a paragraph, "¶".
    """
    pattern = r"[A-Za-z]+(?:'[A-Za-z]+)*|[^\sA-Za-z`'\"]+|\n\s*\n"
    inside = inside_quotation(text)
    found = list(re.finditer(pattern, text))
    words = [m.group().lower().strip() or "¶" for m in found]
    return words, inside[[m.start() for m in found]]


def streams(ids, batch, steps):
    """Cut a text into windows that a stateful layer reads on -> x, y.

    The text falls into `batch` streams, each stream into windows of
    `steps`; row k of one batch goes on in row k of the next. x and y
    (windows, steps), y one character later; the rest is left out.
    """
    n = (len(ids) - 1) // (batch * steps)  # windows of a stream

    def cut(part):
        part = part[: batch * n * steps].reshape(batch, n, steps)
        return part.swapaxes(0, 1).reshape(n * batch, steps)

    return cut(ids), cut(ids[1:])


class Fresh(keras.callbacks.Callback):
    """Start each pass over a text with empty states; keep the best epoch."""

    def on_train_begin(self, logs=None):
        """Forget the best of an earlier training."""
        self.best = np.inf

    def empty(self, *_, logs=None):
        """Empty the states before the training and the validation text."""
        for layer in self.model.layers:
            if getattr(layer, "stateful", False):
                layer.reset_states()

    on_epoch_begin = on_test_begin = empty

    def on_epoch_end(self, epoch, logs=None):
        """Keep the weights if the validation loss is the lowest so far."""
        if logs["val_loss"] < self.best:
            self.best = logs["val_loss"]
            self.weights = self.model.get_weights()


def train_seeds(model, seeds, x, y, validation, rate, epochs, batch):
    """Train a model from each seed; keep the epoch best in validation.

    Adam, its rate falling from `rate` to 0 along a cosine. The order of x
    is kept if a layer is stateful. Returns the weights per seed, and the
    losses in bits, (seeds, epochs, 2): training, validation.
    """
    decay = keras.optimizers.schedules.CosineDecay
    updates = epochs * -(-len(x) // batch)
    entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    adam = keras.optimizers.Adam(decay(rate, updates), clipnorm=1.0)
    model.compile(adam, entropy, jit_compile=True)
    in_order = any(getattr(a, "stateful", False) for a in model.layers)
    options = {"batch_size": batch, "epochs": epochs, "verbose": 0}
    options |= {"validation_data": validation, "shuffle": not in_order}
    weights, losses = [], []
    for _ in each_seed(model, seeds):
        keeper = Fresh()
        log = model.fit(x, y, callbacks=[keeper], **options).history
        weights.append(keeper.weights)
        losses.append(np.stack([log["loss"], log["val_loss"]], axis=1))
    return weights, np.array(losses) / np.log(2)
