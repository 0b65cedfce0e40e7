"""Download daily prices from Yahoo Finance: one checked CSV per ticker.

The promise: data/TICKER.csv is at every moment the last good history or a
newer good one. A reply becomes a file in four steps, each a function of a
file of its own in forecasting/market/:

    reply = parse(fetch("AAPL"), "AAPL")    # yahoo.py, reply.py
    checked = validate(reply)               # validate.py
    write_history(checked, Path("data/AAPL.csv"), force=False)  # store.py

fetch     one request by a session of yfinance's, held to a deadline
parse     Yahoo's JSON → bars; anything but its schema is refused
validate  unusable rows are dropped and reported, doubtful histories refused
write     a new file beside the old one, then one atomic rename

The command line (command.py) has download.py take these steps for many
tickers side by side, and ask again where a fault may pass. data/README.md
lists the rules.
"""

import sys

from forecasting.market.command import main

if __name__ == "__main__":
    sys.exit(main())
