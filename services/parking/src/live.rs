//! The current state of lots and their floors, for the map and the lists.

use yiping_event::TimeMs;
use yiping_window::{Context, KeyId, LiveRow};

use crate::entity::lot::{Lot, Space};

/// A row for the lot (key `lot`), and one for each floor that is known (key `lot/floor`); floors that were known `before` and aren't
/// any more are gone.
pub fn rows(key: KeyId, lot: &Lot, before: &[KeyId], time: TimeMs, context: &mut Context<'_>) {
    // (of a lot that never said how many spaces it has, nothing could be shown: neither free nor full)
    if !context.tells_live() || !lot.is_stated() {
        return;
    }
    let time = lot.heard().unwrap_or(time);
    let name = |key: KeyId, context: &Context<'_>| context.board.keys.name(key).to_owned();
    let lot_id = name(key, context);
    let district = lot.district.map(|district| name(district, context));
    // of what is closed or silent nobody knows what is taken or free; its spaces are still there
    let row = |key: &str, spaces: i64, space: Space, gone: bool| LiveRow {
        kind: "lot",
        key: key.to_owned(),
        time,
        gone,
        attrs: serde_json::json!({
            "lot_id": lot_id, "floor": key.strip_prefix(&lot_id).and_then(|rest| rest.strip_prefix('/')),
            "capacity": if space.live { space.capacity } else { spaces },
            "occupied": space.live.then_some(space.occupied), "free": space.live.then(|| space.free()),
            "open": space.live, "district": district,
        })
        .to_string(),
    };
    context.live(row(&lot_id, lot.spaces(None), lot.total(), false));
    for floor in lot.floors() {
        let key = name(floor, context);
        context.live(row(&key, lot.spaces(Some(floor)), lot.floor(floor), false));
    }
    for floor in before.iter().filter(|floor| !lot.floors().any(|known| known == **floor)) {
        let key = name(*floor, context);
        context.live(row(&key, 0, Space::default(), true));
    }
}
