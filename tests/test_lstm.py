"""The networks learn what is asked, from the training rows, repeatably."""

import copy
import hashlib
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import simulate

from forecasting.market.prices import PriceError
from forecasting.models import networks
from forecasting.models.features import inputs
from forecasting.models.lstm import LSTMForecaster
from forecasting.models.networks import Network
from forecasting.models.regressions import Linear, log_variance_ahead
from forecasting.models.textbook import TextbookLSTM
from forecasting.settings import STUDY, Settings
from forecasting.windows import learning_rows, validation_dates

TESTS = Path(__file__).resolve().parent
HISTORY = simulate.garch_walk(700, seed=8)
LEARNT = 478  # what a fold leaves of 750 rows, so all share a compilation
PAST = {"S": HISTORY[:LEARNT]}
ORIGINS = np.arange(LEARNT, 568)
BRIEF = Settings(epochs=2)  # enough for these properties


def digest(forecast):
    """One hash of every bit of a forecast."""
    parts = (forecast.loc, forecast.scale, forecast.df)
    return hashlib.sha256(b"".join(p.tobytes() for p in parts)).hexdigest()


def fit(seed=0):
    return LSTMForecaster(seed=seed, settings=BRIEF).fit(PAST)


def forecast(seed):
    return fit(seed).predict(HISTORY, ORIGINS)


@pytest.fixture(scope="module")
def model():
    return fit(seed=3)


def test_a_seed_always_trains_the_same_network(model):
    """Whatever was trained in between; another seed trains another."""
    first = digest(model.predict(HISTORY, ORIGINS))
    assert digest(forecast(seed=4)) != first
    assert digest(forecast(seed=3)) == first


def test_training_leaves_the_generators_of_the_caller_alone():
    """Python's and NumPy's; a network not yet compiled draws weights twice."""
    draws, rows = [], np.random.default_rng(0).normal(size=(100, 2))
    network = Network(replace(BRIEF, lookback=3, units=2), 2, 2, False)
    for train in (lambda *_: None, network.train):
        random.seed(1)
        np.random.seed(1)
        train(rows, rows, np.arange(4, 60), np.arange(60, 100), 0)
        draws.append((random.random(), np.random.random()))
    assert draws[0] == draws[1]


def test_another_process_trains_the_same_network(model):
    code = "import test_lstm as t; print(t.digest(t.forecast(seed=3)))"
    found = subprocess.check_output(
        [sys.executable, "-c", code], cwd=TESTS, text=True
    )
    assert found.strip() == digest(model.predict(HISTORY, ORIGINS))


