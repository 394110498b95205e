#!/usr/bin/env python3
"""What the bus figures must be, straight from Auckland's polls, by another road than the product's.

    auckland.py FOLDER [--figures on_time,headways] [--step 1m] [--spans 1h,day] [--out ROWS.ndjson] [--counts COUNTS.json]

Written from METRICS alone, with Python's own library; it shares no code with the services. FOLDER holds polls of
GTFS-Realtime trip updates in JSON.

- The same vehicle, trip, route, stop, kind, time and delay in a later poll is a repeat: counted once. An update that
  corrects an earlier one is a departure of its own.
- Levels route (the id without the timetable's version) and city; windows that start on multiples of --step; span `day`
  is the calendar day in the zone. A row wherever numerator or denominator is not 0.

on_time: bus.on_time_ratio. In time is -60 s <= actual - scheduled <= +300 s; placed at the actual time. Spans --spans.

headways: bus.headway_cv, bus.excess_wait_s (1h), bus.bunching_ratio, bus.gap_ratio (30m), whatever --spans says.
- For each route, direction (the feed names none: 0) and stop, departures in the order of their actual times; h = gap to
  the one before; hs = its scheduled time - the greatest smaller one among all departures of the file there, those that
  left later included. Without one there is no hs, and no headway; an h or hs over 2 h is a break. Placed at the later
  departure's actual time.
- headway_cv: population sd of h - hs in s / mean hs in s. excess_wait_s: sum h^2 / (2 sum h) in s as numerator, the same
  of hs as denominator, the value is their difference. bunching: h < 0.5 hs; gap: h > 1.5 hs. n counts headways; below
  5 the value is null. The city's figures are over the headways of all routes.
"""

import argparse
import json
import statistics
from collections import Counter, defaultdict
from pathlib import Path
from zoneinfo import ZoneInfo

import windows

EARLY_S, LATE_S = -60, 300
BREAK_S = 7_200


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


def departures(folder):
    """[(trip, route without version, stop, sequence, actual, scheduled)] in s since 1970, each once, and the counts."""
    everything = list(updates(folder))
    once, forecasts = {}, 0
    for poll, *content in everything:
        if content[6] > poll:
            forecasts += 1
        else:
            once.setdefault(tuple(content), poll)
    found = [
        (trip, route.split("-")[0], stop, sequence, time, time - delay)
        for kind, _, trip, route, stop, sequence, time, delay in once
        if kind == "departure" and delay is not None
    ]
    stops = Counter((c[0], c[2], c[5]) for c in once)
    counts = {
        "updates": len(everything), "forecasts": forecasts, "events": len(once),
        "repeats": len(everything) - forecasts - len(once),
        "repeat_share": round(1 - len(once) / max(len(everything) - forecasts, 1), 4),
        "corrections": sum(n - 1 for n in stops.values()),
        "departures": len(found), "in_time": sum(EARLY_S <= d[4] - d[5] <= LATE_S for d in found),
        "routes": len({d[1] for d in found}),
        "accepted": len(once), "duplicates": len(everything) - forecasts - len(once),
    }
    return found, counts


def headways(found):
    """[(departure, departure before, h, hs)] without those that are none, and the counts."""
    places, counts, kept = defaultdict(list), Counter(), []
    for departure in found:
        places[departure[1], departure[2]].append(departure)
    counts["route_stops"] = len(places)
    for here in places.values():
        here.sort(key=lambda d: d[4])
        counts["first_departures"] += 1
        for before, departure in zip(here, here[1:]):
            counts["pairs"] += 1
            counts["same_second"] += before[4] == departure[4]
            earlier = [d[5] for d in here if d[5] < departure[5]]
            if not earlier:
                counts["no_earlier_schedule"] += 1
                counts["no_earlier_schedule_same_trip"] += before[0] == departure[0]
                continue
            h, hs = departure[4] - before[4], departure[5] - max(earlier)
            if h > BREAK_S or hs > BREAK_S:
                counts["breaks"] += 1
                continue
            counts["overtaken"] += departure[5] < before[5]
            kept.append((departure, before, h, hs))
    counts["headways"] = len(kept)
    counts["bunched"] = sum(2 * h < hs for *_, h, hs in kept)
    counts["gaps"] = sum(2 * h > 3 * hs for *_, h, hs in kept)
    return kept, dict(counts)


def mean_wait(gaps):
    """Of people who come at any time: sum h^2 / (2 sum h); 0 where nothing is to be waited for."""
    return sum(h * h for h in gaps) / (2 * sum(gaps)) if any(gaps) else 0.0


def holding(at_s, span, zone, step):
    return windows.holding(at_s * 1000, span, zone, step)


def on_time_rows(found, spans, step, zone):
    rows = defaultdict(lambda: [0, 0])
    for _, route, _, _, actual, scheduled in found:
        for span in spans:
            for window in holding(actual, span, zone, step):
                for level, key in (("route", route), ("city", "city")):
                    row = rows["bus.on_time_ratio", level, key, span, *window]
                    row[0] += EARLY_S <= actual - scheduled <= LATE_S
                    row[1] += 1
    return rows


def headway_rows(kept, step, zone):
    gathered, rows = defaultdict(list), {}
    for departure, _, h, hs in kept:
        for span in ("30m", "1h"):
            for window in holding(departure[4], span, zone, step):
                for level, key in (("route", departure[1]), ("city", "city")):
                    gathered[level, key, span, *window].append((h, hs))
    for place, pairs in gathered.items():
        n, enough = len(pairs), len(pairs) >= windows.MIN_N
        if place[2] == "30m":
            bunched, gaps = sum(2 * h < hs for h, hs in pairs), sum(2 * h > 3 * hs for h, hs in pairs)
            rows["bus.bunching_ratio", *place] = windows.ratio(bunched, n)
            rows["bus.gap_ratio", *place] = windows.ratio(gaps, n)
            continue
        sd = statistics.pstdev(h - hs for h, hs in pairs)
        mean = statistics.fmean(hs for _, hs in pairs)
        rows["bus.headway_cv", *place] = (sd, mean, n, sd / mean if enough else None)
        actual, scheduled = mean_wait([h for h, _ in pairs]), mean_wait([hs for _, hs in pairs])
        rows["bus.excess_wait_s", *place] = (actual, scheduled, n, actual - scheduled if enough else None)
    return rows


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("folder")
    arguments.add_argument("--zone", default="Pacific/Auckland")
    arguments.add_argument("--figures", default="on_time", help="of on_time,headways")
    arguments.add_argument("--spans", default="1h,day", help="of 1m,5m,15m,30m,1h,day")
    arguments.add_argument("--step", default="1m", choices=["1m", "5m", "15m", "30m", "1h"])
    arguments.add_argument("--out", default=None, help="where the rows go; without it only the counts are printed")
    arguments.add_argument("--counts", default=None, help="where the counts go, beside stderr")
    options = arguments.parse_args()
    zone, step, chosen = ZoneInfo(options.zone), windows.SIZE[options.step], options.figures.split(",")
    found, counts = departures(options.folder)
    kept, between = headways(found)
    windows.told(counts | ({"between": between} if "headways" in chosen else {}), options.counts)
    if options.out is None:
        return
    rows = {}
    if "on_time" in chosen:
        rows.update(on_time_rows(found, options.spans.split(","), step, zone))
    if "headways" in chosen:
        rows.update(headway_rows(kept, step, zone))
    windows.write(options.out, rows)


if __name__ == "__main__":
    main()
