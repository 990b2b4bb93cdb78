//! AlterPartition: what a leader may ask for.

use super::node::{Disk, Node, Wishes};
use crate::{ControllerRequest, ControllerResponse};
use ottla_protocol::messages::alter_partition_request::{BrokerState, PartitionData, TopicData};
use ottla_protocol::messages::*;
use ottla_protocol::{BrokerId, Uuid};

/// Two brokers and a partition on both; the leader has just lost its follower.
struct Fixture {
    node: Node,
    topic_id: Uuid,
    leader: (i32, i64),
    follower: (i32, i64),
}

fn fixture() -> Fixture {
    let mut node = Node::start(Disk::formatted());
    let epochs = [node.join(1, None), node.join(2, None)];
    let topic_id = node.create_topic("t", 1, 2);
    let leader = node.image().partition(topic_id, 0).unwrap().leader.unwrap().0;
    let broker = |id: i32| (id, epochs[id as usize - 1]);
    Fixture { node, topic_id, leader: broker(leader), follower: broker(3 - leader) }
}

impl Fixture {
    /// The request of the leader for this ISR, at the epochs that the image has.
    fn request(&self, isr: &[(i32, i64)]) -> AlterPartitionRequest {
        let partition = self.node.image().partition(self.topic_id, 0).unwrap();
        let state = |(broker_id, broker_epoch): &(i32, i64)| BrokerState {
            broker_id: *broker_id,
            broker_epoch: *broker_epoch,
            ..Default::default()
        };
        let data = PartitionData {
            partition_index: 0,
            leader_epoch: partition.leader_epoch.0,
            new_isr_with_epochs: isr.iter().map(state).collect(),
            partition_epoch: partition.partition_epoch,
            ..Default::default()
        };
        AlterPartitionRequest {
            broker_id: self.leader.0,
            broker_epoch: self.leader.1,
            topics: vec![TopicData { topic_id: self.topic_id, partitions: vec![data], ..Default::default() }],
            ..Default::default()
        }
    }

    fn ask(&mut self, request: AlterPartitionRequest) -> AlterPartitionResponse {
        match self.node.ask(3, ControllerRequest::AlterPartition(request)) {
            ControllerResponse::AlterPartition(response) => response,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_isr_shrinks_and_grows_without_a_new_leader_epoch() {
    let mut f = fixture();
    let (leader, follower) = (f.leader, f.follower);
    for isr in [vec![leader], vec![leader, follower]] {
        let before = f.node.image().partition(f.topic_id, 0).unwrap().clone();
        let answer = f.ask(f.request(&isr)).topics.remove(0).partitions.remove(0);
        let ids: Vec<i32> = isr.iter().map(|(id, _)| *id).collect();
        assert_eq!((answer.error_code, answer.leader_id, &answer.isr), (0, leader.0, &ids));
        assert_eq!(answer.leader_epoch, before.leader_epoch.0);
        assert_eq!(answer.partition_epoch, before.partition_epoch + 1);
        let after = f.node.image().partition(f.topic_id, 0).unwrap();
        assert_eq!(after.isr, ids.iter().copied().map(BrokerId).collect::<Vec<_>>());
    }
}

#[test]
fn the_same_isr_again_changes_nothing() {
    let mut f = fixture();
    let isr = [f.leader, f.follower];
    let same: Vec<(i32, i64)> = f
        .node
        .image()
        .partition(f.topic_id, 0)
        .unwrap()
        .isr
        .iter()
        .map(|id| isr[usize::from(id.0 != isr[0].0)])
        .collect();
    let count = f.node.record_count();
    let answer = f.ask(f.request(&same)).topics.remove(0).partitions.remove(0);
    assert_eq!((answer.error_code, answer.partition_epoch), (0, 0));
    assert_eq!(f.node.record_count(), count);
}

#[test]
fn what_a_leader_may_not_ask_for_is_refused() {
    type Change = dyn Fn(&Fixture, &mut AlterPartitionRequest);
    let check = |change: &Change, code| {
        let mut f = fixture();
        let mut request = f.request(&[f.leader, f.follower]);
        change(&f, &mut request);
        let count = f.node.record_count();
        let answer = f.ask(request);
        let partition = answer.topics.first().map_or(0, |topic| topic.partitions[0].error_code);
        assert_eq!((answer.error_code, partition), code);
        assert_eq!(f.node.record_count(), count);
    };
    fn data(request: &mut AlterPartitionRequest) -> &mut PartitionData {
        &mut request.topics[0].partitions[0]
    }
    check(&|_, request| request.broker_epoch += 1, (77, 0));
    check(&|_, request| request.topics[0].topic_id = Uuid::LOST_DIR, (0, 100));
    check(&|_, request| data(request).partition_index = 1, (0, 3));
    check(&|_, request| data(request).leader_epoch += 1, (0, 41));
    check(&|_, request| data(request).partition_epoch += 1, (0, 41));
    check(&|_, request| data(request).leader_epoch -= 1, (0, 74));
    check(&|_, request| data(request).partition_epoch -= 1, (0, 95));
    let by_follower = |f: &Fixture, request: &mut AlterPartitionRequest| {
        (request.broker_id, request.broker_epoch) = f.follower;
    };
    check(&by_follower, (0, 42));
    check(&|_, request| data(request).new_isr_with_epochs[1].broker_id = 9, (0, 42));
    check(&|f, request| data(request).new_isr_with_epochs[1].broker_id = f.leader.0, (0, 42));
    check(&|_, request| drop(data(request).new_isr_with_epochs.remove(0)), (0, 42));
    check(&|_, request| data(request).leader_recovery_state = 1, (0, 42));
    check(&|_, request| data(request).leader_recovery_state = 9, (0, 42));
    check(&|_, request| data(request).new_isr_with_epochs[1].broker_epoch += 1, (0, 107));
    check(&|_, request| request.topics.clear(), (0, 0));
}

#[test]
fn a_fenced_broker_does_not_get_into_the_isr() {
    let mut f = fixture();
    f.node.heartbeat(f.follower.0, f.follower.1, Wishes::Fence);
    let answer = f.ask(f.request(&[f.leader, f.follower])).topics.remove(0).partitions.remove(0);
    assert_eq!(answer.error_code, 107);
}

#[test]
fn a_recovering_leader_says_when_it_has_recovered() {
    let mut node = Node::start(Disk::formatted());
    node.join(1, None);
    let topic_id = node.create_topic("t", 1, 1);
    let mut node = Node::start(node.stop());
    let epoch = node.register(1, None, 2, -1);
    node.heartbeat(1, epoch, Wishes::Serve);
    let mut f = Fixture { node, topic_id, leader: (1, epoch), follower: (2, -1) };
    assert_eq!(f.node.image().partition(topic_id, 0).unwrap().leader_recovery_state as i8, 1);
    let answer = f.ask(f.request(&[f.leader])).topics.remove(0).partitions.remove(0);
    assert_eq!((answer.error_code, answer.leader_recovery_state), (0, 0));
    let partition = f.node.image().partition(topic_id, 0).unwrap();
    assert_eq!((partition.leader_recovery_state as i8, partition.leader_epoch.0), (0, answer.leader_epoch));
}
