//! What no single file of a profile can know: names are unique, districts exist, places lie in the city.

use std::collections::HashSet;

use crate::files::{DISTRICTS, LOTS, ROUTES, SETTINGS, STOPS, STREETS, invalid};
use crate::{City, CityError, SurgeRate};

pub(crate) fn check(city: &City) -> Result<(), CityError> {
    unique(DISTRICTS, "district", city.districts.iter().map(|d| d.name.as_str()))?;
    unique(SETTINGS, "zone", city.zones.iter().map(|z| z.name.as_str()))?;
    unique(SETTINGS, "source", city.sources.iter().map(|s| s.source.as_str()))?;
    unique(STREETS, "street", city.streets.iter().map(|s| s.street.as_str()))?;
    unique(LOTS, "lot", city.lots.iter().map(|l| l.lot_id.as_str()))?;
    unique(ROUTES, "route", city.routes.iter().map(|r| r.route_id.as_str()))?;
    let known: HashSet<&str> =
        city.districts.iter().map(|d| d.name.as_str()).chain(city.zones.iter().map(|z| z.name.as_str())).collect();
    let district = |file: &str, place: String, name: &str| {
        if known.contains(name) {
            Ok(())
        } else {
            Err(invalid(file, place, format!("district `{name}` is neither in {DISTRICTS} nor a zone of {SETTINGS}")))
        }
    };
    let inside = |file: &str, place: String, lon: f64, lat: f64| {
        if city.bounds.contains(lon, lat) {
            Ok(())
        } else {
            Err(invalid(file, place, format!("[{lon}, {lat}] lies outside the bounds (longitude comes first)")))
        }
    };
    for (i, zone) in city.zones.iter().enumerate() {
        district(SETTINGS, format!("zones[{i}].inside"), &zone.inside)?;
        inside(SETTINGS, format!("zones[{i}].center"), zone.center[0], zone.center[1])?;
    }
    for (i, source) in city.sources.iter().enumerate() {
        if !["bus", "parking", "hotline", "elder"].contains(&source.stream.as_str()) {
            return Err(invalid(SETTINGS, format!("sources[{i}].stream"), "is none of bus, parking, hotline, elder"));
        }
        for name in &source.serves {
            district(SETTINGS, format!("sources[{i}].serves"), name)?;
        }
    }
    for (i, category) in city.categories.iter().enumerate() {
        // More than a year is a slip, and counting working days takes a step for each.
        if !(1..=366).contains(&category.close_days) {
            return Err(invalid(SETTINGS, format!("categories[{i}].close_days"), "is not within 1…366"));
        }
    }
    city.calendar.check().map_err(|(field, m)| invalid(SETTINGS, field, m))?;
    for (i, threshold) in city.thresholds.iter().enumerate() {
        threshold.check().map_err(|(field, m)| invalid(SETTINGS, format!("thresholds[{i}].{field}"), m))?;
    }
    for (i, surge) in city.surges.iter().enumerate() {
        surge.check(city).map_err(|(field, m)| invalid(SETTINGS, format!("surge[{i}].{field}"), m))?;
        if let Some(name) = &surge.district {
            district(SETTINGS, format!("surge[{i}].district"), name)?;
        }
        let same = |other: &SurgeRate| {
            (&other.metric, &other.category, &other.district) == (&surge.metric, &surge.category, &surge.district)
        };
        if city.surges[..i].iter().any(same) {
            return Err(invalid(SETTINGS, format!("surge[{i}]"), format!("{} is there twice", surge.category)));
        }
    }
    for street in &city.streets {
        district(STREETS, format!("street {}", street.street), &street.district)?;
        inside(STREETS, format!("street {}", street.street), street.lon, street.lat)?;
    }
    for lot in &city.lots {
        district(LOTS, format!("lot {}", lot.lot_id), &lot.district)?;
        inside(LOTS, format!("lot {}", lot.lot_id), lot.lon, lot.lat)?;
        if lot.capacity == 0 || lot.floors == 0 {
            return Err(invalid(LOTS, format!("lot {}", lot.lot_id), "capacity and floors are at least 1"));
        }
    }
    for route in &city.routes {
        district(ROUTES, format!("route {}", route.route_id), &route.district)?;
        for stop in &route.stops {
            inside(STOPS, format!("stop {}", stop.stop_id), stop.lon, stop.lat)?;
        }
    }
    Ok(())
}

fn unique<'a>(file: &str, what: &str, names: impl Iterator<Item = &'a str>) -> Result<(), CityError> {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(invalid(file, format!("{what} {name}"), "is there twice"));
        }
    }
    Ok(())
}
