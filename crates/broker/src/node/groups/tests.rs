//! Coordinators over a partition on a real directory: what comes between the start and the end of a load.

use super::*;
use crate::node::partition::tests::{Told, World};

const INDEX: i32 = 0;

fn groups() -> Arc<Groups> {
    Arc::new(Groups::new(Arc::default(), Settings::default()))
}

fn held(groups: &Groups) -> Arc<Core> {
    groups.cores.load().get(&INDEX).cloned().expect("the partition was taken")
}

fn a_record() -> Vec<u8> {
    batch(&[CoordinatorRecord { key: Bytes::from_static(b"key"), value: None }])
}

#[test]
fn a_partition_that_is_let_go_while_it_is_read_does_not_trip_its_reader() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::open(dir.path());
    let partition = world.partition(0);
    let groups = groups();
    groups.load(vec![Arc::clone(&partition)]);
    let reading = held(&groups);
    partition.append(a_record(), Arc::new(Told::default()).ticket(0));

    groups.unload(INDEX);
    assert!(!groups.replay(&reading), "what was let go is not read on");
    groups.loaded(&reading);
}

#[test]
fn a_partition_that_is_taken_anew_while_it_is_read_is_left_to_the_new_reader() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::open(dir.path());
    let partition = world.partition(0);
    let groups = groups();
    groups.load(vec![Arc::clone(&partition)]);
    let reading = held(&groups);
    groups.load(vec![Arc::clone(&partition)]);
    let anew = held(&groups);
    partition.append(a_record(), Arc::new(Told::default()).ticket(0));

    assert!(!Arc::ptr_eq(&reading, &anew));
    assert!(!groups.replay(&reading), "the earlier reader stops");
    groups.loaded(&reading);
}
