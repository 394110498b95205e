//! The newest figures, asked for in two ways: by the view, in SQL, and as the wall asks for them.

use std::path::PathBuf;

use tokio_util::sync::CancellationToken;
use yiping_catalogue::{Catalogue, Entry, Value};
use yiping_store::{
    Batch, DerivedDef, Formulas, LateRow, LatestMetricRow, MetricConstant, MetricDef, MetricRow, MetricValue,
    embedded::Server,
};

use crate::{MINUTE, T0, generation, library, options, status, store};

const PARTITIONS: u32 = 3;
const FLEET: i64 = 1_400;

/// Numbers that look drawn, and are the same every day.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from((self.0 >> 33) % u64::try_from(bound).unwrap()).unwrap()
    }
}

/// What a partition says of a figure's window: often nothing, sometimes all zero, of every size.
fn said(entry: &Entry, level: &str, key: &str, span: &str, partition: u32, draw: &mut Draw) -> Option<LatestMetricRow> {
    if draw.below(4) == 0 {
        return None;
    }
    let size = [1, 2, 40, 9_000][usize::try_from(draw.below(4)).unwrap()];
    let (num, den, n) = (draw.below(size * 50), draw.below(size), draw.below(size));
    let hist: Vec<(u16, i64)> = match entry.value {
        Value::Percentile => {
            (0..n.min(9)).map(|at| (u16::try_from(at * 97 + draw.below(90)).unwrap(), 1 + draw.below(7))).collect()
        }
        _ => Vec::new(),
    };
    let n = if hist.is_empty() { n } else { hist.iter().map(|(_, count)| count).sum() };
    let num = if entry.value == Value::Age { T0 - draw.below(90 * MINUTE) } else { num };
    // some partitions are a minute ahead of the others; and every other window of 5 minutes ends within a minute
    let slide = if span == "5m" { MINUTE / 2 } else { MINUTE };
    let end = T0 - (MINUTE - slide) + MINUTE * i64::from(partition == 1 && span != "now");
    let row = MetricRow {
        stream: entry.stream.as_str().into(),
        metric: entry.id.as_str().into(),
        level: level.into(),
        key: key.into(),
        span: span.into(),
        window_start_ms: if span == "now" { end } else { end - 30 * MINUTE },
        window_end_ms: end,
        generation: 1,
        partition,
        revision: (1 << 48) | u64::try_from(1_000 + draw.below(1_000)).unwrap(),
        num,
        den,
        n,
        num2: num.saturating_mul(draw.below(40)) + draw.below(9),
        den2: draw.below(size),
        hist,
        gone: draw.below(12) == 0,
        incomplete: draw.below(9) == 0,
    };
    Some(LatestMetricRow {
        slot: if span == "now" { 0 } else { LatestMetricRow::slot(span, end, slide) },
        partition_time_ms: T0 + i64::from(partition),
        watermark_ms: T0 - 5_000,
        row,
    })
}

fn identity(row: &MetricValue) -> (&str, &str, &str, &str) {
    (&row.metric, &row.level, &row.key, &row.span)
}

#[tokio::test]
async fn the_view_and_the_formula_say_the_same_of_every_metric_of_the_catalogue() {
    let Some(library) = library() else { return };
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("store-newest");
    let _ = std::fs::remove_dir_all(&folder);
    let server = Server::start(options(folder, library)).await.unwrap();
    let store = store(server.url(), server.writer());
    let catalogue = Catalogue::builtin().unwrap();
    let of_fleet = |entry: &&Entry| entry.constant.is_some();
    let constants: Vec<MetricConstant> = catalogue
        .entries
        .iter()
        .filter(of_fleet)
        .map(|entry| MetricConstant { metric: entry.id.clone(), level: "city".into(), key: "city".into(), den: FLEET })
        .collect();
    assert!(!constants.is_empty());
    store.migrate(&MetricDef::all(&catalogue), &DerivedDef::all(&catalogue), &constants, &[]).await.unwrap();

    let mut draw = Draw(7);
    let mut batch = Batch::default();
    for entry in catalogue.entries.iter().filter(|entry| entry.derived.is_none()) {
        for (level, span) in entry.levels.iter().flat_map(|level| entry.spans.iter().map(move |span| (level, span))) {
            let keys: Vec<String> = match level.as_str() {
                "city" => vec!["city".to_owned()],
                level => (0..6).map(|number| format!("{level} {number}")).collect(),
            };
            for (key, partition) in keys.iter().flat_map(|key| (0..PARTITIONS).map(move |p| (key, p))) {
                batch.latest.extend(said(entry, level, key, span, partition, &mut draw));
            }
        }
    }
    // one stream's windows are final, one's are not, one knows no watermark, of one events came too late
    for (stream, watermark) in
        [("bus", Some(T0)), ("parking", Some(T0 - 5_000)), ("hotline", None), ("elder", Some(T0))]
    {
        batch.generations.push(generation(stream, 1, None));
        batch.status.extend((0..PARTITIONS).map(|partition| status(stream, partition, 1, watermark)));
    }
    for (minute, events) in [(-90, 4), (-30, 8), (-29, 16), (-1, 32), (0, 64)] {
        batch.late.push(LateRow {
            stream: "elder".into(),
            generation: 1,
            partition: 0,
            minute_ms: T0 + minute * MINUTE,
            events,
            revision: 1,
        });
    }
    let written = batch.latest.len();
    store.write(&batch, &CancellationToken::new()).await.unwrap();

    let formulas = Formulas::new(&catalogue, &constants);
    let view = store.latest().await.unwrap();
    let newest = store.newest(&formulas, None).await.unwrap();
    let first_difference = view.iter().zip(&newest).find(|(one, other)| one != other);
    assert_eq!(first_difference, None);
    assert_eq!(view.len(), newest.len());

    // the comparison sees something: every metric, values and none, final and not, late and not, incomplete and not
    let metrics: std::collections::BTreeSet<&str> = newest.iter().map(|row| row.metric.as_str()).collect();
    let told = |entry: &&Entry| entry.derived.as_ref().is_none_or(|derived| !derived.surge);
    let missing: Vec<&str> = catalogue
        .entries
        .iter()
        .filter(told)
        .map(|entry| entry.id.as_str())
        .filter(|id| !metrics.contains(id))
        .collect();
    assert_eq!(missing, Vec::<&str>::new());
    assert!(written > 1_000 && newest.len() > 300, "{written} rows, {} figures", newest.len());
    for (what, of) in [
        ("a value", (|row| row.value.is_some_and(|value| value != 0.0)) as fn(&MetricValue) -> bool),
        ("no value", |row| row.value.is_none()),
        ("final", |row| row.is_final),
        ("not final", |row| !row.is_final),
        ("late", |row| row.late == 16 + 32 + 8),
        ("nothing late", |row| row.late == 0),
        ("incomplete", |row| row.incomplete),
        ("complete", |row| !row.incomplete),
    ] {
        assert!(newest.iter().any(of), "{what}");
    }

    // at some levels: the same rows, but for those that are made of others
    let some = store.newest(&formulas, Some(&["city", "district"])).await.unwrap();
    let is_derived = |row: &&MetricValue| catalogue.entry(&row.metric).is_some_and(|entry| entry.derived.is_some());
    let wanted: Vec<&MetricValue> =
        newest.iter().filter(|row| ["city", "district"].contains(&row.level.as_str()) && !is_derived(row)).collect();
    assert_eq!(some.iter().collect::<Vec<_>>(), wanted);
    assert!(some.windows(2).all(|pair| identity(&pair[0]) < identity(&pair[1])), "each figure once, in order");
    server.stop().await;
}
