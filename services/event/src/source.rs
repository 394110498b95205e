//! What sources and owners of partitions say about themselves; may go to any stream's topic.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::Stream;
use crate::member::{LongText, Name, Number, SourceRef, may, must};

/// `city.source.heartbeat`: "I live, and have nothing to say".
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
pub struct Heartbeat<'a> {
    /// The source that lives; as in the envelope's `source`.
    #[serde(borrow, deserialize_with = "must::<SourceRef, _>")]
    pub source_name: Cow<'a, str>,
    /// Seconds within which its next sign of life is expected.
    #[serde(default, deserialize_with = "may::<Number<1, 604_800>, _>", skip_serializing_if = "Option::is_none")]
    pub expected_s: Option<f64>,
    /// Whose topic it is for; the gateway needs it from tokens of several streams.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<Stream>,
}

/// `city.tick`: only time; what counts is the envelope's `time`.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
pub struct Tick {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<Stream>,
}

/// `city.config`: settings that change results; they apply from this record on.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
pub struct Config<'a> {
    #[serde(borrow, deserialize_with = "must::<Name, _>")]
    pub hash: Cow<'a, str>,
    #[serde(borrow, deserialize_with = "must::<LongText, _>")]
    pub text: Cow<'a, str>,
}
