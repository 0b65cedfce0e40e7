"""Published recipes for LSTMs on stock prices: their facts, no code of theirs.

Each was read from the file named, and is rebuilt from these facts by
``rebuilt``. They were chosen for how often they are copied.
"""

from dataclasses import dataclass

from forecasting.market.prices import COLUMNS


@dataclass(frozen=True)
class Recipe:
    """What a recipe reads, builds, trains, tests on, and reports.

    ``repository``, ``file``, ``licence``: where the facts are from;
    ``claim``: what it reports; ``flaw``: what its number hides.

    ``ticker``: the stock of the snapshot most like its data, ``rows`` of them
    its last (None: all); ``inputs``, ``target``: columns, of which Mid is the
    mean of high and low and Mean that of open, high, low and close.
    ``scaling``: "minmax" and "zscore" of rows (all of them if ``leak``, else
    those trained on; in parts of ``chunk`` rows, if that is not None),
    "start" divides each window by its first row, "change" takes relative
    changes; both subtract one. ``smooth``, ``smooth_forecast``: weight of the
    newest in an exponential mean of the training rows, of forecasts that
    follow each other.

    ``layers``: (name of a Keras layer, its size or rate, activation);
    ``optimizer``: name of a Keras optimiser, its options but for the rate;
    ``decay``: (n, f), the rate times f after every n epochs; ``epochs`` as
    published, ``run`` here.

    ``split``: share of rows trained on, a random share if ``shuffled``;
    ``ahead``: sessions to the target; ``steps``: how many forecasts follow
    each other, each reading those before; ``metric`` and ``rule``: its score
    and the trivial rule beside it, as ``replays`` calls them; ``backwards``:
    whether its rows run from the newest to the oldest.
    """

    name: str
    repository: str
    file: str
    licence: str
    claim: str
    flaw: str
    ticker: str
    scaling: str
    lookback: int
    layers: tuple[tuple, ...]
    optimizer: tuple[str, dict]
    rate: float
    batch: int
    epochs: int
    run: int
    split: float
    metric: str
    rows: int | None = None
    inputs: tuple[str, ...] = ("Close",)
    target: str = "Close"
    leak: bool = True
    chunk: int | None = None
    smooth: float = 1.0
    smooth_forecast: float = 1.0
    decay: tuple[int, float] | None = None
    loss: str = "mse"
    shuffled: bool = False
    ahead: int = 1
    steps: int = 1
    rule: str = "as today"
    backwards: bool = False


def stack(units: tuple[int, ...], dropout: float) -> tuple[tuple, ...]:
    """Layers: LSTMs of these units, a dropout after each."""
    return tuple(
        layer for n in units for layer in (("LSTM", n), ("Dropout", dropout))
    )


