//! Parking: snapshots, entries and exits become free spaces, occupancy and what is impossible.
//!
//! | file | stage |
//! | --- | --- |
//! | `entity.rs` | a lot: its floors in event-time order, how long a state holds, what follows from each step |
//! | `metrics/space.rs` | free spaces and the occupancy integral, which follow from a lot's state |
//! | `metrics/violations.rs` | figures that follow from a snapshot alone |
//!
//! Pure: no clock, no log, no store (I1).

mod entity;
mod metrics;

use std::{collections::HashMap, sync::Arc};

use serde::{Deserialize, Serialize};
use yiping_city::{City, OTHER};
use yiping_event::{Data, Event, Reject, TimeMs};
use yiping_window::{
    Board, Context, Domain, EntityId, KeyId, LiveRow, NoKey, Order, Settings, Table, Timeline, dedup::ByEntity,
    domain::Timer,
};

use entity::{Lot, Lots, Step, Unit};
use metrics::{Metrics, violations};

/// A lot without events for this long is forgotten; what it contributed stays.
const FORGET_MS: i64 = 48 * 60 * 60 * 1_000;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Parking {
    lots: Table<Known>,
    #[serde(skip)]
    setup: Option<Setup>,
}

/// Format 1.
#[derive(Debug, Deserialize)]
pub struct V1 {
    lots: HashMap<EntityId, Known, ByEntity>,
}

impl From<V1> for Parking {
    fn from(old: V1) -> Self {
        Parking { lots: Table::without_keys(old.lots), setup: None }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Known {
    key: KeyId,
    timeline: Timeline<Lot, Step>,
}

#[derive(Debug)]
struct Setup {
    city: Arc<City>,
    fold: Lots,
    metrics: Metrics,
}

impl Domain for Parking {
    type V1 = V1;

    fn configure(&mut self, settings: &Settings, board: &mut Board) -> Result<(), String> {
        let city = City::from_text(&settings.profile).map_err(|error| error.to_string())?;
        let metrics = Metrics::of(board);
        let everywhere = board.keys.intern("city");
        self.setup = Some(Setup { city: Arc::new(city), fold: Lots { metrics, everywhere }, metrics });
        Ok(())
    }

    fn judge(&self, _: &Event<'_>) -> Result<(), Reject> {
        Ok(())
    }

    fn apply(&mut self, event: &Event<'_>, context: &mut Context<'_>) {
        let (lot_id, floor, district) = match &event.data {
            Data::ParkingSnapshot(snapshot) => (&snapshot.lot_id, &snapshot.floor, snapshot.district.as_deref()),
            Data::ParkingEntry(entry) => (&entry.lot_id, &entry.floor, None),
            Data::ParkingExit(exit) => (&exit.lot_id, &exit.floor, None),
            _ => return,
        };
        let Some(setup) = &self.setup else { return };
        let key = context.key(lot_id);
        let lot_district = setup.city.lot(lot_id).map(|lot| lot.district.as_str());
        let district = context.key(district.or(lot_district).unwrap_or(OTHER));
        let unit = Unit {
            lot: key,
            floor: floor.as_deref().map(|floor| context.key(&format!("{lot_id}/{floor}"))),
            district,
            // only a snapshot may say that the lot has moved to another district
            names_district: matches!(&event.data, Data::ParkingSnapshot(snapshot) if snapshot.district.is_some()),
        };
        let step = match &event.data {
            Data::ParkingSnapshot(snapshot) => {
                violations::snapshot(setup.metrics, setup.fold.everywhere, &unit, snapshot, event.time, context);
                Step::Snapshot {
                    unit,
                    capacity: snapshot.capacity,
                    occupied: snapshot.occupied,
                    open: snapshot.open != Some(false),
                }
            }
            Data::ParkingEntry(_) => Step::Moved { unit, by: 1 },
            _ => Step::Moved { unit, by: -1 },
        };
        let id = EntityId::of(&[lot_id]);
        let known = self.lots.entry(id, event.key(), || Known { key, timeline: Timeline::default() });
        known.timeline.insert(&setup.fold, Order::of(event), step, context);
        context.timer(Timer { at: entity::holds_until(event.time), kind: 0, entity: id });
        known.live(context);
    }

    fn timer(&mut self, timer: Timer, context: &mut Context<'_>) {
        let (Some(setup), Some(known)) = (&self.setup, self.lots.get_mut(timer.entity)) else {
            return;
        };
        // a later step has seen to it; a later state holds longer
        if known.timeline.newest().is_some_and(|newest| newest.time > timer.at)
            || known.timeline.tip().runs_out().is_none_or(|end| end > timer.at)
        {
            return;
        }
        known.timeline.insert(&setup.fold, Order::timer(timer.at), Step::RunsOut, context);
        known.live(context);
    }

    fn settle(&mut self, horizon: TimeMs) {
        let Some(setup) = &self.setup else { return };
        for known in self.lots.values_mut() {
            known.timeline.settle(&setup.fold, horizon.0);
        }
        let forgotten = TimeMs(horizon.0 - FORGET_MS);
        self.lots.retain(|known| known.timeline.newest().is_some_and(|newest| newest.time > forgotten));
    }

    fn live(&self, context: &mut Context<'_>) {
        for known in self.lots.values() {
            known.live(context);
        }
    }

    fn scatter(self, place: &dyn Fn(&str) -> usize, into: &mut [Self]) -> Result<(), NoKey> {
        self.lots.scatter(place, into, |parking| &mut parking.lots)
    }

    fn key_of(&self, timer: &Timer) -> Option<&str> {
        self.lots.key(timer.entity)
    }
}

impl Known {
    fn live(&self, context: &mut Context<'_>) {
        let (Some(newest), lot) = (self.timeline.newest(), self.timeline.tip()) else {
            return;
        };
        let state = lot.total();
        let name = |key: KeyId, context: &Context<'_>| context.board.keys.name(key).to_owned();
        let attrs = serde_json::json!({
            "lot_id": name(self.key, context), "capacity": state.capacity, "occupied": state.occupied,
            "free": state.free(), "open": state.live,
            "district": lot.district.map(|district| name(district, context)),
        });
        context.live(LiveRow {
            kind: "lot",
            key: name(self.key, context),
            time: newest.time,
            gone: false,
            attrs: attrs.to_string(),
        });
    }
}
