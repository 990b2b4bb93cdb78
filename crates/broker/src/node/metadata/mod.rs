//! The metadata thread: owns the metadata log, and lets quorum and controller decide.
//!
//! ```text
//! request → controller → records → log → quorum: high watermark → image → publisher → controller: committed → reply
//! ```
//!
//! Everything happens in that order on one thread, so whoever gets an answer finds this broker in the state that it tells
//! of.

mod checkpoint;
mod contents;
mod storage;

pub(super) use storage::{Formatted, open_storage};

use super::clock;
use super::controller::Command;
use super::publisher::Publisher;
use ottla_config::StartError;
use ottla_controller::{Controller, ControllerResponse, RequestId};
use ottla_log::{LogError, is_failure_of_the_disk};
use ottla_metadata::{Changes, Image, Loader, MetadataRecord, Provenance, ReplayError};
use ottla_protocol::records::{BatchBuilder, RecordError};
use ottla_protocol::{ErrorCode, LeaderEpoch, Offset};
use ottla_quorum::{ControlRecord, Quorum, SnapshotId};
use std::collections::{HashMap, VecDeque};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;
use storage::Storage;
use tokio::sync::oneshot;

/// What ends the metadata thread, and with it the node.
#[derive(Debug, thiserror::Error)]
pub(super) enum MetadataError {
    /// The log or a checkpoint cannot be written or read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A file beside the log cannot be written or read.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// A batch of the log is damaged.
    #[error("the metadata log is damaged: {0}")]
    Batch(#[from] RecordError),
    /// A record of the log is damaged, or of a newer Kafka.
    #[error("a record of the metadata log cannot be read: {0}")]
    Record(String),
    /// The log contradicts itself.
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

impl MetadataError {
    fn is_storage_full(&self) -> bool {
        match self {
            MetadataError::Log(error) => error.is_storage_full(),
            MetadataError::File { error, .. } => error.kind() == std::io::ErrorKind::StorageFull,
            MetadataError::Batch(_) | MetadataError::Record(_) | MetadataError::Replay(_) => false,
        }
    }

    /// Whether the disk cannot be relied upon any more.
    fn is_storage_failure(&self) -> bool {
        match self {
            MetadataError::Log(error) => error.is_storage_failure(),
            MetadataError::File { error, .. } => is_failure_of_the_disk(error),
            MetadataError::Batch(_) | MetadataError::Record(_) | MetadataError::Replay(_) => false,
        }
    }

    /// For a person at a terminal.
    pub(super) fn into_start_error(self) -> StartError {
        if self.is_storage_full() {
            return StartError::new(self.to_string(), "make room on the disk of the metadata log");
        }
        StartError::new(
            self.to_string(),
            "restore the directory from a copy, or start with an empty one; `ottla log verify` names damage",
        )
    }
}

/// Something that quorum or controller wants done.
enum Work {
    Quorum(ottla_quorum::Effect),
    Controller(ottla_controller::Effect),
    /// Of what was appended while the disk was too full for it.
    Flush(Offset),
}

/// How often partitions are tried again that a full disk did not take.
const RETRY_MS: i64 = 1000;
/// How often it is tried whether a full disk has room again.
const ROOM_PAUSE: Duration = Duration::from_millis(200);

/// The state of the metadata thread.
pub(super) struct MetadataNode {
    storage: Storage,
    quorum: Quorum,
    controller: Controller,
    loader: Loader,
    publisher: Publisher,
    work: VecDeque<Work>,
    waiting: HashMap<RequestId, oneshot::Sender<Result<ControllerResponse, ErrorCode>>>,
    /// The disk is full: what is at the front of `work` is tried again from time to time. New requests are refused.
    waits_for_room: bool,
    next_request: RequestId,
    /// Whether the loader's image holds what no change that it will tell of brings: a checkpoint that was started from.
    starts_from_checkpoint: bool,
}

impl MetadataNode {
    /// Joins what was opened; nothing is done yet.
    pub(super) fn new(formatted: Formatted, controller: Controller, publisher: Publisher) -> MetadataNode {
        let Formatted { storage, quorum, loader, bootstrap: _ } = formatted;
        let starts_from_checkpoint = loader.image().provenance().end_offset > Offset(0);
        MetadataNode {
            storage,
            quorum,
            controller,
            loader,
            publisher,
            work: VecDeque::new(),
            waiting: HashMap::new(),
            waits_for_room: false,
            next_request: 0,
            starts_from_checkpoint,
        }
    }

    /// Takes part in the quorum: a sole voter leads when this returns, and the image has all that is committed.
    pub(super) fn start(&mut self) -> Result<(), MetadataError> {
        self.tell_quorum(ottla_quorum::Input::Start);
        self.carry_out()?;
        if self.waits_for_room {
            return Err(self.storage.full());
        }
        Ok(())
    }

    /// Does what is asked until it is told to stop.
    pub(super) fn run(mut self, commands: &Receiver<Command>) -> Result<(), MetadataError> {
        loop {
            let command = match self.wait() {
                None => commands.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(wait) => commands.recv_timeout(wait),
            };
            match command {
                Ok(Command::Ask { reply, .. }) if self.waits_for_room => {
                    // What was asked before waits; whoever asks now may as well ask again.
                    reply.send(Err(ErrorCode::KafkaStorageError)).ok();
                }
                Ok(Command::Ask { version, request, reply }) => {
                    let id = self.next_request;
                    self.next_request += 1;
                    self.waiting.insert(id, reply);
                    self.tell_controller(ottla_controller::Input::Request {
                        id,
                        version,
                        forwarded: true,
                        request,
                    });
                }
                Ok(Command::DescribeQuorum { version, request, reply }) => {
                    // The client may be gone.
                    reply.send(self.quorum.describe(clock::now_ms(), &request, version)).ok();
                }
                Err(RecvTimeoutError::Timeout) if self.waits_for_room => {}
                Err(RecvTimeoutError::Timeout) => {
                    self.tell_quorum(ottla_quorum::Input::Timeout);
                    self.tell_controller(ottla_controller::Input::Timeout);
                    if self.publisher.has_waiting() {
                        self.publisher.retry(self.loader.image());
                    }
                }
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => {
                    self.tell_quorum(ottla_quorum::Input::Shutdown);
                    self.carry_out()?;
                    return Ok(self.storage.close()?);
                }
            }
            self.carry_out()?;
        }
    }

    fn wait(&self) -> Option<Duration> {
        if self.waits_for_room {
            return Some(ROOM_PAUSE);
        }
        let retry = self.publisher.has_waiting().then(|| clock::now_ms() + RETRY_MS);
        let deadlines = self.quorum.deadline().into_iter().chain(self.controller.deadline()).chain(retry);
        let deadline = deadlines.min()?;
        let wait_ms = deadline.saturating_sub(clock::now_ms());
        Some(Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0)))
    }

