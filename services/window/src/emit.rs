//! Windows read out of the board: closed ones as time moves (final rows), revised ones where contributions came late, and the
//! next-ending ones as they stand (provisional).

use std::collections::VecDeque;

use yiping_event::TimeMs;

use crate::{
    board::{Board, Closed, Series, next_start},
    cumulative::Sum,
    key::Level,
    metric::Shape,
    pane::{Agg, PANE_MS, Row},
    span::{Days, Span},
};

impl Board {
    /// Closes every window that ends at or before `until(span)`: one row for each series with anything in it.
    pub(crate) fn close(&mut self, until: impl Fn(Span) -> i64, days: &Days, offset: u64, rows: &mut Vec<Row>) {
        let spans: Vec<Span> = self.closed.keys().copied().collect();
        for span in spans {
            let until = until(span);
            while let Some(next) = self.next_window(span, until, days) {
                self.close_one(span, next, days, offset, rows);
            }
        }
    }

    /// The next window of a span to close, jumping over stretches in which every window is empty.
    fn next_window(&mut self, span: Span, until: i64, days: &Days) -> Option<i64> {
        let closed = *self.closed.get(&span)?;
        let next = span.boundary_after(closed.end, days);
        if next > until {
            return None;
        }
        let last = span.boundary_at_or_before(until, days);
        if last > next && self.nothing_from(span, closed.start) {
            let jump = Closed { start: next_start(span, last, days), end: last };
            self.closed.insert(span, jump);
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
            let (start, end) = &series.sums[at];
            let quiet = series.panes.back().is_none_or(|entry| entry.0 < from.div_euclid(PANE_MS));
            quiet
                && end.stands_still()
                && match span {
                    Span::Now => end.agg().is_zero(),
                    _ => end.since(start).is_zero(),
                }
        })
    }

    fn close_one(&mut self, span: Span, end: i64, days: &Days, offset: u64, rows: &mut Vec<Row>) {
        let Some(closed) = self.closed.get(&span).copied() else {
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
            let (at_start, at_end) = &mut series.sums[at];
            at_end.advance(spec.shape, closed.end, end, &series.panes);
            at_start.advance(spec.shape, closed.start, start, &series.panes);
            let value = if span == Span::Now { at_end.agg().clone() } else { at_end.since(at_start) };
            at_start.advance(spec.shape, start, kept_start, &series.panes);
            if value.num != 0 || value.den != 0 || value.n != 0 {
                rows.push(row(&spec.id, series, keys.name(series.key), span, (start, end), value, false, offset));
            }
        }
        self.closed.insert(span, Closed { start: kept_start, end });
    }

    /// Rows for every closed window that late contributions changed since the last call.
    pub(crate) fn revise(&mut self, days: &Days, offset: u64, rows: &mut Vec<Row>) {
        for place in std::mem::take(&mut self.touched) {
            let pending = std::mem::take(&mut self.series[place].pending);
            let series = &self.series[place];
            let Some(spec) = self.spec(series.metric) else {
                continue;
            };
            let (Some(first), Some(last)) = (pending.iter().map(|p| p.0).min(), pending.iter().map(|p| p.0).max())
            else {
                continue;
            };
            let changes: VecDeque<(i64, Agg)> = {
                let mut sorted = pending;
                sorted.sort_by_key(|entry| entry.0);
                sorted.into()
            };
            for span in &spec.spans {
                let Some(closed) = self.closed.get(span) else {
                    continue;
                };
                let mut walk = Walk::new(series, spec.shape, first * PANE_MS, *span, days);
                let mut end = span.boundary_after(first * PANE_MS, days);
                while end <= closed.end {
                    let start = span.start_of(end, days);
                    if spec.shape == Shape::Flow && start > last * PANE_MS {
                        break;
                    }
                    let change = window_of(&changes, spec.shape, *span, start, end);
                    if !change.is_zero() {
                        let value = walk.window(*span, start, end);
                        let empty = value.num == 0 && value.den == 0 && value.n == 0;
                        let before = value.minus(&change);
                        if !(empty && before.num == 0 && before.den == 0 && before.n == 0) {
                            let key = self.keys.name(series.key);
                            rows.push(row(
                                &spec.id,
                                series,
                                key,
                                *span,
                                (start, end),
                                value,
                                empty && spec.moves,
                                offset,
                            ));
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
            for (span, (at_start, at_end)) in spec.spans.iter().zip(&series.sums) {
                let Some(closed) = self.closed.get(span).filter(|_| wanted(*span, series.level)) else {
                    continue;
                };
                let end = match span {
                    Span::Now => time.0,
                    _ => span.boundary_after(time.0, days),
                };
                let start = span.start_of(end, days);
                let reach = match spec.shape {
                    Shape::Integral => time.0.div_euclid(PANE_MS) * PANE_MS,
                    Shape::Flow | Shape::Level => (time.0.div_euclid(PANE_MS) + 1) * PANE_MS,
                };
                let mut upto = at_end.clone();
                upto.advance(spec.shape, closed.end, reach.max(closed.end), &series.panes);
                let value = if *span == Span::Now {
                    upto.agg().clone()
                } else {
                    let mut from = at_start.clone();
                    from.advance(spec.shape, closed.start, start.max(closed.start), &series.panes);
                    upto.since(&from)
                };
                if value.num != 0 || value.den != 0 || value.n != 0 || series.level == Level::City {
                    let start = if *span == Span::Now { end } else { start };
                    let key = self.keys.name(series.key);
                    rows.push(row(&spec.id, series, key, *span, (start, end), value, false, offset));
                }
            }
        }
        rows
    }
}

/// Sums at the two ends of windows that move forward, from the oldest kept pane on.
struct Walk<'a> {
    shape: Shape,
    panes: &'a VecDeque<(i64, Agg)>,
    start: (i64, Sum),
    end: (i64, Sum),
}

impl<'a> Walk<'a> {
    fn new(series: &'a Series, shape: Shape, first_change: i64, span: Span, days: &Days) -> Self {
        let earliest = span.start_of(span.boundary_after(first_change, days), days);
        let front = series.panes.front().map_or(earliest, |entry| entry.0 * PANE_MS).min(earliest);
        // a flow's sums are only ever subtracted: they may begin at the first window; a state must be known from the floor on
        let from = if shape == Shape::Flow { earliest } else { front };
        let sum = Sum::at_floor(series.floor.0, series.floor.1, shape);
        Walk { shape, panes: &series.panes, start: (from, sum.clone()), end: (from, sum) }
    }

    fn window(&mut self, span: Span, start: i64, end: i64) -> Agg {
        self.end.1.advance(self.shape, self.end.0, end, self.panes);
        self.end.0 = end;
        if span == Span::Now {
            return self.end.1.agg().clone();
        }
        self.start.1.advance(self.shape, self.start.0, start, self.panes);
        self.start.0 = start;
        self.end.1.since(&self.start.1)
    }
}

/// What a few changes alone add to a window.
fn window_of(changes: &VecDeque<(i64, Agg)>, shape: Shape, span: Span, start: i64, end: i64) -> Agg {
    let upto = |position: i64| {
        let mut sum = Sum::default();
        for (pane, agg) in changes.iter().take_while(|entry| entry.0 < position.div_euclid(PANE_MS)) {
            sum.take(shape, position, *pane, agg);
        }
        sum
    };
    if span == Span::Now { upto(end).agg().clone() } else { upto(end).since(&upto(start)) }
}

#[expect(clippy::too_many_arguments, reason = "one place where a row is put together from its parts")]
fn row(
    metric: &str,
    series: &Series,
    key: &str,
    span: Span,
    (start, end): (i64, i64),
    value: Agg,
    gone: bool,
    offset: u64,
) -> Row {
    let start = if span == Span::Now { end } else { start };
    Row {
        metric: metric.to_owned(),
        level: series.level,
        key: key.to_owned(),
        span,
        start: TimeMs(start),
        end: TimeMs(end),
        num: value.num,
        den: value.den,
        n: value.n,
        hist: value.hist.counts().to_vec(),
        gone,
        incomplete: false,
        offset,
    }
}
