//! The files of the metadata log: `__cluster_metadata-0` with its segments, `quorum-state` and checkpoints.

use super::MetadataError;
use super::checkpoint::{self, Contents};
use super::contents::{control_records, data_records};
use crate::node::clock;
use crate::node::log_dirs::LogDirs;
use ottla_config::{BrokerSettings, StartError};
use ottla_controller::default_bootstrap_records;
use ottla_log::disk::{read_file, replace_file};
use ottla_log::{Log, LogConfig, LogContext, LogError, TopicPartition};
use ottla_metadata::{Batch, Image, Loader, MetadataRecord, Provenance};
use ottla_protocol::records::{BatchHeader, RecordBatch, batches};
use ottla_protocol::{BrokerId, LeaderEpoch, Offset, Uuid};
use ottla_quorum::{
    ElectionState, Found, Quorum, ReplicaKey, SnapshotFile, SnapshotId, SnapshotSettings, VoterNode,
    VoterSet, Voters, bootstrap_checkpoint,
};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Name of the metadata topic.
const TOPIC: &str = "__cluster_metadata";
const QUORUM_STATE: &str = "quorum-state";
/// What `kafka-storage format` leaves for the first controller.
const BOOTSTRAP_CHECKPOINT: &str = "bootstrap.checkpoint";
/// Largest file beside the log that is read whole.
const FILE_MAX: u64 = 1 << 30;
/// How much of the log is read at once.
const READ_BYTES: u32 = 8 << 20;

/// What the metadata thread starts from.
pub(crate) struct Formatted {
    pub(super) storage: Storage,
    pub(super) quorum: Quorum,
    pub(super) loader: Loader,
    /// What the first controller of an empty log writes.
    pub bootstrap: Vec<MetadataRecord>,
}

/// The files.
pub(super) struct Storage {
    dir: PathBuf,
    context: LogContext,
    log: Log,
}

/// Opens the metadata log; a new directory is made into that of a quorum of this node alone.
pub(crate) fn open_storage(
    settings: &BrokerSettings,
    log_dirs: &LogDirs,
    node_id: BrokerId,
) -> Result<Formatted, StartError> {
    open(settings, log_dirs, node_id).map_err(|error| match error {
        OpenError::Metadata(error) => error.into_start_error(),
        OpenError::Quorum(error) => StartError::new(
            error.to_string(),
            "let `controller.quorum.voters` name this node alone, or leave it out",
        ),
    })
}

#[derive(Debug, thiserror::Error)]
enum OpenError {
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    #[error(transparent)]
    Quorum(#[from] ottla_quorum::OpenError),
}

impl From<LogError> for OpenError {
    fn from(error: LogError) -> Self {
        OpenError::Metadata(error.into())
    }
}

fn open(settings: &BrokerSettings, log_dirs: &LogDirs, node_id: BrokerId) -> Result<Formatted, OpenError> {
    let now_ms = clock::now_ms();
    let place = log_dirs.metadata_dir();
    let dir = place.path.join(format!("{TOPIC}-0"));
    let context = place.context.clone();
    let is_new = context.disk().metadata(&dir).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    let local = ReplicaKey { id: node_id, directory_id: place.directory_id };
    let endpoints = VoterNode::local(
        settings
            .listeners
            .advertised_controller
            .iter()
            .map(|endpoint| {
                let host = endpoint.host.clone().unwrap_or_default();
                (endpoint.listener.as_str().into(), host.into(), endpoint.port)
            })
            .collect(),
    );
    let config = LogConfig {
        segment_bytes: u32::try_from(settings.metadata_log.segment_bytes).unwrap_or(u32::MAX),
        segment_ms: settings.metadata_log.segment_ms,
        ..LogConfig::default()
    };
    let log = log_dirs.open_metadata_log(TopicPartition::new(TOPIC, 0), Uuid::ONE, config, now_ms)?;
    let mut storage = Storage { dir, context, log };
    if is_new {
        let voters = VoterSet::sole(local, endpoints.clone());
        let bytes = checkpoint::encode_control(&bootstrap_checkpoint(now_ms, &voters), now_ms);
        storage.replace(&checkpoint::file_name(SnapshotId::BOOTSTRAP), &bytes)?;
    }
    let (found, loader) = storage.find()?;
    let metadata = &settings.metadata_log;
    let quorum = Quorum::open(
        now_ms,
        ottla_quorum::Settings {
            local,
            static_voters: VoterSet::sole(
                ReplicaKey { directory_id: Uuid::ZERO, ..local },
                endpoints.clone(),
            ),
            endpoints,
            snapshots: SnapshotSettings {
                max_record_bytes_between_snapshots: u64::try_from(
                    metadata.max_record_bytes_between_snapshots,
                )
                .unwrap_or(0),
                max_snapshot_interval_ms: metadata.max_snapshot_interval_ms,
                max_retention_bytes: metadata.max_retention_bytes,
                max_retention_ms: metadata.max_retention_ms,
            },
        },
        found,
    )?;
    let bootstrap = storage.bootstrap_records(&place.path)?;
    Ok(Formatted { storage, quorum, loader, bootstrap })
}

impl Storage {
    /// Offset of the next record.
    pub(super) fn log_end_offset(&self) -> Offset {
        self.log.log_end_offset()
    }

