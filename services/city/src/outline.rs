//! Boxes and polygons in WGS-84 degrees, prepared once for many questions "does it contain this position?".

use std::fmt;
use std::sync::Arc;

use geo::indexed::IntervalTreeMultiPolygon;
use geo::orient::{Direction, Orient};
use geo::{Contains, Coord, LineString, MultiPolygon, Polygon};
use serde::{Deserialize, Serialize};

/// Metres in a degree of latitude.
const METRES_PER_DEGREE: f64 = 111_320.0;

/// A box in degrees; written as `[west, south, east, north]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "[f64; 4]", into = "[f64; 4]")]
pub struct Bounds {
    pub west: f64,
    pub south: f64,
    pub east: f64,
    pub north: f64,
}

impl From<[f64; 4]> for Bounds {
    fn from([west, south, east, north]: [f64; 4]) -> Self {
        Bounds { west, south, east, north }
    }
}

impl From<Bounds> for [f64; 4] {
    fn from(b: Bounds) -> Self {
        [b.west, b.south, b.east, b.north]
    }
}

impl Bounds {
    /// The edges belong to the box.
    #[must_use]
    pub fn contains(&self, lon: f64, lat: f64) -> bool {
        lon >= self.west && lon <= self.east && lat >= self.south && lat <= self.north
    }

    #[must_use]
    pub fn widened_m(&self, margin_m: f64) -> Bounds {
        let north = margin_m / METRES_PER_DEGREE;
        let east = north / libm::cos((self.south + self.north) / 2.0 * std::f64::consts::PI / 180.0);
        Bounds { west: self.west - east, south: self.south - north, east: self.east + east, north: self.north + north }
    }

    fn is_box_on_earth(&self) -> bool {
        self.west < self.east
            && self.south < self.north
            && self.west >= -180.0
            && self.east <= 180.0
            && self.south >= -85.0
            && self.north <= 85.0
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        if self.is_box_on_earth() {
            Ok(())
        } else {
            Err("is no box: write [west, south, east, north] in degrees".to_owned())
        }
    }
}

/// Rings of `[lon, lat]` corners: the first ring of a polygon is its outside, the others are holes.
pub type Rings = Vec<Vec<[f64; 2]>>;

/// The outline of a district, indexed by latitude. Cheap to clone.
#[derive(Clone)]
pub struct Outline {
    polygons: Arc<Vec<Rings>>,
    bounds: Bounds,
    index: Arc<IntervalTreeMultiPolygon<f64>>,
}

impl Outline {
    /// From the coordinates of a GeoJSON `MultiPolygon`. The message of an error says which ring is wrong.
    pub fn new(polygons: Vec<Rings>) -> Result<Outline, String> {
        let mut bounds = Bounds { west: f64::MAX, south: f64::MAX, east: f64::MIN, north: f64::MIN };
        if polygons.is_empty() {
            return Err("has no polygon".to_owned());
        }
        for (p, rings) in polygons.iter().enumerate() {
            if rings.is_empty() {
                return Err(format!("polygon {p} has no ring"));
            }
            for (r, ring) in rings.iter().enumerate() {
                if ring.len() < 4 || ring.first() != ring.last() {
                    return Err(format!("polygon {p}, ring {r} is not closed, or has fewer than 4 corners"));
                }
                for &[lon, lat] in ring {
                    if !(lon.abs() <= 180.0 && lat.abs() <= 85.0) {
                        return Err(format!("polygon {p}, ring {r}: [{lon}, {lat}] is no longitude and latitude"));
                    }
                    bounds.west = bounds.west.min(lon);
                    bounds.east = bounds.east.max(lon);
                    bounds.south = bounds.south.min(lat);
                    bounds.north = bounds.north.max(lat);
                }
            }
        }
        let line =
            |ring: &Vec<[f64; 2]>| LineString::from(ring.iter().map(|&[x, y]| Coord { x, y }).collect::<Vec<_>>());
        let shape: MultiPolygon<f64> =
            polygons.iter().map(|rings| Polygon::new(line(&rings[0]), rings[1..].iter().map(line).collect())).collect();
        // The index counts windings: a hole must turn the other way than its outside.
        let index = Arc::new(IntervalTreeMultiPolygon::new(&shape.orient(Direction::Default)));
        Ok(Outline { polygons: Arc::new(polygons), bounds, index })
    }

    #[must_use]
    pub fn contains(&self, lon: f64, lat: f64) -> bool {
        self.bounds.contains(lon, lat) && self.index.contains(&Coord { x: lon, y: lat })
    }

    /// The coordinates, as in a GeoJSON `MultiPolygon`.
    #[must_use]
    pub fn polygons(&self) -> &[Rings] {
        &self.polygons
    }

    #[must_use]
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }
}

impl fmt::Debug for Outline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let corners: usize = self.polygons.iter().flatten().map(Vec::len).sum();
        write!(f, "Outline({corners} corners in {:?})", self.bounds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(west: f64, south: f64, size: f64) -> Vec<[f64; 2]> {
        vec![[west, south], [west + size, south], [west + size, south + size], [west, south + size], [west, south]]
    }

    #[test]
    fn a_hole_is_outside_and_an_island_is_inside() {
        let ring_with_hole = vec![square(0.0, 0.0, 10.0), square(4.0, 4.0, 2.0)];
        let outline = Outline::new(vec![ring_with_hole, vec![square(20.0, 0.0, 1.0)]]).unwrap();
        assert!(outline.contains(1.0, 1.0));
        assert!(!outline.contains(5.0, 5.0));
        assert!(outline.contains(20.5, 0.5));
        assert!(!outline.contains(15.0, 0.5));
    }

    #[test]
    fn an_open_ring_is_refused_by_its_number() {
        let mut open = square(0.0, 0.0, 1.0);
        open.pop();
        let error = Outline::new(vec![vec![square(0.0, 0.0, 9.0), open]]).unwrap_err();
        assert!(error.contains("ring 1"), "{error}");
    }

    #[test]
    fn twenty_kilometres_are_wider_in_degrees_of_longitude() {
        let wide = Bounds::from([122.0, 37.0, 122.5, 37.4]).widened_m(20_000.0);
        assert!((37.0 - wide.south - 0.1797).abs() < 0.001);
        assert!((122.0 - wide.west - 0.2254).abs() < 0.001);
    }
}
