"""What is said of a stock in words follows from its numbers."""

import numpy as np
import pandas as pd
import pytest

from forecasting.evaluation.verdict import POOLED
from forecasting.models.base import Forecast
from forecasting.pages.tables import (
    answer,
    beside,
    interval_width,
    verdict_table,
)
from forecasting.windows import Dates


def forecast(scale, n=200):
    return Forecast(
        np.zeros((n, 5)), np.full((n, 5), scale), np.full((n, 5), 5.0)
    )


@pytest.fixture
def compared():
    observed = np.random.default_rng(3).standard_t(5, (200, 5))
    observed[-4:, 4] = np.nan  # not yet known
    joint = {
        "LSTM": forecast(1.0),
        "BiLSTM": forecast(2.0),
        "Linear": forecast(1.5),
    }
    return (
        joint,
        observed,
        beside(joint, observed, ["LSTM", "BiLSTM"], "Linear", (1, 5)),
    )


def test_networks_beside_a_rival_on_the_rows_that_are_known(compared):
    joint, observed, table = compared
    cost = {
        name: f.crps(observed)[:196, 4].mean() for name, f in joint.items()
    }
    for name in ("LSTM", "BiLSTM"):
        change = 100 * (cost[name] / cost["Linear"] - 1)
        assert table.loc[(name, 5), "CRPS (%)"] == pytest.approx(change)
        assert np.sign(table.loc[(name, 5), "DM"]) == np.sign(change)


@pytest.mark.parametrize(("ratio", "fails"), [(0.97, False), (1.03, True)])
def test_a_headline_that_fails_on_the_stock_is_said_to_fail(
    compared, ratio, fails
):
    columns = {"hit_rate": 0.51, "majority_rate": 0.53, "cover_80": 0.73}
    columns["n"] = 252
    rows = [
        {"ticker": t, "model": m, "horizon": h, "crps": c, "crps_vs_rw": c}
        | columns
        for t in ("X", POOLED)
        for m, c in [("RandomWalk", 1.0), ("LSTM", 0.96)]
        for h in (1, 5)
    ]
    summary = pd.DataFrame(rows)
    here = (summary["ticker"] == "X") & (summary["horizon"] == 5)
    here &= summary["model"] == "LSTM"
    summary.loc[here, ["crps", "crps_vs_rw"]] = ratio
    day = pd.Timestamp("2012-03-01")
    dates = Dates(day, day, day, day, pd.Timestamp("2013-02-28"))
    text = answer(summary, summary, compared[2], "X", dates)
    assert "1 March 2012 to 28 February 2013" in text
    assert (
        "does not hold for X in this year 5 sessions ahead" in text
    ) == fails
    assert ("below the random walk's at every horizon" in text) != fails
    assert ("LSTM is not the best model here 5 ahead" in text) == fails
    assert "80 % interval 1 ahead was too narrow" in text
    assert "p-value (Holm, 4 tests)" in text
    winner = "RandomWalk" if fails else "LSTM"
    assert f"| lowest CRPS of all | LSTM | {winner} |" in text


@pytest.mark.parametrize(
    ("held", "closes", "said"),
    [
        (0.7, 252, "too narrow"),
        (0.9, 252, "too wide"),
        (0.76, 252, "about right"),
        (0.7, 60, "about right"),
    ],
)
def test_a_width_is_judged_by_what_chance_may_do(held, closes, said):
    assert interval_width(held, closes) == said
    draws = np.random.default_rng(0).binomial(closes, 0.8, 4000) / closes
    right = [interval_width(share, closes) == "about right" for share in draws]
    assert 0.93 < np.mean(right) < 0.97


@pytest.mark.parametrize(
    ("spread", "said"),
    [
        (0, "0.950"),
        (0.0312, "0.950 ± 0.031"),
        (0.0002, "0.950 ± 0.0002"),
        (1e-6, "0.950 ± < 0.0001"),
    ],
)
def test_a_small_spread_is_not_shown_as_none(spread, said):
    row = {"ticker": "X", "model": "LSTM", "cover_80": 0.8}
    row |= {"theil_u": 1.0, "theil_u_sd": 0.0}
    row |= {"crps_vs_rw": 0.95, "crps_vs_rw_sd": spread}
    summary = pd.DataFrame([row | {"horizon": h} for h in (1, 5, 20)])
    assert verdict_table(summary, "X").loc["LSTM", "CRPS 1"] == said
