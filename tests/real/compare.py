#!/usr/bin/env python3
"""Compares the rows of an independent check with the product's.

    compare.py A B [--absent METRIC,...] [--counts COUNTS.json --said WORDS]

A: rows of a script of this folder (NDJSON). B: rows of `yiping compute`, or of `SELECT ... FROM city.metrics FORMAT
JSONEachRow` (columns of city.metrics; times RFC 3339 in UTC, or as ClickHouse writes them).

Compared are all figures that A states: numerator and denominator, where given also n and value, of every (metric, level,
span) that A has, on the windows that start on A's grid; what else B holds (other metrics, other minutes) is passed over.
Whole numbers exactly, others but for the last digits of a float (deviations and excess waits: to 1 in a million,
percentiles: to 1 %, the catalogue's own limit). A window that only one side has is a difference, unless it says nothing
(0 of 0; a count of 0).

--absent: metrics that B must have no row of. --counts: the file's counts as the script told them; --said: what `yiping
compute` printed; accepted and duplicates must agree, and nothing may be late, quarantined or rejected.
Exit code 1 on any difference, or where there is nothing to compare.
"""

import argparse
import datetime as dt
import functools
import json
import math
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

COUNTS = {
    "parking.violations", "parking.full_lots", "hotline.calls", "hotline.waiting", "hotline.orders",
    "hotline.open_orders", "hotline.overdue_orders", "elder.sos_open", "elder.sos_unacknowledged",
    "elder.sos_oldest_wait_s",
}
REAL = {"bus.headway_cv", "bus.excess_wait_s"}
PERCENTILES = {"hotline.wait_p95_s"}
# Enough of a row, in the product's order of members, to pass over it unread: it writes millions.
GLANCE = re.compile(r'"metric": ?"([^"]+)", ?"level": ?"([^"]+)".*"span": ?"([^"]+)", ?"window_start": ?"([^"]+)"')


@functools.cache
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


def says_nothing(row):
    """0 of 0, a count of 0, a state of nothing that is known. n alone is no guide: an integral's n counts steps, and a
    state may hold through a window without one."""
    if number(row["numerator"]) != 0:
        return False
    denominator = number(row["denominator"])
    return denominator == 0 or row["metric"] in COUNTS or (denominator == 1 and number(row.get("n")) == 0)


def read(path, wanted=None, absent=()):
    """{(metric, level, key, span, start): {column: figure}}, how many rows say twice the same, and those unwanted."""
    rows, twice, unwanted = {}, 0, Counter()
    with sys.stdin if path == "-" else open(path, encoding="utf-8") as file:
        for line in file:
            if not line.strip():
                continue
            glance = GLANCE.search(line)
            row = None if glance else json.loads(line)
            names = ("metric", "level", "span", "window_start")
            metric, level, span, start = glance.groups() if glance else (row[name] for name in names)
            if metric in absent:
                unwanted[metric] += 1
            start, grid = moment(start), 1 if wanted is None else wanted.get((metric, level, span))
            if grid is None or start % grid:
                continue
            row = row or json.loads(line)
            if says_nothing(row):
                continue
            key = (row["metric"], row["level"], row["key"], row["span"], start)
            twice += key in rows
            figures = {name: number(row[name]) for name in ("numerator", "denominator", "n", "value") if name in row}
            rows[key] = figures | {"ms": moment(row["window_end"]) - start}
    return rows, twice, unwanted


def grids(rows):
    """The grid of each group of A: the greatest step that all its windows start on; days start anywhere."""
    found = defaultdict(int)
    for metric, level, _, span, start in rows:
        group = (metric, level, span)
        found[group] = 1 if span == "day" else math.gcd(found[group], start)
    return {group: step or 1 for group, step in found.items()}


