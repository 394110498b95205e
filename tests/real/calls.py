#!/usr/bin/env python3
"""What the hotline's call figures must be, straight from a call centre's day, by another road than the product's.

    calls.py FILE [--out ROWS.ndjson] [--counts COUNTS.json]

Written from METRICS alone, with Python's own library; it shares no code with the services. Level city: the file names no
district. The day is 1 January 2000 in UTC, as the mapping's page says.

- Offered: a row with a queue or an agent's time, at the menu's exit; PHANTOM is no call. Answered or abandoned, as the
  outcome says, at the queue's exit; without a queue at once, with a wait of 0 s.
- Every figure but handle_mean_s is placed where the call was offered; that one at the agent's exit.
- abandon_ratio: abandoned after more than 10 s / (offered - abandoned within 10 s, 10 s included).
- wait_p95_s: the nearest rank, the ceil(0.95 n)-th smallest wait of the answered.
- waiting: offered at that instant or before, and neither answered nor abandoned by then.
"""

import argparse
import csv
import math
from collections import Counter, defaultdict
from zoneinfo import ZoneInfo

import windows

ZONE = ZoneInfo("UTC")
MIDNIGHT = 946_684_800_000  # 1 January 2000
NEVER = "0:00:00"
ANSWER_S, SHORT_S, QUANTILE = 15, 10, 0.95


def clock(text):
    hours, minutes, seconds = map(int, text.split(":"))
    return MIDNIGHT + 1000 * (3600 * hours + 60 * minutes + seconds)


def read(path):
    """[(offered, decided, answered, wait_s, ended or None, handle_s)], and the counts."""
    calls, counts, offered = [], Counter(), []
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            counts["rows"] += 1
            counts["negative_menu_times"] += int(row["vru_time"]) < 0
            queued, served = row["q_start"] != NEVER, row["ser_start"] != NEVER
            if row["outcome"] == "PHANTOM":
                counts["phantoms"] += 1
                continue
            if not queued and not served:
                counts["hang_ups_in_the_menu"] += 1
                continue
            at = clock(row["vru_exit"])
            counts["out_of_order"] += bool(offered) and at < offered[-1]
            offered.append(at)
            answered = row["outcome"] == "AGENT"
            wait = clock(row["q_exit"]) - clock(row["q_start"]) if queued else 0
            ended = clock(row["ser_exit"]) if answered and served else None
            handle = clock(row["ser_exit"]) - clock(row["ser_start"]) if ended else 0
            calls.append((at, at + wait, answered, wait // 1000, ended, handle // 1000))
    counts["offered"] = len(calls)
    counts["answered"] = sum(c[2] for c in calls)
    counts["abandoned"] = len(calls) - counts["answered"]
    counts["abandoned_within_10s"] = sum(not c[2] and c[3] <= SHORT_S for c in calls)
    counts["ended"] = sum(c[4] is not None for c in calls)
    counts["accepted"] = 2 * len(calls) + counts["ended"]
    counts["duplicates"] = 0
    return calls, dict(counts)


def nearest_rank(waits):
    return sorted(waits)[math.ceil(QUANTILE * len(waits)) - 1]


def figures(calls):
    counts, waits, handled, rows = defaultdict(Counter), defaultdict(list), defaultdict(list), {}
    for offered, _, answered, wait, ended, handle in calls:
        for span in ("5m", "30m", "1h", "24h", "day"):
            for window in windows.holding(offered, span, ZONE):
                here = counts[span, *window]
                here["offered"] += 1
                here["answered"] += answered
                here["answered in time"] += answered and wait <= ANSWER_S
                here["gave up soon"] += not answered and wait <= SHORT_S
                here["gave up late"] += not answered and wait > SHORT_S
                if span == "30m" and answered:
                    waits[span, *window].append(wait)
        if ended:
            for window in windows.holding(ended, "30m", ZONE):
                handled["30m", *window].append(handle)
    for place, here in counts.items():
        span, offered = place[0], here["offered"]

        def put(name, row, place=place):
            rows[f"hotline.{name}", "city", "city", *place] = row

        if span in ("5m", "1h", "day"):
            put("calls", (offered, 1))
        if span in ("30m", "24h"):
            put("connect_ratio", windows.ratio(here["answered"], offered))
            put("answer_15s_ratio", windows.ratio(here["answered in time"], offered))
        if span == "30m" and offered > here["gave up soon"]:
            put("abandon_ratio", windows.ratio(here["gave up late"], offered - here["gave up soon"]))
    for place, found in waits.items():
        rows["hotline.wait_mean_s", "city", "city", *place] = windows.ratio(sum(found), len(found))
        p95 = nearest_rank(found) if len(found) >= windows.MIN_N else None
        rows["hotline.wait_p95_s", "city", "city", *place] = (0, len(found), len(found), p95)
    for place, found in handled.items():
        rows["hotline.handle_mean_s", "city", "city", *place] = windows.ratio(sum(found), len(found))
    newest = max(max(c[1], c[4] or 0) for c in calls)
    for at in windows.minutes(min(c[0] for c in calls), newest):
        waiting = sum(offered <= at < decided for offered, decided, *_ in calls)
        rows["hotline.waiting", "city", "city", "now", at, at] = (waiting, 1)
    return rows


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("file")
    arguments.add_argument("--out", default=None, help="where the rows go; without it only the counts are printed")
    arguments.add_argument("--counts", default=None, help="where the counts go, beside stderr")
    options = arguments.parse_args()
    calls, counts = read(options.file)
    windows.told(counts, options.counts)
    if options.out is not None:
        windows.write(options.out, figures(calls))


if __name__ == "__main__":
    main()
