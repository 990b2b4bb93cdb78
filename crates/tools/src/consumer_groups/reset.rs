//! `--reset-offsets`: works out new offsets and, with `--execute`, commits them.

use std::collections::{BTreeMap, BTreeSet};

use super::describe::leaderless;
use super::{csv, group_ids, options, print_error, when};
use crate::admin::{Admin, Committed, EARLIEST, LATEST, LogOffset, TopicPartition, in_map_order};
use crate::context::Context;
use crate::failure::{Exception, Failure};
use crate::options::Arguments;
use crate::{java, log};

const CLASS: &str = "org.apache.kafka.tools.OffsetsUtils";

/// New offsets by group, groups and partitions in the order in which they are printed.
type Plan = Vec<(String, Offsets)>;
type Offsets = Vec<(TopicPartition, i64)>;

/// Resets group by group and prints the outcome.
pub(super) async fn run(arguments: &Arguments, admin: &Admin, cx: &mut Context<'_>) -> Result<(), Failure> {
    let ids = group_ids(arguments, admin).await?;
    let mut plan = Plan::new();
    for (id, group) in admin.describe_consumer_groups(&ids).await? {
        let state = match group {
            Ok(group) => group.state,
            Err(error) if error.is("GroupIdNotFoundException") => "Dead".to_string(),
            Err(error) => return Err(error.execution().wrapped("java.lang.RuntimeException").into()),
        };
        let offsets = if state == "Empty" || state == "Dead" {
            Reset { arguments, admin, group: &id }.run(cx).await?
        } else {
            let text = format!(
                "Assignments can only be reset if the group '{id}' is inactive, but the current state is {state}."
            );
            print_error(cx, &text)?;
            Vec::new()
        };
        plan.push((id, offsets));
    }
    if arguments.has("export") {
        let with_group = arguments.texts("group").len() != 1;
        writeln!(cx.out, "{}", csv::text(&plan, with_group))?;
    } else {
        write!(cx.out, "{}", table(&plan))?;
    }
    Ok(())
}

fn table(plan: &Plan) -> String {
    let width = |text: &str| text.encode_utf16().count();
    let group_width = plan.iter().map(|(group, _)| width(group)).max().unwrap_or(0).max(15);
    let topics = plan.iter().flat_map(|(_, offsets)| offsets).map(|((topic, _), _)| width(topic));
    let topic_width = topics.max().unwrap_or(0).max(15);
    let line = |group: &str, topic: &str, partition: &str, offset: &str| {
        format!("\n{group:<group_width$} {topic:<topic_width$} {partition:<10} {offset}")
    };
    let mut text = String::new();
    if !plan.is_empty() {
        text.push_str(&line("GROUP", "TOPIC", "PARTITION", "NEW-OFFSET"));
    }
    for (group, offsets) in plan {
        for ((topic, partition), offset) in offsets {
            text.push_str(&line(group, topic, &partition.to_string(), &offset.to_string()));
        }
    }
    text + "\n"
}

/// The reset of one group that has no members.
struct Reset<'a> {
    arguments: &'a Arguments,
    admin: &'a Admin,
    group: &'a str,
}

