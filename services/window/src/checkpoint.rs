//! A machine's core as bytes, and back.
//!
//! Format 2 is MessagePack with the names of fields, so that state grows new fields without a new format: a field that an older
//! checkpoint lacks takes its default. Format 1 (postcard, no names) is still read.

use serde::{Serialize, de::DeserializeOwned};

use crate::{domain::Domain, machine::Core};

/// The format that this build writes.
pub const FORMAT: u16 = 2;

/// A core's bytes in [`FORMAT`].
///
/// # Errors
/// When a part of the state can't be written.
pub fn write<D: Domain>(core: &Core<D>) -> Result<Vec<u8>, String> {
    to_bytes(core)
}

/// A core from bytes of a format.
///
/// # Errors
/// When they are no state of that format, or the format is unknown.
pub fn read<D: Domain>(format: u16, bytes: &[u8]) -> Result<Core<D>, String> {
    match format {
        FORMAT => from_bytes(bytes),
        1 => crate::format1::read(bytes),
        other => Err(format!("state of format {other} is of a newer version than this one")),
    }
}

fn to_bytes<T: Serialize>(value: &T) -> Result<Vec<u8>, String> {
    rmp_serde::to_vec_named(value).map_err(|error| error.to_string())
}

fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    rmp_serde::from_slice(bytes).map_err(|error| error.to_string())
}
