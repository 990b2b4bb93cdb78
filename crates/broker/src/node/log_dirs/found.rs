//! What is found in the directories when a process starts, and how they become this process's.

use super::claim::Found;
use super::{METADATA_TOPIC, into_start_error};
use crate::node::random;
use ottla_config::StartError;
use ottla_log::disk::{DirEntry, Disk};
use ottla_log::{DirKind, LOCK_FILE, LogContext, LogDir, LogDirError, MetaProperties, TopicPartition};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Partitions' directories, as they are found at the start.
#[derive(Default)]
pub(super) struct FoundLogs {
    pub(super) unopened: BTreeMap<TopicPartition, Vec<usize>>,
    pub(super) leftovers: Vec<PathBuf>,
    pub(super) futures: BTreeMap<TopicPartition, (usize, PathBuf)>,
}

impl FoundLogs {
    /// Takes note of what is in a directory; gives the number of its logs.
    pub(super) fn add(&mut self, index: usize, log_dir: &LogDir) -> Result<usize, LogDirError> {
        let mut count = 0;
        for found in log_dir.partitions()? {
            match found.kind {
                DirKind::Current if &*found.topic_partition.topic != METADATA_TOPIC => {
                    self.unopened.entry(found.topic_partition).or_default().push(index);
                    count += 1;
                }
                // Its removal was interrupted.
                DirKind::Delete => self.leftovers.push(found.path),
                DirKind::Future => {
                    let again = self.futures.insert(found.topic_partition, (index, found.path));
                    self.leftovers.extend(again.map(|(_, path)| path));
                    count += 1;
                }
                DirKind::Current | DirKind::Stray => {}
            }
        }
        Ok(count)
    }
}

/// What there is at a path, without touching it.
pub(super) fn look(disk: &dyn Disk, path: &Path) -> Found {
    match MetaProperties::read(disk, path) {
        Ok(None) => Found::Unformatted,
        Ok(Some(meta)) => {
            let entries = disk.list(path).unwrap_or_default();
            let of_formatting = [ottla_log::META_PROPERTIES, LOCK_FILE, "bootstrap.checkpoint"];
            let is_used = |entry: &DirEntry| !of_formatting.contains(&entry.name.trim_end_matches(".tmp"));
            Found::Formatted { meta, is_used: entries.iter().any(is_used) }
        }
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Found::Unknown(error.to_string()),
        Err(error) => Found::Unreadable(error.to_string()),
    }
}

/// Locks all directories that can be read. One that another process has stops the start; one that the disk refuses does
/// so only if it is the metadata log's.
pub(super) fn lock_all(
    context: &LogContext,
    found: &[(PathBuf, Found)],
    metadata: usize,
) -> Result<Vec<Result<LogDir, StartError>>, StartError> {
    let lock = |(path, found): &(PathBuf, Found)| match found {
        Found::Unreadable(why) => Ok(Err(StartError::new(
            format!("{} cannot be read: {why}", path.display()),
            "look at the disk and the directory's permissions",
        ))),
        _ => match LogDir::lock(context, path) {
            Err(error @ LogDirError::Locked { .. }) => Err(into_start_error(error)),
            other => Ok(other.map_err(into_start_error)),
        },
    };
    let locked = found.iter().enumerate().map(|(index, found)| match lock(found)? {
        Err(error) if index == metadata => Err(error),
        other => Ok(other),
    });
    locked.collect()
}

/// Makes a directory this node's, if it is not yet, and begins to use it.
pub(super) fn make_ready(log_dir: &mut LogDir, cluster_id: &str, node_id: i32) -> Result<(), LogDirError> {
    let has_id = log_dir.meta_properties().is_some_and(|meta| meta.directory_id.is_some());
    if !has_id {
        log_dir.set_meta_properties(MetaProperties::new(cluster_id, node_id, random::uuid()))?;
    }
    log_dir.begin()
}

/// The id of a new cluster: `CLUSTER_ID` if the container was given one.
pub(super) fn new_cluster_id() -> String {
    std::env::var("CLUSTER_ID").ok().filter(|id| !id.is_empty()).unwrap_or_else(|| random::uuid().to_string())
}
