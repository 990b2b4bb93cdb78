//! The load generator: producers and consumers on one thread, cheap enough that the broker is the bottleneck, and
//! suspicious enough that a broker cannot look fast by being wrong.
//!
//! Requests are encoded once and patched. Producers are idempotent, so the broker itself must refuse what is out of order;
//! every acknowledgement must continue its partition's offsets; [`verify`] reads back all that was acknowledged.

pub mod batch;
mod consumer;
mod histogram;
mod link;
mod ping;
mod producer;
mod run;
mod topics;
mod written;

pub use consumer::Fetching;
pub use histogram::{Histogram, Latency};
pub use ping::{Ping, api_versions, ping};
pub use run::{Consume, Edge, Flow, Outcome, Plan, Produce, run, verify};
pub use topics::Topics;
pub use written::{Check, Written};
