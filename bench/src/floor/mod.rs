//! The floor: the least that any broker must do, as a process of its own. One thread; Produce is a checksum, an offset
//! written into the batch and one append; Fetch is a look-up and `sendfile`. No metadata, no sequences, no durability, no
//! limits: not a product but the yardstick that every broker's cost is divided by.
//!
//! [`Fault`] makes it wrong on purpose, so that tests can show that the generator notices.

mod connection;
mod fault;
mod partition;
mod requests;
mod server;

pub use fault::Fault;
pub use server::Floor;
