"""What other settings score before the first test fold.

Prints the scores of a walk-forward over four years of data/snapshot, all of
them before the first test fold: what the study's settings were chosen by.
"""

from dataclasses import replace

import numpy as np
from runner import table

from forecasting.evaluation.verdict import POOLED
from forecasting.evaluation.walk_forward import walk_forward
from forecasting.market.prices import DATA, load_directory
from forecasting.models.baselines import GARCH
from forecasting.models.lstm import LSTMForecaster
from forecasting.models.regressions import HAR, Linear
from forecasting.settings import STUDY
from forecasting.windows import fold_dates

FOLDS, SEEDS = 4, 3


def lstm(bidirectional=False, **changes):
    """A network of other settings than the study's."""
    return LSTMForecaster(bidirectional, settings=replace(STUDY, **changes))


class Blind(Linear):
    """The regression without some of its inputs."""

    def __init__(self, hidden):
        super().__init__()
        self.hidden = hidden

    def _read(self, prices):
        return np.delete(super()._read(prices), self.hidden, axis=1)


MODELS = {
    "Linear": Linear(),
    "GARCH": GARCH(),
    "HAR": HAR(),
    "Linear, premium 0": Linear(replace(STUDY, premium=0.0)),
    "Linear, premium 10 %": Linear(replace(STUDY, premium=0.1)),
    "Linear, no volume": Blind([5, 11]),
    "Linear, no earnings clock": Blind([-3, -2, -1]),
    "LSTM": lstm(),
    "BiLSTM": lstm(bidirectional=True),
    "LSTM, rate × 4": lstm(learning_rate=4 * STUDY.learning_rate),
    "LSTM, a quarter of the units, rate × 4": lstm(
        units=STUDY.units // 4, learning_rate=4 * STUDY.learning_rate
    ),
    "LSTM, lookback 20": lstm(lookback=20),
    "LSTM, lookback 130": lstm(lookback=130),
}


def main(models=MODELS, seeds=SEEDS):
    prices = load_directory(DATA / "snapshot")
    end = fold_dates(prices, FOLDS)[0].fit_end
    prices = {ticker: p.loc[:end] for ticker, p in prices.items()}
    verdict = walk_forward(models, prices, FOLDS, range(seeds), jobs=-1)
    print(compared(verdict.summary, models))
    start = fold_dates(prices, FOLDS)[0].test_start
    print(f"\nTest years {start.date()} to {end.date()}, {seeds} seeds.")


def compared(summary, models):
    """The pooled rows of a summary beside those of Linear, as a table."""
    pooled = summary[summary["ticker"] == POOLED].set_index("model")
    linear = pooled.loc["Linear"]
    rows = []
    for name in models:
        mine = pooled.loc[name]
        change = mine["crps"].to_numpy() / linear["crps"].to_numpy() - 1
        rows.append(
            [name, *map("{:.3f}".format, mine["crps_vs_rw"])]
            + [*map("{:+.2%}".format, change)]
            + [*map("{:.3f}".format, mine["qlike"])]
        )
    kinds = ("CRPS", "Δ", "QLIKE")
    ahead = [f"{kind} {h}" for kind in kinds for h in STUDY.reported]
    return table(["Model", *ahead], rows)


if __name__ == "__main__":
    main()
