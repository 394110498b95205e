//! The board: every series of a partition (metric × level × key) with its panes and running sums. Contributions come in here;
//! [`crate::emit`] reads windows out.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde::{Deserialize, Serialize};
use yiping_event::TimeMs;

use crate::{
    cumulative::Sum,
    histogram::Histogram,
    key::{KeyId, Keys, Level},
    metric::{MetricId, MetricSpec, Shape},
    pane::{Agg, PANE_MS, pane_of},
    span::{Days, Span},
};

/// The newest window of a span that was closed, for all series alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Closed {
    /// Where the sums at windows' starts stand.
    pub start: i64,
    pub end: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Series {
    pub metric: MetricId,
    pub level: Level,
    pub key: KeyId,
    /// Kept panes, oldest first; a pane without contributions isn't there.
    pub panes: VecDeque<(i64, Agg)>,
    /// The state that pruned panes left.
    pub floor: (i64, i64),
    /// For each span of the metric the sums at the start and at the end of its newest closed window.
    pub sums: Vec<(Sum, Sum)>,
    /// Contributions to windows already closed, not yet written as revisions.
    pub pending: Vec<(i64, Agg)>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Board {
    pub keys: Keys,
    /// Metric ids in the order of their first use in this partition's life: a checkpoint's [`MetricId`]s refer to it.
    pub(crate) names: Vec<String>,
    /// The spans that each metric's series have sums for.
    #[serde(default)]
    pub(crate) spans: Vec<Vec<Span>>,
    #[serde(skip)]
    pub(crate) specs: Vec<MetricSpec>,
    #[serde(skip)]
    pub(crate) index: HashMap<(MetricId, Level, KeyId), usize>,
    pub(crate) series: Vec<Series>,
    pub(crate) closed: BTreeMap<Span, Closed>,
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
            if !self.names.contains(&spec.id) {
                self.names.push(spec.id.clone());
            }
        }
        self.specs = self
            .names
            .iter()
            .map(|name| {
                specs.iter().find(|spec| spec.id == *name).cloned().unwrap_or_else(|| MetricSpec {
                    // of a checkpoint by a version that knew more: its series stay, and make no rows
                    id: name.clone(),
                    shape: Shape::Flow,
                    spans: Vec::new(),
                    moves: false,
                })
            })
            .collect();
        self.index = self
            .series
            .iter()
            .enumerate()
            .map(|(at, series)| ((series.metric, series.level, series.key), at))
            .collect();
        if let Some(watermark) = watermark {
            self.open(watermark.0, days);
        }
        let before = std::mem::replace(&mut self.spans, self.specs.iter().map(|spec| spec.spans.clone()).collect());
        for place in 0..self.series.len() {
            let metric = usize::from(self.series[place].metric.0);
            if before.get(metric) != self.spans.get(metric) {
                self.sum_up(place);
            }
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
            if self.specs.iter().any(|spec| spec.spans.contains(&span)) {
                self.closed.entry(span).or_insert_with(|| {
                    let end = span.boundary_at_or_before(watermark, days);
                    Closed { start: next_start(span, end, days), end }
                });
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
        if let Some(&place) = self.index.get(&id) {
            return place;
        }
        let spans = self.spec(id.0).map_or(0, |spec| spec.spans.len());
        self.series.push(Series {
            metric: id.0,
            level: id.1,
            key: id.2,
            panes: VecDeque::new(),
            floor: (0, 0),
            sums: vec![Default::default(); spans],
            pending: Vec::new(),
        });
        self.index.insert(id, self.series.len() - 1);
        self.series.len() - 1
    }

    /// A contribution to a flow: `num` and `den` in the metric's units, `n` observations.
    pub fn add(&mut self, at: Place, num: i64, den: i64, n: i64) {
        self.put(at, Agg { num, den, n, ..Agg::default() });
    }

    /// One observation (ms) for a percentile; `count` −1 takes it back.
    pub fn sample(&mut self, at: Place, value: i64, count: i64) {
        self.put(at, Agg { n: count, hist: Histogram::one(value, count), ..Agg::default() });
    }

    /// A change of state from `at.time` on: of a level (open cases), or of the state that an integral adds up (occupied spaces,
    /// capacity). `n` counts steps.
    pub fn shift(&mut self, at: Place, num: i64, den: i64, n: i64) {
        self.put(at, Agg { num, den, n, ..Agg::default() });
    }

    fn put(&mut self, at: Place, mut agg: Agg) {
        let Some(spec) = self.specs.get(usize::from(at.metric.0)) else {
            return;
        };
        let shape = spec.shape;
        let mut time = at.time.0;
        if let Some(horizon) = self.horizon.filter(|&horizon| time < horizon) {
            if shape == Shape::Flow {
                self.too_late += 1;
                return;
            }
            time = horizon; // a state changed before the horizon holds from the horizon on (I5)
        }
        let pane = pane_of(time, shape);
        if shape == Shape::Integral {
            let rest = (pane + 1) * PANE_MS - time;
            agg.area_num = agg.num.wrapping_mul(rest);
            agg.area_den = agg.den.wrapping_mul(rest);
        }
        let place = self.series_of((at.metric, at.level, at.key));
        let Some(spec) = self.specs.get(usize::from(at.metric.0)) else {
            return;
        };
        let series = &mut self.series[place];
        let mut revises = false;
        for (span, (start, end)) in spec.spans.iter().zip(&mut series.sums) {
            let Some(closed) = self.closed.get(span) else {
                continue;
            };
            if pane < closed.end.div_euclid(PANE_MS) {
                end.take(shape, closed.end, pane, &agg);
                revises = true;
            }
            if pane < closed.start.div_euclid(PANE_MS) {
                start.take(shape, closed.start, pane, &agg);
            }
        }
        if revises {
            if series.pending.is_empty() {
                self.touched.push(place);
            }
            series.pending.push((pane, agg.clone()));
        }
        insert(&mut series.panes, pane, agg);
    }

    /// Drops panes that no window can need any more.
    pub(crate) fn prune(&mut self, days: &Days) {
        let Some(horizon) = self.horizon else { return };
        for series in &mut self.series {
            let Some(spec) = self.specs.get(usize::from(series.metric.0)) else {
                continue;
            };
            let keep = spec
                .spans
                .iter()
                .filter_map(|span| {
                    let closed = self.closed.get(span)?;
                    let first = span.boundary_at_or_before(horizon, days);
                    Some(span.start_of(first, days).min(first).min(closed.start))
                })
                .min()
                .unwrap_or(horizon)
                .div_euclid(PANE_MS);
            while let Some((_, agg)) = series.panes.pop_front_if(|entry| entry.0 < keep) {
                if spec.shape != Shape::Flow {
                    series.floor.0 = series.floor.0.wrapping_add(agg.num);
                    series.floor.1 = series.floor.1.wrapping_add(agg.den);
                }
            }
        }
    }

    /// How many panes are kept, over all series.
    #[must_use]
    pub fn panes(&self) -> usize {
        self.series.iter().map(|series| series.panes.len()).sum()
    }

    /// How many series there are.
    #[must_use]
    pub fn series(&self) -> usize {
        self.series.len()
    }
}

/// Where the sums at windows' starts stand once the window that ends at `end` is closed: a rolling window's start moves with its
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

pub(crate) fn insert(panes: &mut VecDeque<(i64, Agg)>, pane: i64, agg: Agg) {
    match panes.back_mut() {
        Some(last) if last.0 == pane => last.1.add(&agg, 1),
        Some(last) if last.0 > pane => match panes.binary_search_by_key(&pane, |entry| entry.0) {
            Ok(at) => panes[at].1.add(&agg, 1),
            Err(at) => panes.insert(at, (pane, agg)),
        },
        _ => panes.push_back((pane, agg)),
    }
}
