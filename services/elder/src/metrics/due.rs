//! `elder.completion_ratio`, `elder.no_show_ratio`: orders finished, and orders for which nobody came or nobody was at home, of those
//! due on a day; judged at its end, placed when they were due.
//!
//! Where the catalogue is silent: due is what the creation says, else the earliest other event, else the category's limit in the
//! profile, else the order is no part; what happens at midnight on the dot belongs to the next day; an order that was a no-show and
//! was finished by the same midnight counts in both; one that was finished and then cancelled by then is no part.

use yiping_window::{Board, Context, MetricId};

use super::Places;
use crate::entity::Service;

#[derive(Debug)]
pub struct DueOrders {
    completion_ratio: Option<MetricId>,
    no_show_ratio: Option<MetricId>,
}

impl DueOrders {
    pub fn of(board: &Board) -> Self {
        DueOrders {
            completion_ratio: board.metric("elder.completion_ratio"),
            no_show_ratio: board.metric("elder.no_show_ratio"),
        }
    }

    /// Counts an order (`sign` 1) or takes back what it counted before (−1).
    pub fn count(&self, places: Places, order: &Service, sign: i64, context: &mut Context<'_>) {
        let (Some((district, category)), Some((due, finished, no_show))) = (order.levels(), order.judged()) else {
            return;
        };
        let at = places.category(Some(district), category);
        for (metric, counts) in [(self.completion_ratio, finished), (self.no_show_ratio, no_show)] {
            if let Some(metric) = metric {
                context.add(metric, &at, due, sign * i64::from(counts), sign, sign);
            }
        }
    }
}
