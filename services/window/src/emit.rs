//! Windows read out of the board: closed ones as time moves (final rows), revised ones where contributions came late, and the
//! next-ending ones as they stand (provisional).

use yiping_event::TimeMs;

use crate::{
    board::{Board, Series, next_start},
    closed::{Closed, bounds},
    key::{Level, Name},
    metric::{MetricSpec, Shape},
    pane::{PANE_MS, Row},
    panes::Panes,
    rolling::{Bounds, EVER, Rolling, Value, pane_start},
    span::{Days, Span},
};

impl Board {
    /// Closes every window that ends at or before `until(span)`: one row for each series with anything in it. Stops where there are
    /// `most` rows; whether all are closed.
    pub(crate) fn close(
        &mut self,
        until: impl Fn(Span) -> i64,
        days: &Days,
        offset: u64,
        rows: &mut Vec<Row>,
        most: usize,
    ) -> bool {
        let spans: Vec<Span> = self.closed.spans().collect();
        for span in spans {
            let until = until(span);
            while let Some(next) = self.next_window(span, until, days) {
                if rows.len() >= most {
                    return false;
                }
                self.close_one(span, next, days, offset, rows);
            }
        }
        true
    }

    /// The next window of a span to close, jumping over stretches in which every window is empty.
    fn next_window(&mut self, span: Span, until: i64, days: &Days) -> Option<i64> {
        let closed = self.closed.get(span)?;
        let next = span.boundary_after(closed.end, days);
        if next > until {
            return None;
        }
        let last = span.boundary_at_or_before(until, days);
        if last > next && self.nothing_from(span, closed.start) {
            let jump = Closed { start: next_start(span, last, days), end: last };
            self.closed.set(span, jump);
            return None;
        }
        Some(next)
    }

    /// Whether no series has a contribution at or after `from`, nor a state that lasts.
    fn nothing_from(&self, span: Span, from: i64) -> bool {
        self.series.iter().all(|series| {
            let Some(at) = self.spec(series.metric).and_then(|spec| spec.spans.iter().position(|s| *s == span)) else {
                return true;
            };
            let window = &series.windows[at];
            let quiet = series.panes.newest_time().is_none_or(|newest| newest < pane_start(from));
            quiet && window.stands_still() && window.is_empty()
        })
    }

    fn close_one(&mut self, span: Span, end: i64, days: &Days, offset: u64, rows: &mut Vec<Row>) {
        let Some(closed) = self.closed.get(span) else {
            return;
        };
        let start = if span == Span::Day { closed.start } else { span.start_of(end, days) };
        let kept_start = next_start(span, end, days);
        let Board { series, specs, keys, .. } = self;
        for series in series {
            let Some(spec) = specs.get(usize::from(series.metric.0)) else {
                continue;
            };
            let Some(at) = spec.spans.iter().position(|s| *s == span) else {
                continue;
            };
            let Series { panes, windows, .. } = series;
            let (window, to) = (&mut windows[at], bounds(span, start, end));
            window.roll(panes, spec.shape, closed.bounds(span), to);
            let value = window.value(spec.shape);
            window.roll(panes, spec.shape, to, bounds(span, kept_start, end));
            if !value.is_empty() {
                rows.push(row(spec, series, keys.shared(series.key), span, (start, end), value, false, offset));
            }
        }
        self.closed.set(span, Closed { start: kept_start, end });
    }

