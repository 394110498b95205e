//! What is known of calls, SOS cases, service orders and devices: facts that add up in any order.
//!
//! | file | entity | forgotten |
//! | --- | --- | --- |
//! | `call.rs` | a call | a day after it is too late for its windows |
//! | `case.rs` | an SOS case | 30 days after its last event, once closed |
//! | `service.rs` | a service order | 30 days after its last event, once ended and judged |
//! | `device.rs` | a device at home | when its last heartbeat is 30 days old |
//! | `v1.rs` | calls and cases as format 1 wrote them | |

mod call;
mod case;
mod device;
mod service;
pub mod v1;

pub use call::Call;
pub use case::{ACKNOWLEDGED, ARRIVED, Case};
pub use device::{Change, Device};
pub use service::{Due, Service};

use yiping_window::{EntityId, Order};

/// A time of which only the first counts. One that comes too late for its windows is taken where none is known, and moves no known
/// one: the figures that were made of it stand (I5).
fn first(known: &mut Option<Order>, order: &Order, late: bool) {
    if known.is_none_or(|known| !late && *order < known) {
        *known = Some(*order);
    }
}

/// Keeps what the earliest event says, whatever the order in which events come; too late, only where nothing is known.
fn earliest<T>(known: &mut Option<(Order, T)>, order: &Order, said: Option<T>, late: bool) {
    if let Some(said) = said
        && known.as_ref().is_none_or(|(known, _)| !late && order < known)
    {
        *known = Some((*order, said));
    }
}

/// An entity's key on the wall: it tells no number of the department's.
fn opaque(id: &str) -> String {
    format!("{:012x}", EntityId::of(&[id]).0 as u64 & 0xffff_ffff_ffff)
}
