"""What is said of a stock in words follows from its numbers."""

import numpy as np
import pandas as pd
import pytest

from forecasting.evaluation.verdict import POOLED
from forecasting.models.base import Forecast
from forecasting.pages import tables
from forecasting.windows import Dates


def forecast(scale, n=200):
    return Forecast(*(np.full((n, 5), part) for part in (0.0, scale, 5.0)))


@pytest.fixture
def compared():
    observed = np.random.default_rng(3).standard_t(5, (200, 5))
    observed[-4:, 4] = np.nan  # not yet known
    scales = {"LSTM": 1.0, "BiLSTM": 2.0, "Linear": 1.5}
    joint = {name: forecast(scale) for name, scale in scales.items()}
    networks = ["LSTM", "BiLSTM"]
    table = tables.beside(joint, observed, networks, "Linear", (1, 5))
    return joint, observed, table


def test_networks_beside_a_rival_on_the_rows_that_are_known(compared):
    joint, observed, table = compared
    cost = {n: f.crps(observed)[:196, 4].mean() for n, f in joint.items()}
    for name in ("LSTM", "BiLSTM"):
        change = 100 * (cost[name] / cost["Linear"] - 1)
        assert table.loc[(name, 5), "CRPS (%)"] == pytest.approx(change)
        assert np.sign(table.loc[(name, 5), "DM"]) == np.sign(change)


@pytest.mark.parametrize(("ratio", "fails"), [(0.97, False), (1.03, True)])
def test_a_headline_that_fails_on_the_stock_is_said_to_fail(
    compared, ratio, fails
):
    columns = {"hit_rate": 0.51, "majority_rate": 0.53}
    columns |= {"cover_80": 0.73, "n": 252}
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
    text = tables.answer(summary, summary, compared[2], "X", dates)
    assert "1 March 2012 to 28 February 2013" in text
    for words, when in [
        ("does not hold for X in this year 5 sessions ahead", fails),
        ("below the random walk's at every horizon", not fails),
        ("LSTM is not the best model here 5 ahead", fails),
    ]:
        assert (words in text) == when
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
    assert tables.interval_width(held, closes) == said
    draws = np.random.default_rng(0).binomial(closes, 0.8, 4000) / closes
    said = [tables.interval_width(share, closes) for share in draws]
    right = np.array(said) == "about right"
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
    row = {"ticker": "X", "model": "LSTM", "cover_80": 0.8, "theil_u": 1.0}
    row |= {"theil_u_sd": 0, "crps_vs_rw": 0.95, "crps_vs_rw_sd": spread}
    summary = pd.DataFrame([row | {"horizon": h} for h in (1, 5, 20)])
    table = tables.verdict_table(summary, "X")
    assert table.loc["LSTM", "CRPS 1"] == said
