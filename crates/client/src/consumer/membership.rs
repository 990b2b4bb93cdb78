//! Being a member of a classic consumer group: joining, leading when it is our turn, heartbeats, leaving.

use super::assignor::{Assignor, Topics};
use super::config::ConsumerConfig;
use super::protocol::{decode_assignment, decode_member, encode_assignment, encode_subscription};
use crate::offsets::{Committed, Committer};
use crate::{Client, Connection, Error, Result, TopicPartition};
use bytestring::ByteString;
use ottla_protocol::messages::heartbeat_request::HeartbeatRequest;
use ottla_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use ottla_protocol::messages::leave_group_request::MemberIdentity;
use ottla_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use ottla_protocol::messages::{
    JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, SyncGroupRequest, SyncGroupResponse,
};
use ottla_protocol::{ApiKey, ErrorCode};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

const PROTOCOL_TYPE: &str = "consumer";
/// How much longer than the rebalance timeout the answer to a join may take.
const JOIN_SLACK: Duration = Duration::from_secs(5);

/// What a member brings into a rebalance.
#[derive(Clone)]
pub(super) struct Joining {
    pub(super) client: Client,
    pub(super) config: Arc<ConsumerConfig>,
    /// As whom; member id empty before the first time.
    pub(super) me: Committer,
    /// Where the member id is left as soon as there is one.
    pub(super) member_id: Arc<Mutex<ByteString>>,
    /// Topics that it wants.
    pub(super) topics: Vec<ByteString>,
    /// What it keeps during the rebalance.
    pub(super) owned: Vec<TopicPartition>,
    /// Positions to be committed before anybody else gets the partitions.
    pub(super) commit: BTreeMap<TopicPartition, Committed>,
}

/// What it gets.
pub(super) struct Joined {
    pub(super) me: Committer,
    pub(super) partitions: Vec<TopicPartition>,
    /// The partition counts that the leader went by, when that is this member.
    pub(super) led: Option<Topics>,
}

impl Joining {
    /// Joins, again and again while that may help; ends when the member has its partitions, or with an error that the
    /// user must see.
    pub(super) async fn run(mut self) -> Result<Joined> {
        self.commit_positions().await;
        for attempt in 0.. {
            match self.once().await {
                Ok(joined) => return Ok(joined),
                Err(error) => self.recover(error, attempt).await?,
            }
        }
        unreachable!("an endless loop")
    }

    async fn commit_positions(&self) {
        if self.commit.is_empty() {
            return;
        }
        // Without it the next owner reads some records again, which is allowed; not joining would be worse.
        if let Err(error) = self.client.commit_once(&self.me, &self.commit).await {
            tracing::debug!("offsets were not committed before the rebalance: {error}");
        }
    }

    async fn recover(&mut self, error: Error, attempt: u32) -> Result<()> {
        match error.code() {
            Some(ErrorCode::UnknownMemberId) => {
                self.know_id(ByteString::new());
                self.me.generation = -1;
            }
            Some(ErrorCode::IllegalGeneration) => self.me.generation = -1,
            Some(ErrorCode::RebalanceInProgress) => return Ok(()),
            _ if error.is_retriable() => self.client.forget_group(&self.me.group_id),
            _ => return Err(error),
        }
        tracing::debug!("joining group {} again: {error}", self.me.group_id);
        sleep(self.client.config().backoff.pause(attempt)).await;
        Ok(())
    }

    async fn once(&mut self) -> Result<Joined> {
        let coordinator = self.client.group_coordinator(&self.me.group_id).await?;
        let joined = self.join(&coordinator).await?;
        self.know_id(joined.member_id.clone());
        self.me.generation = joined.generation_id;
        let (assignments, led) = if joined.leader == joined.member_id && !joined.skip_assignment {
            let (assignments, topics) = self.lead(&joined).await?;
            (assignments, Some(topics))
        } else {
            (Vec::new(), None)
        };
        let synced = self.sync(&coordinator, &joined, assignments).await?;
        Ok(Joined { me: self.me.clone(), partitions: decode_assignment(&synced.assignment)?, led })
    }

