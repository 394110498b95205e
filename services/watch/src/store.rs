//! Where figures come from and breaches go to.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use yiping_store::{BreachRow, FinalFigure, Formulas, MetricValue, Store, WatchState};

use crate::{
    judge::{Breach, Figure, Opened, Outcome, Remembered, State},
    past::{Baseline, DAY_MS, DAYS, Past, Wanted},
};

/// What `watch` asks of a store.
#[async_trait]
pub trait Archive: Send + Sync {
    /// Up to when the figures of each stream are final (ms).
    async fn watermarks(&self) -> anyhow::Result<Vec<(String, i64)>>;
    /// Up to when a stream was judged (ms), by whoever.
    async fn mark(&self, stream: &str) -> anyhow::Result<Option<i64>>;
    async fn states(&self, stream: &str) -> anyhow::Result<Vec<Remembered>>;
    /// Final figures of these (metric, level) whose windows end in (after, until].
    async fn figures(&self, wanted: &[(String, String)], after: i64, until: i64) -> anyhow::Result<Vec<Figure>>;
    /// The first instant (ms) of which any of these metrics has a final figure `now`.
    async fn first(&self, wanted: &[(String, String)]) -> anyhow::Result<Option<i64>>;
    /// What the days before let expect. `counts`: a day without a row is a day with none.
    async fn past(&self, wanted: &[Wanted], counts: bool) -> anyhow::Result<Past>;
    async fn write(&self, stream: &str, outcome: &Outcome, until: i64) -> anyhow::Result<()>;
    /// The newest merged figures.
    async fn latest(&self) -> anyhow::Result<Vec<MetricValue>>;
}

/// ClickHouse, as `watch` asks it.
pub struct Stored {
    pub store: Store,
    pub formulas: Formulas,
}

#[async_trait]
impl Archive for Stored {
    async fn watermarks(&self) -> anyhow::Result<Vec<(String, i64)>> {
        Ok(self.store.watermarks().await?)
    }

    async fn mark(&self, stream: &str) -> anyhow::Result<Option<i64>> {
        Ok(self.store.watch_mark(stream).await?)
    }

    async fn states(&self, stream: &str) -> anyhow::Result<Vec<Remembered>> {
        Ok(self.store.watch_states(stream).await?.into_iter().map(remembered).collect())
    }

    async fn figures(&self, wanted: &[(String, String)], after: i64, until: i64) -> anyhow::Result<Vec<Figure>> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let metrics: BTreeSet<&str> = wanted.iter().map(|(metric, _)| metric.as_str()).collect();
        let levels: BTreeSet<&str> = wanted.iter().map(|(_, level)| level.as_str()).collect();
        let (metrics, levels): (Vec<&str>, Vec<&str>) = (metrics.into_iter().collect(), levels.into_iter().collect());
        let figures = self.store.final_figures(&metrics, &levels, after, until).await?.into_iter().map(figure);
        let is_wanted =
            |figure: &Figure| wanted.iter().any(|(metric, level)| *metric == figure.metric && *level == figure.level);
        Ok(figures.filter(is_wanted).collect())
    }

    async fn first(&self, wanted: &[(String, String)]) -> anyhow::Result<Option<i64>> {
        let metrics: BTreeSet<&str> = wanted.iter().map(|(metric, _)| metric.as_str()).collect();
        let metrics: Vec<&str> = metrics.into_iter().collect();
        Ok(self.store.first_figure(&metrics).await?)
    }

    async fn past(&self, wanted: &[Wanted], counts: bool) -> anyhow::Result<Past> {
        let mut asked: BTreeMap<(&str, &str, &str), Vec<&Wanted>> = BTreeMap::new();
        for one in wanted {
            asked.entry((&one.0, &one.1, &one.3)).or_default().push(one);
        }
        let mut past = Past::new();
        for ((metric, level, span), wanted) in asked {
            let keys: BTreeSet<&str> = wanted.iter().map(|one| one.2.as_str()).collect();
            let keys: Vec<&str> = keys.into_iter().collect();
            let ends: BTreeSet<i64> =
                wanted.iter().flat_map(|one| (1..=DAYS).map(|day| one.4 - day * DAY_MS)).collect();
            let ends: Vec<i64> = ends.into_iter().collect();
            let rows = self.store.figures_at(metric, level, span, &keys, &ends).await?;
            let figures: Vec<Figure> = rows.into_iter().map(figure).collect();
            past.extend(baselines(&wanted, &figures, counts));
        }
        Ok(past)
    }

    async fn write(&self, stream: &str, outcome: &Outcome, until: i64) -> anyhow::Result<()> {
        let breaches: Vec<BreachRow> = outcome.breaches.iter().map(breach_row).collect();
        let states: Vec<WatchState> = outcome.states.iter().map(|known| state_row(stream, known)).collect();
        Ok(self.store.write_watch(stream, &breaches, &states, until).await?)
    }

    async fn latest(&self) -> anyhow::Result<Vec<MetricValue>> {
        Ok(self.store.newest(&self.formulas, None).await?)
    }
}

