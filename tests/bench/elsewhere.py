"""The verdict on prices and years that no choice of the study has seen.

The S&P 500 and the NASDAQ composite from 1999 to 2018, which come with the
package arch. Prints the scores of the last four years.
"""

from arch.data import nasdaq, sp500
from choices import compared

from forecasting.evaluation.verdict import COVERS, POOLED
from forecasting.evaluation.walk_forward import walk_forward
from forecasting.models.registry import BASELINES, make_model
from forecasting.pages.tables import in_words
from forecasting.windows import fold_dates

FOLDS, SEEDS = 4, 5
MODELS = ["RandomWalk", "EWMA", "GARCH", "HAR", "Linear", "LSTM", "BiLSTM"]


def main(seeds=SEEDS):
    histories = {"NASDAQ": nasdaq.load(), "SP500": sp500.load()}
    models = {name: make_model(name) for name in MODELS}
    verdict = walk_forward(models, histories, FOLDS, range(seeds), jobs=-1)
    summary = verdict.summary
    print(compared(summary, models), end="\n\n")
    for name in models:
        mine = (summary["ticker"] == POOLED) & (summary["model"] == name)
        if name not in BASELINES:
            print(*in_words(summary, POOLED, name), sep="; ", end=".\n\n")
            held = summary[mine].set_index("horizon")[COVERS]
            for horizon, shares in held.iterrows():
                cover = ", ".join(map("{:.1%}".format, shares))
                print(f"- {name}, {horizon} ahead: intervals hold {cover}")
    first, *_, last = fold_dates(histories, FOLDS)
    tested = f"{first.test_start.date()} to {last.test_end.date()}"
    print(f"\nTest years {tested}, {seeds} seeds.")


if __name__ == "__main__":
    main()
