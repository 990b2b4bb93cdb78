//! All API keys that are served. What ApiVersions answers, and the table in COMPAT.md, come from here.

use super::call::{Call, Handled};
use super::*;
use crate::node::auto_create::AutoCreate;
use crate::node::config::Config;
use crate::node::controller::ControllerHandle;
use crate::node::groups::Groups;
use crate::node::identity::Identity;
use crate::node::images::Images;
use crate::node::log_dirs::LogDirs;
use crate::node::partitions::Partitions;
use crate::node::producer_ids::ProducerIds;
use crate::node::relocations::Relocations;
use crate::node::sessions::FetchSessions;
use std::sync::Arc;

/// The parts of a broker that handlers can be given. Each takes exactly the ones that it uses, in its entry.
pub struct Parts {
    /// The newest view of the cluster.
    pub images: Arc<Images>,
    /// The partitions that are here.
    pub partitions: Arc<Partitions>,
    /// The way to the controller.
    pub controller: ControllerHandle,
    /// The group coordinators.
    pub groups: Arc<Groups>,
    /// Topics that come into being by being asked for.
    pub auto_create: Arc<AutoCreate>,
    /// Fetch sessions.
    pub sessions: Arc<FetchSessions>,
    /// Ids for idempotent producers.
    pub producer_ids: Arc<ProducerIds>,
    /// This broker's configuration.
    pub config: Arc<Config>,
    /// Who this is.
    pub identity: Arc<Identity>,
    /// The directories of the logs.
    pub log_dirs: Arc<LogDirs>,
    /// Moves between them.
    pub relocations: Arc<Relocations>,
}

/// One API key.
pub struct Entry {
    /// Which.
    pub key: ApiKey,
    /// Answers a request of it.
    pub(super) handle: fn(&Parts, &Call) -> Handled,
}

impl Entry {
    /// Whether the version is served. A lowest version that is only advertised is not.
    pub(super) fn serves(&self, version: i16) -> bool {
        let (low, high) = self.key.versions();
        (low..=high).contains(&version)
    }
}

/// Served keys, by number.
pub const TABLE: &[Entry] = &[
    produce::ENTRY,
    fetch::ENTRY,
    list_offsets::ENTRY,
    metadata::ENTRY,
    offset_commit::ENTRY,
    offset_fetch::ENTRY,
    find_coordinator::ENTRY,
    join_group::ENTRY,
    heartbeat::ENTRY,
    leave_group::ENTRY,
    sync_group::ENTRY,
    describe_groups::ENTRY,
    list_groups::ENTRY,
    sasl::HANDSHAKE,
    api_versions::ENTRY,
    create_topics::ENTRY,
    delete_topics::ENTRY,
    delete_records::ENTRY,
    init_producer_id::ENTRY,
    offset_for_leader_epoch::ENTRY,
    describe_acls::ENTRY,
    describe_configs::ENTRY,
    alter_configs::ENTRY,
    alter_replica_log_dirs::ENTRY,
    describe_log_dirs::ENTRY,
    sasl::AUTHENTICATE,
    create_partitions::ENTRY,
    delete_groups::ENTRY,
    incremental_alter_configs::ENTRY,
    alter_partition_reassignments::ENTRY,
    list_partition_reassignments::ENTRY,
    offset_delete::ENTRY,
    describe_quorum::ENTRY,
    describe_cluster::ENTRY,
    describe_producers::ENTRY,
    list_config_resources::ENTRY,
    describe_topic_partitions::ENTRY,
];

/// The entry of a key, where it is served.
pub(super) fn entry(key: ApiKey) -> Option<&'static Entry> {
    let at = TABLE.binary_search_by_key(&key, |entry| entry.key).ok()?;
    TABLE.get(at)
}

/// The versions that ApiVersions names. Produce begins at 0 there, for the sake of old librdkafka (KAFKA-18659).
pub fn advertised(key: ApiKey) -> (i16, i16) {
    let (low, high) = key.versions();
    (if key == ApiKey::Produce { 0 } else { low }, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_order_of_their_numbers() {
        assert!(TABLE.is_sorted_by_key(|entry| entry.key));
    }
}
