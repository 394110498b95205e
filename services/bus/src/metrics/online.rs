//! `bus.online_ratio`: vehicles with a valid fix in the last 3 minutes / vehicles seen this service day. (At city level the fleet
//! of the profile takes the denominator's place when rows are merged.)
//!
//! Both are states: a fix switches "online" on for three minutes and "on duty" on until the service day ends. A vehicle counts in
//! the route and district of its last fix.

use yiping_event::TimeMs;
use yiping_window::{Board, MetricId, timeline::Sign};

use crate::{Setup, entity::vehicle::Seen};

const ONLINE_MS: i64 = 3 * 60 * 1_000;

#[derive(Clone, Copy, Debug)]
pub struct Online {
    online_ratio: Option<MetricId>,
}

impl Online {
    pub fn of(board: &Board) -> Self {
        Online { online_ratio: board.metric("bus.online_ratio") }
    }

    pub fn seen(self, setup: &Setup, before: Option<Seen>, now: Seen, out: &mut Sign<'_, '_>) {
        let (Some(metric), Some((context, sign))) = (self.online_ratio, out.counting()) else {
            return;
        };
        let at = setup.place(now.fix.route, now.fix.district);
        let off = TimeMs(now.time.0 + ONLINE_MS);
        let day_ends = TimeMs(setup.service_days.next_after(now.time.0));
        let was = before.map(|before| setup.place(before.fix.route, before.fix.district));
        let was_off = before.map(|before| TimeMs(before.time.0 + ONLINE_MS)).filter(|off| now.time < *off);
        let same_day = before.is_some_and(|before| setup.service_days.next_after(before.time.0) == day_ends.0);
        for (level, place) in at.iter().enumerate() {
            let here = std::slice::from_ref(place);
            let there = was.as_ref().map(|was| std::slice::from_ref(&was[level]));
            match (was_off, there) {
                (Some(was_off), Some(there)) => {
                    // still online: what would have ended then ends later, perhaps elsewhere
                    context.shift(metric, there, was_off, sign, 0, 0);
                    if there != here {
                        context.shift(metric, there, now.time, -sign, 0, 0);
                        context.shift(metric, here, now.time, sign, 0, 0);
                    }
                }
                _ => context.shift(metric, here, now.time, sign, 0, 0),
            }
            context.shift(metric, here, off, -sign, 0, 0);
            match there {
                Some(there) if same_day => {
                    if there != here {
                        context.shift(metric, there, now.time, 0, -sign, 0);
                        context.shift(metric, there, day_ends, 0, sign, 0);
                        context.shift(metric, here, now.time, 0, sign, 0);
                        context.shift(metric, here, day_ends, 0, -sign, 0);
                    }
                }
                _ => {
                    context.shift(metric, here, now.time, 0, sign, 0);
                    context.shift(metric, here, day_ends, 0, -sign, 0);
                }
            }
        }
    }
}
