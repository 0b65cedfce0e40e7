"""The settings of the study, in one place: what a reader may change.

``STUDY`` holds the values behind every committed number. They were chosen on
rows before the first test fold and then frozen; results/README.md says how.
A model and the protocol take other ones as an argument:

    Linear(Settings(premium=0.0))
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """What is learnt, how, and on which rows it is tested."""

    # windows and targets
    lookback: int = 60  # sessions a network reads
    horizons: int = 20  # sessions ahead that are forecast, 1 … horizons
    # a year's rise of the median, in every model of volatility: about what
    # shares have paid above bills in the long run
    premium: float = 0.05
    # rows
    block: int = 252  # sessions of a test fold: one trading year
    validation: float = 0.15  # share of the training part, its last dates
    min_train: int = 400  # rows before a test fold that a model needs

    @property
    def first(self) -> int:
        """First row of a history that a network can forecast from."""
        return self.lookback + 1

    @property
    def reported(self) -> tuple[int, ...]:
        """Horizons in every table."""
        return tuple(h for h in (1, 5, 20) if h <= self.horizons)


STUDY = Settings()
