//! What comes in: departments' events over HTTP, judged, stamped and made durable in the log before the answer.
//!
//! | file | stage |
//! | --- | --- |
//! | `server.rs` | routes, who is asking ([`serve`]) |
//! | `connections.rs`, `tls.rs` | HTTP/1.1 and HTTP/2, plain or TLS; how many connections, and how long they may rest |
//! | `body.rs`, `room.rs` | the request's bytes, unpacked and bounded |
//! | `split.rs` | one request → the events in it, by content type |
//! | `judge.rs` | one event: may this token send it, is it in the city; → what goes into the log |
//! | `pseudonym.rs`, `cell.rs` | devices and stays under a keyed hash; places of people as streets |
//! | `intake.rs` | `POST /v1/events`: all of the above, the append, the answer |
//! | `feeds.rs` | `POST /v1/feeds/NAME`: the same for a department's own payload, mapped row by row |
//! | `inlet.rs` | `city.in.*`: departments' own topics, judged and passed on |
//! | `origin.rs` | the file and the rows that a request's lines are from, for its rejects |
//! | `rejects.rs` | what was refused: its record, a token's own list, and [`collect_rejects`] |
//! | `replay.rs` | `POST /v1/rejects/replay`: what was refused, through the same door again |
//! | `legible.rs` | what was sent, shown masked or as it is |
//! | `seal.rs`, `keys.rs` | the seal on what is kept of rejects; keys as files |
//! | `follow.rs` | topics read on and on, each record at least once |
//! | `offer.rs` | `GET /v1/streams`: what may be sent |
//! | `tokens.rs` | the tokens file |
//! | `grumble.rs` | refused requests, told in the log |
//! | `meter.rs` | how much a token sends |
//! | `clock.rs` | the time that is stamped |
//! | `problem.rs` | errors as `application/problem+json` |
//!
//! It must not know what is made of events (no windows, no metrics of the city), nor ClickHouse.

mod body;
mod cell;
mod clock;
mod connections;
mod feeds;
mod follow;
mod grumble;
mod inlet;
mod intake;
mod judge;
mod keys;
mod legible;
mod meter;
mod offer;
mod origin;
mod problem;
mod pseudonym;
mod rejects;
mod replay;
mod room;
mod seal;
mod server;
mod split;
mod tls;
mod tokens;

pub use clock::{Clock, steady_clock};
pub use feeds::{Door, Feeds};
pub use inlet::{Inlets, in_topic, inlets};
pub use judge::Lateness;
#[doc(hidden)] // for what fills a log as the gateway would, without one: `yiping bench`
pub use judge::{Accepted, Judge, Place};
pub use keys::KeyError;
pub use legible::{legible, masked};
pub use pseudonym::Pseudonyms;
pub use rejects::{
    KEPT_BYTES, KeptReject, Part, REJECTS_TOPIC, RejectId, RejectRecord, RejectSeen, collect_rejects, kept_rejects,
};
pub use replay::{Again, ReplayItem, Replayed};
pub use seal::{NotOurs, Seal, SealSecret, public_path};
pub use server::{GatewayDeps, Limits, paths, serve};
#[doc(hidden)] // for the corpus of bodies that once were a surprise
pub use split::{Form, Item};
pub use tls::Tls;
pub use tokens::{NewToken, Refused, Right, Token, TokenError, Tokens, new_token};
