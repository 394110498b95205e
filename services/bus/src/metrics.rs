//! The families of figures, and the numbers that the board knows them by.

pub mod on_time;
pub mod online;
pub mod speed;

use yiping_window::{Board, MetricId};

/// `None`: not asked for (offline runs may leave spans out).
#[derive(Clone, Copy, Debug)]
pub struct Metrics {
    pub online_ratio: Option<MetricId>,
    pub on_time_ratio: Option<MetricId>,
    pub speed_kmh: Option<MetricId>,
}

impl Metrics {
    pub fn of(board: &Board) -> Self {
        Metrics {
            online_ratio: board.metric("bus.online_ratio"),
            on_time_ratio: board.metric("bus.on_time_ratio"),
            speed_kmh: board.metric("bus.speed_kmh"),
        }
    }
}
