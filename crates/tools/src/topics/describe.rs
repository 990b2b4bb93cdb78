//! What `kafka-topics --describe` prints. Pure.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::admin::{ConfigEntry, Partition, Reassignment, Topic};
use crate::java::{MapSize, hash_map_order, string_hash};
use crate::options::Arguments;

/// Which lines are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Report {
    under_replicated: bool,
    unavailable: bool,
    under_min_isr: bool,
    at_min_isr: bool,
    with_overrides: bool,
}

impl Report {
    /// Reads the options.
    pub(super) fn of(arguments: &Arguments) -> Report {
        Report {
            under_replicated: arguments.has("under-replicated-partitions"),
            unavailable: arguments.has("unavailable-partitions"),
            under_min_isr: arguments.has("under-min-isr-partitions"),
            at_min_isr: arguments.has("at-min-isr-partitions"),
            with_overrides: arguments.has("topics-with-overrides"),
        }
    }

    /// Whether it is about ailing partitions only.
    fn is_about_partitions(&self) -> bool {
        self.under_replicated || self.unavailable || self.under_min_isr || self.at_min_isr
    }
}

/// The lines of all topics; `configs` are in the order of `topics`.
pub(super) fn text(
    topics: &[Topic],
    configs: &[Vec<ConfigEntry>],
    reassignments: &BTreeMap<(String, i32), Reassignment>,
    live_brokers: &[i32],
    report: &Report,
) -> String {
    let mut text = String::new();
    for (topic, configs) in topics.iter().zip(configs) {
        let reassignment = |partition: i32| reassignments.get(&(topic.name.clone(), partition));
        let has_overrides = configs.iter().any(|entry| !entry.is_default());
        if !report.is_about_partitions() && (!report.with_overrides || has_overrides) {
            text.push_str(&topic_line(topic, configs, reassignment(0)));
        }
        if report.with_overrides {
            continue;
        }
        for partition in &topic.partitions {
            let reassignment = reassignment(partition.index);
            if is_wanted(partition, configs, reassignment, live_brokers, report) {
                text.push_str(&partition_line(&topic.name, partition, reassignment));
            }
        }
    }
    text
}

fn is_wanted(
    partition: &Partition,
    configs: &[ConfigEntry],
    reassignment: Option<&Reassignment>,
    live_brokers: &[i32],
    report: &Report,
) -> bool {
    let in_sync = partition.isr.len();
    let min_isr = || {
        let entry = configs.iter().find(|entry| entry.name == "min.insync.replicas");
        entry.and_then(|entry| entry.value.as_deref()).and_then(|value| value.parse().ok()).unwrap_or(1)
    };
    !report.is_about_partitions()
        || report.under_replicated && replication_factor(partition, reassignment) > in_sync
        || report.unavailable && !partition.leader.is_some_and(|leader| live_brokers.contains(&leader))
        || report.under_min_isr && (partition.leader.is_none() || in_sync < min_isr())
        || report.at_min_isr && in_sync == min_isr()
}

/// Replicas that are being added do not count yet.
fn replication_factor(partition: &Partition, reassignment: Option<&Reassignment>) -> usize {
    let moving = |moved: &&Reassignment| {
        partition
            .replicas
            .iter()
            .any(|replica| moved.adding.contains(replica) || moved.removing.contains(replica))
    };
    match reassignment.filter(moving) {
        Some(moved) => moved.replicas.len() - moved.adding.len().min(moved.replicas.len()),
        None => partition.replicas.len(),
    }
}

fn topic_line(topic: &Topic, configs: &[ConfigEntry], reassignment: Option<&Reassignment>) -> String {
    let configs =
        hash_map_order(configs.iter().collect(), MapSize::Default, |entry| string_hash(&entry.name));
    let overrides: Vec<String> = configs
        .into_iter()
        .filter(|entry| !entry.is_default())
        .map(|entry| format!("{}={}", entry.name, entry.value.as_deref().unwrap_or("null")))
        .collect();
    let mut line = format!("Topic: {}", topic.name);
    if topic.id != ottla_protocol::Uuid::ZERO {
        write!(line, "\tTopicId: {}", topic.id).expect(STRING);
    }
    let factor = topic.partitions.first().map_or(0, |first| replication_factor(first, reassignment));
    writeln!(
        line,
        "\tPartitionCount: {}\tReplicationFactor: {factor}\tConfigs: {}",
        topic.partitions.len(),
        overrides.join(",")
    )
    .expect(STRING);
    line
}

