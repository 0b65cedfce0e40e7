#!/usr/bin/env bash
# yfinance 1.7.0, Ticker.history() as most call it, on a small reply in Yahoo's
# format: a volume that Yahoo does not know (null) comes back as 0, like a day
# without a trade; of two bars with one date the first is kept, also where the
# second is the corrected one; a day whose adjusted close alone is null loses
# its four raw prices; a day that is all null is gone. Nothing is logged.
# Expected: NaN for what is not known, and a word about what was dropped.
# Hurt: log(volume), counts of halted days, and "no gaps" checks after it.
# (No network: the client's session is given the reply. What pandas warns of on
# stderr is the client's code, not the data.)
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --no-compile yfinance==1.7.0 pandas==3.1.1 \
  numpy==2.4.6
cd "$tmp"
echo "yfinance 1.7.0. Expected: NaN for unknown volumes, Thu 13.0. Seen:"
export HOME=$tmp XDG_CACHE_HOME=$tmp
venv/bin/python - <<'E' | tee seen.txt
import types

import pandas as pd
import yfinance
from curl_cffi.requests import Session

clock = pd.Timestamp("2024-03-04 09:30", tz="America/New_York").timestamp()
days = [0, 1, 2, 2, 3, 4, 7]  # Monday to Friday, Wednesday twice, Monday
close = [10.0, 11.0, 12.0, 12.5, 13.0, None, 14.0]
reply = {"chart": {"error": None, "result": [{
    "meta": {"symbol": "ABC", "currency": "USD", "instrumentType": "EQUITY",
             "exchangeTimezoneName": "America/New_York", "timezone": "EST",
             "validRanges": ["1mo", "max"], "regularMarketTime": 1710187200},
    "timestamp": [int(clock) + 86400 * d + 60 * i for i, d in enumerate(days)],
    "indicators": {
        "quote": [{**{key: close for key in ["open", "high", "low", "close"]},
                   "volume": [100, None, 100, 100, 100, None, 100]}],
        "adjclose": [{"adjclose": close[:4] + [None, None, 14.0]}]}}]}}


class Canned(Session):
    def request(self, method, url, **options):
        return types.SimpleNamespace(
            status_code=200, text="", url=url, cookies={}, headers={},
            json=lambda: reply, raise_for_status=lambda: None)


ticker = yfinance.Ticker("ABC", session=Canned())
bars = ticker.history(start="2024-03-01", end="2024-03-30")
print(bars[["Close", "Volume"]].set_axis(bars.index.strftime("%a")))
E
diff -w seen.txt - <<'E'
     Close  Volume
Date
Mon   10.0     100
Tue   11.0       0
Wed   12.0     100
Thu    NaN     100
Mon   14.0     100
E
