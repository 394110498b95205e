//! The families of figures, and the numbers that the board knows them by.

pub mod space;
pub mod violations;

use yiping_window::{Board, MetricId};

/// `None`: not asked for (offline runs may leave spans out).
#[derive(Clone, Copy, Debug)]
pub struct Metrics {
    pub free_spaces: Option<MetricId>,
    pub occupancy_ratio: Option<MetricId>,
    pub violations: Option<MetricId>,
}

impl Metrics {
    pub fn of(board: &Board) -> Self {
        Metrics {
            free_spaces: board.metric("parking.free_spaces"),
            occupancy_ratio: board.metric("parking.occupancy_ratio"),
            violations: board.metric("parking.violations"),
        }
    }
}
