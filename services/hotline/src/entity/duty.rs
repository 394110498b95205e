//! What follows from an order's facts: when it is open, when it is due, and whether that was kept.

use yiping_event::TimeMs;
use yiping_window::Order;

use super::order::{Step, WorkOrder};

/// An order is due soon from so long before its due date on.
const SOON_MS: i64 = 24 * 60 * 60 * 1_000;
const MINUTE_MS: i64 = 60 * 1_000;

/// The states of an order: open, overdue, due soon.
pub type States = [i64; 3];

/// Where an order counts by a deadline, and whether the deadline was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub at: TimeMs,
    pub kept: bool,
}

impl WorkOrder {
    /// From when to when the order was open; the last end is `None` as long as it is. Nothing of a direct one.
    fn open(&self) -> Vec<(TimeMs, Option<TimeMs>)> {
        let Some(created) = self.created.filter(|created| !created.direct) else { return Vec::new() };
        let created = created.order.time;
        let (mut open, mut since) = (Vec::new(), Some(created));
        for (order, step) in &self.steps {
            let at = order.time.max(created);
            match step {
                Step::Closed => open.extend(since.take().map(|since| (since, Some(at)))),
                Step::Reopened => since = since.or(Some(at)),
                _ => {}
            }
        }
        open.extend(since.map(|since| (since, None)));
        open
    }

    pub fn is_open(&self) -> bool {
        let closing = self.steps.iter().rfind(|(_, step)| matches!(step, Step::Closed | Step::Reopened));
        let closed = matches!(closing, Some((_, Step::Closed)));
        !closed && self.created.is_some_and(|created| !created.direct)
    }

    /// From when on the order is one that was urged.
    pub fn urged(&self) -> Option<TimeMs> {
        self.steps.iter().find(|(_, step)| matches!(step, Step::Urged)).map(|(order, _)| order.time)
    }

    /// The due date that holds now.
    pub fn due(&self) -> Option<TimeMs> {
        let newest = self.extensions().last().map(|(_, due)| due);
        newest.or_else(|| self.created.and_then(|created| created.due))
    }

    fn extensions(&self) -> impl Iterator<Item = (TimeMs, TimeMs)> {
        self.steps.iter().filter_map(|(order, step)| match step {
            Step::Extended(due) => Some((order.time, *due)),
            _ => None,
        })
    }

    /// Every change of state: from when on it is by how much more.
    ///
    /// A deadline's change lies at the next full minute: no row can see the difference, and the many dates to come are in few panes.
    pub fn changes(&self) -> Vec<(TimeMs, States)> {
        let mut changes = Vec::new();
        let mut hold = |from: i64, until: i64, state: States| {
            if from < until {
                changes.push((TimeMs(from), state));
                if until < i64::MAX {
                    changes.push((TimeMs(until), state.map(|by| -by)));
                }
            }
        };
        let first = self.created.and_then(|created| created.due).map(|due| (i64::MIN, due));
        let dues: Vec<(i64, TimeMs)> =
            first.into_iter().chain(self.extensions().map(|(from, due)| (from.0, due))).collect();
        for (from, until) in self.open() {
            let (from, until) = (from.0, until.map_or(i64::MAX, |until| until.0));
            hold(from, until, [1, 0, 0]);
            for (at, &(since, due)) in dues.iter().enumerate() {
                let next = dues.get(at + 1).map_or(i64::MAX, |(next, _)| *next);
                let (from, until) = (from.max(since), until.min(next));
                // closed on the dot is in time, so it is overdue a millisecond later
                let overdue = full_minute(due.0 + 1);
                hold(from.max(full_minute(due.0 - SOON_MS)), until.min(overdue), [0, 0, 1]);
                hold(from.max(overdue), until, [0, 1, 0]);
            }
        }
        changes
    }

