"""Every alert reaches the people that it is for, by Alertmanager's own word."""

import glob
import re
import subprocess

CONFIG = "deploy/alertmanager/alertmanager.yml"


def receivers(**labels):
    command = ["amtool", "config", "routes", "test", f"--config.file={CONFIG}", *(f"{k}={v}" for k, v in labels.items())]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def main():
    cases = [
        # SOS first, whatever else is said of it
        (dict(kind="sos", stream="elder", severity="critical", department="12349 养老服务中心"), ["sos"]),
        (dict(kind="figure", stream="elder", severity="warning", department="12349 养老服务中心"), ["elder"]),
        (dict(kind="figure", stream="elder", severity="critical", department="12349 养老服务中心"), ["elder"]),
        (dict(kind="feed", stream="elder", severity="critical", department="运维"), ["operations"]),
        (dict(kind="pipeline", stream="bus", severity="critical", department="运维"), ["operations"]),
        (dict(kind="wall", severity="warning", department="运维"), ["operations"]),
        # nobody's: the operators hear of it
        (dict(kind="figure", stream="bus", severity="warning", department="没有登记的部门"), ["operations"]),
    ]
    for labels, expected in cases:
        assert receivers(**labels) == expected, (labels, receivers(**labels), expected)
    text = open(CONFIG, encoding="utf-8").read()
    owners = set()
    for path in glob.glob("deploy/prometheus/rules/figures-*.yml"):
        if not path.endswith("-elder.yml"):
            owners |= set(re.findall(r'department: "(.+)"', open(path, encoding="utf-8").read()))
    assert len(owners) >= 3, owners
    for owner in sorted(owners):
        (receiver,) = receivers(kind="figure", severity="warning", department=owner)
        assert receiver.startswith("department-") and f"  - name: {receiver} # {owner}\n" in text, (owner, receiver)
    # every alert has a page, and every page an alert
    alerts = set()
    pages = set()
    for path in glob.glob("deploy/prometheus/rules/*.yml"):
        rules = open(path, encoding="utf-8").read()
        alerts |= set(re.findall(r"- alert: (\w+)", rules))
        pages |= set(re.findall(r'runbook: "?(runbooks/[\w./]+\.md)', rules))
    there = {page.removeprefix("deploy/") for page in glob.glob("deploy/runbooks/**/*.md", recursive=True)} - {"runbooks/README.md"}
    assert pages == there, pages ^ there
    told = "".join(open(f"deploy/{page}", encoding="utf-8").read() for page in pages)
    untold = [alert for alert in alerts if f"`{alert}`" not in told and f"`{alert.removesuffix('Critical')}`" not in told]
    assert not untold, untold
    # a series that nobody makes would never alarm anybody
    source = "".join(open(path, encoding="utf-8").read() for path in glob.glob("services/*/src/**/*.rs", recursive=True))
    named = set(re.findall(r"yiping_[a-z_]+", open("deploy/prometheus/rules/system.yml", encoding="utf-8").read()))
    unknown = [name for name in named if re.sub(r"_(bucket|count|sum)$", "", name) not in source]
    assert len(named) > 12 and not unknown, unknown
    print(f"routes: {len(cases) + len(owners)} alerts go where they should; {len(alerts)} alerts have a page")


main()
