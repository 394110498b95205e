//! The wall's questions, answered from ClickHouse. What a live row's `attrs` hold is said by the service that writes it: members that are missing or odd
//! make a row less telling, or leave it out; they never make an answer fail.

use std::collections::HashMap;

use async_trait::async_trait;
use serde::Deserialize;
use yiping_event::TimeMs;
use yiping_store::{Formulas, LiveEntity, MetricFilter, MetricValue, Store};

use crate::source::{
    Breach, Contact, HistoryQuery, Lot, Metric, Orders, Progress, Sos, Source, Spark, Usual, UsualQuery, Vehicle,
};

/// The levels whose figures a replay shows.
const REPLAYED: [&str; 3] = ["city", "district", "lot"];
/// A delay that was noted so long before the last position says nothing about it.
const DELAY_HOLDS_MS: i64 = 3600 * 1000;

/// ClickHouse, as the wall asks it.
pub struct Stored {
    pub store: Store,
    pub formulas: Formulas,
}

#[async_trait]
impl Source for Stored {
    async fn latest(&self, levels: Option<&[&str]>) -> anyhow::Result<Vec<Metric>> {
        Ok(self.store.newest(&self.formulas, levels).await?.into_iter().map(metric).collect())
    }

    async fn streams(&self) -> anyhow::Result<Vec<Progress>> {
        Ok(together(self.store.streams().await?.into_iter().map(|status| Progress {
            stream: status.stream,
            watermark: status.watermark_ms.map(TimeMs),
            last_event: status.last_event_ms.map(TimeMs),
        })))
    }

    async fn sources(&self) -> anyhow::Result<Vec<Contact>> {
        // The state that comes along is left: it would stay as it is when the store does not answer any more.
        let contact = |status: yiping_store::SourceStatus| Contact {
            stream: status.stream,
            source: status.source,
            last_event: status.last_event_ms.map(TimeMs),
            last_contact: status.last_contact_ms.map(TimeMs),
            expected_s: f64::from(status.expected_s),
        };
        Ok(self.store.sources().await?.into_iter().map(contact).collect())
    }

    async fn vehicles(&self) -> anyhow::Result<Vec<Vehicle>> {
        let (positions, delays) = tokio::try_join!(self.store.live("vehicle"), self.store.live("bus_delay"))?;
        Ok(vehicles(&positions, &delays))
    }

    async fn lots(&self) -> anyhow::Result<Vec<Lot>> {
        Ok(self.store.live("lot").await?.iter().filter_map(lot).collect())
    }

    async fn sos(&self) -> anyhow::Result<Vec<Sos>> {
        Ok(self.store.live("sos").await?.iter().map(sos).collect())
    }

    async fn spark(&self, from: TimeMs, until: Option<TimeMs>) -> anyhow::Result<Vec<Spark>> {
        let mut curves: Vec<Spark> = Vec::new();
        for point in self.store.spark(from.0, until.map(|until| until.0)).await? {
            let name = format!("{}|city|{}|{}", point.metric, point.key, point.span);
            let at = (TimeMs(point.window_end_ms), point.value.filter(|value| value.is_finite()));
            match curves.last_mut() {
                Some(curve) if curve.name == name => curve.points.push(at),
                _ => curves.push(Spark { name, points: vec![at] }),
            }
        }
        Ok(curves)
    }

    async fn breaches(&self) -> anyhow::Result<Vec<Breach>> {
        Ok(self.store.breaches().await?.into_iter().map(breach).collect())
    }

    async fn orders(&self, since: TimeMs) -> anyhow::Result<Vec<Orders>> {
        let orders = |row: yiping_store::OrderCount| Orders {
            district: row.district,
            street: row.street,
            category: row.category,
            orders: row.orders,
        };
        Ok(self.store.open_orders("hotline", since.0).await?.into_iter().map(orders).collect())
    }

    async fn usual(&self, query: &UsualQuery) -> anyhow::Result<Vec<Usual>> {
        let metrics: Vec<&str> = query.metrics.iter().map(String::as_str).collect();
        let ends: Vec<i64> = query.ends.iter().map(|end| end.0).collect();
        let usual = |point: yiping_store::UsualPoint| Usual {
            metric: point.metric,
            span: point.span,
            at: TimeMs(point.at),
            low: point.low,
            median: point.median,
            high: point.high,
            days: point.days,
        };
        Ok(self.store.usual(&metrics, &query.level, &query.key, &ends).await?.into_iter().map(usual).collect())
    }

