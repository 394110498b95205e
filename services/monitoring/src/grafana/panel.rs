//! The forms of a panel.

use serde_json::{Value, json};
use yiping_catalogue::{Entry, Severity};
use yiping_watch::Rule;

use super::Ground;
use crate::words;

pub(crate) struct Panel {
    pub width: usize,
    pub height: usize,
    /// Without id and place.
    pub json: Value,
}

pub(crate) fn clickhouse() -> Value {
    json!({ "type": "grafana-clickhouse-datasource", "uid": "yiping-ch" })
}

fn prometheus() -> Value {
    json!({ "type": "prometheus", "uid": "yiping-prom" })
}

/// A question to ClickHouse: as a table, or as series over time (a column `time`, names, values).
pub(crate) fn sql(raw: &str, is_series: bool) -> Value {
    let (query_type, format) = if is_series { ("timeseries", 0) } else { ("table", 1) };
    json!({
        "refId": "A", "datasource": clickhouse(), "pluginVersion": "4.20.0", "editorType": "sql", "queryType": query_type,
        "format": format, "meta": {}, "rawSql": raw
    })
}

/// The way to the wall's desk: what is asked there about the same figure.
fn desk(address: &str) -> Value {
    json!([{
        "title": "大屏办公席", "type": "link", "url": format!("${{wall}}/#{address}"), "targetBlank": true, "icon": "external link", "tooltip": "",
        "tags": [], "asDropdown": false, "includeVars": false, "keepTime": false
    }])
}

/// A heading over the panels that follow.
pub(crate) fn row(title: &str) -> Panel {
    Panel { width: 24, height: 1, json: json!({ "type": "row", "title": title, "collapsed": false, "panels": [] }) }
}

pub(crate) fn table(title: &str, description: &str, width: usize, raw: &str) -> Panel {
    let json = json!({
        "type": "table", "title": title, "description": description, "datasource": clickhouse(), "targets": [sql(raw, false)],
        "fieldConfig": { "defaults": { "noValue": "无", "custom": { "align": "auto", "filterable": true } }, "overrides": [] },
        "options": { "showHeader": true, "cellHeight": "sm" }
    });
    Panel { width, height: 9, json }
}

/// Series of Prometheus over time.
pub(crate) fn prometheus_series(title: &str, description: &str, unit: &str, queries: &[(&str, &str)]) -> Panel {
    let targets: Vec<Value> = queries
        .iter()
        .enumerate()
        .map(|(at, (expr, legend))| {
            let id = char::from(b'A' + u8::try_from(at).unwrap_or(25)).to_string();
            json!({ "refId": id, "datasource": prometheus(), "expr": expr, "legendFormat": legend, "range": true, "instant": false })
        })
        .collect();
    let json = json!({
        "type": "timeseries", "title": title, "description": description, "datasource": prometheus(), "targets": targets,
        "fieldConfig": { "defaults": { "unit": unit, "noValue": "无数据", "custom": lines(false) }, "overrides": [] },
        "options": legend()
    });
    Panel { width: 8, height: 8, json }
}

fn lines(with_limits: bool) -> Value {
    let style = if with_limits { "dashed" } else { "off" };
    json!({
        "drawStyle": "line", "lineWidth": 2, "fillOpacity": 0, "showPoints": "never", "spanNulls": false,
        "thresholdsStyle": { "mode": style }
    })
}

fn legend() -> Value {
    json!({ "legend": { "displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": [] }, "tooltip": { "mode": "multi", "sort": "desc" } })
}

/// Grafana's name of a unit.
fn unit(entry: &Entry) -> &'static str {
    match entry.unit.as_str() {
        "ratio" => "percentunit",
        "s" => "s",
        "min" => "m",
        "km/h" => "velocitykmh",
        _ => "short",
    }
}

