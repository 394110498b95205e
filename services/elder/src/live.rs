//! What the wall shows of cases and orders: by opaque keys, at street level at the finest, without devices, providers and services
//! (I11).

use serde_json::json;
use yiping_event::TimeMs;
use yiping_window::{Context, KeyId, LiveRow};

use crate::entity::{Case, Service};

/// A case, until it is closed.
pub fn case(case: &Case, context: &mut Context<'_>) {
    let (Some(raised), Some(key), true) = (case.raised(), case.key(), context.tells_live()) else {
        return;
    };
    let mut attrs = json!({
        "district": name(case.district(), context),
        "street": case.street(),
        "state": case.state(),
        "raised": raised.to_string(),
    });
    let steps = [("connected", case.connected()), ("acknowledged", case.acknowledged()), ("arrived", case.arrived())];
    for (step, time) in steps.into_iter().filter_map(|(step, time)| Some((step, time?))) {
        attrs[step] = time.to_string().into();
    }
    let time = case.newest().unwrap_or(raised);
    context.live(LiveRow { kind: "sos", key: key.to_owned(), time, gone: !case.is_open(), attrs: attrs.to_string() });
}

/// An order, until it is finished, cancelled, or nobody was at home.
pub fn order(order: &Service, context: &mut Context<'_>) {
    if !context.tells_live() {
        return;
    }
    let (Some(created), Some((district, category)), Some(key)) = (order.created(), order.levels(), order.key()) else {
        return;
    };
    let attrs = json!({
        "category": name(Some(category), context),
        "district": name(Some(district), context),
        "created": created.to_string(),
        "due": order.due.map(|due| due.at).as_ref().map(TimeMs::to_string),
        "state": order.state(),
    });
    let time = order.newest().unwrap_or(created);
    context.live(LiveRow {
        kind: "order",
        key: key.to_owned(),
        time,
        gone: !order.is_open(),
        attrs: attrs.to_string(),
    });
}

fn name(key: Option<KeyId>, context: &Context<'_>) -> Option<String> {
    key.map(|key| context.board.keys.name(key).to_owned())
}
