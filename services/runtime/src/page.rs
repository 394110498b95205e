//! The health of a process for people, at `/` of the admin address: what waits, how far the streams are, who was heard when.
//! Made of the same readiness and the same series that machines get; it loads nothing and runs no script.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use prometheus::{Registry, proto::MetricFamily};

use crate::admin::Health;

/// Figures of a partition: watermark and checkpoint as times, records not yet applied.
type Partitions = BTreeMap<(String, String), [Option<f64>; 3]>;

const SERIES: [&str; 3] =
    ["yiping_watermark_timestamp_seconds", "yiping_consumer_lag_records", "yiping_checkpoint_timestamp_seconds"];

pub(crate) fn page(registry: &Registry, health: &Health, now_s: f64) -> String {
    let wanting = health.wanting();
    let (state, class) = if wanting.is_empty() { ("就绪", "good") } else { ("未就绪", "bad") };
    let mut html = format!(
        "<!doctype html><html lang=\"zh\"><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"5\">\
         <title>一屏 · {state}</title><style>body{{font:16px/1.6 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}}\
         table{{border-collapse:collapse;margin:1em 0}}td,th{{border:1px solid #ccc;padding:.2em .8em;text-align:left}}\
         td.n{{text-align:right;font-variant-numeric:tabular-nums}}.good{{color:#176b35}}.bad{{color:#b00020}}</style>\
         <h1>一屏 <span class=\"{class}\">{state}</span></h1><p>版本 {} · 每 5 秒刷新 · <a href=\"/readyz\">readyz</a> \
         <a href=\"/healthz\">healthz</a> <a href=\"/metrics\">metrics</a></p>",
        env!("CARGO_PKG_VERSION")
    );
    if !wanting.is_empty() {
        html += "<table><tr><th>部分</th><th>在等</th></tr>";
        for (part, why) in &wanting {
            let _ = write!(html, "<tr><td>{}</td><td>{}</td></tr>", escaped(part), escaped(why)); // writing to a String can't fail
        }
        html += "</table>";
    }
    let families = registry.gather();
    html += &streams(&partitions(&families), now_s);
    html += &sources(&families, now_s);
    html
}

fn partitions(families: &[MetricFamily]) -> Partitions {
    let mut partitions = Partitions::new();
    for (at, name) in SERIES.iter().enumerate() {
        for series in families.iter().filter(|family| family.name() == *name).flat_map(MetricFamily::get_metric) {
            let key = (label(series, "stream"), label(series, "partition"));
            partitions.entry(key).or_default()[at] = Some(series.get_gauge().get_value());
        }
    }
    partitions
}

fn streams(partitions: &Partitions, now_s: f64) -> String {
    if partitions.is_empty() {
        return String::new();
    }
    let mut html =
        "<h2>处理</h2><table><tr><th>流</th><th>分区</th><th>落后（秒）</th><th>积压（条）</th><th>检查点（秒前）</th></tr>"
            .to_owned();
    for ((stream, partition), [watermark, lag, checkpoint]) in partitions {
        let age = |time: &Option<f64>| time.map_or("—".to_owned(), |time| format!("{:.0}", (now_s - time).max(0.0)));
        let _ = write!(
            html,
            "<tr><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            escaped(stream),
            escaped(partition),
            age(watermark),
            lag.map_or("—".to_owned(), |lag| format!("{lag:.0}")),
            age(checkpoint)
        );
    }
    html + "</table>"
}

/// Where neither a source nor the profile says how often it is heard, s; as in `city.source_status`.
const EXPECTED_S: f64 = 30.0;

/// What a source is after so many times what was expected; as in `city.source_status`.
fn state(age_s: Option<f64>, expected_s: f64) -> (&'static str, &'static str) {
    match age_s.map(|age| age / expected_s) {
        None => ("未接入", "bad"),
        Some(times) if times <= 2.0 => ("正常", "good"),
        Some(times) if times <= 4.0 => ("迟到", ""),
        Some(_) => ("静默", "bad"),
    }
}

/// The values of a series by source; of several, `better` keeps one.
fn by_source(families: &[MetricFamily], name: &str, better: fn(f64, f64) -> f64) -> BTreeMap<String, f64> {
    let mut values = BTreeMap::new();
    for series in families.iter().filter(|family| family.name() == name).flat_map(MetricFamily::get_metric) {
        let value = series.get_gauge().get_value();
        values.entry(label(series, "source")).and_modify(|kept| *kept = better(*kept, value)).or_insert(value);
    }
    values
}

