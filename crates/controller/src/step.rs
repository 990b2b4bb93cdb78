//! The entry point: one event in, effects out.

use crate::cluster::{Cluster, effective_config};
use crate::effect::Effect;
use crate::input::{ControllerRequest, Input, RequestId};
use crate::random::Random;
use crate::sessions::Session;
use crate::state::{Active, Controller, NOT_CONTROLLER, Outcome, RECORDS_PER_BATCH_MAX, Settings, Waiting};
use crate::topic_name::SimilarNames;
use crate::{
    activation, alter_partition, brokers, configs, create_partitions, create_topics, delete_topics,
    directories, elections, heartbeat, leadership, producer_ids, reassignments,
};
use ottla_metadata::{Delta, MetadataRecord, Provenance, ResourceKind};
use ottla_protocol::{BrokerId, Offset};

impl Controller {
    /// Takes one event. `now` is in milliseconds; it is compared with itself only, so a clock that is not set back while the
    /// node runs is best.
    pub fn step(&mut self, now: i64, input: Input, effects: &mut Vec<Effect>) {
        match input {
            Input::BecameLeader { epoch, image, next_offset, kraft_version, in_transaction } => {
                self.resign(effects);
                let image = (*image).clone();
                let config = effective_config(&self.settings, &image);
                let similar_names = SimilarNames::of(&image);
                let active = self.active.insert(Active {
                    epoch,
                    next_offset,
                    committed: next_offset,
                    image,
                    config,
                    similar_names,
                    kraft_version,
                    sessions: Default::default(),
                    random: Random::new(self.settings.seed, epoch),
                    waiting: Default::default(),
                });
                active.start_sessions(now, self.settings.node_id);
                let records = activation::records(&self.settings, active, in_transaction);
                active.append(&self.settings, records, effects);
            }
            Input::Resigned => self.resign(effects),
            Input::Committed { offset } => {
                if let Some(active) = &mut self.active {
                    active.on_committed(offset, effects);
                }
            }
            Input::Request { id, version, forwarded, request } => {
                self.on_request(now, id, version, forwarded, request, effects);
            }
            Input::Timeout => self.fence_silent_brokers(now, effects),
        }
    }

    fn resign(&mut self, effects: &mut Vec<Effect>) {
        let waiting = self.active.take().map(|active| active.waiting).unwrap_or_default();
        let refuse = |waiting: Waiting| Effect::Reply { id: waiting.id, response: Err(NOT_CONTROLLER) };
        effects.extend(waiting.into_iter().map(refuse));
    }

    fn on_request(
        &mut self,
        now: i64,
        id: RequestId,
        version: i16,
        forwarded: bool,
        request: ControllerRequest,
        effects: &mut Vec<Effect>,
    ) {
        use ControllerRequest as R;
        let Controller { settings, active: Some(active) } = self else {
            effects.push(Effect::Reply { id, response: Err(NOT_CONTROLLER) });
            return;
        };
        let cluster = Cluster {
            settings,
            config: &active.config,
            image: &active.image,
            similar_names: &active.similar_names,
        };
        let timeout_ms = i64::from(settings.config.int("broker.session.timeout.ms"));
        let outcome = match &request {
            R::BrokerRegistration(request) => {
                let has_session = |session: &Session| session.is_valid(now, timeout_ms);
                let context = brokers::RegistrationContext {
                    has_session: active.sessions.0.get(&BrokerId(request.broker_id)).is_some_and(has_session),
                    kraft_version: active.kraft_version,
                    next_offset: active.next_offset,
                    detects_clean_shutdown: version >= 3,
                };
                brokers::register(cluster, context, request)
            }
            R::BrokerHeartbeat(request) => heartbeat::process(cluster, &mut active.sessions, now, request),
            R::UnregisterBroker(request) => brokers::unregister(cluster, request),
            R::ControllerRegistration(request) => brokers::register_controller(request),
            R::CreateTopics(request) => {
                create_topics::create(cluster, &mut active.random, forwarded, request)
            }
            R::DeleteTopics(request) => delete_topics::delete(cluster, version, request),
            R::CreatePartitions(request) => create_partitions::create(cluster, &mut active.random, request),
            R::AlterConfigs(request) => configs::alter(cluster, forwarded, request),
            R::IncrementalAlterConfigs(request) => configs::incremental_alter(cluster, forwarded, request),
            R::AllocateProducerIds(request) => producer_ids::allocate(cluster, request),
            R::AlterPartition(request) => alter_partition::alter(cluster, version, request),
            R::AssignReplicasToDirs(request) => directories::assign_replicas(cluster, request),
            R::ElectLeaders(request) => elections::elect(cluster, request),
            R::ListPartitionReassignments(request) => reassignments::list(cluster, request),
        };
        let Outcome { records, response } = outcome;
        active.append(settings, records, effects);
        if let R::BrokerHeartbeat(request) = &request {
            active.note_shutdown_offset(BrokerId(request.broker_id));
        }
        active.waiting.push_back(Waiting { offset: active.next_offset, id, response });
        active.release_replies(effects);
    }

