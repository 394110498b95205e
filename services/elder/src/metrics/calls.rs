//! `elder.calls`: calls offered, by category and district, placed where they were offered.

use yiping_window::{Context, KeyId, Level};

use super::Metrics;
use crate::entity::Call;

/// Counts a call (`sign` 1) or takes back what it counted before (−1).
pub fn count(metrics: Metrics, everywhere: KeyId, elsewhere: KeyId, call: &Call, sign: i64, context: &mut Context<'_>) {
    let (Some(metric), Some(placed), Some(category)) = (metrics.calls, call.placed(), call.category()) else {
        return;
    };
    let district = call.district().unwrap_or(elsewhere);
    let both = format!("{}/{}", context.board.keys.name(district), context.board.keys.name(category));
    let both = context.key(&both);
    let at = [
        (Level::City, everywhere),
        (Level::District, district),
        (Level::Category, category),
        (Level::DistrictCategory, both),
    ];
    context.add(metric, &at, placed, sign, 0, sign);
}
