//! A replay's own ticks (`city.tick`): they move the log's time along the data's time, also in partitions that get no
//! event for long (I2), so that a replay of 2016 stays in 2016. Pure: times come in, events come out.

use serde_json::{Value, json};
use yiping_event::{Stream, TimeMs};

/// Event time by which a stream's watermark stays behind its time.
pub const WATERMARK_LAG_MS: i64 = 5_000;

/// How far the last tick goes beyond the newest event: exactly so far that the watermark stands 24 h after it. Every
/// window that holds an event is then final (the longest spans, 24h and day, end at most 24 h after their last event),
/// and a deadline fires if and only if `compute` fires it at a file's end. Only a calendar day of 25 hours whose newest
/// event lies in its first hour would need an hour more.
pub const SETTLE_MS: i64 = 24 * 3_600_000 + WATERMARK_LAG_MS;

pub struct Ticker {
    stream: Stream,
    source: String,
    /// Data time that may pass between ticks while events flow.
    every_ms: i64,
    last: Option<TimeMs>,
}

impl Ticker {
    pub fn new(stream: Stream, source: &str, every_ms: i64) -> Self {
        Self { stream, source: source.into(), every_ms, last: None }
    }

    /// The tick that is due before something of this log time is sent.
    pub fn before(&mut self, log_time: TimeMs) -> Option<Value> {
        let due = self.last.is_none_or(|last| log_time >= last.plus(self.every_ms));
        if due { self.at(log_time) } else { None }
    }

    /// A tick at this time, unless time stands there already: ticks never go back.
    pub fn at(&mut self, log_time: TimeMs) -> Option<Value> {
        if self.last.is_some_and(|last| log_time <= last) {
            return None;
        }
        let time = log_time.to_string();
        self.last = Some(log_time);
        Some(json!({
            "specversion": "1.0",
            "id": format!("tick-{}-{}", self.stream, log_time.ms()),
            "source": self.source,
            "type": "city.tick",
            "time": time,
            "receivedtime": time,
            "data": { "stream": self.stream },
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_follow_the_data_once_a_minute_and_never_go_back() {
        let mut ticker = Ticker::new(Stream::Parking, "town/lots", 60_000);
        let times = [0, 59_999, 60_000, 60_000, 30_000, 3_600_000]
            .map(|t| ticker.before(TimeMs(t)).map(|tick| tick["time"].clone()));
        let expected = [
            Some("1970-01-01T00:00:00.000Z"),
            None,
            Some("1970-01-01T00:01:00.000Z"),
            None,
            None,
            Some("1970-01-01T01:00:00.000Z"),
        ];
        assert_eq!(times, expected.map(|text| text.map(Value::from)));
        assert_eq!(ticker.at(TimeMs(3_600_000)), None);
        assert_eq!(ticker.at(TimeMs(3_600_001)).unwrap()["data"]["stream"], "parking");
    }
}
