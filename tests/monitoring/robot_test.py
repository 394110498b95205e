"""deploy/alertmanager/robot.py: what it sends to a robot, and what it tells Alertmanager when it can't."""

import http.server
import importlib.util
import json
import tempfile
import threading
import urllib.error
import urllib.request

spec = importlib.util.spec_from_file_location("robot", "deploy/alertmanager/robot.py")
robot = importlib.util.module_from_spec(spec)
spec.loader.exec_module(robot)

FIRING = {
    "status": "firing",
    "labels": {"severity": "critical", "department": "12349 养老服务中心"},
    "annotations": {"summary": "环翠区 有求助 200 秒无人应答，超过 180 秒", "action": "值班长介入", "runbook": "runbooks/x.md", "wall": "/#metric=elder.sos_unacked&span=now&back=24h"},
    "startsAt": "2026-11-20T00:00:05.123Z",
    "endsAt": "0001-01-01T00:00:00Z",
}
RESOLVED = {**FIRING, "status": "resolved", "endsAt": "2026-11-20T08:03:05+08:00"}


class Group(http.server.BaseHTTPRequestHandler):
    """A group's robot."""

    heard = []
    answer = {"errcode": 0}

    def do_POST(self):
        self.heard.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
        raw = json.dumps(self.answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_):
        pass


def serve(handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def post(port, path, alerts):
    raw = json.dumps({"alerts": alerts, "commonLabels": {"department": "12349 养老服务中心"}}).encode()
    try:
        return urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}{path}", raw), timeout=10).status
    except urllib.error.HTTPError as error:
        return error.code


def main():
    with tempfile.TemporaryDirectory() as folder:
        group = serve(Group)
        with open(f"{folder}/url", "w") as file:
            file.write(f"http://127.0.0.1:{group}/send?key=k\n")
        with open(f"{folder}/secret", "w") as file:
            file.write("SEC1\n")
        robot.Handler.robots = {
            "sos": {"kind": "wecom", "url_file": f"{folder}/url", "wall": "http://wall:8080/"},
            "operations": {"kind": "dingtalk", "url_file": f"{folder}/url", "secret_file": f"{folder}/secret"},
        }
        port = serve(robot.Handler)
        assert post(port, "/sos", [FIRING]) == 200
        path, body = Group.heard.pop()
        assert path == "/send?key=k" and body["msgtype"] == "markdown", body
        text = body["markdown"]["content"]
        assert text.startswith("### 【严重】环翠区 有求助 200 秒") and "处置：值班长介入" in text and "11-20 08:00:05" in text, text
        assert "[在大屏上看](http://wall:8080/#metric=elder.sos_unacked&span=now&back=24h)" in text, text
        assert post(port, "/sos", [RESOLVED]) == 200
        text = Group.heard.pop()[1]["markdown"]["content"]
        assert text.startswith("### 【恢复】") and "11-20 08:03:05" in text, text
        assert post(port, "/operations", [FIRING] * 200) == 200
        path, body = Group.heard.pop()
        assert "&timestamp=" in path and "&sign=" in path and body["markdown"]["title"] == "【严重】200 条告警（12349 养老服务中心）", (path, body)
        assert len(body["markdown"]["text"].encode()) <= 4200 and "在大屏上看" not in body["markdown"]["text"]
        # signed as DingTalk's page says: HMAC-SHA256 over "timestamp\nsecret", base64, then URL-encoded
        assert robot.signed("u?a=1", "this is secret", 1).startswith("u?a=1&timestamp=1&sign=")
        assert post(port, "/nobody", [FIRING]) == 404
        Group.answer = {"errcode": 93000, "errmsg": "invalid webhook url"}
        assert post(port, "/sos", [FIRING]) == 502, "a robot's refusal must be sent again"
    print("robot: messages as 企业微信 and 钉钉 take them")


main()
