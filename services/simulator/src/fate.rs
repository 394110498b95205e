//! What befalls an event between its source and the gateway, decided by its identity alone.

use crate::Faults;
use crate::agenda::{HOUR_MS, MINUTE_MS};
use crate::draws::{For, below, identity, mix};

/// How an event travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Everything of [`Faults`] may befall it.
    Ordinary,
    /// Never hours late: sent again until it arrives, as alarms are, or kept on board, see `Stored`.
    Retried,
    /// Never late: it says "now" or nothing.
    Presence,
    /// As `Ordinary`; what would have been received before the run starts opens it.
    Carried,
    /// Kept on board while out of coverage, and sent with many others at this instant (ms).
    Stored(i64),
}

/// What arrives of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fate {
    pub(crate) receive: i64,
    /// The same bytes once more, at the same instant.
    pub(crate) twice: bool,
    /// The same event sent again, received anew at this instant.
    pub(crate) again: Option<i64>,
    /// Followed by a line that is none.
    pub(crate) broken: bool,
    /// Added to the event's own clock.
    pub(crate) clock_ms: i64,
    /// The envelope or data has a wrong type.
    pub(crate) wrong_type: bool,
    /// 0..1000 for the domain to play with; 1000 where faults are not hostile: then all is well.
    pub(crate) mischief: u32,
}

/// After this time an event is received or lost, in ms.
pub(crate) fn longest_delay_ms(faults: Faults) -> i64 {
    match faults {
        Faults::None => 4_000,
        Faults::Usual | Faults::Hostile => STORED_MAX_MS + 10 * MINUTE_MS,
    }
}

const STORED_MAX_MS: i64 = 4 * HOUR_MS;
const YEAR_MS: i64 = 365 * 24 * HOUR_MS;

impl Fate {
    pub(crate) fn of(identity: u64, time: i64, manner: Manner, faults: Faults) -> Fate {
        let delay_bits = mix(identity ^ 0x0DE1_A700);
        let small = below(delay_bits, 1_000);
        let swift = |longest: i64| 200 + small * small * (longest - 200) / 1_000_000;
        let mut fate = Fate {
            receive: time + swift(3_000),
            twice: false,
            again: None,
            broken: false,
            clock_ms: 0,
            wrong_type: false,
            mischief: 1_000,
        };
        if faults == Faults::None {
            return fate;
        }
        let luck = mix(identity ^ 0x10C4);
        let part = below(luck, 1_000_000);
        let spread = mix(luck);
        fate.receive = match manner {
            Manner::Stored(until) => until + below(spread, 2_000),
            Manner::Ordinary | Manner::Carried if part < 1_000 => {
                time + HOUR_MS + below(spread, STORED_MAX_MS - HOUR_MS)
            }
            Manner::Ordinary | Manner::Carried | Manner::Retried if part < 11_000 => {
                time + 5_000 + below(spread, 55_000)
            }
            _ => time + swift(4_000),
        };
        let copies = below(mix(spread), 1_000_000);
        fate.twice = copies < 5_000;
        if faults == Faults::Hostile {
            fate.broken = (10_000..20_000).contains(&copies);
            if (20_000..25_000).contains(&copies) {
                fate.again = Some(fate.receive + 5_000 + below(spread, 10 * MINUTE_MS - 5_000));
            }
            let evil = mix(copies.unsigned_abs() ^ spread);
            let kind = below(evil, 10_000);
            let size = mix(evil);
            match kind {
                0..15 => fate.clock_ms = HOUR_MS + below(size, 5 * HOUR_MS),
                15..30 => fate.clock_ms = YEAR_MS * (1 + below(size, 9)),
                30..60 => fate.wrong_type = true,
                _ => {}
            }
            fate.mischief = u32::try_from(below(size, 1_000)).unwrap_or(1_000);
        }
        fate
    }
}

/// A spell in which someone is silent, or stores what it would say: at most one an hour.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spells {
    pub(crate) purpose: For,
    /// Spells in 10,000 hours.
    pub(crate) per_10_000_hours: i64,
    pub(crate) shortest_ms: i64,
    pub(crate) longest_ms: i64,
}

impl Spells {
    /// The end of the spell in which `at` lies, if it lies in one.
    pub(crate) fn end(&self, seed: u64, faults: Faults, entity: u64, at: i64) -> Option<i64> {
        if faults == Faults::None {
            return None;
        }
        let hour = at.div_euclid(HOUR_MS);
        let bits = identity(seed, self.purpose, entity, hour);
        if below(bits, 10_000) >= self.per_10_000_hours {
            return None;
        }
        let length = self.shortest_ms + below(mix(bits ^ 1), self.longest_ms - self.shortest_ms + 1);
        let start = hour * HOUR_MS + below(mix(bits ^ 2), HOUR_MS - length);
        (start..start + length).contains(&at).then_some(start + length)
    }
}

/// A vehicle stores its positions for some minutes, 0.1 % of all, …
const STORING: Spells =
    Spells { purpose: For::VehicleStore, per_10_000_hours: 100, shortest_ms: 4 * MINUTE_MS, longest_ms: 8 * MINUTE_MS };

/// … and sends them hours later: the instant, if it stores at `at`.
pub(crate) fn stored_until(seed: u64, faults: Faults, vehicle: u64, at: i64) -> Option<i64> {
    let end = STORING.end(seed, faults, vehicle, at)?;
    Some(end + HOUR_MS + below(mix(identity(seed, For::VehicleStore, vehicle, end)), STORED_MAX_MS - HOUR_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fates(faults: Faults) -> impl Iterator<Item = Fate> {
        (0..200_000).map(move |i| Fate::of(mix(i), 0, Manner::Ordinary, faults))
    }

    fn share(faults: Faults, of: impl Fn(&Fate) -> bool) -> f64 {
        f64::from(u32::try_from(fates(faults).filter(of).count()).unwrap()) / 200_000.0
    }

    #[test]
    fn without_faults_all_arrive_once_within_three_seconds() {
        assert!(fates(Faults::None).all(|f| (200..=3_000).contains(&f.receive) && !f.twice && f.mischief == 1_000));
    }

    #[test]
    fn usual_faults_come_in_their_shares() {
        let near = |share: f64, wanted: f64| (wanted * 0.85..wanted * 1.15).contains(&share);
        assert!(near(share(Faults::Usual, |f| f.twice), 0.005));
        assert!(near(share(Faults::Usual, |f| (4_001..=60_000).contains(&f.receive)), 0.01));
        assert!(near(share(Faults::Usual, |f| f.receive >= HOUR_MS), 0.001));
        assert!(fates(Faults::Usual).all(|f| f.receive < longest_delay_ms(Faults::Usual)));
        assert!(fates(Faults::Usual).all(|f| !f.broken && f.clock_ms == 0 && !f.wrong_type && f.again.is_none()));
    }

    #[test]
    fn hostile_faults_add_their_own() {
        assert!((0.009..0.011).contains(&share(Faults::Hostile, |f| f.broken)));
        assert!(share(Faults::Hostile, |f| f.clock_ms > YEAR_MS / 2) > 0.001);
        assert!(share(Faults::Hostile, |f| f.wrong_type) > 0.002);
    }

    #[test]
    fn alarms_are_never_hours_late_and_heartbeats_never_late() {
        for i in 0..100_000 {
            assert!(Fate::of(mix(i), 0, Manner::Retried, Faults::Hostile).receive <= 60_000);
            assert!(Fate::of(mix(i), 0, Manner::Presence, Faults::Hostile).receive <= 4_000);
        }
    }
}
