//! The hotline's figures against a batch job: whatever the log holds and in whatever order it comes within the lateness, `compute` says
//! of every metric, level, key and span what plain loops over the sorted events say. `PROPTEST_CASES` raises the number of logs.
#![allow(clippy::unwrap_used, reason = "a test that can't go on may panic")]

#[path = "oracle/naive.rs"]
mod naive;

use std::{collections::BTreeMap, io};

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::{Value, json};
use yiping_catalogue::{Catalogue, Value as Kind};
use yiping_city::City;
use yiping_event::{Stream, TimeMs};
use yiping_hotline::Hotline;
use yiping_runner::{Computed, OfflineRow, compute};
use yiping_window::Settings;

use naive::{Event, Rows, Sums};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

#[derive(Debug, Clone)]
struct Case {
    lateness: i64,
    partitions: u32,
    log: Vec<Event>,
}

fn line(event: &Event) -> Vec<u8> {
    json!({
        "specversion": "1.0", "id": event.id, "source": "test", "type": format!("city.hotline.{}", event.kind),
        "time": TimeMs(event.time).to_string(), "data": event.data,
    })
    .to_string()
    .into_bytes()
}

fn computed(case: &Case) -> Computed {
    let (catalogue, city) = (Catalogue::builtin().unwrap(), City::weihai());
    let settings = Settings {
        out_of_order_ms: 5_000,
        lateness_ms: case.lateness,
        max_skew_ms: 60_000,
        zone: "Asia/Shanghai".into(),
        profile: city.text(),
    };
    let lines = case.log.iter().map(|event| Ok::<_, io::Error>(line(event)));
    compute::<Hotline>(Stream::Hotline, &catalogue, &city, &settings, case.partitions, None, lines).unwrap()
}

/// What is published of a batch job's sums: METRICS' "n, numerator, denominator".
fn is_published(row: &OfflineRow, sums: &Sums, kind: Kind) -> bool {
    let close = |one: f64, other: f64| (one - other).abs() <= 1e-9 * other.abs().max(1.0);
    let (num, den, n) = (sums.num as f64, sums.den as f64, sums.n);
    let (value, numerator, denominator, enough) = match kind {
        Kind::Count | Kind::Gauge => (num, num, 1.0, true),
        Kind::Ratio => (num / den, num, den, sums.den >= 5),
        Kind::Mean => (num / den / 1_000.0, num / 1_000.0, den, n >= 5),
        Kind::Percentile => {
            let mut values = sums.values.clone();
            values.sort_unstable();
            let rank = (95 * values.len()).div_ceil(100);
            (values[rank - 1] as f64 / 1_000.0, 0.0, n as f64, n >= 5)
        }
        _ => return false,
    };
    let right = match (row.value, kind) {
        (Some(said), Kind::Percentile) => enough && (said - value).abs() <= value * 0.01 + 0.001,
        (Some(said), _) => enough && close(said, value),
        (None, _) => !enough,
    };
    right && close(row.numerator, numerator) && close(row.denominator, denominator) && row.n == n
}

/// Every row that isn't what the batch job says, or that only one of the two has.
fn differences(computed: &Computed, batch: &Rows) -> Vec<String> {
    let catalogue = Catalogue::builtin().unwrap();
    let published = computed.published.rows();
    let mut rows: BTreeMap<_, &OfflineRow> = BTreeMap::new();
    for row in &published {
        let end = TimeMs::parse(&row.window_end).unwrap().0;
        rows.insert((row.metric.as_str(), row.level, row.key.to_string(), row.span, end), row);
    }
    let mut differences = Vec::new();
    for (id, sums) in batch {
        let kind = catalogue.entry(id.0).unwrap().value;
        let end = TimeMs(id.4);
        match rows.remove(id) {
            Some(row) if is_published(row, sums, kind) => {}
            Some(row) => {
                let said = (row.value, row.numerator, row.denominator, row.n);
                differences.push(format!("{id:?} {end}: said {said:?}, is {sums:?}"));
            }
            None => differences.push(format!("{id:?} {end}: not said, is {sums:?}")),
        }
    }
    // (only a window that was published and then emptied leaves its zero behind)
    let more = rows.into_iter().filter(|(_, row)| row.numerator != 0.0 || row.n != 0);
    differences.extend(more.map(|(id, row)| format!("{id:?} {}: said, and is not", row.window_end)));
    differences
}

#[derive(Debug, Clone)]
struct Draft {
    kind: u8,
    entity: u8,
    word: u8,
    /// Where in the log's span, per mille, and which near multiple.
    at: (i64, i64, u8),
    place: (u8, u8, u8),
    due: Option<i64>,
    seconds: [Option<u32>; 3],
    answers: (Option<bool>, Option<bool>),
    repeat: bool,
}

fn draft() -> impl Strategy<Value = Draft> {
    let due = prop_oneof![2 => Just(None), 3 => (-180..300i64).prop_map(Some), 2 => (-180..3_000i64).prop_map(Some)];
    let second =
        || prop::option::weighted(0.7, prop_oneof![8 => 0..40_000u32, 1 => 0..3_600_000u32, 1 => Just(15_000)]);
    let seconds = [second(), second(), second()];
    let answers = (prop::option::weighted(0.8, any::<bool>()), prop::option::weighted(0.8, any::<bool>()));
    let at = (0..1_000i64, 0..100_000i64, 0..5u8);
    (0..20u8, 0..6u8, 0..40u8, at, (0..5u8, 0..4u8, 0..4u8), due, seconds, answers, prop::bool::weighted(0.1)).prop_map(
        |(kind, entity, word, at, place, due, seconds, answers, repeat)| Draft {
            kind,
            entity,
            word,
            at,
            place,
            due,
            seconds,
            answers,
            repeat,
        },
    )
}

