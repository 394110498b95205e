"""The dashboards' questions, asked as Grafana's plugins would: macros expanded, variables filled in, the columns' types looked at."""

import glob
import json
import re
import urllib.parse
import urllib.request


class ClickHouse:
    def __init__(self, url, user, password):
        self.url, self.user, self.password = url, user, password

    def ask(self, sql, tries=3):
        """{meta: [{name, type}], data: [...]}. A busy machine is no fault of the question: what timed out is asked again, and that is told."""
        request = urllib.request.Request(
            f"{self.url}/?default_format=JSONCompact", sql.encode(), {"X-ClickHouse-User": self.user, "X-ClickHouse-Key": self.password}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            said = error.read().decode()[:600]
            if "TIMEOUT_EXCEEDED" in said and tries > 1:
                print(f"  asked again, since ClickHouse was too busy: {sql}\n  {said}", flush=True)
                return self.ask(sql, tries - 1)
            raise AssertionError(f"{sql}\n{said}") from None


def expanded(sql, variables, since, until, interval_s=60):
    """As grafana-clickhouse-datasource 4.20 does it."""
    sql = re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 >= toDateTime({since}) AND \1 <= toDateTime({until})", sql)
    sql = re.sub(r"\$__timeInterval\((\w+)\)", rf"toStartOfInterval(toDateTime(\1), INTERVAL {interval_s} second)", sql)
    sql = sql.replace("$__fromTime", f"toDateTime({since})").replace("$__toTime", f"toDateTime({until})")

    def chosen(match):
        return ",".join("'" + value.replace("'", "\\'") + "'" for value in variables[match[1]])

    sql = re.sub(r"\$\{(\w+):singlequote\}", chosen, sql)
    assert "$" not in sql, sql
    return sql


def dashboards():
    for path in sorted(glob.glob("deploy/grafana/dashboards/*.json")):
        with open(path, encoding="utf-8") as file:
            yield json.load(file)


def variables(dashboard, clickhouse):
    values = {}
    for variable in dashboard["templating"]["list"]:
        if variable["type"] != "query":
            continue
        found = [row[0] for row in clickhouse.ask(variable["query"])["data"]]
        # Grafana puts a variable that chose nothing as an empty text
        values[variable["name"]] = (found if variable["includeAll"] else found[:1]) or [""]
    return values


def check(panel, meta):
    types = {column["name"]: column["type"] for column in meta}
    if panel["type"] == "timeseries":
        assert list(types) == ["time", "name", "value"], types
        assert types["time"].startswith("DateTime"), types
        assert "String" in types["name"], types
        assert types["value"] in ("Nullable(Float64)", "Float64"), types
    elif panel["type"] == "stat":
        assert types in ({"value": "Nullable(Float64)"}, {"value": "Float64"}), types
    else:
        assert panel["type"] == "table" and len(types) == len(meta) >= 2, types


def run(clickhouse, since, until, ask_all):
    """Every panel's question is one that ClickHouse understands, with the columns that the panel needs; `ask_all`: it is also answered.
    How many, and which got no value: [(dashboard, title, sql)]."""
    asked, empty, known = 0, [], {}
    for dashboard in dashboards():
        chosen = variables(dashboard, clickhouse)
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                if "rawSql" not in target:
                    continue
                sql = expanded(target["rawSql"], chosen, since, until)
                asked += 1
                if not ask_all:
                    # questions that differ by their metric, place and span only have the same columns
                    form = re.sub(r"'[^']*'", "''", sql)
                    if form not in known:
                        known[form] = clickhouse.ask(f"DESCRIBE ({sql})")["data"]
                    check(panel, [{"name": row[0], "type": row[1]} for row in known[form]])
                    continue
                answer = clickhouse.ask(sql)
                check(panel, answer["meta"])
                at = {"timeseries": 2, "stat": 0}.get(panel["type"])
                rows = [row for row in answer["data"] if at is None or row[at] is not None]
                if not rows:
                    empty.append((dashboard["uid"], panel["title"], sql))
    assert asked > 100, asked
    return asked, empty


def run_prometheus(base):
    """Every question to Prometheus is one; which have no answer: [(dashboard, title, expr)]."""
    asked, empty = 0, []
    for dashboard in dashboards():
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                if "expr" not in target:
                    continue
                url = f"{base}/api/v1/query?" + urllib.parse.urlencode({"query": target["expr"]})
                with urllib.request.urlopen(url, timeout=30) as answer:
                    said = json.load(answer)
                assert said["status"] == "success", said
                asked += 1
                if not said["data"]["result"]:
                    empty.append((dashboard["uid"], panel["title"], target["expr"]))
    assert asked > 10, asked
    return asked, empty