    fn tell_quorum(&mut self, input: ottla_quorum::Input) {
        let mut effects = Vec::new();
        self.quorum.step(clock::now_ms(), input, &mut effects);
        self.work.extend(effects.into_iter().map(Work::Quorum));
    }

    fn tell_controller(&mut self, input: ottla_controller::Input) {
        let mut effects = Vec::new();
        self.controller.step(clock::now_ms(), input, &mut effects);
        self.work.extend(effects.into_iter().map(Work::Controller));
    }

    fn carry_out(&mut self) -> Result<(), MetadataError> {
        let waited = std::mem::take(&mut self.waits_for_room);
        while let Some(work) = self.work.pop_front() {
            match work {
                Work::Quorum(effect) => self.carry_out_quorum(effect)?,
                Work::Controller(effect) => self.carry_out_controller(effect)?,
                Work::Flush(end_offset) => self.flush(end_offset)?,
            }
            if self.waits_for_room {
                if !waited {
                    tracing::warn!("the disk is full: changes of the metadata wait until it has room");
                }
                return Ok(());
            }
        }
        if waited {
            tracing::info!("the disk has room again: changes of the metadata go on");
        }
        Ok(())
    }

    fn carry_out_quorum(&mut self, effect: ottla_quorum::Effect) -> Result<(), MetadataError> {
        use ottla_quorum::Effect as E;
        match effect {
            E::WriteElectionState { state, kraft_version } => {
                self.storage.write_election_state(&state.to_json(kraft_version))
            }
            E::AppendControl { base_offset, epoch, timestamp, records } => {
                self.append(epoch, control_batch(base_offset, epoch, timestamp, &records))
            }
            E::HighWatermark(offset) => self.apply(offset),
            E::BecameLeader { epoch } => {
                self.tell_controller(ottla_controller::Input::BecameLeader {
                    epoch,
                    image: self.loader.image().clone(),
                    next_offset: self.storage.log_end_offset(),
                    kraft_version: self.quorum.voters().kraft_version,
                    in_transaction: self.loader.is_in_transaction(),
                });
                Ok(())
            }
            E::Resigned { .. } => {
                self.tell_controller(ottla_controller::Input::Resigned);
                Ok(())
            }
            E::WriteSnapshot(id) => self.write_snapshot(id),
            E::Clean { log_start_offset, delete } => {
                let log_bytes = self.storage.clean(log_start_offset, &delete)?;
                self.tell_quorum(ottla_quorum::Input::Cleaned { log_start_offset, log_bytes });
                Ok(())
            }
        }
    }

