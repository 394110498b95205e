//! What a partition lacks: events that came too late for their windows (I5), and stretches of the log that were gone before they were
//! read (I4). Both are counted and told; neither is taken for nothing.

use serde::{Deserialize, Serialize};
use yiping_event::TimeMs;

use crate::{domain::Domain, machine::Machine, pane::Row, span::Span};

/// How many events of a minute came too late for their windows, as of an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LateMinute {
    /// The minute of event time, by its start.
    pub minute: TimeMs,
    pub events: u64,
    /// The offset of the newest of them.
    pub offset: u64,
}

/// A stretch of time of which records are missing: they were gone from the log before they were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hole {
    /// Complete up to here.
    pub from: TimeMs,
    /// The first log time after `from` of a record behind the hole; `None` as long as none has come.
    pub to: Option<TimeMs>,
    /// How many are missing, where that is known.
    pub records: Option<u64>,
}

impl Hole {
    /// What a state (who is waiting, what is open) may still lack for so long after the hole.
    const STATE_MS: i64 = 24 * 60 * 60 * 1_000;

    /// Whether a row may lack something.
    fn concerns(&self, row: &Row) -> bool {
        let to = match (self.to, row.span) {
            (None, _) => i64::MAX,
            (Some(to), Span::Now) => to.0 + Self::STATE_MS,
            (Some(to), _) => to.0,
        };
        row.end > self.from && row.start.0 < to
    }

    /// Whether rows that can still come may lack something.
    pub(crate) fn concerns_after(&self, horizon: TimeMs) -> bool {
        self.to.is_none_or(|to| to.0 + Self::STATE_MS > horizon.0)
    }
}

/// So many minutes are known of in which something came too late: two weeks without a gap.
const MOST_LATE_MINUTES: usize = 20_160;

impl<D: Domain> Machine<D> {
    /// Marks rows that may lack something.
    pub(crate) fn mark(&self, rows: &mut [Row]) {
        if self.core.holes.is_empty() {
            return;
        }
        for row in rows {
            row.incomplete = self.core.holes.iter().any(|hole| hole.concerns(row));
        }
    }

    /// A record that was long on its way says nothing of where a hole ends: its log time lies before those of records that are gone.
    pub(crate) fn close_hole(&mut self, time: TimeMs) {
        for hole in self.core.holes.iter_mut().filter(|hole| time > hole.from) {
            hole.to.get_or_insert(time);
        }
    }

    /// Records are missing between the newest one taken in and the next one to come (I4): figures of the time between are marked
    /// `incomplete`. Nothing where no record was ever taken in.
    pub fn hole(&mut self, records: Option<u64>) {
        if let Some(from) = self.watermark() {
            self.core.holes.push(Hole { from, to: None, records });
        }
    }

    /// The stretches of which records are missing, as long as figures depend on them.
    #[must_use]
    pub fn holes(&self) -> &[Hole] {
        &self.core.holes
    }

    /// Holds the horizon where it is, whatever the lateness: everything that comes from here on revises its windows (`heal`). Before
    /// a first event that is 1970.
    pub fn hold_horizon(&mut self) {
        self.held = Some(self.horizon().unwrap_or(TimeMs(0)));
    }

    /// Events before this are too late for their windows. It never falls, whatever settings say later: the panes behind it are gone.
    #[must_use]
    pub fn horizon(&self) -> Option<TimeMs> {
        let horizon = self.core.settings.as_ref().and_then(|settings| self.core.clock.horizon(settings))?;
        let horizon = self.held.map_or(horizon, |held| held.min(horizon));
        Some(self.core.board.horizon.map_or(horizon, |reached| horizon.max(TimeMs(reached))))
    }

    pub(crate) fn note_late(&mut self, time: TimeMs, offset: u64) -> LateMinute {
        let minute = time.0.div_euclid(60_000) * 60_000;
        let minutes = &mut self.core.late_minutes;
        let events = minutes.entry(minute).or_default();
        *events += 1;
        let events = *events;
        if minutes.len() > MOST_LATE_MINUTES {
            minutes.pop_first(); // clocks that are years behind: the counters still know
        }
        LateMinute { minute: TimeMs(minute), events, offset }
    }

    /// How many events came too late for their windows, by the minute of their time.
    pub fn late_minutes(&self) -> impl Iterator<Item = (TimeMs, u64)> {
        self.core.late_minutes.iter().map(|(&minute, &events)| (TimeMs(minute), events))
    }
}