    /// Fences one broker after the other, so that the effect of each is seen by the decision about the next.
    fn fence_silent_brokers(&mut self, now: i64, effects: &mut Vec<Effect>) {
        let timeout_ms = self.session_timeout_ms();
        let silent: Vec<BrokerId> = self
            .expirable_brokers()
            .filter(|id| {
                let session = self.active.as_ref().map(|active| &active.sessions.0[id]);
                session.and_then(|session| session.expires_at(timeout_ms)).is_some_and(|at| now >= at)
            })
            .collect();
        let Controller { settings, active: Some(active) } = self else { return };
        for id in silent {
            let cluster = Cluster {
                settings,
                config: &active.config,
                image: &active.image,
                similar_names: &active.similar_names,
            };
            let mut records = Vec::new();
            leadership::on_broker_fenced(cluster, id, &mut records);
            active.append(settings, records, effects);
        }
    }
}

impl Active {
    /// Gives every unfenced broker the time of a session to be heard of. Not the one of this process: its previous
    /// incarnation has ended with the previous process, and the new one must not wait for it.
    fn start_sessions(&mut self, now: i64, node_id: BrokerId) {
        for broker in self.image.brokers() {
            self.sessions.register(broker.id, broker.epoch, true);
            if !broker.fenced && broker.id != node_id {
                let session = self.sessions.0.get_mut(&broker.id).expect("it was just registered");
                session.last_contact = Some(now);
            }
        }
    }

    /// Writes records: into the written image, and out to the host.
    pub(crate) fn append(
        &mut self,
        settings: &Settings,
        records: Vec<MetadataRecord>,
        effects: &mut Vec<Effect>,
    ) {
        let mut records = records.into_iter().peekable();
        while records.peek().is_some() {
            let batch: Vec<MetadataRecord> = records.by_ref().take(RECORDS_PER_BATCH_MAX).collect();
            let base_offset = self.next_offset;
            self.replay(settings, &batch);
            effects.push(Effect::Append { epoch: self.epoch, base_offset, records: batch });
        }
    }

    fn replay(&mut self, settings: &Settings, records: &[MetadataRecord]) {
        let mut delta = Delta::new(&self.image);
        for record in records {
            let offset = self.next_offset;
            let is_mark = matches!(
                record,
                MetadataRecord::BeginTransaction(_)
                    | MetadataRecord::EndTransaction(_)
                    | MetadataRecord::AbortTransaction(_)
            );
            if !is_mark {
                // What this leader writes is permanent and is replayed by every node of the cluster.
                delta.replay(offset, record).unwrap_or_else(|error| panic!("the controller's own {error}"));
            }
            self.follow_broker(offset, record, delta.image());
            self.next_offset.0 += 1;
        }
        let provenance =
            Provenance { end_offset: self.next_offset, epoch: self.epoch, ..self.image.provenance() };
        let (image, changes) = delta.finish(provenance);
        self.image = image;
        changes.topics_deleted.values().for_each(|topic| self.similar_names.remove(&topic.name));
        for id in &changes.topics_created {
            self.similar_names.insert(&self.image.topic(*id).expect("it was just created").name);
        }
        if changes.configs.iter().any(|resource| resource.kind == ResourceKind::Broker) {
            self.config = effective_config(settings, &self.image);
        }
    }

    /// Keeps sessions in step with registrations.
    fn follow_broker(&mut self, offset: Offset, record: &MetadataRecord, image: &ottla_metadata::Image) {
        match record {
            MetadataRecord::RegisterBroker(record) => {
                let is_new_incarnation = record.broker_epoch == offset.0;
                self.sessions.register(BrokerId(record.broker_id), offset.0, is_new_incarnation);
            }
            MetadataRecord::UnregisterBroker(record) => {
                self.sessions.0.remove(&BrokerId(record.broker_id));
            }
            MetadataRecord::BrokerRegistrationChange(record) => {
                let id = BrokerId(record.broker_id);
                if image.broker(id).is_some_and(|broker| broker.fenced)
                    && let Some(session) = self.sessions.0.get_mut(&id)
                {
                    session.shutdown_offset = None;
                }
            }
            _ => {}
        }
    }

    /// A broker that has just begun to shut down may go when everybody in service has seen these records.
    fn note_shutdown_offset(&mut self, id: BrokerId) {
        let shuts_down =
            |broker: &ottla_metadata::BrokerRegistration| !broker.fenced && broker.in_controlled_shutdown;
        if self.image.broker(id).is_some_and(|broker| shuts_down(broker))
            && let Some(session) = self.sessions.0.get_mut(&id)
        {
            session.shutdown_offset.get_or_insert(Offset(self.next_offset.0 - 1));
        }
    }

    fn on_committed(&mut self, offset: Offset, effects: &mut Vec<Effect>) {
        assert!(offset <= self.next_offset, "{offset} was never written");
        self.committed = self.committed.max(offset);
        self.release_replies(effects);
    }

    fn release_replies(&mut self, effects: &mut Vec<Effect>) {
        while let Some(Waiting { id, response, .. }) =
            self.waiting.pop_front_if(|waiting| waiting.offset <= self.committed)
        {
            effects.push(Effect::Reply { id, response: Ok(response) });
        }
    }
}
