//! The window engine: one log partition as a deterministic state machine (I1).
//!
//! A [`Machine`] takes records in log order and returns what they change as data: metric rows, live rows, late and refused
//! records. It must not know a clock, a network, a file, tokio, Kafka or ClickHouse: the same records give the same rows on
//! any machine, on any day.
//!
//! The way of a record through this crate, a file a stage:
//!
//! 1. [`machine`]: decode, judge (skew, place), drop what was seen ([`dedup`]), note what is late or missing
//!    ([`gaps`]), move time ([`clock`]).
//! 2. The stream's [`Domain`] turns the event into *contributions*: numbers placed at an event time under a metric, level and
//!    key. Order-sensitive entities keep their steps in a [`timeline`] and are folded again where an event came out of order.
//! 3. [`board`]: contributions land in panes of ten seconds ([`pane`], [`panes`]; old ones are merged and packed: [`track`],
//!    [`packed`]). A window rolls over the panes: what enters is added, what leaves is taken away ([`rolling`], [`tally`]), so an
//!    event costs the same however many windows it belongs to.
//! 4. [`emit`]: the watermark closes windows (final rows), late contributions revise exactly the windows concerned. After a silence that is much from one
//!    record, and can be had in [`pieces`].

pub mod board;
pub mod checkpoint;
pub mod clock;
mod closed;
pub mod dedup;
pub mod domain;
pub mod emit;
mod format1;
pub mod gaps;
pub mod histogram;
mod index;
pub mod key;
pub mod machine;
pub mod metric;
pub mod order;
mod packed;
pub mod pane;
mod panes;
pub mod pieces;
mod reopen;
mod repartition;
mod rolling;
pub mod span;
pub mod table;
mod tally;
pub mod timeline;
mod track;

pub use board::Board;
pub use clock::{Clock, Settings};
pub use domain::{Context, Domain, LiveRow};
pub use gaps::{Hole, LateMinute};
pub use key::{KeyId, Keys, Level, Name};
pub use machine::{Contact, Core, Counters, Input, Machine, OWNER, Output};
pub use metric::{MetricId, MetricSpec, Shape};
pub use order::{EntityId, Order};
pub use pane::{Agg, Row};
pub use repartition::{CannotRepartition, repartition};
pub use span::Span;
pub use table::{NoKey, Table};
pub use timeline::{Fold, Timeline};
