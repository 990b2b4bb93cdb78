//! Sockets: listeners, connections, frames. Knows nothing of what the bytes of a frame mean.

mod admission;
mod answer;
mod balance;
mod connection;
mod frames;
mod listener;
mod loads;
mod mailbox;
mod outbox;
#[cfg(test)]
mod tests;

pub(crate) use admission::ConnectionLimits;
pub(crate) use answer::{Answer, Response};
pub(crate) use connection::{Limits, Peer, Service};
pub(crate) use listener::{Network, SocketOptions, bind};
