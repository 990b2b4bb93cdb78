//! Registration, heartbeats, sessions, controlled shutdown.

use super::node::{Disk, Node, Wishes, directory_of, registration};
use crate::{ControllerRequest, ControllerResponse};
use ottla_metadata::MetadataRecord;
use ottla_protocol::messages::*;
use ottla_protocol::{BrokerId, Uuid};

fn register(node: &mut Node, request: BrokerRegistrationRequest) -> (i16, i64) {
    match node.ask(4, ControllerRequest::BrokerRegistration(request)) {
        ControllerResponse::BrokerRegistration(response) => (response.error_code, response.broker_epoch),
        other => panic!("{other:?}"),
    }
}

fn isr(node: &Node, id: Uuid, index: i32) -> Vec<i32> {
    node.image().partition(id, index).unwrap().isr.iter().map(|id| id.0).collect()
}

#[test]
fn registrations_that_cannot_be_are_refused() {
    let check = |change: &dyn Fn(&mut BrokerRegistrationRequest), code| {
        let mut node = Node::start(Disk::formatted());
        node.join(2, None);
        let count = node.record_count();
        let mut request = registration(1, None, 1, -1);
        change(&mut request);
        assert_eq!(register(&mut node, request), (code, -1));
        assert_eq!(node.record_count(), count);
    };
    check(&|request| request.cluster_id = "another".into(), 104);
    check(&|request| request.broker_id = 2, 101);
    check(&|request| request.is_migrating_zk_broker = true, 102);
    check(&|request| request.log_dirs.clear(), 119);
    check(&|request| request.log_dirs = vec![Uuid::LOST_DIR], 119);
    check(&|request| request.log_dirs = vec![directory_of(1); 2], 119);
    check(&|request| request.log_dirs = vec![directory_of(2)], 119);
    check(&|request| request.features.retain(|feature| feature.name != "metadata.version"), 119);
    // Below and above a finalized level, and a level that is not named at all.
    check(&|request| request.features[0].max_supported_version = 29, 35);
    check(&|request| request.features[0].min_supported_version = 31, 35);
    check(&|request| request.features.retain(|feature| feature.name != "group.version"), 35);
    check(&|request| request.features.retain(|feature| feature.name != "kraft.version"), 35);
}

#[test]
fn the_record_of_a_registration_is_kafkas() {
    let mut node = Node::start(Disk::formatted());
    let count = node.record_count();
    let epoch = node.register(1, Some("rack-a"), 1, -1);
    let [MetadataRecord::RegisterBroker(record)] = &node.records_since(count)[..] else { panic!() };
    assert_eq!((record.broker_id, record.broker_epoch, record.fenced), (1, epoch, true));
    assert_eq!((record.in_controlled_shutdown, record.is_migrating_zk_broker), (false, false));
    assert_eq!((record.rack.as_deref(), &record.log_dirs[..]), (Some("rack-a"), &[directory_of(1)][..]));
    assert_eq!(record.cordoned_log_dirs, None);
    assert_eq!((record.end_points.len(), record.features.len()), (1, 7));

    // The steps into service that follow it, one record each.
    let heartbeat = |want_fence, cordoned: Option<Vec<Uuid>>| BrokerHeartbeatRequest {
        broker_id: 1,
        broker_epoch: epoch,
        current_metadata_offset: epoch,
        want_fence,
        cordoned_log_dirs: cordoned,
        ..Default::default()
    };
    let count = node.record_count();
    node.ask(2, ControllerRequest::BrokerHeartbeat(heartbeat(true, None)));
    node.ask(2, ControllerRequest::BrokerHeartbeat(heartbeat(true, Some(Vec::new()))));
    node.ask(2, ControllerRequest::BrokerHeartbeat(heartbeat(false, Some(Vec::new()))));
    let change = BrokerRegistrationChangeRecord { broker_id: 1, broker_epoch: epoch, ..Default::default() };
    let expect: [MetadataRecord; 2] = [
        BrokerRegistrationChangeRecord { cordoned_log_dirs: Some(Vec::new()), ..change.clone() }.into(),
        BrokerRegistrationChangeRecord { fenced: -1, ..change }.into(),
    ];
    assert_eq!(node.records_since(count), expect);
}

#[test]
fn the_same_incarnation_amends_its_registration() {
    let mut node = Node::start(Disk::formatted());
    let epoch = node.join(1, None);
    let mut request = registration(1, None, 1, -1);
    request.listeners[0].port = 9999;
    assert_eq!(register(&mut node, request), (0, epoch));
    let broker = node.image().broker(BrokerId(1)).unwrap();
    assert_eq!((broker.epoch, broker.fenced), (epoch, false));
    assert_eq!(broker.endpoint("PLAINTEXT").unwrap().port, 9999);
}

