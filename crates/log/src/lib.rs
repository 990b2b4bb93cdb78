//! The durable log of one partition, and the directory that holds many: Kafka's files, byte for byte.
//!
//! Synchronous: every call returns when the disk has answered. Everything is asked of the disk through [`disk::Disk`],
//! so that tests can pull the plug. A log does not know leaders and followers; what may be read by whom, and which
//! producer may append what, is decided elsewhere.
//!
//! - [`LogDir`] is one entry of `log.dirs`: its lock, whose it is, its checkpoints, which logs are in it.
//! - [`Log`] is one partition: append, roll, flush, truncate, delete.
//! - [`LogReader`] reads it meanwhile: regions of files, not bytes.
//! - [`deletable_segments`] decides what retention takes away; [`cleaner`] compacts.
//!
//! What must hold:
//! 1. A batch is in the log as a whole or not at all. Readers see whole batches only.
//! 2. Offsets grow from batch to batch, and from segment to segment.
//! 3. What was flushed survives a power failure. What was not may be gone, from some batch on or in between.
//! 4. Damage is reported and left as it is, never cut away, but for a torn end; what is behind it is read as ever.
//! 5. A JVM broker can open what was closed here, and what was not; and the other way round.

mod append;
mod checkpoint;
pub mod cleaner;
mod close;
mod config;
mod damage;
pub mod disk;
mod epoch_cache;
mod error;
mod export;
mod file_cache;
mod flush;
mod index;
mod log;
mod log_dir;
mod meta_properties;
mod names;
mod open;
mod read;
mod recovery;
mod relocate;
mod retention;
mod salvage;
mod scan;
mod segment;
mod snapshots;
mod survey;
mod truncate;
mod verify;
mod walk;

pub use append::{AppendInfo, RollFacts};
pub use checkpoint::OffsetCheckpoint;
pub use config::LogConfig;
pub use damage::DamagedRange;
pub use epoch_cache::{EpochCache, EpochEntry};
pub use error::{LogError, TopicPartition, is_failure_of_the_disk};
pub use export::{ExportedLog, export_log};
pub use file_cache::LogContext;
pub use flush::Flush;
pub use index::AbortedTxn;
pub use log::{DeletedLog, Log};
pub use log_dir::{CLEAN_SHUTDOWN_FILE, LOCK_FILE, LogDir, LogDirError, PartitionDir};
pub use meta_properties::{META_PROPERTIES, MetaProperties};
pub use names::DirKind;
pub use open::OpenOptions;
pub use read::{FileRegion, LogReader, Read, TimestampOffset};
pub use recovery::{Cut, RecoveryReport, ReplayedBatch};
pub use relocate::can_be_moved;
pub use retention::{RetentionPolicy, SegmentFacts, deletable_segments};
pub use truncate::DeletedSegments;
pub use verify::{HelperTrouble, LogFindings, VerifyFacts, partition_of_dir, verify_log};
