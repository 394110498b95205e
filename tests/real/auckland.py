#!/usr/bin/env python3
"""What bus.on_time_ratio must be, straight from Auckland's polls, by another road than the product's.

    auckland.py FOLDER [--zone Pacific/Auckland] [--step 1m] [--spans 1h,day] [--out ROWS.ndjson]

Written from METRICS alone, with Python's own library; it shares no code with the services. FOLDER holds polls of
GTFS-Realtime trip updates in JSON.

- The same vehicle, trip, route, stop, kind, time and delay in a later poll is a repeat: counted once.
- A departure is in time where -60 s <= actual - scheduled <= +300 s; placed at its actual time.
- Levels route (the id without the timetable's version) and city; windows [start, start + span) that start on
  multiples of --step; span `day` is the calendar day in the zone. A row wherever the denominator is not 0.
"""

import argparse
import datetime as dt
import json
import sys
from collections import Counter, defaultdict
from pathlib import Path
from zoneinfo import ZoneInfo

EARLY_S, LATE_S = -60, 300
SPANS_S = {"1m": 60, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600}


def stamp(at_s):
    return (dt.datetime(1970, 1, 1) + dt.timedelta(seconds=at_s)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def updates(folder):
    """Every stop update of every poll, as a plain tuple: (poll, kind, vehicle, trip, route, stop, sequence, time, delay)."""
    for path in sorted(Path(folder).glob("*.json")):
        poll = json.loads(path.read_text(encoding="utf-8"))
        for entity in poll["entity"]:
            trip_update = entity.get("trip_update", {})
            trip, vehicle = trip_update.get("trip", {}), trip_update.get("vehicle", {})
            for update in trip_update.get("stop_time_update", []):
                for kind in ("arrival", "departure"):
                    if kind in update:
                        yield (
                            poll["header"]["timestamp"], kind, vehicle.get("id"), trip.get("trip_id"),
                            trip.get("route_id"), update.get("stop_id"), update.get("stop_sequence"),
                            update[kind].get("time"), update[kind].get("delay"),
                        )


def starts(at, span, step, zone):
    """The windows of a span that hold this second, as (start, end)."""
    if span == "day":
        day = dt.datetime.fromtimestamp(at, zone).date()
        edge = [int(dt.datetime.combine(d, dt.time(), zone).timestamp()) for d in (day, day + dt.timedelta(days=1))]
        yield edge[0], edge[1]
    else:
        start = at // step * step
        while start + SPANS_S[span] > at:
            yield start, start + SPANS_S[span]
            start -= step


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("folder")
    arguments.add_argument("--zone", default="Pacific/Auckland")
    arguments.add_argument("--spans", default="1h,day", help="of 1m,5m,15m,30m,1h,day")
    arguments.add_argument("--step", default="1m", choices=list(SPANS_S))
    arguments.add_argument("--out", default=None, help="where the rows go; without it only the counts are printed")
    options = arguments.parse_args()
    zone = ZoneInfo(options.zone)
    everything = list(updates(options.folder))
    once, forecasts = {}, 0
    for poll, *content in everything:
        if content[6] > poll:
            forecasts += 1
        else:
            once.setdefault(tuple(content), poll)
    departures = [c for c in once if c[0] == "departure" and c[7] is not None]
    in_time = sum(EARLY_S <= c[7] <= LATE_S for c in departures)
    stops = Counter((c[0], c[2], c[5]) for c in once)
    counts = {
        "updates": len(everything), "forecasts": forecasts, "events": len(once),
        "repeats": len(everything) - forecasts - len(once),
        "repeat_share": round(1 - len(once) / max(len(everything) - forecasts, 1), 4),
        "corrections": sum(n - 1 for n in stops.values()),
        "departures": len(departures), "in_time": in_time,
        "routes": len({c[3].split("-")[0] for c in departures}),
    }
    print(json.dumps(counts), file=sys.stderr)
    if options.out is None:
        return
    rows = defaultdict(lambda: [0, 0])
    for _, _, _, route, _, _, time, delay in departures:
        for span in options.spans.split(","):
            for start, end in starts(time, span, SPANS_S[options.step], zone):
                for level, key in (("route", route.split("-")[0]), ("city", "city")):
                    row = rows["bus.on_time_ratio", level, key, span, start, end]
                    row[0] += EARLY_S <= delay <= LATE_S
                    row[1] += 1
    columns = ["metric", "level", "key", "span", "window_start", "window_end", "numerator", "denominator"]
    with sys.stdout if options.out == "-" else open(options.out, "w", encoding="utf-8") as out:
        for (metric, level, key, span, start, end), (numerator, denominator) in sorted(rows.items()):
            row = [metric, level, key, span, stamp(start), stamp(end), numerator, denominator]
            out.write(json.dumps(dict(zip(columns, row)), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
