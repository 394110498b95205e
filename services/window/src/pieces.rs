//! What a record's time brings with it: timers, revisions, closed windows, forgetting. After a long silence that is a lot: a day's windows of
//! every figure, from one record. Who has to keep memory bounded takes it in pieces ([`Machine::in_pieces`], [`Machine::go_on`]); the rows
//! are the same, in the same order, and the next record is not taken in before the last piece.

use crate::{
    domain::Domain,
    machine::{Machine, Output},
};

/// How often what lies behind the horizon is settled and forgotten, in ms of event time. No figure depends on it.
const SETTLE_MS: i64 = 300_000;

/// Windows to close up to the watermark, and what comes after that.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Left {
    /// Of the record that moved time.
    offset: u64,
    settles: bool,
}

impl<D: Domain> Machine<D> {
    /// Makes about so many rows at once, and at least one window's.
    #[must_use]
    pub fn in_pieces(mut self, rows_at_once: usize) -> Self {
        self.rows_at_once = rows_at_once;
        self
    }

    /// Whether there is more to make of the records that were taken in. A state in between is none to checkpoint.
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.left.is_some()
    }

    /// Makes the next piece.
    pub fn go_on(&mut self, out: &mut Output) {
        let rows = out.rows.len();
        self.close_some(out);
        self.mark(&mut out.rows[rows..]);
    }

    pub(crate) fn go_on_to_the_end(&mut self, out: &mut Output) {
        while self.has_more() {
            self.go_on(out);
        }
    }

    /// Lets time's consequences follow, the first piece of them.
    pub(crate) fn move_on(&mut self, offset: u64, out: &mut Output) {
        let (Some(watermark), Some(horizon)) = (self.watermark(), self.horizon()) else {
            return;
        };
        self.fire(watermark, out);
        let board = &mut self.core.board;
        let before = board.until.replace(watermark.0);
        board.horizon = Some(horizon.0);
        let entered = |unit: i64| before.is_none_or(|before| before.div_euclid(unit) != watermark.0.div_euclid(unit));
        // revisions are written as the watermark enters another second: one row for many late events, and the log alone decides
        if entered(1_000) {
            board.revise(&self.days, offset, &mut out.rows);
            self.left = Some(Left { offset, settles: entered(SETTLE_MS) });
            self.close_some(out);
        }
    }

    fn close_some(&mut self, out: &mut Output) {
        let (Some(Left { offset, settles }), Some(watermark)) = (self.left, self.watermark()) else {
            return;
        };
        let (board, days) = (&mut self.core.board, &self.days);
        let most = out.rows.len().saturating_add(self.rows_at_once);
        if !board.close(|span| span.boundary_at_or_before(watermark.0, days), days, offset, &mut out.rows, most) {
            return;
        }
        self.left = None;
        if let Some(horizon) = self.horizon().filter(|_| settles) {
            self.core.domain.settle(horizon);
            self.core.board.prune(&self.days);
            self.dedup.forget_before(horizon.0);
            self.core.holes.retain(|hole| hole.concerns_after(horizon));
        }
    }
}