    fn know_id(&mut self, member_id: ByteString) {
        self.member_id.lock().clone_from(&member_id);
        self.me.member_id = member_id;
    }

    async fn join(&mut self, coordinator: &Connection) -> Result<JoinGroupResponse> {
        let version = coordinator.version(ApiKey::JoinGroup)?;
        loop {
            let request = self.join_request(version);
            let timeout = self.config.max_poll_interval + JOIN_SLACK;
            let response = coordinator.submit(version, &request, timeout)?.await?;
            // The first answer only tells the id to come with, so that a lost answer leaves no dead member (KIP-394).
            if ErrorCode::from_code(response.error_code) == ErrorCode::MemberIdRequired {
                self.know_id(response.member_id);
                continue;
            }
            Error::check(response.error_code, || format!("joining group {}", self.me.group_id), None)?;
            return Ok(response);
        }
    }

    fn join_request(&self, version: i16) -> JoinGroupRequest {
        let protocol = |assignor: &Assignor| JoinGroupRequestProtocol {
            name: assignor.name().into(),
            metadata: encode_subscription(*assignor, &self.topics, &self.owned, self.me.generation),
            ..JoinGroupRequestProtocol::default()
        };
        let millis = |time: Duration| i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
        JoinGroupRequest {
            group_id: self.me.group_id.clone(),
            session_timeout_ms: millis(self.config.session_timeout),
            rebalance_timeout_ms: millis(self.config.max_poll_interval),
            member_id: self.me.member_id.clone(),
            group_instance_id: self.me.instance_id.clone(),
            protocol_type: PROTOCOL_TYPE.into(),
            protocols: self.config.assignors.iter().map(protocol).collect(),
            reason: (version >= 8).then(ByteString::new),
            ..JoinGroupRequest::default()
        }
    }

    /// Decides for everybody.
    async fn lead(&self, joined: &JoinGroupResponse) -> Result<(Vec<SyncGroupRequestAssignment>, Topics)> {
        let name = joined.protocol_name.as_deref().unwrap_or_default();
        let assignor = Assignor::by_name(name)
            .ok_or_else(|| Error::State(format!("group {} uses assignor {name:?}", self.me.group_id)))?;
        let members = joined.members.iter().map(decode_member).collect::<Result<Vec<_>>>()?;
        let mut wanted: Vec<&str> = members.iter().flat_map(|m| &m.topics).map(|topic| &**topic).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let topics = partition_counts(&self.client, &wanted).await?;
        let assignments = assignor.assign(&members, &topics).into_iter().map(|(member_id, partitions)| {
            SyncGroupRequestAssignment {
                member_id,
                assignment: encode_assignment(&partitions),
                ..SyncGroupRequestAssignment::default()
            }
        });
        Ok((assignments.collect(), topics))
    }

    async fn sync(
        &self,
        coordinator: &Connection,
        joined: &JoinGroupResponse,
        assignments: Vec<SyncGroupRequestAssignment>,
    ) -> Result<SyncGroupResponse> {
        let version = coordinator.version(ApiKey::SyncGroup)?;
        let request = SyncGroupRequest {
            group_id: self.me.group_id.clone(),
            generation_id: self.me.generation,
            member_id: self.me.member_id.clone(),
            group_instance_id: self.me.instance_id.clone(),
            protocol_type: (version >= 5).then(|| PROTOCOL_TYPE.into()),
            protocol_name: joined.protocol_name.clone().filter(|_| version >= 5),
            assignments,
            ..SyncGroupRequest::default()
        };
        // Waits for the leader, as a join waits for the members.
        let timeout = self.config.max_poll_interval + JOIN_SLACK;
        let response = coordinator.submit(version, &request, timeout)?.await?;
        Error::check(response.error_code, || format!("joining group {}", self.me.group_id), None)?;
        Ok(response)
    }
}

