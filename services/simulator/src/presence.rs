//! The heartbeats of sources: "I live", at twice the rate that the profile expects.

use yiping_city::City;
use yiping_event::Stream;

use crate::Actor;
use crate::draws::{For, below, identity};
use crate::fate::Manner;
use crate::outbox::{Outbox, Said, Voice};

pub(crate) struct Presence {
    seed: u64,
    beats: Vec<Beat>,
}

struct Beat {
    voice: Voice,
    expected_s: i64,
    period_ms: i64,
    phase_ms: i64,
    /// Number of the next beat since 1970.
    next: i64,
}

impl Presence {
    pub(crate) fn new(city: &City, seed: u64, stream: Stream, since: i64) -> Presence {
        let mut named: Vec<(&str, i64)> = city
            .sources
            .iter()
            .filter(|s| s.stream == stream.as_str())
            .map(|s| (s.source.as_str(), i64::from(s.expected_s.max(2))))
            .collect();
        if named.is_empty() {
            named.push((stream.as_str(), 30));
        }
        let beats = named.into_iter().map(|(source, expected_s)| {
            let voice = Voice::named(city, stream, source);
            let period_ms = (expected_s * 500).clamp(1_000, 15_000);
            let phase_ms = below(identity(seed, For::SourceHeartbeat, voice.key(), -1), period_ms);
            Beat { voice, expected_s, period_ms, phase_ms, next: since.div_euclid(period_ms) - 1 }
        });
        Presence { seed, beats: beats.collect() }
    }
}

impl Actor for Presence {
    fn speak(&mut self, until: i64, out: &mut Outbox) {
        for beat in &mut self.beats {
            loop {
                let time = beat.next * beat.period_ms + beat.phase_ms;
                if time >= until {
                    break;
                }
                let said = Said {
                    voice: &beat.voice,
                    kind: "city.source.heartbeat",
                    time,
                    identity: identity(self.seed, For::SourceHeartbeat, beat.voice.key(), beat.next),
                    manner: Manner::Presence,
                };
                out.say(&said, |data, _| {
                    data.text("source_name", &beat.voice.source);
                    data.whole("expected_s", beat.expected_s);
                    data.text("stream", beat.voice.stream.as_str());
                });
                beat.next += 1;
            }
        }
    }
}
