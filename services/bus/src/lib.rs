//! Buses: positions and stop events become punctuality, speed and who is online.
//!
//! | file | stage |
//! | --- | --- |
//! | `entity.rs` | a vehicle: its fixes in event-time order, which of them are believed, what follows from each |
//! | `metrics/online.rs` `metrics/speed.rs` | figures that follow from a vehicle's fixes |
//! | `metrics/on_time.rs` | figures that follow from a departure alone |
//!
//! Pure: no clock, no log, no store (I1).

mod entity;
mod metrics;

use std::{collections::HashMap, sync::Arc};

use serde::{Deserialize, Serialize};
use yiping_city::{City, gcj02_to_wgs84};
use yiping_event::{Code, Data, Datum, Event, Reject, TimeMs, bus::StopKind};
use yiping_window::{
    Board, Context, Domain, EntityId, KeyId, LiveRow, NoKey, Order, Settings, Table, Timeline, dedup::ByEntity,
    domain::Timer, span::Days,
};

use entity::{Fix, Vehicle, Vehicles};
use metrics::{Metrics, on_time};

/// The service day starts at 04:00: a night bus belongs to the evening before.
const SERVICE_DAY_MS: i64 = 4 * 60 * 60 * 1_000;

/// A vehicle without a fix for this long is forgotten; what it contributed stays.
const FORGET_MS: i64 = 48 * 60 * 60 * 1_000;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Bus {
    vehicles: Table<Timeline<Vehicle, Fix>>,
    /// Newest departure of each vehicle that told its delay, by the routes that it drives.
    delays: Table<TimeMs>,
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
        Bus { vehicles: Table::without_keys(old.vehicles), delays: Table::without_keys(old.delays), setup: None }
    }
}

#[derive(Debug)]
struct Setup {
    city: Arc<City>,
    fold: Vehicles,
    metrics: Metrics,
}

impl Domain for Bus {
    type V1 = V1;

    fn configure(&mut self, settings: &Settings, board: &mut Board) -> Result<(), String> {
        let city = City::from_text(&settings.profile).map_err(|error| error.to_string())?;
        let metrics = Metrics::of(board);
        let service_days = Days::starting_at(city.zone.clone(), SERVICE_DAY_MS);
        let everywhere = board.keys.intern("city");
        self.setup =
            Some(Setup { city: Arc::new(city), fold: Vehicles { metrics, service_days, everywhere }, metrics });
        Ok(())
    }

    fn judge(&self, event: &Event<'_>) -> Result<(), Reject> {
        let (Data::BusPosition(position), Some(setup)) = (&event.data, &self.setup) else {
            return Ok(());
        };
        let (lon, lat) = wgs84(position);
        if setup.city.contains(lon, lat) {
            return Ok(());
        }
        Err(Reject::new(Code::OutsideCity, "/data/lon", "a place in or near the city").with_id(&*event.id))
    }

    fn apply(&mut self, event: &Event<'_>, context: &mut Context<'_>) {
        let Some(setup) = &self.setup else { return };
        match &event.data {
            Data::BusPosition(position) => {
                let (lon, lat) = wgs84(position);
                let district = setup.city.district_of(lon, lat);
                let fix = Fix {
                    lon_e7: (lon * 1e7).round() as i32, // within ±180° by its schema: fits
                    lat_e7: (lat * 1e7).round() as i32,
                    route: context.key(&position.route_id),
                    district: context.key(district),
                };
                let id = EntityId::of(&[&position.vehicle_id]);
                let vehicle = self.vehicles.entry(id, event.key(), Timeline::default);
                let before = vehicle.newest();
                let order = Order::of(event);
                vehicle.insert(&setup.fold, order, fix, context);
                if before.is_none_or(|newest| newest < order) {
                    context.live(LiveRow {
                        kind: "vehicle",
                        key: position.vehicle_id.to_string(),
                        time: event.time,
                        gone: false,
                        attrs: serde_json::json!({
                            "route_id": position.route_id, "direction": position.direction, "lon": lon, "lat": lat,
                            "speed_kmh": position.speed_kmh, "district": district,
                        })
                        .to_string(),
                    });
                }
            }
            Data::BusStop(stop) if stop.event == StopKind::Departed => {
                if let Some(scheduled) = stop.scheduled_time {
                    on_time::departed(setup.metrics, setup.fold.everywhere, stop, event.time, scheduled, context);
                    self.note_delay(stop, event, scheduled, context);
                }
            }
            _ => {}
        }
    }

    fn timer(&mut self, _: Timer, _: &mut Context<'_>) {}

    fn settle(&mut self, horizon: TimeMs) {
        let Some(setup) = &self.setup else { return };
        for vehicle in self.vehicles.values_mut() {
            vehicle.settle(&setup.fold, horizon.0);
        }
        let forgotten = TimeMs(horizon.0 - FORGET_MS);
        self.vehicles.retain(|vehicle| vehicle.newest().is_some_and(|newest| newest.time > forgotten));
        self.delays.retain(|departed| *departed > forgotten);
    }

    fn live(&self, _: &mut Context<'_>) {
        // a vehicle is written with each of its fixes: what is stored is at most one fix old
    }

    fn scatter(self, place: &dyn Fn(&str) -> usize, into: &mut [Self]) -> Result<(), NoKey> {
        self.vehicles.scatter(place, into, |bus| &mut bus.vehicles)?;
        self.delays.scatter(place, into, |bus| &mut bus.delays)
    }

    fn key_of(&self, _: &Timer) -> Option<&str> {
        None // nothing of a bus waits for a deadline
    }
}

impl Bus {
    fn note_delay(
        &mut self,
        stop: &yiping_event::bus::Stop<'_>,
        event: &Event<'_>,
        scheduled: TimeMs,
        context: &mut Context<'_>,
    ) {
        let departed = event.time;
        let id = EntityId::of(&[&stop.vehicle_id, &stop.route_id]);
        let newest = self.delays.entry(id, event.key(), || departed);
        if departed < *newest {
            return;
        }
        *newest = departed;
        let delay_s = (departed.0 - scheduled.0) / 1_000;
        context.live(LiveRow {
            kind: "bus_delay",
            key: stop.vehicle_id.to_string(),
            time: departed,
            gone: false,
            attrs: serde_json::json!({ "delay_s": delay_s, "route_id": stop.route_id, "stop_id": stop.stop_id })
                .to_string(),
        });
    }
}

/// The gateway has converted positions already; offline and in a log that others write they may still be shifted.
fn wgs84(position: &yiping_event::bus::Position<'_>) -> (f64, f64) {
    match position.datum {
        Some(Datum::Gcj02) => gcj02_to_wgs84(position.lon, position.lat),
        _ => (position.lon, position.lat),
    }
}

/// The levels a vehicle's fix counts at.
fn levels(everywhere: KeyId, route: KeyId, district: KeyId) -> [(yiping_window::Level, KeyId); 3] {
    use yiping_window::Level;
    [(Level::City, everywhere), (Level::Route, route), (Level::District, district)]
}
