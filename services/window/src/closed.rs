//! Up to where the windows of each span are closed, for all series alike.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    rolling::{Bounds, EVER, pane_start},
    span::Span,
};

/// The newest window of a span that was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Closed {
    /// Where its series' rolling windows start.
    pub start: i64,
    pub end: i64,
}

impl Closed {
    pub fn bounds(&self, span: Span) -> Bounds {
        bounds(span, self.start, self.end)
    }
}

/// A window's bounds: what is true `now` began at any time before.
pub(crate) fn bounds(span: Span, start: i64, end: i64) -> Bounds {
    if span == Span::Now { (EVER, end) } else { (start, end) }
}

/// Every contribution asks for it, so it is a table, and beside it stands what answers nearly all of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "BTreeMap<Span, Closed>", into = "BTreeMap<Span, Closed>")]
pub(crate) struct ClosedSpans {
    spans: [Option<Closed>; Span::ALL.len()],
    /// See [`ClosedSpans::newest`].
    newest: i64,
}

impl Default for ClosedSpans {
    fn default() -> Self {
        ClosedSpans { spans: Default::default(), newest: EVER }
    }
}

impl ClosedSpans {
    pub fn get(&self, span: Span) -> Option<Closed> {
        self.spans[span as usize]
    }

    pub fn set(&mut self, span: Span, closed: Closed) {
        self.spans[span as usize] = Some(closed);
        self.newest = self.spans.iter().flatten().map(|closed| pane_start(closed.end)).max().unwrap_or(EVER);
    }

    /// From this pane on no window is closed, whatever its span.
    pub fn newest(&self) -> i64 {
        self.newest
    }

    /// The spans that have a closed window.
    pub fn spans(&self) -> impl Iterator<Item = Span> {
        Span::ALL.into_iter().filter(|span| self.get(*span).is_some())
    }
}

impl From<BTreeMap<Span, Closed>> for ClosedSpans {
    fn from(spans: BTreeMap<Span, Closed>) -> Self {
        let mut closed = ClosedSpans::default();
        spans.into_iter().for_each(|(span, window)| closed.set(span, window));
        closed
    }
}

impl From<ClosedSpans> for BTreeMap<Span, Closed> {
    fn from(closed: ClosedSpans) -> Self {
        closed.spans().filter_map(|span| Some((span, closed.get(span)?))).collect()
    }
}
