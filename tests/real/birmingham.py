#!/usr/bin/env python3
"""What the parking figures must be, straight from Birmingham's CSV, by another road than the product's.

    birmingham.py FILE [--step 1h] [--spans 1h,day] [--only 2016-11-30] [--out ROWS.ndjson] [--counts COUNTS.json]

Written from METRICS alone, with Python's own library; it shares no code with the services.

- Exact repeats of a row count once.
- parking.occupancy_ratio: a lot's snapshot holds from its time to the lot's next snapshot, 60 minutes at most; occupied
  is clamped to 0...capacity; numerator and denominator are the integrals of occupied and capacity over the window, in
  ms. Levels lot and city (the sum of the lots).
- parking.violations: snapshots above capacity or below 0, by window and lot, and for the city.
- Span `now`, every full minute: a lot is known while its last snapshot, at that instant or before, is younger than 60
  minutes. parking.free_spaces = capacity - occupied, clamped; free_ratio = free / capacity; both by lot and for the city
  (the sum of the known lots); full_lots: lots of the city with at least 98 % of capacity occupied.
- The windows that start on multiples of --step are written (the product has one a minute); span `day` is the calendar
  day in the zone. A row wherever numerator or denominator is not 0.
- --only takes the snapshots whose local time begins so, a day or a month: `now` has a row for every lot and minute.
- No entries and no exits are in the file: what needs them (turnover, stays) can have no row.
- `yiping compute` ends with the last window that holds an event, so windows that begin after the file's newest event are
  left out; a live system goes on (the last states hold for an hour): --beyond keeps them.
- Two different snapshots of a lot at the same time apply in the order of their ids. The id of an event without one is
  a hash of its content, computed here as the mapping's page states it. How many such cases there are is printed.
"""

import argparse
import csv
import datetime as dt
import hashlib
import json
from collections import defaultdict
from zoneinfo import ZoneInfo

import windows

HOLD_MS = 60 * windows.MINUTE


