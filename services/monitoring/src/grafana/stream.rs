//! The dashboards of the city and of its streams, from the catalogue.

use yiping_catalogue::Entry;

use super::{
    Ground, Variable,
    panel::{Panel, breaches, ranking, row, series, stat, table},
};
use crate::words;

/// The figures that the overview opens with: (stream, metrics).
const LEADING: [(&str, [&str; 4]); 4] = [
    ("elder", ["elder.sos_open", "elder.sos_oldest_wait_s", "elder.sos_ack_60s_ratio", "elder.connect_ratio"]),
    ("hotline", ["hotline.connect_ratio", "hotline.waiting", "hotline.open_orders", "hotline.overdue_orders"]),
    ("bus", ["bus.online_ratio", "bus.on_time_ratio", "bus.bunched_routes", "bus.speed_kmh"]),
    ("parking", ["parking.free_spaces", "parking.occupancy_ratio", "parking.full_lots", "parking.filling_lots"]),
];

const BUS: [Variable; 2] = [district("bus"), Variable { name: "route", label: "线路", stream: "bus", all: false }];
const PARKING: [Variable; 2] =
    [district("parking"), Variable { name: "lot", label: "停车场", stream: "parking", all: false }];
const HOTLINE: [Variable; 2] =
    [district("hotline"), Variable { name: "agency", label: "承办单位", stream: "hotline", all: false }];
const ELDER: [Variable; 2] =
    [district("elder"), Variable { name: "category", label: "类别", stream: "elder", all: false }];

const fn district(stream: &'static str) -> Variable {
    Variable { name: "district", label: "区市", stream, all: true }
}

pub(crate) fn variables(stream: &str) -> &'static [Variable] {
    match stream {
        "bus" => &BUS,
        "parking" => &PARKING,
        "hotline" => &HOTLINE,
        _ => &ELDER,
    }
}

/// The span that a limit of the city is over, else the longest but the day.
fn leading_span<'a>(ground: &Ground<'_>, entry: &'a Entry) -> &'a str {
    let of_limit = ground
        .rules
        .all
        .iter()
        .filter(|rule| rule.metric == entry.id)
        .find_map(|rule| entry.spans.iter().find(|span| rule.spans.contains(span)));
    let longest = entry.spans.iter().rfind(|span| *span != "day").or(entry.spans.first());
    of_limit.or(longest).map_or("now", String::as_str)
}

/// A surge has no rows: it is a breach.
fn has_rows(entry: &&Entry) -> bool {
    !entry.derived.as_ref().is_some_and(|derived| derived.surge)
}

fn is_at(entry: &Entry, level: &str) -> bool {
    entry.levels.iter().any(|name| name == level)
}

pub(crate) fn overview(ground: &Ground<'_>) -> Vec<Panel> {
    let mut panels = Vec::new();
    for (stream, ids) in LEADING {
        panels.push(row(words::stream(stream)));
        let entries: Vec<&Entry> = ids.iter().filter_map(|id| ground.catalogue.entry(id)).collect();
        for entry in &entries {
            let mut panel = stat(ground, entry, leading_span(ground, entry));
            panel.width = 6;
            panels.push(panel);
        }
        for entry in entries.iter().take(3) {
            panels.push(series(ground, entry, leading_span(ground, entry), &[]));
        }
    }
    panels.push(row("现状与告警"));
    panels.push(table(
        "数据来源",
        "约定间隔 2 倍内为正常（fresh），4 倍内为迟到（late），再久为静默（silent）；从未接入为 not_connected。",
        12,
        "SELECT stream AS `流`, source AS `来源`, state AS `状态`, last_contact AS `最近联系`, last_event AS `最近事件`, expected_s AS `约定秒数`\n\
         FROM city.source_status ORDER BY state = 'fresh', stream, source",
    ));
    panels.push(table(
        "未结求助",
        "到街道为止；不含个人信息。",
        12,
        "SELECT raised AS `发起`, district AS `区市`, street AS `街道`, state AS `状态`, acknowledged AS `应答`, arrived AS `到场`\n\
         FROM city.sos_open ORDER BY raised",
    ));
    panels.push(breaches(None));
    panels
}

pub(crate) fn panels(ground: &Ground<'_>, stream: &str) -> Vec<Panel> {
    let entries: Vec<&Entry> =
        ground.catalogue.entries.iter().filter(|entry| entry.stream.as_str() == stream).filter(has_rows).collect();
    let variables: Vec<&str> = variables(stream).iter().map(|variable| variable.name).collect();
    let mut panels = vec![row("全市现在")];
    for entry in entries.iter().filter(|entry| is_at(entry, "city")) {
        panels.push(stat(ground, entry, leading_span(ground, entry)));
    }
    panels.push(row("趋势（全市与所选）"));
    for entry in &entries {
        panels.push(series(ground, entry, leading_span(ground, entry), &variables));
    }
    panels.push(row("排行"));
    for entry in entries.iter().filter(|entry| !entry.thresholds.is_empty()) {
        for level in ["route", "lot", "agency", "category"].into_iter().filter(|level| is_at(entry, level)).take(1) {
            panels.push(ranking(ground, entry, leading_span(ground, entry), level));
        }
    }
    panels.push(row("告警"));
    panels.push(breaches(Some(stream)));
    panels
}
