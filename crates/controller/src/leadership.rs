//! Who leads after brokers come, go and fail.

use crate::cluster::Cluster;
use crate::heartbeat::change;
use crate::partition_change::{Election, PartitionChange};
use ottla_metadata::{MetadataRecord, Partition, Topic};
use ottla_protocol::{BrokerId, Uuid};

/// Which broker is seen differently from what the image says of it.
#[derive(Clone, Copy, Default)]
struct Shift {
    /// Leaves ISRs; cannot lead.
    remove: Option<BrokerId>,
    /// Can lead, although it is still fenced in the image.
    add: Option<BrokerId>,
    /// Leaves ISRs and ELRs: it may have lost what it had (KIP-966).
    unclean_shutdown: Option<BrokerId>,
}

type PartitionRef<'a> = (&'a Topic, i32, &'a Partition);

fn isr(partition: &Partition) -> &[BrokerId] {
    &partition.isr
}

fn elr(partition: &Partition) -> &[BrokerId] {
    &partition.elr
}

/// The broker is silent, or wishes it: out of the ISRs, then fenced.
pub(crate) fn on_broker_fenced(cluster: Cluster<'_>, id: BrokerId, records: &mut Vec<MetadataRecord>) {
    let broker = cluster.image.broker(id).expect("only registered brokers are fenced");
    shift(cluster, Shift { remove: Some(id), ..Shift::default() }, cluster.partitions_with(id, isr), records);
    records.push(change(broker, |record| record.fenced = 1));
}

/// The broker serves: it takes what has no leader and what it can lead.
pub(crate) fn on_broker_unfenced(cluster: Cluster<'_>, id: BrokerId, records: &mut Vec<MetadataRecord>) {
    let broker = cluster.image.broker(id).expect("only registered brokers are unfenced");
    records.push(change(broker, |record| record.fenced = -1));
    let partitions = cluster.image.partitions();
    let partitions = partitions.map(|(topic, index, partition)| (&**topic, index, &**partition));
    let leaderless = partitions.filter(|(.., partition)| partition.leader.is_none());
    shift(cluster, Shift { add: Some(id), ..Shift::default() }, leaderless, records);
}

/// The broker wishes to stop: its leaderships move away.
pub(crate) fn on_controlled_shutdown(cluster: Cluster<'_>, id: BrokerId, records: &mut Vec<MetadataRecord>) {
    let broker = cluster.image.broker(id).expect("only registered brokers shut down");
    if !broker.in_controlled_shutdown {
        records.push(change(broker, |record| record.in_controlled_shutdown = 1));
    }
    shift(cluster, Shift { remove: Some(id), ..Shift::default() }, cluster.partitions_with(id, isr), records);
}

/// The broker is forgotten.
pub(crate) fn on_broker_unregistered(cluster: Cluster<'_>, id: BrokerId, records: &mut Vec<MetadataRecord>) {
    let gone = Shift { remove: Some(id), ..Shift::default() };
    shift(cluster, gone, cluster.partitions_with(id, isr), records);
    shift(cluster, gone, cluster.partitions_with(id, elr), records);
}

/// Another incarnation of the broker registers. If the one before did not stop cleanly, it counts for nothing that it may
/// have lost (KIP-966).
pub(crate) fn on_broker_restarted(
    cluster: Cluster<'_>,
    id: BrokerId,
    was_clean: bool,
    records: &mut Vec<MetadataRecord>,
) {
    if cluster.image.features().is_elr_enabled() && !was_clean {
        let unclean = Shift { unclean_shutdown: Some(id), ..Shift::default() };
        shift(cluster, unclean, cluster.partitions_with(id, isr), records);
        shift(cluster, unclean, cluster.partitions_with(id, elr), records);
    } else {
        let gone = Shift { remove: Some(id), ..Shift::default() };
        shift(cluster, gone, cluster.partitions_with(id, isr), records);
    }
}

/// Directories of the broker have failed: out of the ISRs of what lies in them.
pub(crate) fn on_directories_failed(
    cluster: Cluster<'_>,
    id: BrokerId,
    failed: &[Uuid],
    records: &mut Vec<MetadataRecord>,
) {
    let lies_there =
        |(.., partition): &PartitionRef<'_>| partition.directory(id).is_some_and(|dir| failed.contains(&dir));
    let partitions = cluster.partitions_with(id, |partition| &partition.replicas).filter(lies_there);
    shift(cluster, Shift { remove: Some(id), ..Shift::default() }, partitions, records);
}

/// The broker has put replicas where they cannot be read.
pub(crate) fn on_replicas_lost<'a>(
    cluster: Cluster<'a>,
    id: BrokerId,
    partitions: impl Iterator<Item = PartitionRef<'a>>,
    records: &mut Vec<MetadataRecord>,
) {
    shift(cluster, Shift { remove: Some(id), ..Shift::default() }, partitions, records);
}

fn shift<'a>(
    cluster: Cluster<'a>,
    shift: Shift,
    partitions: impl Iterator<Item = PartitionRef<'a>>,
    records: &mut Vec<MetadataRecord>,
) {
    let is_out = |id: BrokerId| Some(id) == shift.remove || Some(id) == shift.unclean_shutdown;
    let may_lead = |id: BrokerId| !is_out(id) && (Some(id) == shift.add || cluster.is_active(id));
    for (topic, index, partition) in partitions {
        let mut change = PartitionChange::new(cluster, topic, index, partition);
        change.may_lead = &may_lead;
        change.election = Election::of_topic(cluster, topic);
        change.unclean_shutdown = shift.unclean_shutdown;
        change.isr.retain(|id| !is_out(*id));
        records.extend(change.build().map(MetadataRecord::from));
    }
}