/// The city's limits of a metric over a span, that are numbers.
fn limits<'a>(ground: &'a Ground<'_>, entry: &Entry, span: &str) -> Vec<&'a Rule> {
    let is_number =
        |rule: &&Rule| !rule.threshold.norm && rule.threshold.of.is_none() && !rule.is_surge && rule.keys.is_empty();
    let at = |rule: &&Rule| {
        rule.metric == entry.id && rule.threshold.is_at("city") && rule.spans.iter().any(|name| name == span)
    };
    ground.rules.all.iter().filter(at).filter(is_number).collect()
}

/// Colours as Grafana has them: each from a value on upwards.
fn steps(ground: &Ground<'_>, entry: &Entry, span: &str) -> Value {
    let rules = limits(ground, entry, span);
    let colour = |severity: Severity| if severity == Severity::Critical { "red" } else { "orange" };
    let upwards = rules.iter().all(|rule| rule.threshold.when.is_upwards());
    let mut sorted: Vec<(f64, Severity)> =
        rules.iter().map(|rule| (rule.threshold.limit, rule.threshold.severity)).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut steps = Vec::new();
    if upwards {
        steps.push(json!({ "color": "green", "value": null }));
        steps.extend(sorted.iter().map(|(limit, severity)| json!({ "color": colour(*severity), "value": limit })));
    } else {
        let mut from = Value::Null;
        for (limit, severity) in sorted {
            steps.push(json!({ "color": colour(severity), "value": from }));
            from = limit.into();
        }
        steps.push(json!({ "color": "green", "value": from }));
    }
    json!({ "mode": "absolute", "steps": steps })
}

/// The formula, and the limits in words.
fn description(ground: &Ground<'_>, entry: &Entry) -> String {
    let mut text = format!("{}。最少样本 {}，低于它不显示数值。", entry.formula_zh.trim_end_matches('。'), entry.min_n);
    for rule in ground.rules.all.iter().filter(|rule| rule.metric == entry.id) {
        let limit = &rule.threshold;
        let level = if limit.severity == Severity::Critical { "严重" } else { "警告" };
        let unit = if limit.norm || limit.of.is_some() { "ratio" } else { entry.unit.as_str() };
        let of = limit.of.as_deref().and_then(|of| ground.catalogue.entry(of)).map_or("", |of| of.name_zh.as_str());
        let of = if limit.norm { "近四周同时段中位数 ×" } else { of };
        let spans: Vec<&str> = rule.spans.iter().map(|span| words::span(span)).collect();
        let whose = if rule.keys.is_empty() { String::new() } else { format!("（{}）", rule.keys.join("、")) };
        if rule.is_surge {
            continue;
        }
        text += &format!(
            "\n{level}{whose}：{} {of} {}（{}）。{}：{}",
            limit.when.as_str(),
            words::value(limit.limit, unit),
            spans.join("、"),
            limit.owner,
            limit.action
        );
    }
    text
}

/// The newest value of the city.
pub(crate) fn stat(ground: &Ground<'_>, entry: &Entry, span: &str) -> Panel {
    let raw = format!(
        "SELECT value FROM city.metrics_latest WHERE metric = '{}' AND level = 'city' AND key = 'city' AND span = '{span}'",
        entry.id
    );
    let json = json!({
        "type": "stat", "title": format!("{}（{}）", entry.name_zh, words::span(span)), "description": description(ground, entry),
        "datasource": clickhouse(), "targets": [sql(&raw, false)], "links": desk(&format!("metric={}&span={span}&back=24h", entry.id)),
        "fieldConfig": { "defaults": { "unit": unit(entry), "noValue": "无数据", "thresholds": steps(ground, entry, span), "color": { "mode": "thresholds" } }, "overrides": [] },
        "options": { "colorMode": "value", "graphMode": "none", "justifyMode": "auto", "textMode": "auto",
                     "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": false } }
    });
    Panel { width: 4, height: 4, json }
}

