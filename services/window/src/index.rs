//! Which series is whose: by metric and level, then by key. Numbers of all three are small, so tables do, and a table is found faster
//! than a hash is made.

use crate::{
    key::{KeyId, Level},
    metric::MetricId,
};

#[derive(Clone, Debug, Default)]
pub(crate) struct Index(Vec<Vec<u32>>);

/// Where no series is.
const NONE: u32 = u32::MAX;

impl Index {
    fn row(metric: MetricId, level: Level) -> usize {
        usize::from(metric.0) * Level::ALL.len() + level as usize
    }

    pub fn get(&self, (metric, level, key): (MetricId, Level, KeyId)) -> Option<usize> {
        let place = *self.0.get(Index::row(metric, level))?.get(key.0 as usize)?;
        (place != NONE).then_some(place as usize)
    }

    pub fn insert(&mut self, (metric, level, key): (MetricId, Level, KeyId), place: usize) {
        let (row, key) = (Index::row(metric, level), key.0 as usize);
        if self.0.len() <= row {
            self.0.resize_with(row + 1, Vec::new);
        }
        let row = &mut self.0[row];
        if row.len() <= key {
            row.resize(key + 1, NONE);
        }
        row[key] = u32::try_from(place).unwrap_or(NONE);
    }
}
