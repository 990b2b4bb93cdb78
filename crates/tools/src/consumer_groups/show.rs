//! What `--describe` prints, group by group.

use super::print_error;
use crate::admin::{Committed, ConsumerGroup, Member, TopicPartition};
use crate::context::Context;
use crate::failure::{Exception, Failure};

/// One line of `--offsets`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OffsetRow {
    pub(super) partition: TopicPartition,
    pub(super) committed: Option<Committed>,
    pub(super) log_end: Option<i64>,
    /// Member id, host and client id.
    pub(super) member: [String; 3],
}

const MISSING: &str = "-";

/// Says what is special about the group's state; answers whether there is anything to print.
fn state_is_printable(group: &ConsumerGroup, rows: usize, cx: &mut Context<'_>) -> Result<bool, Failure> {
    match group.state.as_str() {
        "Dead" => print_error(cx, &format!("Consumer group '{}' does not exist.", group.id))?,
        "Empty" => {
            cx.out.flush()?;
            writeln!(cx.err, "\nConsumer group '{}' has no active members.", group.id)?;
        }
        "PreparingRebalance" | "CompletingRebalance" | "Assigning" | "Reconciling" => {
            cx.out.flush()?;
            writeln!(cx.err, "\nWarning: Consumer group '{}' is rebalancing.", group.id)?;
        }
        "Stable" => {}
        other => {
            let text = format!("Expected a valid consumer group state, but found '{other}'.");
            return Err(Exception::new("org.apache.kafka.common.KafkaException", text).into());
        }
    }
    Ok(group.state != "Dead" && rows > 0)
}

/// Prints what the group has committed.
pub(super) fn offsets(
    group: &ConsumerGroup,
    rows: &[OffsetRow],
    verbose: bool,
    cx: &mut Context<'_>,
) -> Result<(), Failure> {
    if state_is_printable(group, rows.len(), cx)? {
        write!(cx.out, "{}", offsets_text(&group.id, rows, verbose))?;
    }
    Ok(())
}

fn offsets_text(group: &str, rows: &[OffsetRow], verbose: bool) -> String {
    let widest = |text: &dyn Fn(&OffsetRow) -> usize| rows.iter().map(text).max().unwrap_or(0).max(15);
    let group_width = width(group).max(15);
    let topic_width = widest(&|row| width(&row.partition.0));
    let member_width = widest(&|row| width(&row.member[0]));
    let host_width = widest(&|row| width(&row.member[1]));
    let line = |columns: [&str; 10]| {
        let [group, topic, partition, epoch, offset, end, lag, member, host, client] = columns;
        let epoch = if verbose { format!("{epoch:<15} ") } else { String::new() };
        format!(
            "\n{group:<group_width$} {topic:<topic_width$} {partition:<10} {epoch}{offset:<15} {end:<15} {lag:<15} \
             {member:<member_width$} {host:<host_width$} {client}"
        )
    };
    let mut text = line([
        "GROUP",
        "TOPIC",
        "PARTITION",
        "LEADER-EPOCH",
        "CURRENT-OFFSET",
        "LOG-END-OFFSET",
        "LAG",
        "CONSUMER-ID",
        "HOST",
        "CLIENT-ID",
    ]);
    for row in rows {
        let offset = row.committed.map(|committed| committed.offset);
        let lag = offset.filter(|offset| *offset != -1).zip(row.log_end).map(|(offset, end)| end - offset);
        text.push_str(&line([
            group,
            &row.partition.0,
            &row.partition.1.to_string(),
            &or_missing(row.committed.and_then(|committed| committed.leader_epoch)),
            &or_missing(offset),
            &or_missing(row.log_end),
            &or_missing(lag),
            &row.member[0],
            &row.member[1],
            &row.member[2],
        ]));
    }
    text + "\n"
}

/// Prints the group's members. The heading comes even when there are none.
pub(super) fn members(group: &ConsumerGroup, verbose: bool, cx: &mut Context<'_>) -> Result<(), Failure> {
    let fit = state_is_printable(group, group.members.len(), cx)?;
    write!(cx.out, "{}", members_text(group, fit, verbose))?;
    Ok(())
}

