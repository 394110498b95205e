//! Reads a profile's files: `city.toml`, `districts.geojson`, `streets.csv`, `lots.csv`, `stops.csv`, `routes.csv`.
//!
//! Every fault is one [`CityError`] that names the file and the line or field, in words for the person who edits it.

use std::collections::HashMap;
use std::path::Path;

use jiff::tz::TimeZone;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::check::check;
use crate::outline::{Outline, Rings};
use crate::{
    Bounds, Calendar, Category, City, District, Route, Source, Stop, SurgeRate, ThresholdOverride, WallSettings, Zone,
    punctuality,
};

/// What is wrong with a profile, and where.
#[derive(Debug, thiserror::Error)]
pub enum CityError {
    #[error("{file}: {source}")]
    Read { file: String, source: std::io::Error },
    /// `place` is a line ("line 12") or a field ("zones[1].center").
    #[error("{file}, {place}: {message}")]
    Invalid { file: String, place: String, message: String },
}

pub(crate) fn invalid(file: &str, place: impl Into<String>, message: impl Into<String>) -> CityError {
    CityError::Invalid { file: file.to_owned(), place: place.into(), message: message.into() }
}

pub(crate) const SETTINGS: &str = "city.toml";
pub(crate) const DISTRICTS: &str = "districts.geojson";
pub(crate) const STREETS: &str = "streets.csv";
pub(crate) const LOTS: &str = "lots.csv";
pub(crate) const STOPS: &str = "stops.csv";
pub(crate) const ROUTES: &str = "routes.csv";

/// The texts of a profile's files.
struct Texts {
    settings: String,
    districts: String,
    streets: String,
    lots: String,
    stops: String,
    routes: String,
}

pub(crate) fn load(dir: &Path) -> Result<City, CityError> {
    let read = |name: &str| {
        let path = dir.join(name);
        std::fs::read_to_string(&path).map_err(|source| CityError::Read { file: path.display().to_string(), source })
    };
    parse(&Texts {
        settings: read(SETTINGS)?,
        districts: read(DISTRICTS)?,
        streets: read(STREETS)?,
        lots: read(LOTS)?,
        stops: read(STOPS)?,
        routes: read(ROUTES)?,
    })
}

pub(crate) fn builtin_weihai() -> Result<City, CityError> {
    macro_rules! builtin {
        ($name:literal) => {
            include_str!(concat!("../../../deploy/cities/weihai/", $name)).to_owned()
        };
    }
    parse(&Texts {
        settings: builtin!("city.toml"),
        districts: builtin!("districts.geojson"),
        streets: builtin!("streets.csv"),
        lots: builtin!("lots.csv"),
        stops: builtin!("stops.csv"),
        routes: builtin!("routes.csv"),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    name: String,
    title: String,
    zone: String,
    bounds: Bounds,
    core: Bounds,
    fleet: u32,
    #[serde(default)]
    approval_number: String,
    wall: WallSettings,
    #[serde(default)]
    zones: Vec<Zone>,
    #[serde(default)]
    sources: Vec<Source>,
    #[serde(default)]
    categories: Vec<Category>,
    #[serde(default)]
    calendar: Calendar,
    #[serde(default)]
    bus: punctuality::Written,
    #[serde(default)]
    thresholds: Vec<ThresholdOverride>,
    #[serde(default)]
    surge: Vec<SurgeRate>,
}

fn parse(texts: &Texts) -> Result<City, CityError> {
    let settings: Settings = toml::from_str(&texts.settings).map_err(|e| {
        let line = e.span().map_or(1, |s| texts.settings[..s.start].matches('\n').count() + 1);
        invalid(SETTINGS, format!("line {line}"), e.message())
    })?;
    let zone = time_zone(&settings.zone).map_err(|m| invalid(SETTINGS, "zone", m))?;
    settings.bounds.check().map_err(|m| invalid(SETTINGS, "bounds", m))?;
    settings.core.check().map_err(|m| invalid(SETTINGS, "core", m))?;
    let mut city = City {
        name: settings.name,
        title: settings.title,
        zone,
        bounds: settings.bounds,
        core: settings.core,
        fleet: settings.fleet,
        approval_number: settings.approval_number,
        wall: settings.wall,
        districts: districts(&texts.districts)?,
        zones: settings.zones,
        streets: table(STREETS, &texts.streets)?,
        lots: table(LOTS, &texts.lots)?,
        routes: routes(&texts.routes, &texts.stops)?,
        categories: settings.categories,
        sources: settings.sources,
        calendar: settings.calendar,
        bus: settings.bus.settings().map_err(|(field, m)| invalid(SETTINGS, field, m))?,
        thresholds: settings.thresholds,
        surges: settings.surge,
        lot_index: HashMap::new(),
        route_index: HashMap::new(),
        street_index: HashMap::new(),
    };
    check(&city)?;
    city.index();
    Ok(city)
}

pub(crate) fn time_zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| format!("`{name}` is no zone of the IANA time zone database"))
}

