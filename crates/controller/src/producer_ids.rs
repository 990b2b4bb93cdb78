//! AllocateProducerIds: blocks of ids that a broker gives to its producers (KIP-730).

use crate::cluster::Cluster;
use crate::effect::ControllerResponse;
use crate::heartbeat::check_broker_epoch;
use crate::state::Outcome;
use ottla_protocol::messages::{AllocateProducerIdsRequest, AllocateProducerIdsResponse, ProducerIdsRecord};
use ottla_protocol::{BrokerId, ErrorCode};

/// Ids in a block.
const BLOCK_SIZE: i32 = 1000;

/// Answers AllocateProducerIds.
pub(crate) fn allocate(cluster: Cluster<'_>, request: &AllocateProducerIdsRequest) -> Outcome {
    let refuse = |error: ErrorCode| {
        let error_code = error.code();
        let response = AllocateProducerIdsResponse { error_code, ..Default::default() };
        Outcome::answer(ControllerResponse::AllocateProducerIds(response))
    };
    if let Err(error) = check_broker_epoch(cluster, BrokerId(request.broker_id), request.broker_epoch) {
        return refuse(error.code);
    }
    let start = cluster.image.next_producer_id().0;
    let Some(next_producer_id) = start.checked_add(i64::from(BLOCK_SIZE)) else {
        return refuse(ErrorCode::UnknownServerError);
    };
    let record = ProducerIdsRecord {
        broker_id: request.broker_id,
        broker_epoch: request.broker_epoch,
        next_producer_id,
        ..Default::default()
    };
    let response = AllocateProducerIdsResponse {
        producer_id_start: start,
        producer_id_len: BLOCK_SIZE,
        ..Default::default()
    };
    Outcome { records: vec![record.into()], response: ControllerResponse::AllocateProducerIds(response) }
}