#[test]
fn a_broker_is_unfenced_only_when_it_has_seen_its_registration() {
    let mut node = Node::start(Disk::formatted());
    let epoch = node.register(1, None, 1, -1);
    let mut heartbeat = |offset| {
        let request = BrokerHeartbeatRequest {
            broker_id: 1,
            broker_epoch: epoch,
            current_metadata_offset: offset,
            ..Default::default()
        };
        match node.ask(2, ControllerRequest::BrokerHeartbeat(request)) {
            ControllerResponse::BrokerHeartbeat(response) => (response.is_caught_up, response.is_fenced),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(heartbeat(epoch - 1), (false, true));
    assert_eq!(heartbeat(epoch), (true, false));
}

#[test]
fn a_heartbeat_of_another_incarnation_is_stale() {
    let mut node = Node::start(Disk::formatted());
    let epoch = node.join(1, None);
    for (id, epoch) in [(1, epoch + 1), (1, -1), (7, 0)] {
        assert_eq!(node.heartbeat(id, epoch, Wishes::Serve).error_code, 77);
    }
}

#[test]
fn a_silent_broker_is_fenced_and_another_one_leads() {
    let mut node = Node::start(Disk::formatted());
    let one = node.join(1, None);
    let two = node.join(2, None);
    let id = node.create_topic("t", 1, 2);
    let leader = node.image().partition(id, 0).unwrap().leader.unwrap();
    let (alive, epoch) = if leader == BrokerId(1) { (2, two) } else { (1, one) };
    node.now += 5000;
    node.heartbeat(alive, epoch, Wishes::Serve);
    let last_heartbeat = node.now;
    let count = node.record_count();
    node.sleep_until_deadline();
    // 9 s after its own last heartbeat, which was 5 s before that of the other one.
    assert_eq!(node.now, last_heartbeat - 5000 + 9001);
    assert!(node.image().broker(leader).unwrap().fenced);
    let partition = node.image().partition(id, 0).unwrap();
    assert_eq!((partition.leader, partition.leader_epoch.0), (Some(BrokerId(alive)), 1));
    assert_eq!(isr(&node, id, 0), [alive]);
    let names: Vec<&str> = node.records_since(count).iter().map(MetadataRecord::name).collect();
    assert_eq!(names, ["PartitionChangeRecord", "BrokerRegistrationChangeRecord"]);

    // It was only slow: its next heartbeat brings it back.
    let epoch = if leader == BrokerId(1) { one } else { two };
    assert!(!node.heartbeat(leader.0, epoch, Wishes::Serve).is_fenced);
}

#[test]
fn another_process_with_the_same_id_has_to_wait_for_the_session() {
    let mut node = Node::start(Disk::formatted());
    node.join(1, None);
    node.join(2, None);
    assert_eq!(register(&mut node, registration(2, None, 2, -1)).0, 101);
    node.now += 9000;
    assert_eq!(register(&mut node, registration(2, None, 2, -1)).0, 101);
    node.now += 1;
    assert_eq!(register(&mut node, registration(2, None, 2, -1)).0, 0);
}

#[test]
fn a_broker_shuts_down_when_its_leaderships_have_moved_and_everybody_knows() {
    let mut node = Node::start(Disk::formatted());
    let one = node.join(1, None);
    let two = node.join(2, None);
    let id = node.create_topic("t", 2, 2);
    let count = node.record_count();
    let answer = node.heartbeat(1, one, Wishes::ShutDown);
    assert!(!answer.should_shut_down && !answer.is_fenced);
    let names: Vec<&str> = node.records_since(count).iter().map(MetadataRecord::name).collect();
    assert_eq!(names, ["BrokerRegistrationChangeRecord", "PartitionChangeRecord", "PartitionChangeRecord"]);
    for index in 0..2 {
        assert_eq!(isr(&node, id, index), [2]);
    }
    // Broker 2 has not told yet that it knows.
    assert!(!node.heartbeat(1, one, Wishes::ShutDown).should_shut_down);
    node.heartbeat(2, two, Wishes::Serve);
    let answer = node.heartbeat(1, one, Wishes::ShutDown);
    assert!(answer.should_shut_down && answer.is_fenced);
    assert!(node.image().broker(BrokerId(1)).unwrap().fenced);
}

#[test]
fn a_broker_that_leads_nothing_may_go_at_once() {
    let mut node = Node::start(Disk::formatted());
    let epoch = node.join(1, None);
    assert!(node.heartbeat(1, epoch, Wishes::ShutDown).should_shut_down);
}

#[test]
fn an_unclean_restart_leaves_isr_and_elr_and_a_clean_one_stays_eligible() {
    for was_clean in [false, true] {
        let mut node = Node::start(Disk::formatted());
        node.join(1, None);
        let two = node.join(2, None);
        let id = node.create_topic("t", 1, 1);
        let leader = node.image().partition(id, 0).unwrap().leader.unwrap();
        let other = node.create_topic("u", 2, 1);
        let of_two = if leader == BrokerId(2) { (id, 0) } else { (other, 0) };
        let of_two = [of_two, (other, 1)]
            .into_iter()
            .find(|(id, index)| node.image().partition(*id, *index).unwrap().leader == Some(BrokerId(2)))
            .unwrap();
        node.now += 10_000;
        let previous = if was_clean { two } else { -1 };
        node.register(2, None, 2, previous);
        let partition = node.image().partition(of_two.0, of_two.1).unwrap();
        assert_eq!((partition.leader, partition.isr.len()), (None, 0));
        assert_eq!(partition.elr.is_empty(), !was_clean, "clean: {was_clean}");
    }
}

#[test]
fn a_failed_directory_costs_its_partitions_their_replica() {
    let mut node = Node::start(Disk::formatted());
    node.join(1, None);
    let spare = Uuid(*b"another-director");
    let mut request = registration(2, None, 1, -1);
    request.log_dirs.push(spare);
    let (_, epoch) = register(&mut node, request);
    node.heartbeat(2, epoch, Wishes::Serve);
    let id = node.create_topic("t", 1, 2);

    // With two directories the broker decides, and tells.
    let assign = AssignReplicasToDirsRequest {
        broker_id: 2,
        broker_epoch: epoch,
        directories: vec![assign_replicas_to_dirs_request::DirectoryData {
            id: directory_of(2),
            topics: vec![assign_replicas_to_dirs_request::TopicData {
                topic_id: id,
                partitions: vec![Default::default()],
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    assert_eq!(node.image().partition(id, 0).unwrap().directory(BrokerId(2)), Some(Uuid::UNASSIGNED_DIR));
    node.ask(0, ControllerRequest::AssignReplicasToDirs(assign));
    assert_eq!(node.image().partition(id, 0).unwrap().directory(BrokerId(2)), Some(directory_of(2)));
    assert_eq!(isr(&node, id, 0).len(), 2);

    let count = node.record_count();
    let failed = BrokerHeartbeatRequest {
        broker_id: 2,
        broker_epoch: epoch,
        current_metadata_offset: i64::MAX,
        offline_log_dirs: vec![directory_of(2)],
        ..Default::default()
    };
    node.ask(2, ControllerRequest::BrokerHeartbeat(failed));
    assert_eq!(isr(&node, id, 0), [1]);
    assert_eq!(node.image().broker(BrokerId(2)).unwrap().directories, [spare]);
    let names: Vec<&str> = node.records_since(count).iter().map(MetadataRecord::name).collect();
    assert_eq!(names, ["PartitionChangeRecord", "BrokerRegistrationChangeRecord"]);
}

#[test]
fn an_unregistered_broker_is_forgotten() {
    let mut node = Node::start(Disk::formatted());
    node.join(1, None);
    node.join(2, None);
    let id = node.create_topic("t", 1, 2);
    let unregister = |node: &mut Node, id| {
        let request = UnregisterBrokerRequest { broker_id: id, ..Default::default() };
        match node.ask(0, ControllerRequest::UnregisterBroker(request)) {
            ControllerResponse::UnregisterBroker(response) => {
                (response.error_code, response.error_message.as_deref().unwrap_or_default().to_owned())
            }
            other => panic!("{other:?}"),
        }
    };
    let unknown = (102, "Broker ID 9 is not currently registered".to_owned());
    assert_eq!(unregister(&mut node, 9), unknown);
    assert_eq!(unregister(&mut node, 2), (0, String::new()));
    assert!(node.image().broker(BrokerId(2)).is_none());
    assert_eq!(isr(&node, id, 0), [1]);
    assert_eq!(node.heartbeat(2, 0, Wishes::Serve).error_code, 77);
}

#[test]
fn a_controller_registers() {
    let mut node = Node::start(Disk::formatted());
    let request = ControllerRegistrationRequest { controller_id: 1, ..Default::default() };
    node.ask(0, ControllerRequest::ControllerRegistration(request));
    assert!(node.image().controller(BrokerId(1)).is_some());
}

#[test]
fn blocks_of_producer_ids_never_overlap() {
    let mut node = Node::start(Disk::formatted());
    let epoch = node.join(1, None);
    let mut allocate = |broker_epoch| {
        let request = AllocateProducerIdsRequest { broker_id: 1, broker_epoch, ..Default::default() };
        match node.ask(0, ControllerRequest::AllocateProducerIds(request)) {
            ControllerResponse::AllocateProducerIds(r) => {
                (r.error_code, r.producer_id_start, r.producer_id_len)
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(allocate(epoch), (0, 0, 1000));
    assert_eq!(allocate(epoch), (0, 1000, 1000));
    assert_eq!(allocate(epoch + 1).0, 77);
    let mut node = Node::start(node.stop());
    let epoch = node.register(1, None, 2, -1);
    let request = AllocateProducerIdsRequest { broker_id: 1, broker_epoch: epoch, ..Default::default() };
    let ControllerResponse::AllocateProducerIds(response) =
        node.ask(0, ControllerRequest::AllocateProducerIds(request))
    else {
        panic!()
    };
    assert_eq!(response.producer_id_start, 2000);
}
