#!/usr/bin/env python3
"""What the parking figures must be, straight from Birmingham's CSV, by another road than the product's.

    birmingham.py FILE [--step 1h] [--spans 1h,day] [--out ROWS.ndjson] [--format ndjson|csv]

Written from METRICS alone, with Python's own library; it shares no code with the services.

- Exact repeats of a row count once.
- parking.occupancy_ratio: a lot's snapshot holds from its time to the lot's next snapshot, 60 minutes at most; occupied
  is clamped to 0...capacity; numerator and denominator are the integrals of occupied and capacity over the window, in
  ms. Levels lot and city (the sum of the lots).
- parking.violations: snapshots above capacity or below 0, by window and lot, and for the city.
- Windows [start, start + span); those that start on multiples of --step are written (the product has one a minute);
  span `day` is the calendar day in the zone. A row wherever numerator or denominator is not 0.
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
import sys
from collections import defaultdict
from zoneinfo import ZoneInfo

HOLD_MS = 60 * 60 * 1000
SPANS_MS = {"1m": 60_000, "5m": 300_000, "15m": 900_000, "30m": 1_800_000, "1h": 3_600_000}


def ms(moment):
    """Exact milliseconds since 1970 of an aware datetime."""
    gone = moment - dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
    return (gone.days * 86_400 + gone.seconds) * 1000 + gone.microseconds // 1000


def stamp(at_ms):
    moment = dt.datetime(1970, 1, 1) + dt.timedelta(milliseconds=at_ms)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


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


def read(path, zone, feed, source):
    """{lot: [(time_ms, id, capacity, occupied)]} in order, after the removal of exact repeats, and the counts."""
    counts = {"rows": 0, "above_capacity": 0, "negative": 0, "repeats": 0}
    after = {"above_capacity": 0, "negative": 0, "snapshots": 0, "same_time_different_content": 0}
    seen, lots = set(), defaultdict(list)
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
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
            lots[lot].append((ms(local), number, capacity, occupied))
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


def windows(begin, end, span, step_ms, zone):
    """The windows of a span that touch [begin, end), as (start, end)."""
    if span == "day":
        day = dt.datetime.fromtimestamp(begin / 1000, zone).date()
        while True:
            start = ms(dt.datetime.combine(day, dt.time(), zone))
            day += dt.timedelta(days=1)
            if start >= end:
                return
            yield start, ms(dt.datetime.combine(day, dt.time(), zone))
    else:
        size = SPANS_MS[span]
        start = (begin - size) // step_ms * step_ms + step_ms  # the first multiple of the step after begin - size
        while start < end:
            yield start, start + size
            start += step_ms


def figures(lots, spans, step_ms, zone):
    """{(metric, level, key, span, start, end): [numerator, denominator]}"""
    rows = defaultdict(lambda: [0, 0])
    for lot, snapshots in lots.items():
        for span in spans:
            for begin, until, occupied, capacity in steps(snapshots):
                for start, end in windows(begin, until, span, step_ms, zone):
                    shared = min(until, end) - max(begin, start)
                    for level, key in (("lot", lot), ("city", "city")):
                        row = rows["parking.occupancy_ratio", level, key, span, start, end]
                        row[0] += occupied * shared
                        row[1] += capacity * shared
        if "1h" in spans:
            for at, _, capacity, occupied in snapshots:
                if not 0 <= occupied <= capacity:
                    for start, end in windows(at, at + 1, "1h", step_ms, zone):
                        for level, key in (("lot", lot), ("city", "city")):
                            row = rows["parking.violations", level, key, "1h", start, end]
                            row[0] += 1
                            row[1] = 1
    return {key: row for key, row in rows.items() if row != [0, 0]}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("file")
    arguments.add_argument("--zone", default="Europe/London")
    arguments.add_argument("--feed", default="birmingham-parking", help="name of the feed, part of every id")
    arguments.add_argument("--source", default="birmingham/parking")
    arguments.add_argument("--spans", default="1h", help="of 1m,5m,15m,30m,1h,day")
    arguments.add_argument("--step", default="1h", choices=["1m", "5m", "15m", "30m", "1h"])
    arguments.add_argument("--beyond", action="store_true", help="also windows that begin after the newest event")
    arguments.add_argument("--out", default=None, help="where the rows go; without it only the counts are printed")
    arguments.add_argument("--format", default="ndjson", choices=["ndjson", "csv"])
    options = arguments.parse_args()
    zone = ZoneInfo(options.zone)
    lots, counts, after = read(options.file, zone, options.feed, options.source)
    print(json.dumps({"raw": counts, "lots": len(lots), "after_removal_of_repeats": after}), file=sys.stderr)
    if options.out is None:
        return
    rows = figures(lots, options.spans.split(","), SPANS_MS[options.step], zone)
    newest = max(snapshots[-1][0] for snapshots in lots.values())
    if not options.beyond:
        rows = {key: row for key, row in rows.items() if key[4] <= newest}
    columns = ["metric", "level", "key", "span", "window_start", "window_end", "numerator", "denominator"]
    with sys.stdout if options.out == "-" else open(options.out, "w", encoding="utf-8", newline="") as out:
        table = csv.writer(out)
        if options.format == "csv":
            table.writerow(columns)
        for (metric, level, key, span, start, end), (numerator, denominator) in sorted(rows.items()):
            row = [metric, level, key, span, stamp(start), stamp(end), numerator, denominator]
            if options.format == "csv":
                table.writerow(row)
            else:
                out.write(json.dumps(dict(zip(columns, row)), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
