//! A board taken apart and put together: windows opened again for a new generation, sums made anew from panes, boards of several
//! partitions as one (I4).

use crate::{
    board::{Board, Closed, insert, next_start},
    cumulative::Sum,
    pane::PANE_MS,
    span::{Days, Span},
};

impl Board {
    /// Sets every span's newest closed window back to the last one that ends at or before `from`: later ones are closed, and so
    /// written, once more. Panes must reach back to `from` as they do from the horizon on.
    pub(crate) fn reopen(&mut self, from: i64, days: &Days) {
        for span in Span::ALL {
            if self.specs.iter().any(|spec| spec.spans.contains(&span)) {
                let end = span.boundary_at_or_before(from, days);
                self.closed.insert(span, Closed { start: next_start(span, end, days), end });
            }
        }
        self.until = None;
        self.touched.clear();
        for place in 0..self.series.len() {
            self.series[place].pending.clear();
            self.sum_up(place);
        }
    }

    /// Makes a series' sums from its panes and from what pruned panes left. Sums of flows and integrals count from another start
    /// than before; only their differences are ever used.
    pub(crate) fn sum_up(&mut self, place: usize) {
        let Board { series, specs, closed, .. } = self;
        let series = &mut series[place];
        let Some(spec) = specs.get(usize::from(series.metric.0)) else {
            return;
        };
        series.sums = spec
            .spans
            .iter()
            .map(|span| {
                let Some(closed) = closed.get(span) else {
                    return Default::default();
                };
                let first = series.panes.front().map_or(closed.start, |pane| closed.start.min(pane.0 * PANE_MS));
                let mut start = Sum::at_floor(series.floor.0, series.floor.1, spec.shape);
                start.advance(spec.shape, first, closed.start, &series.panes);
                let mut end = start.clone();
                end.advance(spec.shape, closed.start, closed.end, &series.panes);
                (start, end)
            })
            .collect();
    }

    /// Takes another board's series in; both have the same key numbers. The sums have to be made anew after it
    /// ([`Board::reopen`]).
    pub(crate) fn absorb(&mut self, other: Board) {
        for series in other.series {
            let Some(name) = other.names.get(usize::from(series.metric.0)) else {
                continue;
            };
            // metrics are numbered by first use, which may differ between partitions
            let Some(metric) = self.number(name) else {
                continue;
            };
            let place = self.series_of((metric, series.level, series.key));
            let mine = &mut self.series[place];
            mine.floor = (mine.floor.0.wrapping_add(series.floor.0), mine.floor.1.wrapping_add(series.floor.1));
            for (pane, agg) in series.panes {
                insert(&mut mine.panes, pane, agg);
            }
        }
        self.too_late += other.too_late;
    }
}