/// Every source that is expected or was heard; first those that were longest unheard for what is expected of them.
fn sources(families: &[MetricFamily], now_s: f64) -> String {
    let heard = by_source(families, "yiping_source_last_contact_timestamp_seconds", f64::max);
    let expected = by_source(families, "yiping_source_expected_seconds", f64::min);
    let names: BTreeSet<&String> = heard.keys().chain(expected.keys()).collect();
    if names.is_empty() {
        return String::new();
    }
    let row = |name| {
        let expected_s = expected.get(name).copied().unwrap_or(EXPECTED_S);
        (name, heard.get(name).map(|time| (now_s - time).max(0.0)), expected_s)
    };
    let mut rows: Vec<(&String, Option<f64>, f64)> = names.into_iter().map(row).collect();
    let overdue = |(_, age, expected_s): &(_, Option<f64>, f64)| age.map_or(f64::INFINITY, |age| age / expected_s);
    rows.sort_by(|a, b| overdue(b).total_cmp(&overdue(a)).then_with(|| a.0.cmp(b.0)));
    let mut html =
        "<h2>来源</h2><table><tr><th>来源</th><th>状态</th><th>最近联系（秒前）</th><th>应有间隔（秒）</th></tr>"
            .to_owned();
    for (source, age, expected_s) in rows {
        let (state, class) = state(age, expected_s);
        let age = age.map_or("—".to_owned(), |age| format!("{age:.0}"));
        let _ = write!(
            html,
            "<tr><td>{}</td><td class=\"{class}\">{state}</td><td class=\"n\">{age}</td><td class=\"n\">{expected_s:.0}</td></tr>",
            escaped(source)
        );
    }
    html + "</table>"
}

fn label(series: &prometheus::proto::Metric, name: &str) -> String {
    series
        .get_label()
        .iter()
        .find(|label| label.name() == name)
        .map(|label| label.value().to_owned())
        .unwrap_or_default()
}

/// Sources name themselves: what they say is text, never markup.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Metrics;

    #[test]
    fn the_page_says_what_waits_how_far_it_is_and_who_was_heard() {
        let (registry, health) = (Registry::new(), Health::default());
        let metrics = Metrics::new(&registry).unwrap();
        let part = health.part("bus");
        part.not_ready("ClickHouse doesn't answer");
        metrics.watermark.with_label_values(&["bus", "3"]).set(970.0);
        metrics.source_last_contact.with_label_values(&["<b>x</b>"]).set(940.0);
        let html = page(&registry, &health, 1_000.0);
        assert!(html.contains("未就绪") && html.contains("ClickHouse doesn't answer"));
        assert!(html.contains("<td>bus</td><td>3</td><td class=\"n\">30</td>"), "{html}");
        assert!(html.contains("&lt;b&gt;x&lt;/b&gt;</td>") && !html.contains("<b>x"), "{html}");
        part.ready();
        assert!(!page(&registry, &health, 1_000.0).contains("未就绪"));
    }

    #[test]
    fn a_source_is_what_its_silence_is_to_what_is_expected_of_it() {
        let registry = Registry::new();
        let metrics = Metrics::new(&registry).unwrap();
        for (name, silent_s, expected_s) in [
            ("a", Some(60.0), None), // 30 s, as nobody says otherwise
            ("b", Some(61.0), None),
            ("c", Some(241.0), Some(60.0)),
            ("d", Some(241.0), Some(600.0)),
            ("e", None, Some(30.0)),
        ] {
            if let Some(silent_s) = silent_s {
                metrics.source_last_contact.with_label_values(&[name]).set(1_000.0 - silent_s);
            }
            if let Some(expected_s) = expected_s {
                metrics.source_expected.with_label_values(&[name, "bus"]).set(expected_s);
            }
        }
        let html = page(&registry, &Health::default(), 1_000.0);
        let (_, table) = html.split_once("来源").unwrap();
        let rows = [
            "e</td><td class=\"bad\">未接入</td><td class=\"n\">—</td><td class=\"n\">30<",
            "c</td><td class=\"bad\">静默</td><td class=\"n\">241</td><td class=\"n\">60<",
            "b</td><td class=\"\">迟到</td><td class=\"n\">61</td><td class=\"n\">30<",
            "a</td><td class=\"good\">正常</td><td class=\"n\">60</td><td class=\"n\">30<",
            "d</td><td class=\"good\">正常</td><td class=\"n\">241</td><td class=\"n\">600<",
        ];
        let places: Vec<_> = rows.iter().map(|row| table.find(row)).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?} {table}");
    }
}
