//! The broker: sockets, API handlers, and what runs behind them. The only async crate.

pub mod api;
mod net;
pub mod node;
