//! Record batches that a broker must refuse, and Produce requests that are wrong around them.

use anyhow::{Context, Result};
use bytes::Bytes;
use ottla_protocol::messages::create_topics_request::CreatableTopic;
use ottla_protocol::messages::create_topics_request::CreatableTopicConfig;
use ottla_protocol::messages::list_offsets_request::ListOffsetsPartition;
use ottla_protocol::messages::list_offsets_request::ListOffsetsTopic;
use ottla_protocol::messages::produce_request::PartitionProduceData;
use ottla_protocol::messages::produce_request::TopicProduceData;
use ottla_protocol::messages::*;
use ottla_protocol::{ByteString, Records};

use super::Case;
use super::peer::Peer;
use crate::batch::{Batch, old_message, varint};

pub(super) const CASES: &[Case] = &[
    Case { name: "batch_valid_as_the_measure", say: |p| batch(p, "b-valid", good()) },
    Case { name: "batch_bad_crc", say: |p| batch(p, "b-crc", Batch { crc_error: 1, ..good() }) },
    Case {
        name: "batch_count_too_large",
        say: |p| batch(p, "b-count-more", Batch { count: Some(3), ..good() }),
    },
    Case {
        name: "batch_count_too_small",
        say: |p| batch(p, "b-count-less", Batch { count: Some(1), ..good() }),
    },
    Case {
        name: "batch_count_negative",
        say: |p| batch(p, "b-count-neg", Batch { count: Some(-1), ..good() }),
    },
    Case {
        name: "batch_count_huge",
        say: |p| {
            batch(
                p,
                "b-count-huge",
                Batch { count: Some(i32::MAX), last_offset_delta: Some(i32::MAX - 1), ..good() },
            )
        },
    },
    Case {
        name: "batch_last_offset_delta_wrong",
        say: |p| batch(p, "b-delta", Batch { last_offset_delta: Some(7), ..good() }),
    },
    Case { name: "batch_empty", say: |p| batch(p, "b-empty", Batch { records: Vec::new(), ..good() }) },
    Case {
        name: "batch_empty_with_offset_range",
        say: |p| {
            batch(p, "b-empty-range", Batch { records: Vec::new(), last_offset_delta: Some(0), ..good() })
        },
    },
    Case { name: "batch_magic_3", say: |p| batch(p, "b-magic3", Batch { magic: 3, ..good() }) },
    Case { name: "batch_magic_minus_1", say: |p| batch(p, "b-magic-1", Batch { magic: -1, ..good() }) },
    Case { name: "message_of_magic_0", say: |p| versions(p, "b-magic0", &old_message(0, b"old")) },
    Case { name: "message_of_magic_1", say: |p| versions(p, "b-magic1", &old_message(1, b"old")) },
    Case {
        name: "two_batches_in_one_partition",
        say: |p| versions(p, "b-two", &[good().bytes(), good().bytes()].concat()),
    },
    Case {
        name: "batch_and_half_a_batch",
        say: |p| versions(p, "b-half", &[&good().bytes()[..], &good().bytes()[..40]].concat()),
    },
    Case { name: "records_empty", say: |p| versions(p, "b-nothing", &[]) },
    Case { name: "records_null", say: records_null },
    Case { name: "records_too_short_for_a_header", say: |p| versions(p, "b-short", &[0; 11]) },
    Case { name: "records_of_zeros", say: |p| versions(p, "b-zeros", &[0; 61]) },
    Case { name: "batch_cut_short", say: |p| versions(p, "b-cut", &good().bytes()[..70]) },
    Case {
        name: "batch_length_too_large",
        say: |p| batch(p, "b-len-more", Batch { length: Some(5000), ..good() }),
    },
    Case {
        name: "batch_length_too_small",
        say: |p| batch(p, "b-len-less", Batch { length: Some(20), ..good() }),
    },
    Case {
        name: "batch_length_negative",
        say: |p| batch(p, "b-len-neg", Batch { length: Some(-5), ..good() }),
    },
    Case {
        name: "batch_length_largest",
        say: |p| batch(p, "b-len-max", Batch { length: Some(i32::MAX), ..good() }),
    },
    Case {
        name: "batch_base_offset_not_zero",
        say: |p| batch(p, "b-offset", Batch { base_offset: 5, ..good() }),
    },
    Case {
        name: "batch_base_offset_negative",
        say: |p| batch(p, "b-offset-neg", Batch { base_offset: -9, ..good() }),
    },
    Case {
        name: "batch_marked_as_control",
        say: |p| batch(p, "b-control", Batch { attributes: 0x20, ..good() }),
    },
    Case {
        name: "batch_marked_as_transactional",
        say: |p| {
            batch(
                p,
                "b-txn",
                Batch { attributes: 0x10, producer_id: 5, producer_epoch: 0, base_sequence: 0, ..good() },
            )
        },
    },
    Case {
        name: "batch_with_log_append_time",
        say: |p| batch(p, "b-append-time", Batch { attributes: 0x08, ..good() }),
    },
    Case {
        name: "batch_with_a_delete_horizon",
        say: |p| batch(p, "b-horizon", Batch { attributes: 0x40, ..good() }),
    },
    Case {
        name: "batch_with_unused_attributes",
        say: |p| batch(p, "b-unused", Batch { attributes: 0x0f80, ..good() }),
    },
    Case {
        name: "batch_of_unknown_compression",
        say: |p| batch(p, "b-codec", Batch { attributes: 6, ..good() }),
    },
    Case { name: "batch_of_garbage_as_gzip", say: |p| garbage(p, "b-gzip", 1) },
    Case { name: "batch_of_garbage_as_snappy", say: |p| garbage(p, "b-snappy", 2) },
    Case { name: "batch_of_garbage_as_lz4", say: |p| garbage(p, "b-lz4", 3) },
    Case { name: "batch_of_garbage_as_zstd", say: |p| garbage(p, "b-zstd", 4) },
    Case {
        name: "zstd_before_its_version",
        say: |p| produce(p, "b-zstd-old", 6, 1, &Batch { attributes: 4, ..good() }.bytes()),
    },
    Case {
        name: "record_longer_than_the_batch",
        say: |p| record(p, "b-rec-long", &[&[0x7e][..], &[0; 20]].concat()),
    },
    Case {
        name: "record_of_negative_length",
        say: |p| record(p, "b-rec-neg", &[&[0x01][..], &[0; 20]].concat()),
    },
    Case { name: "record_with_trailing_bytes", say: record_trailing },
    Case { name: "record_with_huge_header_count", say: record_headers },
    Case {
        name: "record_timestamp_negative",
        say: |p| batch(p, "b-time-neg", Batch { base_timestamp: -1, ..good() }),
    },
    Case {
        name: "record_timestamp_in_the_far_future",
        say: |p| batch(p, "b-time-far", Batch { base_timestamp: 99_999_999_999_999, ..good() }),
    },
    Case {
        name: "max_timestamp_wrong",
        say: |p| batch(p, "b-time-max", Batch { max_timestamp: Some(5), ..good() }),
    },
    Case { name: "batch_larger_than_allowed", say: too_large },
    Case {
        name: "producer_id_without_sequence",
        say: |p| {
            batch(p, "b-noseq", Batch { producer_id: 9000, producer_epoch: 0, base_sequence: -1, ..good() })
        },
    },
    Case {
        name: "producer_epoch_negative",
        say: |p| {
            batch(p, "b-noepoch", Batch { producer_id: 9000, producer_epoch: -1, base_sequence: 0, ..good() })
        },
    },
    Case {
        name: "sequence_that_does_not_begin_at_zero",
        say: |p| {
            batch(p, "b-seq5", Batch { producer_id: 9001, producer_epoch: 0, base_sequence: 5, ..good() })
        },
    },
    Case { name: "sequence_with_a_gap", say: sequences },
    Case { name: "key_missing_where_the_topic_is_compacted", say: compacted },
    Case { name: "acks_of_two", say: |p| acks(p, 2) },
    Case { name: "acks_of_minus_two", say: |p| acks(p, -2) },
    Case { name: "produce_to_an_unknown_topic", say: |p| unchecked(p, "b-absent", 0, None) },
    Case {
        name: "produce_to_an_unknown_partition",
        say: |p| {
            create(p, "b-partition")?;
            unchecked(p, "b-partition", 7, None)
        },
    },
    Case {
        name: "produce_to_a_negative_partition",
        say: |p| {
            create(p, "b-negative")?;
            unchecked(p, "b-negative", -1, None)
        },
    },
    Case { name: "produce_to_an_invalid_topic", say: |p| unchecked(p, "no/such:topic", 0, None) },
    Case {
        name: "produce_with_a_transactional_id",
        say: |p| {
            create(p, "b-txnid")?;
            unchecked(p, "b-txnid", 0, Some("t"))
        },
    },
    Case { name: "produce_to_an_unknown_topic_id", say: unknown_topic_id },
    Case { name: "produce_the_same_partition_twice", say: twice },
    Case { name: "bad_batch_beside_a_good_one", say: beside },
];