    fn carry_out_controller(&mut self, effect: ottla_controller::Effect) -> Result<(), MetadataError> {
        match effect {
            ottla_controller::Effect::Append { epoch, base_offset, records } => {
                match self.append(epoch, data_batch(base_offset, epoch, clock::now_ms(), &records)) {
                    // Nothing of it is in the log. What comes after it waits too.
                    Err(MetadataError::Log(error)) if error.is_storage_full() => {
                        let append = ottla_controller::Effect::Append { epoch, base_offset, records };
                        self.work.push_front(Work::Controller(append));
                        self.waits_for_room = true;
                        Ok(())
                    }
                    other => other,
                }
            }
            ottla_controller::Effect::Reply { id, response } => {
                // Whoever asked may be gone.
                self.waiting.remove(&id).map(|reply| reply.send(response).ok());
                Ok(())
            }
        }
    }

    fn append(&mut self, epoch: LeaderEpoch, batch: Vec<u8>) -> Result<(), MetadataError> {
        let end_offset = self.storage.append(epoch, &batch)?;
        self.tell_quorum(ottla_quorum::Input::Appended { end_offset, bytes: batch.len() as u64 });
        self.flush(end_offset)
    }

    fn flush(&mut self, end_offset: Offset) -> Result<(), MetadataError> {
        match self.storage.flush() {
            Err(MetadataError::Log(error)) if error.is_storage_full() && self.storage.is_online() => {
                self.work.push_front(Work::Flush(end_offset));
                self.waits_for_room = true;
                Ok(())
            }
            other => {
                other?;
                self.tell_quorum(ottla_quorum::Input::Flushed { end_offset });
                Ok(())
            }
        }
    }

    /// Makes the image of what is committed, lets the broker follow it, and tells the controller.
    fn apply(&mut self, high_watermark: Offset) -> Result<(), MetadataError> {
        let bytes = self.storage.load(&mut self.loader, high_watermark)?;
        self.publisher.images.set_kraft_version(self.quorum.voters().kraft_version);
        let published = self.loader.publish();
        if std::mem::take(&mut self.starts_from_checkpoint) {
            let image = self.loader.image();
            self.publisher.publish(image, &everything_in(image)?);
        } else if let Some((image, changes)) = published {
            self.publisher.publish(&image, &changes);
        }
        let provenance = self.loader.image().provenance();
        let end = SnapshotId { end_offset: provenance.end_offset, epoch: provenance.epoch };
        self.tell_quorum(ottla_quorum::Input::Applied { end, bytes });
        self.tell_controller(ottla_controller::Input::Committed { offset: high_watermark });
        Ok(())
    }

    fn write_snapshot(&mut self, id: SnapshotId) -> Result<(), MetadataError> {
        let image = self.loader.image();
        let input = match self.storage.write_checkpoint(id, image, self.quorum.voters()) {
            Ok(file) => ottla_quorum::Input::SnapshotWritten(file),
            Err(error) if error.is_storage_failure() => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "cannot write a snapshot of the metadata; the log is kept instead");
                ottla_quorum::Input::SnapshotFailed(id)
            }
        };
        self.tell_quorum(input);
        Ok(())
    }
}

/// The changes that lead from nothing to an image.
fn everything_in(image: &Image) -> Result<Changes, MetadataError> {
    let Provenance { epoch, last_contained_log_timestamp, .. } = image.provenance();
    let records = image.to_records();
    let (_, changes) = Image::default().apply(Offset(0), epoch, last_contained_log_timestamp, &records)?;
    Ok(changes)
}

fn control_batch(
    base_offset: Offset,
    epoch: LeaderEpoch,
    timestamp: i64,
    records: &[ControlRecord],
) -> Vec<u8> {
    let mut batch = BatchBuilder::new().base_offset(base_offset).leader_epoch(epoch).control(true);
    for record in records {
        batch.append(timestamp, Some(&record.key()), Some(&record.value()), &[]);
    }
    batch.build()
}

fn data_batch(
    base_offset: Offset,
    epoch: LeaderEpoch,
    timestamp: i64,
    records: &[MetadataRecord],
) -> Vec<u8> {
    let mut batch = BatchBuilder::new().base_offset(base_offset).leader_epoch(epoch);
    for record in records {
        batch.append(timestamp, None, Some(&record.to_bytes()), &[]);
    }
    batch.build()
}
