"""What note 6 adds to the cell: PyTorch's start, noise, layer norm.

The NumPy half gives training.py a start of one's choice, and masks that
drop parts of the cell. The Keras half builds layers and trains one compiled
network from several seeds.
"""

from functools import partial

import numpy as np
import pandas as pd
from scipy import stats

from forecasting.models.backend import keras
from theory import training
from theory.seeds import each_seed
from theory.training import initial_weights

layers, ops = keras.layers, keras.ops

# --- NumPy: starts and noise -------------------------------------------------


def pytorch_weights(rng, d, h, m):
    """Draw W, U, b, V, v as torch.nn.LSTM and torch.nn.Linear do.

    All from U(-1/sqrt(h), 1/sqrt(h)); the LSTM's two biases are added up.
    """

    def uniform(*shape):
        return rng.uniform(-1, 1, shape) / np.sqrt(h)

    b = uniform(1, 4 * h) + uniform(1, 4 * h)
    V, v = uniform(h, m), uniform(1, m)
    return uniform(d, 4 * h), uniform(h, 4 * h), b, V, v


STARTS = {"PyTorch": pytorch_weights}
STARTS["Keras"] = partial(initial_weights, cell="lstm")


def train(
    task,
    seeds,
    steps,
    start="Keras",
    drop=0.0,
    where="h",
    fresh=False,
    **options,
):
    """Train one LSTM per seed from a start in STARTS, parts of it dropped.

    Losses, networks and options as in `train_seeds` of training.py; drop,
    where and fresh as in `draw_masks`.
    """
    noise = partial(draw_masks, drop=drop, where=where, fresh=fresh)
    options |= {"start": STARTS[start], "noise": noise if drop else None}
    return training.train_seeds("lstm", task, seeds, steps, **options)


def predict(networks, x):
    """Answers (seeds, n, m) of trained networks to x (n, T, d), no masks."""
    return training.predict("lstm", networks, x)[:, :, -1]


def draw_masks(rngs, shape, drop, where, fresh):
    """Dropout masks, 0 or 1 / (1 - drop): {where: (T or 1, s, h, n)}.

    where: the part that is multiplied, the state "h" on its way into the
    gates, the cell state "c" between steps, or the candidate "a". shape
    (T, h, n); fresh draws a mask per step, otherwise one serves all steps.
    """
    shape = shape if fresh else (1, *shape[1:])
    kept = np.stack([rng.random(shape) >= drop for rng in rngs], axis=1)
    return {where: (kept / (1 - drop)).astype("float32")}


# --- Keras: layer norm, several layers, several seeds -----------------------


@keras.saving.register_keras_serializable("practice")
class LayerNormCell(layers.Layer):
    """An LSTM step that normalises x W, h U and c over the units.

    Ba, Kiros & Hinton (2016), equations 20-22: for keras.layers.RNN. Gains
    are learned, and shifts where no bias stands beside them.
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.output_size = units
        self.state_size = [units, units]
        self.norm_x, self.norm_h = (
            layers.LayerNormalization(center=False) for _ in range(2)
        )
        self.norm_c = layers.LayerNormalization()

    def build(self, shape):
        """Weights as LSTM has them: W, U, b with a forget bias of 1."""
        h, add = self.units, self.add_weight
        self.W = add((shape[-1], 4 * h), "glorot_uniform", name="W")
        self.U = add((h, 4 * h), "orthogonal", name="U")
        self.b = add((4 * h,), forget_bias_of_one, name="b")
        self.norm_x.build((None, 4 * h))
        self.norm_h.build((None, 4 * h))
        self.norm_c.build((None, h))

    def call(self, x, states):
        """x_t (n, d), [h, c] -> h_t, [h_t, c_t]."""
        h, c = states
        z = self.norm_x(x @ self.W) + self.norm_h(h @ self.U) + self.b
        i, f, c_tilde, o = ops.split(z, 4, axis=1)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(c_tilde)
        h = ops.sigmoid(o) * ops.tanh(self.norm_c(c))
        return h, [h, c]

    def get_config(self):
        """What a clone is built from."""
        return super().get_config() | {"units": self.units}


def forget_bias_of_one(shape, dtype=None):
    """Zeros, but ones in the second of four blocks."""
    return ops.repeat(
        ops.convert_to_tensor([0.0, 1, 0, 0], dtype), shape[0] // 4
    )


def network(kind, units, depth=1, rate=0.02, shape=(9, 3), **options):
    """A compiled model with one logit per step.

    kind "LSTM" or "layer norm", depth recurrent layers; options go to
    keras.layers.LSTM.
    """
    x = h = keras.Input(shape)
    for _ in range(depth):
        if kind == "LSTM":
            h = layers.LSTM(units, return_sequences=True, **options)(h)
        else:
            h = layers.RNN(LayerNormCell(units), return_sequences=True)(h)
    model = keras.Model(x, layers.Dense(1)(h))
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    fast = {"jit_compile": True, "steps_per_execution": 50}
    model.compile(keras.optimizers.Adam(rate), loss, **fast)
    return model


def fit_seeds(model, seeds, draw, rate=None, **fit):
    """Train one compiled model from each seed: curves (seeds, epochs).

    Each seed fits what draw(rng) returns, x and y, from the learning rate
    given, else the model's. A dict: "loss" and, with validation_data,
    "val_loss".
    """
    if rate is not None:
        model.optimizer.learning_rate.assign(rate)
    histories = []
    for seed in each_seed(model, seeds):
        x, y = draw(np.random.default_rng(seed))
        run = model.fit(x, y, verbose=0, shuffle=False, **fit)
        histories.append(run.history)
    return {k: np.array([h[k] for h in histories]) for k in histories[0]}


def paired_table(scores, baseline, digits=3):
    """Compare scores by seed, {name: (seeds,)}, lower is better.

    A row each: mean and sd over the seeds, then the mean difference from
    the baseline on the same seeds, its 95 % interval (Student's t), and
    what the interval says. Numbers as text, to be read.
    """
    rows = {}
    for name, score in scores.items():
        numbers = {"mean": score.mean(), "sd": score.std(ddof=1)}
        verdict = ""
        if name != baseline:
            gap = stats.ttest_rel(score, scores[baseline])
            low, high = gap.confidence_interval()
            numbers["difference"] = (score - scores[baseline]).mean()
            numbers |= {"from": low, "to": high}
            verdict = "helped" if high < 0 else "hurt"
            verdict = "did not show" if low <= 0 <= high else verdict
        rows[name] = {k: f"{v:.{digits}f}" for k, v in numbers.items()}
        rows[name]["verdict"] = verdict
    columns = ["mean", "sd", "difference", "from", "to", "verdict"]
    return pd.DataFrame.from_dict(rows, "index", columns=columns).fillna("")