fn good() -> Batch {
    Batch::of(&["one", "two"])
}

pub(super) fn create(p: &mut Peer, topic: &str) -> Result<()> {
    create_with(p, topic, &[])
}

pub(super) fn create_with(p: &mut Peer, topic: &str, configs: &[(&str, &str)]) -> Result<()> {
    let configs = configs.iter().map(|&(name, value)| CreatableTopicConfig {
        name: name.into(),
        value: Some(value.into()),
        ..CreatableTopicConfig::default()
    });
    let name = ByteString::from(topic);
    let topic = CreatableTopic {
        name: name.clone(),
        num_partitions: 2,
        replication_factor: 1,
        configs: configs.collect(),
        ..CreatableTopic::default()
    };
    let answer =
        p.prepare(7, &CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() })?;
    anyhow::ensure!(answer.topics[0].error_code == 0, "{:?}", answer.topics[0].error_message);
    let partitions = [0, 1].map(|partition_index| ListOffsetsPartition {
        partition_index,
        timestamp: -1,
        ..Default::default()
    });
    let topic = ListOffsetsTopic { name, partitions: partitions.to_vec(), ..Default::default() };
    let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
    let led = |answer: &ListOffsetsResponse| answer.topics[0].partitions.iter().all(|p| p.error_code == 0);
    p.until(6, &request, led).map(drop)
}