def test_threads_of_one_process_train_as_if_alone():
    """They share a compiled network, as threads of a Dask worker would."""
    alone = [digest(forecast(seed)) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert [*map(digest, pool.map(forecast, range(4)))] == alone


def test_a_row_without_a_whole_window_before_it_is_refused(model):
    for row in (0, 12, STUDY.first - 1):
        with pytest.raises(PriceError, match=f"row {row}: the first whole"):
            model.predict(HISTORY, np.array([row, 500]))


@pytest.mark.parametrize("changed", [{"lookback": 10}, {"units": 3}])
def test_a_setting_reaches_the_network(changed):
    """And a model of other settings may stand beside the first."""
    other, known = (
        LSTMForecaster(settings=settings).network.build()
        for settings in (replace(BRIEF, **changed), BRIEF)
    )
    window = other.input_shape != known.input_shape
    size = other.count_params() != known.count_params()
    assert (window, size) == ("lookback" in changed, "units" in changed)


def test_forecasts_do_not_depend_on_the_other_origins(model):
    """One origin alone, or among more than a batch: the same bits."""
    many = np.arange(300, 690)
    among = model.predict(HISTORY, many)
    for origin in (300, 555, 689):
        alone = model.predict(HISTORY, np.array([origin]))
        for part in ("loc", "scale"):
            found = getattr(alone, part)[0]
            expected = getattr(among, part)[origin - 300]
            np.testing.assert_array_equal(found, expected)


def test_the_order_of_tickers_does_not_matter():
    pairs = [("A", HISTORY[:340]), ("B", simulate.ar1_walk(340, seed=9))]
    first, second = (
        LSTMForecaster(settings=BRIEF).fit(dict(histories)).weights
        for histories in (pairs, pairs[::-1])
    )
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_untrained_network_repeats_linear(model):
    """Its output is zero."""
    untrained = copy.copy(model)
    untrained.weights = model.network.build().get_weights()
    found, trained, linear = (
        each.log_variance(HISTORY, ORIGINS)
        for each in (untrained, model, Linear().fit(PAST))
    )
    np.testing.assert_allclose(found, linear)
    assert not np.allclose(trained, linear)


def test_scalers_saw_the_training_rows_only(model):
    """The moments of the rows up to the training end, not one row more."""
    train_end, _ = validation_dates(PAST["S"].index)
    past = HISTORY.loc[:train_end]
    close = TextbookLSTM("close", settings=BRIEF).fit(PAST).scaler
    assert close.data_min_ == past["Close"].min()
    assert close.data_max_ == past["Close"].max()
    read = inputs(PAST["S"])[STUDY.first : len(past) - STUDY.horizons]
    scaler = model.scaler
    np.testing.assert_allclose(scaler.mean_, read.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(scaler.scale_, read.std(axis=0), rtol=1e-5)


def test_batches_pair_each_window_with_its_own_target():
    rows = np.arange(400.0)[:, None]
    targets = 1000 + rows
    origins = np.arange(STUDY.first, 395)
    batches = networks.batches(
        rows, targets, origins, STUDY.lookback, 64, STUDY.most, shuffle=1
    )
    epochs = []
    for _ in range(2):
        seen = []
        for windows, ahead in batches:
            assert windows.shape == (64, STUDY.lookback, 1)
            ends = ahead.numpy()[:, 0].astype(int) - 1000
            for window, end in zip(windows.numpy(), ends, strict=True):
                expected = np.arange(end - STUDY.lookback + 1, end + 1)
                np.testing.assert_array_equal(window[:, 0], expected)
            seen += ends.tolist()
        assert len(set(seen)) == len(seen) == len(origins) // 64 * 64
        assert set(seen) <= set(origins.tolist())
        epochs.append(seen)
    assert sorted(epochs[0]) == sorted(epochs[1])
    assert len({tuple(seen) for seen in [*epochs, sorted(epochs[0])]}) == 3


def served(windows, most, epochs, shuffle):
    """Ends of the windows in each of some epochs, in batches of 8."""
    rows = np.arange(windows + 4.0)[:, None]
    data = networks.batches(
        rows, rows, np.arange(4, windows + 4), 4, 8, most, shuffle
    )
    return [
        np.concatenate([ends.numpy()[:, 0] for _, ends in data])
        for _ in range(epochs)
    ]


def test_of_a_large_pool_every_epoch_draws_other_windows():
    """None twice in an epoch, every one as often in the long run."""
    epochs = served(windows=80, most=3, epochs=400, shuffle=7)
    assert {len(np.unique(ends)) for ends in epochs} == {24}
    assert len({tuple(sorted(ends)) for ends in epochs}) == 400
    ends, times = np.unique(np.concatenate(epochs), return_counts=True)
    np.testing.assert_array_equal(ends, np.arange(4, 84))
    # 400 draws of 24 in 80: 120 times, give or take 9 (binomial).
    assert np.abs(times - 120).max() < 5 * 9
    assert 0.5 < times.std() / np.sqrt(400 * 0.3 * 0.7) < 1.5


def test_a_sample_is_drawn_again_from_its_seed():
    ours = served(80, 3, 5, shuffle=7)
    np.testing.assert_array_equal(ours, served(80, 3, 5, shuffle=7))
    assert not np.array_equal(ours, served(80, 3, 5, shuffle=8))


def test_a_large_validation_is_always_the_same_windows_evenly_spread():
    first, second = served(windows=800, most=3, epochs=2, shuffle=None)
    np.testing.assert_array_equal(first, second)
    assert len(first) == 24
    np.testing.assert_allclose(np.diff(first), 800 / 24, atol=2)


def test_a_pool_that_fits_into_an_epoch_is_learnt_as_if_no_limit_were():
    rows = np.random.default_rng(0).normal(size=(400, 2))
    ends = np.arange(STUDY.first, 400)
    trained = [
        Network(Settings(epochs=2, batch=32, most=most), 2, 2, False).train(
            rows, rows, ends[:250], ends[250:], seed=1
        )
        for most in (31, 10**6)
    ]
    for ours, theirs in zip(*trained, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    "model, whole, rate",
    [
        *[(LSTMForecaster(), n, 5e-5) for n in (1, 256)],
        *[(LSTMForecaster(), n, r) for n, r in [(512, 1e-4), (10**6, 3e-3)]],
        # One stock has no century of sessions: every epoch serves them all.
        (TextbookLSTM("close"), STUDY.most, 1e-3),
    ],
)
def test_steps_of_a_sample_are_as_much_longer(model, whole, rate):
    assert model.network.rate(whole) == rate


@pytest.mark.parametrize("most, first", [(2, 62 / 2 * 5e-5), (10**6, 5e-5)])
def test_longer_steps_get_shorter_where_the_loss_stays(most, first):
    """Halved after two epochs without a lower one, where they were longer."""
    rows, noise = np.random.default_rng(0).normal(size=(2, 400, 2))
    ends = np.arange(STUDY.first, 400)
    rates, losses = [], []

    class Seen(networks.keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            rates.append(float(self.model.optimizer.learning_rate))
            losses.append(logs["val_loss"])

    settings = Settings(epochs=30, patience=30, batch=4, steps=1, most=most)
    Network(settings, 2, 2, False).train(
        rows, noise, ends[:250], ends[250:], seed=1, callbacks=[Seen()]
    )
    expected, rate, best, flat = [], first, np.inf, 0
    for loss in losses:
        expected.append(rate)  # read before the rate is changed
        if loss < best - 1e-4:
            best, flat = loss, 0
        else:
            flat += 1
        if flat == 2 and most < 10**6:
            rate, flat = max(rate / 2, 5e-5), 0
    assert rates == pytest.approx(expected, rel=1e-6)
    assert (rates[-1] < first / 1.5) == (most < 10**6)


def test_fewer_windows_than_a_batch_are_one_batch():
    rows = np.arange(100.0)[:, None]
    (batch,) = networks.batches(
        rows, rows, np.arange(80, 90), STUDY.lookback, 64, STUDY.most
    )
    np.testing.assert_array_equal(batch[1][:, 0], np.arange(80, 90))


def test_a_network_learns_what_linear_leaves():
    """Of the training rows, in standard deviations, crashes cut off."""
    given = {}

    class Watched(Network):
        def train(self, rows, targets, training, validation, seed):
            given.update(targets=np.asarray(targets), rows=training)
            return self.build().get_weights()

    model = LSTMForecaster()
    model.network = Watched(*model.network)
    model.fit({"S": HISTORY})
    (learning,) = learning_rows({"S": HISTORY}).values()
    linear = Linear().fit({"S": HISTORY[: learning.past]})
    every = np.arange(len(HISTORY))
    missed = log_variance_ahead(HISTORY, STUDY.horizons)
    missed -= linear.log_variance(HISTORY, every)
    unit = missed[learning.training].std(axis=0)
    np.testing.assert_array_equal(given["rows"], learning.training)
    np.testing.assert_allclose(
        given["targets"][learning.training],
        np.clip(missed / unit, -4, 4)[learning.training],
        rtol=1e-4,
        atol=1e-5,
    )


def test_what_cannot_be_learnt_is_refused():
    with pytest.raises(PriceError, match="S: 200 rows are too few"):
        LSTMForecaster(settings=BRIEF).fit({"S": HISTORY[:200]})
    with pytest.raises(ValueError, match="close or return, not 'price'"):
        TextbookLSTM("price")


@pytest.mark.parametrize("target", ["close", "return"])
def test_the_textbook_forecast_is_in_log_return(target):
    """Its point forecast, as a close, is what its network put out."""
    model = TextbookLSTM(target, settings=BRIEF).fit(PAST)
    forecast = model.predict(HISTORY, ORIGINS)
    closes = np.log(HISTORY["Close"].to_numpy())
    scaled = model.scaler.transform(model._values(HISTORY))
    output = model.network.run(model.weights, scaled, ORIGINS)
    for k in (0, 40, 89):
        path = model.scaler.inverse_transform(output[k][:, None])[:, 0]
        if target == "close":
            expected = np.log(path) - closes[ORIGINS[k]]
        else:
            expected = [sum(path[: h + 1]) for h in range(STUDY.horizons)]
        np.testing.assert_allclose(forecast.loc[k], expected, atol=1e-9)
