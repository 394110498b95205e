//! `hotline.calls`, `hotline.connect_ratio` (接通率), `hotline.answer_15s_ratio`, `hotline.wait_mean_s`, `hotline.wait_p95_s`,
//! `hotline.abandon_ratio`: all placed where the call was offered, so they are revised until their calls are decided.
//!
//! Blank is not zero: a wait that is neither told nor known from the offer is no wait of 15 s or less, and no hang-up within 10 s.

use yiping_window::{Board, Context, Level, MetricId};

use crate::{Setup, entity::call::Call};

/// Answered within this is answered at once (GB/T 33358: 15 s).
const AT_ONCE_MS: i64 = 15_000;

/// Who hangs up within this may have dialled wrongly, and isn't counted.
const MISDIALLED_MS: i64 = 10_000;

#[derive(Clone, Copy, Debug)]
pub struct Calls {
    calls: Option<MetricId>,
    connect_ratio: Option<MetricId>,
    answer_15s_ratio: Option<MetricId>,
    wait_mean_s: Option<MetricId>,
    wait_p95_s: Option<MetricId>,
    abandon_ratio: Option<MetricId>,
}

impl Calls {
    pub fn of(board: &Board) -> Self {
        Calls {
            calls: board.metric("hotline.calls"),
            connect_ratio: board.metric("hotline.connect_ratio"),
            answer_15s_ratio: board.metric("hotline.answer_15s_ratio"),
            wait_mean_s: board.metric("hotline.wait_mean_s"),
            wait_p95_s: board.metric("hotline.wait_p95_s"),
            abandon_ratio: board.metric("hotline.abandon_ratio"),
        }
    }

    pub fn count(&self, setup: &Setup, call: &Call, sign: i64, context: &mut Context<'_>) {
        let Some(placed) = call.placed().filter(|_| call.standing.counts()) else { return };
        let at = [(Level::City, setup.everywhere), (Level::District, call.district().unwrap_or(setup.elsewhere))];
        let mut add = |metric: Option<MetricId>, num: i64, den: i64, n: i64| {
            if let Some(metric) = metric {
                context.add(metric, &at, placed, sign * num, sign * den, sign * n);
            }
        };
        let wait = call.wait_ms();
        let at_once = call.answered() && wait.is_some_and(|wait| wait <= AT_ONCE_MS);
        add(self.calls, 1, 0, 1);
        add(self.connect_ratio, i64::from(call.answered()), 1, 1);
        add(self.answer_15s_ratio, i64::from(at_once), 1, 1);
        if !(call.abandoned() && wait.is_some_and(|wait| wait <= MISDIALLED_MS)) {
            add(self.abandon_ratio, i64::from(call.abandoned() && wait.is_some()), 1, 1);
        }
        let Some(wait) = wait.filter(|_| call.answered()) else { return };
        add(self.wait_mean_s, wait, 1, 1);
        if let Some(metric) = self.wait_p95_s {
            context.sample(metric, &at, placed, wait, sign);
        }
    }
}
