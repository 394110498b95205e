//! What the wall shows at one moment, and how that looks in JSON: whole (`snapshot`), or what changed since another moment (`delta`). Pure: it must not
//! know the store, HTTP or the clock.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use yiping_event::TimeMs;
use yiping_event::time::rfc3339;

use crate::freshness::{self, StreamView};
use crate::source::{Alert, Breach, Contact, Metric, Progress, Vehicle};

/// A bus that said nothing for a day is not on the road.
const VEHICLE_MAX_AGE_MS: i64 = 24 * 3600 * 1000;
/// Ages of vehicles grow without news: so they are told again now and then, also when no bus moved.
const VEHICLES_AGAIN_MS: i64 = 10_000;

pub type Points = Vec<(TimeMs, Option<f64>)>;
/// By name, times in milliseconds.
type Curves<'a> = BTreeMap<&'a str, Vec<(i64, Option<f64>)>>;
/// (metric, level, key, span)
pub type MetricKey = (String, String, String, String);

/// The newest answers to the wall's questions, put in order and joined with the city's profile. Shared by all moments until there are newer ones.
#[derive(Debug, Clone, Default)]
pub struct Known {
    pub metrics: Arc<BTreeMap<MetricKey, Metric>>,
    pub progress: Arc<Vec<Progress>>,
    pub contacts: Arc<Vec<Contact>>,
    pub vehicles: Arc<Vec<Vehicle>>,
    pub lots: Arc<BTreeMap<String, LotView>>,
    pub sos: Arc<Vec<SosView>>,
    pub spark: Arc<BTreeMap<String, Points>>,
    pub breaches: Arc<Vec<Breach>>,
    pub usual: Arc<UsualView>,
    pub orders: Arc<OrdersView>,
    /// None where no Alertmanager is configured.
    pub alerts: Arc<Option<AlertsView>>,
    pub store: StoreView,
    /// Whether the cases come from `elder` itself: they are true whatever the store says (I9).
    pub sos_live: bool,
}

/// What Alertmanager has firing, or that it does not say.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AlertsView {
    pub ok: bool,
    pub firing: Vec<Alert>,
}

/// What is usual at this hour, by `metric|level|key|span`.
pub type UsualView = BTreeMap<String, UsualCurve>;

/// The figure of the days before, at the times of the last hours and a little ahead.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct UsualCurve {
    /// The most days that any point is made of.
    pub days: u64,
    /// Time in ms, a low, the median and a high of those days, in time order.
    pub points: Vec<(i64, f64, f64, f64)>,
}