/// Produces to partition 0 of a new topic at the newest version with names and at the oldest, then asks where the log
/// ends.
fn versions(p: &mut Peer, topic: &str, records: &[u8]) -> Result<()> {
    create(p, topic)?;
    produce_to(p, topic, 12, records)?;
    produce_to(p, topic, 3, records)?;
    end(p, topic)
}

fn batch(p: &mut Peer, topic: &str, batch: Batch) -> Result<()> {
    versions(p, topic, &batch.bytes())
}

fn produce(p: &mut Peer, topic: &str, version: i16, acks: i16, records: &[u8]) -> Result<()> {
    create(p, topic)?;
    p.ask(version, &request(topic, 0, acks, Some(records)))?;
    end(p, topic)
}

fn produce_to(p: &mut Peer, topic: &str, version: i16, records: &[u8]) -> Result<()> {
    p.ask(version, &request(topic, 0, -1, Some(records)))
}

fn request(topic: &str, partition: i32, acks: i16, records: Option<&[u8]>) -> ProduceRequest {
    let partition = PartitionProduceData {
        index: partition,
        records: records.map(|bytes| Records::Bytes(Bytes::copy_from_slice(bytes))),
        ..Default::default()
    };
    let topic =
        TopicProduceData { name: topic.into(), partition_data: vec![partition], ..Default::default() };
    ProduceRequest { acks, timeout_ms: 5000, topic_data: vec![topic], ..Default::default() }
}

/// Where partition 0 ends: nothing of a refused batch may be there.
fn end(p: &mut Peer, topic: &str) -> Result<()> {
    let partition = ListOffsetsPartition { partition_index: 0, timestamp: -1, ..Default::default() };
    let topic = ListOffsetsTopic { name: topic.into(), partitions: vec![partition], ..Default::default() };
    p.ask(6, &ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() })
}

