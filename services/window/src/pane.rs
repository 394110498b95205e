//! Panes: ten seconds of one series, and the row that a window of them becomes.

use serde::{Deserialize, Serialize};
use yiping_event::TimeMs;

use crate::{
    key::{Level, Name},
    metric::Shape,
    span::Span,
};

/// The base slice of event time, in ms. Every slide and every day boundary is a multiple of it.
pub const PANE_MS: i64 = 10_000;

/// Which pane a contribution at `t` falls into. Windows are half-open, [start, end); an instant `now` holds everything up to
/// and including itself, so for levels a contribution at a boundary belongs before it.
#[must_use]
pub fn pane_of(t: i64, shape: Shape) -> i64 {
    if shape.is_of_instants() { (t - 1).div_euclid(PANE_MS) } else { t.div_euclid(PANE_MS) }
}

/// What is added up. Sums are integers in the metric's smallest unit (I8), so neither order nor partitioning changes a digit.
///
/// Arithmetic wraps: what is taken away was added before, so a window's value is right wherever it fits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agg {
    pub num: i64,
    pub den: i64,
    /// How many observations stand behind it.
    pub n: i64,
    /// A second numerator and denominator, for figures made of four sums. In an integral's pane: what changes of level inside the
    /// pane add up to the pane's end, in unit·ms.
    pub num2: i64,
    pub den2: i64,
}

impl Agg {
    pub fn add(&mut self, other: &Agg, sign: i64) {
        self.num = self.num.wrapping_add(sign.wrapping_mul(other.num));
        self.den = self.den.wrapping_add(sign.wrapping_mul(other.den));
        self.n = self.n.wrapping_add(sign.wrapping_mul(other.n));
        self.num2 = self.num2.wrapping_add(sign.wrapping_mul(other.num2));
        self.den2 = self.den2.wrapping_add(sign.wrapping_mul(other.den2));
    }

    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Agg::default()
    }
}

/// One partition's part of one window: absolute, never a difference (I3). Published figures are made by merging the rows of all
/// partitions and applying the catalogue's formula.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub metric: Name,
    pub level: Level,
    pub key: Name,
    pub span: Span,
    pub start: TimeMs,
    pub end: TimeMs,
    pub num: i64,
    pub den: i64,
    pub n: i64,
    /// The second numerator and denominator of a figure made of four sums; 0 for all others.
    pub num2: i64,
    pub den2: i64,
    pub hist: Vec<(u16, i64)>,
    /// The window was published, and what it held has moved elsewhere (a call whose offer became known): hide it.
    pub gone: bool,
    /// Records of its time are missing (I4): the value may lack something.
    pub incomplete: bool,
    /// The offset of the record that made this revision.
    pub offset: u64,
}
