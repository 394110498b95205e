#!/usr/bin/env python3
"""Alertmanager 的 webhook → 企业微信、钉钉群机器人。

    robot.py --config /etc/yiping/robots/robots.json [--listen 127.0.0.1:9094]

robots.json：每个 Alertmanager 收件人（alertmanager.yml 的 receivers）一个机器人；url_file 里是机器人地址（秘密，权限 0600）：

    {"sos":        {"kind": "wecom",    "url_file": "/etc/yiping/robots/sos"},
     "operations": {"kind": "dingtalk", "url_file": "/etc/yiping/robots/operations", "secret_file": "/etc/yiping/robots/operations.secret",
                    "wall": "http://大屏主机:8080"}}

写了 "wall" 的，每条告警带上大屏里那个指标的链接；大屏的令牌不进消息，第一次打开的人自己带。
没有登记的收件人答 404，机器人不可达或拒绝答 502：Alertmanager 会重发。只用 Python 3 标准库。
"""

import argparse
import base64
import hashlib
import hmac
import json
import sys
import time
import urllib.parse
import urllib.request
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LEVELS = {"critical": "严重", "warning": "警告", "info": "提示"}
LONGEST = 4000  # 企业微信 markdown 4096 字节，钉钉约 20000
CITY = timezone(timedelta(hours=8))


def clock(text):
    """RFC 3339 → 城市时间。"""
    head = text.split(".")[0].rstrip("Z")
    zone = text[len(text.split("+")[0]) :] if "+" in text[10:] else "+00:00"
    return datetime.fromisoformat(head.split("+")[0] + zone).astimezone(CITY).strftime("%m-%d %H:%M:%S")


def title(message):
    alerts = message["alerts"]
    firing = [alert for alert in alerts if alert["status"] == "firing"]
    if not firing:
        return f"【恢复】{alerts[0]['annotations'].get('summary', '')}" if len(alerts) == 1 else f"【恢复】{len(alerts)} 条告警"
    order = list(LEVELS)
    worst = min((alert["labels"].get("severity", "info") for alert in firing), key=order.index)
    if len(firing) == 1:
        return f"【{LEVELS[worst]}】{firing[0]['annotations'].get('summary', '')}"
    return f"【{LEVELS[worst]}】{len(firing)} 条告警（{message.get('commonLabels', {}).get('department', '多个部门')}）"


def lines(message, wall):
    for alert in sorted(message["alerts"], key=lambda alert: alert["status"]):
        notes = alert["annotations"]
        summary = notes.get("summary", alert["labels"].get("alertname", ""))
        if alert["status"] == "firing":
            yield f"**{summary}**"
            if notes.get("action"):
                yield f"> 处置：{notes['action']}"
            link = f"　[在大屏上看]({wall.rstrip('/')}{notes['wall']})" if wall and notes.get("wall") else ""
            yield f"> 开始：{clock(alert['startsAt'])}　手册：{notes.get('runbook', '—')}{link}"
        else:
            yield f"已恢复：{summary}（{clock(alert['endsAt'])}）"


def markdown(message, wall=None):
    text = "\n".join([f"### {title(message)}", *lines(message, wall)])
    raw = text.encode()
    return text if len(raw) <= LONGEST else raw[: LONGEST - 10].decode(errors="ignore") + "\n……"


def body(kind, message, wall=None):
    """机器人的请求体。"""
    if kind == "wecom":
        return {"msgtype": "markdown", "markdown": {"content": markdown(message, wall)}}
    if kind == "dingtalk":
        text = markdown(message, wall).replace("\n", "  \n")
        return {"msgtype": "markdown", "markdown": {"title": title(message), "text": text}}
    raise ValueError(f"未知的机器人种类 {kind}：wecom 或 dingtalk")


def signed(url, secret, now_ms):
    """钉钉“加签”。"""
    if not secret:
        return url
    digest = hmac.new(secret.encode(), f"{now_ms}\n{secret}".encode(), hashlib.sha256).digest()
    return f"{url}&timestamp={now_ms}&sign={urllib.parse.quote_plus(base64.b64encode(digest))}"


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read().strip()


def send(robot, message):
    secret = read(robot["secret_file"]) if "secret_file" in robot else None
    url = signed(read(robot["url_file"]), secret, round(time.time() * 1000))
    request = urllib.request.Request(
        url, json.dumps(body(robot["kind"], message, robot.get("wall"))).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        said = json.load(answer)
    if said.get("errcode", 0) != 0:
        raise OSError(f"机器人拒绝：{said.get('errcode')} {said.get('errmsg', '')}")


class Handler(BaseHTTPRequestHandler):
    robots = {}

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        if length > 4 << 20:
            return self.answer(413, "过大")
        message = self.rfile.read(length)
        robot = self.robots.get(self.path.strip("/"))
        if robot is None:
            return self.answer(404, "没有登记的收件人；有：" + " ".join(self.robots))
        try:
            send(robot, json.loads(message))
        except Exception as error:  # 无论为何没有送到，Alertmanager 都要知道
            return self.answer(502, str(error))
        self.answer(200, "ok")

    def answer(self, status, text):
        if status != 200:
            print(f"{self.path}: {status} {text}", file=sys.stderr)
        raw = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_):
        """成功的不记。"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", required=True)
    parser.add_argument("--listen", default="127.0.0.1:9094")
    arguments = parser.parse_args()
    with open(arguments.config, encoding="utf-8") as file:
        Handler.robots = json.load(file)
    for name, robot in Handler.robots.items():
        body(robot["kind"], {"alerts": [{"status": "firing", "labels": {}, "annotations": {}, "startsAt": "2026-01-01T00:00:00Z"}]})
        read(robot["url_file"])
    host, port = arguments.listen.rsplit(":", 1)
    ThreadingHTTPServer((host, int(port)), Handler).serve_forever()


if __name__ == "__main__":
    main()
