//! The board: every series of a partition (metric × level × key) with its panes and running sums. Contributions come in here;
//! [`crate::emit`] reads windows out.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use yiping_event::TimeMs;

use crate::{
    closed::{Closed, ClosedSpans},
    histogram,
    index::Index,
    key::{KeyId, Keys, Level},
    metric::{MetricId, MetricSpec, Shape},
    order::EntityId,
    pane::{Agg, PANE_MS, pane_of},
    panes::{BUCKET_MS, Panes, Part},
    rolling::{Rolling, pane_start},
    span::{Days, Span},
};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Series {
    pub metric: MetricId,
    pub level: Level,
    pub key: KeyId,
    /// What windows to come or to be revised need.
    pub panes: Panes,
    /// For each span of the metric its newest closed window: made from the panes where it isn't known.
    #[serde(skip)]
    pub windows: Box<[Rolling]>,
    /// Contributions to windows already closed, not yet written as revisions.
    #[serde(default)]
    pub pending: Option<Box<Panes>>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Board {
    pub keys: Keys,
    /// Metric ids in the order of their first use in this partition's life: a checkpoint's [`MetricId`]s refer to it.
    pub(crate) names: Vec<String>,
    #[serde(skip)]
    pub(crate) specs: Vec<MetricSpec>,
    #[serde(skip)]
    pub(crate) index: Index,
    pub(crate) series: Vec<Series>,
    pub(crate) closed: ClosedSpans,
    /// Series with pending revisions.
    pub(crate) touched: Vec<usize>,
    /// Flows before this are too late (ms); set from the clock.
    pub(crate) horizon: Option<i64>,
    /// Up to which watermark windows were closed and revised (ms).
    #[serde(default)]
    pub(crate) until: Option<i64>,
    /// Contributions that no window takes any more (their event is in the late topic, or moved them behind the horizon).
    pub too_late: u64,
}

impl Board {
    /// Ties the board to its metrics, new or restored: metrics of a checkpoint keep their numbers, new ones follow. A span that is
    /// new to a metric starts with the panes that there are: its first windows are made as they are.
    pub(crate) fn attach(&mut self, specs: &[MetricSpec], watermark: Option<TimeMs>, days: &Days) {
        for spec in specs {
            if !self.names.iter().any(|name| spec.id == **name) {
                self.names.push(spec.id.to_string());
            }
        }
        self.specs = self
            .names
            .iter()
            .map(|name| {
                specs.iter().find(|spec| spec.id == **name).cloned().unwrap_or_else(|| MetricSpec {
                    // of a checkpoint by a version that knew more: its series stay, and make no rows
                    id: name.as_str().into(),
                    shape: Shape::Flow,
                    spans: Vec::new(),
                    moves: false,
                })
            })
            .collect();
        self.index = Index::default();
        for (at, series) in self.series.iter().enumerate() {
            self.index.insert((series.metric, series.level, series.key), at);
        }
        if let Some(watermark) = watermark {
            self.open(watermark.0, days);
        }
        for series in &mut self.series {
            let spans = self.specs.get(usize::from(series.metric.0)).map_or(0, |spec| spec.spans.len());
            series.windows = vec![Rolling::default(); spans].into();
        }
    }

    /// The number of a metric; `None` when the machine wasn't given it.
    #[must_use]
    pub fn metric(&self, id: &str) -> Option<MetricId> {
        let at = self.specs.iter().position(|spec| spec.id == id && !spec.spans.is_empty())?;
        u16::try_from(at).ok().map(MetricId)
    }

    /// The number of a metric, also of one that makes no rows any more.
    pub(crate) fn number(&self, id: &str) -> Option<MetricId> {
        u16::try_from(self.names.iter().position(|name| name == id)?).ok().map(MetricId)
    }

    pub(crate) fn spec(&self, metric: MetricId) -> Option<&MetricSpec> {
        self.specs.get(usize::from(metric.0))
    }

    /// Sets every span's newest closed boundary when the partition gets its first time: windows that reach back before it are
    /// made as they are.
    pub(crate) fn open(&mut self, watermark: i64, days: &Days) {
        for span in Span::ALL {
            let is_new = self.closed.get(span).is_none();
            if is_new && self.specs.iter().any(|spec| spec.spans.contains(&span)) {
                let end = span.boundary_at_or_before(watermark, days);
                self.closed.set(span, Closed { start: next_start(span, end, days), end });
            }
        }
        // the city's own figures exist from the first event on: zero is a figure, too
        let key = self.keys.intern("city");
        for at in 0..self.specs.len() {
            let metric = MetricId(u16::try_from(at).unwrap_or(u16::MAX));
            self.series_of((metric, Level::City, key));
        }
    }

    /// The place of a series, made when it is new.
    pub(crate) fn series_of(&mut self, id: (MetricId, Level, KeyId)) -> usize {
        if let Some(place) = self.index.get(id) {
            return place;
        }
        let spans = self.spec(id.0).map_or(0, |spec| spec.spans.len());
        self.series.push(Series {
            metric: id.0,
            level: id.1,
            key: id.2,
            panes: Panes::default(),
            windows: vec![Rolling::default(); spans].into(),
            pending: None,
        });
        self.index.insert(id, self.series.len() - 1);
        self.series.len() - 1
    }

    /// A contribution to a flow: `num` and `den` in the metric's units, `n` observations.
    pub fn add(&mut self, at: Place, num: i64, den: i64, n: i64) {
        self.put(at, Part::Sums(Agg { num, den, n, ..Agg::default() }));
    }

    /// A contribution to a flow of a figure that is made of four sums (a deviation, an excess over what was planned).
    pub fn add4(&mut self, at: Place, sums: Agg) {
        self.put(at, Part::Sums(sums));
    }

    /// One observation: for a percentile (ms), the value of a max, min or last, or since when one waits (ms); `count` −1 takes it
    /// back.
    pub fn sample(&mut self, at: Place, value: i64, count: i64) {
        let shape = self.spec(at.metric).map_or(Shape::Flow, |spec| spec.shape);
        let item = if shape == Shape::Flow { i64::from(histogram::bucket(value)) } else { value };
        self.put(at, Part::Item { item, count });
    }

    /// An entity was seen, for a metric that counts different ones; `count` −1 takes it back. Entities are told apart by half of
    /// their hash: among a million, two are taken for one with a chance of 1 in 37 million.
    pub fn see(&mut self, at: Place, entity: EntityId, count: i64) {
        self.put(at, Part::Item { item: entity.0 as i64, count });
    }

    /// A change of state from `at.time` on: of a level (open cases), or of the state that an integral adds up (occupied spaces,
    /// capacity). `n` counts steps.
    pub fn shift(&mut self, at: Place, num: i64, den: i64, n: i64) {
        self.put(at, Part::Sums(Agg { num, den, n, ..Agg::default() }));
    }

    fn put(&mut self, at: Place, mut part: Part) {
        let Some(shape) = self.spec(at.metric).map(|spec| spec.shape) else {
            return;
        };
        let mut time = at.time.0;
        if let Some(horizon) = self.horizon.filter(|&horizon| time < horizon) {
            if !shape.lasts() {
                self.too_late += 1;
                return;
            }
            time = horizon; // a state changed before the horizon holds from the horizon on (I5)
        }
        let pane = pane_of(time, shape) * PANE_MS;
        if let (Shape::Integral, Part::Sums(agg)) = (shape, &mut part) {
            let rest = pane + PANE_MS - time;
            agg.num2 = agg.num.wrapping_mul(rest);
            agg.den2 = agg.den.wrapping_mul(rest);
        }
        // a pane holds its observations in no order; for the newest one their order is all
        let time = if shape == Shape::Last { time } else { pane };
        let place = self.series_of((at.metric, at.level, at.key));
        let Some(spec) = self.specs.get(usize::from(at.metric.0)) else {
            return;
        };
        let series = &mut self.series[place];
        let mut revises = false;
        if time < self.closed.newest() {
            for (span, window) in spec.spans.iter().zip(&mut series.windows) {
                if let Some(closed) = self.closed.get(*span).filter(|closed| time < pane_start(closed.end)) {
                    window.revise(shape, closed.bounds(*span), time, &part);
                    revises = true;
                }
            }
        }
        if revises {
            let pending = series.pending.get_or_insert_with(|| {
                self.touched.push(place);
                Box::default()
            });
            pending.put(time, &part);
        }
        series.panes.put(time, &part);
    }

    /// Drops panes that no window can need any more, and merges those that only long windows need.
    pub(crate) fn prune(&mut self, days: &Days) {
        let Some(horizon) = self.horizon else { return };
        let mut day_begins_in = HashMap::new();
        for series in &mut self.series {
            let Some(spec) = self.specs.get(usize::from(series.metric.0)) else {
                continue;
            };
            // the oldest pane that anything can still come into
            let open = pane_of(horizon, spec.shape) * PANE_MS;
            let (mut keep, mut fine) = (open, open);
            for span in &spec.spans {
                let Some(closed) = self.closed.get(*span) else {
                    continue;
                };
                // the oldest window that can be revised ends after `open`, the next one to be closed starts at `closed.start`
                let oldest = match span {
                    Span::Day => days.start_of(open),
                    _ => span.start_of(span.boundary_at_or_before(open, days), days),
                };
                keep = keep.min(oldest).min(closed.start);
                if !matches!(span, Span::H24 | Span::Day) {
                    fine = fine.min(oldest).min(closed.start);
                }
            }
            series.panes.drop_before(pane_start(keep), spec.shape);
            // Windows of 24h and of days begin and end on multiples of 5 minutes (days nearly always, hence the question). No other
            // window of this metric begins or ends before `fine`, and nothing comes in there: so nobody sees what a bucket before
            // it is made of.
            let fine = fine.div_euclid(BUCKET_MS) * BUCKET_MS;
            series.panes.pack_before(fine, spec.shape, |bucket| {
                !*day_begins_in.entry(bucket).or_insert_with(|| days.start_of(bucket + BUCKET_MS - 1) > bucket)
            });
        }
    }

    /// How many panes are kept, over all series.
    #[must_use]
    pub fn panes(&self) -> usize {
        self.series.iter().map(|series| series.panes.len().0).sum()
    }

    /// How many of them are old ones, merged and packed.
    #[must_use]
    pub fn packed_panes(&self) -> usize {
        self.series.iter().map(|series| series.panes.len().1).sum()
    }

    /// How many series there are.
    #[must_use]
    pub fn series(&self) -> usize {
        self.series.len()
    }
}

/// Where rolling windows start once the window that ends at `end` is closed: a rolling window's start moves with its
/// end, a day's next window starts where this one ends.
pub(crate) fn next_start(span: Span, end: i64, days: &Days) -> i64 {
    match span {
        Span::Day => end,
        _ => span.start_of(end, days),
    }
}

/// Where a contribution goes.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub metric: MetricId,
    pub level: Level,
    pub key: KeyId,
    pub time: TimeMs,
}
