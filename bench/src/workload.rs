//! What is measured: each workload with its shape, the unit its cost is divided by, and the bar.

use ottla_protocol::records::Compression;

use crate::load::batch::Shape;
use crate::load::{Check, Consume, Fetching, Produce};

/// What a cost is divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A gigabyte of payload (producers) or of batches (consumers): CPU seconds.
    Gigabyte,
    /// A request: CPU microseconds.
    Request,
    /// A record: CPU microseconds.
    Message,
}

impl Unit {
    /// How a report calls it.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Gigabyte => "s/GB",
            Unit::Request => "µs/request",
            Unit::Message => "µs/message",
        }
    }
}

/// Who takes part in a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// An acknowledgement means that the page cache has it: `ottla.flush.acks.all=never` and Kafka's default. A kill -9
    /// loses nothing, a power cut may.
    PageCache,
    /// An acknowledgement means that the disk has it: Ottla's default and Kafka's `flush.messages=1`.
    Disk,
}

impl Durability {
    /// How a report calls it.
    pub fn name(self) -> &'static str {
        match self {
            Durability::PageCache => "page cache",
            Durability::Disk => "disk",
        }
    }
}

/// What happens in a cell.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Producers, and readers of the tail if there are some.
    Produce {
        /// Topics.
        topics: usize,
        /// Partitions of each.
        partitions: usize,
        /// Who writes.
        produce: Produce,
        /// Who reads what is written.
        tail: Option<Consume>,
    },
    /// Readers of what was written before, again and again.
    Drain {
        /// Topics.
        topics: usize,
        /// Partitions of each.
        partitions: usize,
        /// What a batch holds.
        shape: Shape,
        /// Batches in each partition.
        batches: u64,
        /// Who reads.
        consume: Consume,
    },
    /// ApiVersions.
    Ping {
        /// Connections, each with one question at a time.
        connections: usize,
    },
}

/// A bar: what a figure is compared with, and how much of that it may be.
#[derive(Clone, Copy, Debug)]
pub enum Bar {
    /// CPU per unit, at most so many times the floor's.
    CpuOfFloor(f64),
    /// CPU per unit, at most so much of Kafka's.
    CpuOfKafka(f64),
    /// Units per second, at least so many times Kafka's.
    RateOfKafka(f64),
    /// Median latency, at most so many times the floor's.
    P50OfFloor(f64),
    /// Median latency, at most so much of Kafka's.
    P50OfKafka(f64),
    /// Latency of 99 in 100, at most so much of Kafka's.
    P99OfKafka(f64),
    /// Latency of 999 in 1,000, at most so much of Kafka's.
    P999OfKafka(f64),
    /// Median latency in microseconds, at most.
    P50Micros(f64),
    /// CPU per unit, at most.
    Cpu(f64),
}

/// One workload.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is.
    pub what: &'static str,
    /// What its cost is divided by.
    pub unit: Unit,
    /// What an acknowledgement means in it.
    pub durability: Durability,
    /// What happens.
    pub kind: Kind,
    /// What it must reach.
    pub bars: &'static [Bar],
}

/// A producer of acks=all as fast as the broker takes it.
const fn produce(connections: usize, partitions_per_request: usize, shape: Shape) -> Produce {
    Produce {
        connections,
        depth: 5,
        partitions_per_request,
        shape,
        acks: -1,
        requests_per_second: None,
        payload_bytes_max: 3_000_000_000,
    }
}

const fn paced(connections: usize, shape: Shape, requests_per_second: f64) -> Produce {
    Produce { requests_per_second: Some(requests_per_second), ..produce(connections, 1, shape) }
}

/// A consumer's fetching, checksums verified.
const FETCHING: Fetching = Fetching {
    wait_ms: 500,
    bytes_min: 1,
    bytes_max: 10 << 20,
    partition_bytes_max: 1 << 20,
    check: Check::Checksums,
};

/// Readers of the tail.
const fn tail(connections: usize) -> Option<Consume> {
    Some(Consume { connections, everything: true, fetching: FETCHING, again: false })
}

const fn drain(connections: usize, everything: bool) -> Consume {
    Consume { connections, everything, fetching: FETCHING, again: true }
}

