"""A reader's own model drops into walk_forward and gets its verdict."""

import re
from pathlib import Path

import numpy as np
import pytest
import simulate
from own_model_example import RangeRegression

from forecasting.market import prices
from forecasting.protocol import walk_forward
from forecasting.scores import POOLED
from forecasting.settings import STUDY

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = Path(__file__).with_name("own_model_example.py")


def test_the_readme_shows_the_example_that_runs_here():
    blocks = re.findall(
        r"^```python\n(.*?)^```$",
        (ROOT / "README.md").read_text(encoding="utf-8"),
        flags=re.DOTALL | re.MULTILINE,
    )
    assert EXAMPLE.read_text(encoding="utf-8") in blocks


@pytest.fixture(scope="module")
def verdict():
    histories = prices.load_directory(ROOT / "data" / "snapshot")
    return walk_forward({"mine": RangeRegression()}, histories, folds=1)


def test_it_gets_a_score_for_every_ticker_and_horizon(verdict):
    scores = verdict.scores.query("model == 'mine' and seed == 'ensemble'")
    assert sorted(zip(scores["ticker"], scores["horizon"], strict=True)) == [
        (ticker, h) for ticker in prices.tickers() for h in STUDY.reported
    ]
    assert np.isfinite(scores[["rmse", "crps", "cover_80"]]).all(axis=None)


def test_it_gets_its_significance(verdict):
    """It says what persistence says of where, and better how far."""
    mine = verdict.summary[verdict.summary["model"] == "mine"]
    pooled = mine[mine["ticker"] == POOLED]
    assert (pooled["theil_u"] == 1).all()
    assert (pooled["p_point"] == 1).all()
    assert (pooled["against"] == "RandomWalk").all()
    tomorrow = pooled.set_index("horizon").loc[1]
    assert tomorrow["crps_vs_rw"] < 1
    assert tomorrow["p_crps_holm"] < 0.05


def test_it_reads_no_row_after_its_origin():
    history = simulate.garch_walk(900, seed=4)
    model = RangeRegression().fit({"S": history[:600]})
    known = model.predict(history, np.array([600, 700]))
    other = history.copy()
    other.iloc[701:] *= 3
    again = model.predict(other, np.array([600, 700]))
    np.testing.assert_array_equal(again.scale, known.scale)
