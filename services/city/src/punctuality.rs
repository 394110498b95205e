//! What counts as on time for a bus, and when its service day begins.

use serde::{Deserialize, Serialize};

use crate::hours::minute_of_day;

/// The most that a tolerance can be: with an hour, a bus of the next trip would pass for this one's.
const MOST_S: u32 = 3_600;

/// `[bus]` of the profile.
///
/// A settings text without them means these defaults (−60 s … +300 s, 04:00), so they are never changed: old logs would
/// be judged anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusSettings {
    /// How early a departure may be and count as on time, ms, 0…3,600,000.
    pub early_ms: i64,
    /// How late a departure may be and count as on time, ms, 0…3,600,000.
    pub late_ms: i64,
    /// When a service day begins, ms after midnight.
    pub service_day_start_ms: i64,
}

impl Default for BusSettings {
    fn default() -> Self {
        BusSettings { early_ms: 60_000, late_ms: 300_000, service_day_start_ms: 4 * 3_600_000 }
    }
}

impl BusSettings {
    /// Whether a departure `deviation_ms` after its scheduled time (before it: negative) is on time. Both limits are.
    #[must_use]
    pub fn is_on_time(&self, deviation_ms: i64) -> bool {
        -self.early_ms <= deviation_ms && deviation_ms <= self.late_ms
    }

    pub(crate) fn is_default(&self) -> bool {
        *self == BusSettings::default()
    }
}

/// As it is written in `city.toml`.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Written {
    early_s: u32,
    late_s: u32,
    service_day_starts: String,
}

impl Default for Written {
    fn default() -> Self {
        Written { early_s: 60, late_s: 300, service_day_starts: "04:00".to_owned() }
    }
}

impl Written {
    /// The field and the fault.
    pub(crate) fn settings(&self) -> Result<BusSettings, (&'static str, String)> {
        for (field, seconds) in [("bus.early_s", self.early_s), ("bus.late_s", self.late_s)] {
            if seconds > MOST_S {
                return Err((field, format!("{seconds} s is more than {MOST_S} s")));
            }
        }
        let starts = minute_of_day(&self.service_day_starts).map_err(|m| ("bus.service_day_starts", m))?;
        if starts >= 12 * 60 {
            return Err(("bus.service_day_starts", "a service day starts before noon".to_owned()));
        }
        Ok(BusSettings {
            early_ms: i64::from(self.early_s) * 1_000,
            late_ms: i64::from(self.late_s) * 1_000,
            service_day_start_ms: i64::from(starts) * 60_000,
        })
    }
}
