//! How fast help was: `elder.sos_ack_60s_ratio`, `elder.sos_ack_180s_ratio`, `elder.sos_arrive_45m_ratio`,
//! `elder.sos_arrive_60m_ratio`, `elder.sos_connect_failure_ratio`. All placed at the time raised; a limit is missed as soon as it has
//! passed, and what is undecided is not counted.
//!
//! Where the catalogue is silent: a case closed without an acknowledgement was not acknowledged; an acknowledgement or arrival before
//! the raise (a clock off) is in time; an arrival counts also when it is told after the close.

use yiping_window::{Board, Context, MetricId};

use super::Places;
use crate::entity::{ACKNOWLEDGED, ARRIVED, Case};

#[derive(Debug)]
pub struct Response {
    /// In the order of [`ACKNOWLEDGED`].
    acknowledged: [Option<MetricId>; 2],
    /// In the order of [`ARRIVED`].
    arrived: [Option<MetricId>; 2],
    connect_failure: Option<MetricId>,
}

impl Response {
    pub fn of(board: &Board) -> Self {
        Response {
            acknowledged: ["elder.sos_ack_60s_ratio", "elder.sos_ack_180s_ratio"].map(|id| board.metric(id)),
            arrived: ["elder.sos_arrive_45m_ratio", "elder.sos_arrive_60m_ratio"].map(|id| board.metric(id)),
            connect_failure: board.metric("elder.sos_connect_failure_ratio"),
        }
    }

    /// Counts a case (`sign` 1) or takes back what it counted before (−1).
    pub fn count(&self, places: Places, case: &Case, sign: i64, context: &mut Context<'_>) {
        let Some(raised) = case.raised() else { return };
        let at = places.district(case.district());
        let mut ratio = |metric: Option<MetricId>, counts: Option<bool>| {
            if let Some((metric, counts)) = metric.zip(counts) {
                context.add(metric, &at, raised, sign * i64::from(counts), sign, sign);
            }
        };
        let [at_60_s, later @ ..] = ACKNOWLEDGED.map(|limit| case.acknowledged_within(limit));
        ratio(self.acknowledged[0], at_60_s);
        if !case.complete {
            return;
        }
        for (metric, in_time) in self.acknowledged.into_iter().skip(1).zip(later) {
            ratio(metric, in_time);
        }
        for (metric, limit) in self.arrived.into_iter().zip(ARRIVED) {
            ratio(metric, case.arrived_within(limit));
        }
        ratio(self.connect_failure, case.first_attempt_connected().map(|connected| !connected));
    }
}
