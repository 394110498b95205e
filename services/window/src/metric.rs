//! What the engine must know of a metric: how its contributions add up, and over which spans. The rest (names, formula, minimum
//! n, thresholds) is the catalogue's.

use serde::{Deserialize, Serialize};

use crate::{key::Name, span::Span};

/// Index of a metric in its machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MetricId(pub u16);

/// How contributions become a window's value, and how the rows of several partitions become one.
///
/// | shape | row | merged over partitions by |
/// | --- | --- | --- |
/// | flow, level, integral | num, den, n, and where the metric has them num2, den2, hist | adding up |
/// | max, min | num = the extreme, n = observations | max, min of num over rows with n > 0; n added up |
/// | last | num = the value, den = when it was observed (ms), n = observations | num and den of the newest by (den, num) over rows with n > 0; n added up |
/// | distinct | num = how many, n = observations | adding up, since an entity's records are all in one partition |
/// | trend | num = the state at the window's end, den = by how much it changed in the window, n = steps | adding up |
/// | oldest | num = since when the oldest waits (ms), n = how many wait, den = as a level's | min of num over rows with n > 0; n and den added up |
///
/// When a stream is given another number of partitions, adding up stays exact. A window that reaches back before it may then count an
/// entity in two partitions, and what is taken back of a max, min or last still shows where it was observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shape {
    /// Things that happen: a window holds the sum of its contributions (counts, ratios, means, percentiles).
    Flow,
    /// A state that changes: an instant holds the sum of all changes up to it (open cases, free spaces).
    Level,
    /// A state over time: a window holds ∫ state dt, in unit·ms (occupied space-milliseconds).
    Integral,
    /// The greatest value observed in a window.
    Max,
    /// The least value observed in a window.
    Min,
    /// The value of the newest observation in a window; of several at the same time the greatest.
    Last,
    /// How many different entities were seen in a window.
    Distinct,
    /// A state at the window's end (num), and by how much something changed within the window (den): free spaces, and how many
    /// more were taken in the last five minutes.
    Trend,
    /// Since when the oldest of those waits that wait at an instant. An observation's value is the time (ms) since when one waits;
    /// it is taken back when the waiting ends.
    Oldest,
}

impl Shape {
    /// Whether it is a state: a change of it holds from its time on, and one that comes too late from the horizon on (I5). All
    /// others are things that happen: too late, they are left out.
    #[must_use]
    pub fn lasts(self) -> bool {
        matches!(self, Shape::Level | Shape::Integral | Shape::Trend | Shape::Oldest)
    }

    /// Whether a contribution at an instant belongs before it: it is about states at instants.
    pub(crate) fn is_of_instants(self) -> bool {
        matches!(self, Shape::Level | Shape::Trend | Shape::Oldest)
    }

    /// Max, min, last: whether an observation (time, value) goes before another.
    pub(crate) fn beats(self, one: (i64, i64), other: (i64, i64)) -> bool {
        match self {
            Shape::Max => one.1 > other.1,
            Shape::Min => one.1 < other.1,
            _ => one > other,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricSpec {
    pub id: Name,
    pub shape: Shape,
    pub spans: Vec<Span>,
    /// Whether its events can move to another window later (a due date extended); such a window, emptied, is hidden.
    pub moves: bool,
}
