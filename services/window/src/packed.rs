//! Records that don't change any more, in a few bytes each: columns of integers that are mostly small.

use std::collections::VecDeque;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A record's columns, the time first; those beyond a track's own are 0.
pub(crate) type Columns = [i64; WIDEST];

/// The most columns that a record has.
pub(crate) const WIDEST: usize = 6;

/// A queue of records with ascending times. The time is kept as the difference from the record before, and every column as a
/// variable-length integer (LEB128, the sign in the lowest bit): a bucket of a few departures takes 7 bytes instead of 32.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Packed {
    #[serde(serialize_with = "to_bytes", deserialize_with = "from_bytes")]
    bytes: VecDeque<u8>,
    records: usize,
    /// The times that the first record's difference counts from, and of the newest record.
    base: i64,
    newest: i64,
}

impl Packed {
    pub fn push(&mut self, record: &[i64]) {
        let Some((&time, columns)) = record.split_first() else { return };
        if self.records == 0 {
            (self.base, self.newest) = (time, time);
        }
        if self.bytes.capacity() - self.bytes.len() < 10 * WIDEST {
            // by a quarter, not by doubling: there are very many of these
            self.bytes.reserve_exact(10 * WIDEST + self.bytes.len() / 4);
        }
        write(&mut self.bytes, time.wrapping_sub(self.newest));
        columns.iter().for_each(|&column| write(&mut self.bytes, column));
        self.newest = time;
        self.records += 1;
    }

    pub fn len(&self) -> usize {
        self.records
    }

    pub fn newest(&self) -> i64 {
        self.newest
    }

    /// The records, oldest first, of `stride` columns each.
    pub fn iter(&self, stride: usize) -> impl Iterator<Item = Columns> + '_ {
        let (mut bytes, mut time) = (self.bytes.iter().copied(), self.base);
        (0..self.records).map(move |_| read(&mut bytes, stride, &mut time))
    }

    /// Takes out the records before `time`.
    pub fn drop_before(&mut self, time: i64, stride: usize, mut dropped: impl FnMut(&Columns)) {
        let (mut bytes, mut base, mut gone) = (self.bytes.iter().copied(), self.base, (0, 0, self.base));
        for record in 1..=self.records {
            let columns = read(&mut bytes, stride, &mut base);
            if columns[0] >= time {
                break;
            }
            dropped(&columns);
            gone = (record, self.bytes.len() - bytes.len(), base);
        }
        self.records -= gone.0;
        self.base = gone.2;
        self.bytes.drain(..gone.1);
    }
}

fn write(bytes: &mut VecDeque<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        bytes.push_back(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push_back(rest as u8);
}

fn read(bytes: &mut impl Iterator<Item = u8>, stride: usize, time: &mut i64) -> Columns {
    let mut columns = [0; WIDEST];
    for column in columns.iter_mut().take(stride) {
        let (mut value, mut shift) = (0u64, 0);
        for byte in bytes.by_ref() {
            value |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 || shift > 63 {
                break;
            }
        }
        *column = (value >> 1) as i64 ^ -((value & 1) as i64);
    }
    *time = time.wrapping_add(columns[0]);
    columns[0] = *time;
    columns
}

fn to_bytes<S: Serializer>(bytes: &VecDeque<u8>, serializer: S) -> Result<S::Ok, S::Error> {
    let bytes: Vec<u8> = bytes.iter().copied().collect();
    serializer.serialize_bytes(&bytes)
}

fn from_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<VecDeque<u8>, D::Error> {
    serde_bytes::ByteBuf::deserialize(deserializer).map(|bytes| bytes.into_vec().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn records_come_back_as_they_went_in(
            steps in prop::collection::vec((0i64..1_000_000, any::<i64>(), -3i64..3), 0..40),
            first in -1_000_000_000_000i64..1_000_000_000_000,
            cut in 0usize..50,
        ) {
            let mut time = first;
            let records: Vec<[i64; 3]> = steps.iter().map(|&(step, a, b)| { time += step; [time, a, b] }).collect();
            let mut packed = Packed::default();
            records.iter().for_each(|record| packed.push(record));
            let back = |packed: &Packed| packed.iter(3).map(|columns| [columns[0], columns[1], columns[2]]).collect::<Vec<_>>();
            prop_assert_eq!(back(&packed), records.clone());
            let cut = records.get(cut).map_or(i64::MAX, |record| record[0]);
            let mut dropped = 0;
            packed.drop_before(cut, 3, |_| dropped += 1);
            let kept: Vec<_> = records.iter().copied().filter(|record| record[0] >= cut).collect();
            prop_assert_eq!(dropped, records.len() - kept.len());
            prop_assert_eq!(packed.len(), kept.len());
            prop_assert_eq!(back(&packed), kept);
        }
    }
}
