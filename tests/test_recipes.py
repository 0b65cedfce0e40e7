"""The replays of popular recipes against plain loops and hand calculation."""

from dataclasses import replace
from math import sqrt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecasting.evaluation.walk_forward import fit_model
from forecasting.market.prices import load_directory
from forecasting.recipes import replays
from forecasting.recipes.__main__ import main
from forecasting.recipes.published import BY_NAME, RECIPES, read
from forecasting.recipes.rebuilt import row_scale
from forecasting.recipes.replays import Replay, score
from forecasting.windows import fold_dates

ROOT = Path(__file__).resolve().parents[1]
HISTORIES = load_directory(ROOT / "data" / "snapshot")
# Small networks: what may be read does not depend on their size.
SMALL = [
    replace(BY_NAME[name], layers=(("LSTM", 2),), batch=512, run=1)
    for name in ["mid-price", "next-open"]
]


@pytest.fixture(scope="module")
def committed():
    return pd.read_csv(ROOT / "results" / "recipes.csv").set_index("recipe")


def test_the_table_is_of_the_published_recipes(committed):
    assert list(committed.index) == [r.name for r in RECIPES]
    facts = ["repository", "claim", "ticker", "epochs", "run", "metric"]
    table = committed.rename(columns={"run_epochs": "run"})
    for fact in [*facts, "rule"]:
        assert list(table[fact]) == [getattr(r, fact) for r in RECIPES], fact


@pytest.mark.parametrize(
    ("toml", "says"),
    [("[a]\nloockback = 5", "'loockback'"), ("[a]\nlookback = 5", "missing")],
)
def test_a_fact_misspelt_or_missing_is_refused(toml, says):
    with pytest.raises(TypeError, match=says):
        read(toml)


def line_accuracy(prices):
    past, test = prices[-252:-30], prices[-30:]
    step = (past[-1] - past[0]) / 221
    squares = 0.0
    for day in range(30):
        said = past[-1] + (day + 1) * step
        squares += ((said - test[day]) / (test[day] + 1)) ** 2
    return 100 * (1 - sqrt(squares / 30))


def scaled_rmse(prices):
    """What persistence scores where only the target stays scaled."""
    prices = prices[-1258:]
    low, high, squares = min(prices), max(prices), []
    for i in range(round(0.65 * 1258), 1258):
        target = (prices[i] - low) / (high - low)
        squares.append((prices[i - 1] - target) ** 2)
    return sqrt(sum(squares) / len(squares))


def z_score_mse(prices):
    test = range(round(0.8 * len(prices)), len(prices))
    squares = [(prices[i] - prices[i - 1]) ** 2 for i in test]
    return sum(squares) / len(squares) / np.var(prices)


def flat_rmse(prices):
    """50 sessions from their starts, in units of 50 sessions before each."""
    squares, start = [], round(0.9 * len(prices)) - 1
    while start + 50 < len(prices):
        for i in range(1, 51):
            gap = (prices[start + i] - prices[start]) / prices[start - 49]
            squares.append(gap**2)
        start += 50
    return sqrt(sum(squares) / len(squares))


@pytest.mark.parametrize(
    ("name", "by_hand"),
    [
        ("forecast-30", line_accuracy),
        ("stacked-100", scaled_rmse),
        ("pytorch-20", z_score_mse),
        ("easy-demo", flat_rmse),
    ],
)
def test_a_trivial_rule_scores_what_a_loop_finds(committed, name, by_hand):
    close = HISTORIES[BY_NAME[name].ticker]["Close"].tolist()
    found = committed.loc[name, "rule_score"]
    assert found == pytest.approx(by_hand(close), rel=1e-4)


def test_a_recipe_scores_what_was_committed(committed):
    """Trained again, to within another processor's rounding."""
    recipe = BY_NAME["one-row"]
    r = replays.replay(recipe, HISTORIES[recipe.ticker])
    found = committed.loc["one-row", "score"]
    assert score(recipe.metric, r.said, r) == pytest.approx(found, rel=0.2)
    assert r.dates[0] > r.dates[-1]  # as published, backwards


def test_metrics_by_hand():
    now, actual, said = np.array([[8, 10], [10, 9], [9, 11]])[..., None]
    r = Replay(said, actual, now, now, now - 4, now / 4, None, [])
    assert r.scaled(actual).tolist() == [[3.0], [1.2]]
    # Errors are −1 and 2; relative to price + 1, 1/11 and 2/10.
    expected = {
        "RMSE, dollars": sqrt(5 / 2),
        "RMSE against scaled targets": sqrt((6**2 + 9.8**2) / 2),
        "RMSE, scaled": sqrt((0.5**2 + 0.8**2) / 2),
        "MSE, scaled": (0.5**2 + 0.8**2) / 2,
        "half MSE, scaled": (0.5**2 + 0.8**2) / 4,
        "MSE over range, %": 100 * 2.5 / 1,
        "accuracy, %": 100 * (1 - sqrt((1 / 121 + 4 / 100) / 2)),
        "directions right, %": 50.0,
    }
    assert {r.metric for r in RECIPES} == set(expected)
    for metric, value in expected.items():
        assert score(metric, said, r) == pytest.approx(value), metric


@pytest.mark.parametrize("recipe", SMALL, ids=lambda r: r.name)
def test_under_the_protocol_no_later_row_counts(recipe):
    """Rows of the test change nothing fitted, later rows no forecast."""
    prices = HISTORIES[recipe.ticker]
    (dates,) = fold_dates({recipe.ticker: prices}, 1, replays.NEXT)
    first = prices.index.get_loc(dates.test_start)
    other, end = prices.copy(), first + 10
    other.iloc[end:] *= np.linspace(2, 9, len(prices) - end)[:, None]
    forecasts = []
    for history in prices, other:
        forecaster = replays.RecipeForecaster(recipe)
        model = fit_model(forecaster, {"S": history}, dates)
        forecasts.append(model.predict(history, np.arange(first, end)))
    for part in "loc", "scale", "df":
        a, b = (getattr(forecast, part) for forecast in forecasts)
        np.testing.assert_array_equal(a, b, part)


def test_a_published_scaler_sees_the_test_rows():
    """What the protocol forbids does change the windows, where it leaks."""
    recipe = BY_NAME["kaggle-60"]
    values = np.arange(10.0)[:, None] ** 2
    later = values.copy()
    later[8:] *= 3
    same = [row_scale(recipe, v, 8)[:, 0] for v in (values, later)]
    leaky = [row_scale(recipe, v, 10)[:, 0] for v in (values, later)]
    np.testing.assert_array_equal(*same)
    assert (leaky[0] != leaky[1]).any()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--recipes", "nope"], 2, "invalid choice: 'nope'"),
        (["--out", "no/such/folder.csv"], 1, "no such directory for --out"),
        (["--out", "results"], 1, "results: --out is a directory"),
        (["--recipes", "one-row"], 2, "--recipes needs --out: results"),
    ],
)
def test_a_bad_argument_gets_one_clear_line(capsys, arguments, code, says):
    try:
        found = main(arguments)
    except SystemExit as error:
        found = error.code
    assert found == code
    assert says in capsys.readouterr().err.splitlines()[-1]
