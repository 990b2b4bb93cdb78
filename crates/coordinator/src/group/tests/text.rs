//! Effects as text, with short names for the ids of members.

use super::super::records::{self, Record};
use super::super::{CoordinatorRecord, Effect, GroupResponse, RequestId};
use bytes::Bytes;
use ottla_protocol::{ByteString, ErrorCode};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What has a name in a story.
#[derive(Default)]
pub(super) struct Names {
    /// Real ids by the names that stand for them.
    members: BTreeMap<String, String>,
    /// What a request is called.
    pub(super) requests: BTreeMap<RequestId, String>,
}

impl Names {
    /// The id that a name stands for; others are what they are.
    pub(super) fn id_of(&self, name: &str) -> ByteString {
        self.members.get(name).map_or(name, String::as_str).into()
    }

    /// The name that stands for an id; a new one if it was given out just now.
    fn name_of(&mut self, id: &str) -> String {
        if let Some((name, _)) = self.members.iter().find(|(_, known)| *known == id) {
            return name.clone();
        }
        if id.len() <= 36 {
            return if id.is_empty() { "-" } else { id }.to_owned();
        }
        let name = format!("m{}", self.members.len() + 1);
        self.members.insert(name.clone(), id.to_owned());
        name
    }

    /// A line for each effect; one for each record of a write.
    pub(super) fn effects(&mut self, effects: Vec<Effect>) -> Vec<String> {
        let mut lines = Vec::new();
        for effect in effects {
            match effect {
                Effect::Append { write, records } => {
                    lines
                        .extend(records.iter().map(|record| format!("w{} {}", write.0, self.record(record))));
                }
                Effect::Reply { id, response } => {
                    let label = self.requests.get(&id).cloned().unwrap_or_default();
                    lines.push(format!("{label} {}", self.response(&response)));
                }
                Effect::Unreadable { offset, reason } => lines.push(format!("unreadable {offset}: {reason}")),
            }
        }
        lines
    }

    fn record(&mut self, record: &CoordinatorRecord) -> String {
        match records::read(&record.key, record.value.as_ref()).expect("our own record can be read") {
            Record::Offset(key, None) => format!("offset {} {}:{} ends", key.group, key.topic, key.partition),
            Record::Offset(key, Some(value)) => {
                let mut line =
                    format!("offset {} {}:{}={}", key.group, key.topic, key.partition, value.offset);
                if !value.metadata.is_empty() {
                    write!(line, "@{}", value.metadata).expect("a string can be written");
                }
                if let Some(expires) = value.expire_timestamp_ms {
                    write!(line, " expires={expires}").expect("a string can be written");
                }
                line
            }
            Record::Group(group, None) => format!("group {group} ends"),
            Record::Group(group, Some(value)) => {
                let mut line = format!(
                    "group {group} generation={} type={} protocol={} leader={} since={}",
                    value.generation,
                    or_dash(&value.protocol_type),
                    value.protocol.as_deref().unwrap_or("-"),
                    self.name_of(value.leader.as_deref().unwrap_or_default()),
                    value.current_state_timestamp,
                );
                for member in &value.members {
                    let name = self.name_of(&member.member_id);
                    write!(line, " {name}:{}", text(&member.assignment)).expect("a string can be written");
                }
                line
            }
            Record::Other => "something else".to_owned(),
        }
    }

    fn response(&mut self, response: &GroupResponse) -> String {
        match response {
            GroupResponse::JoinGroup(response) => {
                let mut line = format!(
                    "JoinGroup {} member={}",
                    name(response.error_code),
                    self.name_of(&response.member_id)
                );
                if response.generation_id != -1 {
                    write!(
                        line,
                        " generation={} protocol={} leader={}",
                        response.generation_id,
                        response.protocol_name.as_deref().unwrap_or("-"),
                        self.name_of(&response.leader)
                    )
                    .expect("a string can be written");
                }
                if response.skip_assignment {
                    line.push_str(" skip-assignment");
                }
                for member in &response.members {
                    write!(line, " {}", self.name_of(&member.member_id)).expect("a string can be written");
                    if let Some(instance) = &member.group_instance_id {
                        write!(line, "/{instance}").expect("a string can be written");
                    }
                }
                line
            }
            GroupResponse::SyncGroup(response) => {
                format!("SyncGroup {} {}", name(response.error_code), text(&response.assignment))
                    .trim_end()
                    .into()
            }
            GroupResponse::Heartbeat(response) => format!("Heartbeat {}", name(response.error_code)),
            GroupResponse::LeaveGroup(response) => {
                let mut line = format!("LeaveGroup {}", name(response.error_code));
                for member in &response.members {
                    let id = self.name_of(&member.member_id);
                    write!(line, " {id}").expect("a string can be written");
                    if let Some(instance) = &member.group_instance_id {
                        write!(line, "/{instance}").expect("a string can be written");
                    }
                    write!(line, "={}", name(member.error_code)).expect("a string can be written");
                }
                line
            }
            GroupResponse::OffsetCommit(response) => {
                let mut line = "OffsetCommit".to_owned();
                for topic in &response.topics {
                    for partition in &topic.partitions {
                        let code = name(partition.error_code);
                        write!(line, " {}:{}={code}", topic.name, partition.partition_index)
                            .expect("a string can be written");
                    }
                }
                line
            }
            GroupResponse::OffsetFetch(group) => {
                let mut line = format!("OffsetFetch {}", name(group.error_code));
                for topic in &group.topics {
                    for partition in &topic.partitions {
                        write!(
                            line,
                            " {}:{}={}",
                            topic.name, partition.partition_index, partition.committed_offset
                        )
                        .expect("a string can be written");
                        if let Some(metadata) = partition.metadata.as_deref().filter(|it| !it.is_empty()) {
                            write!(line, "@{metadata}").expect("a string can be written");
                        }
                        if partition.error_code != 0 {
                            write!(line, " {}", name(partition.error_code)).expect("a string can be written");
                        }
                    }
                }
                line
            }
            GroupResponse::OffsetDelete(response) => {
                let mut line = format!("OffsetDelete {}", name(response.error_code));
                for topic in &response.topics {
                    for partition in &topic.partitions {
                        let code = name(partition.error_code);
                        write!(line, " {}:{}={code}", topic.name, partition.partition_index)
                            .expect("a string can be written");
                    }
                }
                line
            }
            GroupResponse::DescribeGroup(group) => {
                let mut line = format!(
                    "DescribeGroup {} {} type={} protocol={}",
                    name(group.error_code),
                    group.group_state,
                    or_dash(&group.protocol_type),
                    or_dash(&group.protocol_data)
                );
                for member in &group.members {
                    let id = self.name_of(&member.member_id);
                    write!(line, " {id}:{}", text(&member.member_assignment))
                        .expect("a string can be written");
                }
                if let Some(message) = &group.error_message {
                    write!(line, " \"{message}\"").expect("a string can be written");
                }
                line
            }
            GroupResponse::DeleteGroup(result) => format!("DeleteGroup {}", name(result.error_code)),
            GroupResponse::ListGroups(response) => {
                let mut line = format!("ListGroups {}", name(response.error_code));
                for group in &response.groups {
                    let kind = or_dash(&group.protocol_type);
                    write!(line, " {}({}, {kind})", group.group_id, group.group_state)
                        .expect("a string can be written");
                }
                line
            }
        }
    }
}

fn name(code: i16) -> &'static str {
    if code == 0 { "ok" } else { ErrorCode::from_code(code).name() }
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
