//! Logs with everything that real feeds do: duplicates, disorder, late and too late events, clocks ahead, silence, ticks, bad bytes.
#![allow(clippy::unwrap_used, reason = "a test that can't go on may panic")]

use jiff::{Timestamp, tz::TimeZone};
use proptest::prelude::*;

pub const SKEW_MS: i64 = 60_000;
/// How far the watermark stays behind.
pub const LATE_ALLOWANCE_MS: i64 = 5_000;
const HOUR: i64 = 3_600_000;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum What {
    Snapshot { num: i64, den: i64 },
    Entry,
    Exit,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    Event { id: String, lot: String, time: i64, what: What, received: Option<i64>, append: Option<i64> },
    Tick { time: i64 },
    Junk,
}

impl Record {
    /// When the record was received: by its platform, else by the log, else when it happened.
    pub fn log_time(&self) -> i64 {
        match self {
            Record::Event { time, received, append, .. } => received.or(*append).unwrap_or(*time),
            _ => 0,
        }
    }

    pub fn append(&self) -> Option<i64> {
        match self {
            Record::Event { append, .. } => *append,
            _ => None,
        }
    }

    pub fn payload(&self) -> Vec<u8> {
        let json = match self {
            Record::Junk => return b"{no event".to_vec(),
            Record::Tick { time } => serde_json::json!({
                "specversion": "1.0", "id": format!("t{time}"), "source": "yiping", "type": "city.tick", "time": text(*time), "data": {},
            }),
            Record::Event { id, lot, time, what, received, .. } => {
                let (kind, data) = match what {
                    What::Snapshot { num, den } => {
                        ("snapshot", serde_json::json!({"lot_id": lot, "capacity": den, "occupied": num}))
                    }
                    What::Entry => ("entry", serde_json::json!({"lot_id": lot, "session_id": id})),
                    What::Exit => ("exit", serde_json::json!({"lot_id": lot, "session_id": id})),
                };
                let mut event = serde_json::json!({
                    "specversion": "1.0", "id": id, "source": "test/lots", "type": format!("city.parking.{kind}"),
                    "time": text(*time), "data": data,
                });
                if let Some(received) = received {
                    event["receivedtime"] = text(*received).into();
                }
                event
            }
        };
        json.to_string().into_bytes()
    }
}

/// RFC 3339 at +08:00, so that the first hours of 1970 reach below zero.
fn text(time: i64) -> String {
    let zoned = Timestamp::from_millisecond(time).unwrap().to_zoned(TimeZone::fixed(jiff::tz::Offset::constant(8)));
    zoned.strftime("%Y-%m-%dT%H:%M:%S%.3f+08:00").to_string()
}

/// A log and the settings that it is read with.
#[derive(Debug, Clone)]
pub struct Case {
    pub zone: &'static str,
    pub lateness: i64,
    pub partitions: usize,
    pub records: Vec<Record>,
}

impl Case {
    /// Each partition's records in log order: lots by their number, ticks to all, bad bytes to the first.
    pub fn split(&self) -> Vec<Vec<Record>> {
        let mut split = vec![Vec::new(); self.partitions];
        for record in &self.records {
            match record {
                Record::Event { lot, .. } => {
                    let number = usize::from(lot.as_bytes()[lot.len() - 1]);
                    split[number % self.partitions].push(record.clone());
                }
                Record::Tick { .. } => split.iter_mut().for_each(|log| log.push(record.clone())),
                Record::Junk => split[0].push(Record::Junk),
            }
        }
        split
    }

    pub fn events(&self) -> u64 {
        self.records.iter().filter(|record| !matches!(record, Record::Tick { .. })).count() as u64
    }
}

#[derive(Debug, Clone)]
struct Draft {
    advance: i64,
    kind: u8,
    lot: u8,
    timing: Timing,
    snap: u8,
    num: i64,
    den: i64,
    repeat: Option<usize>,
    stamped: u8,
}

#[derive(Debug, Clone, Copy)]
enum Timing {
    /// So many ms before the log's time.
    Behind(i64),
    /// Behind by this share (per mille) of the lateness.
    Late(i64),
    /// Behind by the lateness and this.
    TooLate(i64),
    Ahead(i64),
}