    async fn history(&self, query: &HistoryQuery) -> anyhow::Result<Vec<Metric>> {
        let filter = MetricFilter {
            metric: Some(query.metric.clone()),
            level: query.level.clone(),
            key: query.key.clone(),
            span: query.span.clone(),
            from_ms: Some(query.from.0),
            to_ms: Some(query.to.0),
            every_ms: query.every_ms,
            limit: Some(query.max_rows),
        };
        Ok(self.store.metrics(&filter).await?.into_iter().map(metric).collect())
    }

    async fn figures_past(&self, after: TimeMs, until: TimeMs, every_ms: i64) -> anyhow::Result<Vec<Metric>> {
        let rows = self.store.figures_past(&REPLAYED, after.0, until.0, every_ms).await?;
        Ok(rows.into_iter().map(metric).collect())
    }

    async fn breaches_past(&self, from: TimeMs, to: TimeMs) -> anyhow::Result<Vec<Breach>> {
        Ok(self.store.breaches_past(from.0, to.0).await?.into_iter().map(breach).collect())
    }
}

fn breach(breach: yiping_store::Breach) -> Breach {
    Breach {
        metric: breach.metric,
        level: breach.level,
        key: breach.key,
        span: breach.span,
        severity: breach.severity,
        opened_at: TimeMs(breach.opened_at_ms),
        closed_at: breach.closed_at_ms.map(TimeMs),
        value: breach.value.filter(|value| value.is_finite()),
        threshold: breach.threshold,
        id: breach.id,
        worst: breach.worst.filter(|value| value.is_finite()),
        owner: breach.owner,
        action: breach.action,
    }
}

fn metric(row: MetricValue) -> Metric {
    Metric {
        stream: row.stream,
        metric: row.metric,
        level: row.level,
        key: row.key,
        span: row.span,
        window_start: TimeMs(row.window_start_ms),
        window_end: TimeMs(row.window_end_ms),
        // JSON has no NaN; and one would look changed with every answer.
        value: row.value.filter(|value| value.is_finite()),
        numerator: if row.numerator.is_finite() { row.numerator } else { 0.0 },
        denominator: if row.denominator.is_finite() { row.denominator } else { 0.0 },
        n: row.n,
        is_final: row.is_final,
        revision: row.revision,
        watermark: row.watermark_ms.map(TimeMs),
    }
}

/// A stream is as far as its slowest partition that has time (I8), and was heard of when any of them was.
fn together(partitions: impl Iterator<Item = Progress>) -> Vec<Progress> {
    let mut streams: Vec<Progress> = Vec::new();
    for partition in partitions {
        match streams.iter_mut().find(|stream| stream.stream == partition.stream) {
            Some(stream) => {
                stream.watermark = match (stream.watermark, partition.watermark) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
                stream.last_event = stream.last_event.max(partition.last_event);
            }
            None => streams.push(partition),
        }
    }
    streams
}

fn vehicles(positions: &[LiveEntity], delays: &[LiveEntity]) -> Vec<Vehicle> {
    #[derive(Deserialize)]
    struct Position {
        lon: f64,
        lat: f64,
    }
    #[derive(Deserialize)]
    struct Delay {
        delay_s: f64,
    }
    let delays: HashMap<&str, (i64, f64)> =
        delays.iter().filter_map(|row| Some((row.key.as_str(), (row.time_ms, attrs::<Delay>(row)?.delay_s)))).collect();
    let vehicle = |row: &LiveEntity| {
        let Position { lon, lat } = attrs(row)?;
        let delay = delays
            .get(row.key.as_str())
            .filter(|(noted_ms, _)| row.time_ms.saturating_sub(*noted_ms) <= DELAY_HOLDS_MS);
        Some(Vehicle {
            id: row.key.clone(),
            lon,
            lat,
            time: TimeMs(row.time_ms),
            delay_s: delay.map(|(_, delay_s)| *delay_s),
        })
    };
    positions.iter().filter_map(vehicle).collect()
}

fn lot(row: &LiveEntity) -> Option<Lot> {
    #[derive(Deserialize)]
    struct Filling {
        lot_id: Option<String>,
        floor: Option<String>,
        capacity: i64,
        occupied: Option<i64>,
    }
    let Filling { lot_id, floor, capacity, occupied } = attrs(row)?;
    // a floor is a part of its lot, which has a row of its own
    floor.is_none().then(|| Lot {
        lot_id: lot_id.unwrap_or_else(|| row.key.clone()),
        capacity,
        occupied,
        time: TimeMs(row.time_ms),
    })
}

