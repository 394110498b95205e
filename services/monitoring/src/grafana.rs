//! Grafana's dashboards: one for the city, one for each stream, one for the pipeline itself. Titles, formulas, units and limits are the
//! catalogue's; every panel asks ClickHouse as the reader, or Prometheus about the processes.

mod panel;
mod pipeline;
mod stream;

use serde_json::{Value, json};
use yiping_catalogue::Catalogue;
use yiping_city::City;
use yiping_event::Stream;
use yiping_watch::{RuleError, Rules};

use crate::words;
use panel::Panel;

/// Width of Grafana's grid.
const COLUMNS: usize = 24;

/// What every dashboard is made of.
pub(crate) struct Ground<'a> {
    pub catalogue: &'a Catalogue,
    pub rules: Rules,
}

/// (file name, text) of each dashboard.
pub(crate) fn dashboards(catalogue: &Catalogue, city: &City) -> Result<Vec<(String, String)>, RuleError> {
    let ground = Ground { catalogue, rules: Rules::new(catalogue, city)? };
    let mut all = vec![dashboard("yiping-city", &format!("一屏 · {}总览", city.name), &[], &stream::overview(&ground))];
    for stream in Stream::ALL {
        let name = stream.as_str();
        let title = format!("一屏 · {}", words::stream(name));
        all.push(dashboard(&format!("yiping-{name}"), &title, stream::variables(name), &stream::panels(&ground, name)));
    }
    all.push(dashboard("yiping-pipeline", "一屏 · 数据管道", &[], &pipeline::panels()));
    let text = |dashboard: &Value| format!("{dashboard:#}\n");
    Ok(all
        .iter()
        .map(|dashboard| (format!("{}.json", dashboard["uid"].as_str().unwrap_or_default()), text(dashboard)))
        .collect())
}

/// A variable: keys of one level.
pub(crate) struct Variable {
    pub name: &'static str,
    pub label: &'static str,
    pub stream: &'static str,
    /// Whether all are chosen at first; else none is.
    pub all: bool,
}

fn dashboard(uid: &str, title: &str, variables: &[Variable], panels: &[Panel]) -> Value {
    let mut list: Vec<Value> = variables
        .iter()
        .map(|variable| {
            let sql = format!(
                "SELECT DISTINCT key FROM city.metrics_latest WHERE stream = '{}' AND level = '{}' AND key != '' ORDER BY key",
                variable.stream, variable.name
            );
            let current =
                if variable.all { json!({ "text": ["All"], "value": ["$__all"] }) } else { json!({ "text": [], "value": [] }) };
            json!({
                "type": "query", "name": variable.name, "label": variable.label, "datasource": panel::clickhouse(), "query": sql,
                "multi": true, "includeAll": variable.all, "current": current, "refresh": 1, "sort": 0, "hide": 0, "skipUrlSync": false
            })
        })
        .collect();
    list.push(json!({
        "type": "textbox", "name": "wall", "label": "大屏地址", "query": "http://127.0.0.1:8080", "hide": 0, "skipUrlSync": false,
        "current": { "text": "http://127.0.0.1:8080", "value": "http://127.0.0.1:8080" }
    }));
    json!({
        "uid": uid, "title": title, "tags": ["yiping"], "schemaVersion": 39, "version": 1, "editable": false,
        "timezone": "browser", "refresh": "30s", "time": { "from": "now-6h", "to": "now" }, "graphTooltip": 1, "weekStart": "monday",
        "fiscalYearStartMonth": 0, "annotations": { "list": [] },
        "links": [
            { "title": "其他一屏面板", "type": "dashboards", "tags": ["yiping"], "asDropdown": true, "includeVars": false, "keepTime": true,
              "targetBlank": false, "icon": "external link", "tooltip": "", "url": "" },
            { "title": "大屏（点指标看公式与历史）", "type": "link", "url": "${wall}/", "targetBlank": true, "icon": "dashboard", "tooltip": "",
              "tags": [], "asDropdown": false, "includeVars": false, "keepTime": false }
        ],
        "templating": { "list": list },
        "panels": placed(panels),
    })
}

/// Panels from left to right, a new line where one doesn't fit.
fn placed(panels: &[Panel]) -> Vec<Value> {
    let (mut x, mut y, mut height) = (0, 0, 0);
    let mut all = Vec::new();
    for (number, panel) in panels.iter().enumerate() {
        if x + panel.width > COLUMNS {
            (x, y, height) = (0, y + height, 0);
        }
        let mut json = panel.json.clone();
        json["id"] = (number + 1).into();
        json["gridPos"] = json!({ "x": x, "y": y, "w": panel.width, "h": panel.height });
        all.push(json);
        x += panel.width;
        height = height.max(panel.height);
    }
    all
}
