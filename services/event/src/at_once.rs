//! An event in one reading. The general way ([`crate::decode`]) looks for the envelope's end first, and reads the data in it a second
//! time, since its `type` may stand behind it. Nearly always it stands before: then the data is read where it is met.
//!
//! Whatever isn't as usual ends the reading, and the general way says what is the matter: so what is refused, and with which words, has
//! one place. What is read here is what is read there (`tests/at_once.rs`).

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};

use crate::envelope::{From, SpecVersion, created_has, data};
use crate::member::{Kind, Name, SourceRef};
use crate::{Data, Event, TimeMs, time};

/// The event, if it is one and its members stand in the usual order.
pub(crate) fn read(text: &str) -> Option<Event<'_>> {
    let mut from = serde_json::Deserializer::from_str(text);
    let event = from.deserialize_map(Whole).ok()?;
    from.end().ok()?;
    created_has(&event.data).ok()?;
    Some(event)
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Member {
    SpecVersion,
    Id,
    Source,
    Type,
    Time,
    ReceivedTime,
    Data,
    #[serde(other)]
    Other,
}

struct Whole;

impl<'de> Visitor<'de> for Whole {
    type Value = Event<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Event<'de>, A::Error> {
        let (mut version, mut id, mut source, mut type_name) = (None, None, None, None);
        let (mut time, mut received, mut content) = (None, None, None);
        while let Some(member) = members.next_key()? {
            match member {
                Member::SpecVersion => once(&mut version, members.next_value_seed(Of::<SpecVersion>::new())?)?,
                Member::Id => once(&mut id, members.next_value_seed(Of::<Name>::new())?)?,
                Member::Source => once(&mut source, members.next_value_seed(Of::<SourceRef>::new())?)?,
                Member::Type => once(&mut type_name, members.next_value::<TypeName<'_>>()?.0)?,
                Member::Time => once(&mut time, members.next_value::<Time>()?.0)?,
                Member::ReceivedTime => once(&mut received, members.next_value::<Received>()?.0)?,
                Member::Data => {
                    let type_name = type_name.as_deref().ok_or_else(unusual)?;
                    once(&mut content, members.next_value_seed(Content { type_name })?)?;
                }
                Member::Other => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        match (version, id, source, time, content) {
            (Some(()), Some(id), Some(source), Some(time), Some(data)) => {
                Ok(Event { id, source, time, received: received.flatten(), data })
            }
            _ => Err(unusual()),
        }
    }
}

fn once<T, E: Error>(member: &mut Option<T>, value: T) -> Result<(), E> {
    match member.replace(value) {
        None => Ok(()),
        Some(_) => Err(unusual()),
    }
}

/// Nobody reads it: the general way says what is the matter.
fn unusual<E: Error>() -> E {
    E::custom("unusual")
}

/// A member of some kind.
struct Of<K>(PhantomData<K>);

impl<K> Of<K> {
    fn new() -> Self {
        Of(PhantomData)
    }
}

impl<'de, K: Kind<'de>> DeserializeSeed<'de> for Of<K> {
    type Value = K::Out;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<K::Out, D::Error> {
        K::read(from)
    }
}

#[derive(Deserialize)]
#[serde(transparent)]
struct TypeName<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
#[serde(transparent)]
struct Time(#[serde(with = "time::rfc3339")] TimeMs);

#[derive(Deserialize)]
#[serde(transparent)]
struct Received(#[serde(with = "time::rfc3339::option")] Option<TimeMs>);

/// The data of an event whose type is known by now.
struct Content<'t> {
    type_name: &'t str,
}

impl<'de> DeserializeSeed<'de> for Content<'_> {
    type Value = Data<'de>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Data<'de>, D::Error> {
        data(self.type_name, InPlace(from))?.ok_or_else(unusual)
    }
}

/// Data where it stands.
struct InPlace<D>(D);

impl<'de, D: Deserializer<'de>> From<'de> for InPlace<D> {
    type Error = D::Error;

    fn read<T: Deserialize<'de>>(self) -> Result<T, D::Error> {
        T::deserialize(Object(self.0))
    }
}

/// Reads a struct from an object alone; serde would also take an array.
struct Object<D>(D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Object<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct seq
        tuple tuple_struct map struct enum identifier ignored_any
    }
}
