//! Places of people become cells: the 街道 is the finest place that goes into the log (I11). A text that holds the name of one of the
//! profile's streets (街道, 镇) becomes that name, a position the nearest street's centre; what is no place of the city goes.

use yiping_city::{City, Street};

/// The street that a text names: as it is, or as part of an address. Of several names in it, the longest.
pub fn named<'c>(city: &'c City, text: &str) -> Option<&'c Street> {
    city.street(text).or_else(|| {
        let within = city.streets.iter().filter(|street| text.contains(street.street.as_str()));
        within.max_by_key(|street| street.street.len())
    })
}

/// The street whose centre is nearest to a position (WGS-84 degrees).
pub fn nearest(city: &City, lon: f64, lat: f64) -> Option<&Street> {
    // a degree of longitude is shorter than one of latitude
    let scale = lat.to_radians().cos();
    let distance = |street: &Street| ((street.lon - lon) * scale).hypot(street.lat - lat);
    city.streets.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_becomes_the_street_that_it_names_and_what_names_none_goes() {
        let city = City::weihai();
        let own = city.streets[0].street.clone();
        for text in [own.clone(), format!("环翠区{own}海港路12号3单元"), format!(" {own}")] {
            assert_eq!(named(&city, &text).map(|street| &street.street), Some(&own), "{text}");
        }
        assert_eq!(named(&city, "张某家"), None);
    }

    #[test]
    fn a_position_becomes_the_nearest_centre() {
        let city = City::weihai();
        for street in &city.streets {
            let near = nearest(&city, street.lon + 0.000_01, street.lat - 0.000_01).unwrap();
            assert_eq!((near.lon, near.lat), (street.lon, street.lat));
        }
    }
}