    /// The due date by which the order is judged. An extension moves it as long as the old one is within the lateness of the
    /// extension's own time (`reach_ms`: lateness and disorder); later the verdict stands. `None`: the order has none.
    pub fn judged_by(&self, reach_ms: i64) -> Option<TimeMs> {
        let created = self.created.filter(|created| !created.direct)?;
        let after = self.extended.map(|(order, _)| order);
        let known = self.extended.map_or(created.due, |(_, due)| due);
        self.steps.iter().filter(|(order, _)| after.is_none_or(|after| *order > after)).fold(known, |due, entry| {
            match entry.1 {
                Step::Extended(to) => extend(due, entry.0.time, to, reach_ms),
                _ => due,
            }
        })
    }

    /// Whether the order was closed by its due date: open and overdue is missed. `None` as long as that isn't decided.
    ///
    /// Closed at the due date exactly is in time. Reopened before it, the order has to be closed again by it; reopened later, the
    /// verdict stands.
    pub fn on_time(&self, reach_ms: i64) -> Option<Verdict> {
        let due = self.judged_by(reach_ms)?;
        let closing = self.steps.iter().rfind(|(order, step)| match step {
            Step::Closed => order.time <= due,
            Step::Reopened => order.time < due,
            _ => false,
        });
        let kept = matches!(closing, Some((_, Step::Closed)));
        (kept || self.has_passed(due)).then_some(Verdict { at: due, kept })
    }

    /// Until when the order's caller has to be contacted; `None` as long as it wasn't dispatched.
    pub fn respond_by(&self) -> Option<TimeMs> {
        let created = self.created.filter(|created| !created.direct)?;
        self.dispatched.map(|dispatched| TimeMs(dispatched.0 + created.response_ms))
    }

    /// Whether the caller was contacted in time; `None` as long as that isn't decided.
    pub fn response(&self) -> Option<Verdict> {
        let limit = self.respond_by()?;
        let kept = self.contacted.is_some_and(|contacted| contacted <= limit);
        (kept || self.has_passed(limit)).then_some(Verdict { at: limit, kept })
    }

    /// Verdicts as they count.
    pub fn counted_on_time(&self, reach_ms: i64) -> Option<Verdict> {
        self.on_time(reach_ms).filter(|_| self.on_time.counts())
    }

    pub fn counted_response(&self) -> Option<Verdict> {
        self.response().filter(|_| self.response.counts())
    }

    /// Settles which verdicts count where, after facts changed `before` into this.
    pub fn stand(&mut self, before: &mut WorkOrder, reach_ms: i64, too_late: impl Fn(TimeMs) -> bool) {
        let place = |verdict: Option<Verdict>| verdict.map(|verdict| verdict.at);
        let (from, to) = (place(before.on_time(reach_ms)), place(self.on_time(reach_ms)));
        self.on_time.move_on(&mut before.on_time, from, to, &too_late);
        let (from, to) = (place(before.response()), place(self.response()));
        self.response.move_on(&mut before.response, from, to, &too_late);
    }

    /// The deadlines that still have to pass for a verdict.
    pub fn deadlines(&self, reach_ms: i64) -> impl Iterator<Item = TimeMs> {
        let open = [self.judged_by(reach_ms), self.respond_by()];
        open.into_iter().flatten().filter(|deadline| !self.has_passed(*deadline))
    }

    fn has_passed(&self, deadline: TimeMs) -> bool {
        self.passed.is_some_and(|passed| passed >= deadline)
    }

    /// An extension is left out: what it did to the verdict stays.
    pub(super) fn leave_out(&mut self, order: Order, due: TimeMs, reach_ms: i64) {
        if self.extended.is_none_or(|(newest, _)| newest < order) {
            let known = self.extended.map_or(self.created.and_then(|created| created.due), |(_, due)| due);
            self.extended = Some((order, extend(known, order.time, due, reach_ms)));
        }
    }
}

fn extend(due: Option<TimeMs>, at: TimeMs, to: TimeMs, reach_ms: i64) -> Option<TimeMs> {
    Some(due.filter(|due| due.0 < at.0 - reach_ms).unwrap_or(to))
}

/// The first full minute at or after `t` (ms).
fn full_minute(t: i64) -> i64 {
    -(-t).div_euclid(MINUTE_MS) * MINUTE_MS
}
