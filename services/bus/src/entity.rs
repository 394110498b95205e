//! What the events of buses are about, a file each.

pub mod departures;
pub mod trip;
pub mod vehicle;
pub mod visits;
