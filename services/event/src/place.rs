//! What longitude and latitude are measured against. Converting is not done here.

use crate::words::words;

words! {
    /// The datum of a `lon`, `lat` pair; absent = [`Datum::Wgs84`].
    pub enum Datum {
        Wgs84 = "wgs84",
        /// The national datum; equals WGS-84 to centimetres.
        Cgcs2000 = "cgcs2000",
        /// The obfuscated datum of Chinese map services: at Weihai 447 m east and 115 m north of WGS-84.
        Gcj02 = "gcj02",
    }
}
