//! `parking.turnover`: sessions begun in a window, over the capacity at its end of the lots that were heard of (in 7 days: until they
//! are forgotten) and that told of an entry or exit before: where nobody counts who comes and goes, there is no turnover.
//!
//! A session begins at its entry, else when its exit says. Sessions name no district, so both count in the profile's district of the
//! lot: their quotient is one of the same lots.

use yiping_event::TimeMs;
use yiping_window::{Board, Context, KeyId, Level, MetricId};

use crate::{
    entity::{
        lot::{Change, Lot},
        session::{Place, Session},
    },
    metrics::{Keys, Moves, Shifts},
};

#[derive(Clone, Copy, Debug)]
pub struct Turnover {
    turnover: Option<MetricId>,
}

impl Turnover {
    pub fn of(board: &Board) -> Self {
        Turnover { turnover: board.metric("parking.turnover") }
    }

    pub fn changed(&self, everywhere: KeyId, change: &Change<'_>, shifts: &mut Shifts<'_, '_>) {
        let Some(metric) = self.turnover else { return };
        let home = |lot: &Lot| -> Option<Keys> {
            lot.key.zip(lot.home()).map(|(lot, district)| Place { everywhere, district, lot }.keys())
        };
        let moves = Moves { from: home(change.before), to: home(change.after) };
        shifts.state(metric, &moves, 3, (change.before.turned_over(), 0), (change.after.turned_over(), 0), 0);
    }

    /// Counts where a session began, once it is known: at its entry as soon as that is seen. Where it was counted in windows that
    /// take nothing back any more, it stays. What began before `reach` is too late: as far as windows can be revised once the event
    /// at hand has moved time (the board knows that only afterwards, and nothing before the first event).
    pub fn count(&self, session: &mut Session, reach: TimeMs, context: &mut Context<'_>) {
        let Session { place, stay, .. } = session;
        if stay.counted == stay.began() || stay.counted.is_some_and(|counted| context.too_late(counted)) {
            return;
        }
        let began = stay.began().filter(|began| *began >= reach && !context.too_late(*began));
        if let Some(counted) = stay.counted {
            self.begun(&place.keys(), counted, -1, context);
        }
        if let Some(began) = began {
            self.begun(&place.keys(), began, 1, context);
        }
        stay.counted = began;
    }

    fn begun(&self, keys: &[(Level, KeyId)], began: TimeMs, sign: i64, context: &mut Context<'_>) {
        if let Some(metric) = self.turnover {
            // a state at an instant holds what happened up to it; what begins at a window's start is in it
            context.shift(metric, keys, TimeMs(began.0 + 1), 0, sign, sign);
        }
    }
}
