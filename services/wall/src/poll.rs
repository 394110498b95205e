//! Asks the store, once a second, one set of questions for all screens together, and keeps the newest answers. A question that fails keeps its old answer:
//! the others are still fresh, and `store` says that something is wrong.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use yiping_event::TimeMs;

use crate::gauges::Gauges;
use crate::profile::Profile;
use crate::source::{Source, Vehicle};
use crate::view::{Known, StoreView};
use crate::{WallOptions, now};

const SPARK_SPAN_MS: i64 = 4 * 3600 * 1000;
/// One point every 200 s: what a sparkline's pixels can show.
const SPARK_POINTS: usize = 72;

pub(crate) struct Poller {
    pub source: Arc<dyn Source>,
    pub profile: Arc<Profile>,
    pub gauges: Arc<Gauges>,
    pub options: WallOptions,
    pub known: watch::Sender<Known>,
}

impl Poller {
    /// Never returns.
    pub async fn run(self) {
        let mut every = tokio::time::interval(self.options.tick);
        // A slow store is asked less often, not in bursts.
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut spark_due = Instant::now();
        loop {
            every.tick().await;
            let with_spark = Instant::now() >= spark_due;
            let known = self.ask(with_spark).await;
            if with_spark && known.store.ok {
                spark_due = Instant::now() + self.options.spark_every;
            }
            self.known.send_replace(known);
        }
    }

    async fn ask(&self, with_spark: bool) -> Known {
        let old = self.known.borrow().clone();
        let source = &self.source;
        let spark = async {
            if with_spark {
                source.spark(TimeMs(now().0.saturating_sub(SPARK_SPAN_MS)), SPARK_POINTS).await.map(Some)
            } else {
                Ok(None)
            }
        };
        let (metrics, progress, contacts, vehicles, lots, sos, breaches, spark) = tokio::join!(
            self.answer("latest", source.latest()),
            self.answer("streams", source.streams()),
            self.answer("sources", source.sources()),
            self.answer("vehicles", source.vehicles()),
            self.answer("lots", source.lots()),
            self.answer("sos", source.sos()),
            self.answer("breaches", source.breaches()),
            self.answer("spark", spark),
        );
        let answered = [
            metrics.is_some(),
            progress.is_some(),
            contacts.is_some(),
            vehicles.is_some(),
            lots.is_some(),
            sos.is_some(),
        ];
        let ok = answered.iter().all(|a| *a) && breaches.is_some() && spark.is_some();
        let profile = &self.profile;
        let by_key = |row: crate::source::Metric| {
            ((row.metric.clone(), row.level.clone(), row.key.clone(), row.span.clone()), row)
        };
        Known {
            metrics: renewed(metrics.map(|rows| rows.into_iter().map(by_key).collect()), &old.metrics),
            progress: renewed(progress, &old.progress),
            contacts: renewed(contacts, &old.contacts),
            vehicles: renewed(vehicles.map(in_order), &old.vehicles),
            lots: renewed(lots.map(|lots| profile.lots(lots)), &old.lots),
            sos: renewed(sos.map(|cases| profile.open_cases(cases, self.options.visitors)), &old.sos),
            spark: renewed(
                spark.flatten().map(|curves| {
                    curves.into_iter().map(|curve| (curve.name, curve.points)).collect::<BTreeMap<_, _>>()
                }),
                &old.spark,
            ),
            breaches: renewed(breaches, &old.breaches),
            store: self.judged(old.store, ok),
        }
    }

    /// One question, bounded in time.
    async fn answer<T>(&self, question: &'static str, answer: impl Future<Output = anyhow::Result<T>>) -> Option<T> {
        let timeout: Duration = self.options.query_timeout;
        let error = match tokio::time::timeout(timeout, answer).await {
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(error)) => format!("{error:#}"),
            Err(_) => format!("no answer within {timeout:?}"),
        };
        self.gauges.query_failed(question);
        let before = self.known.borrow().store;
        if before.ok || before.since.is_none() {
            tracing::warn!(question, error, "the store does not answer the wall, which goes on with what it has");
        }
        None
    }

    fn judged(&self, before: StoreView, ok: bool) -> StoreView {
        if before.ok == ok && before.since.is_some() {
            return before;
        }
        if ok {
            tracing::info!("the store answers the wall");
        }
        StoreView { ok, since: Some(now()) }
    }
}

/// The same shared value where nothing changed: so that a moment is compared with the one before by a pointer.
fn renewed<T: PartialEq>(answer: Option<T>, old: &Arc<T>) -> Arc<T> {
    match answer {
        Some(new) if new != **old => Arc::new(new),
        _ => Arc::clone(old),
    }
}

/// Positions that can be drawn, in an order that does not depend on the store's.
fn in_order(mut vehicles: Vec<Vehicle>) -> Vec<Vehicle> {
    vehicles.retain(|vehicle| vehicle.lon.abs() <= 180.0 && vehicle.lat.abs() <= 90.0);
    vehicles.sort_by(|a, b| a.id.cmp(&b.id));
    vehicles
}