fn event(number: usize, draft: &Draft, base: i64, span: i64) -> Event {
    let (share, ms, snap) = draft.at;
    let time = base + span * share / 1_000 + ms;
    let time = match snap {
        0 => time.div_euclid(MINUTE) * MINUTE,
        1 => time.div_euclid(10 * MINUTE) * 10 * MINUTE, // so that some fall into one millisecond
        _ => time,
    };
    let district = ["环翠区", "环翠区", "文登区"].get(usize::from(draft.place.0));
    let category = ["供热供水", "路灯", "道路设施", "路灯"][usize::from(draft.place.1)];
    let agency = ["住建", "城管"].get(usize::from(draft.place.2));
    let due = draft.due.map(|minutes| {
        let due = time + minutes * MINUTE - i64::from(snap) * 500;
        // to the millisecond at the time of some other event
        TimeMs(if snap <= 1 { due.div_euclid(10 * MINUTE) * 10 * MINUTE } else { due }).to_string()
    });
    let seconds = draft.seconds.map(|ms| ms.map(|ms| f64::from(ms) / 1_000.0));
    let (kind, entity, mut data) = match draft.kind {
        0..8 => {
            let word =
                ["offered", "answered", "offered", "answered", "abandoned", "ended"][usize::from(draft.word % 6)];
            let mut data = json!({"event": word, "district": district});
            if word == "ended" {
                data.as_object_mut().unwrap().extend(
                    json!({
                        "talk_s": seconds[0], "hold_s": seconds[1], "wrap_s": seconds[2],
                    })
                    .as_object()
                    .unwrap()
                    .clone(),
                );
            } else if word != "offered" {
                data["wait_s"] = seconds[0].into();
            }
            ("call", format!("c{}{}", draft.entity, draft.word / 20), data)
        }
        8..18 => {
            let words = [
                "created",
                "created",
                "created",
                "dispatched",
                "dispatched",
                "accepted",
                "contacted",
                "replied",
                "closed",
                "closed",
                "closed",
                "returned",
                "extended",
                "extended",
                "reopened",
                "reopened",
                "urged",
            ];
            let word = words[usize::from(draft.word) % words.len()];
            let mut data = json!({"event": word, "agency": agency});
            if word == "created" {
                data["category"] = category.into();
                data["district"] = (*district.unwrap_or(&"荣成市")).into();
                data["direct"] = if draft.word.is_multiple_of(5) { true.into() } else { Value::Null };
            }
            if word == "created" || word == "extended" {
                data["due"] = due.into();
            }
            ("order", format!("o{}", draft.entity), data)
        }
        _ => {
            let (resolved, satisfied) = draft.answers;
            let category = draft.word.is_multiple_of(2).then_some(category);
            let data =
                json!({"resolved": resolved, "satisfied": satisfied, "district": district, "category": category});
            ("callback", format!("o{}", draft.entity), data)
        }
    };
    let member = if kind == "call" { "call_id" } else { "order_id" };
    data[member] = entity.clone().into();
    Event { id: format!("e{number:04}"), kind, entity, time, data }
}

/// Logs in which nothing is too late, however disordered: so that the order in which they come must not matter.
fn case() -> impl Strategy<Value = Case> {
    // Friday the 20th of November 2026 at 06:00, a Tuesday, and the Friday before a Saturday that is worked (10 October)
    let base = prop::sample::select(vec![1_795_125_600_000i64, 1_795_471_200_000, 1_791_496_800_000]);
    let (soon, long) = ((HOUR..5 * HOUR, Just(24 * HOUR)), (40 * HOUR..60 * HOUR, Just(20 * 24 * HOUR)));
    let spans = prop_oneof![7 => soon, 2 => (10 * HOUR..19 * HOUR, Just(24 * HOUR)), 1 => long];
    (base, spans, 1..4u32, prop::collection::vec(draft(), 1..90)).prop_map(
        |(base, (span, lateness), partitions, drafts)| {
            let mut log = Vec::new();
            for (number, draft) in drafts.iter().enumerate() {
                let event = event(number, draft, base, span);
                if draft.repeat {
                    log.push(event.clone());
                }
                log.push(event);
            }
            Case { lateness, partitions, log }
        },
    )
}

/// 30 logs, or as many as `PROPTEST_CASES` says.
fn logs() -> ProptestConfig {
    let said = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: said.unwrap_or(30), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(logs())]

    #[test]
    fn i5_i8_every_figure_is_what_a_batch_job_over_the_log_says(case in case()) {
        let computed = computed(&case);
        prop_assert_eq!(computed.counters.late, 0);
        let differences = differences(&computed, &naive::batch(&case.log, case.lateness, &City::weihai()));
        prop_assert!(differences.is_empty(), "{} rows differ:\n{}", differences.len(), differences[..differences.len().min(8)].join("\n"));
    }
}

/// The property above says much only if the logs say something of every metric.
#[test]
fn logs_speak_of_every_metric() {
    let mut runner = TestRunner::deterministic();
    let mut said: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..20 {
        let case = case().new_tree(&mut runner).unwrap().current();
        let rows = naive::batch(&case.log, case.lateness, &City::weihai());
        for (id, sums) in rows {
            *said.entry(id.0).or_default() += usize::from(sums.num != 0 || !sums.values.is_empty());
        }
    }
    let catalogue = Catalogue::builtin().unwrap();
    let own = catalogue.entries.iter().filter(|entry| entry.stream == Stream::Hotline && entry.derived.is_none());
    let silent: Vec<_> = own.filter(|entry| said.get(entry.id.as_str()).is_none_or(|rows| *rows < 20)).collect();
    assert!(silent.is_empty(), "{silent:?}; {said:?}");
}
