//! A consumer group of a local log as plain data: who lives, who should hold which partition, who holds it.
//!
//! Pure: time comes in as an argument, storage is the caller's (memory: this struct; embedded: two tables that it is
//! read from and written to inside one transaction). A partition changes hands in two steps, so that an owner can
//! finish what it has: it is *claimed* by one member, and only free for the next when that one lets it go or its
//! lease is over.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::Partition;

/// How often a member says that it lives.
pub(crate) const BEAT: Duration = Duration::from_secs(1);
/// How long a member counts as alive after it last said so.
pub(crate) const LEASE: Duration = Duration::from_secs(6);

/// A topic's partition.
pub(crate) type Place = (String, Partition);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub topics: BTreeSet<String>,
    pub lease_end_ms: i64,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub members: BTreeMap<String, Member>,
    pub claims: BTreeMap<Place, String>,
}

impl Group {
    /// Renews the lease of `name`, gives back what it no longer holds nor should, claims what it should hold and is
    /// free, and returns what it may hold now. Whatever of `holding` is not in the answer is to be let go.
    pub fn beat(
        &mut self,
        now_ms: i64,
        name: &str,
        topics: &BTreeSet<String>,
        holding: &BTreeSet<Place>,
        partitions_of: impl Fn(&str) -> u32,
    ) -> BTreeSet<Place> {
        let lease_ms = LEASE.as_millis() as i64;
        let lease_end_ms = now_ms + lease_ms;
        self.members.insert(name.to_owned(), Member { topics: topics.clone(), lease_end_ms });
        // A lease far in the future is one from before the clock was set back: its holder would never be found dead.
        self.members.retain(|_, m| m.lease_end_ms > now_ms && m.lease_end_ms <= now_ms + 2 * lease_ms);
        let members = &self.members;
        self.claims.retain(|_, holder| members.contains_key(holder));

        let wanted = spread(&self.members, partitions_of).remove(name).unwrap_or_default();
        self.claims.retain(|place, holder| holder != name || wanted.contains(place) || holding.contains(place));
        for place in &wanted {
            self.claims.entry(place.clone()).or_insert_with(|| name.to_owned());
        }
        wanted.into_iter().filter(|place| self.claims.get(place).is_some_and(|holder| holder == name)).collect()
    }

    pub fn leave(&mut self, name: &str) {
        self.members.remove(name);
        self.claims.retain(|_, holder| holder != name);
    }
}

/// Who should hold what: each topic's partitions in turn over the members that want it, in order of their names, so
/// that every member computes the same. A topic starts at the member where the one before ended, to keep them even.
fn spread(
    members: &BTreeMap<String, Member>,
    partitions_of: impl Fn(&str) -> u32,
) -> BTreeMap<String, BTreeSet<Place>> {
    let mut wanted: BTreeMap<String, BTreeSet<Place>> = BTreeMap::new();
    let topics: BTreeSet<&String> = members.values().flat_map(|m| &m.topics).collect();
    let mut turn = 0;
    for topic in topics {
        let takers: Vec<&String> = members.iter().filter(|(_, m)| m.topics.contains(topic)).map(|(n, _)| n).collect();
        for partition in 0..partitions_of(topic) {
            wanted.entry(takers[turn % takers.len()].clone()).or_default().insert((topic.clone(), partition));
            turn += 1;
        }
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics() -> BTreeSet<String> {
        BTreeSet::from(["t".to_owned()])
    }

    fn four(_topic: &str) -> u32 {
        4
    }

    fn one(_topic: &str) -> u32 {
        1
    }

    fn places(numbers: &[Partition]) -> BTreeSet<Place> {
        numbers.iter().map(|p| ("t".to_owned(), *p)).collect()
    }

    #[test]
    fn a_newcomer_waits_until_the_holder_lets_go() {
        let mut group = Group::default();
        assert_eq!(group.beat(0, "a", &topics(), &places(&[]), four), places(&[0, 1, 2, 3]));
        assert_eq!(group.beat(10, "b", &topics(), &places(&[]), four), places(&[]), "all are still held by a");
        assert_eq!(group.beat(20, "a", &topics(), &places(&[0, 1, 2, 3]), four), places(&[0, 2]));
        assert_eq!(group.beat(30, "b", &topics(), &places(&[]), four), places(&[]), "a has not let go yet");
        assert_eq!(group.beat(40, "a", &topics(), &places(&[0, 2]), four), places(&[0, 2]));
        assert_eq!(group.beat(50, "b", &topics(), &places(&[]), four), places(&[1, 3]));
    }

    #[test]
    fn the_dead_lose_their_partitions_when_their_lease_is_over() {
        let mut group = Group::default();
        group.beat(0, "a", &topics(), &places(&[]), four);
        group.beat(3_000, "b", &topics(), &places(&[]), four);
        assert_eq!(group.beat(5_999, "b", &topics(), &places(&[]), four), places(&[]));
        assert_eq!(group.beat(6_000, "b", &topics(), &places(&[]), four), places(&[0, 1, 2, 3]));
    }

    #[test]
    fn a_member_that_was_thought_dead_learns_that_it_lost() {
        let mut group = Group::default();
        group.beat(0, "a", &topics(), &places(&[]), four);
        group.beat(7_000, "b", &topics(), &places(&[]), four);
        let held = places(&[0, 1, 2, 3]);
        assert_eq!(group.beat(7_100, "a", &topics(), &held, four), places(&[]), "all went to b");
    }

    #[test]
    fn a_clock_set_back_does_not_make_the_dead_immortal() {
        let mut group = Group::default();
        group.beat(3_600_000, "a", &topics(), &places(&[]), four);
        assert_eq!(group.beat(0, "b", &topics(), &places(&[]), four), places(&[0, 1, 2, 3]));
    }

    #[test]
    fn members_with_different_topics_agree() {
        let mut group = Group::default();
        let both: BTreeSet<String> = ["s".to_owned(), "t".to_owned()].into();
        let mut held = (BTreeSet::new(), BTreeSet::new());
        for _ in 0..3 {
            held.0 = group.beat(0, "a", &both, &held.0, one);
            held.1 = group.beat(0, "b", &topics(), &held.1, one);
        }
        assert_eq!(held, (BTreeSet::from([("s".to_owned(), 0)]), places(&[0])));
    }

    #[test]
    fn members_share_topics_evenly() {
        let mut group = Group::default();
        let both: BTreeSet<String> = ["t".to_owned(), "u".to_owned()].into();
        group.beat(0, "a", &both, &BTreeSet::new(), one);
        group.beat(0, "b", &both, &BTreeSet::new(), one);
        group.beat(0, "a", &both, &BTreeSet::new(), one);
        assert_eq!(group.beat(0, "a", &both, &BTreeSet::new(), one).len(), 1);
        assert_eq!(group.beat(0, "b", &both, &BTreeSet::new(), one).len(), 1);
    }
}
