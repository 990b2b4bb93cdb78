//! A member of a classic group.

use crate::group::writes::Caller;
use bytes::Bytes;
use ottla_protocol::ByteString;
use ottla_protocol::messages::describe_groups_response::DescribedGroupMember;
use ottla_protocol::messages::group_metadata_value::MemberMetadata;
use ottla_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use ottla_protocol::messages::join_group_response::JoinGroupResponseMember;
use std::collections::BTreeSet;

/// A way of assigning that a member knows, with what it wants the leader to know. Opaque to the coordinator.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Protocol {
    pub(super) name: ByteString,
    pub(super) metadata: Bytes,
}

impl Protocol {
    /// The protocols of a request, in the order of the member's preference, each name once. They get memory of their
    /// own, for the member outlives the request's frame.
    pub(super) fn of_request(protocols: &[JoinGroupRequestProtocol]) -> Vec<Protocol> {
        let mut seen = BTreeSet::new();
        protocols
            .iter()
            .filter(|protocol| seen.insert(&*protocol.name))
            .map(|protocol| Protocol {
                name: own_string(&protocol.name),
                metadata: own_bytes(&protocol.metadata),
            })
            .collect()
    }
}

/// A copy that does not keep a request's frame or a batch of the log alive.
pub(in crate::group) fn own_string(text: &str) -> ByteString {
    ByteString::from(text)
}

/// A copy that does not keep a request's frame or a batch of the log alive.
pub(in crate::group) fn own_bytes(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

/// A member: who it is, what it can do, what it waits for.
#[derive(Debug)]
pub(super) struct ClassicMember {
    pub(super) member_id: ByteString,
    /// `group.instance.id` of a static member (KIP-345).
    pub(super) group_instance_id: Option<ByteString>,
    pub(super) client_id: ByteString,
    pub(super) client_host: ByteString,
    pub(super) rebalance_timeout_ms: i32,
    pub(super) session_timeout_ms: i32,
    /// By the member's preference.
    pub(super) protocols: Vec<Protocol>,
    /// What the leader gave it.
    pub(super) assignment: Bytes,
    /// Its JoinGroup that is not answered yet.
    pub(super) awaiting_join: Option<Caller>,
    /// Its SyncGroup that is not answered yet.
    pub(super) awaiting_sync: Option<Caller>,
    /// Whether its first JoinGroup is not answered yet. Such a member can fail while it is awaited: it has no id to send
    /// heartbeats with, and a client that is gone must not be waited for for ever.
    pub(super) is_new: bool,
}

impl ClassicMember {
    /// A member of the log; `protocol` is the group's.
    pub(super) fn of_log(record: &MemberMetadata, protocol: &ByteString) -> ClassicMember {
        ClassicMember {
            member_id: own_string(&record.member_id),
            group_instance_id: record.group_instance_id.as_deref().map(own_string),
            client_id: own_string(&record.client_id),
            client_host: own_string(&record.client_host),
            rebalance_timeout_ms: match record.rebalance_timeout {
                -1 => record.session_timeout,
                timeout => timeout,
            },
            session_timeout_ms: record.session_timeout,
            protocols: vec![Protocol { name: protocol.clone(), metadata: own_bytes(&record.subscription) }],
            assignment: own_bytes(&record.assignment),
            awaiting_join: None,
            awaiting_sync: None,
            is_new: false,
        }
    }

    pub(super) fn is_static(&self) -> bool {
        self.group_instance_id.is_some()
    }

    /// What the member says under the protocol, nothing if it does not know it.
    pub(super) fn metadata(&self, protocol: &str) -> Bytes {
        self.protocols
            .iter()
            .find(|known| known.name == *protocol)
            .map(|known| known.metadata.clone())
            .unwrap_or_default()
    }

    /// Whether the silence of the member is no sign of failure: it waits for us.
    pub(super) fn has_satisfied_heartbeat(&self) -> bool {
        !self.is_new && (self.awaiting_join.is_some() || self.awaiting_sync.is_some())
    }

    /// The member in the group's record.
    pub(super) fn record(&self, protocol: &str, assignment: Bytes) -> MemberMetadata {
        MemberMetadata {
            member_id: self.member_id.clone(),
            group_instance_id: self.group_instance_id.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            rebalance_timeout: self.rebalance_timeout_ms,
            session_timeout: self.session_timeout_ms,
            subscription: self.metadata(protocol),
            assignment,
            ..Default::default()
        }
    }

    /// The member as the leader of the group is told of it.
    pub(super) fn for_leader(&self, protocol: &str) -> JoinGroupResponseMember {
        JoinGroupResponseMember {
            member_id: self.member_id.clone(),
            group_instance_id: self.group_instance_id.clone(),
            metadata: self.metadata(protocol),
            ..Default::default()
        }
    }

    /// The member as DescribeGroups shows it; without metadata while there is no protocol.
    pub(super) fn describe(&self, protocol: Option<&str>) -> DescribedGroupMember {
        DescribedGroupMember {
            member_id: self.member_id.clone(),
            group_instance_id: self.group_instance_id.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            member_metadata: protocol.map(|protocol| self.metadata(protocol)).unwrap_or_default(),
            member_assignment: self.assignment.clone(),
            ..Default::default()
        }
    }
}