def event_id(feed, source, local, lot, capacity, occupied):
    event = {
        "data": {"capacity": capacity, "lot_id": lot, "occupied": occupied},
        "source": source,
        "specversion": "1.0",
        "time": local.isoformat(),
        "type": "city.parking.snapshot",
    }
    text = feed + "\n" + json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def read(path, zone, feed, source, only):
    """{lot: [(time_ms, id, capacity, occupied)]} in order, after the removal of exact repeats, and the counts."""
    counts = {"rows": 0, "above_capacity": 0, "negative": 0, "repeats": 0}
    after = {"above_capacity": 0, "negative": 0, "snapshots": 0, "same_time_different_content": 0}
    seen, lots = set(), defaultdict(list)
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if not row["LastUpdated"].startswith(only):
                continue
            lot, capacity, occupied = row["SystemCodeNumber"], int(row["Capacity"]), int(row["Occupancy"])
            above, negative = occupied > capacity, occupied < 0
            counts["rows"] += 1
            counts["above_capacity"] += above
            counts["negative"] += negative
            content = tuple(row.values())
            if content in seen:
                counts["repeats"] += 1
                continue
            seen.add(content)
            after["snapshots"] += 1
            after["above_capacity"] += above
            after["negative"] += negative
            local = dt.datetime.strptime(row["LastUpdated"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=zone)
            number = event_id(feed, source, local, lot, capacity, occupied)
            lots[lot].append((windows.ms(local), number, capacity, occupied))
    for snapshots in lots.values():
        snapshots.sort()
        pairs = zip(snapshots, snapshots[1:])
        after["same_time_different_content"] += sum(a[0] == b[0] for a, b in pairs)
    return lots, counts, after


def steps(snapshots):
    """(from, to, occupied, capacity) of one lot; a state holds 60 minutes at most."""
    following = [s[0] for s in snapshots[1:]] + [None]
    for (at, _, capacity, occupied), after in zip(snapshots, following):
        until = at + HOLD_MS if after is None else min(after, at + HOLD_MS)
        if until > at:
            yield at, until, min(max(occupied, 0), capacity), capacity


def figures(lots, spans, step_ms, zone):
    """{(metric, level, key, span, start, end): [numerator, denominator]}"""
    rows = defaultdict(lambda: [0, 0])
    for lot, snapshots in lots.items():
        for span in spans - {"now"}:
            for begin, until, occupied, capacity in steps(snapshots):
                for start, end in windows.touching(begin, until, span, zone, step_ms):
                    shared = min(until, end) - max(begin, start)
                    for level, key in (("lot", lot), ("city", "city")):
                        row = rows["parking.occupancy_ratio", level, key, span, start, end]
                        row[0] += occupied * shared
                        row[1] += capacity * shared
        if "1h" in spans:
            for at, _, capacity, occupied in snapshots:
                if not 0 <= occupied <= capacity:
                    for start, end in windows.holding(at, "1h", zone, step_ms):
                        for level, key in (("lot", lot), ("city", "city")):
                            row = rows["parking.violations", level, key, "1h", start, end]
                            row[0] += 1
                            row[1] = 1
    if "now" in spans:
        rows.update(states(lots))
    return {key: row for key, row in rows.items() if row != [0, 0]}


def states(lots):
    """What is free at every full minute of the lots that are known then."""
    rows = {}
    newest = max(snapshots[-1][0] for snapshots in lots.values())
    for at in windows.minutes(min(snapshots[0][0] for snapshots in lots.values()), newest):
        free_all = capacity_all = full = 0
        for lot, snapshots in lots.items():
            last = max((s for s in snapshots if s[0] <= at), default=None)
            if last is None or at >= last[0] + HOLD_MS:
                continue
            capacity, occupied = last[2], min(max(last[3], 0), last[2])
            rows["parking.free_spaces", "lot", lot, "now", at, at] = [capacity - occupied, 1]
            rows["parking.free_ratio", "lot", lot, "now", at, at] = [capacity - occupied, capacity]
            free_all, capacity_all = free_all + capacity - occupied, capacity_all + capacity
            full += 100 * occupied >= 98 * capacity
        if capacity_all:
            rows["parking.free_spaces", "city", "city", "now", at, at] = [free_all, 1]
            rows["parking.free_ratio", "city", "city", "now", at, at] = [free_all, capacity_all]
            rows["parking.full_lots", "city", "city", "now", at, at] = [full, 1]
    return rows


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("file")
    arguments.add_argument("--zone", default="Europe/London")
    arguments.add_argument("--feed", default="birmingham-parking", help="name of the feed, part of every id")
    arguments.add_argument("--source", default="birmingham/parking")
    arguments.add_argument("--spans", default="1h", help="of now,1m,5m,15m,30m,1h,day")
    arguments.add_argument("--only", default="", help="the snapshots whose local time begins so")
    arguments.add_argument("--step", default="1h", choices=["1m", "5m", "15m", "30m", "1h"])
    arguments.add_argument("--beyond", action="store_true", help="also windows that begin after the newest event")
    arguments.add_argument("--out", default=None, help="where the rows go; without it only the counts are printed")
    arguments.add_argument("--counts", default=None, help="where the counts go, beside stderr")
    options = arguments.parse_args()
    zone = ZoneInfo(options.zone)
    lots, counts, after = read(options.file, zone, options.feed, options.source, options.only)
    said = {"raw": counts, "lots": len(lots), "after_removal_of_repeats": after}
    windows.told(said | {"accepted": after["snapshots"], "duplicates": counts["repeats"]}, options.counts)
    if options.out is None:
        return
    rows = figures(lots, set(options.spans.split(",")), windows.SIZE[options.step], zone)
    newest = max(snapshots[-1][0] for snapshots in lots.values())
    if not options.beyond:
        rows = {key: row for key, row in rows.items() if key[4] <= newest}
    windows.write(options.out, rows)


if __name__ == "__main__":
    main()
