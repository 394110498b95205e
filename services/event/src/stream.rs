//! The four streams. A stream is a topic, a service and a set of event types.

use crate::words::words;

words! {
    /// One department's flow of events.
    pub enum Stream {
        Bus = "bus",
        Parking = "parking",
        /// 12345, the government hotline.
        Hotline = "hotline",
        /// 12349, the elder-care hotline.
        Elder = "elder",
    }
}

impl Stream {
    /// The log's topic, written only by the gateway and by the stream's own ticks.
    #[must_use]
    pub const fn topic(self) -> &'static str {
        match self {
            Self::Bus => "city.bus",
            Self::Parking => "city.parking",
            Self::Hotline => "city.hotline",
            Self::Elder => "city.elder",
        }
    }
}
