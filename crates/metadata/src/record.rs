//! The records of the metadata log and their framing.
//!
//! ```text
//! value of a record = frame version (uvarint, 1) · api key (uvarint) · record version (uvarint) · body
//! ```
//! Keys are null and there are no headers. Bodies are flexible from version 0.

use bytes::Bytes;
use ottla_protocol::codec::{DecodeError, JsonWriter, Reader, Writer};
use ottla_protocol::messages::*;

/// The only frame version there is.
const FRAME_VERSION: u32 = 1;

/// Why bytes are not a metadata record. A node that meets one must stop: it cannot know what it would skip.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A frame of a newer Kafka.
    #[error("metadata record with frame version {0}; this build knows frame version {FRAME_VERSION}")]
    FrameVersion(u32),
    /// A record type of a newer Kafka.
    #[error("metadata record of unknown type {0}; a newer version of the software wrote this log")]
    UnknownType(u32),
    /// A record version of a newer Kafka.
    #[error("{name} of version {version}; this build knows versions up to {max}")]
    UnknownVersion {
        /// The record's name.
        name: &'static str,
        /// The version found.
        version: u32,
        /// The highest one known.
        max: i16,
    },
    /// The body does not follow its schema.
    #[error("{name} is damaged: {error}")]
    Damaged {
        /// The record's name, or what was being read.
        name: &'static str,
        /// What the codec found.
        error: DecodeError,
    },
}

/// Declares the enum, its numbers, and both directions of the codec from one table.
macro_rules! metadata_records {
    ($($variant:ident($record:ident) = $key:literal, versions 0 to $max:literal;)*) => {
        /// A record of the metadata log.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs, reason = "the variants are Kafka's record types by name")]
        pub enum MetadataRecord { $($variant($record),)* }

        $(
            impl From<$record> for MetadataRecord {
                fn from(record: $record) -> Self {
                    MetadataRecord::$variant(record)
                }
            }
        )*

        impl MetadataRecord {
            /// The number of the record's type in the frame.
            pub fn api_key(&self) -> u32 {
                match self { $(MetadataRecord::$variant(_) => $key,)* }
            }

            /// Kafka's name of the record's type.
            pub fn name(&self) -> &'static str {
                match self { $(MetadataRecord::$variant(_) => stringify!($record),)* }
            }

            /// Writes the fields of a version as JSON.
            pub fn json(&self, w: &mut JsonWriter, version: i16) {
                match self { $(MetadataRecord::$variant(record) => record.json(w, version),)* }
            }

            fn encode_body(&self, w: &mut Writer, version: i16) {
                match self {
                    $(MetadataRecord::$variant(record) => record.encode(w, version),)*
                }
                .expect("the version is chosen by the fields that are set, and records have no short strings");
            }

            fn decode_body(r: &mut Reader<'_>, key: u32, version: u32) -> Result<Self, RecordError> {
                match key {
                    $($key => {
                        let name = stringify!($record);
                        let known = i16::try_from(version).ok().filter(|version| *version <= $max);
                        let Some(version) = known else {
                            return Err(RecordError::UnknownVersion { name, version, max: $max });
                        };
                        $record::decode(r, version)
                            .map(MetadataRecord::$variant)
                            .map_err(|error| RecordError::Damaged { name, error })
                    })*
                    unknown => Err(RecordError::UnknownType(unknown)),
                }
            }
        }
    };
}

metadata_records! {
    RegisterBroker(RegisterBrokerRecord) = 0, versions 0 to 4;
    UnregisterBroker(UnregisterBrokerRecord) = 1, versions 0 to 0;
    Topic(TopicRecord) = 2, versions 0 to 0;
    Partition(PartitionRecord) = 3, versions 0 to 2;
    Config(ConfigRecord) = 4, versions 0 to 0;
    PartitionChange(PartitionChangeRecord) = 5, versions 0 to 2;
    FenceBroker(FenceBrokerRecord) = 7, versions 0 to 0;
    UnfenceBroker(UnfenceBrokerRecord) = 8, versions 0 to 0;
    RemoveTopic(RemoveTopicRecord) = 9, versions 0 to 0;
    DelegationToken(DelegationTokenRecord) = 10, versions 0 to 0;
    UserScramCredential(UserScramCredentialRecord) = 11, versions 0 to 0;
    FeatureLevel(FeatureLevelRecord) = 12, versions 0 to 0;
    ClientQuota(ClientQuotaRecord) = 14, versions 0 to 0;
    ProducerIds(ProducerIdsRecord) = 15, versions 0 to 0;
    BrokerRegistrationChange(BrokerRegistrationChangeRecord) = 17, versions 0 to 3;
    AccessControlEntry(AccessControlEntryRecord) = 18, versions 0 to 0;
    RemoveAccessControlEntry(RemoveAccessControlEntryRecord) = 19, versions 0 to 0;
    NoOp(NoOpRecord) = 20, versions 0 to 0;
    ZkMigrationState(ZkMigrationStateRecord) = 21, versions 0 to 0;
    RemoveUserScramCredential(RemoveUserScramCredentialRecord) = 22, versions 0 to 0;
    BeginTransaction(BeginTransactionRecord) = 23, versions 0 to 0;
    EndTransaction(EndTransactionRecord) = 24, versions 0 to 0;
    AbortTransaction(AbortTransactionRecord) = 25, versions 0 to 0;
    RemoveDelegationToken(RemoveDelegationTokenRecord) = 26, versions 0 to 0;
    RegisterController(RegisterControllerRecord) = 27, versions 0 to 0;
    ClearElr(ClearElrRecord) = 28, versions 0 to 0;
}

