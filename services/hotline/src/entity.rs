//! What is known of a call and of a work order: facts that add up in any order.

pub mod call;
pub mod duty;
pub mod order;
pub mod standing;
