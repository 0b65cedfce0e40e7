"""The whole pipeline on series whose best forecast is known.

Eight stocks of 2,000 sessions, the last year tested, one network: where there
is nothing to find nothing may be found, and what is there must be.
"""

import pytest
import simulate

from forecasting.evaluation.verdict import POOLED
from forecasting.evaluation.walk_forward import walk_forward
from forecasting.models.registry import BASELINES
from forecasting.models.regressions import HAR, Linear
from forecasting.models.vintage import LSTM, PoolLinear


def pooled(simulated, models):
    """Pooled summary by model and horizon; all tests are on RandomWalk."""
    histories = {f"S{seed}": simulated(2000, seed) for seed in range(8)}
    summary = walk_forward(models, histories, folds=1, seeds=[0]).summary
    return summary[summary["ticker"] == POOLED].set_index(["model", "horizon"])


@pytest.fixture(scope="module")
def constant():
    return pooled(simulate.random_walk, {"LSTM": LSTM()})


@pytest.fixture(scope="module")
def clustered():
    return pooled(simulate.garch_walk, {"LSTM": LSTM()})


def test_no_network_beats_a_random_walk_of_constant_volatility(constant):
    for kind in ("crps", "point"):
        won = constant[f"dm_{kind}"] < 0
        assert not (won & (constant[f"p_{kind}_holm"] < 0.05)).any()
    lstm = constant.loc["LSTM"]
    assert (lstm["crps_vs_rw"] > 0.99).all()
    assert (lstm["theil_u"] > 0.99).all()


def test_no_baseline_beats_a_random_walk_of_constant_volatility():
    models = {name: model() for name, model in BASELINES.items()}
    table = pooled(simulate.random_walk, models)
    for kind in ("crps", "point"):
        won = table[f"dm_{kind}"] < 0
        assert not (won & (table[f"p_{kind}_holm"] < 0.05)).any()


def test_the_networks_distribution_wins_where_volatility_clusters(clustered):
    lstm = clustered.loc["LSTM"].loc[1]
    assert lstm["against"] == "RandomWalk"
    assert lstm["crps_vs_rw"] < 0.99
    assert lstm["dm_crps"] < 0
    assert lstm["p_crps_holm"] < 0.05


def test_the_networks_point_does_not_win_where_only_volatility_clusters(
    clustered,
):
    lstm = clustered.loc["LSTM"]
    won = lstm["dm_point"] < 0
    assert not (won & (lstm["p_point_holm"] < 0.05)).any()


def test_a_memory_of_quarters_wins_where_volatility_jumps_every_quarter():
    """HAR forgets after 66 sessions; Linear reads the earnings clock."""
    models = {"HAR": HAR(), "Linear": Linear()}
    tomorrow = pooled(simulate.quarterly_walk, models).xs(1, level="horizon")
    # Four days in 252 jump: QLIKE sees them, CRPS hardly does.
    assert tomorrow["qlike"]["Linear"] < 0.95 * tomorrow["qlike"]["HAR"]


def test_no_network_beats_linear_where_the_world_is_linear():
    """Nor does a vintage of real stocks beat one that learnt this world."""
    models = {"Linear": Linear(), "PoolLinear": PoolLinear(), "LSTM": LSTM()}
    lstm = pooled(simulate.log_linear_walk, models).loc["LSTM"].loc[[1, 5]]
    assert (lstm["against"] == "Linear").all()
    for kind in ("crps", "qlike"):
        won = lstm[f"dm_{kind}"] < 0
        assert not (won & (lstm[f"p_{kind}_holm"] < 0.05)).any()
