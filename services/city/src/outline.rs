//! Boxes and polygons in WGS-84 degrees, prepared once for many questions "does it contain this position?".
//!
//! Degrees are taken as a plane: at the size of a city an edge's bend is far below the outlines' own coarseness.
//! CGCS2000, the datum of Chinese maps and of BeiDou, is treated as WGS-84: they differ by centimetres.

use std::fmt;
use std::sync::Arc;

use geo::indexed::IntervalTreeMultiPolygon;
use geo::orient::{Direction, Orient};
use geo::{Contains, Coord, Intersects, Line, LineString, LinesIter, MultiPolygon, Polygon};
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

/// The outline of a district, indexed by latitude. Cheap to clone: clones share the index.
#[derive(Clone)]
pub struct Outline {
    polygons: Arc<Vec<Rings>>,
    bounds: Bounds,
    prepared: Arc<Prepared>,
}

struct Prepared {
    interior: IntervalTreeMultiPolygon<f64>,
    border: Border,
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
        let interior = IntervalTreeMultiPolygon::new(&shape.orient(Direction::Default));
        let prepared = Arc::new(Prepared { interior, border: Border::new(&shape, bounds) });
        Ok(Outline { polygons: Arc::new(polygons), bounds, prepared })
    }

    /// Whether a position lies in the outline. Its border belongs to it, a hole's border too: a position on the line
    /// between two districts is in both, and neither leaves it to nobody.
    #[must_use]
    pub fn contains(&self, lon: f64, lat: f64) -> bool {
        let at = Coord { x: lon, y: lat };
        self.bounds.contains(lon, lat)
            && (self.prepared.interior.contains(&at) || self.prepared.border.contains(at, self.bounds))
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

/// The edges, by bands of latitude: the library's index tells the interior from all else, but not the border from the
/// outside.
struct Border {
    bands: Vec<Vec<Line<f64>>>,
}

impl Border {
    fn new(shape: &MultiPolygon<f64>, bounds: Bounds) -> Border {
        let count = shape.lines_iter().count().clamp(1, 1_024);
        let mut border = Border { bands: vec![Vec::new(); count] };
        for edge in shape.lines_iter() {
            let (from, to) = (border.band(edge.start.y, bounds), border.band(edge.end.y, bounds));
            for band in &mut border.bands[from.min(to)..=from.max(to)] {
                band.push(edge);
            }
        }
        border
    }

    fn contains(&self, at: Coord<f64>, bounds: Bounds) -> bool {
        self.bands[self.band(at.y, bounds)].iter().any(|edge| edge.intersects(&at))
    }

    /// The band of a latitude within the bounds: a larger latitude never has a smaller one.
    fn band(&self, lat: f64, bounds: Bounds) -> usize {
        let last = self.bands.len() - 1;
        let share = (lat - bounds.south) / (bounds.north - bounds.south).max(f64::MIN_POSITIVE);
        #[expect(clippy::cast_precision_loss, reason = "at most 1,024 bands")]
        let band = share * self.bands.len() as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "`as` saturates, and 0 is the first"
        )]
        let band = band as usize;
        band.min(last)
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
    use proptest::prelude::*;

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
    fn a_hole_is_outside_whichever_way_its_ring_turns() {
        for backwards in [false, true] {
            let mut hole = square(4.0, 4.0, 2.0);
            if backwards {
                hole.reverse();
            }
            let outline = Outline::new(vec![vec![square(0.0, 0.0, 10.0), hole]]).unwrap();
            assert!(!outline.contains(5.0, 5.0) && outline.contains(3.0, 5.0), "backwards: {backwards}");
        }
    }

    #[test]
    fn an_island_in_a_hole_is_inside() {
        let lake = vec![square(0.0, 0.0, 10.0), square(2.0, 2.0, 6.0)];
        let outline = Outline::new(vec![lake, vec![square(4.0, 4.0, 2.0)]]).unwrap();
        assert!(outline.contains(1.0, 5.0));
        assert!(!outline.contains(3.0, 5.0));
        assert!(outline.contains(5.0, 5.0));
    }

    #[test]
    fn the_border_belongs_to_the_outline() {
        let outline = Outline::new(vec![vec![square(0.0, 0.0, 10.0), square(4.0, 4.0, 2.0)]]).unwrap();
        // Corners, edges in all four directions, the edge of the hole; and a hair outside or in the hole for comparison.
        for (lon, lat) in [(0.0, 0.0), (10.0, 10.0), (0.0, 3.0), (10.0, 3.0), (3.0, 0.0), (3.0, 10.0), (4.0, 5.0)] {
            assert!(outline.contains(lon, lat), "{lon}, {lat}");
        }
        for (lon, lat) in [(-1e-9, 3.0), (10.0 + 1e-9, 3.0), (3.0, -1e-9), (3.0, 10.0 + 1e-9), (4.0 + 1e-9, 5.0)] {
            assert!(!outline.contains(lon, lat), "{lon}, {lat}");
        }
        // A slanted edge, far from its ends.
        let triangle = Outline::new(vec![vec![vec![[0.0, 0.0], [8.0, 4.0], [0.0, 8.0], [0.0, 0.0]]]]).unwrap();
        assert!(triangle.contains(4.0, 2.0) && triangle.contains(4.0, 6.0));
        assert!(!triangle.contains(4.0, 2.0 - 1e-9) && triangle.contains(4.0, 2.0 + 1e-9));
    }

    #[test]
    fn a_position_that_is_no_number_lies_nowhere() {
        let outline = Outline::new(vec![vec![square(0.0, 0.0, 10.0)]]).unwrap();
        assert!(!outline.contains(f64::NAN, 5.0) && !outline.contains(5.0, f64::NAN));
        assert!(!outline.contains(f64::INFINITY, 5.0));
    }

    #[test]
    fn a_clone_shares_what_was_prepared() {
        let outline = Outline::new(vec![vec![square(0.0, 0.0, 10.0)]]).unwrap();
        assert!(Arc::ptr_eq(&outline.prepared, &outline.clone().prepared));
    }

    proptest! {
        /// Against the plain algorithm of geo, which walks all edges each time: inside or on the border.
        #[test]
        fn the_prepared_outline_answers_as_the_plain_one(
            // A fan around the middle, on a coarse grid: many positions meet corners and edges.
            radii in prop::collection::vec(1u8..8, 3..24),
            asked in prop::collection::vec((-9i8..=9, -9i8..=9), 40),
        ) {
            let step = std::f64::consts::TAU / radii.len() as f64;
            let corner = |(i, r): (usize, &u8)| {
                let angle = step * i as f64;
                [(f64::from(*r) * angle.cos()).round(), (f64::from(*r) * angle.sin()).round()]
            };
            let mut ring: Vec<[f64; 2]> = radii.iter().enumerate().map(corner).collect();
            ring.dedup();
            prop_assume!(ring.len() >= 3);
            ring.push(ring[0]);
            let plain = Polygon::new(LineString::from(ring.clone()), Vec::new());
            prop_assume!(geo::Validation::is_valid(&plain));
            let outline = Outline::new(vec![vec![ring]]).unwrap();
            for (x, y) in asked {
                let at = Coord { x: f64::from(x), y: f64::from(y) };
                prop_assert_eq!(outline.contains(at.x, at.y), plain.intersects(&at), "{:?}", at);
            }
        }
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
