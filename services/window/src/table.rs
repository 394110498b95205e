//! The entities of one kind, by the hash of their id, each with the key that its records have in the log: with another partition
//! count every entity goes where its records go (I4).

use std::collections::HashMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{dedup::ByEntity, order::EntityId};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry<T> {
    /// The log key of the entity's records; `None` in state of a format that didn't keep it, until its next event.
    key: Option<Box<str>>,
    value: T,
}

/// Entities of one kind. Equal logs give equal tables; the order of iteration is no part of that.
#[derive(Clone, Debug)]
pub struct Table<T> {
    entries: HashMap<EntityId, Entry<T>, ByEntity>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Table { entries: HashMap::default() }
    }
}

/// An entity without a known key: it can't be said which partition will get its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "state of an older format doesn't know the keys of some entities; let the service run on it until they were heard of or forgotten"
)]
pub struct NoKey;

impl<T> Table<T> {
    /// The entity, made by `new` when it isn't there. `key`: of the record that tells of it.
    pub fn entry(&mut self, id: EntityId, key: &str, new: impl FnOnce() -> T) -> &mut T {
        let entry = self.entries.entry(id).or_insert_with(|| Entry { key: Some(key.into()), value: new() });
        if entry.key.is_none() {
            entry.key = Some(key.into());
        }
        &mut entry.value
    }

    #[must_use]
    pub fn get(&self, id: EntityId) -> Option<&T> {
        self.entries.get(&id).map(|entry| &entry.value)
    }

    pub fn get_mut(&mut self, id: EntityId) -> Option<&mut T> {
        self.entries.get_mut(&id).map(|entry| &mut entry.value)
    }

    pub fn remove(&mut self, id: EntityId) -> Option<T> {
        self.entries.remove(&id).map(|entry| entry.value)
    }

    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.entries.values().map(|entry| &entry.value)
    }

    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.entries.values_mut().map(|entry| &mut entry.value)
    }

    /// Keeps the entities for which `keep` holds.
    pub fn retain(&mut self, mut keep: impl FnMut(&mut T) -> bool) {
        self.entries.retain(|_, entry| keep(&mut entry.value));
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The log key of an entity's records.
    #[must_use]
    pub fn key(&self, id: EntityId) -> Option<&str> {
        self.entries.get(&id).and_then(|entry| entry.key.as_deref())
    }

    /// Hands every entity to that table of the place that `place` names for its key.
    ///
    /// # Errors
    /// [`NoKey`]; some entities have then been handed over: the caller gives the whole up.
    pub fn scatter<P>(
        self,
        place: &dyn Fn(&str) -> usize,
        into: &mut [P],
        of: impl Fn(&mut P) -> &mut Table<T>,
    ) -> Result<(), NoKey> {
        for (id, entry) in self.entries {
            let to = place(entry.key.as_deref().ok_or(NoKey)?);
            if let Some(to) = into.get_mut(to) {
                of(to).entries.insert(id, entry);
            }
        }
        Ok(())
    }

    /// A table of entities whose keys an older format didn't keep.
    #[must_use]
    pub fn without_keys(entities: HashMap<EntityId, T, ByEntity>) -> Self {
        Table { entries: entities.into_iter().map(|(id, value)| (id, Entry { key: None, value })).collect() }
    }
}

/// In the order of ids: equal tables give equal bytes, whatever the history of their maps.
impl<T: Serialize> Serialize for Table<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entries: Vec<(&EntityId, &Entry<T>)> = self.entries.iter().collect();
        entries.sort_unstable_by_key(|entry| entry.0);
        serializer.collect_seq(entries)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Table<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Table { entries: Vec::<(EntityId, Entry<T>)>::deserialize(deserializer)?.into_iter().collect() })
    }
}
