"""What is shipped: it says no day before its training, and Keras agrees."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import simulate

from forecasting.market.prices import DATA, PriceError, read_csv
from forecasting.models import vintage
from forecasting.models.backend import keras
from forecasting.models.features import averages, inputs
from forecasting.models.registry import NETWORKS

ROOT = Path(__file__).resolve().parents[1]
POOLED = NETWORKS | {
    model.__name__: model
    for model in (vintage.PoolLinear, vintage.PoolAverages)
}
ENDS = ["2008-12-31", "2012-12-31", "2017-10-31"]
AAPL = read_csv(DATA / "snapshot" / "AAPL.csv")
WALK = simulate.garch_walk(2400, seed=1)  # 2010 to 2019


def test_three_vintages_are_shipped_with_their_cards():
    assert vintage.ends() == ENDS
    for end in ENDS:
        path = vintage.FOLDER / f"{end}.npz"
        content = path.read_bytes()
        assert len(content) <= 1e6
        card = json.loads(path.with_suffix(".json").read_text("utf-8"))
        assert card["sha256"] == hashlib.sha256(content).hexdigest()
        assert card["end"] == end
        assert card["stocks"] > 1000
        assert {"data", "list", "caveat", "command", "scores"} <= card.keys()
        assert vintage.load(end).end == pd.Timestamp(end)


@pytest.mark.parametrize("name", POOLED)
@pytest.mark.parametrize("end", ENDS)
def test_a_vintage_refuses_a_day_before_its_training_ended(name, end):
    model = POOLED[name](end=end).fit({"S": WALK})
    first = max(WALK.index.searchsorted(pd.Timestamp(end)), 61)
    assert model.predict(WALK, np.array([first])).loc.shape == (1, 20)
    for row in {max(first - 1, 61), (first + 61) // 2} - {first}:
        with pytest.raises(PriceError, match=f"learnt from rows up to {end}"):
            model.predict(WALK, np.array([row, len(WALK) - 1]))


@pytest.mark.parametrize("name", POOLED)
def test_the_newest_that_had_ended_forecasts(name):
    """Of several days the first decides."""
    model = POOLED[name]().fit({"S": WALK})
    for first, end in [
        ("2012-12-28", ENDS[0]),
        ("2012-12-31", ENDS[1]),
        ("2017-10-30", ENDS[1]),
        ("2017-10-31", ENDS[2]),
    ]:
        rows = np.array([WALK.index.get_loc(first), len(WALK) - 1])
        pinned = POOLED[name](end=end).fit({"S": WALK})
        np.testing.assert_array_equal(
            model.predict(WALK, rows).scale, pinned.predict(WALK, rows).scale
        )


def test_what_none_may_forecast_is_refused_in_one_line():
    model = vintage.LSTM().fit({"AAPL": AAPL})
    before = AAPL.index.searchsorted(pd.Timestamp(ENDS[0])) - 1
    for row, reason in [
        (before, f"no forecast from .* ends on {ENDS[0]}, after it"),
        (60, "61 sessions must come before it, but there are 60"),
    ]:
        with pytest.raises(PriceError, match=reason) as error:
            model.predict(AAPL, np.array([row]))
        assert "\n" not in str(error.value)
    with pytest.raises(PriceError, match="a vintage has 5 networks"):
        vintage.LSTM(seed=5).fit({"S": WALK}).predict(WALK, np.array([900]))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("end", ENDS)
def test_keras_says_the_same(name, end):
    """An independent LSTM with the shipped weights, in single precision."""
    kind = NETWORKS[name]
    arrays = vintage.load(end).arrays
    mine = {
        key.split(".")[1]: array
        for key, array in arrays.items()
        if key.startswith(f"{name}.")
    }
    rows = np.array([100, 1000, 2399])
    read = (inputs(WALK) - mine["mean"]) / mine["deviation"]
    windows = np.stack([read[r - kind.lookback + 1 : r + 1] for r in rows])
    said = []
    for k in range(5):
        network = keras.Sequential(
            [
                keras.Input(windows.shape[1:]),
                keras.layers.LSTM(len(mine["recurrent"][0])),
                keras.layers.Dense(20),
            ]
        )
        names = ("kernel", "recurrent", "bias", "dense", "shift")
        network.set_weights([mine[n][k] for n in names])
        said.append(np.asarray(network(windows.astype("float32"))))
    for seed, expected in [(None, np.mean(said, axis=0)), (3, said[3])]:
        model = kind(seed=seed).of(vintage.load(end))
        line = vintage.PoolAverages().of(vintage.load(end))
        added = model.log_variance(WALK, rows) - line.log_variance(WALK, rows)
        np.testing.assert_allclose(
            added / mine["unit"], expected, rtol=1e-4, atol=2e-5
        )


def test_the_averages_are_those_of_a_plain_loop():
    """numpy: weights (1/2)^(k/h) on what was k sessions ago."""
    read = inputs(WALK)[:300]
    found = averages(read).reshape(300, 9, -1)
    np.testing.assert_array_equal(found[:, 0], read)
    for k, half_life in enumerate([1, 2, 4, 8, 16, 32, 64, 128], 1):
        ago = np.arange(300)[::-1]
        weight = 0.5 ** (ago / half_life)
        expected = weight @ read / weight.sum()
        np.testing.assert_allclose(found[-1, k], expected, rtol=1e-9)


CODE = """
import sys, numpy as np
from forecasting.market.prices import read_csv
from forecasting.models.vintage import LSTM
history = read_csv(sys.argv[1])
said = LSTM().fit({"S": history}).predict(history, np.array([3000, 3269]))
print(*(part.tobytes().hex() for part in (said.loc, said.scale, said.df)))
print("tensorflow" in sys.modules)
"""


def test_forecasts_are_the_same_to_the_last_bit_in_another_process():
    """And they need no TensorFlow."""
    path = DATA / "snapshot" / "IBM.csv"
    told = {
        subprocess.run(
            [sys.executable, "-c", CODE, path],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(2)
    }
    (said,) = told
    assert said.endswith("False\n")


def test_a_damaged_file_is_said_in_one_line(tmp_path):
    for name in ("2008-12-31.npz", "2008-12-31.json"):
        content = (vintage.FOLDER / name).read_bytes()
        (tmp_path / name).write_bytes(content)
    assert vintage.load("2008-12-31", tmp_path).arrays
    (tmp_path / "2008-12-31.npz").write_bytes(content[:-1])
    vintage.load.cache_clear()
    with pytest.raises(PriceError, match="its card is of another file"):
        vintage.load("2008-12-31", tmp_path)


def test_what_is_unlike_the_pool_is_told_by_what_it_differs_in():
    card = vintage.load(ENDS[2]).card
    assert vintage.unlike("AAPL", AAPL, card) == ""
    days = pd.date_range("2010-01-01", periods=len(WALK))
    calm = WALK.copy()
    calm[["Open", "High", "Low", "Close"]] **= 0.05
    for history, said in [
        (WALK.set_axis(days), "a coin"),
        (WALK.assign(Volume=0.0), "no share"),
        (calm, "volatility 0.0"),
    ]:
        line = vintage.unlike("X", history, card)
        assert line.startswith("X is unlike the stocks learnt from: ")
        assert said in line and "\n" not in line