/// 100 records of 1 KiB.
const HUNDRED: Shape = Shape::random(100, 1024);
const SIXTEEN: Shape = Shape::random(16, 1000);

/// JSON-like records, of which a codec makes about a third.
const fn packed(compression: Compression) -> Shape {
    Shape { compression, random_percent: 25, ..HUNDRED }
}

const fn one_topic(partitions: usize, produce: Produce) -> Kind {
    Kind::Produce { topics: 1, partitions, produce, tail: None }
}

const fn compressed(name: &'static str, what: &'static str, compression: Compression) -> Workload {
    Workload {
        name,
        what,
        unit: Unit::Gigabyte,
        durability: Durability::PageCache,
        kind: one_topic(1, produce(1, 1, packed(compression))),
        bars: &[Bar::CpuOfKafka(0.5)],
    }
}

const fn with_acks(name: &'static str, what: &'static str, acks: i16) -> Workload {
    Workload {
        name,
        what,
        unit: Unit::Gigabyte,
        durability: Durability::PageCache,
        kind: one_topic(16, Produce { acks, ..produce(4, 1, SIXTEEN) }),
        bars: &[Bar::CpuOfFloor(1.3), Bar::CpuOfKafka(0.25)],
    }
}

/// All workloads, in the order of a report.
pub const WORKLOADS: &[Workload] = &[
    Workload {
        name: "1m",
        what: "produce 1 MB batches (1,000 × 1,000 B), 1 connection",
        unit: Unit::Gigabyte,
        durability: Durability::PageCache,
        kind: one_topic(1, produce(1, 1, Shape::random(1000, 1000))),
        bars: &[Bar::CpuOfFloor(1.3), Bar::CpuOfKafka(0.45), Bar::RateOfKafka(1.8)],
    },
    Workload {
        name: "100k",
        what: "produce 100 KiB batches (100 × 1 KiB), 1 connection",
        unit: Unit::Gigabyte,
        durability: Durability::PageCache,
        kind: one_topic(1, produce(1, 1, HUNDRED)),
        bars: &[Bar::CpuOfFloor(1.3), Bar::CpuOfKafka(0.30), Bar::RateOfKafka(2.5), Bar::P50OfKafka(0.35)],
    },
    Workload {
        name: "16k",
        what: "produce 16 KiB batches (16 × 1,000 B), 4 connections, 16 partitions",
        unit: Unit::Gigabyte,
        durability: Durability::PageCache,
        kind: one_topic(16, produce(4, 1, SIXTEEN)),
        bars: &[Bar::CpuOfFloor(1.3), Bar::CpuOfKafka(0.25), Bar::RateOfKafka(3.0)],
    },
    Workload {
        name: "16k-small",
        what: "produce 16 KiB batches (160 × 90 B), 4 connections, 16 partitions",
        unit: Unit::Gigabyte,
        durability: Durability::PageCache,
        kind: one_topic(16, produce(4, 1, Shape::random(160, 90))),
        bars: &[Bar::CpuOfFloor(1.5), Bar::CpuOfKafka(0.25), Bar::RateOfKafka(3.0)],
    },
    Workload {
        name: "one-record",
        what: "produce one record of 100 B per request, 16 connections",
        unit: Unit::Request,
        durability: Durability::PageCache,
        kind: one_topic(16, produce(16, 1, Shape::random(1, 100))),
        bars: &[Bar::CpuOfFloor(1.6), Bar::CpuOfKafka(0.13), Bar::RateOfKafka(4.0)],
    },
    Workload {
        name: "1000-partitions",
        what: "produce to 1,000 partitions, 10 per request, one record of 100 B each, 4 connections",
        unit: Unit::Request,
        durability: Durability::PageCache,
        kind: Kind::Produce {
            topics: 10,
            partitions: 100,
            produce: produce(4, 10, Shape::random(1, 100)),
            tail: None,
        },
        bars: &[Bar::CpuOfFloor(1.5), Bar::CpuOfKafka(0.2), Bar::RateOfKafka(4.0)],
    },
    Workload {
        name: "1000-connections",
        what: "1,000 connections, 2,000 requests/s together, one record of 100 B each",
        unit: Unit::Request,
        durability: Durability::PageCache,
        kind: one_topic(16, paced(1000, Shape::random(1, 100), 2000.0)),
        bars: &[Bar::CpuOfFloor(1.4), Bar::CpuOfKafka(0.25), Bar::P50OfKafka(0.5)],
    },
    Workload {
        name: "paced",
        what: "20 MB/s in 16 KiB batches, 4 connections, with a reader of the tail",
        unit: Unit::Request,
        durability: Durability::PageCache,
        kind: Kind::Produce { topics: 1, partitions: 16, produce: paced(4, SIXTEEN, 1250.0), tail: tail(1) },
        bars: &[Bar::CpuOfFloor(1.5), Bar::CpuOfKafka(0.25), Bar::P99OfKafka(0.5)],
    },
    Workload {
        name: "drain",
        what: "drain 16 partitions from the page cache, 1 connection, checksums verified",
        unit: Unit::Gigabyte,
        durability: Durability::PageCache,
        kind: Kind::Drain {
            topics: 1,
            partitions: 16,
            shape: SIXTEEN,
            batches: 1200,
            consume: drain(1, true),
        },
        bars: &[Bar::CpuOfFloor(1.1), Bar::CpuOfKafka(1.0), Bar::RateOfKafka(1.0)],
    },
    Workload {
        name: "drain-4",
        what: "drain 16 partitions from the page cache, 4 connections",
        unit: Unit::Gigabyte,
        durability: Durability::PageCache,
        kind: Kind::Drain {
            topics: 1,
            partitions: 16,
            shape: SIXTEEN,
            batches: 1200,
            consume: drain(4, false),
        },
        bars: &[Bar::CpuOfFloor(1.1), Bar::CpuOfKafka(1.0), Bar::RateOfKafka(1.0)],
    },
    Workload {
        name: "fan-out",
        what: "ten connections that each drain all 16 partitions",
        unit: Unit::Gigabyte,
        durability: Durability::PageCache,
        kind: Kind::Drain {
            topics: 1,
            partitions: 16,
            shape: SIXTEEN,
            batches: 600,
            consume: drain(10, true),
        },
        bars: &[Bar::CpuOfFloor(1.15), Bar::CpuOfKafka(0.8)],
    },
    Workload {
        name: "tiny-batches",
        what: "drain 1,000 partitions of batches of one record of 100 B, 4 connections",
        unit: Unit::Gigabyte,
        durability: Durability::PageCache,
        kind: Kind::Drain {
            topics: 10,
            partitions: 100,
            shape: Shape::random(1, 100),
            batches: 200,
            consume: drain(4, false),
        },
        bars: &[Bar::CpuOfFloor(1.5), Bar::CpuOfKafka(0.4)],
    },
    Workload {
        name: "tail-10",
        what: "1,000 messages/s of 1 KiB, ten readers of the tail",
        unit: Unit::Message,
        durability: Durability::PageCache,
        kind: Kind::Produce {
            topics: 1,
            partitions: 1,
            produce: paced(1, Shape::random(1, 1024), 1000.0),
            tail: tail(10),
        },
        bars: &[Bar::CpuOfFloor(1.5), Bar::CpuOfKafka(0.2), Bar::P99OfKafka(0.5)],
    },
    Workload {
        name: "tail-50",
        what: "100 messages/s of 1 KiB, fifty readers of the tail",
        unit: Unit::Message,
        durability: Durability::PageCache,
        kind: Kind::Produce {
            topics: 1,
            partitions: 1,
            produce: paced(1, Shape::random(1, 1024), 100.0),
            tail: tail(50),
        },
        bars: &[Bar::CpuOfFloor(1.5), Bar::CpuOfKafka(0.2), Bar::P99OfKafka(0.5)],
    },
    Workload {
        name: "e2e-100",
        what: "end to end, 100 messages/s of 1 KiB",
        unit: Unit::Message,
        durability: Durability::PageCache,
        kind: Kind::Produce {
            topics: 1,
            partitions: 1,
            produce: paced(1, Shape::random(1, 1024), 100.0),
            tail: tail(1),
        },
        bars: END_TO_END,
    },
    Workload {
        name: "e2e-1000",
        what: "end to end, 1,000 messages/s of 1 KiB",
        unit: Unit::Message,
        durability: Durability::PageCache,
        kind: Kind::Produce {
            topics: 1,
            partitions: 1,
            produce: paced(1, Shape::random(1, 1024), 1000.0),
            tail: tail(1),
        },
        bars: END_TO_END,
    },
    Workload {
        name: "durable",
        what: "acknowledged by the disk: one record of 100 B per request, 16 connections",
        unit: Unit::Request,
        durability: Durability::Disk,
        kind: one_topic(16, produce(16, 1, Shape::random(1, 100))),
        bars: &[Bar::RateOfKafka(10.0), Bar::P50Micros(500.0), Bar::Cpu(10.0)],
    },
    Workload {
        name: "durable-16k",
        what: "acknowledged by the disk: 16 KiB batches, 4 connections, 16 partitions",
        unit: Unit::Gigabyte,
        durability: Durability::Disk,
        kind: one_topic(16, produce(4, 1, SIXTEEN)),
        bars: &[Bar::RateOfKafka(2.0)],
    },
    Workload {
        name: "durable-e2e",
        what: "acknowledged by the disk, end to end, 100 messages/s of 1 KiB",
        unit: Unit::Message,
        durability: Durability::Disk,
        kind: Kind::Produce {
            topics: 1,
            partitions: 1,
            produce: paced(1, Shape::random(1, 1024), 100.0),
            tail: tail(1),
        },
        bars: &[Bar::P50OfKafka(0.7), Bar::P999OfKafka(0.3)],
    },
    compressed("lz4", "produce 100 × 1 KiB of JSON-like records, lz4", Compression::Lz4),
    compressed("zstd", "produce 100 × 1 KiB of JSON-like records, zstd", Compression::Zstd),
    compressed("gzip", "produce 100 × 1 KiB of JSON-like records, gzip", Compression::Gzip),
    compressed("snappy", "produce 100 × 1 KiB of JSON-like records, snappy", Compression::Snappy),
    with_acks("acks-1", "produce 16 KiB batches, 4 connections, acks=1", 1),
    with_acks("acks-0", "produce 16 KiB batches, 4 connections, acks=0", 0),
    Workload {
        name: "ping",
        what: "ApiVersions, 1 connection",
        unit: Unit::Request,
        durability: Durability::PageCache,
        kind: Kind::Ping { connections: 1 },
        bars: &[Bar::CpuOfFloor(1.5), Bar::CpuOfKafka(0.4)],
    },
    Workload {
        name: "ping-50",
        what: "ApiVersions, 50 connections",
        unit: Unit::Request,
        durability: Durability::PageCache,
        kind: Kind::Ping { connections: 50 },
        bars: &[Bar::CpuOfFloor(1.5), Bar::CpuOfKafka(0.2)],
    },
];

const END_TO_END: &[Bar] = &[
    Bar::CpuOfFloor(1.5),
    Bar::CpuOfKafka(0.2),
    Bar::P50OfFloor(1.2),
    Bar::P50OfKafka(0.7),
    Bar::P999OfKafka(0.3),
];

/// Rows of the table of targets that wait for a feature, and for which.
pub const NOT_YET: &[(&str, &str)] = &[
    ("rf3", "three brokers, RF 3, acks=all: waits for replication"),
    ("transactions", "20 ms commits: waits for transactions"),
    ("tls", "TLS with kTLS and sendfile: waits for TLS"),
    ("failover", "kill -9 of a leader, RF 3: waits for replication"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_workloads_have_the_same_name() {
        let mut names: Vec<_> = WORKLOADS.iter().map(|workload| workload.name).collect();
        names.extend(NOT_YET.iter().map(|(name, _)| *name));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn requests_divide_partitions() {
        for workload in WORKLOADS {
            if let Kind::Produce { partitions, produce, .. } = workload.kind {
                assert_eq!(partitions % produce.partitions_per_request, 0, "{}", workload.name);
            }
        }
    }
}
