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

ALL = Path("results/recipes.csv")


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
        help=f"default: {ALL}, if these are all")  # fmt: skip
    given = options.parse_args(argv)
    if given.out is None and set(given.recipes) != set(names):
        options.error(f"--recipes needs --out: {ALL} holds all of them")
    out = given.out or ALL
    chosen = [BY_NAME[name] for name in given.recipes]
    try:
        if not out.parent.is_dir():
            raise PriceError(f"{out.parent}: no such directory for --out")
        if out.is_dir():
            raise PriceError(f"{out}: --out is a directory, not a file")
        histories = load_directory(DATA / "snapshot")
    except (PriceError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    tasks = (joblib.delayed(row)(r, histories[r.ticker]) for r in chosen)
    done = joblib.Parallel(n_jobs=-1, return_as="generator")(tasks)
    rows = list(tqdm(done, "recipes", len(chosen), disable=None))
    pd.DataFrame(rows).to_csv(out, index=False, float_format="%.6g")
    print(f"{len(rows)} rows in {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
