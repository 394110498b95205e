//! One series' records in event-time order: recent ones in a plain array, since late events still change them, older ones packed.

use serde::{Deserialize, Serialize};

use crate::packed::{Columns, Packed, WIDEST};

/// Records of `stride` columns, of which the first `keys` say which record it is (the time, and what else tells two apart) and the
/// others are added up. A record without anything left in it isn't there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Track {
    keys: u8,
    stride: u8,
    recent: Vec<i64>,
    packed: Option<Box<Packed>>,
}

impl Track {
    pub fn new(keys: usize, stride: usize) -> Self {
        Track { keys: keys as u8, stride: stride.min(WIDEST) as u8, recent: Vec::new(), packed: None }
    }

    fn keys(&self) -> usize {
        usize::from(self.keys)
    }

    pub fn stride(&self) -> usize {
        usize::from(self.stride)
    }

    /// How many records are kept, and how many of them are packed.
    pub fn len(&self) -> (usize, usize) {
        let packed = self.packed.as_ref().map_or(0, |packed| packed.len());
        (self.recent.len() / self.stride() + packed, packed)
    }

    /// Adds a record's columns to the one of its keys. Columns beyond the track's own widen it, where they aren't 0.
    pub fn put(&mut self, record: &[i64]) {
        if record.len() > self.stride() && record[self.stride()..].iter().any(|&column| column != 0) {
            self.widen(record.len());
        }
        // (sums of a packed time may stand beside it; of observations the order matters)
        let before = |newest: i64| record[0] < newest || (self.keys > 1 && record[0] == newest);
        if self.packed.as_ref().is_some_and(|packed| before(packed.newest())) {
            self.unpack();
        }
        let (stride, keys) = (self.stride(), self.keys());
        let at = self.place(&record[..keys]) * stride;
        let same = self.recent.get(at..at + keys).is_some_and(|there| *there == record[..keys]);
        if !same {
            if self.recent.capacity() - self.recent.len() < stride {
                // by a quarter, not by doubling: there are very many of these
                self.recent.reserve_exact((self.recent.len() / stride / 4 + 1) * stride);
            }
            let wanted = (0..stride).map(|column| record.get(column).copied().unwrap_or(0));
            self.recent.splice(at..at, wanted);
        } else {
            for (sum, column) in self.recent[at + keys..at + stride].iter_mut().zip(&record[keys..]) {
                *sum = sum.wrapping_add(*column);
            }
        }
        if self.recent[at + keys..at + stride].iter().all(|&column| column == 0) {
            self.recent.drain(at..at + stride);
        }
    }

    /// The place of the first recent record that isn't before `key`; nearly always the last one or the one after it.
    fn place(&self, key: &[i64]) -> usize {
        let (stride, len) = (self.stride(), self.recent.len() / self.stride());
        let before = |at: usize| self.recent[at * stride..at * stride + key.len()] < *key;
        if len == 0 || before(len - 1) {
            return len;
        }
        // the one that is being filled, before anything is looked at that isn't in the cache
        if len == 1 || before(len - 2) {
            return len - 1;
        }
        if !before(0) {
            return 0; // what leaves a window, or memory, is the oldest
        }
        let (mut low, mut high) = (1, len - 1);
        // what enters one is among the newest: steps that double, from the end
        let mut step = 1;
        while step < len && !before(len - 1 - step.min(len - 1)) {
            high = len - 1 - step;
            step *= 2;
        }
        if step < len {
            low = len - step;
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if before(middle) { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// Visits the records with from ≤ time < to, oldest first.
    pub fn visit(&self, from: i64, to: i64, mut visit: impl FnMut(&Columns)) {
        let stride = self.stride();
        if let Some(packed) = self.packed.as_deref().filter(|packed| packed.newest() >= from) {
            let rows = packed.iter(stride).skip_while(|row| row[0] < from);
            rows.take_while(|row| row[0] < to).for_each(|row| visit(&row));
        }
        let first = self.place(&[from]) * stride;
        for row in self.recent[first..].chunks_exact(stride).take_while(|row| row[0] < to) {
            visit(&columns(row));
        }
    }

    /// The time of the oldest record.
    pub fn oldest_time(&self) -> Option<i64> {
        let packed = self.packed.as_deref().and_then(|packed| packed.iter(self.stride()).next());
        packed.map(|row| row[0]).or_else(|| self.recent.first().copied())
    }

    /// The time of the newest record.
    pub fn newest_time(&self) -> Option<i64> {
        let recent = self.recent.len().checked_sub(self.stride()).map(|at| self.recent[at]);
        recent.or_else(|| self.packed.as_ref().map(|packed| packed.newest()))
    }

    /// Takes out the records before `time`, oldest first.
    pub fn drop_before(&mut self, time: i64, mut dropped: impl FnMut(&Columns)) {
        let stride = self.stride();
        if let Some(packed) = &mut self.packed {
            packed.drop_before(time, stride, &mut dropped);
            if packed.len() == 0 {
                self.packed = None;
            }
        }
        let until = self.place(&[time]) * stride;
        self.recent[..until].chunks_exact(stride).map(columns).for_each(|row| dropped(&row));
        self.give_back(until);
    }

    /// Packs the records before `until`, after `merge` has made fewer of them.
    pub fn pack_before(&mut self, until: i64, merge: impl FnOnce(Vec<Columns>) -> Vec<Columns>) {
        let stride = self.stride();
        let end = self.place(&[until]) * stride;
        if end == 0 {
            return;
        }
        let merged = merge(self.recent[..end].chunks_exact(stride).map(columns).collect());
        let packed = self.packed.get_or_insert_default();
        merged.iter().for_each(|row| packed.push(&row[..stride]));
        self.give_back(end);
    }

    fn give_back(&mut self, until: usize) {
        if until > 0 {
            self.recent.drain(..until);
            // memory that a busy hour took and a quiet one doesn't need
            if self.recent.capacity() > 2 * self.recent.len() {
                self.recent.shrink_to(self.recent.len() + self.stride());
            }
        }
    }

    /// A record came for a time that was packed already: rare (a horizon that moved back, two boards that become one).
    fn unpack(&mut self) {
        if let Some(packed) = self.packed.take() {
            let (stride, recent) = (self.stride(), std::mem::take(&mut self.recent));
            for row in packed.iter(stride) {
                self.put(&row[..stride]);
            }
            recent.chunks_exact(stride).for_each(|row| self.put(row));
        }
    }

    fn widen(&mut self, stride: usize) {
        let narrow = std::mem::replace(self, Track::new(self.keys(), stride));
        if let Some(packed) = narrow.packed {
            let mut wider = Packed::default();
            packed.iter(usize::from(narrow.stride)).for_each(|row| wider.push(&row[..self.stride()]));
            self.packed = Some(Box::new(wider));
        }
        for row in narrow.recent.chunks_exact(usize::from(narrow.stride)).map(columns) {
            self.recent.extend_from_slice(&row[..self.stride()]);
        }
    }
}

fn columns(row: &[i64]) -> Columns {
    let mut columns = [0; WIDEST];
    columns[..row.len()].copy_from_slice(row);
    columns
}
