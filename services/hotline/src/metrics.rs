//! The families of figures, and the numbers that the board knows them by.

pub mod calls;

use yiping_window::{Board, MetricId};

/// `None`: not asked for (offline runs may leave spans out).
#[derive(Clone, Copy, Debug)]
pub struct Metrics {
    pub calls: Option<MetricId>,
    pub connect_ratio: Option<MetricId>,
    pub wait_p95_s: Option<MetricId>,
}

impl Metrics {
    pub fn of(board: &Board) -> Self {
        Metrics {
            calls: board.metric("hotline.calls"),
            connect_ratio: board.metric("hotline.connect_ratio"),
            wait_p95_s: board.metric("hotline.wait_p95_s"),
        }
    }
}
