//! An open order as the wall lists it: by an opaque key, at street level (I11). Its position and its number stay behind.

use serde_json::json;
use yiping_window::{Context, EntityId, KeyId, LiveRow};

use crate::entity::order::WorkOrder;

/// Tells orders apart and says nothing of their numbers.
pub fn opaque(id: EntityId) -> u64 {
    id.0 as u64 & 0xffff_ffff_ffff
}

/// The order's row; gone when it is closed. Nothing of one that was never open.
pub fn tell(order: &WorkOrder, context: &mut Context<'_>) {
    if !context.tells_live() {
        return;
    }
    let (Some(created), Some(levels)) = (order.created().filter(|created| !created.direct), order.levels()) else {
        return;
    };
    let name = |key: KeyId| context.board.keys.name(key).to_owned();
    let attrs = json!({
        "category": name(levels.category),
        "district": name(levels.district),
        "street": created.street.map(name),
        "agency": levels.agency.map(name),
        "created": created.order.time.to_string(),
        "due": order.due().map(|due| due.to_string()),
        "state": order.state(),
    });
    let row = LiveRow {
        kind: "order",
        key: format!("{:012x}", order.key()),
        time: order.newest().unwrap_or(created.order.time),
        gone: !order.is_open(),
        attrs: attrs.to_string(),
    };
    context.live(row);
}
