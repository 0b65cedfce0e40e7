"""The networks learn what is asked, from the training rows, repeatably."""

import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import simulate
from scipy import stats

from forecasting import lstm, networks
from forecasting.baselines import GARCH
from forecasting.lstm import LSTMForecaster
from forecasting.market.prices import PriceError
from forecasting.settings import STUDY, Settings
from forecasting.textbook import TextbookLSTM
from forecasting.windows import validation_dates

TESTS = Path(__file__).resolve().parent
HISTORY = simulate.garch_walk(700, seed=8)
LEARNT = 478  # what a fold leaves of 750 rows, so all share a compilation
ORIGINS = np.arange(LEARNT, 568)
BRIEF = Settings(epochs=2)  # enough for these properties


def digest(forecast):
    """One hash of every bit of a forecast."""
    parts = (forecast.loc, forecast.scale, forecast.df)
    return hashlib.sha256(b"".join(p.tobytes() for p in parts)).hexdigest()


def forecast(seed, bidirectional=False):
    model = LSTMForecaster(bidirectional, seed, BRIEF).fit(
        {"S": HISTORY[:LEARNT]}
    )
    return model.predict(HISTORY, ORIGINS)


@pytest.fixture(scope="module")
def model():
    return LSTMForecaster(seed=3, settings=BRIEF).fit({"S": HISTORY[:LEARNT]})


def test_a_seed_always_trains_the_same_network(model):
    """Whatever was trained in between; another seed trains another."""
    first = digest(model.predict(HISTORY, ORIGINS))
    assert digest(forecast(seed=4)) != first
    assert digest(forecast(seed=3)) == first


def test_another_process_trains_the_same_network(model):
    code = "import test_lstm as t; print(t.digest(t.forecast(seed=3)))"
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=TESTS,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == digest(model.predict(HISTORY, ORIGINS))


def test_threads_of_one_process_train_as_if_alone(model):
    """They share a compiled network, as threads of a Dask worker would."""
    past = {"S": HISTORY[:LEARNT]}
    alone = [forecast(seed) for seed in range(4)]

    def fit_predict(seed):
        model = LSTMForecaster(seed=seed, settings=BRIEF).fit(past)
        return model.predict(HISTORY, ORIGINS)

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(fit_predict, range(4)))
    assert [*map(digest, together)] == [*map(digest, alone)]


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
        row = origin - 300
        np.testing.assert_array_equal(alone.loc[0], among.loc[row])
        np.testing.assert_array_equal(alone.scale[0], among.scale[row])


