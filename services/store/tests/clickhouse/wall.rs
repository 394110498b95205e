//! What only the wall asks.

use yiping_store::{Batch, LiveRow, MetricRow};

use crate::merging::write;
use crate::{DAY, MINUTE, T0, metrics, row, status, store_or_skip};

#[tokio::test]
async fn what_is_usual_is_the_median_of_the_days_before_at_the_same_time() {
    let store = store_or_skip!();
    // 1 to 9 on nine days, at 10:00; and much more a quarter of an hour later, which is another time of day; today counts for nothing
    let mut rows: Vec<MetricRow> = (1..=9).map(|day| row("usual.count", T0 - day * DAY, 0, 1, (day, 0, day))).collect();
    rows.extend((1..=2).map(|day| row("usual.count", T0 - day * DAY + 15 * MINUTE, 0, 1, (900, 0, 900))));
    rows.push(row("usual.count", T0, 0, 1, (500, 0, 500)));
    // too few to say a ratio: no sample of it
    rows.push(row("usual.ratio", T0 - DAY, 0, 1, (1, 1, 1)));
    write(&store, &metrics("usual", rows)).await;
    let ends = [T0, T0 + 15 * MINUTE];
    let points = store.usual(&["usual.count", "usual.ratio"], "city", "city", &ends).await.unwrap();
    let told: Vec<_> = points.iter().map(|p| (p.at, p.low, p.median, p.high, p.days)).collect();
    // of 1…9: a tenth of the way from first to last is 1.8, nine tenths 8.2
    assert_eq!(told.len(), 2, "{points:?}");
    assert_eq!((told[0].0, told[0].2, told[0].4), (T0, 5.0, 9));
    assert!((told[0].1 - 1.8).abs() < 1e-9 && (told[0].3 - 8.2).abs() < 1e-9, "{told:?}");
    assert_eq!(told[1], (T0 + 15 * MINUTE, 900.0, 900.0, 900.0, 2));
    assert_eq!(store.usual(&["usual.count"], "city", "city", &[]).await.unwrap(), []);
}

#[tokio::test]
async fn the_past_shows_what_was_final_then_and_never_a_day_before_its_end() {
    let store = store_or_skip!();
    let mut rows: Vec<MetricRow> = (0..30).map(|at| row("past.count", T0 + at * MINUTE, 0, 1, (at, 0, at))).collect();
    rows.push(MetricRow { span: "day".into(), ..row("past.gauge", T0 + 5 * MINUTE, 0, 1, (7, 0, 1)) });
    let mut batch = metrics("past", rows);
    batch.status = vec![status("past", 0, 1, Some(T0 + 20 * MINUTE))];
    write(&store, &batch).await;
    let at = async |after: i64, until: i64, every: i64| -> Vec<f64> {
        let rows =
            store.figures_past(&["city"], T0 + after * MINUTE, T0 + until * MINUTE, every * MINUTE).await.unwrap();
        rows.iter().filter(|row| row.stream == "past").filter_map(|row| row.value).collect()
    };
    assert_eq!(at(0, 8, 1).await, [8.0], "the newest, and no day");
    assert_eq!(at(0, 8, 5).await, [5.0]);
    assert_eq!(at(20, 29, 1).await, [] as [f64; 0], "what is not final is not the past");
}

#[tokio::test]
async fn open_orders_are_counted_by_street_and_category_as_far_as_they_are_known() {
    let store = store_or_skip!();
    let order = |key: &str, street: &str, hours_ago: i64| {
        let created = format!("2026-11-20T{:02}:00:00.000Z", 10 - hours_ago);
        LiveRow {
            stream: "heat".into(),
            kind: "order".into(),
            key: key.into(),
            time_ms: T0,
            revision: 1,
            gone: false,
            attrs: format!(r#"{{"district":"环翠区",{street}"category":"供热","created":"{created}"}}"#),
        }
    };
    let street = r#""street":"竹岛街道","#;
    let gone = LiveRow { gone: true, ..order("d", street, 1) };
    let live = vec![order("a", street, 1), order("b", street, 2), order("c", "", 1), gone, order("e", street, 9)];
    write(&store, &Batch { live, ..Batch::default() }).await;
    let counts = store.open_orders("heat", T0 - 3 * 60 * MINUTE).await.unwrap();
    let told: Vec<_> = counts.iter().map(|c| (c.street.as_str(), c.category.as_str(), c.orders)).collect();
    assert_eq!(told, [("", "供热", 1), ("竹岛街道", "供热", 2)]);
}
