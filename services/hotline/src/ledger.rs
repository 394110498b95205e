//! What an order counts, as a whole: what it counted before an event is taken back and what it counts after it is put in its place.
//! Most of it is the same, and never reaches the board.

use std::collections::BTreeMap;

use yiping_event::TimeMs;
use yiping_window::{Context, KeyId, Level, MetricId};

use crate::entity::order::Levels;

type Place = (MetricId, Level, KeyId, TimeMs);
/// Numerator, denominator, n.
type Sums = [i64; 3];

/// Contributions that aren't on the board yet.
#[derive(Debug)]
pub struct Ledger {
    everywhere: KeyId,
    sign: i64,
    flows: BTreeMap<Place, Sums>,
    states: BTreeMap<Place, Sums>,
}

impl Ledger {
    /// `everywhere`: the key of the level `city`.
    pub fn new(everywhere: KeyId) -> Self {
        Ledger { everywhere, sign: 1, flows: BTreeMap::new(), states: BTreeMap::new() }
    }

    /// From here on contributions are counted (1) or taken back (−1).
    pub fn turn(&mut self, sign: i64) {
        self.sign = sign;
    }

    /// Something that happened, at the levels that most figures of orders have.
    pub fn flow(&mut self, metric: Option<MetricId>, levels: Levels, time: TimeMs, sums: Sums) {
        for (level, key) in self.places(levels) {
            self.flow_at(metric, level, key, time, sums);
        }
    }

    /// Something that happened, at one level.
    pub fn flow_at(&mut self, metric: Option<MetricId>, level: Level, key: KeyId, time: TimeMs, sums: Sums) {
        if let Some(metric) = metric {
            put(&mut self.flows, (metric, level, key, time), sums, self.sign);
        }
    }

    /// A state that changes at a time.
    pub fn shift(&mut self, metric: Option<MetricId>, levels: Levels, time: TimeMs, num: i64, den: i64) {
        let Some(metric) = metric else { return };
        for (level, key) in self.places(levels) {
            put(&mut self.states, (metric, level, key, time), [num, den, 0], self.sign);
        }
    }

    fn places(&self, levels: Levels) -> impl Iterator<Item = (Level, KeyId)> + use<> {
        let agency = levels.agency.map(|agency| (Level::Agency, agency));
        [
            Some((Level::City, self.everywhere)),
            Some((Level::District, levels.district)),
            Some((Level::Category, levels.category)),
            agency,
        ]
        .into_iter()
        .flatten()
    }

    /// Puts on the board what isn't the same before and after.
    pub fn settle(self, context: &mut Context<'_>) {
        for ((metric, level, key, time), [num, den, n]) in self.flows {
            context.add(metric, &[(level, key)], time, num, den, n);
        }
        for ((metric, level, key, time), [num, den, n]) in self.states {
            context.shift(metric, &[(level, key)], time, num, den, n);
        }
    }
}

fn put(into: &mut BTreeMap<Place, Sums>, place: Place, sums: Sums, sign: i64) {
    let known = into.entry(place).or_default();
    for (known, by) in known.iter_mut().zip(sums) {
        *known += sign * by;
    }
    if *known == [0; 3] {
        into.remove(&place);
    }
}
