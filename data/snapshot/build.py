"""Rebuild the snapshot's CSVs from the public-domain histories in PyPI.

    python data/snapshot/build.py

Source: package bokeh_sampledata, which carries Quandl's WIKI prices:
unadjusted OHLCV and a close adjusted for splits and dividends. The same
package gives the same bytes; SHA256SUMS says which.
"""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
from bokeh_sampledata.stocks import data as wiki

from forecasting.market.prices import check, to_csv

HERE = Path(__file__).parent
TICKERS = ["AAPL", "GOOG", "IBM", "MSFT"]  # FB is too short to use
# First date at the new price → new shares per old one. The adjusted close
# includes splits after its last row (AAPL and GOOG in 2014), so volume must.
SPLITS = {
    "AAPL": {"2000-06-21": 2, "2005-02-28": 2, "2014-06-09": 7},
    "GOOG": {"2014-04-03": 2},
    "IBM": {},
    "MSFT": {"2003-02-18": 2},
}


def adjust(raw: pd.DataFrame, splits: dict[str, int]) -> pd.DataFrame:
    """Adjust prices for splits and dividends, volume for splits alone."""
    raw = raw.set_index("date").sort_index().rename_axis("Date")
    factor = raw["adj_close"] / raw["close"]
    shares = np.ones(len(raw))
    for date, ratio in splits.items():
        shares[raw.index < date] *= ratio
    steps = (factor * shares).pct_change().abs()
    if steps.max() > 0.15:  # a dividend moves it a little, a split much
        raise ValueError(f"{steps.idxmax().date()}: a split is missing")
    out = raw[["open", "high", "low", "close"]].mul(factor, axis=0)
    out = out.rename(columns=str.title)
    return out.assign(Volume=raw["volume"] * shares)


def main(folder: Path = HERE) -> None:
    """Write every CSV and their checksums to a folder."""
    sums = []
    for ticker in TICKERS:
        raw = wiki[wiki["ticker"] == ticker]
        history = check(adjust(raw, SPLITS[ticker]), ticker)
        text = to_csv(history).encode()
        (folder / f"{ticker}.csv").write_bytes(text)
        sums.append(f"{hashlib.sha256(text).hexdigest()}  {ticker}.csv\n")
    (folder / "SHA256SUMS").write_bytes("".join(sums).encode())


if __name__ == "__main__":
    main()
