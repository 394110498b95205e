//! Thresholds over the merged figures: what lies beyond its limit, since when, who acts and how; opened and closed in event time.
//!
//! | file | stage |
//! | --- | --- |
//! | `rules.rs` | what is judged: the catalogue's thresholds, as the city's profile has them |
//! | `past.rs` | what the last four weeks let expect at this time of day |
//! | `judge.rs` | final figures in, breaches out: a state machine, pure |
//! | `store.rs` | where figures come from and breaches go to |
//! | `run.rs` | batch after batch, as time moves |
//! | `offline.rs` | the same over rows of `compute` |
//! | `gauges.rs` | the newest merged figures for alert rules |
//!
//! Only final figures are judged, each window once, as it stood when it became final: a correction that comes later rewrites
//! history, and alarms nobody (a backfill neither). What it remembers (what is beyond since when, up to where it judged) is in the
//! store, so a restart or a second instance changes nothing. It must not know events or the log. SOS cases are also judged where
//! they live, in `elder`, which waits for nobody.

mod gauges;
mod judge;
mod offline;
mod past;
mod rules;
mod run;
mod store;

pub use gauges::{DEFAULT_MOST_SERIES, EXPORTED_LEVELS, Gauges};
pub use judge::{Breach, Figure, Judge, Outcome, Remembered, SeriesId, State, breach_id};
pub use offline::breaches;
pub use past::{Baseline, DAY_MS, DAYS, Past, Wanted, expected};
pub use rules::{Rule, RuleError, Rules};
pub use run::{WatchDeps, run};
pub use store::{Archive, Stored};
