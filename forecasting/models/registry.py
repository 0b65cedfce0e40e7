"""Every model of the verdict, by its name."""

from forecasting.models.base import Forecaster
from forecasting.models.baselines import (
    EWMA,
    GARCH,
    Climatology,
    Drift,
    RandomWalk,
)
from forecasting.models.regressions import HAR, Linear
from forecasting.settings import STUDY, Settings

BASELINES = {
    model.__name__: model
    for model in (RandomWalk, Drift, EWMA, Climatology, GARCH, HAR, Linear)
}
NETWORKS = ("TextbookLSTM", "LSTM", "BiLSTM")


def make_model(name: str, settings: Settings = STUDY) -> Forecaster:
    """A model of ``BASELINES`` or ``NETWORKS``, not yet fitted."""
    if name in BASELINES:
        return BASELINES[name](settings)
    # Not above: TensorFlow takes seconds to import, and is not always asked.
    from forecasting.models.lstm import LSTMForecaster
    from forecasting.models.textbook import TextbookLSTM

    if name == "TextbookLSTM":
        return TextbookLSTM("close", settings=settings)
    return LSTMForecaster(name == "BiLSTM", settings=settings)