def test_the_order_of_tickers_does_not_matter():
    other = simulate.ar1_walk(340, seed=9)
    histories = {"A": HISTORY[:340], "B": other}
    first = LSTMForecaster(settings=BRIEF).fit(histories)
    second = LSTMForecaster(settings=BRIEF).fit(
        dict(reversed(histories.items()))
    )
    for a, b in zip(first.weights, second.weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_untrained_network_repeats_garch(model):
    """Its output is zero; only the mean is trusted less."""
    untrained = LSTMForecaster(settings=BRIEF)
    untrained.fit_end, untrained.scaler = model.fit_end, model.scaler
    untrained.trust = np.ones(STUDY.horizons)
    untrained.weights = model.network.build().get_weights()
    mine = untrained.predict(HISTORY, ORIGINS)
    garch = GARCH().fit({"S": HISTORY[:LEARNT]}).predict(HISTORY, ORIGINS)
    np.testing.assert_allclose(mine.scale, garch.scale)
    np.testing.assert_allclose(mine.df, garch.df)
    assert (np.abs(mine.loc) <= np.abs(garch.loc)).all()
    assert (mine.loc * garch.loc >= 0).all()


def test_scalers_saw_the_training_rows_only():
    """The moments of the rows up to the training end, not one row more."""
    train_end, _ = validation_dates(HISTORY.index[:LEARNT])
    past = HISTORY.loc[:train_end]
    close = (
        TextbookLSTM("close", settings=BRIEF)
        .fit({"S": HISTORY[:LEARNT]})
        .scaler
    )
    assert close.data_min_ == past["Close"].min()
    assert close.data_max_ == past["Close"].max()
    pooled = LSTMForecaster(settings=BRIEF).fit({"S": HISTORY[:LEARNT]}).scaler
    base = (
        GARCH().fit({"S": past}).predict(HISTORY[:LEARNT], np.arange(LEARNT))
    )
    read = lstm.features(HISTORY[:LEARNT], base.scale[:, 0])
    ends = [
        t for t in range(STUDY.first, LEARNT) if t + STUDY.horizons < len(past)
    ]
    np.testing.assert_allclose(pooled.mean_, read[ends].mean(axis=0))
    np.testing.assert_allclose(pooled.scale_, read[ends].std(axis=0))


def test_batches_pair_each_window_with_its_own_target():
    rows = np.arange(400.0)[:, None]
    targets = 1000 + rows
    origins = np.arange(STUDY.first, 395)
    batches = networks.batches(
        rows, targets, origins, STUDY.lookback, 64, shuffle=1
    )
    epochs = []
    for _ in range(2):
        seen = []
        for windows, ahead in batches:
            assert windows.shape == (64, STUDY.lookback, 1)
            for window, target in zip(
                windows.numpy(), ahead.numpy(), strict=True
            ):
                end = int(target[0]) - 1000
                expected = np.arange(end - STUDY.lookback + 1, end + 1)
                np.testing.assert_array_equal(window[:, 0], expected)
                seen.append(end)
        assert len(set(seen)) == len(seen) == len(origins) // 64 * 64
        assert set(seen) <= set(origins.tolist())
        epochs.append(seen)
    assert sorted(epochs[0]) == sorted(epochs[1])
    assert len({tuple(seen) for seen in [*epochs, sorted(epochs[0])]}) == 3


def test_fewer_windows_than_a_batch_are_one_batch():
    rows = np.arange(100.0)[:, None]
    (batch,) = networks.batches(
        rows, rows, np.arange(80, 90), STUDY.lookback, 64
    )
    np.testing.assert_array_equal(batch[1][:, 0], np.arange(80, 90))


def test_the_loss_is_two_likelihoods_of_scipy():
    """Student-t for the return, a Gaussian of the ranged variance: up to
    constants, so differences of losses are compared."""
    rng = np.random.default_rng(0)
    shape = (7, STUDY.horizons)
    moved, loc = rng.normal(size=shape), rng.normal(0, 0.2, shape)
    ranged, df = rng.uniform(0.1, 3, shape), rng.uniform(2.5, 30, shape)
    log_scale = rng.normal(0, 0.3, shape)

    def cost(loc, log_scale):
        scale = np.exp(log_scale)
        student_t = stats.t(df, loc, scale).logpdf(moved)
        gaussian = stats.norm(0, scale).logpdf(np.sqrt(ranged))
        price = lstm.STUBBORNNESS * loc**2
        return (price - student_t - gaussian).mean(axis=1)

    def loss(*output):
        truth = np.hstack([moved, ranged, df])
        return lstm.correction_loss(truth, np.hstack(output)).numpy()

    zero = np.zeros(shape)
    expected = cost(loc, log_scale) - cost(zero, zero)
    got = loss(loc, log_scale) - loss(zero, zero)
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_ranges_are_learnt_as_one_on_average():
    """Whatever their bias against close-to-close variance."""
    base = GARCH().fit({"S": HISTORY}).predict(HISTORY, np.arange(690))
    learnt = np.arange(STUDY.first, 600)
    wide = HISTORY.assign(High=HISTORY["High"] * 1.01)
    for history in (HISTORY, wide, HISTORY * 0 + 25.0):
        targets = LSTMForecaster()._targets(history[:690], base, learnt)
        ranged = np.split(targets, 3, axis=1)[1]
        np.testing.assert_allclose(ranged[learnt].mean(axis=0), 1)


def test_trust_finds_the_slope_and_gives_noise_nothing():
    rng = np.random.default_rng(0)
    called = rng.normal(0, 0.1, (2000, STUDY.horizons))
    noise = rng.normal(size=(2000, STUDY.horizons))
    dates = np.arange(2000)
    assert (lstm.trust(called, noise, dates) == 0).mean() > 0.95
    assert (lstm.trust(called, noise - 3 * called, dates) == 0).all()
    followed = lstm.trust(called, 0.1 * noise + 3 * called, dates)
    np.testing.assert_allclose(followed, 3, rtol=0.05)
    assert (lstm.trust(0 * called, noise, dates) == 0).all()
    assert (lstm.trust(called, 3 * called, np.zeros(2000)) == 0).all()


def test_trust_counts_stocks_that_move_together_once():
    """Twenty copies of one stock's half year prove no more than it does."""
    rng = np.random.default_rng(1)
    dates = np.tile(np.arange(130), 20)
    shape = (200, 130 + STUDY.horizons, 1)
    steps = rng.normal(size=shape).cumsum(axis=1)
    trusted = 0
    for walk in steps:
        called = np.full(
            (130, STUDY.horizons), 0.1
        )  # always up, as in a bubble
        moved = np.column_stack(
            [
                (walk[h : 130 + h] - walk[:130]) / h**0.5
                for h in range(1, STUDY.horizons + 1)
            ]
        )
        copies = np.tile(called, (20, 1)), np.tile(moved, (20, 1))
        trusted += (lstm.trust(*copies, dates) > 0).any()
    assert trusted / len(steps) < 0.02


def test_too_few_rows_to_learn_from_are_refused():
    with pytest.raises(PriceError, match="S: 200 rows are too few"):
        LSTMForecaster(settings=BRIEF).fit({"S": HISTORY[:200]})


def test_an_unknown_target_is_refused():
    with pytest.raises(ValueError, match="close or return, not 'price'"):
        TextbookLSTM("price")


@pytest.mark.parametrize("target", ["close", "return"])
def test_the_textbook_forecast_is_in_log_return(target):
    """Its point forecast, as a close, is what its network put out."""
    model = TextbookLSTM(target, settings=BRIEF).fit({"S": HISTORY[:LEARNT]})
    forecast = model.predict(HISTORY, ORIGINS)
    closes = pd.Series(np.log(HISTORY["Close"].to_numpy()))
    level = model._values(HISTORY)
    scaled = model.scaler.transform(level)
    output = model.network.run(model.weights, scaled, ORIGINS)
    for k in (0, 40, 89):
        path = model.scaler.inverse_transform(output[k][:, None])[:, 0]
        if target == "close":
            expected = np.log(path) - closes[ORIGINS[k]]
        else:
            expected = [sum(path[: h + 1]) for h in range(STUDY.horizons)]
        np.testing.assert_allclose(forecast.loc[k], expected, atol=1e-9)
