//! Runs the stories in `src/scenarios`.
//!
//! A line is a command: `[label:] verb arguments name=value…`. The indented lines after it are the effects that it must
//! have, in order. Member ids appear as `m1`, `m2`, … in the order in which they are given out. With `UPDATE_SCENARIOS`
//! set in the environment the effects in the files are replaced by those that come out, to be read before they are kept.

use super::super::{DeletedTopic, GroupRequest, Input, RequestContext, Settings};
use super::host::Host;
use super::text::Names;
use bytes::Bytes;
use ottla_protocol::codec::Writer;
use ottla_protocol::messages::{
    ConsumerProtocolSubscription, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, ListGroupsRequest,
    OffsetCommitRequest, OffsetDeleteRequest, SyncGroupRequest, join_group_request, leave_group_request,
    offset_commit_request, offset_delete_request, offset_fetch_request, sync_group_request,
};
use ottla_protocol::{ByteString, ErrorCode, TopicId};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

#[test]
fn stories_end_as_they_are_told() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/scenarios");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("there are scenarios") {
        let path = entry.expect("the folder can be read").path();
        let text = std::fs::read_to_string(&path).expect("a scenario is text");
        let told = Story::default().tell(&text);
        if std::env::var_os("UPDATE_SCENARIOS").is_some() {
            std::fs::write(&path, told).expect("a scenario can be written");
        } else {
            let differs = text.lines().zip(told.lines()).position(|(is, should)| is != should);
            let line = differs.unwrap_or(text.lines().count().min(told.lines().count()));
            assert!(
                text == told,
                "{}:{} is told otherwise; this is how it went:\n{}",
                path.display(),
                line + 1,
                told.lines().skip(line.saturating_sub(5)).take(15).collect::<Vec<_>>().join("\n"),
            );
        }
        count += 1;
    }
    assert!(count > 0, "there are scenarios");
}

#[derive(Default)]
struct Story {
    host: Option<Host>,
    settings: Settings,
    names: Names,
}

/// The arguments of a command.
struct Arguments<'a> {
    words: Vec<&'a str>,
    named: BTreeMap<&'a str, &'a str>,
}

impl<'a> Arguments<'a> {
    fn named(&self, name: &str) -> Option<&'a str> {
        self.named.get(name).copied()
    }

    fn number<N: std::str::FromStr>(&self, name: &str, default: N) -> N {
        self.named(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
    }

    fn first(&self) -> &'a str {
        self.words.first().copied().unwrap_or_default()
    }
}

impl Story {
    /// The story with the effects that its commands have.
    fn tell(mut self, text: &str) -> String {
        let mut told = String::new();
        for line in text.lines() {
            if line.starts_with("    ") {
                continue;
            }
            told.push_str(line);
            told.push('\n');
            if !line.is_empty() && !line.starts_with('#') {
                for effect in self.command(line) {
                    writeln!(told, "    {effect}").expect("a string can be written");
                }
            }
        }
        told
    }

    fn host(&mut self) -> &mut Host {
        let settings = self.settings.clone();
        self.host.get_or_insert_with(|| Host::new(settings, 7))
    }

    fn command(&mut self, line: &str) -> Vec<String> {
        let mut words = line.split_whitespace().peekable();
        let label = words.next_if(|word| word.ends_with(':')).map(|word| word.trim_end_matches(':'));
        let verb = words.next().expect("a command has a verb");
        let (named, words): (Vec<_>, Vec<_>) =
            words.partition(|word| word.contains('=') && !word.contains(':'));
        let named = named.into_iter().filter_map(|word| word.split_once('=')).collect();
        let arguments = Arguments { words, named };
        match verb {
            "settings" => {
                assert!(self.host.is_none(), "settings come first");
                self.set(&arguments);
                Vec::new()
            }
            "at" => {
                let to = arguments.first().parse().expect("a time is a number");
                let happened = self.host().advance(to);
                let mut lines = Vec::new();
                for (at, effects) in happened {
                    let effects = self.names.effects(effects);
                    lines.extend(effects.into_iter().map(|effect| format!("at {at}: {effect}")));
                }
                lines
            }
            "committed" => {
                let mut lines = Vec::new();
                for _ in 0..self.host().pending.len() {
                    let effects = self.host().commit();
                    lines.extend(self.names.effects(effects));
                }
                lines
            }
            "failed" => {
                let error = ErrorCode::ALL.iter().find(|error| error.name() == arguments.first());
                let effects = self.host().fail(*error.expect("an error has a name"));
                self.names.effects(effects)
            }
            "restart" => {
                let effects = self.host().restart();
                self.names.effects(effects)
            }
            "unload" => {
                let effects = self.host().step(Input::Unload);
                self.names.effects(effects)
            }
            "topics-deleted" => {
                let topics = arguments.words.iter().map(|name| DeletedTopic {
                    id: topic_id(arguments.named("id").unwrap_or(name)),
                    name: ByteString::from(*name),
                });
                let topics = topics.collect();
                let effects = self.host().step(Input::TopicsDeleted { topics });
                self.names.effects(effects)
            }
            _ => {
                let request = self.request(verb, &arguments);
                let context = RequestContext {
                    api_version: arguments.number("v", default_version(verb)),
                    client_id: arguments.named("client").unwrap_or("c").into(),
                    client_host: "/127.0.0.1".into(),
                };
                let id = self.host().next_request();
                let label = label.map_or_else(|| format!("r{}", id.0), str::to_owned);
                self.names.requests.insert(id, label);
                let effects = self.host().request(context, request);
                self.names.effects(effects)
            }
        }
    }

