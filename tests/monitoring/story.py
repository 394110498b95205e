"""End to end: Prometheus and Alertmanager beside the running system. Nobody answers an SOS; a car park platform falls silent and comes
back. Exactly the alerts of that are raised, they reach the right people in Chinese, hide what they should hide, and resolve."""

import http.server
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request
from datetime import datetime, timezone
from pathlib import Path

import panels

YIPING = os.path.abspath(os.environ.get("YIPING", "target/debug/yiping"))
# every source speaks at least this often here, so that silence takes seconds
EXPECTED_S = 4
# what a car park platform of the profile's end serves
DEAD, SERVES = "weihai/parking/rushan", {"city", "乳山市"}
# may be true of a machine that does other things, and nothing is expected of them here
TOLERATED = {"VisibleLateFast", "VisibleLateSteady", "VisibleLateSlow"}
EXPECTED = {"ElderSosOldestWaitSeconds", "ElderSosOldestWaitSecondsCritical", "SourceSilent", "ParkingFreeRatio"}
BEGAN = time.time()
children = []


def start(log, *command, **more):
    with open(log, "ab") as out:
        child = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, **more)
    children.append((child, log))
    return child


def eventually(what, condition, limit=180):
    """Waits for a condition; the limit ends a test that can't pass."""
    until = time.monotonic() + limit
    while True:
        for child, log in children:
            if child.poll() not in (None, 0):
                raise AssertionError(f"{child.args[:3]} ended with {child.poll()}:\n{Path(log).read_text()[-2000:]}")
        found = condition()
        if found:
            print(f"  {time.time() - BEGAN:5.0f} s  {what}", flush=True)
            return found
        assert time.monotonic() < until, f"waited {limit} s for: {what}"
        time.sleep(0.25)


def get(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read()
    except OSError:
        return None


def asked(url):
    raw = get(url)
    return json.loads(raw) if raw else None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class People(http.server.BaseHTTPRequestHandler):
    """Who is told: (receiver, alert)."""

    heard = []

    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.heard.extend((self.path.strip("/"), alert) for alert in message["alerts"])
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def told(receiver, name, status):
    return [a for r, a in People.heard if (r, a["labels"]["alertname"], a["status"]) == (receiver, name, status)]


def profile(folder):
    """Weihai with impatient expectations, and a limit that every car park is beyond."""
    shutil.copytree("deploy/cities/weihai", folder / "city")
    toml = folder / "city/city.toml"
    text = re.sub(r"^expected_s = \d+$", f"expected_s = {EXPECTED_S}", toml.read_text(), flags=re.M)
    text += '\n[[thresholds]]\nmetric = "parking.free_ratio"\nseverity = "w"\nlimit = 1.01\nfor = "0s"\nlevels = ["city", "district"]\n'
    toml.write_text(text)
    return folder / "city"


def watchers(folder, admin, env):
    """Prometheus and Alertmanager with what `yiping monitoring` makes of the profile; only the times between messages are shortened."""
    subprocess.run([YIPING, "monitoring", "--out", folder], env=env, check=True, capture_output=True)
    shutil.copy("deploy/prometheus/rules/system.yml", folder / "prometheus/rules")
    shutil.copy("deploy/alertmanager/yiping.tmpl", folder / "alertmanager")
    people = http.server.ThreadingHTTPServer(("127.0.0.1", 0), People)
    threading.Thread(target=people.serve_forever, daemon=True).start()
    routes = folder / "alertmanager/alertmanager.yml"
    text = routes.read_text().replace("127.0.0.1:9094", f"127.0.0.1:{people.server_address[1]}")
    text = re.sub(r"group_wait: [1-9]\d*s", "group_wait: 1s", re.sub(r"group_interval: \w+", "group_interval: 2s", text))
    routes.write_text(text)
    alertmanager, prometheus = free_port(), free_port()
    start(
        folder / "alertmanager.log", "prometheus-alertmanager", f"--config.file={routes}", f"--storage.path={folder}/am",
        f"--web.listen-address=127.0.0.1:{alertmanager}", "--cluster.listen-address=",
    )
    config = {
        "global": {"scrape_interval": "2s", "evaluation_interval": "2s", "scrape_timeout": "2s"},
        "rule_files": [f"{folder}/prometheus/rules/*.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager}"]}]}]},
        "scrape_configs": [{"job_name": "yiping", "sample_limit": 20000, "static_configs": [{"targets": [admin.removeprefix("http://")]}]}],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
    start(
        folder / "prometheus.log", "prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
        f"--web.listen-address=127.0.0.1:{prometheus}", "--log.level=warn",
    )
    return f"http://127.0.0.1:{prometheus}", f"http://127.0.0.1:{alertmanager}"


def feed(folder, city, gateway, env):
    """The simulator's story, which began 165 s ago: what was is told at once, the rest as it happens."""
    now = time.time()
    begin = datetime.fromtimestamp(int(now) - 165, timezone.utc).isoformat()
    stories = {
        "elder": ["sos-unanswered@10s+215s"],
        "parking": ["feed-dead-parking@178s+47s"],
    }
    token = subprocess.run(
        [YIPING, "token", "new", "--name", "story", "--streams", "parking,elder", "--rights", "set_received"],
        env=env, check=True, capture_output=True, text=True,
    ).stdout.strip()
    replays = []
    for stream, incidents in stories.items():
        options = [option for incident in incidents for option in ("--incident", incident)]
        told_story = subprocess.run(
            [YIPING, "simulate", "--start", begin, "--duration", "10m", "--streams", stream, "--profile", city, "--scale", "0.5", *options],
            env=env, check=True, capture_output=True, text=True,
        ).stdout.splitlines(keepends=True)
        received = lambda line: datetime.fromisoformat(json.loads(line)["receivedtime"].replace("Z", "+00:00")).timestamp()
        # (not by `replay`: at its end it lets time run on until every window has closed)
        past = "".join(line for line in told_story if received(line) < now).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"}
        urllib.request.urlopen(urllib.request.Request(f"{gateway}/v1/events", past, headers), timeout=60).close()
        (folder / f"{stream}.ndjson").write_text("".join(line for line in told_story if received(line) >= now))
        replays.append([YIPING, "replay", "--stream", stream, "--data-dir", env["YIPING_DATA_DIR"]])
    env = {**env, "YIPING_TOKEN": token}
    for command in replays:
        start(folder / f"replay-{command[3]}.log", *command, "--speed", "1", folder / f"{command[3]}.ndjson", env=env)


