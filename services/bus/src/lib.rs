//! Buses: positions, calls at stops and trips become the figures of a bus network.
//!
//! | file | stage |
//! | --- | --- |
//! | `entity/vehicle.rs` | a vehicle: its fixes in event-time order, which of them are believed |
//! | `entity/departures.rs` | a stop of a route and direction: its departures, and the headways between them |
//! | `entity/visits.rs` | a vehicle's arrivals at and departures from stops, in pairs |
//! | `entity/trip.rs` | a trip of a service day: due, started, cancelled |
//! | `metrics/online.rs` `speed.rs` | figures that follow from a vehicle's believed fixes |
//! | `metrics/fix_age.rs` `load.rs` `on_time.rs` | figures that follow from an event alone |
//! | `metrics/headway.rs` `dwell.rs` `dispatch.rs` | figures that follow from departures, visits, trips |
//!
//! Pure: no clock, no log, no store (I1). What is kept, and for how long (I9), each file of `entity` says.

mod entity;
mod metrics;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use yiping_city::City;
use yiping_event::{Code, Data, Event, Reject, TimeMs, bus::StopKind};
use yiping_window::{
    Board, Context, Domain, EntityId, KeyId, Level, NoKey, Settings, Table, Timeline, dedup::ByEntity, domain::Timer,
    span::Days,
};

use entity::{
    departures::{self, Departures},
    trip::{self, Trip},
    vehicle::{self, Fix, Vehicle, Vehicles},
    visits::{self, Visits},
};
use metrics::Metrics;

/// A vehicle that nothing was heard of for so long behind the horizon is forgotten; what it contributed stays.
const FORGET_MS: i64 = 48 * 60 * 60 * 1_000;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Bus {
    vehicles: Table<Timeline<Vehicle, Fix>>,
    /// Newest departure of each vehicle that told its delay, by the routes that it drives.
    delays: Table<TimeMs>,
    /// By route, direction and stop.
    #[serde(default)]
    departures: Table<Departures>,
    /// By vehicle and route.
    #[serde(default)]
    visits: Table<Visits>,
    /// By route, trip and service day.
    #[serde(default)]
    trips: Table<Trip>,
    #[serde(skip)]
    setup: Option<Setup>,
}

/// Format 1.
#[derive(Debug, Deserialize)]
pub struct V1 {
    vehicles: HashMap<EntityId, Timeline<Vehicle, Fix>, ByEntity>,
    delays: HashMap<EntityId, TimeMs, ByEntity>,
}

impl From<V1> for Bus {
    fn from(old: V1) -> Self {
        Bus { vehicles: Table::without_keys(old.vehicles), delays: Table::without_keys(old.delays), ..Bus::default() }
    }
}

/// What follows from the settings.
#[derive(Debug)]
pub(crate) struct Setup {
    city: City,
    /// Service days: a night bus belongs to the evening before.
    service_days: Days,
    metrics: Metrics,
    /// The key of the city level.
    everywhere: KeyId,
}

impl Setup {
    /// The levels at which something on a route counts.
    fn route(&self, route: KeyId) -> [(Level, KeyId); 2] {
        [(Level::City, self.everywhere), (Level::Route, route)]
    }

    /// The levels at which something on a route at a place counts.
    fn place(&self, route: KeyId, district: KeyId) -> [(Level, KeyId); 3] {
        [(Level::City, self.everywhere), (Level::Route, route), (Level::District, district)]
    }
}

impl Domain for Bus {
    type V1 = V1;

    fn configure(&mut self, settings: &Settings, board: &mut Board) -> Result<(), String> {
        let city = City::from_text(&settings.profile).map_err(|error| error.to_string())?;
        let service_days = Days::starting_at(city.zone.clone(), city.bus.service_day_start_ms);
        let (metrics, everywhere) = (Metrics::of(board), board.keys.intern("city"));
        self.setup = Some(Setup { city, service_days, metrics, everywhere });
        Ok(())
    }

    fn judge(&self, event: &Event<'_>) -> Result<(), Reject> {
        let (Data::BusPosition(position), Some(setup)) = (&event.data, &self.setup) else {
            return Ok(());
        };
        let (lon, lat) = vehicle::wgs84(position);
        if setup.city.contains(lon, lat) {
            return Ok(());
        }
        Err(Reject::new(Code::OutsideCity, "/data/lon", "a place in or near the city").with_id(&*event.id))
    }

    fn apply(&mut self, event: &Event<'_>, context: &mut Context<'_>) {
        let Some(setup) = &self.setup else { return };
        match &event.data {
            Data::BusPosition(position) => {
                vehicle::seen(setup, &mut self.vehicles, event, position, context);
            }
            Data::BusStop(stop) => {
                visits::called(setup, &mut self.visits, event, stop, context);
                if stop.event == StopKind::Departed {
                    setup.metrics.on_time.departed(setup, stop, event.time, context);
                    vehicle::note_delay(&mut self.delays, event, stop, context);
                    departures::departed(setup, &mut self.departures, event, stop, context);
                }
            }
            Data::BusTrip(trip) => trip::said(setup, &mut self.trips, event, trip, context),
            _ => {}
        }
    }

    fn timer(&mut self, timer: Timer, context: &mut Context<'_>) {
        if let Some(setup) = &self.setup {
            trip::deadline(setup, &mut self.trips, timer, context); // the only thing that waits
        }
    }

    fn settle(&mut self, horizon: TimeMs) {
        let Some(setup) = &self.setup else { return };
        for vehicle in self.vehicles.values_mut() {
            vehicle.settle(&Vehicles(setup), horizon.0);
        }
        let forgotten = TimeMs(horizon.0 - FORGET_MS);
        self.vehicles.retain(|vehicle| vehicle.newest().is_some_and(|newest| newest.time > forgotten));
        self.delays.retain(|departed| *departed > forgotten);
        self.departures.retain(|departures| departures.settle(horizon));
        self.visits.retain(|visits| visits.settle(horizon));
        self.trips.retain(|trip| trip.matters(horizon));
    }

    fn live(&self, _: &mut Context<'_>) {
        // a vehicle is written with each of its fixes: what is stored is at most one fix old
    }

    fn scatter(self, place: &dyn Fn(&str) -> usize, into: &mut [Self]) -> Result<(), NoKey> {
        self.vehicles.scatter(place, into, |bus| &mut bus.vehicles)?;
        self.delays.scatter(place, into, |bus| &mut bus.delays)?;
        self.departures.scatter(place, into, |bus| &mut bus.departures)?;
        self.visits.scatter(place, into, |bus| &mut bus.visits)?;
        self.trips.scatter(place, into, |bus| &mut bus.trips)
    }

    fn key_of(&self, timer: &Timer) -> Option<&str> {
        self.trips.key(timer.entity)
    }
}
