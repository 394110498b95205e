//! `elder.orders`: service orders, where they were created. `elder.order_conversion`: those / calls, where these were offered: the
//! categories of calls are the contract's four words, those of orders are free. `elder.accept_p90_s`, `elder.door_p90_s`: created →
//! accepted, created → at the door, placed at the end of the way; what is negative (a clock off) is left out.

use yiping_window::{Board, Context, MetricId};

use super::Places;
use crate::entity::{Call, Service};

#[derive(Debug)]
pub struct Orders {
    orders: Option<MetricId>,
    conversion: Option<MetricId>,
    accept_p90_s: Option<MetricId>,
    door_p90_s: Option<MetricId>,
}

impl Orders {
    pub fn of(board: &Board) -> Self {
        Orders {
            orders: board.metric("elder.orders"),
            conversion: board.metric("elder.order_conversion"),
            accept_p90_s: board.metric("elder.accept_p90_s"),
            door_p90_s: board.metric("elder.door_p90_s"),
        }
    }

    /// Counts an order (`sign` 1) or takes back what it counted before (−1).
    pub fn count(&self, places: Places, order: &Service, sign: i64, context: &mut Context<'_>) {
        let (Some(created), Some((district, category))) = (order.created(), order.levels()) else {
            return;
        };
        let at = places.category(Some(district), category);
        if let Some(metric) = self.orders {
            context.add(metric, &at, created, sign, 0, sign);
        }
        if let Some(metric) = self.conversion {
            context.add(metric, &at, created, sign, 0, 0);
        }
        for (metric, step) in [(self.accept_p90_s, order.accepted()), (self.door_p90_s, order.arrived())] {
            if let (Some(metric), Some((time, after_ms))) = (metric, step) {
                context.sample(metric, &at, time, after_ms, sign);
            }
        }
    }

    /// Counts a call among those that orders are made of, or takes it back.
    pub fn count_call(&self, places: Places, call: &Call, sign: i64, context: &mut Context<'_>) {
        if let (Some(metric), Some(placed), Some(category), true) =
            (self.conversion, call.placed(), call.category(), call.complete)
        {
            context.add(metric, &places.category(call.district(), category), placed, 0, sign, sign);
        }
    }
}
