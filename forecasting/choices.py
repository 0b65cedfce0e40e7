"""How the settings were chosen: ``python -m forecasting.choices``.

Prints the two tables of results/README.md that no verdict holds: what other
settings score before the first test fold, and what the models score on prices
and years that no choice of the study has seen.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
from arch.data import nasdaq, sp500

from forecasting.evaluation.verdict import COVERS, POOLED
from forecasting.evaluation.walk_forward import walk_forward
from forecasting.market.prices import DATA, load_directory
from forecasting.models.base import Forecaster
from forecasting.models.lstm import LSTMForecaster
from forecasting.models.registry import make_model
from forecasting.models.regressions import Linear
from forecasting.pages.tables import in_words
from forecasting.settings import STUDY
from forecasting.windows import fold_dates

FOLDS = 4
VOLUME, EARNINGS = [5, 11], [-3, -2, -1]  # columns of features.inputs


class Blind(Linear):
    """The regression without some of its inputs."""

    def __init__(self, hidden: list[int]) -> None:
        super().__init__()
        self.hidden, self.READS = hidden, Linear.READS - len(hidden)

    def _read(self, prices: pd.DataFrame) -> np.ndarray:
        return np.delete(super()._read(prices), self.hidden, axis=1)


def lstm(**changes) -> LSTMForecaster:
    """The LSTM with other settings than the study's."""
    return LSTMForecaster(settings=replace(STUDY, **changes))


def settings(seeds: int = 3) -> None:
    """Print what other settings score before the first test fold."""
    rate = 4 * STUDY.learning_rate
    models = {
        "Linear": Linear(),
        "GARCH": make_model("GARCH"),
        "HAR": make_model("HAR"),
        "Linear, premium 0": Linear(replace(STUDY, premium=0.0)),
        "Linear, premium 10 %": Linear(replace(STUDY, premium=0.1)),
        "Linear, no volume": Blind(VOLUME),
        "Linear, no earnings clock": Blind(EARNINGS),
        "LSTM": lstm(),
        "BiLSTM": make_model("BiLSTM"),
        "LSTM, rate × 4": lstm(learning_rate=rate),
        "LSTM, a quarter of the units, rate × 4": lstm(
            units=STUDY.units // 4, learning_rate=rate
        ),
        "LSTM, lookback 20": lstm(lookback=20),
        "LSTM, lookback 130": lstm(lookback=130),
    }
    histories = load_directory(DATA / "snapshot")
    end = fold_dates(histories, FOLDS)[0].fit_end
    compare(models, {t: p.loc[:end] for t, p in histories.items()}, seeds)


def elsewhere(seeds: int = 5) -> None:
    """Print the models' scores on two indices, 1999 to 2018, of arch.

    With the tests, and what share of the closes the intervals held.
    """
    names = "RandomWalk", "EWMA", "GARCH", "HAR", "Linear", "LSTM", "BiLSTM"
    histories = {"NASDAQ": nasdaq.load(), "SP500": sp500.load()}
    models = {name: make_model(name) for name in names}
    summary = compare(models, histories, seeds)
    for name in ("LSTM", "BiLSTM"):
        print(*in_words(summary, POOLED, name), sep="\n")
        mine = (summary["ticker"] == POOLED) & (summary["model"] == name)
        print(summary[mine].set_index("horizon")[COVERS].round(3), "\n")


def compare(
    models: dict[str, Forecaster],
    histories: dict[str, pd.DataFrame],
    seeds: int,
) -> pd.DataFrame:
    """Print the pooled scores beside those of Linear; return the summary."""
    verdict = walk_forward(models, histories, FOLDS, range(seeds), jobs=-1)
    summary = verdict.summary
    pooled = summary[summary["ticker"] == POOLED].set_index("model")
    linear = pooled.loc["Linear", "crps"].to_numpy()
    kinds = ("CRPS", "Δ", "QLIKE")
    ahead = [f"{kind} {h}" for kind in kinds for h in STUDY.reported]
    print("| Model |", " | ".join(ahead), "|")
    print("| --- |", " | ".join(["---:"] * len(ahead)), "|")
    for name in models:
        mine = pooled.loc[name]
        cells = [f"{ratio:.3f}" for ratio in mine["crps_vs_rw"]]
        cells += [f"{gain:+.2%}" for gain in mine["crps"] / linear - 1]
        cells += [f"{loss:.3f}" for loss in mine["qlike"]]
        print(f"| {name} |", " | ".join(cells), "|")
    first, *_, last = fold_dates(histories, FOLDS)
    years = f"{first.test_start.date()} to {last.test_end.date()}"
    print(f"\nTest years {years}, {seeds} seeds.\n")
    return summary


if __name__ == "__main__":
    settings()
    elsewhere()
