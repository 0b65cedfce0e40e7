"""Popular recipes, replayed: ``python -m forecasting.recipes --help``."""

import argparse
import sys
from pathlib import Path

import joblib
import pandas as pd
from tqdm import tqdm

from forecasting.market.prices import DATA, PriceError, load_directory
from forecasting.recipes.published import BY_NAME
from forecasting.recipes.replays import row


def main(argv: list[str] | None = None) -> int:
    """Run recipes and write their table; the exit code."""
    options = argparse.ArgumentParser(
        "python -m forecasting.recipes",
        description="Popular LSTM recipes for stock prices, each as "
        "published and under the protocol of this study.",
    )
    names = list(BY_NAME)
    options.add_argument("--recipes", nargs="+", metavar="NAME",
        choices=names, default=names, help=" ".join(names))  # fmt: skip
    options.add_argument("--out", type=Path, metavar="FILE",
        default=Path("results/recipes.csv"))  # fmt: skip
    given = options.parse_args(argv)
    chosen = [BY_NAME[name] for name in given.recipes]
    try:
        if not given.out.parent.is_dir():
            folder = given.out.parent
            raise PriceError(f"{folder}: no such directory for --out")
        histories = load_directory(DATA / "snapshot")
    except (PriceError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    tasks = (joblib.delayed(row)(r, histories[r.ticker]) for r in chosen)
    done = joblib.Parallel(n_jobs=-1, return_as="generator")(tasks)
    rows = list(tqdm(done, "recipes", len(chosen), disable=None))
    pd.DataFrame(rows).to_csv(given.out, index=False, float_format="%.6g")
    print(f"{len(rows)} rows in {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
