//! One cluster: from a few addresses to every broker, leader and coordinator, with retries.
//!
//! A client is cheap to clone; all clones share connections and what is known about the cluster. Nothing is connected
//! before it is needed.

use crate::clock::random;
use crate::config::{Address, Bootstrap};
use crate::metadata::Node;
use crate::pool::{Pool, Purpose};
use crate::{ClientConfig, Connection, Error, Metadata, Result, TopicMetadata};
use ottla_protocol::codec::Request;
use ottla_protocol::messages::{
    DescribeClusterRequest, FindCoordinatorRequest, MetadataRequest, MetadataResponse, metadata_request,
};
use ottla_protocol::{ApiKey, BrokerId, ErrorCode};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::time::{Instant, sleep, timeout_at};

/// What kind of thing a coordinator takes care of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i8)]
pub enum CoordinatorKind {
    /// A group of any type, by group id.
    Group = 0,
    /// A transactional producer, by transactional id.
    Transaction = 1,
    /// A share group's partition, by `group:topic-id:partition`.
    Share = 2,
}

/// Whom a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Any broker (any controller, when started from `bootstrap.controllers`).
    Any,
    /// Where administrative requests go: the broker that the metadata names, or the active controller when started
    /// from `bootstrap.controllers`.
    Controller,
    /// One broker or controller.
    Broker(BrokerId),
    /// The leader of a partition.
    Leader {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
    },
    /// The coordinator of a group, a transaction or a share partition.
    Coordinator {
        /// Of what.
        kind: CoordinatorKind,
        /// Its id.
        key: String,
    },
}

impl Target {
    /// The coordinator of a group.
    pub fn group(group_id: impl Into<String>) -> Target {
        Target::Coordinator { kind: CoordinatorKind::Group, key: group_id.into() }
    }
}

/// A cluster's client.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    config: Arc<ClientConfig>,
    pool: Pool,
    metadata: Mutex<Arc<Metadata>>,
    coordinators: Mutex<HashMap<(CoordinatorKind, String), Node>>,
}

impl Client {
    /// A client that knows nothing yet.
    pub fn new(config: ClientConfig) -> Client {
        let config = Arc::new(config);
        let shared = Shared {
            pool: Pool::new(Arc::clone(&config)),
            config,
            metadata: Mutex::default(),
            coordinators: Mutex::default(),
        };
        Client { shared: Arc::new(shared) }
    }

    /// Its settings.
    pub fn config(&self) -> &ClientConfig {
        &self.shared.config
    }

    /// Sends a request and gives the answer; connection failures are retried within `default.api.timeout.ms`. Errors
    /// inside the answer are the caller's to see.
    pub async fn send<R: Request + Clone>(&self, target: &Target, request: &R) -> Result<R::Response> {
        self.call(target, |_| request.clone(), |_| Ok(())).await
    }

    /// The same for a request that depends on the version agreed on, and with errors inside the answer that `check`
    /// finds: retriable ones are retried, after asking anew who leads or coordinates.
    pub async fn call<R: Request>(
        &self,
        target: &Target,
        make: impl Fn(i16) -> R,
        check: impl Fn(&R::Response) -> Result<()>,
    ) -> Result<R::Response> {
        self.retry(|| async {
            let answered = self.attempt(target, &make, &check).await;
            answered.inspect_err(|_| self.forget(target))
        })
        .await
    }

    async fn attempt<R: Request>(
        &self,
        target: &Target,
        make: &impl Fn(i16) -> R,
        check: &impl Fn(&R::Response) -> Result<()>,
    ) -> Result<R::Response> {
        let connection = self.connection(target).await?;
        let version = connection.version(R::KEY)?;
        let response = connection.send_at(version, &make(version)).await?;
        check(&response)?;
        Ok(response)
    }

    /// The connection to whoever is meant, without retries.
    pub async fn connection(&self, target: &Target) -> Result<Arc<Connection>> {
        match target {
            Target::Any => self.any_broker().await,
            Target::Controller => self.controller().await,
            Target::Broker(id) => self.broker(*id).await,
            Target::Leader { topic, partition } => self.leader_for(topic, *partition).await,
            Target::Coordinator { kind, key } => self.coordinator(*kind, key).await,
        }
    }