/// How many partitions each of the topics has that exist.
pub(super) async fn partition_counts(client: &Client, topics: &[&str]) -> Result<Topics> {
    let known = client.retry(|| client.refresh(Some(topics))).await?;
    let count = |name: &&str| {
        let topic = known.topics.get(*name).filter(|topic| topic.error == ErrorCode::None)?;
        Some((ByteString::from(*name), i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX)))
    };
    Ok(topics.iter().filter_map(count).collect())
}

/// What the heartbeats and the poll loop tell each other.
pub(super) struct Pulse {
    /// The group rebalances: join again.
    pub(super) rejoin: AtomicBool,
    /// Something is new here.
    pub(super) news: Notify,
    /// When the user polled last.
    pub(super) polled: Mutex<Instant>,
}

impl Pulse {
    pub(super) fn new() -> Arc<Pulse> {
        Arc::new(Pulse {
            rejoin: AtomicBool::new(false),
            news: Notify::new(),
            polled: Mutex::new(Instant::now()),
        })
    }
}

/// Sends heartbeats for one generation until the membership ends, and then says why.
pub(super) async fn heartbeats(
    client: Client,
    config: Arc<ConsumerConfig>,
    me: Committer,
    pulse: Arc<Pulse>,
) -> Error {
    let mut heard = Instant::now();
    loop {
        sleep(config.heartbeat_interval).await;
        if pulse.polled.lock().elapsed() > config.max_poll_interval {
            // Others are to have the partitions; whoever polls again joins again.
            if let Err(error) = leave(&client, &me).await {
                tracing::debug!("leaving group {}: {error}", me.group_id);
            }
            return Error::State(format!(
                "no poll for {} ms (max.poll.interval.ms): group {} goes on without this member",
                config.max_poll_interval.as_millis(),
                me.group_id
            ));
        }
        let sent = Instant::now();
        match heartbeat(&client, &me).await {
            Ok(()) => heard = sent,
            Err(error) if error.code() == Some(ErrorCode::RebalanceInProgress) => {
                heard = sent;
                pulse.rejoin.store(true, Ordering::Release);
                pulse.news.notify_one();
            }
            Err(error) if error.is_retriable() => {
                client.forget_group(&me.group_id);
                if heard.elapsed() > config.session_timeout {
                    return error;
                }
            }
            Err(error) => return error,
        }
    }
}

async fn heartbeat(client: &Client, me: &Committer) -> Result<()> {
    let request = HeartbeatRequest {
        group_id: me.group_id.clone(),
        generation_id: me.generation,
        member_id: me.member_id.clone(),
        group_instance_id: me.instance_id.clone(),
        ..HeartbeatRequest::default()
    };
    let response = client.group_coordinator(&me.group_id).await?.send(&request).await?;
    Error::check(response.error_code, || format!("membership in group {}", me.group_id), None)
}

/// Leaves at once, so that the others need not wait for the session to time out.
pub(super) async fn leave(client: &Client, me: &Committer) -> Result<()> {
    let coordinator = client.group_coordinator(&me.group_id).await?;
    let version = coordinator.version(ApiKey::LeaveGroup)?;
    let mut request = LeaveGroupRequest { group_id: me.group_id.clone(), ..LeaveGroupRequest::default() };
    if version < 3 {
        request.member_id = me.member_id.clone();
    } else {
        request.members = vec![MemberIdentity {
            member_id: me.member_id.clone(),
            group_instance_id: me.instance_id.clone(),
            reason: (version >= 5).then(|| "the consumer is being closed".into()),
            ..MemberIdentity::default()
        }];
    }
    let response = coordinator.send_at(version, &request).await?;
    let codes = response.members.iter().map(|member| member.error_code).chain([response.error_code]);
    let failed = codes.into_iter().find(|code| *code != 0).unwrap_or_default();
    Error::check(failed, || format!("leaving group {}", me.group_id), None)
}