    /// Rows for every closed window that late contributions changed since the last call.
    pub(crate) fn revise(&mut self, days: &Days, offset: u64, rows: &mut Vec<Row>) {
        for place in std::mem::take(&mut self.touched) {
            let Some(changes) = self.series.get_mut(place).and_then(|series| series.pending.take()) else {
                continue;
            };
            let series = &self.series[place];
            let (Some(spec), Some((first, last))) = (self.spec(series.metric), changes.times()) else {
                continue; // what came was taken back
            };
            let (first, last) = (pane_start(first), pane_start(last));
            for (span, current) in spec.spans.iter().zip(&series.windows) {
                let Some(closed) = self.closed.get(*span) else {
                    continue;
                };
                let (mut walk, mut change) = (Walk::new(&series.panes, spec.shape), Walk::new(&changes, spec.shape));
                let mut end = span.boundary_after(first, days);
                while end <= closed.end {
                    let start = span.start_of(end, days);
                    if !spec.shape.lasts() && *span != Span::Now && start > last {
                        break;
                    }
                    let bounds = bounds(*span, start, end);
                    if change.to(bounds).is_changed(&changes, spec.shape, bounds) {
                        // most of what is late is so by seconds, and belongs to the newest window of a span alone
                        let newest = current.is_known() && bounds == closed.bounds(*span);
                        let window = if newest { current } else { walk.to(bounds) };
                        let value = window.value(spec.shape);
                        if !(value.is_empty() && change.window.was_empty(window)) {
                            let (key, gone) = (self.keys.shared(series.key), value.is_empty() && spec.moves);
                            rows.push(row(spec, series, key, *span, (start, end), value, gone, offset));
                        }
                    }
                    end = span.boundary_after(end, days);
                }
            }
        }
    }

    /// The next-ending window of each span as it stands at `time`, for the levels asked for; city level always has a row, since
    /// zero is a figure. What lies beyond `time` is not counted in.
    #[must_use]
    pub fn provisional(
        &self,
        time: TimeMs,
        days: &Days,
        wanted: impl Fn(Span, Level) -> bool,
        offset: u64,
    ) -> Vec<Row> {
        let mut rows = Vec::new();
        for series in &self.series {
            let Some(spec) = self.spec(series.metric) else {
                continue;
            };
            for (span, window) in spec.spans.iter().zip(&series.windows) {
                let Some(closed) = self.closed.get(*span).filter(|_| wanted(*span, series.level)) else {
                    continue;
                };
                let end = match span {
                    Span::Now => time.0,
                    _ => span.boundary_after(time.0, days),
                };
                let start = span.start_of(end, days);
                let reach = match spec.shape {
                    Shape::Integral => pane_start(time.0),
                    _ => pane_start(time.0) + PANE_MS,
                };
                let to = bounds(*span, start.max(closed.start), reach.max(closed.end));
                let value = window.ahead(&series.panes, spec.shape, closed.bounds(*span), to);
                if !value.is_empty() || series.level == Level::City {
                    let start = if *span == Span::Now { end } else { start };
                    let key = self.keys.shared(series.key);
                    rows.push(row(spec, series, key, *span, (start, end), value, false, offset));
                }
            }
        }
        rows
    }
}

/// A window that moves forward over panes, from wherever it is first wanted.
struct Walk<'a> {
    panes: &'a Panes,
    shape: Shape,
    window: Rolling,
    at: Bounds,
}

impl<'a> Walk<'a> {
    fn new(panes: &'a Panes, shape: Shape) -> Self {
        Walk { panes, shape, window: Rolling::default(), at: (EVER, EVER) }
    }

    fn to(&mut self, bounds: Bounds) -> &Rolling {
        self.window.roll(self.panes, self.shape, self.at, bounds);
        self.at = bounds;
        &self.window
    }
}

#[expect(clippy::too_many_arguments, reason = "one place where a row is put together from its parts")]
fn row(
    spec: &MetricSpec,
    series: &Series,
    key: Name,
    span: Span,
    (start, end): (i64, i64),
    value: Value,
    gone: bool,
    offset: u64,
) -> Row {
    let start = if span == Span::Now { end } else { start };
    Row {
        metric: spec.id.clone(),
        level: series.level,
        key,
        span,
        start: TimeMs(start),
        end: TimeMs(end),
        num: value.agg.num,
        den: value.agg.den,
        n: value.agg.n,
        num2: value.agg.num2,
        den2: value.agg.den2,
        hist: value.hist,
        gone,
        incomplete: false,
        offset,
    }
}
