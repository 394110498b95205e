"""The dashboards through Grafana's SDK and back: what it doesn't know would be lost. And what a linter asks of dashboards."""

import json

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

import panels


def lost(ours, theirs, path=""):
    """What of ours is not in theirs."""
    if isinstance(ours, dict):
        for key, value in ours.items():
            if key not in theirs:
                if value not in (None, [], {}, "", False):
                    yield f"{path}/{key}"
            else:
                yield from lost(value, theirs[key], f"{path}/{key}")
    elif isinstance(ours, list):
        if len(ours) != len(theirs):
            yield path
        for at, (a, b) in enumerate(zip(ours, theirs)):
            yield from lost(a, b, f"{path}/{at}")
    elif ours != theirs:
        yield f"{path}: {ours!r} is {theirs!r}"


def main():
    count = 0
    for dashboard in panels.dashboards():
        back = json.loads(json.dumps(Dashboard.from_json(dashboard), cls=JSONEncoder))
        gone = list(lost(dashboard, back))
        assert not gone, (dashboard["uid"], gone[:10])
        ids, places = set(), set()
        for panel in dashboard["panels"]:
            assert panel["id"] not in ids, panel
            ids.add(panel["id"])
            grid = panel["gridPos"]
            cells = {(x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])}
            assert grid["x"] + grid["w"] <= 24 and not cells & places, (dashboard["uid"], panel["title"])
            places |= cells
            assert panel["title"], panel
            if panel["type"] != "row":
                assert panel["targets"] and panel["datasource"]["uid"] in ("yiping-ch", "yiping-prom"), panel["title"]
                if panel["type"] in ("stat", "timeseries") and panel["datasource"]["uid"] == "yiping-ch":
                    assert panel["links"][0]["url"].startswith("${wall}/#metric="), panel["title"]
                assert panel["description"] or panel["title"] == "越限记录", panel["title"]
                count += 1
    print(f"dashboards: {count} panels survive the SDK's round trip")


main()