/// A case is never left out, however little is known of it.
fn sos(row: &LiveEntity) -> Sos {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Case {
        district: Option<String>,
        street: Option<String>,
        state: Option<String>,
        raised: Option<String>,
    }
    let case: Case = attrs(row).unwrap_or_default();
    let raised = case.raised.and_then(|text| TimeMs::parse(&text).ok());
    Sos {
        case: row.key.clone(),
        district: case.district.unwrap_or_else(|| yiping_city::OTHER.to_owned()),
        street: case.street,
        raised: raised.unwrap_or(TimeMs(row.time_ms)),
        state: case.state.unwrap_or_else(|| "raised".to_owned()),
    }
}

fn attrs<'a, T: Deserialize<'a>>(row: &'a LiveEntity) -> Option<T> {
    serde_json::from_str(&row.attrs)
        .inspect_err(|error| tracing::debug!(kind = row.kind, %error, "a live row could not be read"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(kind: &str, key: &str, time_ms: i64, attrs: &str) -> LiveEntity {
        LiveEntity { stream: "any".into(), kind: kind.into(), key: key.into(), time_ms, attrs: attrs.into() }
    }

    #[test]
    fn a_bus_has_the_delay_of_its_last_stop_unless_that_is_long_ago() {
        let position = r#"{"lon":122.1,"lat":37.4,"route_id":"1"}"#;
        let positions = [
            live("bus", "a", 5_000_000, position),
            live("bus", "b", 5_000_000, position),
            live("bus", "c", 0, position),
        ];
        let delays = [
            live("bus_delay", "a", 4_000_000, r#"{"delay_s":95}"#),
            live("bus_delay", "b", 1_000_000, r#"{"delay_s":7}"#),
        ];
        let delays_s: Vec<Option<f64>> = vehicles(&positions, &delays).iter().map(|vehicle| vehicle.delay_s).collect();
        assert_eq!(delays_s, [Some(95.0), None, None]);
    }

    #[test]
    fn odd_rows_are_left_out_but_never_a_call_for_help() {
        for odd in ["", "{}", "null", "[]", r#"{"lon":"east","lat":null,"capacity":1e300,"occupied":"many"}"#] {
            assert!(vehicles(&[live("bus", "a", 0, odd)], &[live("bus_delay", "a", 0, odd)]).is_empty());
            assert_eq!(lot(&live("lot", "l", 0, odd)), None);
            assert_eq!(sos(&live("sos", "c", 7, odd)).raised, TimeMs(7));
        }
    }

    #[test]
    fn a_floor_is_no_lot_of_its_own() {
        let whole = r#"{"lot_id":"P001","floor":null,"capacity":80,"occupied":40}"#;
        let floor = r#"{"lot_id":"P001","floor":"F1","capacity":50,"occupied":10}"#;
        assert_eq!(lot(&live("lot", "P001", 0, whole)).map(|lot| lot.capacity), Some(80));
        assert_eq!(lot(&live("lot", "P001/F1", 0, floor)), None);
        // of a closed one it isn't known
        let closed = r#"{"lot_id":"P001","floor":null,"capacity":80,"occupied":null,"free":null,"open":false}"#;
        assert_eq!(lot(&live("lot", "P001", 0, closed)).map(|lot| (lot.capacity, lot.occupied)), Some((80, None)));
    }

    #[test]
    fn a_case_counts_from_when_it_was_raised_not_from_its_last_event() {
        let attrs =
            r#"{"district":"环翠区","street":"竹岛街道","state":"not_connected","raised":"1970-01-01T00:00:05.000Z"}"#;
        let case = sos(&live("sos", "c", 60_000, attrs));
        assert_eq!(
            (case.raised, case.state.as_str(), case.street.as_deref()),
            (TimeMs(5_000), "not_connected", Some("竹岛街道"))
        );
    }

    #[test]
    fn a_stream_is_as_far_as_its_slowest_partition_that_has_time() {
        let partition = |watermark: Option<i64>, last_event: Option<i64>| Progress {
            stream: "bus".into(),
            watermark: watermark.map(TimeMs),
            last_event: last_event.map(TimeMs),
        };
        let bus =
            together([partition(Some(9), Some(1)), partition(None, None), partition(Some(4), Some(8))].into_iter());
        assert_eq!(bus, [partition(Some(4), Some(8))]);
    }
}
