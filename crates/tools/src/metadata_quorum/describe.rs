//! `describe`.

use ottla_protocol::Uuid;
use ottla_protocol::messages::DescribeQuorumRequest;
use ottla_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use ottla_protocol::messages::describe_quorum_response::{Node, ReplicaState};

use crate::admin::{Admin, check};
use crate::context::Context;
use crate::failure::{Exception, Failure};

/// The quorum as its leader sees it.
struct Quorum {
    leader_id: i32,
    leader_epoch: i32,
    high_watermark: i64,
    voters: Vec<ReplicaState>,
    observers: Vec<ReplicaState>,
    nodes: Vec<Node>,
}

impl Quorum {
    fn leader(&self) -> Result<&ReplicaState, Exception> {
        let leader = self.voters.iter().find(|voter| voter.replica_id == self.leader_id);
        leader.ok_or_else(|| Exception::new("java.util.NoSuchElementException", "No value present"))
    }
}

async fn quorum(admin: &Admin) -> Result<Quorum, Exception> {
    let partition = PartitionData { partition_index: 0, ..Default::default() };
    let topic = TopicData {
        topic_name: "__cluster_metadata".into(),
        partitions: vec![partition],
        ..Default::default()
    };
    let request = DescribeQuorumRequest { topics: vec![topic], ..Default::default() };
    let response = admin.ask("describeMetadataQuorum", request).await?;
    check(response.error_code, response.error_message.as_deref())?;
    let partitions = response.topics.into_iter().flat_map(|topic| topic.partitions);
    let Some(partition) = partitions.into_iter().next() else {
        let text = "Metadata quorum topic has no partition in the answer";
        return Err(Exception::new("org.apache.kafka.common.errors.UnknownServerException", text));
    };
    check(partition.error_code, partition.error_message.as_deref())?;
    Ok(Quorum {
        leader_id: partition.leader_id,
        leader_epoch: partition.leader_epoch,
        high_watermark: partition.high_watermark,
        voters: partition.current_voters,
        observers: partition.observers,
        nodes: response.nodes,
    })
}

/// Prints the state in short.
pub(super) async fn status(admin: &Admin, cx: &mut Context<'_>) -> Result<(), Failure> {
    let cluster_id = admin.describe_cluster(false).await.map_err(Exception::execution)?.cluster_id;
    let quorum = quorum(admin).await.map_err(Exception::execution)?;
    write!(cx.out, "{}", status_text(&cluster_id, &quorum)?)?;
    Ok(())
}

fn status_text(cluster_id: &str, quorum: &Quorum) -> Result<String, Exception> {
    let leader = quorum.leader()?;
    let slowest = quorum.voters.iter().min_by_key(|voter| voter.log_end_offset).unwrap_or(leader);
    let (leader_time, slowest_time) = (leader.last_caught_up_timestamp, slowest.last_caught_up_timestamp);
    let lag_ms = if slowest.replica_id == leader.replica_id {
        0
    } else if leader_time >= 0 && slowest_time >= 0 {
        leader_time - slowest_time
    } else {
        -1
    };
    Ok(format!(
        "ClusterId:              {cluster_id}\n\
         LeaderId:               {}\n\
         LeaderEpoch:            {}\n\
         HighWatermark:          {}\n\
         MaxFollowerLag:         {}\n\
         MaxFollowerLagTimeMs:   {lag_ms}\n\
         CurrentVoters:          {}\n\
         CurrentObservers:       {}\n",
        quorum.leader_id,
        quorum.leader_epoch,
        quorum.high_watermark,
        leader.log_end_offset - slowest.log_end_offset,
        replicas(&quorum.voters, &quorum.nodes),
        replicas(&quorum.observers, &quorum.nodes),
    ))
}

fn replicas(replicas: &[ReplicaState], nodes: &[Node]) -> String {
    let replica = |replica: &ReplicaState| {
        let mut text = format!("{{\"id\": {}", replica.replica_id);
        if replica.replica_directory_id != Uuid::ZERO {
            text.push_str(&format!(", \"directoryId\": \"{}\"", replica.replica_directory_id));
        }
        let node = nodes.iter().find(|node| node.node_id == replica.replica_id);
        let end_points: Vec<String> = node
            .iter()
            .flat_map(|node| &node.listeners)
            .map(|listener| format!("\"{}\"", end_point(&listener.name, &listener.host, listener.port)))
            .collect();
        if !end_points.is_empty() {
            text.push_str(&format!(", \"endpoints\": [{}]", end_points.join(", ")));
        }
        text + "}"
    };
    let replicas: Vec<String> = replicas.iter().map(replica).collect();
    format!("[{}]", replicas.join(", "))
}

/// `NAME://host:port`.
pub(super) fn end_point(listener: &str, host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("{listener}://[{host}]:{port}")
    } else {
        format!("{listener}://{host}:{port}")
    }
}

