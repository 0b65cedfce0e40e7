#!/usr/bin/env bash
# exchange_calendars 4.13.2 (with pandas 2.3.3, so nothing is lost on the way):
# Bombay's calendar lacks the exchange's last three Muhurat sessions, the hour
# of trading on the evening or afternoon of Diwali: 2023-11-12, a
# Sunday (BSE's list of holidays of 2023), 2024-11-01 (its circular of
# 2024-10-19), 2025-10-21 (that of 2025-09-22). Saturdays are half known: the
# sessions of 2024-01-20 and 2025-02-01 are in; not in are 2024-03-02 and
# 2024-05-18 (switches to the disaster recovery site, circulars of February and
# May 2024) and the budget's Sunday 2026-02-01 (notice of 2026-01-16). And no
# date after 2026-12-31 can be asked for.
# Hurt: a check that drops bars of "closed" days drops real trades, and a count
# of sessions ahead fails in December.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --no-compile pandas==2.3.3 \
  exchange_calendars==4.13.2 numpy==2.4.6
echo "Expected: a session wherever the exchange traded. Seen:"
"$tmp/venv/bin/python" - <<'E' | tee "$tmp/seen.txt"
import exchange_calendars as xc

bombay = xc.get_calendar("XBOM", start="2023-01-01")
for day in ["2023-11-12", "2024-01-20", "2024-03-02", "2024-05-18",
            "2024-11-01", "2025-02-01", "2025-10-21", "2026-02-01"]:
    print(day, bombay.is_session(day))
for name in ["XBOM", "XSHG", "XSES"]:
    try:
        xc.get_calendar(name, end="2027-01-31")
        print(name, "answers for 2027")
    except ValueError:
        print(name, "ends", xc.get_calendar(name).last_session.date())
E
diff "$tmp/seen.txt" - <<'E'
2023-11-12 False
2024-01-20 True
2024-03-02 False
2024-05-18 False
2024-11-01 False
2025-02-01 True
2025-10-21 False
2026-02-01 False
XBOM ends 2026-12-31
XSHG ends 2026-12-31
XSES ends 2026-12-31
E
