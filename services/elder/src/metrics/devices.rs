//! `elder.device_silent_ratio`: devices without a heartbeat for 24 hours / devices with one in 30 days, in the district that the
//! newest heartbeat tells.
//!
//! What will happen if nothing is heard is said ahead, at its own time, and taken back by the next heartbeat: so no timer is needed. A
//! heartbeat of every hour moves two changes from one pane into another, at two levels; of devices that are heard of, at most an
//! hour's minutes of panes lie ahead at each of the two distances.

use yiping_window::{Board, Context, MetricId};

use super::Places;
use crate::entity::Change;

#[derive(Debug)]
pub struct Devices {
    silent_ratio: Option<MetricId>,
}

impl Devices {
    pub fn of(board: &Board) -> Self {
        Devices { silent_ratio: board.metric("elder.device_silent_ratio") }
    }

    /// Makes of the changes that a device stood for those that it stands for now.
    pub fn recount(&self, places: Places, before: &[Change], after: &[Change], context: &mut Context<'_>) {
        let Some(metric) = self.silent_ratio else { return };
        let same = before.iter().zip(after).take_while(|(before, after)| before == after).count();
        for (changes, sign) in [(&before[same..], -1), (&after[same..], 1)] {
            for change in changes {
                let at = places.district(change.district);
                context.shift(metric, &at, change.at, sign * change.silent, sign * change.enrolled, 0);
            }
        }
    }
}
