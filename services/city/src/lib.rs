//! The profile of one city: its outline, zones, fleet, lots, routes, streets and the limits of its departments.
//!
//! A profile is a folder of small files that people edit ([`City::load`]); Weihai's is built in ([`City::weihai`]).
//! The part of it that changes results travels through the log as text ([`City::text`], [`City::from_text`]), so that a
//! replay sees the settings of its day. This crate knows no events, no log and no clock.
//!
//! | file | what |
//! | --- | --- |
//! | `files.rs`, `check.rs` | reads a folder; what no single file can know |
//! | `settings.rs` | the part that changes results, as text |
//! | `outline.rs`, `datum.rs` | boxes and polygons; GCJ-02 |
//! | `hours.rs` | opening hours of car parks |
//! | `calendar.rs` | working days, the limits of orders |
//! | `punctuality.rs` | what is on time for a bus, the service day |
//! | `thresholds.rs`, `surge.rs` | what `watch` judges by: it changes no row |

mod calendar;
mod check;
mod datum;
mod files;
mod hours;
mod outline;
mod punctuality;
mod settings;
mod surge;
mod thresholds;

use std::collections::HashMap;
use std::path::Path;

pub use calendar::Calendar;
pub use datum::{gcj02_to_wgs84, wgs84_to_gcj02};
pub use files::CityError;
pub use hours::Hours;
use jiff::tz::TimeZone;
pub use outline::{Bounds, Outline};
pub use punctuality::BusSettings;
use serde::{Deserialize, Serialize};
pub use surge::SurgeRate;
pub use thresholds::ThresholdOverride;

/// The district of a position that lies in no polygon.
pub const OTHER: &str = "其他";

/// How far outside the profile's box a position may lie before it is refused, in metres.
pub const MARGIN_M: f64 = 20_000.0;

/// One city, read and checked. Made by [`City::weihai`], [`City::load`] or [`City::from_text`].
#[derive(Debug, Clone)]
pub struct City {
    pub name: String,
    /// The wall's headline.
    pub title: String,
    /// Where calendar days begin and end.
    pub zone: TimeZone,
    pub bounds: Bounds,
    /// The inner city, for the wall's close-up.
    pub core: Bounds,
    /// Vehicles on duty: the denominator of `bus.online_ratio` at city level.
    pub fleet: u32,
    /// 审图号; empty as long as the operator has none.
    pub approval_number: String,
    pub wall: WallSettings,
    pub districts: Vec<District>,
    pub zones: Vec<Zone>,
    pub streets: Vec<Street>,
    pub lots: Vec<Lot>,
    pub routes: Vec<Route>,
    pub categories: Vec<Category>,
    pub sources: Vec<Source>,
    pub calendar: Calendar,
    pub bus: BusSettings,
    /// In the order of the file; [`City::threshold`] finds the one that counts.
    pub thresholds: Vec<ThresholdOverride>,
    /// See [`City::surge_rate`].
    pub surges: Vec<SurgeRate>,
    lot_index: HashMap<String, usize>,
    route_index: HashMap<String, usize>,
    street_index: HashMap<String, usize>,
}

/// A district with its outline, in the order of `districts.geojson`.
#[derive(Debug, Clone)]
pub struct District {
    pub name: String,
    pub outline: Outline,
}

/// A functional zone (经开区 …): it has streets, lots and routes, but no public outline.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    pub name: String,
    /// Longitude and latitude, WGS-84 degrees.
    pub center: [f64; 2],
    /// The district whose outline contains it.
    pub inside: String,
}

/// A town or street (街道): the finest place that leaves the services. `lon`, `lat` are an approximate centre.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Street {
    pub street: String,
    pub district: String,
    pub lon: f64,
    pub lat: f64,
}

/// A car park with paid spaces.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Lot {
    pub lot_id: String,
    pub name: String,
    pub district: String,
    pub lon: f64,
    pub lat: f64,
    /// Spaces, over all floors.
    pub capacity: u32,
    pub floors: u32,
    /// None: always open.
    #[serde(default)]
    pub hours: Option<Hours>,
}

/// A bus route. Direction 1 calls at the stops of direction 0 in reverse.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    pub route_id: String,
    pub name: String,
    pub district: String,
    /// Vehicles that serve it on a usual day.
    pub vehicles: u32,
    /// In the order of direction 0.
    pub stops: Vec<Stop>,
}

impl Route {
    /// The stops in the order in which a vehicle of `direction` (0 or 1) calls at them.
    pub fn stops(&self, direction: u8) -> Box<dyn DoubleEndedIterator<Item = &Stop> + '_> {
        if direction == 0 { Box::new(self.stops.iter()) } else { Box::new(self.stops.iter().rev()) }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Stop {
    pub stop_id: String,
    pub name: String,
    pub lon: f64,
    pub lat: f64,
    /// Punctuality is judged here.
    pub timing_point: bool,
}

/// A category of orders: who usually handles it, and its limits.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Category {
    /// `hotline` or `elder`.
    pub stream: String,
    pub name: String,
    pub agency: String,
    /// Hours until the first contact.
    pub response_h: u32,
    /// Working days until closed.
    pub close_days: u32,
}

