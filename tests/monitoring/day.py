"""A simulated day behind every panel: none is empty. Takes some minutes; `tests/monitoring/run --full` runs it."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import tomllib
from datetime import datetime, timezone
from pathlib import Path

import panels
import story

# how many events a figure needs
MIN_N = {one["id"]: one.get("min_n", 1) for one in tomllib.loads(Path("schemas/metrics.toml").read_text(encoding="utf-8"))["metric"]}
# figures that say nothing where nothing of the kind is going on at this hour: no lot is filling
MAY_BE_UNSAID = {"parking.minutes_to_full"}
# panels that may have nothing to show on a good day
MAY_BE_EMPTY = {"待补算的过晚事件"}


def too_few(clickhouse, sql):
    """Why a panel about one metric rightly shows no value: it has rows, and each of them fewer events than the catalogue asks for.
    (Where no category, agency or lot has had an event, none has a row, and no window without one: then the whole city's tells.)"""
    about = [re.search(rf"{name} = '([^']+)'", sql) for name in ("metric", "level", "span")]
    if not all(about):
        return None
    metric, level, span = (found[1] for found in about)
    table = "metrics_latest" if "metrics_latest" in sql else "metrics"
    if metric in MAY_BE_UNSAID and table == "metrics_latest":
        return "nothing of the kind at this hour"
    which = f"metric = '{metric}' AND span = '{span}'"
    for place, asked in [(table, level), (table, "city"), ("metrics_latest", "city")]:
        rows, most = clickhouse.ask(f"SELECT count(), max(n) FROM city.{place} WHERE {which} AND level = '{asked}'")["data"][0]
        if int(rows):
            needed = MIN_N[metric]
            return f"at most {most} events, a figure needs {needed}" if most < needed else None
    return None


def main():
    folder = Path(tempfile.mkdtemp(prefix="yiping-day."))
    data = folder / "data"
    env = {
        **os.environ, "YIPING_DATA_DIR": str(data), "YIPING_WALL__LISTEN": "127.0.0.1:0", "YIPING_GATEWAY__LISTEN": "127.0.0.1:0",
        "YIPING_ADMIN__LISTEN": "127.0.0.1:0", "YIPING_CLICKHOUSE__HTTP_PORT": "0", "YIPING_CLICKHOUSE__TCP_PORT": "0",
    }
    story.start(folder / "yiping.log", story.YIPING, "run", "--target", "all", env=env)
    where = story.eventually("the system tells where it is", lambda: story.asked((data / "endpoints.json").as_uri()))
    story.eventually("it is ready", lambda: story.get(f"{where['admin']}/readyz"))
    env["YIPING_TOKEN"] = subprocess.run(
        [story.YIPING, "token", "new", "--name", "day", "--streams", "bus,parking,hotline,elder", "--rights", "set_received"],
        env=env, check=True, capture_output=True, text=True,
    ).stdout.strip()
    now = int(time.time())
    # (an order is answered, called back and due days after it was made)
    for stream, hours, scale, more in [
        ("bus", 26, "0.03", []),
        ("parking", 26, "0.1", ["--faults", "hostile"]),
        ("hotline", 240, "0.5", ["--incident", "heating-outage@238h+1h"]),
        ("elder", 26, "0.5", ["--incident", "sos-unanswered@1530m+1h"]),
    ]:
        begin = datetime.fromtimestamp(now - hours * 3600, timezone.utc).isoformat()
        told = folder / f"{stream}.ndjson"
        command = ["simulate", "--start", begin, "--duration", f"{hours}h", "--streams", stream, "--scale", scale, "--out", told, *more]
        subprocess.run([story.YIPING, *command], env=env, check=True, capture_output=True)
        subprocess.run([story.YIPING, "replay", "--stream", stream, "--settle", "none", "--data-dir", data, told], env=env, check=True, capture_output=True)
        print(f"  {time.time() - story.BEGAN:5.0f} s  {stream}: {told.stat().st_size >> 20} MB told", flush=True)
        told.unlink()
    clickhouse = panels.ClickHouse(where["clickhouse"], where["reader"]["user"], where["reader"]["password"])
    ask = f"SELECT count() = 16 FROM city.stream_status WHERE watermark >= toDateTime({now - 300})"
    story.eventually("all of it is stored", lambda: clickhouse.ask(ask)["data"][0][0], limit=1800)
    few, unanswered = {}, []

    def answered():
        """How many panels there are, once each shows something or has too few events for it. (`watch` judges after the rows are there.)"""
        # (rejects have the time at which they were refused: now)
        asked, empty = panels.run(clickhouse, now - 26 * 3600, int(time.time()), ask_all=True)
        few.clear()
        few.update({one: told for one in empty if (told := too_few(clickhouse, one[2]))})
        unanswered[:] = [one for one in empty if one[1] not in MAY_BE_EMPTY and one not in few]
        return not unanswered and asked

    try:
        asked = story.eventually("every panel shows something", answered, limit=300)
    except AssertionError as late:
        raise AssertionError(unanswered) from late
    for (dashboard, title, _), told in few.items():
        print(f"  {dashboard} {title}: {told}")
    assert len(few) < asked / 10, "a day that tells so little tests nothing"
    print(f"day: {asked} panels, {len(few)} of them with too few events for a figure, none empty; {time.time() - story.BEGAN:.0f} s")
    return folder


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: exit(143))
    try:
        done = main()
    finally:
        story.end()
    shutil.rmtree(done)
