//! The time that the gateway stamps as `receivedtime`.

use std::sync::Arc;

use yiping_event::TimeMs;
use yiping_runtime::clock::unix_ms;

/// Gives the time now; tests bring their own.
pub type Clock = Arc<dyn Fn() -> TimeMs + Send + Sync>;

/// The process's time, which follows a step of the machine's clock slowly: a log time that jumps would move every window
/// of the city (I2).
pub fn steady_clock() -> Clock {
    Arc::new(|| TimeMs(unix_ms()))
}
