"""A reader's own model drops into walk_forward and gets its verdict."""

import importlib
import linecache
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import simulate
from own_model_example import RangeRegression

from forecasting.evaluation.verdict import POOLED
from forecasting.evaluation.walk_forward import walk_forward
from forecasting.market import prices
from forecasting.models.base import Forecast, Forecaster
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


class Says(Forecaster):
    """Answers with what it is given, made of (origins, horizons) twos."""

    def __init__(self, answer):
        self.answer = answer

    def fit(self, histories):
        return self

    def predict(self, prices, origins):
        return self.answer(np.full((len(origins), STUDY.horizons), 2.0))


SHORT = {"S": simulate.garch_walk(700, seed=1)}


@pytest.mark.parametrize(
    "answer, found",
    [
        # One session ahead, not spread over the horizons it does not have.
        (lambda x: Forecast(0 * x[:, :1], x[:, :1], x[:, :1]), "(251, 1)"),
        (lambda x: Forecast(0 * x[1:], x[1:], x[1:]), "(250, 20)"),
        (lambda x: Forecast(0 * x[:, 0], x[:, 0], x[:, 0]), "(251,)"),
        (lambda x: Forecast(0 * x, x[0], x), "(20,)"),
        (lambda x: Forecast(x + np.nan, x, x), "finite loc"),
        (lambda x: x, "ndarray"),
        (lambda x: None, "NoneType"),
    ],
)
def test_what_is_no_forecast_is_refused_in_one_line(answer, found):
    with pytest.raises(
        ValueError, match=r"^mine: .*; S needs .*\(251, 20\); S, fold 0"
    ) as refused:
        walk_forward({"mine": Says(answer)}, SHORT, 1)
    assert found in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_model_that_does_not_say_what_it_is_is_refused():
    class Bare:
        fit = predict = None

    with pytest.raises(TypeError, match="mine: Bare has no pooled; let the"):
        walk_forward({"mine": Bare()}, SHORT, 1)


def test_a_changed_model_is_fitted_again(tmp_path, monkeypatch):
    """A finished fit is kept for the code that made it, under any name."""
    module = tmp_path / "own.py"
    code = EXAMPLE.read_text(encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    crps = []
    for text in (code, code.replace("self.scale, df)", "self.scale * 2, df)")):
        module.write_text(text, encoding="utf-8")
        sys.modules.pop("own", None)
        importlib.invalidate_caches()
        linecache.clearcache()
        sys.dont_write_bytecode = True
        own = importlib.import_module("own").RangeRegression()
        parts = tmp_path / "parts"
        scores = walk_forward({"a/b": own}, SHORT, 1, parts=parts).scores
        crps.append(scores.set_index("model").loc["a/b", "crps"].tolist())
    assert crps[0] != crps[1]
