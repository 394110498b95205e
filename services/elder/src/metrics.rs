//! The families of figures, and the numbers that the board knows them by.

pub mod calls;
pub mod sos;

use yiping_window::{Board, MetricId};

/// `None`: not asked for (offline runs may leave spans out).
#[derive(Clone, Copy, Debug)]
pub struct Metrics {
    pub calls: Option<MetricId>,
    pub sos_open: Option<MetricId>,
    pub sos_ack_60s_ratio: Option<MetricId>,
}

impl Metrics {
    pub fn of(board: &Board) -> Self {
        Metrics {
            calls: board.metric("elder.calls"),
            sos_open: board.metric("elder.sos_open"),
            sos_ack_60s_ratio: board.metric("elder.sos_ack_60s_ratio"),
        }
    }
}
