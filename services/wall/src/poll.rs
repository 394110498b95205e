//! Asks the store, once a second, one set of questions for all screens together, and keeps the newest answers. A question that fails keeps its old answer:
//! the others are still fresh, and `store` says that something is wrong.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::anyhow;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use yiping_event::TimeMs;

use crate::gauges::Gauges;
use crate::profile::Profile;
use crate::source::{Alerts, Cases, Metric, Sos, Source, UsualQuery, Vehicle};
use crate::usual;
use crate::view::{AlertsView, Known, MetricKey, StoreView};
use crate::{WallOptions, now};

/// What changes every second; all other levels are told every ten seconds (I10), and there are very many of them.
const EVERY_TICK: [&str; 2] = ["city", "district"];
const ALL_EVERY: u32 = 10;
pub(crate) const SPARK_SPAN_MS: i64 = 4 * 3600 * 1000;
/// Older open orders are a backlog, and say nothing of where trouble is today.
const ORDERS_SPAN_MS: i64 = 24 * 3600 * 1000;
/// `elder` answers from memory; who takes longer is not there.
const CASES_PATIENCE: Duration = Duration::from_secs(2);

/// Somebody who is asked again and again. Their silence is logged when it begins and when it ends, not at every question.
struct Line {
    to: &'static str,
    /// Since they answer no more.
    cut: Option<Instant>,
}

impl Line {
    const fn new(to: &'static str) -> Self {
        Self { to, cut: None }
    }

    fn heard<T>(&mut self, answer: anyhow::Result<T>) -> Option<T> {
        match answer {
            Ok(answer) => {
                if let Some(since) = self.cut.take() {
                    tracing::info!(to = self.to, silent_s = since.elapsed().as_secs(), "answers the wall again");
                }
                Some(answer)
            }
            Err(error) => {
                if self.cut.is_none() {
                    tracing::warn!(to = self.to, error = format!("{error:#}"), "does not answer the wall; asking on");
                    self.cut = Some(Instant::now());
                }
                None
            }
        }
    }
}

pub(crate) struct Poller {
    pub source: Arc<dyn Source>,
    pub cases: Option<Arc<dyn Cases>>,
    pub alerts: Option<Arc<dyn Alerts>>,
    pub profile: Arc<Profile>,
    pub gauges: Arc<Gauges>,
    pub options: WallOptions,
    pub known: watch::Sender<Known>,
    /// The cases of the store's last answer; None where it did not answer.
    pub stored_cases: Mutex<Option<Vec<Sos>>>,
}

impl Poller {
    /// Never returns.
    pub async fn run(self) {
        tokio::join!(self.moments(), self.courses(), self.habits(), self.calls_for_help(), self.alerts());
    }

    async fn moments(&self) {
        let mut every = tokio::time::interval(self.options.tick);
        // A slow store is asked less often, not in bursts.
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for tick in (0..ALL_EVERY).cycle() {
            every.tick().await;
            let known = self.ask(tick == 0).await;
            self.known.send_modify(|kept| {
                let (spark, usual, alerts) =
                    (Arc::clone(&kept.spark), Arc::clone(&kept.usual), Arc::clone(&kept.alerts));
                // Cases that came from `elder` meanwhile are newer than the store's.
                let (sos, sos_live) =
                    if kept.sos_live { (Arc::clone(&kept.sos), true) } else { (Arc::clone(&known.sos), false) };
                *kept = Known { spark, usual, alerts, sos, sos_live, ..known }
            });
        }
    }

    /// Open SOS cases, from `elder` itself: they wait for no question to the store (I9).
    async fn calls_for_help(&self) {
        let Some(cases) = &self.cases else { return std::future::pending().await };
        let mut every = tokio::time::interval(self.options.tick);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut line = Line::new("elder, which tells the open SOS cases");
        loop {
            every.tick().await;
            let asked = tokio::time::timeout(CASES_PATIENCE, cases.open()).await;
            let answer = line.heard(asked.unwrap_or_else(|_| Err(anyhow!("no answer within {CASES_PATIENCE:?}"))));
            let Some(answer) = answer else {
                // From here on the store's answers stand; until there is one, what is shown stays.
                self.known.send_if_modified(|kept| std::mem::take(&mut kept.sos_live));
                continue;
            };
            // What the store has and `elder` has not: closed a moment ago, or `elder` has only just started. Shown until both agree.
            let stored = self.stored_cases.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let cases = together(answer, stored);
            let views = Arc::new(self.profile.open_cases(cases, self.options.visitors));
            self.known.send_if_modified(|kept| {
                let changed = !kept.sos_live || kept.sos != views;
                kept.sos_live = true;
                if changed {
                    kept.sos = views;
                }
                changed
            });
        }
    }

