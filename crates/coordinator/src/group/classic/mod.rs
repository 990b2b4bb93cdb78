//! Classic groups: members join, a leader assigns, all sync (the protocol before KIP-848).
//!
//! ```text
//!            first member                 all joined, or timeout            leader's assignment committed
//!   Empty ───────────────▶ PreparingRebalance ─────────────▶ CompletingRebalance ─────────────▶ Stable
//!     ▲                     │  ▲   ▲                              │                               │
//!     └─ no member left ────┘  │   └── member joins, leaves, fails ┘                               │
//!                              └────── member joins anew, leaves, fails ──────────────────────────┘
//! ```
//!
//! Who joins is parked until the rebalance completes; who syncs is parked until the leader's assignment is in the log.

mod check;
mod group;
pub(in crate::group) mod heartbeat;
pub(in crate::group) mod join;
pub(in crate::group) mod leave;
mod member;
mod rebalance;
mod static_member;
pub(in crate::group) mod sync;

pub(in crate::group) use group::{ClassicGroup, ClassicGroupState};
pub(in crate::group) use static_member::StaticJoin;
pub(in crate::group) use sync::SyncWrite;
