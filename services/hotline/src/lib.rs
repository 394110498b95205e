//! The 12345 government hotline: calls, work orders and callbacks become load, waiting, deadlines kept and satisfaction.
//!
//! | file | stage |
//! | --- | --- |
//! | `entity/call.rs` | a call: what is known of it, and where it counts |
//! | `entity/order.rs`, `entity/duty.rs` | an order: what is known of it; when it is open, due, judged |
//! | `entity/standing.rs` | what counts in a window that takes nothing back any more |
//! | `ledger.rs` | what an order counts, against what it counted before |
//! | `metrics/calls.rs` `waiting.rs` `handling.rs` | figures that follow from a call |
//! | `metrics/created.rs` `open.rs` `deadlines.rs` `rework.rs` `callbacks.rs` | figures that follow from an order |
//! | `live.rs` | an open order on the wall's list |
//!
//! Pure: no clock, no log, no store (I1). A deadline is an event-time timer: the watermark fires it.
//!
//! What isn't told is not made up. An order counts from its `created` on, wherever in the log that stands; events that come before it
//! are kept for 30 days. An order of weeks ago that a new topic begins with is open at once (I5): only its flows are too late.

mod entity;
mod ledger;
mod live;
mod metrics;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use yiping_city::{City, OTHER};
use yiping_event::{Data, Event, Reject, TimeMs, hotline};
use yiping_window::{
    Board, Context, Domain, EntityId, KeyId, NoKey, Order, Settings, Table, dedup::ByEntity, domain::Timer,
};

use entity::{
    call::{self, Call},
    order::{self, Callback, Created, WorkOrder},
};
use metrics::Metrics;

/// A call that nothing was heard of for this long behind the horizon is forgotten; what it contributed stays.
const FORGET_CALL_MS: i64 = 60 * 60 * 1_000;

/// The table of orders, for timers.
const ORDERS: u8 = 1;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Hotline {
    calls: Table<Call>,
    #[serde(default)]
    orders: Table<WorkOrder>,
    #[serde(skip)]
    setup: Option<Setup>,
}

/// Format 1.
#[derive(Debug, Deserialize)]
pub struct V1 {
    calls: HashMap<EntityId, call::V1, ByEntity>,
}

impl From<V1> for Hotline {
    fn from(old: V1) -> Self {
        let calls = old.calls.into_iter().map(|(id, call)| (id, call.into())).collect();
        Hotline { calls: Table::without_keys(calls), ..Hotline::default() }
    }
}

#[derive(Debug)]
pub(crate) struct Setup {
    metrics: Metrics,
    city: City,
    /// The key of the level `city`.
    everywhere: KeyId,
    /// The district of what names none.
    elsewhere: KeyId,
    /// So long ago an event's time may be for its window to take it, in ms: the lateness, and what the watermark stays behind.
    reach_ms: i64,
}

impl Domain for Hotline {
    type V1 = V1;

    fn configure(&mut self, settings: &Settings, board: &mut Board) -> Result<(), String> {
        let city = City::from_text(&settings.profile).map_err(|error| error.to_string())?;
        self.setup = Some(Setup {
            metrics: Metrics::of(board),
            city,
            everywhere: board.keys.intern("city"),
            elsewhere: board.keys.intern(OTHER),
            reach_ms: settings.lateness_ms + settings.out_of_order_ms,
        });
        Ok(())
    }

    fn judge(&self, _: &Event<'_>) -> Result<(), Reject> {
        Ok(())
    }

    fn apply(&mut self, event: &Event<'_>, context: &mut Context<'_>) {
        match &event.data {
            Data::HotlineCall(data) => self.call(event, data, context),
            Data::HotlineOrder(data) => self.order(event, data, context),
            Data::HotlineCallback(data) => self.callback(event, data, context),
            _ => {}
        }
    }

    fn timer(&mut self, timer: Timer, context: &mut Context<'_>) {
        let (Some(setup), Some(order)) = (&self.setup, self.orders.get_mut(timer.entity)) else {
            return;
        };
        setup.change(order, context, |order, _| order.deadline_passed(timer.at));
    }

    fn settle(&mut self, horizon: TimeMs) {
        let forgotten = TimeMs(horizon.0 - FORGET_CALL_MS);
        self.calls.retain(|call| call.newest().is_some_and(|newest| newest > forgotten));
        let Some(setup) = &self.setup else { return };
        self.orders.retain(|order| {
            order.settle(horizon, setup.reach_ms);
            !order.is_forgotten(horizon)
        });
    }

