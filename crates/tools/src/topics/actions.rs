//! What `kafka-topics` does, one function per action.

use ottla_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use ottla_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};

use super::describe;
use crate::admin::{Admin, Topic, TopicListing};
use crate::context::Context;
use crate::failure::{Exception, Failure};
use crate::java;
use crate::options::Arguments;
use crate::topic_filter::{TopicFilter, is_internal, plain_name};

/// How many partitions are asked for at a time, unless the command line says so.
pub(super) const PARTITIONS_PER_RESPONSE: i32 = 2000;

/// Does the one action that was asked for.
pub(super) async fn run(arguments: &Arguments, admin: &Admin, cx: &mut Context<'_>) -> Result<(), Failure> {
    if arguments.has("create") {
        create(arguments, admin, cx).await
    } else if arguments.has("alter") {
        alter(arguments, admin).await
    } else if arguments.has("list") {
        list(arguments, admin, cx).await
    } else if arguments.has("describe") {
        describe(arguments, admin, cx).await
    } else {
        delete(arguments, admin).await
    }
}

async fn create(arguments: &Arguments, admin: &Admin, cx: &mut Context<'_>) -> Result<(), Failure> {
    let name = arguments.text("topic")?.expect("its presence has been checked");
    let partitions: Option<i32> = arguments.number("partitions")?;
    let replication_factor: Option<i32> = arguments.number("replication-factor")?;
    let assignment = replica_assignment(arguments)?;
    let configs = topic_configs(&arguments.texts("config"))?;
    if name.contains(['.', '_']) {
        writeln!(
            cx.out,
            "WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') could \
             collide. To avoid issues it is best to use either, but not both."
        )?;
    }
    let replication_factor = match replication_factor.map(i16::try_from) {
        None => -1,
        Some(Ok(factor)) if factor >= 1 => factor,
        Some(_) => {
            let text = "The replication factor must be between 1 and 32767 inclusive";
            return Err(Exception::illegal_argument(text).into());
        }
    };
    if partitions.is_some_and(|partitions| partitions < 1) {
        return Err(Exception::illegal_argument("The partitions must be greater than 0").into());
    }
    let config = |(name, value): (String, String)| CreatableTopicConfig {
        name: name.into(),
        value: Some(value.into()),
        ..Default::default()
    };
    let assignments = (0..).zip(assignment).map(|(partition_index, broker_ids)| CreatableReplicaAssignment {
        partition_index,
        broker_ids,
        ..Default::default()
    });
    let topic = CreatableTopic {
        name: name.into(),
        num_partitions: partitions.unwrap_or(-1),
        replication_factor,
        assignments: assignments.collect(),
        configs: configs.into_iter().map(config).collect(),
        ..Default::default()
    };
    match admin.create_topic(topic).await {
        Ok(()) => writeln!(cx.out, "Created topic {name}.")?,
        Err(error) if error.is("TopicExistsException") && arguments.has("if-not-exists") => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

async fn list(arguments: &Arguments, admin: &Admin, cx: &mut Context<'_>) -> Result<(), Failure> {
    let (topics, _) = find(arguments, admin).await?;
    writeln!(cx.out, "{}", topics.join("\n"))?;
    Ok(())
}

async fn alter(arguments: &Arguments, admin: &Admin) -> Result<(), Failure> {
    let partitions: i32 = arguments.number("partitions")?.expect("its presence has been checked");
    let assignment = replica_assignment(arguments)?;
    topic_configs(&arguments.texts("config"))?;
    let (topics, _) = find(arguments, admin).await?;
    check_found(arguments, &topics)?;
    if topics.is_empty() {
        return Ok(());
    }
    let grown = |name: &str, assignments| CreatePartitionsTopic {
        name: name.into(),
        count: partitions,
        assignments,
        ..Default::default()
    };
    let topics = if assignment.is_empty() {
        topics.iter().map(|topic| grown(topic, None)).collect()
    } else {
        // The assignment speaks of all partitions; those that are there keep their brokers.
        let described = admin.describe_topics(&topics, PARTITIONS_PER_RESPONSE).await?;
        let brokers =
            |ids: &Vec<i32>| CreatePartitionsAssignment { broker_ids: ids.clone(), ..Default::default() };
        let new = |present: usize| assignment.iter().skip(present).map(brokers).collect();
        described.iter().map(|topic| grown(&topic.name, Some(new(topic.partitions.len())))).collect()
    };
    Ok(admin.create_partitions(topics).await?)
}

async fn delete(arguments: &Arguments, admin: &Admin) -> Result<(), Failure> {
    let (topics, _) = find(arguments, admin).await?;
    check_found(arguments, &topics)?;
    if topics.is_empty() {
        return Ok(());
    }
    Ok(admin.delete_topics(&topics).await?)
}

async fn describe(arguments: &Arguments, admin: &Admin, cx: &mut Context<'_>) -> Result<(), Failure> {
    let id = arguments.text("topic-id")?.map(java::parse_uuid).transpose()?;
    let (topics, live_brokers) = match id.filter(|id| *id != ottla_protocol::Uuid::ZERO) {
        Some(id) => {
            let (listings, live_brokers) = admin.list_topics().await?;
            let exclude_internal = arguments.has("exclude-internal");
            let exists =
                listings.iter().any(|topic| topic.id == id && !(exclude_internal && topic.is_internal));
            if !exists && !arguments.has("if-exists") {
                let text = format!("TopicId '{id}' does not exist as expected");
                return Err(Exception::illegal_argument(text).into());
            }
            let topics = if exists { vec![admin.describe_topic_id(id).await?] } else { Vec::new() };
            (topics, live_brokers)
        }
        None => {
            let (names, live_brokers) = find(arguments, admin).await?;
            check_found(arguments, &names)?;
            let limit = arguments.number("partition-size-limit-per-response")?;
            let topics = admin.describe_topics(&names, limit.unwrap_or(PARTITIONS_PER_RESPONSE)).await?;
            (in_map_order(topics), live_brokers)
        }
    };
    let report = describe::Report::of(arguments);
    let text = described(&topics, &live_brokers, &report, admin).await?;
    write!(cx.out, "{text}")?;
    Ok(())
}

/// The lines of `--describe` for these topics.
pub(super) async fn described(
    topics: &[Topic],
    live_brokers: &[i32],
    report: &describe::Report,
    admin: &Admin,
) -> Result<String, Exception> {
    if topics.is_empty() {
        return Ok(String::new());
    }
    let names: Vec<&str> = topics.iter().map(|topic| topic.name.as_str()).collect();
    let (configs, reassignments) =
        tokio::join!(admin.describe_topic_configs(&names), admin.list_reassignments(topics));
    let reassignments = match reassignments {
        Err(error)
            if error.is("UnsupportedVersionException") || error.is("ClusterAuthorizationException") =>
        {
            Default::default()
        }
        Err(error) => return Err(error.execution().wrapped("java.lang.RuntimeException")),
        Ok(reassignments) => reassignments,
    };
    Ok(describe::text(topics, &configs?, &reassignments, live_brokers, report))
}

/// The names of the topics that are meant, sorted, and the brokers that are alive.
async fn find(arguments: &Arguments, admin: &Admin) -> Result<(Vec<String>, Vec<i32>), Failure> {
    let wanted = arguments.text("topic")?;
    let exclude_internal = arguments.has("exclude-internal");
    let filter = wanted.map(TopicFilter::new).transpose();
    let (topics, live_brokers) = match wanted.and_then(plain_name) {
        Some(name) => admin.list_topic(name).await?,
        None => admin.list_topics().await?,
    };
    let filter = filter?;
    let meant = |topic: &TopicListing| {
        let excluded = exclude_internal && (topic.is_internal || is_internal(&topic.name));
        !excluded && filter.as_ref().is_none_or(|filter| filter.allows(&topic.name, exclude_internal))
    };
    let names = topics.into_iter().filter(meant).map(|topic| topic.name).collect();
    Ok((names, live_brokers))
}

fn check_found(arguments: &Arguments, topics: &[String]) -> Result<(), Failure> {
    match arguments.text("topic")?.filter(|topic| !topic.is_empty()) {
        Some(topic) if topics.is_empty() && !arguments.has("if-exists") => {
            Err(Exception::illegal_argument(format!("Topic '{topic}' does not exist as expected")).into())
        }
        _ => Ok(()),
    }
}

/// Topics come out of two hash maps, one copied from the other, and a third.
fn in_map_order(topics: Vec<Topic>) -> Vec<Topic> {
    use java::MapSize;
    let hash = |topic: &Topic| java::string_hash(&topic.name);
    let topics = java::hash_map_order(topics, MapSize::Expected, hash);
    let topics = java::hash_map_order(topics, MapSize::Copied, hash);
    java::hash_map_order(topics, MapSize::Expected, hash)
}

/// The brokers of each partition: `0:1,1:2`.
fn replica_assignment(arguments: &Arguments) -> Result<Vec<Vec<i32>>, Failure> {
    match arguments.text("replica-assignment")? {
        Some(text) if !text.is_empty() => Ok(parse_replica_assignment(text)?),
        _ => Ok(Vec::new()),
    }
}

fn parse_replica_assignment(text: &str) -> Result<Vec<Vec<i32>>, Exception> {
    let mut partitions: Vec<Vec<i32>> = Vec::new();
    for (index, part) in java::split(text, ',').into_iter().enumerate() {
        let brokers = java::split(part, ':').into_iter().map(|broker| java::parse_int(broker.trim()));
        let brokers = brokers.collect::<Result<Vec<i32>, Exception>>()?;
        let mut twice: Vec<i32> = Vec::new();
        for (at, broker) in brokers.iter().enumerate() {
            if brokers[..at].contains(broker) && !twice.contains(broker) {
                twice.push(*broker);
            }
        }
        if !twice.is_empty() {
            let twice: Vec<String> = twice.iter().map(i32::to_string).collect();
            return Err(Exception::new(
                "org.apache.kafka.tools.AdminCommandFailedException",
                format!("Partition replica lists may not contain duplicate entries: {}", twice.join(",")),
            ));
        }
        partitions.push(brokers);
        if partitions[index].len() != partitions[0].len() {
            return Err(Exception::new(
                "org.apache.kafka.tools.AdminOperationException",
                format!("Partition {index} has different replication factor: {:?}", partitions[index]),
            ));
        }
    }
    Ok(partitions)
}

/// The settings of `--config`: each is `key=value` with one equals sign. The later of two of a name counts.
pub(super) fn topic_configs(texts: &[&str]) -> Result<Vec<(String, String)>, Exception> {
    let mut configs: Vec<(String, String)> = Vec::new();
    for text in texts {
        let parts: Vec<&str> =
            java::split(text, '=').into_iter().map(|part| part.trim_matches(|c| c <= ' ')).collect();
        let [name, value] = parts.as_slice() else {
            return Err(Exception::illegal_argument(
                "requirement failed: Invalid topic config: all configs to be added must be in the format \"key=val\".",
            ));
        };
        configs.retain(|(known, _)| known != name);
        configs.push((name.to_string(), value.to_string()));
    }
    Ok(configs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_name_the_brokers_of_each_partition() {
        let check = |text: &str, expected: Result<Vec<Vec<i32>>, &str>| {
            let found = parse_replica_assignment(text).map_err(|error| error.text().to_string());
            assert_eq!(found, expected.map_err(str::to_string), "{text}");
        };
        check("1:2,2:1", Ok(vec![vec![1, 2], vec![2, 1]]));
        check(" 1 , 2 ", Ok(vec![vec![1], vec![2]]));
        check("1:1", Err("Partition replica lists may not contain duplicate entries: 1"));
        check("1:2,1", Err("Partition 1 has different replication factor: [1]"));
        check("1:x", Err("For input string: \"x\""));
    }

    #[test]
    fn settings_have_one_equals_sign() {
        let check = |texts: &[&str], expected: Option<&[(&str, &str)]>| {
            let found = topic_configs(texts).ok();
            let expected = expected.map(|pairs| {
                pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect::<Vec<_>>()
            });
            assert_eq!(found, expected, "{texts:?}");
        };
        check(&["a = b", "c=d", "a=e"], Some(&[("c", "d"), ("a", "e")]));
        check(&["a"], None);
        check(&["a="], None);
        check(&["a=b=c"], None);
    }
}
