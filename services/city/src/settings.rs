//! The settings that change results, as canonical text: JSON with a fixed order of members, places in whole
//! micro-degrees. What is only for people (names, wall, sources, stops), and what changes no row (thresholds, surge
//! rates), is left out, so that a new wording on the wall starts no new configuration.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::files::{invalid, time_zone};
use crate::outline::{Outline, Rings};
use crate::{
    Bounds, BusSettings, Calendar, Category, City, CityError, District, Hours, Lot, Route, Street, WallSettings, Zone,
};

const TEXT: &str = "city settings";

/// Members are never renamed: texts of years ago are read again when a log is replayed.
#[derive(Serialize, Deserialize)]
struct Settings {
    format: u32,
    zone: String,
    bounds: [i64; 4],
    fleet: u32,
    districts: Vec<DistrictText>,
    zones: Vec<(String, String)>,
    streets: Vec<(String, String)>,
    lots: Vec<(String, String, u32, u32)>,
    routes: Vec<(String, String)>,
    categories: Vec<Category>,
    // Members that texts of format 1 came to have later. Left out where they say nothing, so that a city that doesn't use
    // them keeps its text and its hash.
    /// Lots that are not always open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lot_hours: Vec<(String, Hours)>,
    #[serde(default, skip_serializing_if = "Calendar::is_empty")]
    calendar: Calendar,
    #[serde(default, skip_serializing_if = "BusSettings::is_default")]
    bus: BusSettings,
}

#[derive(Serialize, Deserialize)]
struct DistrictText {
    name: String,
    polygons: Vec<Vec<Vec<[i64; 2]>>>,
}

fn micro(degrees: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "degrees were checked to be within ±180")]
    let micro = libm::round(degrees * 1e6) as i64;
    micro
}

#[expect(clippy::cast_precision_loss, reason = "micro-degrees are far below 2^53")]
fn degrees(micro: i64) -> f64 {
    micro as f64 / 1e6
}

pub(crate) fn text(city: &City) -> String {
    let settings = Settings {
        format: 1,
        zone: city.zone.iana_name().unwrap_or("UTC").to_owned(),
        bounds: <[f64; 4]>::from(city.bounds).map(micro),
        fleet: city.fleet,
        districts: city
            .districts
            .iter()
            .map(|d| DistrictText {
                name: d.name.clone(),
                polygons: d
                    .outline
                    .polygons()
                    .iter()
                    .map(|rings| rings.iter().map(|ring| ring.iter().map(|c| c.map(micro)).collect()).collect())
                    .collect(),
            })
            .collect(),
        zones: city.zones.iter().map(|z| (z.name.clone(), z.inside.clone())).collect(),
        streets: city.streets.iter().map(|s| (s.street.clone(), s.district.clone())).collect(),
        lots: city.lots.iter().map(|l| (l.lot_id.clone(), l.district.clone(), l.capacity, l.floors)).collect(),
        routes: city.routes.iter().map(|r| (r.route_id.clone(), r.district.clone())).collect(),
        categories: city.categories.clone(),
        lot_hours: city.lots.iter().filter_map(|l| Some((l.lot_id.clone(), l.hours?))).collect(),
        calendar: city.calendar.clone(),
        bus: city.bus,
    };
    #[expect(clippy::expect_used, reason = "numbers, strings and lists always serialize")]
    serde_json::to_string(&settings).expect("plain data")
}

pub(crate) fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

pub(crate) fn from_text(text: &str) -> Result<City, CityError> {
    let settings: Settings = serde_json::from_str(text)
        .map_err(|e| invalid(TEXT, format!("line {}, column {}", e.line(), e.column()), e.to_string()))?;
    if settings.format != 1 {
        return Err(invalid(TEXT, "format", format!("{} is newer than this program", settings.format)));
    }
    let zone = time_zone(&settings.zone).map_err(|m| invalid(TEXT, "zone", m))?;
    let bounds = Bounds::from(settings.bounds.map(degrees));
    bounds.check().map_err(|m| invalid(TEXT, "bounds", m))?;
    let districts = settings.districts.into_iter().map(|d| {
        let rings = |rings: Vec<Vec<[i64; 2]>>| -> Rings {
            rings.into_iter().map(|ring| ring.into_iter().map(|c| c.map(degrees)).collect()).collect()
        };
        let outline = Outline::new(d.polygons.into_iter().map(rings).collect())
            .map_err(|m| invalid(TEXT, format!("district {}", d.name), m))?;
        Ok(District { name: d.name, outline })
    });
    let hours: HashMap<String, Hours> = settings.lot_hours.into_iter().collect();
    let lots = settings.lots.into_iter().map(|(lot_id, district, capacity, floors)| Lot {
        hours: hours.get(&lot_id).copied(),
        name: lot_id.clone(),
        lot_id,
        district,
        lon: 0.0,
        lat: 0.0,
        capacity,
        floors,
    });
    let routes = settings.routes.into_iter().map(|(route_id, district)| Route {
        name: route_id.clone(),
        route_id,
        district,
        vehicles: 0,
        stops: Vec::new(),
    });
    let streets =
        settings.streets.into_iter().map(|(street, district)| Street { street, district, lon: 0.0, lat: 0.0 });
    let mut city = City {
        name: String::new(),
        title: String::new(),
        zone,
        bounds,
        core: bounds,
        fleet: settings.fleet,
        approval_number: String::new(),
        wall: WallSettings { mm_per_px: 1.25, distance_m: 10.0 },
        districts: districts.collect::<Result<_, CityError>>()?,
        zones: settings.zones.into_iter().map(|(name, inside)| Zone { name, center: [0.0, 0.0], inside }).collect(),
        streets: streets.collect(),
        lots: lots.collect(),
        routes: routes.collect(),
        categories: settings.categories,
        sources: Vec::new(),
        calendar: settings.calendar,
        bus: settings.bus,
        thresholds: Vec::new(),
        surges: Vec::new(),
        lot_index: HashMap::new(),
        route_index: HashMap::new(),
        street_index: HashMap::new(),
    };
    city.index();
    Ok(city)
}
