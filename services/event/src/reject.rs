//! Why bytes are no event: where (a JSON pointer) and what was expected.
//!
//! A reject never repeats what stood there: it goes into logs and answers, and a phone number may stand anywhere.

use serde::{Deserialize, Serialize};

use crate::words::words;

words! {
    /// The kind of refusal. This crate gives the first four; the others are the gateway's and the services'.
    pub enum Code {
        /// Not UTF-8, or not JSON.
        BadJson = "bad_json",
        /// JSON, but no CloudEvent 1.0 with what we need.
        BadEnvelope = "bad_envelope",
        /// A CloudEvent of a type that nobody here reads.
        UnknownType = "unknown_type",
        /// The data is not what its type says.
        BadData = "bad_data",
        /// A position beyond the profile's box and its margin.
        OutsideCity = "outside_city",
        /// A time further ahead of its log time than the stream allows: quarantined.
        ClockAhead = "clock_ahead",
        /// An event of another stream than the topic's or the token's.
        WrongStream = "wrong_stream",
        /// A `source` that the token may not send.
        WrongSource = "wrong_source",
        /// A type that only the system itself writes: ticks, settings.
        NotAllowed = "not_allowed",
        /// A text that looks like a person's number or plate.
        PersonalData = "personal_data",
        /// Larger than one record may be.
        TooLarge = "too_large",
        /// A department's payload that its feed's mapping could not read.
        BadFeed = "bad_feed",
    }
}

/// A record or request that could not become an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code} at \"{pointer}\": {message}")]
pub struct Reject {
    pub code: Code,
    /// RFC 6901; "" is the whole event, a missing member is pointed at where it should be.
    pub pointer: String,
    /// What was expected; never what was found.
    pub message: String,
    /// The event's id, where one could be read.
    pub id: Option<String>,
}

impl Reject {
    #[must_use]
    pub fn new(code: Code, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code, pointer: pointer.into(), message: message.into(), id: None }
    }

    #[must_use]
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Reads `text` as `T` a second time, slowly, to find the place of the fault that the first reading met.
    pub(crate) fn explain<'de, T: Deserialize<'de>>(text: &'de str, prefix: &str, code: Code) -> Self {
        let mut from = serde_json::Deserializer::from_str(text);
        let Err(fault) = serde_path_to_error::deserialize::<_, T>(&mut from) else {
            // T reads to its closing brace, so what failed stands after it.
            return Self::new(Code::BadJson, "", "characters after the event");
        };
        let mut pointer = prefix.to_owned();
        for step in fault.path() {
            match step {
                serde_path_to_error::Segment::Map { key } => push(&mut pointer, key),
                serde_path_to_error::Segment::Seq { index } => push(&mut pointer, &index.to_string()),
                serde_path_to_error::Segment::Enum { .. } | serde_path_to_error::Segment::Unknown => {}
            }
        }
        let fault = fault.into_inner();
        let message = fault.to_string();
        if !fault.is_data() && prefix.is_empty() {
            return Self::new(Code::BadJson, "", message);
        }
        // within data, line and column would count from its brace
        let message = message.rfind(" at line ").map_or(&*message, |end| &message[..end]);
        if !fault.is_data() {
            return Self::new(Code::BadJson, pointer, message);
        }
        if let Some(name) = quoted(message, "missing field `") {
            push(&mut pointer, name);
            return Self::new(code, pointer, "is required");
        }
        if let Some(name) = quoted(message, "duplicate field `") {
            let end = pointer.rfind('/').map_or("", |at| &pointer[at + 1..]);
            if end != name {
                push(&mut pointer, name);
            }
            return Self::new(code, pointer, "stands there twice");
        }
        // "invalid type: string "138…", expected a number": only what comes after the value
        let expected = message.rfind(", expected ").map_or(message, |at| &message[at + 2..]);
        Self::new(code, pointer, expected)
    }
}

/// The name in serde's own two messages about whole members.
fn quoted<'a>(message: &'a str, start: &str) -> Option<&'a str> {
    message.strip_prefix(start)?.strip_suffix('`')
}

fn push(pointer: &mut String, member: &str) {
    pointer.push('/');
    pointer.push_str(&member.replace('~', "~0").replace('/', "~1"));
}
