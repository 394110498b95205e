//! The 12349 elder-care hotline: calls by category, and SOS cases with their deadlines.
//!
//! | file | stage |
//! | --- | --- |
//! | `entity.rs` | a call and a case: what is known of them, and where they count |
//! | `metrics/calls.rs` | figures that follow from a call |
//! | `metrics/sos.rs` | figures that follow from a case |
//!
//! Pure: no clock, no log, no store (I1). A deadline is an event-time timer: the watermark fires it.

mod entity;
mod metrics;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use yiping_city::{City, OTHER};
use yiping_event::{Data, Event, Reject, TimeMs, elder};
use yiping_window::{
    Board, Context, Domain, EntityId, KeyId, LiveRow, NoKey, Order, Settings, Table, dedup::ByEntity, domain::Timer,
};

use entity::{Call, Case};
use metrics::{Metrics, calls, sos};

/// What nothing was heard of for this long behind the horizon is forgotten (open cases apart); what it contributed stays.
const FORGET_MS: i64 = 60 * 60 * 1_000;

/// A closed case is known for so long: told again that it was raised, it must not open once more. About 40 a day, so that it costs
/// nothing.
const FORGET_CASE_MS: i64 = 30 * 24 * 60 * 60 * 1_000;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Elder {
    calls: Table<Call>,
    cases: Table<Case>,
    #[serde(skip)]
    setup: Option<Setup>,
}

/// Format 1.
#[derive(Debug, Deserialize)]
pub struct V1 {
    calls: HashMap<EntityId, Call, ByEntity>,
    cases: HashMap<EntityId, Case, ByEntity>,
}

impl From<V1> for Elder {
    fn from(old: V1) -> Self {
        Elder { calls: Table::without_keys(old.calls), cases: Table::without_keys(old.cases), setup: None }
    }
}

#[derive(Debug)]
pub(crate) struct Setup {
    metrics: Metrics,
    everywhere: KeyId,
    elsewhere: KeyId,
}

impl Domain for Elder {
    type V1 = V1;

    fn configure(&mut self, settings: &Settings, board: &mut Board) -> Result<(), String> {
        City::from_text(&settings.profile).map_err(|error| error.to_string())?;
        self.setup = Some(Setup {
            metrics: Metrics::of(board),
            everywhere: board.keys.intern("city"),
            elsewhere: board.keys.intern(OTHER),
        });
        Ok(())
    }

    fn judge(&self, _: &Event<'_>) -> Result<(), Reject> {
        Ok(())
    }

    fn apply(&mut self, event: &Event<'_>, context: &mut Context<'_>) {
        match &event.data {
            Data::ElderCall(data) => self.call(event, data, context),
            Data::ElderSos(data) => self.sos(event, data, context),
            _ => {}
        }
    }

    fn timer(&mut self, timer: Timer, context: &mut Context<'_>) {
        let (Some(setup), Some(case)) = (&self.setup, self.cases.get_mut(timer.entity)) else {
            return;
        };
        let before = case.clone();
        case.deadline_passed(timer.at);
        recount(setup, &before, case, context);
    }

    fn settle(&mut self, horizon: TimeMs) {
        let forgotten = TimeMs(horizon.0 - FORGET_MS);
        self.calls.retain(|call| call.newest().is_some_and(|newest| newest > forgotten));
        let forgotten = TimeMs(horizon.0 - FORGET_CASE_MS);
        self.cases.retain(|case| case.is_open() || case.newest().is_some_and(|newest| newest > forgotten));
    }

    fn live(&self, context: &mut Context<'_>) {
        for case in self.cases.values() {
            live(case, context);
        }
    }

    fn scatter(self, place: &dyn Fn(&str) -> usize, into: &mut [Self]) -> Result<(), NoKey> {
        self.calls.scatter(place, into, |elder| &mut elder.calls)?;
        self.cases.scatter(place, into, |elder| &mut elder.cases)
    }

    fn key_of(&self, timer: &Timer) -> Option<&str> {
        self.cases.key(timer.entity)
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
        let call = self.calls.entry(EntityId::of(&[&data.call_id]), event.key(), Call::default);
        let before = call.clone();
        call.take(&Order::of(event), data, district, category);
        // counted in windows that take nothing back any more, it stays there: it can't count elsewhere as well
        let settled = before.placed().is_some_and(|placed| context.too_late(placed));
        if *call != before && !settled {
            calls::count(setup.metrics, setup.everywhere, setup.elsewhere, &before, -1, context);
            calls::count(setup.metrics, setup.everywhere, setup.elsewhere, call, 1, context);
        }
    }

    fn sos(&mut self, event: &Event<'_>, data: &elder::Sos<'_>, context: &mut Context<'_>) {
        let Some(setup) = &self.setup else { return };
        let district = context.key(&data.district);
        let id = EntityId::of(&[&data.case_id]);
        let case = self.cases.entry(id, event.key(), Case::default);
        let before = case.clone();
        case.take(&Order::of(event), data, district);
        if let Some(at) = case.deadline() {
            context.timer(Timer { at, kind: 0, entity: id });
        }
        recount(setup, &before, case, context);
        live(case, context);
    }
}

fn recount(setup: &Setup, before: &Case, after: &Case, context: &mut Context<'_>) {
    if before != after {
        sos::count(setup.metrics, setup.everywhere, before, -1, context);
        sos::count(setup.metrics, setup.everywhere, after, 1, context);
    }
}

/// A case on the wall: by an opaque key, at street level, without its device.
fn live(case: &Case, context: &mut Context<'_>) {
    let (Some(raised), Some(key)) = (case.raised(), case.key()) else {
        return;
    };
    let attrs = serde_json::json!({
        "district": case.district().map(|district| context.board.keys.name(district).to_owned()),
        "street": case.street(),
        "state": case.state(),
        "raised": raised.to_string(),
    });
    let row = LiveRow {
        kind: "sos",
        key: key.to_owned(),
        time: case.newest().unwrap_or(raised),
        gone: !case.is_open(),
        attrs: attrs.to_string(),
    };
    context.live(row);
}
