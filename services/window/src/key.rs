//! Levels and keys of rows; keys are interned, since every event names the same few.

use std::{cell::RefCell, collections::HashMap, fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// At what grain a figure is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Level {
    City,
    District,
    Route,
    Lot,
    Floor,
    Category,
    DistrictCategory,
    Agency,
    Channel,
    Street,
}

impl Level {
    pub const ALL: [Level; 10] = [
        Level::City,
        Level::District,
        Level::Route,
        Level::Lot,
        Level::Floor,
        Level::Category,
        Level::DistrictCategory,
        Level::Agency,
        Level::Channel,
        Level::Street,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Level::City => "city",
            Level::District => "district",
            Level::Route => "route",
            Level::Lot => "lot",
            Level::Floor => "floor",
            Level::Category => "category",
            Level::DistrictCategory => "district_category",
            Level::Agency => "agency",
            Level::Channel => "channel",
            Level::Street => "street",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that very many rows share: of a metric, of a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

impl Name {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    #[must_use]
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        Name(name.into())
    }
}

impl From<Arc<str>> for Name {
    fn from(name: Arc<str>) -> Self {
        Name(name)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl PartialEq<String> for Name {
    fn eq(&self, other: &String) -> bool {
        *self.0 == **other
    }
}

impl std::ops::Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
    }
}

/// An interned key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct KeyId(pub u32);

thread_local! {
    /// See [`translated`].
    static TRANSLATION: RefCell<Option<Vec<KeyId>>> = const { RefCell::new(None) };
}

/// Runs `read` such that every key number read in it comes out as `to[number]`: state of one machine in the numbers of another.
/// So no domain needs to know where in its state keys are. Numbers beyond the table stay.
pub fn translated<R>(to: Vec<KeyId>, read: impl FnOnce() -> R) -> R {
    TRANSLATION.set(Some(to));
    let result = read();
    TRANSLATION.set(None);
    result
}

impl<'de> Deserialize<'de> for KeyId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let id = u32::deserialize(deserializer)?;
        let translation = |to: &Option<Vec<KeyId>>| to.as_ref().and_then(|to| to.get(id as usize).copied());
        Ok(TRANSLATION.with_borrow(translation).unwrap_or(KeyId(id)))
    }
}

/// The interned keys of one machine; ids count up in the order of first use, which is the log's.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    names: Vec<Arc<str>>,
    ids: HashMap<Arc<str>, KeyId, foldhash::fast::RandomState>,
}

impl Keys {
    pub fn intern(&mut self, name: &str) -> KeyId {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let id = KeyId(u32::try_from(self.names.len()).unwrap_or(u32::MAX));
        let name: Arc<str> = Arc::from(name);
        self.names.push(Arc::clone(&name));
        self.ids.insert(name, id);
        id
    }

    /// The name behind an id of this table; empty for an id of another one.
    #[must_use]
    pub fn name(&self, id: KeyId) -> &str {
        self.names.get(id.0 as usize).map_or("", AsRef::as_ref)
    }

    /// The same, to be kept.
    #[must_use]
    pub fn shared(&self, id: KeyId) -> Name {
        self.names.get(id.0 as usize).map_or_else(|| Name::from(""), |name| Name(Arc::clone(name)))
    }
}

impl Keys {
    /// The names, by id.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(AsRef::as_ref)
    }
}

impl Serialize for Keys {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names.iter().map(AsRef::<str>::as_ref))
    }
}

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut keys = Keys::default();
        for name in Vec::<String>::deserialize(deserializer)? {
            keys.intern(&name);
        }
        Ok(keys)
    }
}
