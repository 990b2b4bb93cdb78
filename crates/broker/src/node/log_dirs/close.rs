//! Closing partitions at the end of the process, those that changed. A few are synced one by one; many are written, and the
//! file system is synced once for all of them.

use super::LogDirs;
use crate::node::clock;
use crate::node::dir_state::DirState;
use crate::node::flusher::SYNC_ALL_MIN;
use crate::node::parallel::in_parallel;
use crate::node::partition::Partition;
use ottla_log::LogError;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl LogDirs {
    /// Closes partitions; gives the indexes of directories where that failed.
    pub(super) fn close_all(&self, partitions: &[Arc<Partition>], threads: usize) -> BTreeSet<usize> {
        let mut by_dir: BTreeMap<usize, (Arc<DirState>, Vec<&Arc<Partition>>)> = BTreeMap::new();
        for partition in partitions.iter().filter(|one| one.is_online() && one.has_changed()) {
            let dir = partition.dir();
            by_dir.entry(dir.index()).or_insert_with(|| (dir, Vec::new())).1.push(partition);
        }
        let failed = by_dir.into_iter().filter(|(_, (dir, changed))| {
            let is_closed = if changed.len() < SYNC_ALL_MIN {
                all(changed, threads, |partition| partition.close(clock::now_ms()))
            } else {
                self.close_at_once(dir, changed, threads)
            };
            !is_closed
        });
        failed.map(|(index, _)| index).collect()
    }

    /// Closes many partitions of a directory; says whether that went well.
    fn close_at_once(&self, dir: &DirState, changed: &[&Arc<Partition>], threads: usize) -> bool {
        if !all(changed, threads, |partition| partition.write_out(clock::now_ms())) {
            return false;
        }
        if let Err(error) = self.context.disk().sync_all(dir.path()) {
            dir.fail(&error);
            return false;
        }
        changed.iter().for_each(|partition| partition.written_out_is_durable());
        true
    }
}

/// Does it to all of them, on several threads; says whether that went well.
fn all(
    partitions: &[&Arc<Partition>],
    threads: usize,
    act: impl Fn(&Partition) -> Result<(), LogError> + Sync,
) -> bool {
    let done = in_parallel(partitions, threads, |partition| {
        act(partition).inspect_err(|error| tracing::error!(%error, "cannot close a partition")).is_ok()
    });
    done.into_iter().all(|done| done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::partition::tests::{World, produce, read};
    use crate::node::partitions::Held;

    #[test]
    fn many_partitions_are_closed_as_each_of_them_would_be() {
        let dir = tempfile::tempdir().unwrap();
        let world = World::open(dir.path());
        let count = i32::try_from(SYNC_ALL_MIN).unwrap();
        let partitions: Vec<_> = (0..count).map(|index| Held::Open(world.partition_of(index, 0))).collect();
        for held in &partitions {
            assert_eq!(produce(&held.open().unwrap(), 0, &["a"]), Ok(0));
        }
        world.close_all(partitions.clone());
        assert!(partitions.iter().all(|held| !held.open().unwrap().has_changed()));

        let world = World::open(dir.path());
        assert_eq!(world.log_dirs.previous_broker_epoch(), 5);
        for index in [0, count - 1] {
            let partition = world.partition_of(index, 1);
            assert_eq!(read(&partition, 0), Ok(vec!["a".into()]));
            assert!(!partition.has_changed(), "an epoch without records is nothing to be written");
            assert_eq!(produce(&partition, 0, &["a"]), Ok(0), "its producer is known");
        }
    }
}