/// Where open orders of 12345 are, by street (I11).
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct OrdersView {
    pub total: u64,
    pub streets: Vec<StreetView>,
    /// The most frequent categories, most first.
    pub categories: Vec<(String, u64)>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StreetView {
    pub name: String,
    pub lon: f64,
    pub lat: f64,
    pub orders: u64,
}

/// Whether all questions were answered the last time.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct StoreView {
    pub ok: bool,
    /// Since when it is so; None before the first answers.
    #[serde(serialize_with = "rfc3339::option::serialize")]
    pub since: Option<TimeMs>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LotView {
    pub lot_id: String,
    pub name: String,
    pub district: String,
    pub lon: f64,
    pub lat: f64,
    pub capacity: i64,
    pub occupied: Option<i64>,
    #[serde(serialize_with = "rfc3339::serialize")]
    pub time: TimeMs,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SosView {
    pub case: String,
    pub district: String,
    pub street: Option<String>,
    pub lon: Option<f64>,
    pub lat: Option<f64>,
    #[serde(serialize_with = "rfc3339::serialize")]
    pub raised: TimeMs,
    pub state: &'static str,
}

/// One moment.
#[derive(Debug, Clone)]
pub struct View {
    pub now: TimeMs,
    pub streams: BTreeMap<String, StreamView>,
    pub known: Known,
    /// When the vehicles were last told: not every delta does.
    vehicles_told: TimeMs,
}

impl View {
    pub fn new(known: Known, now: TimeMs) -> Self {
        View { now, streams: freshness::streams(&known.progress, &known.contacts, now), known, vehicles_told: now }
    }

    pub fn snapshot(&self, id: &str, build: &str, city: &serde_json::Value) -> serde_json::Result<Vec<u8>> {
        let known = &self.known;
        serde_json::to_vec(&Snapshot {
            id,
            server_time: self.now,
            build,
            city,
            store: known.store,
            streams: &self.streams,
            metrics: known.metrics.values().collect(),
            breaches: &known.breaches,
            vehicles: Vehicles { now: self.now, all: &known.vehicles },
            lots: known.lots.values().collect(),
            sos: &known.sos,
            sos_live: known.sos_live,
            orders: &known.orders,
            alerts: (*known.alerts).as_ref(),
            usual: &known.usual,
            spark: known.spark.iter().map(|(name, points)| (name.as_str(), millis(points))).collect(),
        })
    }

    /// What a screen that shows `before` needs in order to show `self`; None where that can't be told as changes (something vanished): it needs a snapshot.
    pub fn delta(&mut self, before: &View, id: &str) -> Option<serde_json::Result<Vec<u8>>> {
        let (new, old) = (&self.known, &before.known);
        let metrics = changed(&new.metrics, &old.metrics, told_alike)?;
        let lots = changed(&new.lots, &old.lots, |a, b| a == b)?;
        let spark = grown(&new.spark, &old.spark)?;
        let again = self.now.0.saturating_sub(before.vehicles_told.0) >= VEHICLES_AGAIN_MS;
        let moved = !same(&new.vehicles, &old.vehicles);
        self.vehicles_told = if again || moved { self.now } else { before.vehicles_told };
        Some(serde_json::to_vec(&Delta {
            id,
            server_time: self.now,
            store: (new.store != old.store).then_some(new.store),
            streams: self.streams.iter().filter(|(name, stream)| before.streams.get(*name) != Some(stream)).collect(),
            metrics,
            breaches: (!same(&new.breaches, &old.breaches)).then_some(&new.breaches),
            vehicles: (again || moved).then_some(Vehicles { now: self.now, all: &new.vehicles }),
            lots,
            sos: (!same(&new.sos, &old.sos)).then_some(&new.sos),
            sos_live: (new.sos_live != old.sos_live).then_some(new.sos_live),
            alerts: (!same(&new.alerts, &old.alerts)).then_some(&new.alerts),
            orders: (!same(&new.orders, &old.orders)).then_some(&new.orders),
            usual: (!same(&new.usual, &old.usual)).then_some(&new.usual),
            spark,
        }))
    }
}

#[derive(Serialize)]
struct Snapshot<'a> {
    id: &'a str,
    #[serde(serialize_with = "rfc3339::serialize")]
    server_time: TimeMs,
    build: &'a str,
    city: &'a serde_json::Value,
    store: StoreView,
    streams: &'a BTreeMap<String, StreamView>,
    metrics: Vec<&'a Metric>,
    breaches: &'a [Breach],
    vehicles: Vehicles<'a>,
    lots: Vec<&'a LotView>,
    sos: &'a [SosView],
    sos_live: bool,
    orders: &'a OrdersView,
    alerts: Option<&'a AlertsView>,
    usual: &'a UsualView,
    spark: Curves<'a>,
}

#[derive(Serialize)]
struct Delta<'a> {
    id: &'a str,
    #[serde(serialize_with = "rfc3339::serialize")]
    server_time: TimeMs,
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<StoreView>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    streams: BTreeMap<&'a String, &'a StreamView>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<&'a Metric>,
    #[serde(skip_serializing_if = "Option::is_none")]
    breaches: Option<&'a Arc<Vec<Breach>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vehicles: Option<Vehicles<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lots: Vec<&'a LotView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sos: Option<&'a Arc<Vec<SosView>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sos_live: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alerts: Option<&'a Arc<Option<AlertsView>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    orders: Option<&'a Arc<OrdersView>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usual: Option<&'a Arc<UsualView>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    spark: Curves<'a>,
}

/// Positions as rows of integers: 1,400 vehicles are 35 KB so, and 13 KB compressed.
struct Vehicles<'a> {
    now: TimeMs,
    all: &'a [Vehicle],
}

impl Vehicles<'_> {
    fn on_the_road(&self) -> impl Iterator<Item = (&Vehicle, i64)> {
        let age_ms = |vehicle: &Vehicle| self.now.0.saturating_sub(vehicle.time.0).max(0);
        self.all
            .iter()
            .map(move |vehicle| (vehicle, age_ms(vehicle)))
            .filter(|(_, age_ms)| *age_ms <= VEHICLE_MAX_AGE_MS)
    }
}

impl Serialize for Vehicles<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Table<I: Serialize, R: Serialize> {
            columns: [&'static str; 4],
            ids: I,
            rows: R,
        }
        let ids = Listed(|| self.on_the_road().map(|(vehicle, _)| vehicle.id.as_str()));
        let e5 = |degrees: f64| (degrees * 1e5).round() as i64;
        let row = move |(vehicle, age_ms): (&Vehicle, i64)| {
            let delay_s = vehicle.delay_s.filter(|delay| delay.is_finite()).map(|delay| delay.round() as i64);
            (e5(vehicle.lon), e5(vehicle.lat), age_ms / 1000, delay_s)
        };
        let rows = Listed(|| self.on_the_road().map(row));
        Table { columns: ["lon_e5", "lat_e5", "age_s", "delay_s"], ids, rows }.serialize(to)
    }
}

