//! The events of a city: what a record must look like to be one, and nothing about what is made of it.
//!
//! Bytes come in as one structured CloudEvent and leave as an [`Event`] that keeps every promise of
//! `schemas/events/`, or as a [`Reject`] that says where and why. The crate knows no log, no window, no
//! city profile and no clock: whether a place is in the city, a time is late or a lot exists is judged by others.
//!
//! | file | stage |
//! | --- | --- |
//! | `envelope.rs` | bytes → envelope → typed data ([`decode`]), and back ([`Event::to_json`]) |
//! | `at_once.rs` | the same in one reading, for nearly every event |
//! | `reject.rs` | why bytes are no event, with a JSON pointer and without the sender's values |
//! | `event.rs` | [`Event`], [`Data`]: the table of types |
//! | `types.rs` | the same table for senders, with the published schemas ([`TYPES`]) |
//! | `personal.rs` | what looks like a person's number or plate, in any text |
//! | `order.rs` | a record's key, and the order within a millisecond |
//! | `member.rs`, `words.rs` | the kinds of members: texts, numbers, closed lists of words |
//! | `time.rs`, `stream.rs`, `place.rs` | [`TimeMs`], [`Stream`], [`Datum`] |
//! | `bus.rs` `parking.rs` `hotline.rs` `elder.rs` `source.rs` | the data of each type |
//!
//! Points that hold for all types (schemas and Rust say the same; `tests/schemas.rs` holds them to it):
//! - an optional member that is `null` is absent; a required one may not be `null`;
//! - members that nobody knows are ignored, in `data` and in the envelope, however deep they are;
//! - a known member that stands twice is refused: nobody can say which one was meant;
//! - an integer may be written `3.0`; no number may be written as a string, nor the other way round;
//! - lengths of texts count characters, not bytes.

mod words;

mod at_once;
pub mod bus;
pub mod elder;
mod envelope;
mod event;
pub mod hotline;
mod member;
mod order;
pub mod parking;
pub mod personal;
mod place;
mod reject;
pub mod source;
mod stream;
pub mod time;
mod types;

pub use envelope::{CONTENT_TYPE, CONTENT_TYPE_HEADER, decode};
pub use event::{Data, Event};
pub use place::Datum;
pub use reject::{Code, Reject};
pub use stream::Stream;
pub use time::TimeMs;
pub use types::{EventType, TYPES};
pub use words::UnknownWord;
