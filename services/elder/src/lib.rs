//! The 12349 elder-care hotline: calls by category, SOS cases with their deadlines, visits at home, callbacks, devices.
//!
//! | file | stage |
//! | --- | --- |
//! | `entity/` | what is known of a call, a case, an order and a device, and where they count |
//! | `metrics/calls.rs` | calls, and how many were answered |
//! | `metrics/sos.rs`, `response.rs` | open cases; how fast help was |
//! | `metrics/orders.rs`, `due.rs`, `satisfied.rs` | orders; what became of them on their day; what the customers say |
//! | `metrics/devices.rs` | silent devices |
//! | `live.rs` | open cases and orders, for the wall |
//!
//! Pure: no clock, no log, no store (I1). A deadline is an event-time timer: the watermark fires it.

mod entity;
mod live;
mod metrics;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use yiping_city::City;
use yiping_event::{Data, Event, Reject, TimeMs, elder};
use yiping_window::{Board, Context, Domain, EntityId, NoKey, Order, Settings, Table, dedup::ByEntity, domain::Timer};

use entity::{Call, Case, Device, Due, Service, v1};
use metrics::{Metrics, Places, satisfied::SATISFIED};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// A call that nothing was heard of for this long behind the horizon is forgotten; what it contributed stays.
const FORGET_CALL_MS: i64 = DAY_MS;

/// A closed case is known for so long: told again that it was raised, it must not open once more. About 40 a day, so that it costs
/// nothing.
const FORGET_CASE_MS: i64 = 30 * DAY_MS;

/// An ended order is known for so long: callbacks that name no district count in its.
const FORGET_ORDER_MS: i64 = 30 * DAY_MS;

/// Whose deadline a timer is: the tables' numbers.
const CASE: u8 = 0;
const ORDER: u8 = 1;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Elder {
    calls: Table<Call>,
    cases: Table<Case>,
    #[serde(default)]
    orders: Table<Service>,
    #[serde(default)]
    devices: Table<Device>,
    #[serde(skip)]
    setup: Option<Setup>,
}

/// Format 1.
#[derive(Debug, Deserialize)]
pub struct V1 {
    calls: HashMap<EntityId, v1::Call, ByEntity>,
    cases: HashMap<EntityId, v1::Case, ByEntity>,
}

impl From<V1> for Elder {
    fn from(old: V1) -> Self {
        let calls = old.calls.into_iter().map(|(id, call)| (id, call.into())).collect();
        let cases = old.cases.into_iter().map(|(id, case)| (id, case.into())).collect();
        Elder { calls: Table::without_keys(calls), cases: Table::without_keys(cases), ..Elder::default() }
    }
}

#[derive(Debug)]
struct Setup {
    metrics: Metrics,
    places: Places,
    city: City,
}

impl Domain for Elder {
    type V1 = V1;

    fn configure(&mut self, settings: &Settings, board: &mut Board) -> Result<(), String> {
        let city = City::from_text(&settings.profile).map_err(|error| error.to_string())?;
        self.setup = Some(Setup { metrics: Metrics::of(board), places: Places::of(board), city });
        Ok(())
    }

    fn judge(&self, _: &Event<'_>) -> Result<(), Reject> {
        Ok(())
    }

    fn apply(&mut self, event: &Event<'_>, context: &mut Context<'_>) {
        match &event.data {
            Data::ElderCall(data) => self.call(event, data, context),
            Data::ElderSos(data) => self.sos(event, data, context),
            Data::ElderOrder(data) => self.order(event, data, context),
            Data::ElderCallback(data) => self.callback(event, data, context),
            Data::ElderHeartbeat(data) => self.heartbeat(event, data, context),
            _ => {}
        }
    }

    fn timer(&mut self, timer: Timer, context: &mut Context<'_>) {
        let Some(setup) = &self.setup else { return };
        match timer.kind {
            CASE => {
                if let Some(case) = self.cases.get_mut(timer.entity) {
                    let before = case.clone();
                    case.deadline_passed(timer.at);
                    setup.recount_case(&before, case, context);
                }
            }
            _ => {
                if let Some(order) = self.orders.get_mut(timer.entity) {
                    let before = order.clone();
                    order.day_ended(timer.at);
                    setup.recount_order(&before, order, context);
                }
            }
        }
    }

    fn settle(&mut self, horizon: TimeMs) {
        let heard = |newest: Option<TimeMs>, keep: i64| newest.is_some_and(|newest| newest.0 > horizon.0 - keep);
        self.calls.retain(|call| heard(call.newest(), FORGET_CALL_MS));
        self.cases.retain(|case| case.is_open() || heard(case.newest(), FORGET_CASE_MS));
        self.orders.retain(|order| {
            order.settle(horizon);
            // a judgement to come, or one that an event within the lateness may still change
            let judging = order.due.is_some_and(|due| due.day_ends >= horizon);
            order.is_open() || judging || heard(order.newest(), FORGET_ORDER_MS)
        });
        self.devices.retain(|device| device.settle(horizon));
    }

    fn live(&self, context: &mut Context<'_>) {
        for case in self.cases.values() {
            live::case(case, context);
        }
        for order in self.orders.values() {
            live::order(order, context);
        }
    }

    fn scatter(self, place: &dyn Fn(&str) -> usize, into: &mut [Self]) -> Result<(), NoKey> {
        self.calls.scatter(place, into, |elder| &mut elder.calls)?;
        self.cases.scatter(place, into, |elder| &mut elder.cases)?;
        self.orders.scatter(place, into, |elder| &mut elder.orders)?;
        self.devices.scatter(place, into, |elder| &mut elder.devices)
    }

