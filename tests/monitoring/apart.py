"""Every target a process of its own, on a Kafka and a ClickHouse that were started by themselves, as deploy/README.md has it on a plain
machine: one is killed in the middle and replaced, and nothing is lost or counted twice. KAFKA_BROKERS names the broker."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import panels
import story

TARGETS = ["gateway", "bus", "parking", "hotline", "elder", "wall"]


def main():
    folder = Path(tempfile.mkdtemp(prefix="yiping-apart."))
    base = {
        **os.environ, "YIPING_WALL__LISTEN": "127.0.0.1:0", "YIPING_GATEWAY__LISTEN": f"127.0.0.1:{story.free_port()}",
        "YIPING_ADMIN__LISTEN": "127.0.0.1:0", "YIPING_CLICKHOUSE__HTTP_PORT": "0", "YIPING_CLICKHOUSE__TCP_PORT": "0",
    }
    # a ClickHouse server: the one that `watch` brings along
    host = {**base, "YIPING_DATA_DIR": str(folder / "watch")}
    story.start(folder / "watch.log", story.YIPING, "run", "--target", "watch", env=host)
    where = story.eventually("ClickHouse is there", lambda: story.asked((folder / "watch/endpoints.json").as_uri()))
    writer = (folder / "watch/clickhouse/credentials").read_text().split()[0]
    (folder / "password").write_text(writer)
    env = {
        **base, "YIPING_DATA_DIR": str(folder / "data"), "YIPING_LOG__URL": f"kafka://{os.environ['KAFKA_BROKERS']}",
        "YIPING_CLICKHOUSE__URL": where["clickhouse"], "YIPING_CLICKHOUSE__USER": "yiping_writer",
        "YIPING_CLICKHOUSE__PASSWORD_FILE": str(folder / "password"),
    }
    subprocess.run([story.YIPING, "check"], env=env, check=True, capture_output=True)
    (folder / "data").mkdir()
    subprocess.run([story.YIPING, "key", "new", "--for", "pseudonyms"], env=env, check=True, capture_output=True)
    admins, processes = {}, {}

    def run(target):
        admins[target] = f"127.0.0.1:{story.free_port()}"
        processes[target] = story.start(
            folder / f"{target}.log", story.YIPING, "run", "--target", target, env={**env, "YIPING_ADMIN__LISTEN": admins[target]}
        )

    for target in TARGETS:
        run(target)
    for target in TARGETS:
        story.eventually(f"{target} is ready", lambda: story.get(f"http://{admins[target]}/readyz"))
    token = subprocess.run(
        [story.YIPING, "token", "new", "--name", "apart", "--streams", "parking", "--rights", "set_received"],
        env=env, check=True, capture_output=True, text=True,
    ).stdout.strip()
    told = subprocess.run(
        [story.YIPING, "simulate", "--start", "2026-11-20T08:00:00+08:00", "--duration", "40m", "--streams", "parking", "--scale", "0.2"],
        env=env, check=True, capture_output=True, text=True,
    ).stdout.splitlines(keepends=True)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"}
    url = f"http://{base['YIPING_GATEWAY__LISTEN']}/v1/events"
    for at in range(0, len(told), 1000):
        raw = "".join(told[at : at + 1000]).encode()
        with urllib.request.urlopen(urllib.request.Request(url, raw, headers), timeout=60) as answer:
            assert not (refused := json.load(answer)["rejected"]), refused[:3]
        if at // 1000 == len(told) // 2000:
            killed = processes["parking"]
            story.children.remove(next(known for known in story.children if known[0] is killed))
            killed.kill()
            killed.wait()
            run("parking")
    events = sum(1 for line in told if '"type":"city.tick"' not in line.replace(" ", ""))
    reader = panels.ClickHouse(where["clickhouse"], where["reader"]["user"], where["reader"]["password"])
    count = "SELECT toUInt64(sum(accepted)), toUInt64(sum(duplicates)), toUInt64(sum(late)) FROM city.stream_status WHERE stream = 'parking'"

    def stored():
        accepted, *_ = reader.ask(count)["data"][0]
        return int(accepted) >= events

    story.eventually(f"all {events} events are counted", stored, limit=300)
    accepted, duplicates, late = (int(number) for number in reader.ask(count)["data"][0])
    assert (accepted, duplicates, late) == (events, 0, 0), (accepted, duplicates, late, events)
    print(f"apart: seven processes, Kafka and ClickHouse; one killed and replaced; {events} events, each counted once; {time.time() - story.BEGAN:.0f} s")
    return folder


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: exit(143))
    try:
        done = main()
    finally:
        story.end()
    shutil.rmtree(done)