    /// Appends a batch whose offsets are set; gives the log's end.
    pub(super) fn append(&mut self, epoch: LeaderEpoch, batch: &[u8]) -> Result<Offset, MetadataError> {
        let appended = self.log.append_as_follower(batch, epoch, clock::now_ms())?;
        let appended = appended.expect("a batch of this node's own epoch is appended whole");
        Ok(Offset(appended.last_offset.0 + 1))
    }

    /// Whether the log can be written to.
    pub(super) fn is_online(&self) -> bool {
        self.log.is_online()
    }

    /// The error of a disk that is full.
    pub(super) fn full(&self) -> MetadataError {
        file_error(&self.dir, io::ErrorKind::StorageFull.into())
    }

    /// Makes all of the log durable.
    pub(super) fn flush(&mut self) -> Result<(), MetadataError> {
        Ok(self.log.flush(clock::now_ms())?)
    }

    /// Replaces `quorum-state`, durably.
    pub(super) fn write_election_state(&self, json: &str) -> Result<(), MetadataError> {
        self.replace(QUORUM_STATE, json.as_bytes())
    }

    /// Replaces a file beside the log: the old content or the new one is there, whatever happens.
    fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), MetadataError> {
        let path = self.dir.join(name);
        replace_file(self.context.disk(), &path, bytes).map_err(|error| file_error(&path, error))
    }

    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, MetadataError> {
        match read_file(self.context.disk(), path, FILE_MAX) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(file_error(path, error)),
        }
    }

    /// What there is: the state of the quorum, and the image of the newest checkpoint.
    fn find(&mut self) -> Result<(Found, Loader), MetadataError> {
        let election = match self.read(&self.dir.join(QUORUM_STATE))? {
            None => ElectionState::NONE,
            Some(bytes) => ElectionState::from_json(&String::from_utf8_lossy(&bytes)).map_err(|error| {
                let path = self.dir.join(QUORUM_STATE).display().to_string();
                MetadataError::File { path, error: io::Error::other(error) }
            })?,
        };
        let mut snapshots = Vec::new();
        let mut newest: Option<(SnapshotId, Contents)> = None;
        for id in self.checkpoints()? {
            let path = self.dir.join(checkpoint::file_name(id));
            let Some(bytes) = self.read(&path)? else { continue };
            let contents = checkpoint::decode(&bytes)?;
            snapshots.push(SnapshotFile {
                id,
                bytes: bytes.len() as u64,
                last_contained_log_timestamp: contents.last_contained_log_timestamp,
            });
            if newest.as_ref().is_none_or(|(other, _)| *other < id) {
                newest = Some((id, contents));
            }
        }
        let mut voters = Voters::default();
        let mut loader = Loader::new(Arc::new(Image::default()));
        let mut newest_epoch = LeaderEpoch(0);
        if let Some((id, contents)) = newest {
            let offset = (id != SnapshotId::BOOTSTRAP).then_some(Offset(id.end_offset.0 - 1));
            for record in &contents.control {
                voters.on_control_record(offset, record);
            }
            newest_epoch = id.epoch;
            let provenance = Provenance {
                end_offset: id.end_offset,
                epoch: id.epoch,
                last_contained_log_timestamp: contents.last_contained_log_timestamp,
            };
            if id != SnapshotId::BOOTSTRAP {
                loader = Loader::from_snapshot(provenance, &contents.records)?;
            }
        }
        let mut log_end_epoch = newest_epoch;
        self.each_batch(loader.next_offset(), self.log.log_end_offset(), |batch| {
            log_end_epoch = batch.header().leader_epoch;
            if batch.is_control() {
                for (offset, record) in (batch.base_offset().0..).zip(control_records(batch)?) {
                    voters.on_control_record(Some(Offset(offset)), &record);
                }
            }
            Ok(())
        })?;
        let found = Found {
            election,
            log_start_offset: self.log.log_start_offset(),
            log_end_offset: self.log.log_end_offset(),
            log_end_epoch,
            log_bytes: self.log.reader().size(),
            voters,
            snapshots,
        };
        Ok((found, loader))
    }

    fn checkpoints(&self) -> Result<Vec<SnapshotId>, MetadataError> {
        let entries = self.context.disk().list(&self.dir).map_err(|error| file_error(&self.dir, error))?;
        Ok(entries.iter().filter_map(|entry| checkpoint::parse_file_name(&entry.name)).collect())
    }

    /// What the first controller writes: what formatting left, or the levels of a fresh Kafka 4.3.1.
    fn bootstrap_records(&self, log_dir: &Path) -> Result<Vec<MetadataRecord>, MetadataError> {
        match self.read(&log_dir.join(BOOTSTRAP_CHECKPOINT))? {
            Some(bytes) => Ok(checkpoint::decode(&bytes)?.records),
            None => Ok(default_bootstrap_records()),
        }
    }

    /// Reads the log from where the loader is up to `end`, which is committed. Gives the bytes that were read.
    pub(super) fn load(&self, loader: &mut Loader, end: Offset) -> Result<u64, MetadataError> {
        let mut bytes = 0;
        self.each_batch(loader.next_offset(), end, |batch| {
            bytes += batch.size() as u64;
            let BatchHeader { base_offset, leader_epoch, max_timestamp, .. } = *batch.header();
            if batch.is_control() {
                loader.skip_to(batch.next_offset(), leader_epoch, max_timestamp);
                return Ok(());
            }
            let records = data_records(batch)?;
            loader.load(&Batch { base_offset, epoch: leader_epoch, timestamp: max_timestamp, records })?;
            Ok(())
        })?;
        Ok(bytes)
    }

    fn each_batch(
        &self,
        from: Offset,
        end: Offset,
        mut visit: impl FnMut(&RecordBatch<'_>) -> Result<(), MetadataError>,
    ) -> Result<(), MetadataError> {
        let reader = self.log.reader();
        let mut next = from;
        while next < end {
            let read = reader.read(next, READ_BYTES, end, true)?;
            let Some(region) = read.region else { return Ok(()) };
            let mut bytes = Vec::with_capacity(region.len());
            region.read(&mut bytes)?;
            for batch in batches(&bytes) {
                let batch = match batch {
                    // The region ends inside a batch; the next one begins with it.
                    Err(_) if next > region.base_offset() => break,
                    other => other?,
                };
                batch.verify_crc()?;
                if batch.last_offset() >= next {
                    visit(&batch)?;
                    next = batch.next_offset();
                }
            }
        }
        Ok(())
    }

    /// Writes the image as a checkpoint, durably.
    pub(super) fn write_checkpoint(
        &self,
        id: SnapshotId,
        image: &Image,
        voters: &Voters,
    ) -> Result<SnapshotFile, MetadataError> {
        let timestamp = image.provenance().last_contained_log_timestamp;
        let bytes = checkpoint::encode(id, timestamp, voters, &image.to_records(), clock::now_ms());
        self.replace(&checkpoint::file_name(id), &bytes)?;
        Ok(SnapshotFile { id, bytes: bytes.len() as u64, last_contained_log_timestamp: timestamp })
    }

    /// Deletes what a checkpoint has made superfluous; gives the size of the log that is left.
    pub(super) fn clean(
        &mut self,
        log_start_offset: Offset,
        delete: &[SnapshotId],
    ) -> Result<u64, MetadataError> {
        self.log.advance_log_start_offset(log_start_offset);
        let superfluous = self
            .log
            .segment_facts()?
            .iter()
            .take_while(|segment| segment.end_offset <= log_start_offset)
            .count();
        self.log.delete_segments(superfluous, clock::now_ms())?.remove()?;
        for id in delete {
            let path = self.dir.join(checkpoint::file_name(*id));
            match self.context.disk().remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(file_error(&path, error));
                }
                _ => {}
            }
        }
        Ok(self.log.reader().size())
    }

    /// Closes the log.
    pub(super) fn close(mut self) -> Result<(), LogError> {
        self.log.flush(clock::now_ms())?;
        self.log.close()
    }
}

fn file_error(path: &Path, error: io::Error) -> MetadataError {
    MetadataError::File { path: path.display().to_string(), error }
}
