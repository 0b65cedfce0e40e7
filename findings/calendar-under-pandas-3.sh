#!/usr/bin/env bash
# exchange_calendars 4.13.2 gives other trading days under pandas 3.1.1 than
# under pandas 2.3.3, without a warning: Bombay loses its budget Saturday, and
# Tel Aviv trades on Yom Kippur, which it now takes to be Western Easter.
# Cause: its rules subclass pandas' offsets and override _apply(). Pandas 3
# calls the compiled _add_datetime() in date + offset and asks a mask of days
# in date_range(), so the override is skipped and the parent's rule answers
# (CustomBusinessDay for Bombay's weeks, Easter for the Hebrew feasts, which
# derive from Easter).
# Hurt: whoever counts sessions ahead, or drops bars of "closed" days.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
echo "exchange_calendars 4.13.2. Expected: the same days from both. Seen:"
for pandas in 2.3.3 3.1.1; do
  python3 -m venv "$tmp/$pandas"
  "$tmp/$pandas/bin/pip" install -q --no-compile pandas==$pandas \
    exchange_calendars==4.13.2 numpy==2.4.6
  "$tmp/$pandas/bin/python" - <<'E' | tee -a "$tmp/seen.txt"
import exchange_calendars as xc
import pandas as pd
from dateutil.easter import easter
from exchange_calendars.tase_holidays import YomKippur

print("pandas", pd.__version__)
bombay = xc.get_calendar("XBOM", start="2025-01-01", end="2025-12-31")
print(" XBOM open Saturday 2025-02-01:", bombay.is_session("2025-02-01"))
friday, day = pd.Timestamp("2025-01-31"), bombay.day
print(" next session, _apply():", day._apply(friday).date())
print(" next session, date + offset:", (friday + day).date())
tel_aviv = xc.get_calendar("XTAE", start="2026-02-01", end="2027-12-31")
print(" XTAE open, Yom Kippur 2026-09-21:", tel_aviv.is_session("2026-09-21"))
print(" XTAE open, Passover 2027-04-22:", tel_aviv.is_session("2027-04-22"))
year = pd.Timestamp("2027-01-01"), pd.Timestamp("2027-12-31")
print(" Yom Kippur 2027:", *YomKippur.dates(*year).strftime("%Y-%m-%d"))
print(" Western Easter 2027:", easter(2027))
E
done
diff "$tmp/seen.txt" - <<'E'
pandas 2.3.3
 XBOM open Saturday 2025-02-01: True
 next session, _apply(): 2025-02-01
 next session, date + offset: 2025-02-01
 XTAE open, Yom Kippur 2026-09-21: False
 XTAE open, Passover 2027-04-22: False
 Yom Kippur 2027: 2027-10-11
 Western Easter 2027: 2027-03-28
pandas 3.1.1
 XBOM open Saturday 2025-02-01: False
 next session, _apply(): 2025-02-01
 next session, date + offset: 2025-02-03
 XTAE open, Yom Kippur 2026-09-21: True
 XTAE open, Passover 2027-04-22: True
 Yom Kippur 2027: 2027-03-28
 Western Easter 2027: 2027-03-28
E
