//! `watch` over a store in memory: restarts, a second instance and failures change nothing.
#![allow(clippy::unwrap_used, reason = "a test that can't go on may panic")]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use prometheus::Registry;
use tokio_util::sync::CancellationToken;
use yiping_catalogue::Catalogue;
use yiping_city::City;
use yiping_runtime::Health;
use yiping_store::MetricValue;
use yiping_watch::{
    Archive, Breach, DEFAULT_MOST_SERIES, Figure, Gauges, Outcome, Past, Remembered, Rules, SeriesId, State, Wanted,
    WatchDeps, run,
};

const MINUTE: i64 = 60_000;
const START: i64 = 1_000 * MINUTE;

#[derive(Default)]
struct Kept {
    figures: Vec<Figure>,
    watermark: i64,
    mark: Option<i64>,
    states: BTreeMap<SeriesId, State>,
    breaches: BTreeMap<String, Breach>,
    /// The next so many writes fail before anything is kept, or after the breaches.
    fail: u32,
    torn: u32,
}

/// A store in memory: of each identity what was judged last.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Kept>>);

#[async_trait]
impl Archive for Memory {
    async fn watermarks(&self) -> anyhow::Result<Vec<(String, i64)>> {
        Ok(vec![("hotline".to_owned(), self.0.lock().unwrap().watermark)])
    }

    async fn mark(&self, _: &str) -> anyhow::Result<Option<i64>> {
        Ok(self.0.lock().unwrap().mark)
    }

    async fn states(&self, _: &str) -> anyhow::Result<Vec<Remembered>> {
        let kept = self.0.lock().unwrap();
        Ok(kept.states.iter().map(|(series, state)| Remembered { series: series.clone(), state: *state }).collect())
    }

    async fn figures(&self, wanted: &[(String, String)], after: i64, until: i64) -> anyhow::Result<Vec<Figure>> {
        let wants = |figure: &&Figure| wanted.contains(&(figure.metric.clone(), figure.level.clone()));
        let kept = self.0.lock().unwrap();
        Ok(kept.figures.iter().filter(|f| f.end > after && f.end <= until).filter(wants).cloned().collect())
    }

    async fn first(&self, _: &[(String, String)]) -> anyhow::Result<Option<i64>> {
        Ok(self.0.lock().unwrap().figures.first().map(|figure| figure.end))
    }

    async fn past(&self, _: &[Wanted], _: bool) -> anyhow::Result<Past> {
        Ok(Past::new())
    }

    async fn write(&self, _: &str, outcome: &Outcome, until: i64) -> anyhow::Result<()> {
        let mut kept = self.0.lock().unwrap();
        if kept.fail > 0 {
            kept.fail -= 1;
            anyhow::bail!("the store is away");
        }
        for breach in &outcome.breaches {
            let known = kept.breaches.entry(breach.id.clone()).or_insert_with(|| breach.clone());
            if known.judged <= breach.judged {
                *known = breach.clone();
            }
        }
        if kept.torn > 0 {
            kept.torn -= 1;
            anyhow::bail!("the store went away between two tables");
        }
        for known in &outcome.states {
            kept.states.insert(known.series.clone(), known.state);
        }
        kept.mark = kept.mark.max(Some(until));
        Ok(())
    }

    async fn latest(&self) -> anyhow::Result<Vec<MetricValue>> {
        Ok(Vec::new())
    }
}

impl Memory {
    /// Callers who wait, one figure a minute; those before START are history.
    fn of(story: &[f64]) -> Self {
        let figure = |(minute, value): (usize, &f64)| {
            let [metric, level, key, span] = ["hotline.waiting", "city", "city", "now"].map(str::to_owned);
            Figure { metric, level, key, span, end: START + (minute as i64 - 10) * MINUTE, value: Some(*value) }
        };
        let figures = story.iter().enumerate().map(figure).collect();
        Memory(Arc::new(Mutex::new(Kept { figures, watermark: START, ..Kept::default() })))
    }

    fn start(&self) -> (CancellationToken, tokio::task::JoinHandle<anyhow::Result<()>>) {
        self.start_since(0)
    }

    fn start_since(&self, since: i64) -> (CancellationToken, tokio::task::JoinHandle<anyhow::Result<()>>) {
        self.start_telling(since, &Registry::new())
    }

    /// What it tells Prometheus is in the registry.
    fn start_telling(
        &self,
        since: i64,
        registry: &Registry,
    ) -> (CancellationToken, tokio::task::JoinHandle<anyhow::Result<()>>) {
        let (catalogue, city) = (Catalogue::builtin().unwrap(), City::weihai());
        let deps = WatchDeps {
            rules: Rules::new(&catalogue, &city).unwrap(),
            gauges: Gauges::new(registry, &catalogue, &city, DEFAULT_MOST_SERIES).unwrap(),
            archive: Arc::new(self.clone()),
            catalogue: Arc::new(catalogue),
            city: Arc::new(city),
            health: Health::default().part("watch"),
            since,
        };
        let cancel = CancellationToken::new();
        (cancel.clone(), tokio::spawn(run(deps, cancel)))
    }

