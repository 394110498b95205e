//! The 12345 government hotline: calls become load, connect ratio and waiting.
//!
//! | file | stage |
//! | --- | --- |
//! | `entity.rs` | a call: what is known of it, and where it counts |
//! | `metrics/calls.rs` | figures that follow from a call |
//!
//! Pure: no clock, no log, no store (I1).

mod entity;
mod metrics;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use yiping_city::{City, OTHER};
use yiping_event::{Data, Event, Reject, TimeMs};
use yiping_window::{
    Board, Context, Domain, EntityId, KeyId, NoKey, Order, Settings, Table, dedup::ByEntity, domain::Timer,
};

use entity::{Call, Said};
use metrics::{Metrics, calls};

/// A call that nothing was heard of for this long behind the horizon is forgotten; what it contributed stays.
const FORGET_MS: i64 = 60 * 60 * 1_000;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Hotline {
    calls: Table<Call>,
    #[serde(skip)]
    setup: Option<Setup>,
}

/// Format 1.
#[derive(Debug, Deserialize)]
pub struct V1 {
    calls: HashMap<EntityId, Call, ByEntity>,
}

impl From<V1> for Hotline {
    fn from(old: V1) -> Self {
        Hotline { calls: Table::without_keys(old.calls), setup: None }
    }
}

#[derive(Debug)]
struct Setup {
    metrics: Metrics,
    everywhere: KeyId,
    elsewhere: KeyId,
}

impl Domain for Hotline {
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
        let (Data::HotlineCall(data), Some(setup)) = (&event.data, &self.setup) else {
            return;
        };
        if context.too_late(event.time) {
            return; // it waits for `heal` (I5); nothing of a call outlives its windows
        }
        let said = Said {
            order: Order::of(event),
            kind: data.event,
            district: data.district.as_deref().map(|district| context.key(district)),
            wait_ms: data.wait_s.map(|seconds| (seconds * 1_000.0).round() as i64), // 0 to 86,400 s by its schema
        };
        let call = self.calls.entry(EntityId::of(&[&data.call_id]), event.key(), Call::default);
        let before = call.clone();
        call.take(&said);
        // counted in windows that take nothing back any more, it stays there: it can't count elsewhere as well
        let settled = before.placed().is_some_and(|placed| context.too_late(placed));
        if *call != before && !settled {
            let counted = |call: &Call| call.district().unwrap_or(setup.elsewhere);
            calls::count(setup.metrics, setup.everywhere, counted(&before), &before, -1, context);
            calls::count(setup.metrics, setup.everywhere, counted(call), call, 1, context);
        }
    }

    fn timer(&mut self, _: Timer, _: &mut Context<'_>) {}

    fn settle(&mut self, horizon: TimeMs) {
        let forgotten = TimeMs(horizon.0 - FORGET_MS);
        self.calls.retain(|call| call.newest().is_some_and(|newest| newest > forgotten));
    }

    fn live(&self, _: &mut Context<'_>) {}

    fn scatter(self, place: &dyn Fn(&str) -> usize, into: &mut [Self]) -> Result<(), NoKey> {
        self.calls.scatter(place, into, |hotline| &mut hotline.calls)
    }

    fn key_of(&self, _: &Timer) -> Option<&str> {
        None // nothing of a call waits for a deadline
    }
}
