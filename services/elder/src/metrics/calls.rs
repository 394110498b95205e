//! `elder.calls`: calls offered, by category and district. `elder.connect_ratio`: answered / offered. Both placed where the call was
//! offered.

use yiping_window::{Board, Context, Level, MetricId};

use super::Places;
use crate::entity::Call;

#[derive(Debug)]
pub struct Calls {
    calls: Option<MetricId>,
    connect_ratio: Option<MetricId>,
}

impl Calls {
    pub fn of(board: &Board) -> Self {
        Calls { calls: board.metric("elder.calls"), connect_ratio: board.metric("elder.connect_ratio") }
    }

    /// Counts a call (`sign` 1) or takes back what it counted before (−1).
    pub fn count(&self, places: Places, call: &Call, sign: i64, context: &mut Context<'_>) {
        let (Some(placed), Some(category)) = (call.placed(), call.category()) else {
            return;
        };
        let [city, district, category] = places.category(call.district(), category);
        if let Some(metric) = self.calls {
            let both = format!("{}/{}", context.board.keys.name(district.1), context.board.keys.name(category.1));
            let both = (Level::DistrictCategory, context.key(&both));
            context.add(metric, &[city, district, category, both], placed, sign, 0, sign);
        }
        if let Some(metric) = self.connect_ratio.filter(|_| call.complete) {
            let answered = sign * i64::from(call.answered());
            context.add(metric, &[city, district, category], placed, answered, sign, sign);
        }
    }
}
