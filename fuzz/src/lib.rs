//! The targets, with what of the gateway they need: its crate as a whole would bring a log and a web server into an instrumented build.

#[expect(dead_code, reason = "the gateway uses all of it")]
#[path = "../../services/gateway/src/split.rs"]
mod split;
#[path = "../targets.rs"]
mod targets;

use split::Form;
pub use targets::{data, envelope, lines, rows};
