//! What parking is about: lots, and the sessions (stays and credits) in them.

pub mod credit;
pub mod lot;
pub mod session;
pub mod stay;
