//! Batch after batch, as time moves.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;
use yiping_catalogue::{Catalogue, Value};
use yiping_city::City;
use yiping_runtime::PartHandle;

use crate::{gauges::Gauges, judge::Judge, past::Past, rules::Rules, store::Archive};

/// How often it is asked whether time has moved.
const ASK: Duration = Duration::from_secs(2);
/// Figures become final every half minute at the most often (the slide of `5m`), so asking more often finds nothing.
const STEP_MS: i64 = 30_000;
/// So much is judged at once when there is much to make up for.
const BATCH_MS: i64 = 60 * 60 * 1_000;
/// The newest figures for alert rules.
const GAUGES_EVERY: Duration = Duration::from_secs(15);

pub struct WatchDeps {
    pub archive: Arc<dyn Archive>,
    pub catalogue: Arc<Catalogue>,
    pub city: Arc<City>,
    pub rules: Rules,
    pub gauges: Gauges,
    pub health: PartHandle,
    /// Figures of before (ms) are history to a watch that has judged nothing yet: a demo tells its past as if it were live.
    pub since: i64,
}

/// Judges until `cancel`. A store that doesn't answer is waited for: what became final meanwhile is judged then.
///
/// # Errors
/// None; it ends when it is told to.
pub async fn run(deps: WatchDeps, cancel: CancellationToken) -> anyhow::Result<()> {
    let mut watch = Watch { streams: HashMap::new(), deps };
    let mut ask = tokio::time::interval(ASK);
    let mut show = tokio::time::interval(GAUGES_EVERY);
    for timer in [&mut ask, &mut show] {
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    }
    loop {
        let done = tokio::select! {
            biased;
            () = cancel.cancelled() => return Ok(()),
            _ = ask.tick() => watch.advance().await,
            _ = show.tick() => watch.show().await,
        };
        match done {
            Ok(()) => watch.deps.health.ready(),
            Err(error) => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "what is beyond its limit can't be judged now; it is made up for"
                );
                watch.deps.health.not_ready(format!("{error:#}"));
            }
        }
    }
}

struct Watch {
    deps: WatchDeps,
    streams: HashMap<String, (Judge, i64)>,
}

impl Watch {
    async fn advance(&mut self) -> anyhow::Result<()> {
        for (stream, watermark) in self.deps.archive.watermarks().await? {
            let until = watermark.div_euclid(STEP_MS) * STEP_MS;
            if self.streams.get(&stream).is_some_and(|(_, mark)| *mark >= until) {
                continue;
            }
            self.judge(&stream, until).await?;
        }
        Ok(())
    }

    async fn judge(&mut self, stream: &str, until: i64) -> anyhow::Result<()> {
        let WatchDeps { archive, catalogue, city, rules, gauges, .. } = &self.deps;
        let Some(mark) = archive.mark(stream).await? else {
            // the first time: what was before is history, and alarms nobody
            archive.write(stream, &crate::Outcome::default(), until.max(self.deps.since)).await?;
            return Ok(());
        };
        // out of the table as long as what it finds isn't stored: after a failure it is what the store says
        let (mut judge, mut mark) = match self.streams.remove(stream).filter(|(_, known)| *known == mark) {
            Some(known) => known,
            None => {
                // just started, or another instance has judged meanwhile
                let Some(first) = archive.first(&rules.figures(stream)).await? else {
                    return Ok(()); // its first window has still to close
                };
                let mut judge = Judge::new(stream, rules, first);
                judge.recall(archive.states(stream).await?);
                (judge, mark)
            }
        };
        let wanted = rules.figures(stream);
        while mark < until {
            let end = until.min(mark + BATCH_MS);
            let figures = archive.figures(&wanted, mark, end).await?;
            let is_count = |metric: &str| catalogue.entry(metric).is_some_and(|entry| entry.value == Value::Count);
            let (counts, others): (Vec<_>, Vec<_>) =
                judge.wants(&figures).into_iter().partition(|one| is_count(&one.0));
            let mut past = Past::new();
            if !counts.is_empty() {
                past.extend(archive.past(&counts, true).await?);
            }
            if !others.is_empty() {
                past.extend(archive.past(&others, false).await?);
            }
            let outcome = judge.judge(&figures, &past, city, end);
            for breach in &outcome.breaches {
                let (metric, level, key) = (&breach.metric, &breach.level, &breach.key);
                match breach.closed_at {
                    None if breach.judged == breach.opened_at => {
                        tracing::warn!(
                            id = breach.id,
                            metric,
                            level,
                            key,
                            value = breach.value,
                            limit = breach.threshold,
                            "beyond its limit"
                        );
                    }
                    Some(_) => tracing::info!(id = breach.id, metric, level, key, "back within its limit"),
                    None => {}
                }
            }
            archive.write(stream, &outcome, end).await?;
            mark = end;
            gauges.judged(stream, end);
            gauges.open(&judge);
        }
        self.streams.insert(stream.to_owned(), (judge, mark));
        Ok(())
    }

    async fn show(&self) -> anyhow::Result<()> {
        let rows = self.deps.archive.latest().await?;
        self.deps.gauges.show(&rows);
        Ok(())
    }
}