/// A source that is expected to speak.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Source {
    pub source: String,
    pub stream: String,
    pub name: String,
    /// Districts and zones that it reports on.
    pub serves: Vec<String>,
    /// It says something at least this often, in seconds.
    pub expected_s: u32,
}

/// What the wall needs to size its type (character height follows viewing distance).
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct WallSettings {
    pub mm_per_px: f64,
    pub distance_m: f64,
}

impl City {
    /// The built-in profile, `deploy/cities/weihai`.
    #[must_use]
    #[expect(clippy::expect_used, reason = "the files are compiled in, and a test loads them")]
    pub fn weihai() -> City {
        files::builtin_weihai().expect("the built-in profile is valid")
    }

    /// Reads a profile's folder. The error names the file, and the line or field.
    pub fn load(dir: &Path) -> Result<City, CityError> {
        files::load(dir)
    }

    /// The district whose outline contains the position (WGS-84 degrees), or [`OTHER`]. On the border of two, it is the
    /// one that `districts.geojson` has first.
    #[must_use]
    pub fn district_of(&self, lon: f64, lat: f64) -> &str {
        self.districts.iter().find(|d| d.outline.contains(lon, lat)).map_or(OTHER, |d| &d.name)
    }

    /// Whether the position lies in the profile's box or within [`MARGIN_M`] of it.
    #[must_use]
    pub fn contains(&self, lon: f64, lat: f64) -> bool {
        self.bounds.widened_m(MARGIN_M).contains(lon, lat)
    }

    #[must_use]
    pub fn lot(&self, lot_id: &str) -> Option<&Lot> {
        self.lot_index.get(lot_id).map(|&i| &self.lots[i])
    }

    #[must_use]
    pub fn route(&self, route_id: &str) -> Option<&Route> {
        self.route_index.get(route_id).map(|&i| &self.routes[i])
    }

    /// The street of that name. Names are unique in a profile.
    #[must_use]
    pub fn street(&self, name: &str) -> Option<&Street> {
        self.street_index.get(name).map(|&i| &self.streets[i])
    }

    /// The district or zone that the profile counts a route to. (A bus position counts where it is:
    /// [`City::district_of`] knows no zones, which have no outline.)
    #[must_use]
    pub fn district_of_route(&self, route_id: &str) -> Option<&str> {
        self.route(route_id).map(|r| r.district.as_str())
    }

    /// The district or zone that a town or street belongs to.
    #[must_use]
    pub fn district_of_street(&self, street: &str) -> Option<&str> {
        self.street(street).map(|s| s.district.as_str())
    }

    /// The agencies that handle 12345's orders, each once, in the order of the categories.
    #[must_use]
    pub fn agencies(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for category in self.categories.iter().filter(|c| c.stream == "hotline") {
            if !names.contains(&category.agency.as_str()) {
                names.push(&category.agency);
            }
        }
        names
    }

    /// The limits of a category of `stream`, if the profile states them.
    #[must_use]
    pub fn category(&self, stream: &str, name: &str) -> Option<&Category> {
        self.categories.iter().find(|c| c.stream == stream && c.name == name)
    }

    /// The source of `stream` that reports on a district or zone; the stream's first one if none names it.
    #[must_use]
    pub fn source_of(&self, stream: &str, district: &str) -> Option<&Source> {
        let mut of_stream = self.sources.iter().filter(|s| s.stream == stream);
        of_stream.clone().find(|s| s.serves.iter().any(|d| d == district)).or_else(|| of_stream.next())
    }

    /// The settings that change results, as canonical text: what a `city.config` record carries (I1).
    #[must_use]
    pub fn text(&self) -> String {
        settings::text(self)
    }

    /// SHA-256 of [`City::text`], in hex.
    #[must_use]
    pub fn hash(&self) -> String {
        settings::hash(&self.text())
    }

    /// Reads [`City::text`] back. What does not change results (names for people, stops, streets' places) is absent.
    pub fn from_text(text: &str) -> Result<City, CityError> {
        settings::from_text(text)
    }

    fn index(&mut self) {
        self.lot_index = self.lots.iter().enumerate().map(|(i, l)| (l.lot_id.clone(), i)).collect();
        self.route_index = self.routes.iter().enumerate().map(|(i, r)| (r.route_id.clone(), i)).collect();
        self.street_index = self.streets.iter().enumerate().map(|(i, s)| (s.street.clone(), i)).collect();
    }
}
