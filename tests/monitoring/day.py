"""A simulated day behind every panel: none is empty. Takes some minutes; `tests/monitoring/run --full` runs it."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

import panels
import story

# what may have nothing to show on a good day: (dashboard, panel) or panel
MAY_BE_EMPTY = {"待补算的过晚事件"}


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
    begin = datetime.fromtimestamp(now - 26 * 3600, timezone.utc).isoformat()
    for stream, scale, more in [
        ("bus", "0.03", []),
        ("parking", "0.1", ["--faults", "hostile"]),
        ("hotline", "0.5", ["--incident", "heating-outage@24h+1h"]),
        ("elder", "0.5", ["--incident", "sos-unanswered@1530m+1h"]),
    ]:
        told = folder / f"{stream}.ndjson"
        command = ["simulate", "--start", begin, "--duration", "26h", "--streams", stream, "--scale", scale, "--out", told, *more]
        subprocess.run([story.YIPING, *command], env=env, check=True, capture_output=True)
        subprocess.run([story.YIPING, "replay", "--stream", stream, "--settle", "none", "--data-dir", data, told], env=env, check=True, capture_output=True)
        print(f"  {time.time() - story.BEGAN:5.0f} s  {stream}: {told.stat().st_size >> 20} MB told", flush=True)
        told.unlink()
    clickhouse = panels.ClickHouse(where["clickhouse"], where["reader"]["user"], where["reader"]["password"])
    ask = f"SELECT count() = 16 FROM city.stream_status WHERE watermark >= toDateTime({now - 300})"
    story.eventually("all of it is stored", lambda: clickhouse.ask(ask)["data"][0][0], limit=1800)
    # (rejects have the time at which they were refused: now)
    asked, empty = panels.run(clickhouse, now - 26 * 3600, int(time.time()), ask_all=True)
    empty = [one for one in empty if one[1] not in MAY_BE_EMPTY]
    assert not empty, empty
    print(f"day: {asked} panels, none empty; {time.time() - story.BEGAN:.0f} s")
    return folder


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: exit(143))
    try:
        done = main()
    finally:
        story.end()
    shutil.rmtree(done)