RECIPES = [
    Recipe(
        name="forecast-30",
        repository="huseinzol05/Stock-Prediction-Models",
        file="deep-learning/1.lstm.ipynb",
        licence="Apache-2.0",
        claim="accuracy 95.69 %",
        flaw="accuracy that a line reaches",
        ticker="GOOG",
        rows=252,
        scaling="minmax",
        lookback=5,
        layers=stack((128,), 0.2),
        optimizer=("Adam", {}),
        rate=0.01,
        batch=5,
        epochs=300,
        run=300,
        split=222 / 252,
        steps=30,
        smooth_forecast=0.7,
        metric="accuracy, %",
        rule="straight line",
    ),
    Recipe(
        name="stacked-100",
        repository="krishnaik06/Stock-MArket-Forecasting",
        file="Untitled.ipynb",
        licence="none",
        claim="RMSE 140.99 training, 235.72 test",
        flaw="targets of RMSE stay scaled",
        ticker="AAPL",
        rows=1258,
        scaling="minmax",
        lookback=100,
        layers=(("LSTM", 50),) * 3,
        optimizer=("Adam", {}),
        rate=1e-3,
        batch=64,
        epochs=100,
        run=100,
        split=0.65,
        metric="RMSE against scaled targets",
    ),
    Recipe(
        name="kaggle-60",
        repository="faressayah, Kaggle",
        file="Stock Market Analysis + Prediction using LSTM",
        licence="unknown",
        claim="RMSE in dollars",
        flaw="no baseline beside its error",
        ticker="AAPL",
        scaling="minmax",
        lookback=60,
        layers=(("LSTM", 128), ("LSTM", 64), ("Dense", 25)),
        optimizer=("Adam", {}),
        rate=1e-3,
        batch=1,
        epochs=1,
        run=1,
        split=0.95,
        metric="RMSE, dollars",
    ),
    Recipe(
        name="three-layers",
        repository="NeuralNine, video",
        file="copied in many repositories",
        licence="unknown",
        claim="a plot",
        flaw="no number and no baseline",
        ticker="GOOG",
        scaling="minmax",
        leak=False,
        lookback=60,
        layers=stack((50, 50, 50), 0.2),
        optimizer=("Adam", {}),
        rate=1e-3,
        batch=32,
        epochs=25,
        run=25,
        split=0.88,
        metric="RMSE, dollars",
    ),
    Recipe(
        name="mid-price",
        repository="thushv89/datacamp_tutorials",
        file="Reviewed/lstm_stock_market_prediction.ipynb",
        licence="none",
        claim="half MSE 0.0024",
        flaw="baseline of another, easier task",
        ticker="IBM",
        inputs=("Mid",),
        target="Mid",
        scaling="minmax",
        leak=False,
        chunk=2500,
        smooth=0.1,
        lookback=50,
        layers=stack((200, 200, 150), 0.2),
        optimizer=("Adam", {}),
        rate=1e-4,
        batch=500,
        epochs=30,
        run=30,
        split=0.88,
        steps=50,
        metric="half MSE, scaled",
    ),
    Recipe(
        name="two-weeks",
        repository="x4nth055/pythoncode-tutorials",
        file="machine-learning/stock-prediction",
        licence="MIT",
        claim="accuracy of the direction",
        flaw="random split, majority not shown",
        ticker="AAPL",
        inputs=("Close", "Volume", "Open", "High", "Low"),
        scaling="minmax",
        lookback=50,
        layers=stack((256, 256), 0.4),
        optimizer=("Adam", {}),
        rate=1e-3,
        loss="huber",
        batch=64,
        epochs=500,
        run=8,
        split=0.8,
        shuffled=True,
        ahead=15,
        metric="directions right, %",
        rule="always up",
    ),
    Recipe(
        name="sequences",
        repository="jaungiers/LSTM-Neural-Network-for-Time-Series-Prediction",
        file="config.json, core/",
        licence="AGPL-3.0",
        claim="plots",
        flaw="forecast close becomes volume, too",
        ticker="IBM",
        inputs=("Close", "Volume"),
        scaling="start",
        lookback=49,
        layers=(
            ("LSTM", 100),
            ("Dropout", 0.2),
            ("LSTM", 100),
            ("LSTM", 100),
            ("Dropout", 0.2),
        ),
        optimizer=("Adam", {}),
        rate=1e-3,
        batch=32,
        epochs=2,
        run=2,
        split=0.85,
        steps=50,
        metric="RMSE, scaled",
    ),
    Recipe(
        name="easy-demo",
        repository="llSourcell/How-to-Predict-Stock-Prices-Easily-Demo",
        file="lstm.py",
        licence="none",
        claim="a plot",
        flaw="no number and no baseline",
        ticker="IBM",
        scaling="start",
        lookback=50,
        layers=stack((50, 100), 0.2),
        optimizer=("RMSprop", {}),
        rate=1e-3,
        batch=512,
        epochs=1,
        run=1,
        split=0.9,
        steps=50,
        metric="RMSE, scaled",
    ),
    Recipe(
        name="changes",
        repository="lilianweng/stock-rnn",
        file="data_model.py, main.py",
        licence="none",
        claim="MSE",
        flaw="no baseline beside its error",
        ticker="IBM",
        scaling="change",
        lookback=30,
        layers=stack((128,), 0.2),
        optimizer=("RMSprop", {}),
        rate=1e-3,
        decay=(1, 0.99),
        batch=64,
        epochs=50,
        run=50,
        split=0.95,
        metric="MSE, scaled",
    ),
    Recipe(
        name="pytorch-20",
        repository="jinglescode/time-series-forecasting-pytorch",
        file="project.py",
        licence="Apache-2.0",
        claim="loss",
        flaw="forecast follows a day late",
        ticker="IBM",
        scaling="zscore",
        lookback=20,
        layers=(("Dense", 32, "relu"), *stack((32, 32), 0.2)),
        optimizer=("Adam", {}),
        rate=0.01,
        decay=(40, 0.1),
        batch=64,
        epochs=100,
        run=100,
        split=0.8,
        metric="MSE, scaled",
    ),
    Recipe(
        name="next-open",
        repository="yacoubb/stock-trading-ml",
        file="util.py, basic_model.py, trading_algo.py",
        licence="GPL-3.0",
        claim="MSE over range",
        flaw="trades before its own forecast",
        ticker="MSFT",
        inputs=tuple(COLUMNS),
        target="Open",
        scaling="minmax",
        lookback=50,
        layers=(("LSTM", 50), ("Dropout", 0.2), ("Dense", 64, "sigmoid")),
        optimizer=("Adam", {}),
        rate=5e-4,
        batch=32,
        epochs=50,
        run=50,
        split=0.9,
        metric="MSE over range, %",
        rule="today's close",
    ),
    Recipe(
        name="one-row",
        repository="NourozR/Stock-Price-Prediction-LSTM",
        file="StockPricePrediction.py",
        licence="none",
        claim="RMSE 1.24 training, 1.37 test",
        flaw="rows run backwards in time",
        ticker="AAPL",
        rows=1664,
        backwards=True,
        inputs=("Mean",),
        target="Mean",
        scaling="minmax",
        lookback=1,
        layers=(("LSTM", 32), ("LSTM", 16)),
        optimizer=("Adagrad", {"initial_accumulator_value": 0.0}),
        rate=0.01,
        batch=1,
        epochs=5,
        run=5,
        split=0.75,
        metric="RMSE, dollars",
    ),
]
BY_NAME = {recipe.name: recipe for recipe in RECIPES}