/// A figure over time: the city, and the keys that the dashboard's variables choose.
pub(crate) fn series(ground: &Ground<'_>, entry: &Entry, span: &str, variables: &[&str]) -> Panel {
    let chosen: Vec<String> = variables
        .iter()
        .filter(|level| entry.levels.iter().any(|name| name == *level))
        .map(|level| format!(" OR (level = '{level}' AND key IN ('', ${{{level}:singlequote}}))"))
        .collect();
    let place = if entry.levels.iter().any(|level| level == "city") { "level = 'city'" } else { "1 = 1" };
    let raw = format!(
        "SELECT $__timeInterval(window_end) AS time, if(key = 'city', '全市', key) AS name, argMax(value, window_end) AS value\n\
         FROM city.metrics\nWHERE metric = '{}' AND span = '{span}' AND ({place}{}) AND $__timeFilter(window_end)\n\
         GROUP BY time, name ORDER BY time",
        entry.id,
        chosen.concat()
    );
    let has_limits = !limits(ground, entry, span).is_empty();
    let json = json!({
        "type": "timeseries", "title": format!("{}（{}）", entry.name_zh, words::span(span)), "description": description(ground, entry),
        "datasource": clickhouse(), "targets": [sql(&raw, true)], "links": desk(&format!("metric={}&span={span}&back=24h", entry.id)),
        "fieldConfig": { "defaults": { "unit": unit(entry), "noValue": "无数据", "thresholds": steps(ground, entry, span), "custom": lines(has_limits) }, "overrides": [] },
        "options": legend()
    });
    Panel { width: 8, height: 8, json }
}

/// The worst keys of a level.
pub(crate) fn ranking(ground: &Ground<'_>, entry: &Entry, span: &str, level: &str) -> Panel {
    let worst_first = match limits(ground, entry, span).first() {
        Some(rule) => rule.threshold.when.is_upwards(),
        None => entry.higher_is == yiping_catalogue::Direction::Worse,
    };
    let order = if worst_first { "DESC" } else { "ASC" };
    let raw = format!(
        "SELECT key AS `{}`, value AS `{}`, n AS `样本`, window_end AS `截至`\nFROM city.metrics_latest\n\
         WHERE metric = '{}' AND level = '{level}' AND span = '{span}' AND value IS NOT NULL\nORDER BY value {order} LIMIT 20",
        words::level(level),
        entry.name_zh,
        entry.id
    );
    let mut panel = table(
        &format!("{} · {}排行（{}）", entry.name_zh, words::level(level), words::span(span)),
        &description(ground, entry),
        8,
        &raw,
    );
    panel.json["fieldConfig"]["overrides"] = json!([{
        "matcher": { "id": "byName", "options": entry.name_zh },
        "properties": [{ "id": "unit", "value": unit(entry) }, { "id": "thresholds", "value": steps(ground, entry, span) },
                       { "id": "custom.cellOptions", "value": { "type": "color-text" } }]
    }]);
    panel
}

pub(crate) fn breaches(stream: Option<&str>) -> Panel {
    let of = stream.map(|stream| format!(" AND startsWith(metric, '{stream}.')")).unwrap_or_default();
    let raw = format!(
        "SELECT opened_at AS `开始`, closed_at AS `结束`, metric AS `指标`, key AS `范围`, span AS `时间窗`, severity AS `级别`, \
         value AS `开始时`, worst AS `最差`, threshold AS `限值`, owner AS `部门`, action AS `处置`\nFROM city.breaches\n\
         WHERE (closed_at IS NULL OR closed_at >= $__fromTime) AND opened_at <= $__toTime{of}\nORDER BY closed_at IS NULL DESC, opened_at DESC LIMIT 200"
    );
    let about = "越过限值的指标：未结束的在前。限值、部门与处置来自指标目录与城市配置。";
    let mut panel = table("越限记录", about, 24, &raw);
    panel.json["links"] = desk("alarms");
    panel
}
