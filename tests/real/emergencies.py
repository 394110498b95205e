#!/usr/bin/env python3
"""What the SOS figures must be, straight from Montgomery County's emergency calls, by another road than the product's.

    emergencies.py FILE [--day 2016-02-15] [--spans day] [--out ROWS.ndjson] [--counts COUNTS.json]

Written from METRICS alone, with Python's own library; it shares no code with the services.

- A row is a case raised; exact repeats of a row count once. Nothing else is told: no case is acknowledged or closed.
- sos_open, sos_unacknowledged: raised at that instant or before; sos_oldest_wait_s: the age of the oldest, in s.
- sos_ack_60s_ratio, sos_ack_180s_ratio: 0 of the raised, since the limit passes for each; placed at the time raised.
- Levels city and district (township). --day takes only the calls of one local day, since the file's days lie a month
  apart and `now` has a row for every minute between.
"""

import argparse
import csv
import datetime as dt
from collections import Counter, defaultdict
from zoneinfo import ZoneInfo

import windows

ZONE = ZoneInfo("America/New_York")


def read(path, day):
    """[(raised, township)] in the file's order, and the counts."""
    cases, counts, seen = [], Counter(rows=0, duplicates=0, accepted=0), set()
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.reader(file):
            if day is not None and not row[3].startswith(day):
                continue
            counts["rows"] += 1
            if tuple(row) in seen:
                counts["duplicates"] += 1
                continue
            seen.add(tuple(row))
            counts["accepted"] += 1
            raised = dt.datetime.strptime(row[3], "%Y-%m-%d %H:%M").replace(tzinfo=ZONE)
            cases.append((windows.ms(raised), row[4]))
    counts["townships"] = len({township for _, township in cases})
    return cases, dict(counts)


def figures(cases, spans):
    rows, times = {}, defaultdict(list)
    for raised, township in cases:
        times["city", "city"].append(raised)
        times["district", township].append(raised)
    newest = max(raised for raised, _ in cases)
    for (level, key), found in times.items():
        if "now" in spans:
            for at in windows.minutes(min(found), newest):
                n = sum(raised <= at for raised in found)
                for metric, figure in (
                    ("elder.sos_open", n),
                    ("elder.sos_unacknowledged", n),
                    ("elder.sos_oldest_wait_s", (at - min(found)) // 1000),
                ):
                    rows[metric, level, key, "now", at, at] = (figure, 1)
        for span in spans & {"24h", "day"}:
            raised = Counter(window for at in found for window in windows.holding(at, span, ZONE))
            for window, n in raised.items():
                for metric in ("elder.sos_ack_60s_ratio", "elder.sos_ack_180s_ratio"):
                    rows[metric, level, key, span, *window] = (0, n, n, 0.0)  # min n is 1
    return rows


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("file")
    arguments.add_argument("--day", default=None, help="only the calls of this local day")
    arguments.add_argument("--spans", default="day", help="of now,24h,day")
    arguments.add_argument("--out", default=None, help="where the rows go; without it only the counts are printed")
    arguments.add_argument("--counts", default=None, help="where the counts go, beside stderr")
    options = arguments.parse_args()
    cases, counts = read(options.file, options.day)
    windows.told(counts, options.counts)
    if options.out is not None:
        windows.write(options.out, figures(cases, set(options.spans.split(","))))


if __name__ == "__main__":
    main()
