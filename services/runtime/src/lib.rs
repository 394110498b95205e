//! What every target stands on: settings, tracing, the admin server, the life cycle, listening sockets.
//!
//! This crate knows no stream, no log and no store. It must not learn what an event is: a part tells it a name, a drain
//! budget and whether it is ready, and nothing else.

pub mod admin;
pub mod clock;
pub mod config;
pub mod endpoints;
pub mod life;
pub mod metrics;
pub mod net;
mod page;
pub mod telemetry;

pub use admin::{Admin, Health, PartHandle, PartState};
pub use config::{Config, ConfigErrors};
pub use endpoints::Endpoints;
pub use life::{Life, PartFailed};
pub use metrics::Metrics;
