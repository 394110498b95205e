//! Rules for Prometheus, and their tests for `promtool test rules`: of each alert that it fires when it should and not before, that it
//! lasts until it is back behind its clearing value, that it keeps to its hours, and that neither an old figure nor a missing one alarms.

use std::fmt::Write;

use serde_json::{Value, json};
use yiping_city::City;

use crate::{
    alert::{Alert, Basis, STALE_S},
    words,
};

const MADE: &str =
    "# 由 schemas/metrics.toml 与城市配置生成，请勿手改：UPDATE_GOLDEN=1 cargo test -p yiping-monitoring\n";
const PLACE: &str = "{{ if eq $labels.key \"city\" }}全市{{ else }}{{ $labels.key }}{{ end }}";
const SPAN: &str = "{{ if eq $labels.span \"now\" }}当前{{ else if eq $labels.span \"day\" }}当日{{ else }}{{ $labels.span }}{{ end }}";

/// A scalar that YAML reads back as it is: JSON is YAML.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn block(text: &str, indent: usize) -> String {
    text.lines().map(|line| format!("{:indent$}{line}\n", "")).collect()
}

impl Alert<'_> {
    fn templates(&self) -> (String, String) {
        let place = match self.basis {
            Basis::Sos => "{{ if eq $labels.district \"other\" }}区市不详处{{ else }}{{ $labels.district }}{{ end }}",
            _ => PLACE,
        };
        let value = match (&self.basis, self.entry.unit.as_str()) {
            (Basis::Sos, _) => "{{ printf \"%.0f\" $value }}".to_owned(),
            (Basis::Breaches { .. }, _) => "{{ $value }}".to_owned(),
            (_, "ratio") => "{{ $value | humanizePercentage }}".to_owned(),
            (_, unit) => format!("{{{{ printf \"%.4g\" $value }}}} {}", words::unit(unit)),
        };
        (place.to_owned(), value)
    }

    /// Labels that the alert adds to those of its figure.
    fn labels(&self) -> Vec<(&'static str, String)> {
        let mut labels = vec![
            ("department", self.rule.threshold.owner.clone()),
            ("kind", self.kind().to_owned()),
            ("metric", self.entry.id.clone()),
            ("rule", self.id()),
            ("severity", self.severity().to_owned()),
            ("stream", self.rule.stream.to_owned()),
        ];
        if self.basis == Basis::Sos {
            labels.push(("level", "district".to_owned()));
        }
        labels
    }

    fn annotations(&self, summary: String) -> Vec<(&'static str, String)> {
        vec![
            ("action", self.rule.threshold.action.clone()),
            ("dashboard", format!("/d/yiping-{}", self.rule.stream)),
            ("description", self.entry.formula_zh.clone()),
            ("runbook", format!("runbooks/figures/{}.md", self.entry.id)),
            ("summary", summary),
            // the figure at the wall's desk
            (
                "wall",
                format!(
                    "/#metric={}&span={}&back=24h",
                    self.entry.id,
                    self.rule.spans.first().map_or("now", String::as_str)
                ),
            ),
        ]
    }
}

/// The alerts of a stream's thresholds.
pub(crate) fn figures(alerts: &[Alert<'_>], stream: &str) -> String {
    let mut yaml = format!(
        "{MADE}# 指标越限的告警。限值、时长、回落值、部门与处置都来自指标目录。\ngroups:\n  - name: yiping-figures-{stream}\n    rules:\n"
    );
    for alert in alerts.iter().filter(|alert| alert.rule.stream == stream) {
        let (place, value) = alert.templates();
        let _ = write!(
            yaml,
            "      - alert: {}\n        expr: |-\n{}        for: {}s\n        labels:\n",
            alert.name,
            block(&alert.expr(), 10),
            alert.for_s()
        );
        for (name, value) in alert.labels() {
            let _ = writeln!(yaml, "          {name}: {}", quoted(&value));
        }
        yaml += "        annotations:\n";
        for (name, value) in alert.annotations(alert.summary(&place, &value, SPAN)) {
            let _ = writeln!(yaml, "          {name}: {}", quoted(&value));
        }
    }
    yaml
}

/// What is expected of the profile's sources, as series: the alert rules of sources compare with it.
pub(crate) fn sources(city: &City) -> String {
    let mut yaml = format!(
        "{MADE}# 城市配置中登记的数据来源，以及各自至少多久应有一次联系（秒）。\ngroups:\n  - name: yiping-sources-expected\n    rules:\n"
    );
    for source in &city.sources {
        let _ = write!(
            yaml,
            "      - record: yiping:source_expected_seconds\n        expr: vector({})\n        labels:\n          name: {}\n          source: {}\n          stream: {}\n",
            source.expected_s,
            quoted(&source.name),
            quoted(&source.source),
            source.stream
        );
    }
    yaml
}

// --- tests -------------------------------------------------------------------------------------------------------------

const MINUTE_S: i64 = 60;

/// A case: series in, alerts expected at some times.
struct Case<'a> {
    name: String,
    series: Vec<(String, String)>,
    expected: Vec<(i64, Option<&'a Alert<'a>>, f64)>,
}