    fn set(&mut self, arguments: &Arguments<'_>) {
        let settings = &mut self.settings;
        for (name, value) in &arguments.named {
            let value: i64 = value.parse().expect("a setting is a number");
            let small = i32::try_from(value).expect("most settings are small");
            match *name {
                "initial-rebalance-delay" => settings.group_initial_rebalance_delay_ms = small,
                "max-size" => settings.group_max_size = small,
                "offset-metadata-max-bytes" => settings.offset_metadata_max_bytes = small,
                "offsets-retention" => settings.offsets_retention_ms = value,
                "offsets-retention-check-interval" => settings.offsets_retention_check_interval_ms = value,
                _ => panic!("there is no setting {name}"),
            }
        }
    }

    fn request(&self, verb: &str, arguments: &Arguments<'_>) -> GroupRequest {
        let group_id = ByteString::from(Some(arguments.first()).filter(|it| *it != "-").unwrap_or_default());
        let member_id = self.names.id_of(arguments.named("member").unwrap_or_default());
        let group_instance_id = arguments.named("instance").map(ByteString::from);
        let generation_id = arguments.number("generation", -1);
        match verb {
            "join" => GroupRequest::JoinGroup(JoinGroupRequest {
                group_id,
                session_timeout_ms: arguments.number("session", 10_000),
                rebalance_timeout_ms: arguments.number("rebalance", 60_000),
                member_id,
                group_instance_id,
                protocol_type: arguments.named("type").unwrap_or("consumer").into(),
                protocols: protocols(arguments.named("protocols").unwrap_or("range")),
                ..Default::default()
            }),
            "sync" => GroupRequest::SyncGroup(SyncGroupRequest {
                group_id,
                generation_id,
                member_id,
                group_instance_id,
                protocol_type: Some(arguments.named("type").unwrap_or("consumer").into()),
                protocol_name: arguments
                    .named("protocol")
                    .or(Some("range"))
                    .filter(|it| *it != "-")
                    .map(Into::into),
                assignments: arguments.words[1..].iter().map(|word| self.assignment(word)).collect(),
                ..Default::default()
            }),
            "heartbeat" => GroupRequest::Heartbeat(HeartbeatRequest {
                group_id,
                generation_id,
                member_id,
                group_instance_id,
                ..Default::default()
            }),
            "leave" => GroupRequest::LeaveGroup(LeaveGroupRequest {
                group_id,
                member_id,
                members: arguments.words[1..].iter().map(|word| self.member_identity(word)).collect(),
                ..Default::default()
            }),
            "offset-commit" => GroupRequest::OffsetCommit(OffsetCommitRequest {
                group_id,
                generation_id_or_member_epoch: generation_id,
                member_id,
                group_instance_id,
                retention_time_ms: arguments.number("retention", -1),
                topics: arguments.words[1..]
                    .iter()
                    .map(|word| commit_topic(word, arguments.named("id")))
                    .collect(),
                ..Default::default()
            }),
            "offset-fetch" => {
                let topics = arguments.words[1..].iter().map(|word| fetch_topic(word, arguments.named("id")));
                let is_all = arguments.words.len() == 1;
                GroupRequest::OffsetFetch {
                    group: offset_fetch_request::OffsetFetchRequestGroup {
                        group_id,
                        topics: (!is_all).then(|| topics.collect()),
                        ..Default::default()
                    },
                    require_stable: arguments.named("stable").is_some(),
                }
            }
            "offset-delete" => {
                let topics = arguments.words[1..].iter().map(|word| delete_topic(word)).collect();
                GroupRequest::OffsetDelete(OffsetDeleteRequest { group_id, topics })
            }
            "describe" => GroupRequest::DescribeGroup(group_id),
            "delete" => GroupRequest::DeleteGroup(group_id),
            "list" => {
                let list = |name: &str| {
                    arguments
                        .named(name)
                        .into_iter()
                        .flat_map(|it| it.split(','))
                        .map(ByteString::from)
                        .collect()
                };
                GroupRequest::ListGroups(ListGroupsRequest {
                    states_filter: list("states"),
                    types_filter: list("types"),
                    ..Default::default()
                })
            }
            _ => panic!("there is no verb {verb}"),
        }
    }

