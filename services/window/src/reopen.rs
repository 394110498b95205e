//! A board taken apart and put together: windows opened again for a new generation, boards of several partitions as one (I4).

use crate::{
    board::{Board, next_start},
    closed::Closed,
    rolling::Rolling,
    span::{Days, Span},
};

impl Board {
    /// Sets every span's newest closed window back to the last one that ends at or before `from`: later ones are closed, and so
    /// written, once more. Panes must reach back to `from` as they do from the horizon on.
    pub(crate) fn reopen(&mut self, from: i64, days: &Days) {
        for span in Span::ALL {
            if self.specs.iter().any(|spec| spec.spans.contains(&span)) {
                let end = span.boundary_at_or_before(from, days);
                self.closed.set(span, Closed { start: next_start(span, end, days), end });
            }
        }
        self.until = None;
        self.touched.clear();
        for series in &mut self.series {
            series.pending = None;
            series.windows.iter_mut().for_each(Rolling::forget);
        }
    }

    /// Takes another board's series in; both have the same key numbers. Windows have to be opened
    /// again after it ([`Board::reopen`]).
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
            self.series[place].panes.absorb(&series.panes);
        }
        self.too_late += other.too_late;
    }
}
