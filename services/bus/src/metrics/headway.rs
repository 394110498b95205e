//! What follows from headways, all placed at the later departure:
//!
//! | figure | of each headway |
//! | --- | --- |
//! | `bus.headway_cv` | Σ(h − hₛ), Σ(h − hₛ)², Σhₛ (ms, ms², ms) |
//! | `bus.bunching_ratio` | h < 0.5 hₛ |
//! | `bus.gap_ratio` | h > 1.5 hₛ |
//! | `bus.excess_wait_s` | Σh², Σh, Σhₛ², Σhₛ |
//!
//! A square is at most (2 h)² = 5.2 × 10¹³ ms²: a window would need 177,000 of the longest headways to overflow.

use yiping_window::{Agg, Board, Context, KeyId, MetricId};

use crate::{Setup, entity::departures::Headway};

#[derive(Clone, Copy, Debug)]
pub struct Headways {
    headway_cv: Option<MetricId>,
    bunching_ratio: Option<MetricId>,
    gap_ratio: Option<MetricId>,
    excess_wait_s: Option<MetricId>,
}

impl Headways {
    pub fn of(board: &Board) -> Self {
        Headways {
            headway_cv: board.metric("bus.headway_cv"),
            bunching_ratio: board.metric("bus.bunching_ratio"),
            gap_ratio: board.metric("bus.gap_ratio"),
            excess_wait_s: board.metric("bus.excess_wait_s"),
        }
    }

    /// Counts a headway (`sign` 1) or takes it back (−1).
    pub fn count(self, setup: &Setup, route: KeyId, headway: Headway, sign: i64, context: &mut Context<'_>) {
        let (at, Headway { departed, actual_ms: h, scheduled_ms: hs }) = (setup.route(route), headway);
        if let Some(metric) = self.headway_cv {
            let off = h - hs;
            let sums = Agg { num: sign * off, num2: sign * off * off, den: sign * hs, den2: 0, n: sign };
            context.add4(metric, &at, departed, sums);
        }
        if let Some(metric) = self.bunching_ratio {
            context.add(metric, &at, departed, sign * i64::from(2 * h < hs), sign, sign);
        }
        if let Some(metric) = self.gap_ratio {
            context.add(metric, &at, departed, sign * i64::from(2 * h > 3 * hs), sign, sign);
        }
        if let Some(metric) = self.excess_wait_s {
            let sums = Agg { num: sign * h * h, den: sign * h, num2: sign * hs * hs, den2: sign * hs, n: sign };
            context.add4(metric, &at, departed, sums);
        }
    }
}
