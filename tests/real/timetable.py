#!/usr/bin/env python3
"""Are the scheduled times that the bus figures use the timetable's own?

    timetable.py FOLDER [--date 2016-05-19] [--counts COUNTS.json]

FOLDER holds Auckland's polls and gtfs.zip. The scheduled time of a departure, which is its actual time - its delay, is
held against stop_times of the same trip, stop and number, on a service day that starts twelve hours before noon (it runs
past 24:00:00). The timetable has the trips of three routes only, with all variants of a route under one id, where the
polls name the variant: so trips are looked up, not routes. Exit code 1 where a trip doesn't run on the day, or a
scheduled time isn't the timetable's.

It also counts how many scheduled gaps of headways can be held against it, both departures' trips being there.
"""

import argparse
import csv
import datetime as dt
import io
import sys
import zipfile
from collections import Counter
from pathlib import Path
from zoneinfo import ZoneInfo

import auckland
import windows


def read(path):
    """The tables of the timetable by name, as lists of rows."""
    with zipfile.ZipFile(path) as archive:
        for name in ("calendar", "calendar_dates", "trips", "stop_times"):
            with archive.open(f"{name}.txt") as file:
                yield list(csv.DictReader(io.TextIOWrapper(file, "utf-8-sig")))


def services(calendar, calendar_dates, date):
    day, weekday = date.strftime("%Y%m%d"), date.strftime("%A").lower()
    runs = {c["service_id"] for c in calendar if c["start_date"] <= day <= c["end_date"] and c[weekday] == "1"}
    for change in calendar_dates:
        if change["date"] == day:
            (runs.add if change["exception_type"] == "1" else runs.discard)(change["service_id"])
    return runs


def seconds(text):
    hours, minutes, rest = map(int, text.split(":"))
    return 3600 * hours + 60 * minutes + rest


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("folder")
    arguments.add_argument("--zone", default="Pacific/Auckland")
    arguments.add_argument("--date", default="2016-05-19", type=dt.date.fromisoformat, help="the service day")
    arguments.add_argument("--counts", default=None, help="where the counts go, beside stderr")
    options = arguments.parse_args()
    noon = dt.datetime.combine(options.date, dt.time(12), ZoneInfo(options.zone))
    zero = int(noon.timestamp()) - 43_200
    calendar, changes, trips, stop_times = read(Path(options.folder) / "gtfs.zip")
    runs = services(calendar, changes, options.date)
    service = {trip["trip_id"]: trip["service_id"] for trip in trips}
    stated = {(s["trip_id"], s["stop_sequence"], s["stop_id"]): s["departure_time"] for s in stop_times}
    found, _ = auckland.departures(options.folder)
    counts, wrong = Counter(departures=len(found)), []
    for trip, _, stop, sequence, _, scheduled in found:
        if trip not in service:
            counts["of_other_routes"] += 1
            continue
        at = stated.get((trip, str(sequence), stop))
        if service[trip] in runs and at is not None and zero + seconds(at) == scheduled:
            counts["as_in_the_timetable"] += 1
        else:
            wrong.append(f"trip {trip}, stop {stop}: scheduled {scheduled - zero} s into the day, timetable {at}")
    counts["otherwise"] = len(wrong)
    kept, _ = auckland.headways(found)
    counts["headways"] = len(kept)
    counts["headways_of_its_trips"] = sum(d[0] in service and before[0] in service for d, before, *_ in kept)
    windows.told(counts, options.counts)
    for line in wrong:
        print(line)
    sys.exit(0 if counts["as_in_the_timetable"] and not wrong else 1)


if __name__ == "__main__":
    main()