#[derive(Deserialize)]
struct Collection {
    features: Vec<Feature>,
}

#[derive(Deserialize)]
struct Feature {
    properties: Properties,
    geometry: Geometry,
}

#[derive(Deserialize)]
struct Properties {
    name: String,
}

#[derive(Deserialize)]
#[serde(tag = "type", content = "coordinates")]
enum Geometry {
    Polygon(Rings),
    MultiPolygon(Vec<Rings>),
}

fn districts(text: &str) -> Result<Vec<District>, CityError> {
    let collection: Collection =
        serde_json::from_str(text).map_err(|e| invalid(DISTRICTS, format!("line {}", e.line()), e.to_string()))?;
    let outlines = collection.features.into_iter().enumerate().map(|(i, feature)| {
        let polygons = match feature.geometry {
            Geometry::Polygon(rings) => vec![rings],
            Geometry::MultiPolygon(polygons) => polygons,
        };
        let name = feature.properties.name;
        let outline =
            Outline::new(polygons).map_err(|m| invalid(DISTRICTS, format!("features[{i}] ({name}) geometry"), m))?;
        Ok(District { name, outline })
    });
    outlines.collect()
}

/// A CSV file with a header line; columns are named after the fields of `T`.
fn table<T: DeserializeOwned>(file: &str, text: &str) -> Result<Vec<T>, CityError> {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes());
    let columns = reader.headers().map_err(|e| csv_fault(file, &e, None))?.clone();
    reader.deserialize().map(|row| row.map_err(|e| csv_fault(file, &e, Some(&columns)))).collect()
}

fn csv_fault(file: &str, error: &csv::Error, columns: Option<&csv::StringRecord>) -> CityError {
    let line = error.position().map_or(1, csv::Position::line);
    let message = match error.kind() {
        csv::ErrorKind::Deserialize { err, .. } => {
            let column = err.field().and_then(|i| columns?.get(usize::try_from(i).ok()?));
            column.map_or_else(|| err.to_string(), |name| format!("{name}: {}", err.kind()))
        }
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => format!("{len} fields instead of {expected_len}"),
        _ => error.to_string(),
    };
    invalid(file, format!("line {line}"), message)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StopRow {
    stop_id: String,
    name: String,
    lon: f64,
    lat: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteRow {
    route_id: String,
    name: String,
    district: String,
    vehicles: u32,
    /// Stop ids between blanks; a star marks a timing point.
    stops: String,
}

fn routes(routes: &str, stops: &str) -> Result<Vec<Route>, CityError> {
    let rows: Vec<StopRow> = table(STOPS, stops)?;
    let by_id: HashMap<&str, &StopRow> = rows.iter().map(|s| (s.stop_id.as_str(), s)).collect();
    let rows: Vec<RouteRow> = table(ROUTES, routes)?;
    let resolved = rows.into_iter().map(|row| {
        let fault = |m: String| invalid(ROUTES, format!("route {}, stops", row.route_id), m);
        let stops = row.stops.split_whitespace().map(|word| {
            let (stop_id, timing_point) = word.strip_suffix('*').map_or((word, false), |id| (id, true));
            let stop = by_id.get(stop_id).ok_or_else(|| fault(format!("stop `{stop_id}` is not in {STOPS}")))?;
            Ok(Stop {
                stop_id: stop.stop_id.clone(),
                name: stop.name.clone(),
                lon: stop.lon,
                lat: stop.lat,
                timing_point,
            })
        });
        let stops = stops.collect::<Result<Vec<_>, CityError>>()?;
        if stops.len() < 2 {
            return Err(fault("a route needs two stops".to_owned()));
        }
        Ok(Route { route_id: row.route_id, name: row.name, district: row.district, vehicles: row.vehicles, stops })
    });
    resolved.collect()
}
