//! A vehicle: which of its fixes are believed, and what follows from each.
//!
//! Its fixes are kept for the lateness, in event-time order. A vehicle is forgotten 48 h behind the horizon: by then its service day is
//! over, and what it contributed to `now` has been taken back by itself.

use serde::{Deserialize, Serialize};
use yiping_city::gcj02_to_wgs84;
use yiping_event::{
    Datum, Event, TimeMs,
    bus::{Position, Stop},
};
use yiping_window::{Context, EntityId, Fold, KeyId, LiveRow, Order, Table, Timeline, timeline::Sign};

use crate::Setup;

/// One reported position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fix {
    /// WGS-84 degrees × 10⁷ (1 cm).
    pub lon_e7: i32,
    pub lat_e7: i32,
    pub route: KeyId,
    pub district: KeyId,
}

/// A fix in its place in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    pub time: TimeMs,
    pub fix: Fix,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vehicle {
    /// The newest fix that was believed.
    pub last: Option<Seen>,
    /// Fixes refused since then that agree among themselves: the newest, and how many.
    refused: Option<(Seen, u8)>,
}

/// So many refused fixes in a row that agree among themselves are believed: the vehicle is there, and the anchor was wrong.
const AGREEING: u8 = 3;

/// Faster than this between two fixes is no bus, in metres per millisecond (120 km/h).
const TOO_FAST_MM_PER_MS: f64 = 120.0 / 3.6;

/// A vehicle reported a position.
pub fn seen(
    setup: &Setup,
    vehicles: &mut Table<Timeline<Vehicle, Fix>>,
    event: &Event<'_>,
    position: &Position<'_>,
    context: &mut Context<'_>,
) {
    let (lon, lat) = wgs84(position);
    let name = setup.city.district_of(lon, lat);
    let (route, district) = (context.key(&position.route_id), context.key(name));
    setup.metrics.fix_age.seen(setup, event, position, district, context);
    setup.metrics.load.seen(setup, event.time, position, route, context);
    let fix = Fix {
        lon_e7: (lon * 1e7).round() as i32, // within ±180° by its schema: fits
        lat_e7: (lat * 1e7).round() as i32,
        route,
        district,
    };
    let vehicle = vehicles.entry(EntityId::of(&[&position.vehicle_id]), event.key(), Timeline::default);
    let (before, order) = (vehicle.newest(), Order::of(event));
    vehicle.insert(&Vehicles(setup), order, fix, context);
    // what was stored and sent later is history, and the map shows what is
    if context.tells_live() && before.is_none_or(|newest| newest < order) {
        context.live(LiveRow {
            kind: "vehicle",
            key: position.vehicle_id.to_string(),
            time: event.time,
            gone: false,
            attrs: serde_json::json!({
                "route_id": position.route_id, "direction": position.direction, "lon": lon, "lat": lat,
                "speed_kmh": position.speed_kmh, "district": name,
            })
            .to_string(),
        });
    }
}

/// The delay of a vehicle's newest departure, for the map.
pub fn note_delay(delays: &mut Table<TimeMs>, event: &Event<'_>, stop: &Stop<'_>, context: &mut Context<'_>) {
    let (departed, Some(scheduled)) = (event.time, stop.scheduled_time) else { return };
    let id = EntityId::of(&[&stop.vehicle_id, &stop.route_id]);
    let newest = delays.entry(id, event.key(), || departed);
    if departed < *newest {
        return;
    }
    *newest = departed;
    if !context.tells_live() {
        return;
    }
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

/// The gateway has converted positions already; offline and in a log that others write they may still be shifted.
pub fn wgs84(position: &Position<'_>) -> (f64, f64) {
    match position.datum {
        Some(Datum::Gcj02) => gcj02_to_wgs84(position.lon, position.lat),
        _ => (position.lon, position.lat),
    }
}

pub struct Vehicles<'a>(pub &'a Setup);

impl Fold for Vehicles<'_> {
    type State = Vehicle;
    type Step = Fix;

    fn step(&self, vehicle: &mut Vehicle, order: &Order, fix: &Fix, out: &mut Sign<'_, '_>) {
        let seen = Seen { time: order.time, fix: *fix };
        let before = vehicle.last;
        if before.is_some_and(|anchor| !reachable(&anchor, &seen)) {
            let run = match vehicle.refused {
                Some((earlier, count)) if reachable(&earlier, &seen) => count + 1,
                _ => 1,
            };
            if run < AGREEING {
                vehicle.refused = Some((seen, run));
                return;
            }
            // a new anchor: the vehicle is seen here, but no distance was driven from the wrong place
            vehicle.refused = None;
            vehicle.last = Some(seen);
            self.0.metrics.online.seen(self.0, before, seen, out);
            return;
        }
        vehicle.refused = None;
        vehicle.last = Some(seen);
        self.0.metrics.online.seen(self.0, before, seen, out);
        if let Some(before) = before {
            self.0.metrics.speed.step(self.0, &before, &seen, out);
        }
    }
}

/// Whether a bus can have got from one fix to the other.
fn reachable(from: &Seen, to: &Seen) -> bool {
    let millimetres = distance_mm(&from.fix, &to.fix);
    millimetres as f64 <= TOO_FAST_MM_PER_MS * (to.time.0 - from.time.0) as f64
}

/// Great-circle distance in mm by the haversine formula on the IUGG mean radius, 6,371,008.8 m. In libm's own code, so that every
/// machine gets the same digits.
pub fn distance_mm(from: &Fix, to: &Fix) -> i64 {
    const RADIUS_MM: f64 = 6_371_008_800.0;
    let radians = |e7: i32| f64::from(e7) * 1e-7 * (std::f64::consts::PI / 180.0);
    let (lat1, lat2) = (radians(from.lat_e7), radians(to.lat_e7));
    let half_lat = libm::sin((lat2 - lat1) / 2.0);
    let half_lon = libm::sin((radians(to.lon_e7) - radians(from.lon_e7)) / 2.0);
    let h = half_lat * half_lat + libm::cos(lat1) * libm::cos(lat2) * half_lon * half_lon;
    (2.0 * RADIUS_MM * libm::asin(libm::sqrt(h.min(1.0)))).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fix(lon: f64, lat: f64) -> Fix {
        Fix { lon_e7: (lon * 1e7) as i32, lat_e7: (lat * 1e7) as i32, route: KeyId(0), district: KeyId(0) }
    }

    #[test]
    fn a_degree_of_latitude_is_111_195_metres() {
        // 6,371,008.8 m × π / 180 = 111,195.08 m
        let got = distance_mm(&fix(122.1, 37.0), &fix(122.1, 38.0));
        assert!((got - 111_195_080).abs() < 10, "{got}");
    }
}
