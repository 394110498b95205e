//! `city.metrics_latest`: the newest window that every partition has reached (I10).

use tokio_util::sync::CancellationToken;
use yiping_store::{Batch, LatestMark, LatestMetricRow, MetricRow, MetricValue, Store};

use crate::{MINUTE, T0, generation, row, status, store_or_skip};

fn latest(metric: &str, window_end_ms: i64, partition: u32, num: i64) -> LatestMetricRow {
    let offset = offset(window_end_ms);
    let slot = LatestMetricRow::slot("15m", window_end_ms, MINUTE);
    let row = row(metric, window_end_ms, partition, offset, (num, 0, num));
    LatestMetricRow {
        row,
        slot,
        partition_time_ms: window_end_ms - MINUTE,
        watermark_ms: window_end_ms - MINUTE - 5_000,
    }
}

/// Later things stand later in the log.
fn offset(time_ms: i64) -> u64 {
    u64::try_from(time_ms - T0 + MINUTE).unwrap()
}

fn now(metric: &str, time_ms: i64, partition: u32, num: i64) -> LatestMetricRow {
    let latest = latest(metric, time_ms, partition, num);
    let row = MetricRow { span: "now".into(), window_start_ms: time_ms, ..latest.row };
    LatestMetricRow { row, slot: 0, partition_time_ms: time_ms, ..latest }
}

fn mark(stream: &str, span: &str, window_end_ms: i64, partition: u32) -> LatestMark {
    LatestMark {
        stream: stream.into(),
        level: "city".into(),
        span: span.into(),
        generation: 1,
        partition,
        window_start_ms: if span == "now" { window_end_ms } else { window_end_ms - 15 * MINUTE },
        window_end_ms,
        revision: (1 << 48) | offset(window_end_ms),
    }
}

async fn figure(store: &Store, metric: &str, span: &str) -> MetricValue {
    let rows = store.latest().await.unwrap();
    let mut rows: Vec<_> = rows.into_iter().filter(|row| row.metric == metric && row.span == span).collect();
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.remove(0)
}

async fn write(store: &Store, batch: Batch) {
    store.write(&batch, &CancellationToken::new()).await.unwrap();
}

#[tokio::test]
async fn i10_the_newest_window_that_every_partition_has_reached() {
    let store = store_or_skip!();
    let windows = |partition: u32, ends: std::ops::RangeInclusive<i64>| Batch {
        latest: ends.map(|end| latest("slots.count", T0 + end * MINUTE, partition, end)).collect(),
        generations: vec![generation("slots", 1, None)],
        status: vec![status("slots", partition, 1, Some(T0 - 15_000))],
        ..Batch::default()
    };
    write(&store, windows(0, 1..=1)).await;
    let alone = figure(&store, "slots.count", "15m").await;
    assert_eq!((alone.value, alone.window_end_ms, alone.is_final), (Some(1.0), T0 + MINUTE, false));

    write(&store, windows(1, 1..=2)).await;
    let both = figure(&store, "slots.count", "15m").await;
    assert_eq!((both.value, both.window_end_ms), (Some(2.0), T0 + MINUTE), "1 + 1: the first has not reached minute 2");

    write(&store, windows(0, 2..=2)).await;
    let both = figure(&store, "slots.count", "15m").await;
    assert_eq!((both.value, both.window_end_ms), (Some(4.0), T0 + 2 * MINUTE));
    assert_eq!(both.window_start_ms, T0 - 13 * MINUTE);
    assert_eq!(both.watermark_ms, Some(T0 - 15_000));

    // Nothing happens in minute 3: no rows, and yet the partitions say that they are there. Nothing is 0, not 4.
    let marks = vec![mark("slots", "15m", T0 + 3 * MINUTE, 0), mark("slots", "15m", T0 + 3 * MINUTE, 1)];
    write(&store, Batch { marks, ..Batch::default() }).await;
    let empty = figure(&store, "slots.count", "15m").await;
    assert_eq!((empty.value, empty.n, empty.window_end_ms), (Some(0.0), 0, T0 + 3 * MINUTE));

    // One partition stands still, the other one's four slots move on past it: its part is in the history by then.
    write(&store, windows(1, 4..=4)).await;
    write(&store, windows(0, 4..=9)).await;
    let history = (4..=9).map(|end| latest("slots.count", T0 + end * MINUTE, 0, end).row).collect();
    write(&store, Batch { metrics: history, ..Batch::default() }).await;
    let stalled = figure(&store, "slots.count", "15m").await;
    assert_eq!((stalled.value, stalled.window_end_ms), (Some(8.0), T0 + 4 * MINUTE));

    // `now` adds up what each partition said last, at the time that both have reached.
    let said = vec![now("slots.gauge", T0, 0, 7), now("slots.gauge", T0 + 2_000, 1, 5)];
    write(&store, Batch { latest: said, ..Batch::default() }).await;
    let sum = figure(&store, "slots.gauge", "now").await;
    assert_eq!((sum.value, sum.window_end_ms), (Some(12.0), T0));
    let marks = vec![mark("slots", "now", T0 + 9_000, 0), mark("slots", "now", T0 + 8_000, 1)];
    write(&store, Batch { latest: vec![now("slots.gauge", T0 + 8_000, 1, 0)], marks, ..Batch::default() }).await;
    let sum = figure(&store, "slots.gauge", "now").await;
    assert_eq!((sum.value, sum.window_start_ms, sum.window_end_ms), (Some(7.0), T0 + 8_000, T0 + 8_000));
}