    /// Any broker that answers: those known first, in random order, then the bootstrap list.
    pub async fn any_broker(&self) -> Result<Arc<Connection>> {
        let mut known: Vec<Address> =
            self.known().brokers.values().map(|node| node.address.clone()).collect();
        if !known.is_empty() {
            let first = random() as usize % known.len();
            known.rotate_left(first);
        }
        let bootstrap = self.config().bootstrap.addresses();
        let mut failed = None;
        for address in known.iter().chain(bootstrap.iter().filter(|address| !known.contains(address))) {
            match self.shared.pool.get(address, Purpose::Data).await {
                Ok(connection) => return Ok(connection),
                Err(error) if error.is_connection() => failed = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(failed.unwrap_or_else(|| Error::State(String::from("bootstrap.servers is empty"))))
    }

    /// Where administrative requests go.
    pub async fn controller(&self) -> Result<Arc<Connection>> {
        let mut known = self.known();
        if known.controller.is_none() {
            known = self.refresh(Some(&[])).await?;
        }
        match known.controller {
            Some(id) => self.broker(id).await,
            None => {
                Err(Error::Unavailable(String::from("the cluster has no active controller at the moment")))
            }
        }
    }

    /// A broker by its id.
    pub async fn broker(&self, id: BrokerId) -> Result<Arc<Connection>> {
        self.broker_for(id, Purpose::Data).await
    }

    pub(crate) async fn broker_for(&self, id: BrokerId, purpose: Purpose) -> Result<Arc<Connection>> {
        let mut known = self.known();
        if !known.brokers.contains_key(&id) {
            known = self.refresh(Some(&[])).await?;
        }
        match known.brokers.get(&id) {
            Some(node) => self.shared.pool.get(&node.address, purpose).await,
            None => Err(Error::Unavailable(format!("broker {id} is not among the brokers that are alive"))),
        }
    }

    /// The leader of a partition.
    pub async fn leader_for(&self, topic: &str, partition: i32) -> Result<Arc<Connection>> {
        let leader = self.topic(topic).await?.partition(partition).and_then(|known| known.leader);
        match leader {
            Some(leader) => self.broker(leader).await,
            None => {
                self.forget_topic(topic);
                Err(Error::Unavailable(format!("partition {topic}-{partition} has no leader at the moment")))
            }
        }
    }

    /// The coordinator of a group, a transaction or a share partition.
    pub async fn coordinator(&self, kind: CoordinatorKind, key: &str) -> Result<Arc<Connection>> {
        self.coordinator_for(kind, key, Purpose::Data).await
    }

    pub(crate) async fn coordinator_for(
        &self,
        kind: CoordinatorKind,
        key: &str,
        purpose: Purpose,
    ) -> Result<Arc<Connection>> {
        let cached = self.shared.coordinators.lock().get(&(kind, key.to_owned())).cloned();
        let node = match cached {
            Some(node) => node,
            None => self.find_coordinator(kind, key).await?,
        };
        self.shared.pool.get(&node.address, purpose).await
    }

    /// Asks any broker for a coordinator and remembers the answer.
    pub async fn find_coordinator(&self, kind: CoordinatorKind, key: &str) -> Result<Node> {
        let connection = self.any_broker().await?;
        let version = connection.version(ApiKey::FindCoordinator)?;
        let request = if version >= 4 {
            FindCoordinatorRequest {
                key_type: kind as i8,
                coordinator_keys: vec![key.into()],
                ..FindCoordinatorRequest::default()
            }
        } else {
            FindCoordinatorRequest {
                key: key.into(),
                key_type: kind as i8,
                ..FindCoordinatorRequest::default()
            }
        };
        let response = connection.send_at(version, &request).await?;
        let (code, message, id, host, port) = match response.coordinators.into_iter().next() {
            Some(found) => (found.error_code, found.error_message, found.node_id, found.host, found.port),
            None => {
                (response.error_code, response.error_message, response.node_id, response.host, response.port)
            }
        };
        Error::check(code, || format!("coordinator of {kind:?} {key}"), message.as_deref())?;
        let address = Address { host: host.to_string(), port: u16::try_from(port).unwrap_or_default() };
        let node = Node { id: BrokerId(id), address, rack: None };
        self.shared.coordinators.lock().insert((kind, key.to_owned()), node.clone());
        Ok(node)
    }

    /// What is known now, without asking.
    pub fn known(&self) -> Arc<Metadata> {
        Arc::clone(&self.shared.metadata.lock())
    }

    /// A topic as it was at most `metadata.max.age.ms` ago. One that does not exist is an error
    /// (`UNKNOWN_TOPIC_OR_PARTITION`, which is retriable: it may be on its way).
    pub async fn topic(&self, name: &str) -> Result<Arc<TopicMetadata>> {
        if let Some(topic) = self.known_topic(name, Instant::now()) {
            return Ok(topic);
        }
        let fresh = self.refresh(Some(&[name])).await?;
        match fresh.topics.get(name) {
            Some(topic) if topic.error == ErrorCode::None => Ok(Arc::clone(topic)),
            Some(topic) => Err(Error::broker(topic.error, format!("topic {name}"))),
            None => Err(Error::broker(ErrorCode::UnknownTopicOrPartition, format!("topic {name}"))),
        }
    }

    /// The same if it is known.
    pub(crate) fn known_topic(&self, name: &str, now: Instant) -> Option<Arc<TopicMetadata>> {
        let known = self.shared.metadata.lock();
        let topic = known.topics.get(name).filter(|topic| {
            topic.error == ErrorCode::None && topic.at + self.config().metadata_max_age >= now
        });
        topic.map(Arc::clone)
    }

    /// Asks for the brokers and for these topics, or for all topics. What was known of other topics stays, unless all
    /// were asked for.
    pub async fn refresh(&self, topics: Option<&[&str]>) -> Result<Arc<Metadata>> {
        if let Bootstrap::Controllers(_) = self.config().bootstrap {
            return self.refresh_controllers().await;
        }
        let request = MetadataRequest {
            topics: topics.map(|topics| topics.iter().copied().map(topic_by_name).collect()),
            allow_auto_topic_creation: self.config().allow_auto_create_topics,
            ..MetadataRequest::default()
        };
        let connection = self.any_broker().await?;
        let response = connection.send(&request).await?;
        Error::check(response.error_code, || String::from("metadata"), None)?;
        Ok(self.learn(response, topics.is_none()))
    }

    fn learn(&self, response: MetadataResponse, all_topics: bool) -> Arc<Metadata> {
        let mut known = self.shared.metadata.lock();
        let mut next = Metadata::clone(&known);
        if all_topics {
            next.topics.clear();
        }
        next.apply(response, Instant::now());
        *known = Arc::new(next);
        Arc::clone(&known)
    }

    /// Controllers do not serve Metadata; DescribeCluster tells who they are (KIP-919).
    async fn refresh_controllers(&self) -> Result<Arc<Metadata>> {
        const CONTROLLERS: i8 = 2;
        let request =
            DescribeClusterRequest { endpoint_type: CONTROLLERS, ..DescribeClusterRequest::default() };
        let response = self.any_broker().await?.send(&request).await?;
        let about = || String::from("asking for the controllers");
        Error::check(response.error_code, about, response.error_message.as_deref())?;
        let nodes = response.brokers.iter().map(|broker| {
            let port = u16::try_from(broker.port).unwrap_or_default();
            let address = Address { host: broker.host.to_string(), port };
            Node {
                id: BrokerId(broker.broker_id),
                address,
                rack: broker.rack.as_ref().map(ToString::to_string),
            }
        });
        let fresh = Arc::new(Metadata {
            cluster_id: Some(response.cluster_id.to_string()),
            controller: (response.controller_id >= 0).then_some(BrokerId(response.controller_id)),
            brokers: nodes.map(|node| (node.id, node)).collect(),
            ..Metadata::default()
        });
        *self.shared.metadata.lock() = Arc::clone(&fresh);
        Ok(fresh)
    }

    /// Drops what a failed request was routed by, so that the next one asks.
    pub fn forget(&self, target: &Target) {
        match target {
            Target::Any | Target::Broker(_) => {}
            Target::Controller => Arc::make_mut(&mut self.shared.metadata.lock()).controller = None,
            Target::Leader { topic, .. } => self.forget_topic(topic),
            Target::Coordinator { kind, key } => {
                self.shared.coordinators.lock().remove(&(*kind, key.clone()));
            }
        }
    }

    pub(crate) fn forget_topic(&self, topic: &str) {
        let mut known = self.shared.metadata.lock();
        if known.topics.contains_key(topic) {
            Arc::make_mut(&mut known).topics.remove(topic);
        }
    }

    /// Does something again and again, with pauses, until it works, fails for good, or `default.api.timeout.ms` is
    /// over; then the last error counts.
    pub async fn retry<T, F>(&self, mut attempt: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let limit = self.config().api_timeout;
        let deadline = Instant::now() + limit;
        let mut last = Error::Timeout { what: String::from("reaching the cluster"), after: limit };
        for tries in 0.. {
            match timeout_at(deadline, attempt()).await {
                Err(_) => break,
                Ok(Err(error)) if error.is_retriable() => last = error,
                Ok(done) => return done,
            }
            let pause = self.config().backoff.pause(tries);
            if Instant::now() + pause >= deadline {
                break;
            }
            sleep(pause).await;
        }
        Err(last)
    }
}

fn topic_by_name(name: &str) -> metadata_request::MetadataRequestTopic {
    metadata_request::MetadataRequestTopic { name: Some(name.into()), ..Default::default() }
}
