//! Batches of the metadata log and of checkpoints → the records in them.

use super::MetadataError;
use bytes::Bytes;
use ottla_metadata::MetadataRecord;
use ottla_protocol::records::{Record, RecordBatch};
use ottla_quorum::ControlRecord;

/// Largest batch, decompressed.
const BATCH_BYTES_MAX: u64 = 1 << 30;

/// The records of a control batch.
pub(super) fn control_records(batch: &RecordBatch<'_>) -> Result<Vec<ControlRecord>, MetadataError> {
    let records = batch.records(BATCH_BYTES_MAX)?;
    let decode = |record: Result<Record<'_>, _>| {
        let record = record?;
        let value = Bytes::copy_from_slice(record.value.unwrap_or_default());
        ControlRecord::decode(record.key.unwrap_or_default(), &value)
            .map_err(|error| MetadataError::Record(error.to_string()))
    };
    records.iter().map(decode).collect()
}

/// The records of a data batch.
pub(super) fn data_records(batch: &RecordBatch<'_>) -> Result<Vec<MetadataRecord>, MetadataError> {
    let records = batch.records(BATCH_BYTES_MAX)?;
    let decode = |record: Result<Record<'_>, _>| {
        let value = Bytes::copy_from_slice(record?.value.unwrap_or_default());
        MetadataRecord::decode(&value).map_err(|error| MetadataError::Record(error.to_string()))
    };
    records.iter().map(decode).collect()
}
