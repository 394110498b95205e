//! `parking.credit_open_fen` and `parking.credit_overdue_ratio`.
//!
//! The denominator of what is open counts the credits that are. A credit is judged when it is due, and counts on that day; before, or
//! without a due time, it isn't part of the ratio.

use yiping_event::TimeMs;
use yiping_window::{Board, Context, MetricId};

use crate::entity::{
    credit::{Credit, Open},
    session::Place,
};

#[derive(Clone, Copy, Debug)]
pub struct Credits {
    open_fen: Option<MetricId>,
    overdue_ratio: Option<MetricId>,
}

impl Credits {
    pub fn of(board: &Board) -> Self {
        Credits {
            open_fen: board.metric("parking.credit_open_fen"),
            overdue_ratio: board.metric("parking.credit_overdue_ratio"),
        }
    }

    /// A credit that was `before` is `after` now.
    pub fn changed(&self, place: &Place, before: &Credit, after: &Credit, context: &mut Context<'_>) {
        if before == after {
            return;
        }
        if let Some(metric) = self.open_fen {
            for (was, is) in open(before).into_iter().zip(open(after)) {
                if was != is {
                    shift(metric, place, was, -1, context);
                    shift(metric, place, is, 1, context);
                }
            }
        }
        // judged on a day that takes nothing back any more, it stays there: it can't be judged on another one as well
        if before.judged().is_none_or(|(due, _)| !context.too_late(due)) {
            self.judged(place, before, -1, context);
            self.judged(place, after, 1, context);
        }
    }

    fn judged(&self, place: &Place, credit: &Credit, sign: i64, context: &mut Context<'_>) {
        if let (Some(metric), Some((due, overdue))) = (self.overdue_ratio, credit.judged()) {
            context.add(metric, &place.keys(), due, sign * i64::from(overdue), sign, sign);
        }
    }
}

/// What changes at a time: fen that are open, and how many credits.
type Step = Option<(TimeMs, i64, i64)>;

/// When a credit is opened, and when it is settled.
fn open(credit: &Credit) -> [Step; 2] {
    let Some(Open { from, amount_fen, settled }) = credit.open() else {
        return [None, None];
    };
    let settled = settled.map(|(time, rest_fen)| (time, rest_fen - amount_fen, -i64::from(rest_fen == 0)));
    [Some((from, amount_fen, 1)), settled]
}

fn shift(metric: MetricId, place: &Place, step: Step, sign: i64, context: &mut Context<'_>) {
    if let Some((time, fen, credits)) = step {
        context.shift(metric, &place.keys(), time, sign * fen, sign * credits, 0);
    }
}