fn records_null(p: &mut Peer) -> Result<()> {
    create(p, "b-null")?;
    p.ask(12, &request("b-null", 0, -1, None))?;
    end(p, "b-null")
}

fn garbage(p: &mut Peer, topic: &str, codec: i16) -> Result<()> {
    batch(
        p,
        topic,
        Batch { attributes: codec, body: Some(b"this is not compressed data".to_vec()), ..good() },
    )
}

/// One record whose bytes are `record`, its length included.
fn record(p: &mut Peer, topic: &str, record: &[u8]) -> Result<()> {
    batch(p, topic, Batch { body: Some(record.to_vec()), ..Batch::of(&["one"]) })
}

fn record_trailing(p: &mut Peer) -> Result<()> {
    let mut bytes = good().record_bytes();
    bytes.extend([0; 5]);
    batch(p, "b-rec-trail", Batch { body: Some(bytes), ..good() })
}

fn record_headers(p: &mut Peer) -> Result<()> {
    let mut fields = vec![0, 0, 0, 1, 1];
    varint(&mut fields, i64::from(i32::MAX));
    let mut bytes = Vec::new();
    varint(&mut bytes, fields.len() as i64);
    bytes.extend(fields);
    record(p, "b-rec-headers", &bytes)
}

fn too_large(p: &mut Peer) -> Result<()> {
    let value = "x".repeat(1_100_000);
    batch(p, "b-large", Batch::of(&[&value]))
}

fn sequences(p: &mut Peer) -> Result<()> {
    let topic = "b-sequences";
    create(p, topic)?;
    let of = |sequence, epoch| {
        Batch { producer_id: 9002, producer_epoch: epoch, base_sequence: sequence, ..good() }.bytes()
    };
    // First, its duplicate, a gap, the right next one, an older epoch, a newer epoch that does not begin at zero.
    for (sequence, epoch) in [(0, 1), (0, 1), (7, 1), (2, 1), (4, 0), (9, 2), (0, 2)] {
        produce_to(p, topic, 12, &of(sequence, epoch))?;
    }
    end(p, topic)
}

fn compacted(p: &mut Peer) -> Result<()> {
    create_with(p, "b-compacted", &[("cleanup.policy", "compact")])?;
    produce_to(p, "b-compacted", 12, &good().bytes())?;
    end(p, "b-compacted")
}

fn acks(p: &mut Peer, acks: i16) -> Result<()> {
    let topic = format!("b-acks{acks}");
    produce(p, &topic, 12, acks, &good().bytes())
}

fn unchecked(
    p: &mut Peer,
    topic: &str,
    partition: i32,
    transactional_id: Option<&'static str>,
) -> Result<()> {
    let bytes = good().bytes();
    let mut request = request(topic, partition, -1, Some(&bytes));
    request.transactional_id = transactional_id.map(Into::into);
    p.ask(12, &request)
}

fn unknown_topic_id(p: &mut Peer) -> Result<()> {
    let bytes = good().bytes();
    let mut request = request("", 0, -1, Some(&bytes));
    request.topic_data[0].topic_id = ottla_protocol::Uuid([9; 16]);
    p.ask(13, &request)?;
    request.topic_data[0].topic_id = ottla_protocol::Uuid::ZERO;
    p.ask(13, &request)
}

fn twice(p: &mut Peer) -> Result<()> {
    create(p, "b-twice")?;
    let bytes = good().bytes();
    let mut request = request("b-twice", 0, -1, Some(&bytes));
    let topic = request.topic_data.first_mut().context("one topic")?;
    topic.partition_data.push(topic.partition_data[0].clone());
    p.ask(12, &request)?;
    end(p, "b-twice")
}

fn beside(p: &mut Peer) -> Result<()> {
    create(p, "b-beside")?;
    let bad = Batch { crc_error: 1, ..good() }.bytes();
    let mut request = request("b-beside", 0, -1, Some(&bad));
    let other = PartitionProduceData {
        index: 1,
        records: Some(Records::Bytes(Bytes::from(good().bytes()))),
        ..Default::default()
    };
    request.topic_data[0].partition_data.push(other);
    p.ask(12, &request)
}
