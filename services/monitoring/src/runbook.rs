//! A page for each figure that has a limit: what it is, whose it is, where to look first.

use std::fmt::Write;

use crate::{
    File,
    alert::{Alert, Basis},
    words,
};

pub(crate) fn pages(alerts: &[Alert<'_>]) -> Vec<File> {
    let mut pages: Vec<File> = Vec::new();
    for alert in alerts {
        let path = format!("runbooks/figures/{}.md", alert.entry.id);
        if pages.iter().all(|page| page.path != path) {
            let of_metric: Vec<&Alert<'_>> = alerts.iter().filter(|other| other.entry.id == alert.entry.id).collect();
            pages.push(File { path, text: page(&of_metric) });
        }
    }
    pages
}

fn page(alerts: &[&Alert<'_>]) -> String {
    let entry = alerts[0].entry;
    let stream = entry.stream.as_str();
    let mut page = format!(
        "# {}（{}）\n\n由指标目录生成，请勿手改。告警名：`{}`（严重级另加 `Critical`）。\n\n{}。\n\n| 级别 | 范围 | 时间窗 | 限值 | 持续 | 回落 | 时段 | 部门 | 依据 |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
        entry.name_zh,
        entry.id,
        alerts[0].name,
        entry.formula_zh.trim_end_matches('。')
    );
    for alert in alerts {
        let threshold = &alert.rule.threshold;
        let levels = match &alert.basis {
            Basis::Gauge { levels, .. } | Basis::Breaches { levels } => levels.clone(),
            Basis::Sos => vec!["district".to_owned()],
        };
        let mut places: Vec<&str> = levels.iter().map(|level| words::level(level)).collect();
        places.extend(alert.rule.keys.iter().map(String::as_str));
        let spans: Vec<&str> = alert.rule.spans.iter().map(|span| words::span(span)).collect();
        let level = if alert.severity() == "critical" { "严重" } else { "警告" };
        let clear = threshold.clear.map_or_else(
            || "限值".to_owned(),
            |clear| words::value(clear, if alert.of.is_some() || threshold.norm { "ratio" } else { &entry.unit }),
        );
        let _ = writeln!(
            // writing to a String can't fail
            page,
            "| {level} | {} | {} | {} | {} 秒 | {clear} | {} | {} | {} |",
            places.join("、"),
            spans.join("、"),
            alert.limit(),
            alert.rule.for_ms / 1_000,
            threshold.hours.as_deref().unwrap_or("全天"),
            threshold.owner,
            threshold.source
        );
    }
    page += "\n## 怎么办\n\n";
    let mut said: Vec<&str> = Vec::new();
    for alert in alerts {
        let action = alert.rule.threshold.action.as_str();
        if !said.contains(&action) {
            said.push(action);
            let _ = writeln!(page, "- {}：{action}", alert.rule.threshold.owner);
        }
    }
    let order = if alerts[0].rule.threshold.when.is_upwards() { "DESC" } else { "ASC" };
    let (level, span) = (entry.levels.last().map_or("city", String::as_str), alerts[0].rule.spans[0].as_str());
    let _ = write!(
        page,
        "\n## 先看什么\n\n1. 数据是否可信：大屏上「{}」一栏是否标注迟到或静默；`SELECT * FROM city.source_status WHERE stream = '{stream}'`。\n\
         2. 哪里最差（Grafana「一屏 · {}」，或 ClickHouse）：\n\n```sql\nSELECT key, value, numerator, denominator, n, window_end\nFROM city.metrics_latest\nWHERE metric = '{}' AND level = '{level}' AND span = '{span}' AND value IS NOT NULL\nORDER BY value {order} LIMIT 20\n```\n\n\
         3. 何时开始：`SELECT * FROM city.breaches WHERE metric = '{}' ORDER BY opened_at DESC LIMIT 20`。\n",
        words::stream(stream),
        words::stream(stream),
        surge_of(alerts[0]),
        entry.id
    );
    page += "\n限值不合适时，在城市配置 `city.toml` 的 `[[thresholds]]` 中调整，再用 `yiping monitoring` 重新生成本页与告警规则。\n";
    page
}

/// A surge has no rows of its own: those that it is made of.
fn surge_of<'a>(alert: &'a Alert<'_>) -> &'a str {
    &alert.rule.of
}
