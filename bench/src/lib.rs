//! The benchmark that Ottla is judged by: a load generator that verifies, a floor to compare with, and a driver that
//! lets brokers take turns.
//!
//! - [`load`] produces and consumes on one thread and checks all that the broker says and stores.
//! - [`floor`] is the least that any broker must do: the yardstick of every figure.
//! - [`workload`] is the table of what is measured and of what must be reached, [`cell`] measures one of them once.
//! - [`driver`] lets the brokers ([`participant`]) take turns and keeps what was measured ([`state`]); [`table`] compares.
//! - [`report`] and [`guard`] say what came of it. [`occasion`] is what has no unit: starts, kills, idleness.
//! - [`clients`] compares what real clients see.
//! - [`sample`] reads what processes cost from `/proc`.
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "a benchmark measures real time; nothing here is replayed")]

pub mod cell;
pub mod clients;
pub mod driver;
pub mod floor;
pub mod guard;
pub mod load;
pub mod occasion;
pub mod participant;
pub mod plot;
pub mod poll;
pub mod report;
pub mod sample;
pub mod state;
pub mod table;
pub mod workload;
