//! One file per API key: decode, authorise, ask, answer. The table lists them all.
//!
//! A handler is given exactly the parts of the broker that it uses; rules about offsets, groups and topics live in the
//! decision crates.

mod alter_configs;
mod alter_partition_reassignments;
mod alter_replica_log_dirs;
mod altering;
mod api_versions;
mod authorized;
mod call;
mod create_partitions;
mod create_topics;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_acls;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod describe_log_dirs;
mod describe_producers;
mod describe_quorum;
mod describe_topic_partitions;
mod fetch;
mod find_coordinator;
mod forward;
mod group;
mod heartbeat;
mod incremental_alter_configs;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_config_resources;
mod list_groups;
mod list_offsets;
mod list_partition_reassignments;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
mod produce;
mod sasl;
mod sync_group;
mod table;
mod topics;

pub(crate) use table::Parts;
pub use table::{Entry, TABLE, advertised};

use crate::net::{Answer, Peer, Service};
use bytes::Bytes;
use call::{Call, Refusal};
use ottla_protocol::frame::RequestPrefix;
use ottla_protocol::{ApiKey, ByteString};

/// The service behind a broker's listeners.
pub struct Api {
    parts: Parts,
    /// Names of the listeners, by their index.
    listeners: Vec<ByteString>,
}

impl Api {
    /// Serves with these parts on these listeners.
    pub fn new(parts: Parts, listeners: Vec<ByteString>) -> Api {
        Api { parts, listeners }
    }

    fn answer(&self, peer: Peer, frame: Bytes) -> Result<Answer, Refusal> {
        let prefix = RequestPrefix::peek(&frame).ok_or(Refusal::NoHeader(frame.len()))?;
        let entry = ApiKey::from_code(prefix.api_key).and_then(table::entry);
        let entry = entry.ok_or(Refusal::UnknownKey(prefix.api_key))?;
        let version = prefix.api_version;
        if !entry.serves(version) {
            return match entry.key {
                ApiKey::ApiVersions => Ok(api_versions::unsupported_version(prefix.correlation_id)),
                key => Err(Refusal::UnknownVersion { key, version }),
            };
        }
        let listener = self.listeners.get(peer.listener).cloned().unwrap_or_default();
        let call = Call::parse(frame, entry.key, version, peer, listener)?;
        (entry.handle)(&self.parts, &call)
    }
}

impl Service for Api {
    type Session = Peer;

    fn open(&self, peer: Peer) -> Peer {
        peer
    }

    fn call(&self, peer: &mut Peer, frame: Bytes) -> Answer {
        self.answer(*peer, frame).unwrap_or_else(|refusal| Answer::Close(refusal.to_string()))
    }
}