impl Reset<'_> {
    async fn run(&self, cx: &mut Context<'_>) -> Result<Offsets, Failure> {
        let partitions = self.partitions(cx).await?;
        self.check_partitions(&partitions).await?;
        let offsets = in_map_order(self.new_offsets(&partitions, cx).await?);
        if self.arguments.has("execute") && !self.arguments.has("dry-run") && !offsets.is_empty() {
            self.admin.commit_offsets(self.group, &offsets).await?;
        }
        Ok(offsets)
    }

    /// The partitions of `--all-topics` or `--topic`.
    async fn partitions(&self, cx: &mut Context<'_>) -> Result<Vec<TopicPartition>, Failure> {
        if self.arguments.has("all-topics") {
            return Ok(self.committed().await?.into_iter().map(|(partition, _)| partition).collect());
        }
        if self.arguments.has("topic") {
            return Ok(parse_topics(&self.arguments.texts("topic"), self.admin).await?);
        }
        if self.arguments.has("from-file") {
            return Ok(Vec::new());
        }
        let message = "One of the reset scopes should be defined: --all-topics, --topic.";
        Err(self.arguments.usage(cx, message))
    }

    async fn committed(&self) -> Result<Vec<(TopicPartition, Option<Committed>)>, Exception> {
        let committed = self.admin.committed_offsets(self.group).await;
        committed.map_err(|error| error.execution().wrapped("java.lang.RuntimeException"))
    }

    /// All must exist and have a leader.
    async fn check_partitions(&self, partitions: &[TopicPartition]) -> Result<(), Exception> {
        if partitions.is_empty() {
            return Ok(());
        }
        let topics: BTreeSet<String> = partitions.iter().map(|(topic, _)| topic.clone()).collect();
        let topics: Vec<String> = topics.into_iter().collect();
        let described = self.admin.describe_topics(&topics, 2000).await;
        let described = described.map_err(|error| error.execution().wrapped("java.lang.RuntimeException"))?;
        let exists = |(topic, partition): &&TopicPartition| {
            let mut found = described.iter().filter(|described| described.name == *topic);
            found.any(|described| described.partitions.iter().any(|known| known.index == *partition))
        };
        let missing: Vec<&TopicPartition> =
            partitions.iter().filter(|partition| !exists(partition)).collect();
        if !missing.is_empty() {
            return Err(Exception::new(
                "org.apache.kafka.common.errors.UnknownTopicOrPartitionException",
                format!("The partitions \"{}\" do not exist", names(missing)),
            ));
        }
        let leaderless = leaderless(partitions, self.admin).await?;
        if !leaderless.is_empty() {
            return Err(Exception::new(
                "org.apache.kafka.common.errors.LeaderNotAvailableException",
                format!("The partitions \"{}\" have no leader", names(leaderless.iter().collect())),
            ));
        }
        Ok(())
    }

    async fn new_offsets(
        &self,
        partitions: &[TopicPartition],
        cx: &mut Context<'_>,
    ) -> Result<Offsets, Failure> {
        let arguments = self.arguments;
        if let Some(offset) = options::first_number(arguments, "to-offset")? {
            let wanted = partitions.iter().map(|partition| (partition.clone(), offset)).collect();
            Ok(self.in_range(wanted, cx).await?)
        } else if arguments.has("to-earliest") {
            Ok(self.log_offsets(partitions, EARLIEST).await?)
        } else if arguments.has("to-latest") {
            Ok(self.log_offsets(partitions, LATEST).await?)
        } else if let Some(shift) = arguments.number::<i64>("shift-by")? {
            let wanted = shifted(partitions, &self.committed().await?, shift)?;
            Ok(self.in_range(wanted, cx).await?)
        } else if let Some(text) = arguments.texts("to-datetime").first() {
            let timestamp = when::datetime_ms(text)?;
            self.offsets_at(partitions, timestamp, cx).await
        } else if let Some(text) = arguments.text("by-duration")? {
            let timestamp = (cx.now_ms)().saturating_sub(when::duration_ms(text)?);
            self.offsets_at(partitions, timestamp, cx).await
        } else if let Some(path) = arguments.texts("from-file").first() {
            self.offsets_of_file(path, cx).await
        } else if arguments.has("to-current") {
            self.current_offsets(partitions).await
        } else {
            Err(options::no_scenario(arguments, cx))
        }
    }

    async fn log_offsets(&self, partitions: &[TopicPartition], timestamp: i64) -> Result<Offsets, Exception> {
        let found = self.list_offsets(partitions, timestamp).await?;
        let offset =
            |partition: &TopicPartition| found.get(partition).and_then(|found| found.offset).unwrap_or(-1);
        Ok(partitions.iter().map(|partition| (partition.clone(), offset(partition))).collect())
    }

    async fn list_offsets(
        &self,
        partitions: &[TopicPartition],
        timestamp: i64,
    ) -> Result<BTreeMap<TopicPartition, LogOffset>, Exception> {
        if partitions.is_empty() {
            return Ok(BTreeMap::new());
        }
        let wanted: Vec<_> = partitions.iter().map(|partition| (partition.clone(), timestamp)).collect();
        let found = self.admin.list_offsets(&wanted).await;
        found.map_err(|error| error.execution().wrapped("java.lang.RuntimeException"))
    }

    /// The offsets of the first records from a time on; where there is none, the end of the log.
    async fn offsets_at(
        &self,
        partitions: &[TopicPartition],
        timestamp: i64,
        cx: &mut Context<'_>,
    ) -> Result<Offsets, Failure> {
        let found = self.list_offsets(partitions, timestamp).await?;
        let found: Vec<(TopicPartition, LogOffset)> = in_map_order(found.into_iter().collect());
        let (known, unknown): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|(_, found)| found.offset.is_some());
        let unknown: Vec<TopicPartition> = unknown.into_iter().map(|(partition, _)| partition).collect();
        for (topic, partition) in &unknown {
            writeln!(
                cx.out,
                "\nWarn: Partition {partition} from topic {topic} is empty. Falling back to latest known offset."
            )?;
        }
        let ends = self.log_offsets(&unknown, LATEST).await?;
        let known = known.into_iter().filter_map(|(partition, found)| Some((partition, found.offset?)));
        let by_partition: BTreeMap<TopicPartition, i64> = known.chain(ends).collect();
        let offset = |partition: &TopicPartition| Some((partition.clone(), *by_partition.get(partition)?));
        Ok(partitions.iter().filter_map(offset).collect())
    }

    async fn offsets_of_file(&self, path: &str, cx: &mut Context<'_>) -> Result<Offsets, Failure> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Exception::unreadable(path, &error).wrapped("java.lang.RuntimeException"))?;
        let groups = self.arguments.texts("group");
        let only_group = if let [only] = groups.as_slice() { Some(*only) } else { None };
        match csv::offsets_of(&text, only_group, self.group)? {
            Some(wanted) => Ok(self.in_range(wanted, cx).await?),
            None => {
                print_error(cx, &format!("No reset plan for group {} found", self.group))?;
                Ok(Vec::new())
            }
        }
    }

    /// What is committed; where nothing is, the end of the log.
    async fn current_offsets(&self, partitions: &[TopicPartition]) -> Result<Offsets, Failure> {
        let committed: BTreeMap<TopicPartition, Option<Committed>> =
            self.committed().await?.into_iter().collect();
        let (with, without): (Vec<_>, Vec<_>) =
            partitions.iter().cloned().partition(|partition| committed.contains_key(partition));
        let mut offsets = Offsets::new();
        for partition in with {
            let Some(found) = committed.get(&partition).copied().flatten() else {
                let text =
                    format!("Expected a valid current offset for topic partition: {}", name(&partition));
                return Err(Exception::new("java.lang.IllegalStateException", text).into());
            };
            offsets.push((partition, found.offset));
        }
        offsets.extend(self.log_offsets(&without, LATEST).await?);
        Ok(offsets)
    }

    /// Offsets outside of the log are moved to its nearer end.
    async fn in_range(&self, wanted: Offsets, cx: &mut Context<'_>) -> Result<Offsets, Exception> {
        let partitions: Vec<TopicPartition> = wanted.iter().map(|(partition, _)| partition.clone()).collect();
        let starts = self.list_offsets(&partitions, EARLIEST).await?;
        let ends = self.list_offsets(&partitions, LATEST).await?;
        let bound = |bounds: &BTreeMap<TopicPartition, LogOffset>, partition: &TopicPartition| {
            bounds.get(partition).and_then(|found| found.offset)
        };
        let mut offsets = Offsets::new();
        for (partition, offset) in in_map_order(wanted) {
            let (start, end) = (bound(&starts, &partition), bound(&ends, &partition));
            let (moved, what) = match (start, end) {
                (_, Some(end)) if offset > end => (end, "higher than latest"),
                (Some(start), _) if offset < start => (start, "lower than earliest"),
                _ => (offset, ""),
            };
            if moved != offset {
                let text = format!(
                    "New offset ({offset}) is {what} offset for topic partition {}. Value will be set to {moved}",
                    name(&partition)
                );
                log::warn(cx, CLASS, &text);
            }
            offsets.push((partition, moved));
        }
        Ok(offsets)
    }
}

