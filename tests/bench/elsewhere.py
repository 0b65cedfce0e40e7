"""The verdict on prices and years that no choice of the study has seen.

The S&P 500 and the NASDAQ composite from 1999 to 2018, which come with the
package arch. Prints the scores of the last four years.
"""

from arch.data import nasdaq, sp500
from choices import compared

from forecasting.models import make_model
from forecasting.protocol import fold_dates, walk_forward

FOLDS, SEEDS = 4, 5
MODELS = ["RandomWalk", "EWMA", "GARCH", "HAR", "Linear", "LSTM", "BiLSTM"]


def main(seeds=SEEDS):
    histories = {"NASDAQ": nasdaq.load(), "SP500": sp500.load()}
    models = {name: make_model(name) for name in MODELS}
    verdict = walk_forward(models, histories, FOLDS, range(seeds), jobs=-1)
    print(compared(verdict.summary, models))
    first, *_, last = fold_dates(histories, FOLDS)
    tested = f"{first.test_start.date()} to {last.test_end.date()}"
    print(f"\nTest years {tested}, {seeds} seeds.")


if __name__ == "__main__":
    main()
