//! What the engine must know of a metric: how its contributions add up, and over which spans. The rest (names, formula, minimum
//! n, thresholds) is the catalogue's.

use serde::{Deserialize, Serialize};

use crate::span::Span;

/// Index of a metric in its machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MetricId(pub u16);

/// How contributions become a window's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shape {
    /// Things that happen: a window holds the sum of its contributions (counts, ratios, means, percentiles).
    Flow,
    /// A state that changes: an instant holds the sum of all changes up to it (open cases, free spaces).
    Level,
    /// A state over time: a window holds ∫ state dt, in unit·ms (occupied space-milliseconds).
    Integral,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricSpec {
    pub id: String,
    pub shape: Shape,
    pub spans: Vec<Span>,
    /// Whether its events can move to another window later (a due date extended); such a window, emptied, is hidden.
    pub moves: bool,
}
