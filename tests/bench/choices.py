"""What other settings score before the first test fold.

Prints the scores of a walk-forward over four years of data/snapshot, all of
them before the first test fold: what the study's settings were chosen by.
"""

from dataclasses import replace

import numpy as np
from runner import table

from forecasting.baselines import GARCH
from forecasting.lstm import LSTMForecaster
from forecasting.market.prices import DATA, load_directory
from forecasting.protocol import fold_dates, walk_forward
from forecasting.scores import POOLED
from forecasting.settings import STUDY

FOLDS, SEEDS = 4, 2
CHANGES = {
    "as chosen": {},
    "correction applied: all": {"applied": 1.0},
    "correction applied: ¾": {"applied": 0.75},
    "correction applied: ¼": {"applied": 0.25},
    "location: GARCH's": {"prior_days": 1e-9},  # 0: 0 / 0 at row 0
    "location: shrunk by 4 years": {"prior_days": 1008},
    "location: zero": {"prior_days": np.inf},
    "learning rate × 2": {"learning_rate": 2 * STUDY.learning_rate},
    "learning rate ÷ 2": {"learning_rate": STUDY.learning_rate / 2},
    "half the units": {"units": STUDY.units // 2},
}


def main(changes=CHANGES, seeds=SEEDS):
    prices = load_directory(DATA / "snapshot")
    end = fold_dates(prices, FOLDS)[0].fit_end
    prices = {ticker: p.loc[:end] for ticker, p in prices.items()}
    models = {"GARCH": GARCH()} | {
        name: LSTMForecaster(settings=replace(STUDY, **change))
        for name, change in changes.items()
    }
    summary = walk_forward(models, prices, FOLDS, range(seeds)).summary
    pooled = summary[summary["ticker"] == POOLED].set_index("model")
    rows = []
    for name in changes:
        mine, garch = pooled.loc[name], pooled.loc["GARCH"]
        change = mine["crps"].to_numpy() / garch["crps"].to_numpy() - 1
        rows.append(
            [name, *map("{:+.2%}".format, change)]
            + [*map("{:.1f}".format, mine["dm_crps"])]
            + [*map("{:.3f}".format, mine["theil_u"])]
        )
    ahead = [f"{k} {h}" for k in ("CRPS", "DM", "U") for h in STUDY.reported]
    print(table(["Setting", *ahead], rows))
    start = fold_dates(prices, FOLDS)[0].test_start
    print(f"\nTest years {start.date()} to {end.date()}, {seeds} seeds.")


if __name__ == "__main__":
    main()
