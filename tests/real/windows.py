"""Windows and rows, as the catalogue defines them; what the scripts beside this one share.

Times are whole milliseconds since 1970 in UTC. Windows are [start, start + span) and start on multiples of the span's
slide; the span `day` is the calendar day in the city's zone; `now` is an instant, every full minute, and what happened
at that instant is in it.
"""

import datetime as dt
import json
import sys

MINUTE = 60_000
SIZE = {"1m": MINUTE, "5m": 5 * MINUTE, "15m": 15 * MINUTE, "30m": 30 * MINUTE, "1h": 60 * MINUTE, "24h": 1440 * MINUTE}
SLIDE = {"1m": 10_000, "5m": 30_000, "15m": MINUTE, "30m": MINUTE, "1h": MINUTE, "24h": 5 * MINUTE}
MIN_N = 5
COLUMNS = ["metric", "level", "key", "span", "window_start", "window_end", "numerator", "denominator", "n", "value"]


def ms(moment):
    """Exact milliseconds since 1970 of an aware datetime."""
    gone = moment - dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
    return (gone.days * 86_400 + gone.seconds) * 1000 + gone.microseconds // 1000


def stamp(at_ms):
    moment = dt.datetime(1970, 1, 1) + dt.timedelta(milliseconds=at_ms)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def touching(begin, end, span, zone, step=None):
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
        size, step = SIZE[span], step or SLIDE[span]
        start = (begin - size) // step * step + step  # the first multiple of the step after begin - size
        while start < end:
            yield start, start + size
            start += step


def holding(at, span, zone, step=None):
    """The windows of a span that hold this instant."""
    return touching(at, at + 1, span, zone, step)


def minutes(first, newest):
    """The instants of `now`: the full minutes from the first event on, to the last one that is not after the newest."""
    return range(-(-first // MINUTE) * MINUTE, newest + 1, MINUTE)


def ratio(numerator, denominator):
    """A ratio's row (a mean's too: sum and count): numerator, denominator, n, value."""
    return numerator, denominator, denominator, numerator / denominator if denominator >= MIN_N else None


def write(path, rows):
    """Rows {(metric, level, key, span, start, end): (numerator, denominator[, n, value])} as NDJSON, sorted."""
    with sys.stdout if path == "-" else open(path, "w", encoding="utf-8") as out:
        for (*names, start, end), figures in sorted(rows.items()):
            row = dict(zip(COLUMNS, [*names, stamp(start), stamp(end), *figures]))
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


def told(counts, path=None):
    """The counts of a file to stderr, and to a file for compare.py where one is named."""
    text = json.dumps(counts)
    print(text, file=sys.stderr)
    if path:
        with open(path, "w", encoding="utf-8") as out:
            out.write(text + "\n")
