//! What was sent lately, so that a poll that repeats itself is not sent again. A memory, not a promise: what it has
//! forgotten is sent once more, and counted once by its id (I7).

use std::collections::HashSet;

use sha2::{Digest, Sha256};

/// A hash of what makes a thing the same: 16 bytes, so that no two of a city's events ever share one.
pub type Key = [u8; 16];

/// So many are remembered at least, and twice as many at most: about 7 MB a feed.
pub const REMEMBERED: usize = 100_000;

/// The key of an event (its source and id) or of a row.
pub fn key(parts: [&str; 2]) -> Key {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    let mut key = Key::default();
    key.copy_from_slice(&hash.finalize()[..16]);
    key
}

/// Two halves: when the newer is full, the older is forgotten.
#[derive(Default)]
pub struct Seen {
    newer: HashSet<Key>,
    older: HashSet<Key>,
}

impl Seen {
    /// Whether it was sent; what is asked for is remembered longer.
    pub fn has(&mut self, key: &Key) -> bool {
        let had = self.newer.contains(key) || self.older.remove(key);
        if had {
            self.note(*key);
        }
        had
    }

    pub fn note(&mut self, key: Key) {
        self.newer.insert(key);
        if self.newer.len() >= REMEMBERED {
            self.older = std::mem::take(&mut self.newer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nth(n: usize) -> Key {
        key(["source", &n.to_string()])
    }

    #[test]
    fn what_is_repeated_is_never_forgotten_and_memory_ends_somewhere() {
        let mut seen = Seen::default();
        assert!(!seen.has(&nth(0)));
        for n in 0..5 * REMEMBERED {
            seen.note(nth(n));
            assert!(n % 1_000 > 0 || seen.has(&nth(0)), "{n}");
        }
        assert!(seen.newer.len() + seen.older.len() <= 2 * REMEMBERED);
        assert!(!seen.has(&nth(1)), "long ago");
        assert!(seen.has(&nth(5 * REMEMBERED - 1)));
    }

    #[test]
    fn parts_dont_run_into_each_other() {
        assert_ne!(key(["ab", "c"]), key(["a", "bc"]));
    }
}