/// Baselines from the figures of earlier days.
pub(crate) fn baselines(wanted: &[&Wanted], figures: &[Figure], counts: bool) -> Past {
    let at: BTreeMap<(&str, &str, i64), Option<f64>> =
        figures.iter().map(|figure| ((figure.level.as_str(), figure.key.as_str(), figure.end), figure.value)).collect();
    let mut past = Past::new();
    for one in wanted {
        let (_, level, key, _, end) = one;
        let values = (1..=DAYS).filter_map(|day| {
            let end = end - day * DAY_MS;
            let value = at.get(&(level.as_str(), key.as_str(), end)).copied();
            // a day on which the city had some, and this key no row, is a day on which it had none
            let is_day = counts && at.contains_key(&("city", "city", end));
            value.flatten().or((value.is_none() && is_day).then_some(0.0))
        });
        if let Some(baseline) = Baseline::of(values.collect()) {
            past.insert((*one).clone(), baseline);
        }
    }
    past
}

fn figure(row: FinalFigure) -> Figure {
    let FinalFigure { metric, level, key, span, window_end_ms, value } = row;
    Figure { metric, level, key, span, end: window_end_ms, value }
}

fn breach_row(breach: &Breach) -> BreachRow {
    BreachRow {
        metric: breach.metric.clone(),
        level: breach.level.clone(),
        key: breach.key.clone(),
        span: breach.span.clone(),
        severity: breach.severity,
        opened_at_ms: breach.opened_at,
        closed_at_ms: breach.closed_at,
        value: Some(breach.value),
        threshold: breach.threshold,
        revision: breach.judged.unsigned_abs(),
        id: breach.id.clone(),
        worst: Some(breach.worst),
        owner: breach.owner.clone(),
        action: breach.action.clone(),
    }
}

fn state_row(stream: &str, Remembered { series: (rule, level, key, span), state }: &Remembered) -> WatchState {
    WatchState {
        stream: stream.to_owned(),
        rule: rule.clone(),
        level: level.clone(),
        key: key.clone(),
        span: span.clone(),
        since_ms: state.since,
        opened_at_ms: state.opened.map(|opened| opened.at),
        value: state.opened.map(|opened| opened.value),
        worst: state.opened.map(|opened| opened.worst),
        threshold: state.opened.map(|opened| opened.threshold),
        seen_ms: state.seen,
        revision: state.seen.unsigned_abs(),
    }
}

fn remembered(row: WatchState) -> Remembered {
    let opened = row.opened_at_ms.map(|at| Opened {
        at,
        value: row.value.unwrap_or_default(),
        worst: row.worst.or(row.value).unwrap_or_default(),
        threshold: row.threshold.unwrap_or_default(),
    });
    Remembered {
        series: (row.rule, row.level, row.key, row.span),
        state: State { since: row.since_ms, opened, seen: row.seen_ms },
    }
}