impl MetadataRecord {
    /// The version that Kafka 4.3.1 writes at metadata.version 4.3-IV0. Changes of a registration take the lowest version
    /// that has what they change, so that older nodes read as much as they can.
    pub fn version(&self) -> i16 {
        match self {
            MetadataRecord::RegisterBroker(_) => 4,
            MetadataRecord::Partition(_) | MetadataRecord::PartitionChange(_) => 2,
            MetadataRecord::BrokerRegistrationChange(change) => {
                if change.cordoned_log_dirs.is_some() {
                    3
                } else if !change.log_dirs.is_empty() {
                    2
                } else if change.in_controlled_shutdown != 0 {
                    1
                } else {
                    0
                }
            }
            _ => 0,
        }
    }

    /// Appends the value of the record, at [`MetadataRecord::version`].
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut w = Writer::default();
        let version = self.version();
        w.uvarint(FRAME_VERSION);
        w.uvarint(self.api_key());
        w.uvarint(version as u32);
        self.encode_body(&mut w, version);
        out.append(&mut w.into_vec());
    }

    /// The value of the record as [`MetadataRecord::encode`] appends it.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = Vec::new();
        self.encode(&mut out);
        out.into()
    }

    /// Reads the value of a record. Strings share the memory of `value`.
    ///
    /// # Errors
    /// Unknown frame, type or version, and damage. None of them may be skipped.
    pub fn decode(value: &Bytes) -> Result<MetadataRecord, RecordError> {
        let header = |error| RecordError::Damaged { name: "frame of a metadata record", error };
        let mut r = Reader::new(value);
        let frame_version = r.uvarint().map_err(header)?;
        if frame_version != FRAME_VERSION {
            return Err(RecordError::FrameVersion(frame_version));
        }
        let key = r.uvarint().map_err(header)?;
        let version = r.uvarint().map_err(header)?;
        let record = MetadataRecord::decode_body(&mut r, key, version)?;
        if !r.is_empty() {
            let error = DecodeError::Trailing(r.remaining());
            return Err(RecordError::Damaged { name: record.name(), error });
        }
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla_protocol::Uuid;

    fn check_refused(value: &[u8], expect: &str) {
        let error = MetadataRecord::decode(&Bytes::copy_from_slice(value)).unwrap_err();
        assert_eq!(error.to_string(), expect);
    }

    #[test]
    fn a_topic_record_is_framed_as_kafka_frames_it() {
        let record = MetadataRecord::from(TopicRecord {
            name: "foo".into(),
            topic_id: Uuid::ONE,
            ..Default::default()
        });
        let mut expect = vec![1, 2, 0, 4, b'f', b'o', b'o'];
        expect.extend_from_slice(&Uuid::ONE.0);
        expect.push(0);
        assert_eq!(record.to_bytes(), expect);
        assert_eq!(MetadataRecord::decode(&record.to_bytes()), Ok(record));
    }

    #[test]
    fn what_a_newer_kafka_wrote_is_never_skipped() {
        check_refused(&[2, 2, 0], "metadata record with frame version 2; this build knows frame version 1");
        check_refused(
            &[1, 29, 0],
            "metadata record of unknown type 29; a newer version of the software wrote this log",
        );
        check_refused(&[1, 3, 3], "PartitionRecord of version 3; this build knows versions up to 2");
        check_refused(&[1, 24, 0, 0, 9], "EndTransactionRecord is damaged: 1 bytes are left over");
        check_refused(&[], "frame of a metadata record is damaged: the message ends 1 bytes early");
    }

    #[test]
    fn a_registration_change_takes_the_lowest_version_that_carries_it() {
        let check = |change: BrokerRegistrationChangeRecord, version| {
            let record = MetadataRecord::from(change);
            assert_eq!(record.version(), version);
            assert_eq!(MetadataRecord::decode(&record.to_bytes()), Ok(record));
        };
        let change = BrokerRegistrationChangeRecord::default;
        check(BrokerRegistrationChangeRecord { fenced: 1, ..change() }, 0);
        check(BrokerRegistrationChangeRecord { in_controlled_shutdown: 1, ..change() }, 1);
        check(BrokerRegistrationChangeRecord { log_dirs: vec![Uuid::ONE], ..change() }, 2);
        check(BrokerRegistrationChangeRecord { cordoned_log_dirs: Some(vec![]), ..change() }, 3);
    }
}