    fn key_of(&self, timer: &Timer) -> Option<&str> {
        match timer.kind {
            CASE => self.cases.key(timer.entity),
            _ => self.orders.key(timer.entity),
        }
    }
}

impl Elder {
    fn call(&mut self, event: &Event<'_>, data: &elder::Call<'_>, context: &mut Context<'_>) {
        let Some(setup) = &self.setup else { return };
        if context.too_late(event.time) {
            return; // it waits for `heal` (I5); nothing of a call outlives its windows
        }
        let district = data.district.as_deref().map(|district| context.key(district));
        let category = context.key(data.category.as_str());
        let call = self.calls.entry(EntityId::of(&[&data.call_id]), event.key(), Call::new);
        call.heard(event.time);
        // counted in windows that take nothing back any more, it stays as it is: it can't count elsewhere as well
        if call.placed().is_some_and(|placed| context.too_late(placed)) {
            return;
        }
        let before = call.clone();
        call.take(&Order::of(event), data, district, category);
        if *call != before {
            for (call, sign) in [(&before, -1), (&*call, 1)] {
                setup.metrics.calls.count(setup.places, call, sign, context);
                setup.metrics.orders.count_call(setup.places, call, sign, context);
            }
        }
    }

    fn sos(&mut self, event: &Event<'_>, data: &elder::Sos<'_>, context: &mut Context<'_>) {
        let Some(setup) = &self.setup else { return };
        let district = context.key(&data.district);
        let id = EntityId::of(&[&data.case_id]);
        let case = self.cases.entry(id, event.key(), Case::new);
        let before = case.clone();
        case.take(&Order::of(event), data, district, context.too_late(event.time));
        for at in case.deadlines() {
            context.timer(Timer { at, kind: CASE, entity: id });
        }
        setup.recount_case(&before, case, context);
        live::case(case, context);
    }

    fn order(&mut self, event: &Event<'_>, data: &elder::Order<'_>, context: &mut Context<'_>) {
        let Some(setup) = &self.setup else { return };
        let id = EntityId::of(&[&data.order_id]);
        let levels = data.district.as_deref().zip(data.category.as_deref());
        let keys = levels.map(|(district, category)| (context.key(district), context.key(category)));
        let order = self.orders.entry(id, event.key(), Service::default);
        let before = order.clone();
        order.take(&Order::of(event), data, keys, context.too_late(event.time));
        // counted in a window that takes nothing back any more, it can't count in another one as well: the verdict stands
        let stands = before.is_judged() && before.due.is_some_and(|due| context.too_late(due.at));
        if !stands {
            order.due = setup.due(order, context);
        }
        if let Some(due) = order.due.filter(|_| !order.is_judged()) {
            context.timer(Timer { at: due.day_ends, kind: ORDER, entity: id });
        }
        setup.recount_order(&before, order, context);
        live::order(order, context);
    }

    fn callback(&mut self, event: &Event<'_>, data: &elder::Callback<'_>, context: &mut Context<'_>) {
        let Some(setup) = &self.setup else { return };
        if context.too_late(event.time) {
            return; // it waits for `heal` (I5)
        }
        let satisfied = data.score >= SATISFIED;
        if let Some(district) = data.district.as_deref() {
            let district = context.key(district);
            setup.metrics.satisfied.count_one(setup.places, event.time, district, satisfied, context);
        } else {
            let order = self.orders.entry(EntityId::of(&[&data.order_id]), event.key(), Service::default);
            let before = order.clone();
            order.called_back(event.time, satisfied);
            setup.recount_order(&before, order, context);
        }
    }

    fn heartbeat(&mut self, event: &Event<'_>, data: &elder::Heartbeat<'_>, context: &mut Context<'_>) {
        let Some(setup) = &self.setup else { return };
        let district = data.district.as_deref().map(|district| context.key(district));
        let device = self.devices.entry(EntityId::of(&[&data.device_id]), event.key(), Device::default);
        let before = device.changes();
        let keys = &context.board.keys;
        let wins = |new, known| keys.name(new) > keys.name(known);
        device.heard(event.time, district, context.too_late(event.time), wins);
        setup.metrics.devices.recount(setup.places, &before, &device.changes(), context);
    }
}

impl Setup {
    /// When an order is due: as told, else by its category's limit.
    fn due(&self, order: &Service, context: &Context<'_>) -> Option<Due> {
        let (created, (_, category)) = (order.created()?, order.levels()?);
        let limit = || self.city.due_ms("elder", context.board.keys.name(category), created.0).map(TimeMs);
        let at = order.due_told().or_else(limit)?;
        Some(Due { at, day_ends: TimeMs(context.days.next_after(at.0)) })
    }

    fn recount_case(&self, before: &Case, after: &Case, context: &mut Context<'_>) {
        if before != after {
            for (case, sign) in [(before, -1), (after, 1)] {
                self.metrics.sos.count(self.places, case, sign, context);
                self.metrics.response.count(self.places, case, sign, context);
            }
        }
    }

    fn recount_order(&self, before: &Service, after: &Service, context: &mut Context<'_>) {
        if before != after {
            for (order, sign) in [(before, -1), (after, 1)] {
                self.metrics.orders.count(self.places, order, sign, context);
                self.metrics.due.count(self.places, order, sign, context);
                self.metrics.satisfied.count(self.places, order, sign, context);
            }
        }
    }
}
