//! Randomness that is the same everywhere: ChaCha8 for what an entity does in a day, a mixing function for what befalls
//! a single event. No libm of the machine: its last digits differ.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a draw is for, so that no two purposes share their luck. Numbers are part of the output: never change one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum For {
    Position = 1,
    Stop = 2,
    Trip = 3,
    Vehicle = 4,
    Lot = 5,
    LotDay = 6,
    Snapshot = 7,
    Stay = 8,
    Calls = 9,
    Orders = 10,
    ElderCalls = 11,
    ElderOrders = 12,
    Sos = 13,
    Device = 14,
    SourceHeartbeat = 15,
    SourceSpell = 16,
    LotSpell = 17,
    VehicleSpell = 18,
    VehicleStore = 19,
    LostExit = 20,
    Incident = 21,
    Traffic = 22,
}

/// A stream of draws for one entity and one unit of time (usually a day).
pub(crate) struct Draws(ChaCha8Rng);

impl Draws {
    pub(crate) fn new(seed: u64, purpose: For, entity: u64, unit: i64) -> Draws {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&(purpose as u64).to_le_bytes());
        key[16..24].copy_from_slice(&entity.to_le_bytes());
        key[24..].copy_from_slice(&unit.to_le_bytes());
        Draws(ChaCha8Rng::from_seed(key))
    }

    /// In [0, 1).
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
    pub(crate) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// A whole number in [low, high).
    pub(crate) fn whole(&mut self, low: i64, high: i64) -> i64 {
        below(self.0.next_u64(), high - low) + low
    }

    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * libm::log(1.0 - self.unit())
    }

    /// An index, each as likely as its weight.
    pub(crate) fn pick(&mut self, weights: &[u32]) -> usize {
        let total: i64 = weights.iter().map(|&w| i64::from(w)).sum();
        let mut left = self.whole(0, total.max(1));
        weights
            .iter()
            .position(|&w| {
                left -= i64::from(w);
                left < 0
            })
            .unwrap_or(0)
    }
}

/// Milliseconds of a length in seconds; beyond a month it stops.
#[expect(clippy::cast_possible_truncation, reason = "clamped")]
pub(crate) fn ms(seconds: f64) -> i64 {
    libm::round(seconds.clamp(-3e6, 3e6) * 1000.0) as i64
}

/// `count` times `scale`, rounded down; never below 0.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
pub(crate) fn scaled(count: u64, scale: f64) -> u64 {
    #[expect(clippy::cast_precision_loss, reason = "counts of vehicles and calls")]
    let scaled = count as f64 * scale;
    // a billionth against products like 0.1 × 1400 = 139.99…
    if scaled > 0.0 { (scaled + 1e-9).min(1e9) as u64 } else { 0 }
}

/// One step of splitmix64: neighbours in, strangers out.
pub(crate) const fn mix(word: u64) -> u64 {
    let z = word.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The identity of something said: also the id of its event.
pub(crate) const fn identity(seed: u64, purpose: For, entity: u64, unit: i64) -> u64 {
    mix(mix(mix(mix(seed) ^ purpose as u64) ^ entity) ^ unit as u64)
}

/// A whole number in [0, span) from 64 random bits.
#[expect(clippy::cast_sign_loss, reason = "the product of 64 bits and a positive span, shifted back")]
pub(crate) const fn below(bits: u64, span: i64) -> i64 {
    if span <= 0 { 0 } else { ((bits as u128 * span as u128) >> 64) as i64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_the_same_for_ever() {
        let mut draws = Draws::new(1, For::Vehicle, 7, 20_000);
        let some: Vec<i64> = (0..4).map(|_| draws.whole(0, 1_000)).collect();
        let mut again = Draws::new(1, For::Vehicle, 7, 20_000);
        assert_eq!(some, (0..4).map(|_| again.whole(0, 1_000)).collect::<Vec<_>>());
        let mut other = Draws::new(1, For::Vehicle, 8, 20_000);
        assert_ne!(some, (0..4).map(|_| other.whole(0, 1_000)).collect::<Vec<_>>());
        assert_eq!(identity(1, For::Sos, 2, 3), identity(1, For::Sos, 2, 3));
        assert_ne!(identity(1, For::Sos, 2, 3), identity(1, For::Sos, 3, 2));
    }

    #[test]
    fn weights_and_means_are_kept() {
        let mut draws = Draws::new(1, For::Calls, 0, 0);
        let mut hits = [0; 3];
        for _ in 0..10_000 {
            hits[draws.pick(&[6, 3, 1])] += 1;
        }
        assert!((5_700..6_300).contains(&hits[0]) && (800..1_200).contains(&hits[2]), "{hits:?}");
        let mean = (0..10_000).map(|_| draws.exponential(150.0)).sum::<f64>() / 10_000.0;
        assert!((145.0..155.0).contains(&mean), "{mean}");
        assert_eq!(scaled(1_400, 0.1), 140);
        assert_eq!(scaled(1_400, -1.0), 0);
    }
}