    /// `m1=what`, here `m1:what`.
    fn assignment(&self, word: &str) -> sync_group_request::SyncGroupRequestAssignment {
        let (member, assignment) = word.split_once(':').expect("an assignment is member:what");
        sync_group_request::SyncGroupRequestAssignment {
            member_id: self.names.id_of(member),
            assignment: Bytes::copy_from_slice(assignment.as_bytes()),
            ..Default::default()
        }
    }

    /// `m1`, `m1/instance` or `/instance`.
    fn member_identity(&self, word: &str) -> leave_group_request::MemberIdentity {
        let (member, instance) = word.split_once('/').map_or((word, None), |(member, it)| (member, Some(it)));
        leave_group_request::MemberIdentity {
            member_id: self.names.id_of(member),
            group_instance_id: instance.map(Into::into),
            ..Default::default()
        }
    }
}

fn default_version(verb: &str) -> i16 {
    match verb {
        "join" | "offset-commit" => 9,
        "sync" | "leave" | "list" => 5,
        "heartbeat" => 4,
        "offset-fetch" => 9,
        "offset-delete" => 0,
        "describe" => 6,
        "delete" => 2,
        _ => panic!("there is no verb {verb}"),
    }
}

/// The id of a topic: its name, if it is short.
fn topic_id(name: &str) -> TopicId {
    let mut id = [0; 16];
    for (byte, letter) in id.iter_mut().zip(name.bytes()) {
        *byte = letter;
    }
    ottla_protocol::Uuid(id)
}

/// `range/t1+t2,roundrobin/t1`: protocols with the topics of their subscriptions; `range/!` has none that can be read.
fn protocols(text: &str) -> Vec<join_group_request::JoinGroupRequestProtocol> {
    let protocol = |text: &str| {
        let (name, topics) = text.split_once('/').unwrap_or((text, "t"));
        join_group_request::JoinGroupRequestProtocol {
            name: name.into(),
            metadata: if topics == "!" { Bytes::from_static(b"!") } else { subscription(topics) },
            ..Default::default()
        }
    };
    text.split(',').filter(|text| !text.is_empty()).map(protocol).collect()
}

pub(super) fn subscription(topics: &str) -> Bytes {
    let mut w = Writer::default();
    w.i16(3);
    let topics = topics.split('+').map(ByteString::from).collect();
    let subscription = ConsumerProtocolSubscription { topics, ..Default::default() };
    subscription.encode(&mut w, 3).expect("a subscription can be written");
    w.into_vec().into()
}

/// `t:0=100@metadata`.
fn commit_topic(word: &str, id: Option<&str>) -> offset_commit_request::OffsetCommitRequestTopic {
    let (topic, rest) = word.split_once(':').expect("a commit is topic:partition=offset");
    let (partition, rest) = rest.split_once('=').expect("a commit is topic:partition=offset");
    let (offset, metadata) = rest.split_once('@').unwrap_or((rest, ""));
    offset_commit_request::OffsetCommitRequestTopic {
        name: topic.into(),
        topic_id: topic_id(id.unwrap_or(topic)),
        partitions: vec![offset_commit_request::OffsetCommitRequestPartition {
            partition_index: partition.parse().expect("a partition is a number"),
            committed_offset: offset.parse().expect("an offset is a number"),
            committed_metadata: Some(metadata.into()),
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// `t:0,1`.
fn partitions(word: &str) -> (&str, Vec<i32>) {
    let (topic, partitions) = word.split_once(':').expect("partitions are topic:number,number");
    let number = |text: &str| text.parse().expect("a partition is a number");
    (topic, partitions.split(',').map(number).collect())
}

fn fetch_topic(word: &str, id: Option<&str>) -> offset_fetch_request::OffsetFetchRequestTopics {
    let (topic, partition_indexes) = partitions(word);
    offset_fetch_request::OffsetFetchRequestTopics {
        name: topic.into(),
        topic_id: id.map(topic_id).unwrap_or_default(),
        partition_indexes,
        ..Default::default()
    }
}

fn delete_topic(word: &str) -> offset_delete_request::OffsetDeleteRequestTopic {
    let (topic, partitions) = partitions(word);
    let partition = |partition_index| offset_delete_request::OffsetDeleteRequestPartition { partition_index };
    offset_delete_request::OffsetDeleteRequestTopic {
        name: topic.into(),
        partitions: partitions.into_iter().map(partition).collect(),
    }
}