    fn live(&self, context: &mut Context<'_>) {
        for order in self.orders.values() {
            live::tell(order, context);
        }
    }

    fn scatter(self, place: &dyn Fn(&str) -> usize, into: &mut [Self]) -> Result<(), NoKey> {
        self.calls.scatter(place, into, |hotline| &mut hotline.calls)?;
        self.orders.scatter(place, into, |hotline| &mut hotline.orders)
    }

    fn key_of(&self, timer: &Timer) -> Option<&str> {
        self.orders.key(timer.entity)
    }
}

impl Hotline {
    fn call(&mut self, event: &Event<'_>, data: &hotline::Call<'_>, context: &mut Context<'_>) {
        let Some(setup) = &self.setup else { return };
        if context.too_late(event.time) {
            return; // it waits for `heal` (I5); nothing of a call outlives its windows
        }
        let district = data.district.as_deref().map(|district| context.key(district));
        let call = self.calls.entry(EntityId::of(&[&data.call_id]), event.key(), Call::default);
        let mut before = call.clone();
        call.take(&call::Said::of(Order::of(event), data, district));
        if *call != before {
            let (from, to) = (before.placed(), call.placed());
            call.standing.move_on(&mut before.standing, from, to, |time| context.too_late(time));
            setup.metrics.call(setup, &before, -1, context);
            setup.metrics.call(setup, call, 1, context);
        }
    }

    fn order(&mut self, event: &Event<'_>, data: &hotline::Order<'_>, context: &mut Context<'_>) {
        let Some(setup) = &self.setup else { return };
        let id = EntityId::of(&[&data.order_id]);
        let order = self.orders.entry(id, event.key(), || WorkOrder::new(live::opaque(id)));
        let said = order::Said {
            order: Order::of(event),
            kind: data.event,
            agency: data.agency.as_deref().map(|agency| context.key(agency)),
            due: data.due,
            created: setup.created(event, data, context),
        };
        let (was_open, changed) = (
            order.is_open(),
            setup.change(order, context, |order, context| {
                order.take(&said, |time| context.too_late(time));
            }),
        );
        for at in order.deadlines(setup.reach_ms) {
            context.timer(Timer { at, kind: ORDERS, entity: id });
        }
        if changed && (was_open || order.is_open()) {
            live::tell(order, context);
        }
    }

    fn callback(&mut self, event: &Event<'_>, data: &hotline::Callback<'_>, context: &mut Context<'_>) {
        let Some(setup) = &self.setup else { return };
        if context.too_late(event.time) {
            return; // it moves no state, and waits for `heal` (I5)
        }
        let callback = Callback {
            resolved: data.resolved,
            satisfied: data.satisfied,
            district: data.district.as_deref().map(|district| context.key(district)),
            category: data.category.as_deref().map(|category| context.key(category)),
        };
        let id = EntityId::of(&[&data.order_id]);
        let order = self.orders.entry(id, event.key(), || WorkOrder::new(live::opaque(id)));
        setup.change(order, context, |order, _| order.call_back(Order::of(event), callback));
    }
}

impl Setup {
    /// Lets facts change an order, and its figures with it. Whether they did.
    fn change(
        &self,
        order: &mut WorkOrder,
        context: &mut Context<'_>,
        take: impl FnOnce(&mut WorkOrder, &Context<'_>),
    ) -> bool {
        let mut before = order.clone();
        take(order, context);
        if *order == before {
            return false;
        }
        order.stand(&mut before, self.reach_ms, |time| context.too_late(time));
        self.metrics.order(self, &before, order, context);
        true
    }

    /// What a `created` says, with the limits of the profile that holds.
    fn created(&self, event: &Event<'_>, data: &hotline::Order<'_>, context: &mut Context<'_>) -> Option<Created> {
        let (hotline::OrderKind::Created, Some(district), Some(category)) =
            (data.event, data.district.as_deref(), data.category.as_deref())
        else {
            return None;
        };
        let direct = data.direct.unwrap_or(false);
        let limit = || self.city.due_ms("hotline", category, event.time.0).map(TimeMs);
        Some(Created {
            order: Order::of(event),
            district: context.key(district),
            category: context.key(category),
            both: context.key(&format!("{district}/{category}")),
            street: data.street.as_deref().map(|street| context.key(street)),
            agency: data.agency.as_deref().map(|agency| context.key(agency)),
            due: if direct { None } else { data.due.or_else(limit) },
            direct,
            response_ms: self.city.response_limit_ms("hotline", category),
        })
    }
}