fn shifted(
    partitions: &[TopicPartition],
    committed: &[(TopicPartition, Option<Committed>)],
    shift: i64,
) -> Result<Offsets, Exception> {
    let mut offsets = Offsets::new();
    for partition in partitions {
        let found =
            committed.iter().find(|(known, _)| known == partition).and_then(|(_, committed)| *committed);
        let Some(found) = found else {
            return Err(Exception::illegal_argument(format!(
                "Cannot shift offset for partition {} since there is no current committed offset",
                name(partition)
            )));
        };
        offsets.push((partition.clone(), found.offset.wrapping_add(shift)));
    }
    Ok(offsets)
}

/// Reads `topic` (all partitions) and `topic:0,1`.
async fn parse_topics(texts: &[&str], admin: &Admin) -> Result<Vec<TopicPartition>, Exception> {
    let (with_partitions, whole): (Vec<&str>, Vec<&str>) = texts.iter().partition(|text| text.contains(':'));
    let mut partitions = Vec::new();
    for text in with_partitions {
        partitions.extend(parse_topic(text)?);
    }
    let whole: BTreeSet<String> = whole.into_iter().map(str::to_string).collect();
    let whole: Vec<String> = whole.into_iter().collect();
    let described = admin.describe_topics(&whole, 2000).await?;
    let described =
        java::hash_map_order(described, java::MapSize::Default, |topic| java::string_hash(&topic.name));
    for topic in described {
        partitions.extend(topic.partitions.iter().map(|partition| (topic.name.clone(), partition.index)));
    }
    Ok(partitions)
}

