//! GCJ-02, the offset datum of Chinese consumer maps, to and from WGS-84.
//!
//! CGCS2000, the datum of China's surveys and of BeiDou, is treated as WGS-84 everywhere: the two differ by centimetres,
//! a position of a bus by metres.
//!
//! The formulas are the published ones, on the Krasovsky ellipsoid; the inverse is found by iteration. Sines and roots
//! come from the `libm` crate and results are rounded to 1e-7 degrees (1 cm), so that every machine gets the same
//! digits (I1).

use std::f64::consts::PI;

use libm::{cos, fabs, sin, sqrt};

const SEMI_MAJOR_M: f64 = 6_378_245.0;
const ECCENTRICITY_SQUARED: f64 = 0.006_693_421_622_965_943;

fn round7(degrees: f64) -> f64 {
    libm::round(degrees * 1e7) / 1e7
}

/// The offset of GCJ-02 at a WGS-84 position, in degrees.
fn offset(lon: f64, lat: f64) -> (f64, f64) {
    let (x, y) = (lon - 105.0, lat - 35.0);
    let waves = |v: f64, a: f64, b: f64, c: f64, d: f64, e: f64, f: f64| {
        (a * sin(v * c * PI) + b * sin(v * d * PI)) * 2.0 / 3.0
            + (e * sin(v / 12.0 * PI) + f * sin(v * PI / 30.0)) * 2.0 / 3.0
    };
    let ripple = (20.0 * sin(6.0 * x * PI) + 20.0 * sin(2.0 * x * PI)) * 2.0 / 3.0;
    let north = -100.0
        + 2.0 * x
        + 3.0 * y
        + 0.2 * y * y
        + 0.1 * x * y
        + 0.2 * sqrt(fabs(x))
        + ripple
        + waves(y, 20.0, 40.0, 1.0, 1.0 / 3.0, 160.0, 320.0);
    let east = 300.0
        + x
        + 2.0 * y
        + 0.1 * x * x
        + 0.1 * x * y
        + 0.1 * sqrt(fabs(x))
        + ripple
        + (20.0 * sin(x * PI) + 40.0 * sin(x / 3.0 * PI)) * 2.0 / 3.0
        + (150.0 * sin(x / 12.0 * PI) + 300.0 * sin(x / 30.0 * PI)) * 2.0 / 3.0;
    let phi = lat / 180.0 * PI;
    let magic = 1.0 - ECCENTRICITY_SQUARED * sin(phi) * sin(phi);
    let root = sqrt(magic);
    let north_deg = north * 180.0 / (SEMI_MAJOR_M * (1.0 - ECCENTRICITY_SQUARED) / (magic * root) * PI);
    let east_deg = east * 180.0 / (SEMI_MAJOR_M / root * cos(phi) * PI);
    (east_deg, north_deg)
}

/// WGS-84 to GCJ-02, degrees, rounded to 1e-7.
#[must_use]
pub fn wgs84_to_gcj02(lon: f64, lat: f64) -> (f64, f64) {
    let (east, north) = offset(lon, lat);
    (round7(lon + east), round7(lat + north))
}

/// GCJ-02 to WGS-84, degrees, rounded to 1e-7: the position whose GCJ-02 is the given one, within a centimetre.
#[must_use]
pub fn gcj02_to_wgs84(lon: f64, lat: f64) -> (f64, f64) {
    let (mut x, mut y) = (lon, lat);
    // The offset changes by about 1e-4 of a step, so each turn gains some four digits; five are plenty.
    for _ in 0..5 {
        let (east, north) = offset(x, y);
        x = lon - east;
        y = lat - north;
    }
    (round7(x), round7(y))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn at_weihai_gcj02_lies_447_m_east_and_115_m_north_of_wgs84() {
        let (lon, lat) = (122.12, 37.51);
        let (glon, glat) = wgs84_to_gcj02(lon, lat);
        let east_m = (glon - lon) * 111_320.0 * lat.to_radians().cos();
        let north_m = (glat - lat) * 110_990.0;
        assert!((east_m - 447.0).abs() < 3.0, "{east_m} m east");
        assert!((north_m - 115.0).abs() < 3.0, "{north_m} m north");
    }

    proptest! {
        #[test]
        fn there_and_back_is_the_same_place_within_two_centimetres(lon in 121.1f64..122.8, lat in 36.7f64..37.6) {
            let (glon, glat) = wgs84_to_gcj02(lon, lat);
            let (blon, blat) = gcj02_to_wgs84(glon, glat);
            // Each rounding is good for half a centimetre.
            prop_assert!((blon - lon).abs() < 1.5e-7 && (blat - lat).abs() < 1.5e-7, "{lon},{lat} -> {blon},{blat}");
        }
    }
}
