#!/usr/bin/env python3
"""Compares the rows of an independent check with the product's, exactly.

    compare.py A B

A: rows of birmingham.py or auckland.py (NDJSON). B: rows of `yiping compute`, or of `SELECT ... FROM city.metrics FORMAT
JSONEachRow` (columns of city.metrics; times RFC 3339 in UTC, or as ClickHouse writes them).

Compared are the numerators and denominators of every (metric, level, span) that A has, on the windows that start on A's
grid; what else B holds (other metrics, other minutes) is passed over. A window that only one side has is a difference,
unless it says nothing (0 of 0; a count of 0). n is no guide: an integral's n counts steps, and a state may hold through a
window without one. Exit code 1 on any difference, or where there is nothing to compare.
"""

import argparse
import datetime as dt
import json
import math
import sys
from collections import Counter, defaultdict

COUNTS = {"parking.violations"}


def moment(text):
    """Milliseconds since 1970 of '2016-10-04T07:00:00.000Z' or '2016-10-04 07:00:00.000' (UTC)."""
    parsed = dt.datetime.fromisoformat(text.replace(" ", "T").replace("Z", "+00:00"))
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=dt.timezone.utc)
    gone = parsed - dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
    return (gone.days * 86_400 + gone.seconds) * 1000 + gone.microseconds // 1000


def number(value):
    """ClickHouse may quote numbers; an exact int where it is whole."""
    value = float(value) if isinstance(value, str) else value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def says_nothing(metric, row):
    return number(row["numerator"]) == 0 and (number(row["denominator"]) == 0 or metric in COUNTS)


def read(path, wanted=None):
    """{(metric, level, key, span, start): (numerator, denominator, end)}"""
    rows, twice = {}, 0
    with sys.stdin if path == "-" else open(path, encoding="utf-8") as file:
        for line in file:
            if not line.strip():
                continue
            row = json.loads(line)
            group = (row["metric"], row["level"], row["span"])
            if (wanted is not None and group not in wanted) or says_nothing(row["metric"], row):
                continue
            start = moment(row["window_start"])
            if wanted is not None and start % wanted[group]:
                continue
            key = (row["metric"], row["level"], row["key"], row["span"], start)
            twice += key in rows
            rows[key] = (number(row["numerator"]), number(row["denominator"]), moment(row["window_end"]))
    return rows, twice


def grids(rows):
    """The grid of each group of A: the greatest step that all its windows start on; days start anywhere."""
    found = defaultdict(int)
    for metric, level, _, span, start in rows:
        group = (metric, level, span)
        found[group] = 1 if span == "day" else math.gcd(found[group], start)
    return {group: step or 1 for group, step in found.items()}


def words(key, a, b):
    metric, level, name, span, start = key
    at = dt.datetime.fromtimestamp(start / 1000, dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

    def side(row):
        return "no row" if row is None else f"{row[0]}/{row[1]} to {row[2] - start} ms"

    return f"{metric} {level} {name} {span} {at}: A {side(a)}, B {side(b)}"


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("a")
    arguments.add_argument("b")
    arguments.add_argument("--show", type=int, default=20, help="differences shown")
    options = arguments.parse_args()
    a, twice_a = read(options.a)
    grid = grids(a)
    b, twice_b = read(options.b, grid)
    counts = defaultdict(Counter)
    differences = []
    for key in sorted(a.keys() | b.keys()):
        group = (key[0], key[1], key[3])
        left, right = a.get(key), b.get(key)
        if left == right:
            counts[group]["equal"] += 1
            continue
        counts[group]["only A" if right is None else "only B" if left is None else "differ"] += 1
        differences.append(words(key, left, right))
    columns = ["equal", "differ", "only A", "only B"]
    print(f"{'metric, level, span':<44}" + "".join(f"{c:>10}" for c in columns) + f"{'grid':>10}")
    for group, found in sorted(counts.items()):
        step = "day" if group[2] == "day" else f"{grid[group] // 1000} s"
        print(f"{' '.join(group):<44}" + "".join(f"{found[c]:>10}" for c in columns) + f"{step:>10}")
    for name, twice in (("A", twice_a), ("B", twice_b)):
        if twice:
            print(f"{twice} rows of {name} repeat the identity of another")
    for line in differences[: options.show]:
        print(line)
    if len(differences) > options.show:
        print(f"... and {len(differences) - options.show} more")
    if not a:
        print("A holds nothing to compare")
    sys.exit(1 if differences or twice_a or twice_b or not a else 0)


if __name__ == "__main__":
    main()
