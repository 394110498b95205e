//! `GET /v1/streams`: what may be sent, how, and the schema of each type.

use rust_embed::Embed;
use serde_json::{Value, json};
use yiping_event::Stream;

use crate::server::Limits;
use crate::split::{FORMS, MAX_EVENTS};
use crate::tokens::{Right, Token};

#[derive(Embed)]
#[folder = "../../schemas/events/"]
struct Schemas;

const SUFFIX: &str = ".schema.json";
const PROMISES: [&str; 3] = [
    "202 means that every accepted event is durable",
    "an event is counted once for its source and id within the stream's lateness: send it again with the same id; a source \
     that makes a new id on a retry is counted twice",
    "unknown members of data and unknown extension attributes are dropped",
];

/// The types that can be sent, with their schemas.
pub struct Offer(Vec<(String, Value)>);

impl Offer {
    /// Reads the schemas, which are part of the program.
    pub fn read() -> anyhow::Result<Self> {
        let mut types = Vec::new();
        for file in Schemas::iter() {
            let Some(name) = file.strip_suffix(SUFFIX).filter(|name| !name.contains('/')) else { continue };
            let Some(schema) = Schemas::get(&file) else { continue };
            let schema =
                serde_json::from_slice(&schema.data).map_err(|fault| anyhow::anyhow!("schema {file}: {fault}"))?;
            types.push((name.to_owned(), schema));
        }
        types.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(Self(types))
    }

    /// The offer to a token, or to whoever asks.
    pub fn to(&self, token: Option<&Token>, limits: &Limits) -> Value {
        let streams: Vec<_> = Stream::ALL
            .into_iter()
            .filter(|stream| token.is_none_or(|token| token.streams.contains(stream)))
            .map(|stream| json!({ "stream": stream, "types": self.types(|of| of == Some(stream)) }))
            .collect();
        let ticks = token.is_some_and(|token| token.has(Right::SetReceived));
        let any_stream: Vec<_> = self
            .types(|of| of.is_none())
            .into_iter()
            .filter(|entry| entry["type"] == "city.source.heartbeat" || (ticks && entry["type"] == "city.tick"))
            .collect();
        json!({
            "content_types": FORMS.map(|(name, _)| name),
            "content_encodings": ["identity", "gzip", "zstd"],
            "max_body_bytes": limits.max_body_bytes,
            "max_events": MAX_EVENTS,
            "promises": PROMISES,
            "token": token.map(|token| json!({
                "name": token.name, "sources": token.sources, "rights": token.rights,
                "expires": token.expires.map(|time| time.to_string()), "events_per_s": token.events_per_s,
            })),
            "streams": streams,
            "any_stream": any_stream,
        })
    }

    fn types(&self, wanted: impl Fn(Option<Stream>) -> bool) -> Vec<Value> {
        let of = |name: &str| name.split('.').nth(1).and_then(|stream| stream.parse::<Stream>().ok());
        self.0
            .iter()
            .filter(|(name, _)| wanted(of(name)))
            .map(|(name, schema)| json!({ "type": name, "schema": schema }))
            .collect()
    }
}
