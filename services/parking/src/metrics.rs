//! The families of figures. Each knows its own metric numbers, and what it contributes.

pub mod credits;
pub mod filling;
pub mod occupancy;
pub mod payments;
pub mod silence;
pub mod snapshots;
pub mod space;
pub mod stays;
pub mod turnover;

use yiping_event::TimeMs;
use yiping_window::{Board, Context, KeyId, Level, MetricId, timeline::Sign};

use crate::entity::lot::{Change, Lot};

/// The families. A metric that wasn't asked for (offline runs may leave spans out) has no number there.
#[derive(Clone, Copy, Debug)]
pub struct Metrics {
    pub credits: credits::Credits,
    pub filling: filling::Filling,
    pub occupancy: occupancy::Occupancy,
    pub payments: payments::Payments,
    pub silence: silence::Silence,
    pub snapshots: snapshots::Snapshots,
    pub space: space::Space,
    pub stays: stays::Stays,
    pub turnover: turnover::Turnover,
}

impl Metrics {
    pub fn of(board: &mut Board) -> Self {
        Metrics {
            credits: credits::Credits::of(board),
            filling: filling::Filling::of(board),
            occupancy: occupancy::Occupancy::of(board),
            payments: payments::Payments::of(board),
            silence: silence::Silence::of(board),
            snapshots: snapshots::Snapshots::of(board),
            space: space::Space::of(board),
            stays: stays::Stays::of(board),
            turnover: turnover::Turnover::of(board),
        }
    }

    /// What follows from a change of a lot.
    pub fn changed(&self, everywhere: KeyId, change: &Change<'_>, out: &mut Sign<'_, '_>) {
        let Some((context, sign)) = out.counting() else { return };
        let mut shifts = Shifts { context, sign, time: change.time };
        let moves = Moves { from: keys(everywhere, change.before), to: keys(everywhere, change.after) };
        self.space.changed(change, &moves, &mut shifts);
        self.occupancy.changed(change, &moves, &mut shifts);
        self.filling.changed(change, &moves, &mut shifts);
        self.silence.changed(change, &moves, &mut shifts);
        self.turnover.changed(everywhere, change, &mut shifts);
    }
}

/// City, district, lot.
pub type Keys = [(Level, KeyId); 3];

/// Where a lot counts; `None` before its first event and after it was forgotten.
fn keys(everywhere: KeyId, lot: &Lot) -> Option<Keys> {
    let (key, district) = lot.key.zip(lot.district)?;
    Some([(Level::City, everywhere), (Level::District, district), (Level::Lot, key)])
}

/// Where a lot counted before a step, and where it does now.
pub struct Moves {
    pub from: Option<Keys>,
    pub to: Option<Keys>,
}

/// Sums of a state: numerator and denominator.
pub type Sums = (i64, i64);

/// Changes of state at one time, counted or taken back.
pub struct Shifts<'a, 'b> {
    pub context: &'a mut Context<'b>,
    pub sign: i64,
    pub time: TimeMs,
}

impl Shifts<'_, '_> {
    /// A change of state, with `n` steps.
    pub fn shift(&mut self, metric: MetricId, keys: &[(Level, KeyId)], (num, den): Sums, n: i64) {
        if (num, den, n) != (0, 0, 0) {
            self.context.shift(metric, keys, self.time, self.sign * num, self.sign * den, self.sign * n);
        }
    }

    /// A state that was `was` and is `is` now, at the first `levels` of its keys.
    pub fn state(&mut self, metric: MetricId, moves: &Moves, levels: usize, was: Sums, is: Sums, n: i64) {
        match (moves.from, moves.to) {
            (Some(from), Some(to)) if from == to => {
                self.shift(metric, &to[..levels], (is.0 - was.0, is.1 - was.1), n);
            }
            (from, to) => {
                if let Some(from) = from {
                    self.shift(metric, &from[..levels], (-was.0, -was.1), 0);
                }
                if let Some(to) = to {
                    self.shift(metric, &to[..levels], is, n);
                }
            }
        }
    }
}