fn partition_line(topic: &str, partition: &Partition, reassignment: Option<&Reassignment>) -> String {
    let leader = partition.leader.map_or("none".to_string(), |leader| leader.to_string());
    let mut line = format!(
        "\tTopic: {topic}\tPartition: {}\tLeader: {leader}\tReplicas: {}\tIsr: {}",
        partition.index,
        ids(&partition.replicas),
        ids(&partition.isr)
    );
    if let Some(moved) = reassignment {
        let (adding, removing) = (ids(&moved.adding), ids(&moved.removing));
        write!(line, "\tAdding Replicas: {adding}\tRemoving Replicas: {removing}").expect(STRING);
    }
    let or_unknown = |replicas: &Option<Vec<i32>>| replicas.as_deref().map_or("N/A".to_string(), ids);
    writeln!(
        line,
        "\tElr: {}\tLastKnownElr: {}",
        or_unknown(&partition.elr),
        or_unknown(&partition.last_known_elr)
    )
    .expect(STRING);
    line
}

fn ids(ids: &[i32]) -> String {
    let texts: Vec<String> = ids.iter().map(i32::to_string).collect();
    texts.join(",")
}

const STRING: &str = "writing to a string cannot fail";

#[cfg(test)]
mod tests {
    use super::*;

    fn topic() -> Topic {
        let partition = |index, leader, isr: &[i32]| Partition {
            index,
            leader,
            replicas: vec![1, 2, 3],
            isr: isr.to_vec(),
            elr: Some(vec![3]),
            last_known_elr: None,
        };
        let id = ottla_protocol::Uuid::parse("GTgeyTsiQou8KVr2HsM28A").expect("an id");
        let partitions =
            vec![partition(0, Some(1), &[1, 2, 3]), partition(1, Some(9), &[2, 3]), partition(2, None, &[1])];
        Topic { name: "orders".to_string(), id, partitions }
    }

    fn config(name: &str, value: &str, source: i8) -> ConfigEntry {
        ConfigEntry {
            name: name.to_string(),
            value: Some(value.to_string()),
            source,
            is_sensitive: false,
            is_read_only: false,
            synonyms: Vec::new(),
        }
    }

    #[track_caller]
    fn check(report: Report, moved: Option<Reassignment>, expected: &str) {
        let configs = [
            config("retention.ms", "1000", 1),
            config("cleanup.policy", "compact", 1),
            config("min.insync.replicas", "2", 4),
            config("segment.bytes", "1073741824", 5),
        ];
        let reassignments = moved.into_iter().map(|moved| (("orders".to_string(), 0), moved)).collect();
        let found = text(&[topic()], &[configs.to_vec()], &reassignments, &[1, 2, 3], &report);
        assert_eq!(found, expected);
    }

    const TOPIC: &str = "Topic: orders\tTopicId: GTgeyTsiQou8KVr2HsM28A\tPartitionCount: 3\tReplicationFactor: 3\t\
                         Configs: cleanup.policy=compact,min.insync.replicas=2,retention.ms=1000\n";
    const FIRST: &str =
        "\tTopic: orders\tPartition: 0\tLeader: 1\tReplicas: 1,2,3\tIsr: 1,2,3\tElr: 3\tLastKnownElr: N/A\n";
    const SECOND: &str =
        "\tTopic: orders\tPartition: 1\tLeader: 9\tReplicas: 1,2,3\tIsr: 2,3\tElr: 3\tLastKnownElr: N/A\n";
    const THIRD: &str =
        "\tTopic: orders\tPartition: 2\tLeader: none\tReplicas: 1,2,3\tIsr: 1\tElr: 3\tLastKnownElr: N/A\n";

    #[test]
    fn a_topic_comes_before_its_partitions() {
        check(Report::default(), None, &[TOPIC, FIRST, SECOND, THIRD].concat());
        check(Report { with_overrides: true, ..Report::default() }, None, TOPIC);
    }

    #[test]
    fn ailing_partitions_come_without_their_topic() {
        check(Report { under_replicated: true, ..Report::default() }, None, &[SECOND, THIRD].concat());
        check(Report { unavailable: true, ..Report::default() }, None, &[SECOND, THIRD].concat());
        check(Report { under_min_isr: true, ..Report::default() }, None, THIRD);
        check(Report { at_min_isr: true, ..Report::default() }, None, SECOND);
    }

    #[test]
    fn a_partition_that_moves_shows_where_to() {
        let moved = Reassignment { replicas: vec![1, 2, 3], adding: vec![3], removing: vec![] };
        let first = FIRST.replace("\tElr", "\tAdding Replicas: 3\tRemoving Replicas: \tElr");
        let topic = TOPIC.replace("ReplicationFactor: 3", "ReplicationFactor: 2");
        check(Report::default(), Some(moved), &[topic.as_str(), &first, SECOND, THIRD].concat());
    }
}