    /// What Alertmanager has firing. One that does not answer is told as such: silence of an alarm is no all-clear.
    async fn alerts(&self) {
        let Some(alerts) = &self.alerts else { return };
        let mut line = Line::new("Alertmanager");
        loop {
            let firing = line.heard(alerts.firing().await);
            self.known.send_if_modified(|kept| {
                let view = Some(AlertsView { ok: firing.is_some(), firing: firing.unwrap_or_default() });
                kept.alerts = renewed(Some(view), &kept.alerts);
                false // told with the next figures
            });
            tokio::time::sleep(self.options.tick * ALL_EVERY).await;
        }
    }

    /// What is usual at this hour: asked a few times an hour, for it is made of four weeks.
    async fn habits(&self) {
        loop {
            let query = UsualQuery {
                metrics: usual::ON_THE_WALL.map(str::to_owned).to_vec(),
                level: "city".to_owned(),
                key: "city".to_owned(),
                ends: usual::slots(now()),
            };
            let answer = self.answer("usual", self.source.usual(&query)).await;
            let pause = if answer.is_some() { usual::EVERY } else { usual::AGAIN };
            if let Some(points) = answer {
                self.known.send_if_modified(|kept| {
                    kept.usual = renewed(Some(usual::curves(points)), &kept.usual);
                    false // told with the next figures
                });
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// The curves are the costliest question by far: asked seldom, and the figures don't wait for it.
    async fn courses(&self) {
        loop {
            let from = TimeMs(now().0.saturating_sub(SPARK_SPAN_MS));
            let curves = self.answer("spark", self.source.spark(from, None)).await;
            let retry = self.options.tick * 5;
            let pause = if curves.is_some() { self.options.spark_every } else { retry.min(self.options.spark_every) };
            if let Some(curves) = curves {
                let curves = curves.into_iter().map(|curve| (curve.name, curve.points)).collect();
                self.known.send_if_modified(|kept| {
                    kept.spark = renewed(Some(curves), &kept.spark);
                    false // told with the next figures
                });
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// `all`: figures of all levels.
    async fn ask(&self, all: bool) -> Known {
        let old = self.known.borrow().clone();
        let (source, profile) = (&self.source, &self.profile);
        let (metrics, progress, contacts, vehicles, lots, sos, breaches) = tokio::join!(
            self.answer("latest", source.latest((!all).then_some(&EVERY_TICK))),
            self.answer("streams", source.streams()),
            self.answer("sources", source.sources()),
            self.answer("vehicles", source.vehicles()),
            self.answer("lots", source.lots()),
            self.answer("sos", source.sos()),
            self.answer("breaches", source.breaches()),
        );
        let orders = if all {
            let since = TimeMs(now().0.saturating_sub(ORDERS_SPAN_MS));
            self.answer("orders", source.orders(since)).await.map(|orders| profile.orders(orders))
        } else {
            None
        };
        let metrics = metrics.map(|rows| {
            let mut rows = by_key(rows);
            if !all {
                for (key, row) in old.metrics.iter() {
                    rows.entry(key.clone()).or_insert_with(|| row.clone());
                }
            }
            rows
        });
        let figures = metrics.is_some() && progress.is_some() && contacts.is_some();
        let ok = figures && vehicles.is_some() && lots.is_some() && sos.is_some() && breaches.is_some();
        *self.stored_cases.lock().unwrap_or_else(PoisonError::into_inner) = sos.clone();
        Known {
            metrics: renewed(metrics, &old.metrics),
            progress: renewed(progress, &old.progress),
            contacts: renewed(contacts, &old.contacts),
            vehicles: renewed(vehicles.map(in_order), &old.vehicles),
            lots: renewed(lots.map(|lots| profile.lots(lots)), &old.lots),
            sos: renewed(sos.map(|cases| profile.open_cases(cases, self.options.visitors)), &old.sos),
            spark: Arc::clone(&old.spark),
            breaches: renewed(breaches, &old.breaches),
            usual: Arc::clone(&old.usual),
            alerts: Arc::clone(&old.alerts),
            orders: renewed(orders, &old.orders),
            sos_live: old.sos_live,
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

/// What `elder` says of a case stands; what it does not name comes from the store, where that answers.
fn together(mut cases: Vec<Sos>, stored: Option<Vec<Sos>>) -> Vec<Sos> {
    for case in stored.unwrap_or_default() {
        if !cases.iter().any(|known| known.case == case.case) {
            cases.push(case);
        }
    }
    cases
}

fn by_key(rows: Vec<Metric>) -> BTreeMap<MetricKey, Metric> {
    let key = |row: &Metric| (row.metric.clone(), row.level.clone(), row.key.clone(), row.span.clone());
    rows.into_iter().map(|row| (key(&row), row)).collect()
}

/// Positions that can be drawn, in an order that does not depend on the store's.
fn in_order(mut vehicles: Vec<Vehicle>) -> Vec<Vehicle> {
    vehicles.retain(|vehicle| vehicle.lon.abs() <= 180.0 && vehicle.lat.abs() <= 90.0);
    vehicles.sort_by(|a, b| a.id.cmp(&b.id));
    vehicles
}