/// An iterator that serde can run, as often as it likes.
struct Listed<F>(F);

impl<F: Fn() -> I, I: Iterator<Item: Serialize>> Serialize for Listed<F> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut seq = to.serialize_seq(None)?;
        (self.0)().try_for_each(|item| seq.serialize_element(&item))?;
        seq.end()
    }
}

/// Rows differ for a screen when more than their watermark moved: that moves every second for all rows, and `streams` tells it once.
fn told_alike(a: &Metric, b: &Metric) -> bool {
    a.revision == b.revision
        && a.window_end == b.window_end
        && a.window_start == b.window_start
        && a.is_final == b.is_final
        && a.value == b.value
        && (a.numerator, a.denominator, a.n) == (b.numerator, b.denominator, b.n)
}

fn same<T: PartialEq>(a: &Arc<T>, b: &Arc<T>) -> bool {
    Arc::ptr_eq(a, b) || a == b
}

/// Rows that are new or not `alike`; None when one vanished.
fn changed<'a, K: Ord, V>(
    new: &'a Arc<BTreeMap<K, V>>,
    old: &Arc<BTreeMap<K, V>>,
    alike: fn(&V, &V) -> bool,
) -> Option<Vec<&'a V>> {
    if Arc::ptr_eq(new, old) {
        return Some(Vec::new());
    }
    let kept = old.keys().all(|key| new.contains_key(key));
    let differs = |(key, row): &(&K, &'a V)| !old.get(key).is_some_and(|before| alike(row, before));
    kept.then(|| new.iter().filter(differs).map(|(_, row)| row).collect())
}

/// The points from the first one that is new or has a new value (the last one of a curve goes on changing). A screen puts them in the place of what it has
/// from there on. None when a curve vanished.
fn grown<'a>(new: &'a Arc<BTreeMap<String, Points>>, old: &Arc<BTreeMap<String, Points>>) -> Option<Curves<'a>> {
    if Arc::ptr_eq(new, old) {
        return Some(BTreeMap::new());
    }
    if !old.keys().all(|name| new.contains_key(name)) {
        return None;
    }
    let mut grown = BTreeMap::new();
    for (name, points) in new.iter() {
        let before = old.get(name).map(Vec::as_slice).unwrap_or_default();
        if let Some(first) = points.iter().position(|point| !before.contains(point)) {
            grown.insert(name.as_str(), millis(&points[first..]));
        }
    }
    Some(grown)
}

fn millis(points: &[(TimeMs, Option<f64>)]) -> Vec<(i64, Option<f64>)> {
    points.iter().map(|(time, value)| (time.0, *value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_positions_of_a_whole_fleet_stay_small() {
        let bus = |n: i32| Vehicle {
            id: format!("v{n:04}"),
            lon: 122.0 + f64::from(n) * 1e-4,
            lat: 37.4 + f64::from(n) * 1e-5,
            time: TimeMs(i64::from(n) * 10),
            delay_s: Some(f64::from(n % 300)),
        };
        let fleet: Vec<Vehicle> = (0..1400).map(bus).collect();
        let json = serde_json::to_string(&Vehicles { now: TimeMs(20_000), all: &fleet }).unwrap();
        assert!(json.len() < 50_000, "{} bytes a second for each screen", json.len());
    }

    #[test]
    fn a_vehicle_that_was_silent_for_a_day_is_not_sent() {
        let at = |time| Vehicle { id: "v".into(), lon: 0.0, lat: 0.0, time: TimeMs(time), delay_s: None };
        let rows = |all: &[Vehicle]| Vehicles { now: TimeMs(VEHICLE_MAX_AGE_MS), all }.on_the_road().count();
        assert_eq!((rows(&[at(0)]), rows(&[at(-1)]), rows(&[at(i64::MIN)]), rows(&[at(i64::MAX)])), (1, 0, 0, 1));
    }

    #[test]
    fn ages_of_vehicles_are_told_again_when_none_moves() {
        let known = Known { vehicles: Arc::new(vec![]), ..Known::default() };
        let mut before = View::new(known.clone(), TimeMs(0));
        let mut told_at = Vec::new();
        for second in 1..=25 {
            let mut view = View::new(known.clone(), TimeMs(second * 1000));
            let delta: serde_json::Value =
                serde_json::from_slice(&view.delta(&before, "id").unwrap().unwrap()).unwrap();
            if delta.get("vehicles").is_some() {
                told_at.push(second);
            }
            before = view;
        }
        assert_eq!(told_at, [10, 20]);
    }
}