/// The tests of a stream's alerts.
pub(crate) fn tests(alerts: &[Alert<'_>], stream: &str) -> String {
    let of_stream = alerts.iter().filter(|alert| alert.rule.stream == stream);
    let cases = of_stream.flat_map(|alert| cases(alert).into_iter().map(move |case| (alert, case)));
    let about = "每条告警都要该响时响、不该响时不响，数据陈旧或缺失时也不响（另有 FiguresStale 等告警说明）。";
    file(about, &[format!("../rules/figures-{stream}.yml")], "1m", cases)
}

/// The tests of hours: days are long, and these look every ten minutes only.
pub(crate) fn tests_of_hours(alerts: &[Alert<'_>]) -> String {
    let cases = alerts.iter().filter_map(|alert| Some((alert, by_night(alert)?)));
    let files: Vec<String> =
        ["bus", "parking", "hotline", "elder"].map(|stream| format!("../rules/figures-{stream}.yml")).into();
    file("只在规定时段判定的告警：时段内响，时段外不响。", &files, "10m", cases)
}

fn file<'a>(
    about: &str,
    rules: &[String],
    interval: &str,
    cases: impl Iterator<Item = (&'a Alert<'a>, Case<'a>)>,
) -> String {
    let mut yaml = format!(
        "{MADE}# promtool test rules：{about}\nrule_files: [{}]\nevaluation_interval: {interval}\ntests:\n",
        rules.join(", ")
    );
    for (alert, case) in cases {
        let series: Vec<Value> =
            case.series.iter().map(|(series, values)| json!({ "series": series, "values": values })).collect();
        let expected: Vec<Value> =
            case.expected.iter().map(|(at, fires, value)| expectation(alert, *at, *fires, *value)).collect();
        let test =
            json!({ "name": case.name, "interval": interval, "input_series": series, "alert_rule_test": expected });
        let _ = writeln!(yaml, "  - {test}"); // JSON is YAML; writing to a String can't fail
    }
    yaml
}

fn expectation(alert: &Alert<'_>, at: i64, fires: Option<&Alert<'_>>, value: f64) -> Value {
    let alerts: Vec<Value> = fires.into_iter().map(|fires| expected(fires, value)).collect();
    json!({ "eval_time": format!("{at}s"), "alertname": alert.name, "exp_alerts": alerts })
}

/// The alert as it should arrive.
fn expected(alert: &Alert<'_>, value: f64) -> Value {
    let mut labels = serde_json::Map::new();
    for (name, value) in alert.labels() {
        labels.insert(name.to_owned(), value.into());
    }
    let (place, shown) = match &alert.basis {
        Basis::Sos => {
            labels.insert("district".to_owned(), "甲区".into());
            ("甲区".to_owned(), words::four_digits(value))
        }
        Basis::Breaches { levels } => {
            labels.insert("level".to_owned(), levels[0].clone().into());
            (String::new(), words::four_digits(value))
        }
        Basis::Gauge { levels, .. } => {
            for (name, value) in
                [("level", levels[0].as_str()), ("key", key(alert)), ("span", alert.rule.spans[0].as_str())]
            {
                labels.insert(name.to_owned(), value.into());
            }
            let place = if key(alert) == "city" { "全市" } else { key(alert) };
            (place.to_owned(), words::value(value, &alert.entry.unit))
        }
    };
    let shown = match alert.basis {
        // a template leaves its blank where there is no unit
        Basis::Gauge { .. } if alert.entry.unit != "ratio" && words::unit(&alert.entry.unit).is_empty() => shown + " ",
        _ => shown,
    };
    let span = match alert.rule.spans[0].as_str() {
        "now" => "当前",
        "day" => "当日",
        span => span,
    };
    let annotations: serde_json::Map<String, Value> = alert
        .annotations(alert.summary(&place, &shown, span))
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    json!({ "exp_labels": labels, "exp_annotations": annotations })
}

fn key<'a>(alert: &'a Alert<'_>) -> &'a str {
    match (&alert.basis, alert.rule.keys.first()) {
        (_, Some(key)) => key,
        (Basis::Gauge { levels, .. }, None) if levels[0] != "city" => "甲区",
        _ => "city",
    }
}

fn cases<'a>(alert: &'a Alert<'a>) -> Vec<Case<'a>> {
    match &alert.basis {
        Basis::Sos => sos(alert),
        Basis::Breaches { levels } => breaches(alert, &levels[0]),
        Basis::Gauge { levels, .. } => gauge(alert, &levels[0]),
    }
}

fn sos<'a>(alert: &'a Alert<'a>) -> Vec<Case<'a>> {
    let raised = |at: i64| {
        (
            "yiping_elder_sos_oldest_unacknowledged_timestamp_seconds{district=\"甲区\",instance=\"a\"}".to_owned(),
            format!("{at}x10"),
        )
    };
    let limit = alert.rule.threshold.limit as i64;
    let case = |name: &str, series, expected| Case {
        name: format!("{} {}: {name}", alert.name, alert.severity()),
        series,
        expected,
    };
    vec![
        // promtool's time begins at 0; the case was raised 60 s after
        case(
            "fires as soon as the limit has passed",
            vec![raised(60)],
            vec![(60 + limit, None, 0.0), (60 + limit + 60, Some(alert), (limit + 60) as f64)],
        ),
        case("nothing without an open case", vec![], vec![(1_200, None, 0.0)]),
    ]
}

fn judged(fresh: bool, stream: &str) -> (String, String) {
    let values = if fresh { "0+60x1000" } else { "0x1000" };
    (format!("yiping_watch_judged_timestamp_seconds{{stream=\"{stream}\",instance=\"a\"}}"), values.to_owned())
}

fn breaches<'a>(alert: &'a Alert<'a>, level: &str) -> Vec<Case<'a>> {
    let open = |values: &str| {
        let (metric, severity) = (&alert.entry.id, alert.severity());
        (
            format!(
                "yiping_watch_breaches_open{{metric=\"{metric}\",level=\"{level}\",severity=\"{severity}\",instance=\"a\"}}"
            ),
            values.to_owned(),
        )
    };
    let stream = alert.rule.stream;
    let case = |name: &str, series, expected| Case { name: format!("{}: {name}", alert.id()), series, expected };
    vec![
        case(
            "fires while one is open",
            vec![open("0x4 2x5 0x10"), judged(true, stream)],
            vec![(240, None, 0.0), (300, Some(alert), 2.0), (660, None, 0.0)],
        ),
        case("an old judgement alarms nobody", vec![open("2x1000"), judged(false, stream)], vec![(1_200, None, 0.0)]),
        case("nor does none", vec![], vec![(1_200, None, 0.0)]),
    ]
}

fn gauge<'a>(alert: &'a Alert<'a>, level: &str) -> Vec<Case<'a>> {
    let threshold = &alert.rule.threshold;
    let stream = alert.rule.stream;
    let (whole, bad) = bad(alert);
    let limit = threshold.limit * whole;
    let good = if threshold.when.holds(limit, limit) { limit * 0.9 } else { limit };
    let place = |entry: &yiping_catalogue::Entry| place(alert, entry, level);
    let series = |values: String| {
        let mut series = vec![(place(alert.entry), values), judged(true, stream)];
        series.extend(alert.of.map(|of| (place(of), format!("{whole}x1000"))));
        series
    };
    let for_s = alert.for_s();
    let minutes = (for_s + MINUTE_S - 1) / MINUTE_S;
    let case = |name: &str, series, expected| Case { name: format!("{}: {name}", alert.id()), series, expected };
    let mut fires = vec![(for_s, Some(alert), bad)];
    if for_s >= MINUTE_S {
        fires.insert(0, (for_s - MINUTE_S, None, 0.0));
    }
    let mut cases = vec![
        case("fires when it was beyond its limit for so long", series(format!("{bad}x1000")), fires),
        case("at its limit it is quiet", series(format!("{good}x1000")), vec![(for_s + 600, None, 0.0)]),
        case(
            "a figure that nobody makes any more alarms nobody",
            {
                let mut old = series(format!("{bad}x1000"));
                old[1] = judged(false, stream);
                old
            },
            vec![(for_s + i64::from(STALE_S) + 600, None, 0.0)],
        ),
        case("nor does a missing one", vec![judged(true, stream)], vec![(for_s + 600, None, 0.0)]),
    ];
    if let Some(clear) = threshold.clear.filter(|clear| *clear != threshold.limit) {
        let clear = clear * whole;
        let between = f64::midpoint(limit, clear);
        let behind = if threshold.when.holds(clear, clear) { clear * 0.9 } else { clear };
        let beyond = minutes + 2;
        cases.push(case(
            "once it fires it lasts until the figure is back behind its clearing value",
            series(format!("{bad}x{beyond} {between}x9 {behind}x1000")),
            vec![((beyond + 6) * MINUTE_S, Some(alert), between), ((beyond + 12) * MINUTE_S, None, 0.0)],
        ));
        cases.push(case(
            "between the limit and the clearing value it does not begin",
            series(format!("{between}x1000")),
            vec![(for_s + 600, None, 0.0)],
        ));
    }
    cases
}

fn by_night<'a>(alert: &'a Alert<'a>) -> Option<Case<'a>> {
    const STEP_S: i64 = 600;
    let (from, to) = alert.day()?;
    let Basis::Gauge { levels, .. } = &alert.basis else { return None };
    let (limit, bad) = bad(alert);
    // of the first day that begins after 0
    let begins = (from - alert.offset_s).rem_euclid(86_400);
    let (evening, night) =
        (begins + (to - from).rem_euclid(86_400) - STEP_S, begins + (to - from).rem_euclid(86_400) + STEP_S);
    let samples = night / STEP_S + 2;
    let mut series = vec![
        (place(alert, alert.entry, &levels[0]), format!("{bad}x{samples}")),
        (judged(true, alert.rule.stream).0, format!("0+{STEP_S}x{samples}")),
    ];
    series.extend(alert.of.map(|of| (place(alert, of, &levels[0]), format!("{limit}x{samples}"))));
    let expected = vec![(begins - STEP_S, None, 0.0), (evening, Some(alert), bad), (night, None, 0.0)];
    let expected = expected.into_iter().filter(|(at, ..)| *at >= 0).collect();
    Some(Case { name: format!("{}: only in its hours", alert.id()), series, expected })
}

/// What a test's whole is, where the limit is a share; and a value beyond the limit.
fn bad(alert: &Alert<'_>) -> (f64, f64) {
    let whole = if alert.of.is_some() { 1_000.0 } else { 1.0 };
    let limit = alert.rule.threshold.limit * whole;
    let beyond = match (alert.rule.threshold.when.is_upwards(), limit == 0.0) {
        (true, true) => 1.0,
        (true, false) => limit * 2.0,
        (false, _) => limit * 0.5,
    };
    (whole, beyond)
}

fn place(alert: &Alert<'_>, entry: &yiping_catalogue::Entry, level: &str) -> String {
    let (key, span) = (key(alert), &alert.rule.spans[0]);
    format!("{}{{level=\"{level}\",key=\"{key}\",span=\"{span}\",instance=\"a\"}}", entry.series())
}
