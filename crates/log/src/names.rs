//! Names of files and directories, as Kafka has them.

use ottla_protocol::Offset;

use crate::TopicPartition;

/// `leader-epoch-checkpoint` in a partition's directory.
pub(crate) const LEADER_EPOCH_CHECKPOINT: &str = "leader-epoch-checkpoint";
/// `partition.metadata` in a partition's directory.
pub(crate) const PARTITION_METADATA: &str = "partition.metadata";
/// Ending of a file that is about to be removed.
pub(crate) const DELETED: &str = ".deleted";
/// Ending of a file that the cleaner is writing.
pub(crate) const CLEANED: &str = ".cleaned";
/// Ending of a file that the cleaner has written and is putting in place.
pub(crate) const SWAP: &str = ".swap";
/// Ending of a producer snapshot.
pub(crate) const SNAPSHOT: &str = ".snapshot";
/// Ending of a KRaft snapshot that is about to be removed; the metadata log looks after it.
pub(crate) const CHECKPOINT_DELETED: &str = ".checkpoint.deleted";

/// The longest name a directory may have.
pub(crate) const NAME_MAX: usize = 255;

/// A file of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Log,
    OffsetIndex,
    TimeIndex,
    TxnIndex,
    /// Names what of the others' file of batches is damaged. Not Kafka's: it takes no notice of it.
    Damage,
}

impl Kind {
    pub(crate) const ALL: [Kind; 5] =
        [Kind::Log, Kind::OffsetIndex, Kind::TimeIndex, Kind::TxnIndex, Kind::Damage];

    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Kind::Log => ".log",
            Kind::OffsetIndex => ".index",
            Kind::TimeIndex => ".timeindex",
            Kind::TxnIndex => ".txnindex",
            Kind::Damage => ".damaged",
        }
    }
}

/// The name of a segment's file.
pub(crate) fn segment_file(base_offset: Offset, kind: Kind) -> String {
    format!("{:020}{}", base_offset.0, kind.suffix())
}

/// The name of a producer snapshot.
pub(crate) fn snapshot_file(offset: Offset) -> String {
    format!("{:020}{SNAPSHOT}", offset.0)
}

/// Splits a file's name into offset and ending; `None` if it does not begin with an offset.
pub(crate) fn split(name: &str) -> Option<(Offset, &str)> {
    let (digits, suffix) = name.split_at(name.find('.')?);
    let all_digits = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    let offset = all_digits.then(|| digits.parse().ok()).flatten()?;
    Some((Offset(offset), suffix))
}

/// What a directory within a log directory is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirKind {
    /// A partition's log.
    Current,
    /// A copy being made for moving the partition to another log directory (KIP-113).
    Future,
    /// A log about to be removed.
    Delete,
    /// A log that belongs to nobody, kept for the operator (KIP-866).
    Stray,
}

impl DirKind {
    fn suffix(self) -> &'static str {
        match self {
            DirKind::Current => "",
            DirKind::Future => "-future",
            DirKind::Delete => "-delete",
            DirKind::Stray => "-stray",
        }
    }
}

/// The name of a partition's directory.
pub(crate) fn partition_dir(topic_partition: &TopicPartition) -> String {
    topic_partition.to_string()
}

/// The name of a partition's directory that is put aside: `<topic>-<partition>.<32 digits>-delete` and the like. A
/// topic's name may be so long that its end is left out.
pub(crate) fn aside_dir(topic_partition: &TopicPartition, unique: u128, kind: DirKind) -> String {
    let TopicPartition { topic, partition } = topic_partition;
    let suffix = format!("-{partition}.{unique:032x}{}", kind.suffix());
    let topic = match kind {
        DirKind::Delete | DirKind::Stray => &topic[..topic.len().min(NAME_MAX - suffix.len())],
        DirKind::Current | DirKind::Future => topic,
    };
    format!("{topic}{suffix}")
}

/// Reads the name of a partition's directory; `None` if it is not one.
pub(crate) fn parse_partition_dir(name: &str) -> Option<(TopicPartition, DirKind)> {
    let kinds = [DirKind::Future, DirKind::Delete, DirKind::Stray];
    let kind = kinds.into_iter().find(|kind| name.ends_with(kind.suffix())).unwrap_or(DirKind::Current);
    let name = match kind {
        DirKind::Current => name,
        _ => name.rsplit_once('.')?.0,
    };
    let (topic, partition) = name.rsplit_once('-')?;
    let partition = partition.parse().ok().filter(|partition| *partition >= 0)?;
    (!topic.is_empty()).then(|| (TopicPartition::new(topic, partition), kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_split_into_offset_and_ending() {
        assert_eq!(split("00000000000000000042.log"), Some((Offset(42), ".log")));
        assert_eq!(split("00000000000000000042.log.swap"), Some((Offset(42), ".log.swap")));
        for name in ["x.log", ".log", "00000000000000000042", "-1.log", "99999999999999999999.log"] {
            assert_eq!(split(name), None, "{name}");
        }
        assert_eq!(segment_file(Offset(42), Kind::TimeIndex), "00000000000000000042.timeindex");
    }

    #[test]
    fn directory_names_read_back() {
        let partition = TopicPartition::new("a-b.c-future", 7);
        for kind in [DirKind::Future, DirKind::Delete, DirKind::Stray] {
            let name = aside_dir(&partition, 0xabc, kind);
            assert_eq!(parse_partition_dir(&name), Some((partition.clone(), kind)), "{name}");
        }
        let plain = TopicPartition::new("orders", 0);
        assert_eq!(parse_partition_dir(&partition_dir(&plain)), Some((plain, DirKind::Current)));
        for name in ["orders", "-1", "orders-", "orders-x", "lost+found", "orders--1x"] {
            assert_eq!(parse_partition_dir(name), None, "{name}");
        }
    }

    #[test]
    fn directories_put_aside_fit_into_a_name() {
        let partition = TopicPartition::new("t".repeat(249), 12);
        assert_eq!(aside_dir(&partition, u128::MAX, DirKind::Delete).len(), NAME_MAX);
    }
}
