"""Every model of the verdict, by its name."""

from forecasting.models.base import Forecaster
from forecasting.models.baselines import (
    EWMA,
    GARCH,
    Climatology,
    Drift,
    LongClimatology,
    RandomWalk,
)
from forecasting.models.regressions import HAR, Linear
from forecasting.models.vintage import (
    LSTM,
    Memoryless,
    PoolAverages,
    PoolLinear,
)
from forecasting.settings import STUDY, Settings

BASELINES = {
    model.__name__: model
    for model in (
        *(RandomWalk, Drift, EWMA, Climatology, LongClimatology, GARCH),
        *(HAR, Linear, PoolLinear, PoolAverages),
    )
}
NETWORKS = {model.__name__: model for model in (Memoryless, LSTM)}


def make_model(name: str, settings: Settings = STUDY) -> Forecaster:
    """A model by its name, not yet fitted; of a network, the first seed."""
    if name in NETWORKS:
        return NETWORKS[name](settings, seed=0)
    return BASELINES[name](settings)
