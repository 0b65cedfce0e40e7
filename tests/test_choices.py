"""A regression that is said not to read something does not read it."""

from pathlib import Path

import numpy as np
import pytest

from forecasting.choices import EARNINGS, VOLUME, Blind
from forecasting.market.prices import read_csv
from forecasting.models.regressions import Linear

AAPL = read_csv(Path(__file__).parents[1] / "data" / "snapshot" / "AAPL.csv")
LAST = len(AAPL) - 1


def louder(prices):
    """Tenfold volume in the last session."""
    prices.loc[prices.index[LAST], "Volume"] *= 10


def wilder_a_year_ago(prices):
    """A wide range next to where a report was, four quarters back.

    The mean of the last 250 sessions no longer sees it.
    """
    prices.loc[prices.index[LAST - 251], "High"] *= 1.1


@pytest.mark.parametrize(
    ("hidden", "happens"), [(VOLUME, louder), (EARNINGS, wilder_a_year_ago)]
)
def test_what_is_hidden_is_not_read(hidden, happens):
    other = AAPL.copy()
    happens(other)
    moved = []
    for model in Linear(), Blind(hidden):
        model.learn({"AAPL": AAPL})
        said = [model.log_variance(p, np.array([LAST])) for p in (AAPL, other)]
        moved.append(np.abs(said[1] - said[0]).max())
    reads, blind = moved
    assert reads > 50 * blind