def agree(metric, name, a, b):
    if a is None or b is None or a == b:
        return a == b
    if name == "value" and metric in PERCENTILES:
        return abs(a - b) <= 0.01 * abs(a)
    if metric in REAL:
        return math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-6)
    return isinstance(a + b, float) and math.isclose(a, b, rel_tol=1e-12)


def same(metric, a, b):
    return all(agree(metric, name, figure, b.get(name)) for name, figure in a.items())


def words(key, a, b):
    metric, level, name, span, start = key
    at = dt.datetime.fromtimestamp(start / 1000, dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

    def side(row):
        return "no row" if row is None else " ".join(f"{column} {figure}" for column, figure in row.items())

    return f"{metric} {level} {name} {span} {at}: A {side(a)}; B {side(b)}"


def differing_counts(counts, said):
    """What the product said of its events, and in words where the file's own counts say otherwise."""
    told = json.loads(Path(counts).read_text(encoding="utf-8"))
    text = Path(said).read_text(encoding="utf-8")
    outcomes = ("accepted", "late", "duplicates", "quarantined", "rejected")
    found = {o: [int(n) for n in re.findall(rf"\b{o} (\d+)", text)] for o in outcomes}
    print("events: " + ", ".join(f"{o} {' '.join(map(str, n)) or '?'}" for o, n in found.items()))
    for outcome, numbers in found.items():
        if numbers != [told.get(outcome, 0) if outcome in ("accepted", "duplicates") else 0]:
            yield f"{outcome}: A {told.get(outcome, 0)}, B {numbers}"


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("a")
    arguments.add_argument("b")
    arguments.add_argument("--absent", default="", help="metrics that B must have no row of")
    arguments.add_argument("--counts", default=None, help="the file's counts, as its script wrote them")
    arguments.add_argument("--said", default=None, help="what the product said of the events")
    arguments.add_argument("--show", type=int, default=2, help="differences shown of each metric, level and span")
    options = arguments.parse_args()
    a, twice_a, _ = read(options.a)
    grid = grids(a)
    b, twice_b, unwanted = read(options.b, grid, options.absent.split(","))
    counts, sums, differences = defaultdict(Counter), defaultdict(Counter), []
    for key in sorted(a.keys() | b.keys()):
        group = (key[0], key[1], key[3])
        left, right = a.get(key), b.get(key)
        for side, row in (("A", left or {}), ("B", right or {})):
            for name in ("numerator", "denominator"):
                sums[group][f"{side} {name}"] += row.get(name, 0)
        if left and right and same(key[0], left, right):
            counts[group]["equal"] += 1
            continue
        counts[group]["only A" if right is None else "only B" if left is None else "differ"] += 1
        if counts[group].total() - counts[group]["equal"] <= options.show:
            differences.append(words(key, left, right))
    columns = ["equal", "differ", "only A", "only B"]
    totals = ["A numerator", "B numerator", "A denominator", "B denominator"]
    head = "".join(f"{c:>8}" for c in columns) + f"{'grid':>8}" + "".join(f"{'Σ ' + t:>17}" for t in totals)
    print(f"{'metric, level, span':<44}{head}")
    for group, found in sorted(counts.items()):
        step = "day" if group[2] == "day" else f"{grid[group] // 1000} s"
        line = "".join(f"{found[c]:>8}" for c in columns) + f"{step:>8}"
        print(f"{' '.join(group):<44}{line}" + "".join(f"{sums[group][t]:>17.9g}" for t in totals))
    if options.counts:
        differences += differing_counts(options.counts, options.said)
    differences += [f"{rows} rows of {metric}, which the file can't tell" for metric, rows in unwanted.items()]
    for name, twice in (("A", twice_a), ("B", twice_b)):
        if twice:
            differences.append(f"{twice} rows of {name} repeat the identity of another")
    for line in differences:
        print(line)
    if not a:
        print("A holds nothing to compare")
    differ = any(found.total() != found["equal"] for found in counts.values())
    sys.exit(1 if differ or differences or not a else 0)


if __name__ == "__main__":
    main()