/// Prints one line for each node.
pub(super) async fn replication(admin: &Admin, readable: bool, cx: &mut Context<'_>) -> Result<(), Failure> {
    let quorum = quorum(admin).await.map_err(Exception::execution)?;
    let now_ms = readable.then(|| (cx.now_ms)());
    write!(cx.out, "{}", replication_text(&quorum, now_ms)?)?;
    Ok(())
}

/// `now_ms` makes times relative.
fn replication_text(quorum: &Quorum, now_ms: Option<i64>) -> Result<String, Exception> {
    let leader = quorum.leader()?;
    let mut rows: Vec<[String; 7]> = vec![
        [
            "NodeId",
            "DirectoryId",
            "LogEndOffset",
            "Lag",
            "LastFetchTimestamp",
            "LastCaughtUpTimestamp",
            "Status",
        ]
        .map(str::to_string),
    ];
    let followers = quorum.voters.iter().filter(|voter| voter.replica_id != quorum.leader_id);
    let replicas = std::iter::once((leader, "Leader"))
        .chain(followers.map(|voter| (voter, "Follower")))
        .chain(quorum.observers.iter().map(|observer| (observer, "Observer")));
    for (replica, status) in replicas {
        rows.push([
            replica.replica_id.to_string(),
            replica.replica_directory_id.to_string(),
            replica.log_end_offset.to_string(),
            (leader.log_end_offset - replica.log_end_offset).to_string(),
            time(replica.last_fetch_timestamp, now_ms, "last fetch")?,
            time(replica.last_caught_up_timestamp, now_ms, "last caught up")?,
            status.to_string(),
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let mut text = String::new();
    for row in &rows {
        for (column, cell) in row.iter().enumerate() {
            text.push_str(&format!("{cell:<width$}\t", width = width(column)));
        }
        text.push('\n');
    }
    Ok(text)
}

fn time(timestamp: i64, now_ms: Option<i64>, what: &str) -> Result<String, Exception> {
    match now_ms {
        _ if timestamp < 0 => Ok("-1".to_string()),
        None => Ok(timestamp.to_string()),
        Some(now) if timestamp > 0 && timestamp <= now => Ok(format!("{} ms ago", now - timestamp)),
        Some(now) => Err(Exception::new(
            "org.apache.kafka.common.KafkaException",
            format!(
                "Error while computing relative time, possible drift in system clock.\n\
                 Current timestamp is {now}, {what} timestamp is {timestamp}"
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla_protocol::messages::describe_quorum_response::Listener;

    fn replica(replica_id: i32, log_end_offset: i64, caught_up: i64) -> ReplicaState {
        ReplicaState {
            replica_id,
            replica_directory_id: Uuid::ZERO,
            log_end_offset,
            last_fetch_timestamp: caught_up,
            last_caught_up_timestamp: caught_up,
            ..Default::default()
        }
    }

    fn quorum() -> Quorum {
        let listener = Listener {
            name: "CONTROLLER".into(),
            host: "127.0.0.1".into(),
            port: 21901,
            ..Default::default()
        };
        Quorum {
            leader_id: 1,
            leader_epoch: 1,
            high_watermark: 200,
            voters: vec![replica(1, 200, 5000)],
            observers: vec![],
            nodes: vec![Node { node_id: 1, listeners: vec![listener], ..Default::default() }],
        }
    }

    #[test]
    fn the_status_is_that_of_a_quorum_of_one() {
        assert_eq!(
            status_text("MkU3OEVBNTcwNTJENDM2Qg", &quorum()).expect("there is a leader"),
            "ClusterId:              MkU3OEVBNTcwNTJENDM2Qg\n\
             LeaderId:               1\n\
             LeaderEpoch:            1\n\
             HighWatermark:          200\n\
             MaxFollowerLag:         0\n\
             MaxFollowerLagTimeMs:   0\n\
             CurrentVoters:          [{\"id\": 1, \"endpoints\": [\"CONTROLLER://127.0.0.1:21901\"]}]\n\
             CurrentObservers:       []\n"
        );
    }

    #[test]
    fn the_slowest_voter_makes_the_lag() {
        let mut quorum = quorum();
        quorum.voters.push(replica(2, 150, 4000));
        let text = status_text("x", &quorum).expect("there is a leader");
        assert!(text.contains("MaxFollowerLag:         50\nMaxFollowerLagTimeMs:   1000\n"), "{text}");
    }

    #[test]
    fn replication_is_a_table_with_tabs() {
        let id = "AAAAAAAAAAAAAAAAAAAAAA";
        assert_eq!(
            replication_text(&quorum(), None).expect("there is a leader"),
            format!(
                "NodeId\tDirectoryId           \tLogEndOffset\tLag\tLastFetchTimestamp\tLastCaughtUpTimestamp\tStatus\t\n\
                 1     \t{id}\t200         \t0  \t5000              \t5000                 \tLeader\t\n"
            )
        );
        let text = replication_text(&quorum(), Some(5001)).expect("there is a leader");
        assert!(text.contains("\t1 ms ago          \t"), "{text}");
        assert!(replication_text(&quorum(), Some(4999)).is_err());
    }
}