    async fn until(&self, minute: i64) {
        let end = START + minute * MINUTE;
        self.0.lock().unwrap().watermark = end;
        // on paused time; a failed write is made up for within its limit
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(500)).await;
            if self.0.lock().unwrap().mark >= Some(end) {
                return;
            }
        }
        panic!("not judged up to minute {minute}");
    }

    /// opened and closed, in minutes from START.
    fn told(&self) -> Vec<(i64, Option<i64>)> {
        let minutes = |t: i64| (t - START) / MINUTE;
        let kept = self.0.lock().unwrap();
        let mut told: Vec<_> =
            kept.breaches.values().map(|b| (minutes(b.opened_at), b.closed_at.map(minutes))).collect();
        told.sort_unstable();
        told
    }
}

/// Ten minutes of history beyond the limit. Judged from minute 1 on: beyond for two minutes at 3, below 10 at 6; beyond again from 10 on,
/// for two minutes at 12.
const STORY: [f64; 26] = [
    30.0, 30.0, 30.0, 30.0, 30.0, 30.0, 30.0, 30.0, 30.0, 30.0, 30.0, // −10 … 0: history
    30.0, 30.0, 30.0, 30.0, 30.0, 5.0, 5.0, 5.0, 5.0, // 1 … 9
    40.0, 40.0, 40.0, 40.0, 40.0, 40.0, // 10 … 15
];
const TOLD: [(i64, Option<i64>); 2] = [(3, Some(6)), (12, None)];

#[tokio::test(start_paused = true)]
async fn history_alarms_nobody_and_a_new_peak_does() {
    let store = Memory::of(&STORY);
    let (cancel, watch) = store.start();
    store.until(0).await;
    assert_eq!(store.told(), []);
    store.until(15).await;
    assert_eq!(store.told(), TOLD);
    cancel.cancel();
    watch.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_past_that_is_told_as_if_it_were_live_alarms_nobody() {
    let store = Memory::of(&STORY);
    let (cancel, watch) = store.start_since(START + 15 * MINUTE);
    for minute in 0..=15 {
        store.0.lock().unwrap().watermark = START + minute * MINUTE;
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    assert_eq!(store.told(), []);
    assert_eq!(store.0.lock().unwrap().mark, Some(START + 15 * MINUTE));
    cancel.cancel();
    watch.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn restarts_and_a_second_instance_change_nothing() {
    let store = Memory::of(&STORY);
    let (_, _other) = store.start();
    for minute in 0..=15 {
        // one that is new each minute beside one that goes on
        let (cancel, watch) = store.start();
        store.until(minute).await;
        cancel.cancel();
        watch.await.unwrap().unwrap();
    }
    assert_eq!(store.told(), TOLD);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_between_two_writes_changes_nothing() {
    let store = Memory::of(&STORY);
    let (_, _watch) = store.start();
    for minute in 0..=15 {
        store.until(minute).await;
        let mut kept = store.0.lock().unwrap();
        (kept.fail, kept.torn) = (1, 1);
    }
    assert_eq!(store.told(), TOLD);
}

#[tokio::test(start_paused = true)]
async fn what_became_final_while_nobody_watched_is_judged_when_somebody_does() {
    let store = Memory::of(&STORY);
    let (cancel, watch) = store.start();
    store.until(0).await;
    store.until(1).await;
    cancel.cancel();
    watch.await.unwrap().unwrap();
    store.0.lock().unwrap().watermark = START + 15 * MINUTE;
    let (_, _watch) = store.start();
    store.until(15).await;
    assert_eq!(store.told(), TOLD);
}

#[tokio::test(start_paused = true)]
async fn prometheus_is_told_what_is_open_also_after_a_restart() {
    let told = |registry: &Registry| -> Option<f64> {
        let families = registry.gather();
        let open = families.iter().find(|family| family.name() == "yiping_watch_breaches_open")?;
        let series = open.get_metric().iter().find(|series| {
            series.get_label().iter().any(|label| (label.name(), label.value()) == ("metric", "hotline.waiting"))
        })?;
        Some(series.get_gauge().get_value())
    };
    let (store, registry) = (Memory::of(&STORY), Registry::new());
    let (cancel, watch) = store.start_telling(0, &registry);
    store.until(0).await;
    assert_eq!(told(&registry), None, "nothing was judged: nothing is known");
    for (minute, open) in [(2, 0.0), (3, 1.0), (6, 0.0), (12, 1.0)] {
        store.until(minute).await;
        assert_eq!(told(&registry), Some(open), "minute {minute}");
    }
    cancel.cancel();
    watch.await.unwrap().unwrap();
    let registry = Registry::new();
    let (_, _watch) = store.start_telling(0, &registry);
    store.until(13).await;
    assert_eq!(told(&registry), Some(1.0));
}
