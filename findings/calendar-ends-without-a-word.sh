#!/usr/bin/env bash
# exchange_calendars 4.13.2 (with pandas 2.3.3): Jakarta's calendar answers for
# 2026 and later, but its lists of Muslim, Hindu and Buddhist holidays end with
# 2025. The exchange was closed on 2026-03-19 (Nyepi), -20, -23 and -24 (Eid
# al-Fitr; its list of September 2025): here they are sessions. Taipei lists
# none of the days before a Lunar New Year on which nothing but clearing is
# done after 2026. Tel Aviv, whose week changed on 2026-01-05 (its notice of
# December 2025), still trades here on Sunday 2026-01-04. Bombay, Shanghai and
# Singapore refuse a date past their lists; these three do not.
# Hurt: sessions ahead contain holidays, and nothing says so.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --no-compile pandas==2.3.3 \
  exchange_calendars==4.13.2 numpy==2.4.6
echo "exchange_calendars 4.13.2, pandas 2.3.3."
echo "Expected: an error past the last list. Seen:"
"$tmp/venv/bin/python" - <<'E' | tee "$tmp/seen.txt"
import exchange_calendars as xc
import pandas as pd

for name in ["XIDX", "XTAI"]:
    held = xc.get_calendar(name, start="2024-01-01", end="2028-12-31")
    for year in range(2024, 2029):
        days = pd.bdate_range(f"{year}-01-01", f"{year}-12-31")
        print(name, year, "weekdays off:", (~days.isin(held.sessions)).sum())
for name, day in {"XIDX": "2026-03-23", "XTAE": "2026-01-04"}.items():
    held = xc.get_calendar(name, start="2025-06-02", end="2027-01-29")
    print(name, "open on", day, held.is_session(day))
E
diff "$tmp/seen.txt" - <<'E'
XIDX 2024 weekdays off: 25
XIDX 2025 weekdays off: 24
XIDX 2026 weekdays off: 9
XIDX 2027 weekdays off: 6
XIDX 2028 weekdays off: 7
XTAI 2024 weekdays off: 19
XTAI 2025 weekdays off: 18
XTAI 2026 weekdays off: 18
XTAI 2027 weekdays off: 15
XTAI 2028 weekdays off: 15
XIDX open on 2026-03-23 True
XTAE open on 2026-01-04 True
E
