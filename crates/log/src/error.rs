//! What can go wrong with a log, and where.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use ottla_protocol::Offset;
use ottla_protocol::records::RecordError;

/// A partition of a topic, by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition's number.
    pub partition: i32,
}

impl TopicPartition {
    /// A partition of a topic.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> TopicPartition {
        TopicPartition { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// Why something could not be done with a log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The disk refused.
    #[error("{topic_partition}: cannot {action} {}: {source}", path.display())]
    Io {
        /// The partition.
        topic_partition: TopicPartition,
        /// The file or directory.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// The operating system's answer.
        source: io::Error,
    },
    /// An earlier failure to sync left it unknown what is on the disk, or the log was deleted; nothing is written any
    /// more.
    #[error("{topic_partition}: the log in {} is offline since a failed sync or its deletion", dir.display())]
    Offline {
        /// The partition.
        topic_partition: TopicPartition,
        /// Its directory.
        dir: PathBuf,
    },
    /// The offset is not in the log.
    #[error("{topic_partition}: offset {offset} is not within {log_start_offset} and {log_end_offset}")]
    OffsetOutOfRange {
        /// The partition.
        topic_partition: TopicPartition,
        /// What was asked for.
        offset: Offset,
        /// First offset that may be read.
        log_start_offset: Offset,
        /// Offset of the next record to be appended.
        log_end_offset: Offset,
    },
    /// The bytes to be appended are not sound batches.
    #[error("{topic_partition}: {source} at byte {position} of what was to be appended")]
    InvalidBatch {
        /// The partition.
        topic_partition: TopicPartition,
        /// Where in the bytes.
        position: usize,
        /// What is wrong.
        source: RecordError,
    },
    /// Offsets of batches to be appended do not grow.
    #[error("{topic_partition}: batch at offset {offset} after offset {after} of the same append")]
    OffsetsOutOfOrder {
        /// The partition.
        topic_partition: TopicPartition,
        /// Last offset of the batch.
        offset: Offset,
        /// Last offset of the batch before it.
        after: Offset,
    },
    /// Batches with assigned offsets begin before the log's end.
    #[error("{topic_partition}: append at offset {first_offset}, the log ends at {log_end_offset}")]
    UnexpectedAppendOffset {
        /// The partition.
        topic_partition: TopicPartition,
        /// First offset to be appended.
        first_offset: Offset,
        /// Last offset to be appended.
        last_offset: Offset,
        /// Offset of the next record to be appended.
        log_end_offset: Offset,
    },
    /// More bytes in one append than a segment may have.
    #[error("{topic_partition}: append of {size} bytes, segment.bytes is {segment_bytes}")]
    BatchTooLarge {
        /// The partition.
        topic_partition: TopicPartition,
        /// Bytes to be appended.
        size: u64,
        /// `segment.bytes`.
        segment_bytes: u32,
    },
    /// What is in a file cannot be what was written.
    #[error("{topic_partition}: {} is damaged at byte {position} (offset {offset}): {what}", path.display())]
    Corrupt {
        /// The partition.
        topic_partition: TopicPartition,
        /// The file.
        path: PathBuf,
        /// Where in the file.
        position: u64,
        /// The offset that should be there.
        offset: Offset,
        /// What was found.
        what: String,
    },
    /// The directory belongs to another topic of that name.
    #[error("{topic_partition}: {} holds topic id {found}, not {expected}", dir.display())]
    InconsistentTopicId {
        /// The partition.
        topic_partition: TopicPartition,
        /// Its directory.
        dir: PathBuf,
        /// As `partition.metadata` has it.
        found: ottla_protocol::TopicId,
        /// As the metadata has it.
        expected: ottla_protocol::TopicId,
    },
}

impl LogError {
    /// Whether a file was not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, LogError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// Whether the disk is full: appends may succeed again later, nothing was lost.
    pub fn is_storage_full(&self) -> bool {
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        matches!(self, LogError::Io { source, .. } if full.contains(&source.kind()))
    }

    /// Whether the disk failed, so that nothing in its directory can be relied upon any more. What only one request or one
    /// file has to do with is none: a full disk, a missing or damaged file, too many open files.
    pub fn is_storage_failure(&self) -> bool {
        matches!(self, LogError::Io { source, .. } if is_failure_of_the_disk(source))
    }
}

impl LogError {
    /// Whether it was making something durable that failed.
    pub(crate) fn is_of_sync(&self) -> bool {
        matches!(self, LogError::Io { action: "sync", .. })
    }
}

/// Whether the disk failed, as [`LogError::is_storage_failure`] has it, of a file that is not a log's.
pub fn is_failure_of_the_disk(error: &io::Error) -> bool {
    use io::ErrorKind::*;
    /// `ENFILE` and `EMFILE`: the table of open files is full.
    const TABLE_FULL: [i32; 2] = [23, 24];
    let of_the_process = error.raw_os_error().is_some_and(|code| TABLE_FULL.contains(&code));
    let of_one_file =
        matches!(error.kind(), NotFound | InvalidData | UnexpectedEof | DirectoryNotEmpty | AlreadyExists);
    let may_pass = matches!(
        error.kind(),
        StorageFull | QuotaExceeded | FileTooLarge | Interrupted | WouldBlock | OutOfMemory | WriteZero
    );
    !(of_the_process || of_one_file || may_pass)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(error: io::Error, is_full: bool, is_failure: bool) {
        let error = LogError::Io {
            topic_partition: TopicPartition::new("t", 0),
            path: PathBuf::from("/d/t-0"),
            action: "write",
            source: error,
        };
        assert_eq!((error.is_storage_full(), error.is_storage_failure()), (is_full, is_failure), "{error}");
    }

    #[test]
    fn only_a_disk_that_failed_is_a_failure_of_the_disk() {
        use rustix::io::Errno;
        for errno in [Errno::IO, Errno::ROFS, Errno::NXIO, Errno::STALE, Errno::UCLEAN, Errno::ACCESS] {
            check(errno.into(), false, true);
        }
        for errno in [Errno::NOSPC, Errno::DQUOT] {
            check(errno.into(), true, false);
        }
        for errno in [Errno::MFILE, Errno::NFILE, Errno::INTR, Errno::AGAIN, Errno::NOENT, Errno::NOMEM] {
            check(errno.into(), false, false);
        }
    }
}
