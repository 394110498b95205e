//! What the wall takes from the city's profile: the `city` member of the snapshot, the outlines, and the places of lots and streets.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use yiping_city::City;

use crate::source::{Lot, Orders, Sos};
use crate::view::{LotView, OrdersView, SosView, StreetView};

/// So many categories are named beside the heat.
const CATEGORIES: usize = 3;

pub(crate) struct Profile {
    city: Arc<City>,
    /// The server has 天地图's tiles to give.
    tiles: bool,
}

impl Profile {
    pub fn new(city: Arc<City>, tiles: bool) -> Self {
        Profile { city, tiles }
    }

    /// The snapshot's member `city`.
    pub fn about(&self, visitors: bool) -> Value {
        let city = &self.city;
        json!({
            "name": city.name,
            "title": city.title,
            "zone": city.zone.iana_name().unwrap_or("UTC"),
            "approval": city.approval_number,
            "tiles": self.tiles,
            "visitors": visitors,
            "fleet": city.fleet,
            "mm_per_px": city.wall.mm_per_px,
            "distance_m": city.wall.distance_m,
            "bounds": city.bounds,
            "core": city.core,
            "districts": city.districts.iter().map(|district| &district.name).collect::<Vec<_>>(),
            "zones": city.zones.iter().map(|zone| &zone.name).collect::<Vec<_>>(),
            "sources": city.sources.iter().map(|source| (&source.source, &source.name)).collect::<BTreeMap<_, _>>(),
            "zone_centers": city.zones.iter().map(|zone| zone.center).collect::<Vec<_>>(),
        })
    }

    /// The districts as GeoJSON.
    pub fn outline(&self) -> Value {
        let feature = |district: &yiping_city::District| {
            json!({
                "type": "Feature",
                "properties": { "name": district.name },
                "geometry": { "type": "MultiPolygon", "coordinates": district.outline.polygons() },
            })
        };
        json!({ "type": "FeatureCollection", "features": self.city.districts.iter().map(feature).collect::<Vec<_>>() })
    }

    /// The lots that have a place on the map. The figures of others are in the metrics.
    pub fn lots(&self, lots: Vec<Lot>) -> BTreeMap<String, LotView> {
        let placed = |lot: Lot| {
            let known = self.city.lot(&lot.lot_id)?;
            let view = LotView {
                name: known.name.clone(),
                district: known.district.clone(),
                lon: known.lon,
                lat: known.lat,
                capacity: lot.capacity,
                occupied: lot.occupied,
                time: lot.time,
                lot_id: lot.lot_id,
            };
            Some((view.lot_id.clone(), view))
        };
        lots.into_iter().filter_map(placed).collect()
    }

    /// Open orders by street, at the street's centre; those of no known street only in the sums.
    pub fn orders(&self, orders: Vec<Orders>) -> OrdersView {
        let mut streets: BTreeMap<String, u64> = BTreeMap::new();
        let mut categories: BTreeMap<String, u64> = BTreeMap::new();
        let mut total = 0;
        for order in orders {
            total += order.orders;
            if !order.category.is_empty() {
                *categories.entry(order.category).or_default() += order.orders;
            }
            *streets.entry(order.street).or_default() += order.orders;
        }
        let placed = |(name, orders): (String, u64)| {
            let street = self.city.street(&name)?;
            Some(StreetView { lon: street.lon, lat: street.lat, name, orders })
        };
        let mut categories: Vec<(String, u64)> = categories.into_iter().collect();
        categories.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        categories.truncate(CATEGORIES);
        OrdersView { total, streets: streets.into_iter().filter_map(placed).collect(), categories }
    }

    /// Open cases, the oldest first, at the centre of their street (I11); for visitors without a place.
    pub fn open_cases(&self, cases: Vec<Sos>, visitors: bool) -> Vec<SosView> {
        let view = |sos: Sos| {
            let state = match sos.state.as_str() {
                "closed" | "false_alarm" => return None,
                "acknowledged" | "arrived" => "acknowledged",
                _ => "open",
            };
            let place = if visitors { None } else { self.place(sos.street.as_deref(), &sos.district) };
            Some(SosView {
                case: opaque(&sos.case),
                street: sos.street.filter(|_| !visitors),
                lon: place.map(|[lon, _]| lon),
                lat: place.map(|[_, lat]| lat),
                district: sos.district,
                raised: sos.raised,
                state,
            })
        };
        let mut views: Vec<SosView> = cases.into_iter().filter_map(view).collect();
        views.sort_by(|a, b| (a.raised, &a.case).cmp(&(b.raised, &b.case)));
        views
    }

    /// The street's centre; for a street that the profile does not know, the middle of its zone or district.
    fn place(&self, street: Option<&str>, district: &str) -> Option<[f64; 2]> {
        let city = &self.city;
        let street = street.and_then(|name| city.street(name)).map(|street| [street.lon, street.lat]);
        let zone = || city.zones.iter().find(|zone| zone.name == district).map(|zone| zone.center);
        let middle = |district: &yiping_city::District| {
            let bounds = district.outline.bounds();
            [(bounds.west + bounds.east) / 2.0, (bounds.south + bounds.north) / 2.0]
        };
        street.or_else(zone).or_else(|| city.districts.iter().find(|d| d.name == district).map(middle))
    }
}

/// Short, always the same for the same case, and of no use elsewhere.
fn opaque(case: &str) -> String {
    hex::encode(&Sha256::digest(case)[..6])
}
