//! What is written to the topics: random batches from a seed, the same for every broker.

use ottla_protocol::records::{BatchBuilder, Compression, Header};
use ottla_protocol::{ProducerEpoch, ProducerId};

use crate::random::Random;

/// A topic and what is written to it.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) name: &'static str,
    pub(super) configs: &'static [(&'static str, &'static str)],
    compression: &'static [Compression],
    keys: u64,
    batches: u64,
    records_max: u64,
}

impl Topic {
    /// Whether any batch in it is compressed.
    pub(super) fn is_compressed(&self) -> bool {
        let is_uncompressed = self.configs.contains(&UNCOMPRESSED);
        self.configs.contains(&ZSTD) || self.compression != NONE && !is_uncompressed
    }
}

const ZSTD: (&str, &str) = ("compression.type", "zstd");
const UNCOMPRESSED: (&str, &str) = ("compression.type", "uncompressed");
/// Segments end after a minute of records, which have a second between them.
const SEGMENT: (&str, &str) = ("segment.ms", "60000");
const COMPACT: (&str, &str) = ("cleanup.policy", "compact");
const NOT_YET: (&str, &str) = ("min.cleanable.dirty.ratio", "1");
/// Tombstones go with the second compaction.
const AT_ONCE: (&str, &str) = ("delete.retention.ms", "0");

const NONE: &[Compression] = &[Compression::None];

pub(super) const TOPICS: &[Topic] = &[
    Topic {
        name: "compacted",
        configs: &[COMPACT, NOT_YET, SEGMENT, AT_ONCE],
        compression: NONE,
        keys: 60,
        batches: 600,
        records_max: 6,
    },
    Topic {
        name: "compacted-tombstones-stay",
        configs: &[COMPACT, NOT_YET, SEGMENT],
        compression: &Compression::ALL,
        keys: 200,
        batches: 400,
        records_max: 9,
    },
    Topic {
        name: "compacted-stamped",
        configs: &[
            COMPACT,
            NOT_YET,
            ("segment.bytes", "1048576"),
            AT_ONCE,
            ("message.timestamp.type", "LogAppendTime"),
        ],
        compression: NONE,
        keys: 30,
        batches: 4000,
        records_max: 6,
    },
    Topic {
        name: "compacted-many-keys",
        configs: &[COMPACT, NOT_YET, ("segment.ms", "20000"), AT_ONCE],
        compression: NONE,
        // More than fit into the memory at once.
        keys: 60_000,
        batches: 300,
        records_max: 900,
    },
    Topic {
        name: "compacted-deleted",
        configs: &[("cleanup.policy", "compact,delete"), NOT_YET, SEGMENT, AT_ONCE, ("retention.ms", "-1")],
        compression: NONE,
        keys: 100,
        batches: 500,
        records_max: 5,
    },
    Topic {
        name: "compacted-recompressed",
        configs: &[COMPACT, NOT_YET, SEGMENT, AT_ONCE, ZSTD],
        compression: &Compression::ALL,
        keys: 60,
        batches: 400,
        records_max: 6,
    },
    Topic {
        name: "compacted-uncompressed",
        configs: &[COMPACT, NOT_YET, SEGMENT, AT_ONCE, UNCOMPRESSED],
        compression: &Compression::ALL,
        keys: 60,
        batches: 400,
        records_max: 6,
    },
];

/// Writes one topic's batches.
pub(super) struct Writer<'t> {
    topic: &'t Topic,
    random: Random,
    now_ms: i64,
    /// The next sequence number of each idempotent producer.
    sequences: [i32; 3],
}

impl<'t> Writer<'t> {
    pub(super) fn new(topic: &'t Topic, random: Random) -> Writer<'t> {
        Writer { topic, random, now_ms: 1_700_000_000_000, sequences: [0; 3] }
    }

    /// The next batches.
    pub(super) fn write(&mut self) -> Vec<Vec<u8>> {
        (0..self.topic.batches).map(|_| self.batch()).collect()
    }

    fn batch(&mut self) -> Vec<u8> {
        let Writer { topic, random, now_ms, sequences } = self;
        *now_ms += 1000;
        let codec = topic.compression[random.below(topic.compression.len() as u64) as usize];
        let count = random.between(1, topic.records_max + 1);
        let mut builder = BatchBuilder::new().compression(codec, None);
        // One of four is nobody's.
        let producer = random.below(4) as usize;
        if let Some(sequence) = sequences.get_mut(producer) {
            builder = builder.producer(ProducerId(4000 + producer as i64), ProducerEpoch(0), *sequence);
            *sequence += count as i32;
        }
        for _ in 0..count {
            let key = random.below(topic.keys);
            let key = format!("key {key}");
            let value = format!("{} {}", random.bits(), "v".repeat(random.below(120) as usize));
            let value = (random.below(6) > 0).then_some(value.as_bytes());
            let headers = [Header::new("h", Some(b"x")), Header::new("n", None)];
            let headers = &headers[..random.below(3) as usize];
            // Not always growing.
            let timestamp = *now_ms - random.below(3000) as i64;
            builder.append(timestamp, Some(key.as_bytes()), value, headers);
        }
        builder.build()
    }
}
