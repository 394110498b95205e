#!/usr/bin/env python3
"""What the hotline's order figures must be, straight from New York's service requests, by another road than the product's.

    orders.py FILE [--out ROWS.ndjson] [--counts COUNTS.json]

Written from METRICS alone, with Python's own library; it shares no code with the services.

- Created at created_date; closed at closed_date where there is one, whatever the status says. An order closed in the
  second of its creation counts in `orders`, and in `open_orders` never.
- Levels city, district (borough), category (complaint type), agency; of `orders` also district_category.
- overdue_orders: open, and its due is over; only what the file gives a due can be.
"""

import argparse
import csv
import datetime as dt
from collections import Counter, defaultdict
from zoneinfo import ZoneInfo

import windows

ZONE = ZoneInfo("America/New_York")


def local(text):
    return windows.ms(dt.datetime.fromisoformat(text).replace(tzinfo=ZONE)) if text else None


def read(path):
    """[(created, closed or None, due or None, [(level, key)])], and the counts."""
    orders, counts, seen = [], Counter(), set()
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            created, closed, due = (local(row[name]) for name in ("created_date", "closed_date", "due_date"))
            counts["rows"] += 1
            counts["closed"] += closed is not None
            counts["closed_in_zero_seconds"] += closed == created
            counts["closed_before_created"] += closed is not None and closed < created
            counts["status_closed"] += row["status"] == "Closed"
            counts["with_due"] += due is not None
            counts["repeated_keys"] += row["unique_key"] in seen
            seen.add(row["unique_key"])
            keys = [("city", "city"), ("district", row["borough"]), ("category", row["complaint_type"])]
            keys.append(("agency", row["agency"]))
            keys.append(("district_category", f"{row['borough']}/{row['complaint_type']}"))
            orders.append((created, closed, due, keys))
    for level in ("district", "category", "agency"):
        counts[level] = len({key for order in orders for name, key in order[3] if name == level})
    counts["accepted"] = counts["rows"] + counts["closed"]
    counts["duplicates"] = 0
    return orders, dict(counts)


def figures(orders):
    rows = defaultdict(lambda: (0, 1))

    def count(*place):
        rows[place] = (rows[place][0] + 1, 1)

    for created, _, _, keys in orders:
        for span in ("30m", "1h", "day"):
            for window in windows.holding(created, span, ZONE):
                for level, key in keys:
                    count("hotline.orders", level, key, span, *window)
    newest = max(max(created, closed or 0) for created, closed, *_ in orders)
    for at in windows.minutes(min(order[0] for order in orders), newest):
        for created, closed, due, keys in orders:
            if created <= at and (closed is None or closed > at):
                for level, key in keys[:-1]:
                    count("hotline.open_orders", level, key, "now", at, at)
                    if due is not None and due < at:
                        count("hotline.overdue_orders", level, key, "now", at, at)
    return rows


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("file")
    arguments.add_argument("--out", default=None, help="where the rows go; without it only the counts are printed")
    arguments.add_argument("--counts", default=None, help="where the counts go, beside stderr")
    options = arguments.parse_args()
    orders, counts = read(options.file)
    windows.told(counts, options.counts)
    if options.out is not None:
        windows.write(options.out, figures(orders))


if __name__ == "__main__":
    main()