fn members_text(group: &ConsumerGroup, fit: bool, verbose: bool) -> String {
    let measured: &[Member] = if fit { &group.members } else { &[] };
    let widest = |least: usize, text: &dyn Fn(&Member) -> String| {
        measured.iter().map(|member| width(&text(member))).max().unwrap_or(0).max(least)
    };
    let group_width = if measured.is_empty() { 15 } else { width(&group.id).max(15) };
    let id_width = widest(15, &|member| member.id.clone());
    let instance_width = widest(17, &|member| instance_id(member).to_string());
    let host_width = widest(15, &|member| member.host.clone());
    let client_width = widest(15, &|member| member.client_id.clone());
    let current_width = widest(20, &|member| assignment(&member.assignment));
    let target_width = widest(20, &|member| assignment(&member.target));
    let with_instance = measured.iter().any(|member| !instance_id(member).is_empty());
    let speaks = |upgraded: bool| measured.iter().any(|member| member.is_upgraded == Some(upgraded));
    let with_upgrade = speaks(false) && speaks(true);

    let line = |columns: [&str; 6], more: [&str; 5]| {
        let [group, id, instance, host, client, partitions] = columns;
        let instance = if with_instance { format!("{instance:<instance_width$} ") } else { String::new() };
        let mut line = format!(
            "{group:<group_width$} {id:<id_width$} {instance}{host:<host_width$} {client:<client_width$} \
             {partitions:<15} "
        );
        if verbose {
            let [epoch, current, target_epoch, target, upgraded] = more;
            line.push_str(&format!(
                "{epoch:<15} {current:<current_width$} {target_epoch:<15} {target:<target_width$}"
            ));
            if with_upgrade {
                line.push_str(&format!(" {upgraded}"));
            }
        }
        line + "\n"
    };
    let mut text = String::from("\n");
    text.push_str(&line(
        ["GROUP", "CONSUMER-ID", "GROUP-INSTANCE-ID", "HOST", "CLIENT-ID", "#PARTITIONS"],
        ["CURRENT-EPOCH", "CURRENT-ASSIGNMENT", "TARGET-EPOCH", "TARGET-ASSIGNMENT", "UPGRADED"],
    ));
    for member in &group.members {
        let partitions = member.assignment.len().to_string();
        text.push_str(&line(
            [&group.id, &member.id, instance_id(member), &member.host, &member.client_id, &partitions],
            [
                &or_missing(member.epoch),
                &assignment(&member.assignment),
                &or_missing(group.target_epoch),
                &assignment(&member.target),
                &or_missing(member.is_upgraded),
            ],
        ));
    }
    text
}

fn instance_id(member: &Member) -> &str {
    member.instance_id.as_deref().unwrap_or("")
}

/// `topic:0,1;other:0`.
fn assignment(partitions: &[TopicPartition]) -> String {
    if partitions.is_empty() {
        return MISSING.to_string();
    }
    let mut topics: std::collections::BTreeMap<&str, Vec<i32>> = std::collections::BTreeMap::new();
    for (topic, partition) in partitions {
        topics.entry(topic).or_default().push(*partition);
    }
    let mut texts: Vec<String> = Vec::new();
    for (topic, mut partitions) in topics {
        partitions.sort_unstable();
        let partitions: Vec<String> = partitions.iter().map(i32::to_string).collect();
        texts.push(format!("{topic}:{}", partitions.join(",")));
    }
    texts.sort();
    texts.join(";")
}

/// Prints the group's state.
pub(super) fn state(group: &ConsumerGroup, verbose: bool, cx: &mut Context<'_>) -> Result<(), Failure> {
    if state_is_printable(group, 1, cx)? {
        write!(cx.out, "{}", state_text(group, verbose))?;
    }
    Ok(())
}

fn state_text(group: &ConsumerGroup, verbose: bool) -> String {
    let node = &group.coordinator;
    let coordinator = format!("{}:{}  ({})", node.address.host, node.address.port, node.id);
    let assignor = if group.assignor.is_empty() { MISSING } else { &group.assignor };
    let coordinator_width = width(&coordinator).max(25);
    let group_width = width(&group.id).max(15);
    let line = |columns: [&str; 7]| {
        let [group, coordinator, assignor, state, epoch, target_epoch, members] = columns;
        let epochs = if verbose { format!("{epoch:<15} {target_epoch:<25} ") } else { String::new() };
        format!(
            "\n{group:<group_width$} {coordinator:<coordinator_width$} {assignor:<20} {state:<20} {epochs}{members}"
        )
    };
    let mut text = line([
        "GROUP",
        "COORDINATOR (ID)",
        "ASSIGNMENT-STRATEGY",
        "STATE",
        "GROUP-EPOCH",
        "TARGET-ASSIGNMENT-EPOCH",
        "#MEMBERS",
    ]);
    text.push_str(&line([
        &group.id,
        &coordinator,
        assignor,
        &group.state,
        &or_missing(group.epoch),
        &or_missing(group.target_epoch),
        &group.members.len().to_string(),
    ]));
    text + "\n"
}

fn or_missing<T: ToString>(value: Option<T>) -> String {
    value.map_or(MISSING.to_string(), |value| value.to_string())
}