/// Reads `topic:0,1`.
pub(super) fn parse_topic(text: &str) -> Result<Vec<TopicPartition>, Exception> {
    let parts = java::split(text, ':');
    let [topic, partitions] = parts.as_slice() else {
        let text = format!("Invalid topic arg '{text}', expected topic name and partitions");
        return Err(Exception::illegal_argument(text));
    };
    let parse = |partition: &str| {
        let number = partition.parse().map_err(|_| {
            let text = format!("Invalid partition '{partition}' specified in topic arg '{text}''");
            Exception::illegal_argument(text)
        });
        number.map(|number| (topic.to_string(), number))
    };
    java::split(partitions, ',').into_iter().map(parse).collect()
}

fn name((topic, partition): &TopicPartition) -> String {
    format!("{topic}-{partition}")
}

fn names(partitions: Vec<&TopicPartition>) -> String {
    let names: Vec<String> = partitions.into_iter().map(name).collect();
    names.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_may_name_partitions() {
        let check = |text: &str, expected: Result<&[i32], &str>| {
            let found = parse_topic(text).map_err(|error| error.text().to_string());
            let expected =
                expected.map(|partitions| partitions.iter().map(|p| ("t".to_string(), *p)).collect());
            assert_eq!(found, expected.map_err(str::to_string), "{text}");
        };
        check("t:0,2", Ok(&[0, 2]));
        check("t:0:1", Err("Invalid topic arg 't:0:1', expected topic name and partitions"));
        check("t:x", Err("Invalid partition 'x' specified in topic arg 't:x''"));
    }

    #[test]
    fn shifting_needs_a_committed_offset() {
        let partition = |index| ("t".to_string(), index);
        let committed =
            [(partition(0), Some(Committed { offset: 5, leader_epoch: None })), (partition(1), None)];
        assert_eq!(shifted(&[partition(0)], &committed, -2).expect("committed"), [(partition(0), 3)]);
        let error = shifted(&[partition(1)], &committed, 1).expect_err("not committed");
        assert_eq!(
            error.text(),
            "Cannot shift offset for partition t-1 since there is no current committed offset"
        );
    }

    #[test]
    fn the_table_lists_new_offsets() {
        let plan = vec![("g".to_string(), vec![(("topic".to_string(), 3), 42)])];
        assert_eq!(
            table(&plan),
            "\nGROUP           TOPIC           PARTITION  NEW-OFFSET\
             \ng               topic           3          42\n"
        );
        assert_eq!(table(&Vec::new()), "\n");
    }
}