def main():
    folder = Path(tempfile.mkdtemp(prefix="yiping-monitoring."))
    data = folder / "data"
    city = profile(folder)
    env = {
        **os.environ, "YIPING_DATA_DIR": str(data), "YIPING_CITY__PROFILE": str(city), "YIPING_WALL__LISTEN": "127.0.0.1:0",
        "YIPING_GATEWAY__LISTEN": "127.0.0.1:0", "YIPING_ADMIN__LISTEN": "127.0.0.1:0", "YIPING_CLICKHOUSE__HTTP_PORT": "0",
        "YIPING_CLICKHOUSE__TCP_PORT": "0",
    }
    start(folder / "yiping.log", YIPING, "run", "--target", "all", env=env)
    where = eventually("the system tells where it is", lambda: asked((data / "endpoints.json").as_uri()))
    eventually("it is ready", lambda: get(f"{where['admin']}/readyz"))
    prometheus, alertmanager = watchers(folder, where["admin"], env)
    eventually("Alertmanager is ready", lambda: get(f"{alertmanager}/-/ready"))
    eventually("Prometheus is ready", lambda: get(f"{prometheus}/-/ready"))
    feed(folder, city, where["gateway"], env)
    print(f"  {time.time() - BEGAN:5.0f} s  the story is told", flush=True)

    # the panels' questions are asked while the story goes on
    reader = panels.ClickHouse(where["clickhouse"], where["reader"]["user"], where["reader"]["password"])
    answers = []
    asking = threading.Thread(target=lambda: answers.append(panels.run(reader, int(BEGAN) - 900, int(BEGAN) + 900, ask_all=False)), daemon=True)
    asking.start()

    fired = set()

    def firing():
        alerts = (asked(f"{prometheus}/api/v1/alerts") or {"data": {"alerts": []}})["data"]["alerts"]
        found = [alert for alert in alerts if alert["state"] == "firing"]
        fired.update(alert["labels"]["alertname"] for alert in found)
        return found

    def hidden():
        """key → whether Alertmanager hides ParkingFreeRatio there; None while a dead feed or the figures are not told yet."""
        firing()
        alerts = asked(f"{alertmanager}/api/v2/alerts") or []
        of = {a["labels"]["key"]: bool(a["status"]["inhibitedBy"]) for a in alerts if a["labels"]["alertname"] == "ParkingFreeRatio"}
        return of if len(of) >= 4 and SERVES <= set(of) else None

    def noticed(receiver, name, status):
        firing()
        return told(receiver, name, status)

    sos = eventually("an SOS that nobody answers reaches the people", lambda: noticed("sos", "ElderSosOldestWaitSeconds", "firing"))
    assert re.search("秒无人应答，超过 60 秒", sos[0]["annotations"]["summary"]) and "接听" in sos[0]["annotations"]["action"], sos
    silent = eventually("a silent source is told", lambda: noticed("operations", "SourceSilent", "firing"))
    assert {alert["labels"]["source"] for alert in silent} == {DEAD}, silent
    eventually(
        "it hides the figures of what it serves, and no others",
        lambda: (of := hidden()) and {key for key, is_hidden in of.items() if is_hidden} == SERVES,
    )
    eventually("three minutes without an answer: critical", lambda: noticed("sos", "ElderSosOldestWaitSecondsCritical", "firing"))
    eventually("the source is back, and that is told", lambda: noticed("operations", "SourceSilent", "resolved"))
    eventually("its figures are seen again", lambda: (of := hidden()) and not any(of.values()))
    eventually("the answered SOS is told", lambda: noticed("sos", "ElderSosOldestWaitSecondsCritical", "resolved"))
    eventually("and is over", lambda: not [a for a in firing() if a["labels"]["kind"] == "sos"])

    assert fired - TOLERATED == EXPECTED, f"expected {sorted(EXPECTED)}, got {sorted(fired)}"
    people = {(receiver, alert["labels"]["alertname"]) for receiver, alert in People.heard}
    owner = {receiver for receiver, name in people if name == "ParkingFreeRatio"}
    assert len(owner) == 1 and owner.pop().startswith("department-"), people
    metrics = subprocess.run(["promtool", "check", "metrics"], input=get(f"{where['admin']}/metrics"), capture_output=True)
    assert metrics.returncode == 0, metrics.stderr.decode() + metrics.stdout.decode()
    asking.join(180)
    assert answers, "a panel's question was not answered"
    count, _ = answers[0]
    asked_prometheus, none = panels.run_prometheus(prometheus)
    assert not none, none
    print(f"monitoring: exactly {len(EXPECTED)} alerts were raised, delivered and resolved; /metrics passes; ClickHouse")
    print(f"understands {count} panels, Prometheus answers {asked_prometheus}; {time.time() - BEGAN:.0f} s")
    return folder


def end():
    for child, _ in reversed(children):
        if child.poll() is None:
            child.send_signal(signal.SIGINT)
    for child, _ in children:
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: exit(143))
    try:
        done = main()
    finally:
        end()
    shutil.rmtree(done)
