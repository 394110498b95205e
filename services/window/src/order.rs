//! The order of an entity's events, and its identity in memory.

use std::hash::Hasher;

use serde::{Deserialize, Serialize};
use siphasher::sip128::{Hasher128, SipHasher13};
use yiping_event::{Event, TimeMs};

/// An entity or event by the hash of its id: 16 bytes instead of a string. Two different ids meet once in 2⁶⁴ of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EntityId(pub u128);

impl EntityId {
    #[must_use]
    pub fn of(parts: &[&str]) -> Self {
        let mut hasher = SipHasher13::new();
        for part in parts {
            hasher.write(part.as_bytes());
            hasher.write_u8(0xff); // no UTF-8 text holds this byte, so parts can't run into each other
        }
        EntityId(hasher.finish128().as_u128())
    }
}

/// Where an event stands among its entity's: by time, then by the contract's list of events, then by id.
///
/// Of the id its first 16 bytes are compared, then a hash: the order is the ids' own wherever those 16 bytes differ, and the
/// same on every machine always.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Order {
    pub time: TimeMs,
    pub rank: u8,
    id: [u8; 16],
    tie: u64,
}

impl Order {
    #[must_use]
    pub fn of(event: &Event<'_>) -> Self {
        Order::new(event.time, event.rank(), &event.id, &event.source)
    }

    #[must_use]
    pub fn new(time: TimeMs, rank: u8, id: &str, source: &str) -> Self {
        let mut first = [0; 16];
        let length = id.len().min(16);
        first[..length].copy_from_slice(&id.as_bytes()[..length]);
        Order { time, rank, id: first, tie: EntityId::of(&[id, source]).0 as u64 }
    }

    /// A timer's place: after every event of its millisecond, since a deadline met on the dot is met.
    #[must_use]
    pub fn timer(time: TimeMs) -> Self {
        Order { time, rank: u8::MAX, id: [0; 16], tie: 0 }
    }
}
