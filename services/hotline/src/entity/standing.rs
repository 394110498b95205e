//! Whether the board holds a figure that can move: a call whose offer becomes known later, an order whose due date is extended. What
//! it takes back must have been counted, and nothing may count in a second window once the first takes nothing back any more (I5).

use serde::{Deserialize, Serialize};
use yiping_event::TimeMs;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// It counts where the facts place it.
    #[default]
    Free,
    /// Its window was behind the horizon when it became known: it counts nowhere, until facts move it to a window that still takes it.
    Dropped,
    /// It counts in a window that is behind the horizon by now: there it stays.
    Settled,
}

impl Standing {
    /// The standing after an event: `before` and `after` it the facts place the figure there.
    pub fn next(self, before: Option<TimeMs>, after: Option<TimeMs>, too_late: impl Fn(TimeMs) -> bool) -> Self {
        match self {
            Standing::Settled => Standing::Settled,
            Standing::Free if before.is_some_and(&too_late) => Standing::Settled,
            Standing::Free | Standing::Dropped if after.is_some_and(&too_late) => Standing::Dropped,
            Standing::Free | Standing::Dropped => Standing::Free,
        }
    }

    /// Moves on: what stays behind the horizon is neither taken back (`before`) nor counted (`self`).
    pub fn move_on(
        &mut self,
        before: &mut Standing,
        from: Option<TimeMs>,
        to: Option<TimeMs>,
        too_late: impl Fn(TimeMs) -> bool,
    ) {
        *self = before.next(from, to, too_late);
        if *self == Standing::Settled {
            *before = Standing::Settled;
        }
    }

    pub fn counts(self) -> bool {
        self == Standing::Free
    }
}
