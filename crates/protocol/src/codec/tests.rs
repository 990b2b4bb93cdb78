//! Properties of all messages: they come back as they went, and hostile bytes cost an error.

use super::*;
use crate::messages::registry::MESSAGES;
use crate::messages::{FetchResponse, MetadataRequest, TransactionLogValue, fetch_response};

/// A small seeded generator (xorshift), so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[test]
fn every_default_comes_back_byte_for_byte() {
    for info in MESSAGES {
        for version in info.versions.0..=info.versions.1 {
            // Some defaults cannot be written at versions that do not know null.
            let Ok(bytes) = (info.encode_default)(version) else { continue };
            let again = (info.round_trip)(&Bytes::from(bytes.clone()), version);
            assert_eq!(again.as_ref(), Ok(&bytes), "{} {version}", info.name);
        }
    }
}

#[test]
fn random_bytes_never_panic() {
    let mut random = Random(0x0771a);
    for info in MESSAGES {
        for round in 0..200 {
            let seed = random.0;
            let bytes: Vec<u8> = (0..random.next() % 64).map(|_| random.next() as u8).collect();
            let version = info.versions.0 + (round % (info.versions.1 - info.versions.0 + 1));
            // Whatever decodes must encode to something that decodes to the same.
            if let Ok(text) = (info.describe)(&Bytes::from(bytes.clone()), version)
                && let Ok(again) = (info.round_trip)(&Bytes::from(bytes), version)
            {
                let told = (info.describe)(&Bytes::from(again), version);
                assert_eq!(told.as_ref(), Ok(&text), "{} {version} seed {seed}", info.name);
            }
        }
    }
}

#[test]
fn a_compact_string_is_no_longer_than_an_old_one() {
    let check = |length: usize, expected: DecodeResult<usize>| {
        let mut w = Writer::default();
        w.bytes(true, &Bytes::from(vec![b'x'; length]));
        let frame = Bytes::from(w.into_vec());
        assert_eq!(Reader::new(&frame).string(true).map(|string| string.len()), expected);
    };
    check(32_767, Ok(32_767));
    check(32_768, Err(DecodeError::Length(32_768)));
}

#[test]
fn a_count_larger_than_the_frame_is_refused() {
    let check = |bytes: &[u8], version, expected| {
        let frame = Bytes::copy_from_slice(bytes);
        assert_eq!(decode_all(&frame, |r| MetadataRequest::decode(r, version)), Err(expected));
    };
    check(&[0x7f, 0xff, 0xff, 0xff], 0, DecodeError::Length(i32::MAX.into()));
    check(&[0xff, 0xff, 0xff, 0xff, 0x07], 9, DecodeError::Length(i64::from(i32::MAX) - 1));
    check(&[0xff, 0xff, 0xff, 0xff, 0xff, 0x0f], 9, DecodeError::Varint);
}

#[test]
fn a_count_below_zero_is_null() {
    for (bytes, version) in
        [(&[0xff, 0xff, 0xff, 0xfe][..], 1), (&[0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0], 9)]
    {
        let frame = Bytes::copy_from_slice(bytes);
        let request = MetadataRequest::decode(&mut Reader::new(&frame), version).unwrap();
        assert_eq!(request.topics, None, "{bytes:?}");
    }
}

#[test]
fn memory_is_charged_before_it_is_reserved() {
    // A count that fits the frame byte for byte, of structs that are far larger than their bytes on the wire.
    let mut bytes = vec![0; 16 << 20];
    bytes[..4].copy_from_slice(&((16 << 20) - 4_i32).to_be_bytes());
    let frame = Bytes::from(bytes);
    let decoded = decode_all(&frame, |r| MetadataRequest::decode(r, 0));
    assert_eq!(decoded, Err(DecodeError::Budget));
}

#[test]
fn records_are_referred_to_and_regions_leave_holes() {
    let partition = |records| fetch_response::PartitionData { records: Some(records), ..Default::default() };
    let shared = Bytes::from(vec![7; 5000]);
    let response = FetchResponse {
        responses: vec![fetch_response::FetchableTopicResponse {
            partitions: vec![
                partition(Records::Bytes(shared.clone())),
                partition(Records::External { index: 3, len: 70_000 }),
                partition(Records::Bytes(Bytes::from_static(b"small"))),
            ],
            ..Default::default()
        }],
        ..Default::default()
    };
    let mut w = Writer::default();
    let start = w.begin_frame();
    response.encode(&mut w, 12).unwrap();
    w.end_frame(start);
    let pieces: Vec<Piece<'_>> = w.pieces().collect();
    assert_eq!(pieces[1], Piece::Bytes(&shared));
    assert_eq!(pieces[3], Piece::External { index: 3, len: 70_000 });
    let total: usize = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Bytes(bytes) => bytes.len(),
            Piece::External { len, .. } => *len as usize,
        })
        .sum();
    assert_eq!(total, w.len());
    let Piece::Bytes(first) = pieces[0] else { panic!("the first piece is the header") };
    assert_eq!(first[..4], u32::try_from(total - 4).unwrap().to_be_bytes());
}

#[test]
fn a_tagged_field_whose_schema_names_no_versions_is_carried() {
    let value = TransactionLogValue { previous_producer_id: 7, next_producer_epoch: 3, ..Default::default() };
    let mut w = Writer::default();
    value.encode(&mut w, 1).unwrap();
    let read = decode_all(&w.into_vec().into(), |r| TransactionLogValue::decode(r, 1)).unwrap();
    assert_eq!((read.previous_producer_id, read.next_producer_epoch, read), (7, 3, value));
}

/// As Kafka's classes write it: tag 0, one byte, which is a varint of 0.
#[test]
fn a_null_struct_in_a_tagged_field_is_a_varint_of_zero() {
    let value = crate::messages::ConsumerGroupMemberMetadataValue {
        classic_member_metadata: None,
        ..Default::default()
    };
    let mut w = Writer::default();
    value.encode(&mut w, 0).unwrap();
    let bytes = w.into_vec();
    assert!(bytes.ends_with(&[1, 0, 1, 0]), "{bytes:?}");
    let bytes = bytes::Bytes::from(bytes);
    let read = crate::messages::ConsumerGroupMemberMetadataValue::decode(&mut Reader::new(&bytes), 0);
    assert_eq!(read.unwrap(), value);
}
