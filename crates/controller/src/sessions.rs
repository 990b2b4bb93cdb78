//! Sessions of brokers: who was heard of when. Soft state: a new controller starts it anew.

use ottla_protocol::{BrokerId, Offset};
use std::collections::BTreeMap;

/// What a broker's heartbeats have said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    /// When it was last heard of in its present incarnation; nothing if it never was.
    pub(crate) last_contact: Option<i64>,
    /// How far it had applied the metadata log then; -1 before it said so.
    pub(crate) metadata_offset: i64,
    /// Offset of the record that began its registration, or amended it last.
    pub(crate) registration_offset: i64,
    /// Last offset of the records that moved its leaderships away; set while it shuts down.
    pub(crate) shutdown_offset: Option<Offset>,
}

/// All sessions, one per registered broker.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sessions(pub(crate) BTreeMap<BrokerId, Session>);

impl Sessions {
    /// A broker has registered, or amended its registration.
    pub(crate) fn register(&mut self, broker: BrokerId, registration_offset: i64, is_new_incarnation: bool) {
        let fresh =
            Session { last_contact: None, metadata_offset: -1, registration_offset, shutdown_offset: None };
        let session = self.0.entry(broker).or_insert_with(|| fresh.clone());
        if is_new_incarnation {
            *session = fresh;
        } else {
            session.registration_offset = registration_offset;
        }
    }

    /// The lowest offset that any broker in service has applied; nothing if there is none in service.
    pub(crate) fn lowest_active_offset(&self, is_fenced: impl Fn(BrokerId) -> bool) -> Option<i64> {
        let active =
            |(id, session): &(&BrokerId, &Session)| session.shutdown_offset.is_none() && !is_fenced(**id);
        self.0.iter().filter(active).map(|(_, session)| session.metadata_offset).min()
    }
}

impl Session {
    /// Whether the broker was heard of lately.
    pub(crate) fn is_valid(&self, now: i64, timeout_ms: i64) -> bool {
        self.expires_at(timeout_ms).is_some_and(|at| now < at)
    }

    /// First moment at which it has been silent for too long.
    pub(crate) fn expires_at(&self, timeout_ms: i64) -> Option<i64> {
        Some(self.last_contact?.saturating_add(timeout_ms).saturating_add(1))
    }
}
