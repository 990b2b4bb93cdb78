//! `--delete` and `--delete-offsets`.

use std::collections::BTreeSet;

use super::reset::parse_topic;
use super::{group_ids, print_error};
use crate::admin::{Admin, TopicPartition, in_map_order};
use crate::context::Context;
use crate::failure::{Exception, Failure};
use crate::options::Arguments;

/// Deletes groups and says which could be and which could not.
pub(super) async fn groups(
    arguments: &Arguments,
    admin: &Admin,
    cx: &mut Context<'_>,
) -> Result<(), Failure> {
    let ids = group_ids(arguments, admin).await?;
    let (deleted, failed): (Vec<_>, Vec<_>) =
        admin.delete_groups(&ids).await?.into_iter().partition(|(_, result)| result.is_ok());
    let deleted: Vec<String> = deleted.iter().map(|(id, _)| format!("'{id}'")).collect();
    let deleted = deleted.join(", ");
    if failed.is_empty() {
        writeln!(cx.out, "Deletion of requested consumer groups ({deleted}) was successful.")?;
        return Ok(());
    }
    print_error(cx, "Deletion of some consumer groups failed:")?;
    for (id, result) in failed {
        if let Err(error) = result {
            writeln!(cx.out, "* Group '{id}' could not be deleted due to: {error}")?;
        }
    }
    if !deleted.is_empty() {
        writeln!(cx.out, "\nThese consumer groups were deleted successfully: {deleted}")?;
    }
    Ok(())
}

type Results = Vec<(TopicPartition, Result<(), Exception>)>;

/// Deletes what a group has committed for topics.
pub(super) async fn offsets(
    arguments: &Arguments,
    admin: &Admin,
    cx: &mut Context<'_>,
) -> Result<(), Failure> {
    let group = arguments.text("group")?.expect("its presence has been checked");
    let (partitions, mut results) = find_partitions(&arguments.texts("topic"), admin).await?;
    let failed = match admin.delete_offsets(group, &partitions).await {
        Ok(deleted) => {
            let deleted = in_map_order(deleted);
            let failed = deleted.iter().find_map(|(_, result)| result.as_ref().err().cloned());
            results.extend(deleted);
            failed
        }
        Err(error) => {
            results.extend(partitions.into_iter().map(|partition| (partition, Err(error.clone()))));
            Some(error)
        }
    };
    match failed {
        None => writeln!(cx.out, "Request succeeded for deleting offsets from group {group}.")?,
        Some(error) => print_error(cx, &summary(&error))?,
    }
    write!(cx.out, "{}", table(results))?;
    Ok(())
}

/// The partitions of `topic` and `topic:0,1`; topics that do not exist are results already, with partition -1.
async fn find_partitions(texts: &[&str], admin: &Admin) -> Result<(Vec<TopicPartition>, Results), Failure> {
    let mut partitions: BTreeSet<TopicPartition> = BTreeSet::new();
    let mut unknown = Results::new();
    for text in texts {
        if text.contains(':') {
            partitions.extend(parse_topic(text)?);
            continue;
        }
        match admin.describe_topics(&[text.to_string()], 2000).await {
            Ok(topics) => partitions.extend(topics.iter().flat_map(|topic| {
                topic.partitions.iter().map(|partition| (topic.name.clone(), partition.index))
            })),
            Err(error) => unknown.push(((text.to_string(), -1), Err(error))),
        }
    }
    let partitions = in_map_order(partitions.into_iter().map(|partition| (partition, ())).collect());
    Ok((partitions.into_iter().map(|(partition, ())| partition).collect(), unknown))
}

fn summary(error: &Exception) -> String {
    const OF_THE_GROUP: [&str; 4] = [
        "InvalidGroupIdException",
        "GroupIdNotFoundException",
        "GroupAuthorizationException",
        "GroupNotEmptyException",
    ];
    const OF_PARTITIONS: [&str; 3] = [
        "GroupSubscribedToTopicException",
        "TopicAuthorizationException",
        "UnknownTopicOrPartitionException",
    ];
    if OF_PARTITIONS.iter().any(|class| error.is(class)) {
        return "Encountered some partition-level error, see the follow-up details.".to_string();
    }
    let code = error.code.unwrap_or(ottla_protocol::ErrorCode::UnknownServerError);
    if OF_THE_GROUP.iter().any(|class| error.is(class)) {
        return code.message().to_string();
    }
    format!("Encountered some unknown error: {}", code.name())
}

fn table(mut results: Results) -> String {
    let width = results.iter().map(|((topic, _), _)| topic.encode_utf16().count()).max().unwrap_or(0).max(15);
    results.sort_by_key(|((topic, partition), _)| format!("{topic}{partition}"));
    let line = |topic: &str, partition: &str, status: &str| {
        format!("\n{topic:<width$} {partition:<10} {status:<15}")
    };
    let mut text = line("TOPIC", "PARTITION", "STATUS");
    for ((topic, partition), result) in results {
        let partition = if partition >= 0 { partition.to_string() } else { "-".to_string() };
        let status = result.err().map_or("Successful".to_string(), |error| format!("Error: {error}"));
        text.push_str(&line(&topic, &partition, &status));
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla_protocol::ErrorCode;

    #[test]
    fn the_table_is_sorted_by_name() {
        let unknown = Exception::of_code(ErrorCode::UnknownTopicOrPartition, None);
        let results = vec![(("b".to_string(), 0), Ok(())), (("a".to_string(), -1), Err(unknown))];
        assert_eq!(
            table(results),
            "\nTOPIC           PARTITION  STATUS         \
             \na               -          Error: \
             org.apache.kafka.common.errors.UnknownTopicOrPartitionException: This server does not host this \
             topic-partition.\
             \nb               0          Successful     \n"
        );
    }
}
