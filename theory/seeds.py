"""Train one compiled Keras model from several seeds."""

from forecasting.models.backend import keras

ops = keras.ops


def each_seed(model, seeds):
    """Yield every seed, the compiled model as if it were new.

    XLA compiles once: each seed puts fresh weights into the model, and an
    empty memory into its optimizer, which keeps its learning rate.
    """
    optimizer = model.optimizer
    optimizer.build(model.trainable_variables)
    for seed in seeds:
        keras.utils.set_random_seed(seed)
        clone = keras.models.clone_model(model)  # masks' seeds come along
        for v, new in zip(model.variables, clone.variables, strict=True):
            v.assign(new)
        for v in optimizer.variables:
            if v is not optimizer.learning_rate:
                v.assign(ops.zeros_like(v))
        yield seed