fn draft() -> impl Strategy<Value = Draft> {
    let advance = prop_oneof![
        30 => 0..8_000i64,
        30 => 0..90_000i64,
        4 => 0..15 * 60_000i64,
        2 => HOUR / 2..3 * HOUR,
        1 => 20 * HOUR..27 * HOUR,
    ];
    let timing = prop_oneof![
        50 => (0..1_500i64).prop_map(Timing::Behind),
        20 => (0..9_000i64).prop_map(Timing::Behind),
        20 => (0..1_010i64).prop_map(Timing::Late),
        8 => (0..2 * HOUR).prop_map(Timing::TooLate),
        4 => (0..90_000i64).prop_map(Timing::Ahead),
        1 => (10 * HOUR..9_000 * HOUR).prop_map(Timing::Ahead),
    ];
    let num = prop_oneof![4 => -20..400i64, 1 => -1_000_000..=1_000_000i64];
    let den = prop_oneof![4 => 0..400i64, 1 => 0..=1_000_000i64];
    let repeat = prop_oneof![6 => Just(None), 1 => (0..200usize).prop_map(Some)];
    (advance, 0..20u8, 0..4u8, timing, 0..6u8, num, den, repeat, 0..3u8).prop_map(
        |(advance, kind, lot, timing, snap, num, den, repeat, stamped)| Draft {
            advance,
            kind,
            lot,
            timing,
            snap,
            num,
            den,
            repeat,
            stamped,
        },
    )
}

fn records(drafts: Vec<Draft>, base: i64, lateness: i64) -> Vec<Record> {
    let (mut records, mut now) = (Vec::new(), base);
    for (at, draft) in drafts.into_iter().enumerate() {
        now += draft.advance;
        let behind = match draft.timing {
            Timing::Behind(ms) => ms,
            Timing::Late(share) => LATE_ALLOWANCE_MS + lateness * share / 1_000,
            Timing::TooLate(ms) => LATE_ALLOWANCE_MS + lateness + ms,
            Timing::Ahead(ms) => -ms,
        };
        let time = (now - behind).max(-8 * HOUR);
        let time = match draft.snap {
            0 => time.div_euclid(10_000) * 10_000,
            1 => time.div_euclid(60_000) * 60_000,
            _ => time,
        };
        let (received, append) = match draft.stamped {
            0 => (Some(now), None),
            1 => (Some(now), Some(now + 700)),
            _ => (None, Some(now)),
        };
        let earlier = draft.repeat.filter(|_| at > 0).map(|repeat| repeat % at);
        records.push(match (earlier, draft.kind) {
            (Some(earlier), _) => repeated(&records[earlier], now),
            (None, 0..=2) => Record::Tick { time: now },
            (None, 3) => Record::Junk,
            (None, kind) => Record::Event {
                id: format!("e{at:05}"),
                lot: format!("lot-{}", draft.lot),
                time,
                what: match kind {
                    4 | 5 => What::Entry,
                    6 | 7 => What::Exit,
                    _ => What::Snapshot { num: draft.num, den: draft.den },
                },
                received,
                append,
            },
        });
    }
    records
}

/// The same event, received again.
fn repeated(record: &Record, now: i64) -> Record {
    let mut again = record.clone();
    if let Record::Event { received, append, .. } = &mut again {
        (*received, *append) = (Some(now), Some(now));
    }
    again
}

pub fn case() -> impl Strategy<Value = Case> {
    // below zero; a quarter of an hour before midnight in Weihai; the night in which London's clocks go back
    let base = prop::sample::select(vec![-2 * HOUR, 1_795_189_500_000, 1_477_783_800_000]);
    // a quarter of an hour off; in 1970 also half a minute, so that a day begins inside an old pane
    let zone = prop::sample::select(vec!["Asia/Shanghai", "Europe/London", "Asia/Kathmandu", "Africa/Monrovia"]);
    let lateness = prop::sample::select(vec![0, 90_000, 600_000, HOUR]);
    let drafts = prop::collection::vec(draft(), 1..90);
    (base, zone, lateness, 1..4usize, drafts).prop_map(|(base, zone, lateness, partitions, drafts)| Case {
        zone,
        lateness,
        partitions,
        records: records(drafts, base, lateness),
    })
}
