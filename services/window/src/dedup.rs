//! Counted once (I7): ids seen within the lateness, listed in slices of event time so that old ones leave together and a
//! checkpoint's slice, once its time is past, never changes again.

use std::{
    collections::{BTreeMap, HashSet},
    hash::{BuildHasherDefault, Hasher},
};

use crate::order::EntityId;

/// Ids leave memory, and enter checkpoints, in slices of this many ms of event time.
pub const SLICE_MS: i64 = 10 * 60 * 1_000;

/// The ids are hashes already: hashing them again would only cost.
#[derive(Default)]
pub struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u128(&mut self, id: u128) {
        self.0 = id as u64;
    }
}

/// Hashing for maps keyed by [`EntityId`].
pub type ByEntity = BuildHasherDefault<AsIs>;

#[derive(Clone, Debug, Default)]
pub struct Dedup {
    seen: HashSet<EntityId, ByEntity>,
    slices: BTreeMap<i64, Vec<EntityId>>,
}

impl Dedup {
    /// Notes an id; false when it was there already, under whatever time.
    pub fn first_sight(&mut self, id: EntityId, time_ms: i64) -> bool {
        let first = self.seen.insert(id);
        if first {
            self.slices.entry(time_ms.div_euclid(SLICE_MS)).or_default().push(id);
        }
        first
    }

    /// Forgets slices that lie wholly before the horizon: an event of theirs is too late anyway.
    pub fn forget_before(&mut self, horizon_ms: i64) {
        let kept = self.slices.split_off(&horizon_ms.div_euclid(SLICE_MS));
        for id in std::mem::replace(&mut self.slices, kept).into_values().flatten() {
            self.seen.remove(&id);
        }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.seen.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// The slices, oldest first, each with its ids in the order of the log: equal logs give equal bytes.
    pub fn slices(&self) -> impl Iterator<Item = (i64, &[EntityId])> + '_ {
        self.slices.iter().map(|(&slice, ids)| (slice, ids.as_slice()))
    }

    pub fn restore(&mut self, slice: i64, ids: Vec<EntityId>) {
        self.seen.extend(&ids);
        self.slices.entry(slice).or_default().extend(ids);
    }
}