/// Columns are as wide as Java's strings are long.
fn width(text: &str) -> usize {
    text.encode_utf16().count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla_client::Node;
    use ottla_client::config::Address;
    use ottla_protocol::BrokerId;

    fn partition(topic: &str, partition: i32) -> TopicPartition {
        (topic.to_string(), partition)
    }

    fn member(id: &str, instance_id: Option<&str>, partitions: &[TopicPartition]) -> Member {
        Member {
            id: id.to_string(),
            instance_id: instance_id.map(str::to_string),
            client_id: "console-consumer".to_string(),
            host: "/127.0.0.1".to_string(),
            assignment: partitions.to_vec(),
            ..Member::default()
        }
    }

    fn group(members: Vec<Member>) -> ConsumerGroup {
        let address = Address { host: "127.0.0.1".to_string(), port: 21900 };
        ConsumerGroup {
            id: "live-classic".to_string(),
            coordinator: Node { id: BrokerId(1), address, rack: None },
            assignor: "range".to_string(),
            state: "Stable".to_string(),
            epoch: None,
            target_epoch: None,
            members,
        }
    }

    #[test]
    fn offsets_come_with_their_lag() {
        let row = |index, committed: Option<(i64, i32)>, log_end| OffsetRow {
            partition: partition("grp-t", index),
            committed: committed.map(|(offset, epoch)| Committed { offset, leader_epoch: Some(epoch) }),
            log_end,
            member: ["-"; 3].map(str::to_string),
        };
        let rows = [row(0, Some((5, 0)), Some(20)), row(1, None, Some(3)), row(2, Some((1, 2)), None)];
        assert_eq!(
            offsets_text("g", &rows, false),
            "\nGROUP           TOPIC           PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG             CONSUMER-ID     HOST            CLIENT-ID\
             \ng               grp-t           0          5               20              15              -               -               -\
             \ng               grp-t           1          -               3               -               -               -               -\
             \ng               grp-t           2          1               -               -               -               -               -\n"
        );
        assert_eq!(
            offsets_text("g", &rows[..1], true),
            "\nGROUP           TOPIC           PARTITION  LEADER-EPOCH    CURRENT-OFFSET  LOG-END-OFFSET  LAG             CONSUMER-ID     HOST            CLIENT-ID\
             \ng               grp-t           0          0               5               20              15              -               -               -\n"
        );
    }

    #[test]
    fn members_come_with_their_assignment() {
        let partitions = [partition("u", 0), partition("t", 1), partition("t", 0)];
        let members = vec![member("console-consumer-1", None, &partitions), member("b", None, &[])];
        assert_eq!(
            members_text(&group(members.clone()), true, false),
            "\nGROUP           CONSUMER-ID        HOST            CLIENT-ID        #PARTITIONS     \n\
             live-classic    console-consumer-1 /127.0.0.1      console-consumer 3               \n\
             live-classic    b                  /127.0.0.1      console-consumer 0               \n"
        );
        assert_eq!(
            members_text(&group(members), true, true),
            "\nGROUP           CONSUMER-ID        HOST            CLIENT-ID        #PARTITIONS     CURRENT-EPOCH   CURRENT-ASSIGNMENT   TARGET-EPOCH    TARGET-ASSIGNMENT   \n\
             live-classic    console-consumer-1 /127.0.0.1      console-consumer 3               -               t:0,1;u:0            -               -                   \n\
             live-classic    b                  /127.0.0.1      console-consumer 0               -               -                    -               -                   \n"
        );
    }

    #[test]
    fn static_members_show_their_instance() {
        let text = members_text(&group(vec![member("m", Some("i"), &[])]), true, false);
        assert_eq!(
            text,
            "\nGROUP           CONSUMER-ID     GROUP-INSTANCE-ID HOST            CLIENT-ID        #PARTITIONS     \n\
             live-classic    m               i                 /127.0.0.1      console-consumer 0               \n"
        );
    }

    #[test]
    fn the_state_names_the_coordinator() {
        assert_eq!(
            state_text(&group(vec![member("m", None, &[])]), false),
            "\nGROUP           COORDINATOR (ID)          ASSIGNMENT-STRATEGY  STATE                #MEMBERS\
             \nlive-classic    127.0.0.1:21900  (1)      range                Stable               1\n"
        );
        assert_eq!(
            state_text(&group(vec![]), true),
            "\nGROUP           COORDINATOR (ID)          ASSIGNMENT-STRATEGY  STATE                GROUP-EPOCH     TARGET-ASSIGNMENT-EPOCH   #MEMBERS\
             \nlive-classic    127.0.0.1:21900  (1)      range                Stable               -               -                         0\n"
        );
    }
}
