//! InitProducerId (22): an id for an idempotent producer (KIP-98).
//!
//! Versions: 2 flexible · 3 an existing id and epoch (KIP-360) · 4 PRODUCER_FENCED · 5 TRANSACTION_ABORTABLE (KIP-890).
//! Version 6 (KIP-939) is not stable in Kafka 4.3.
//!
//! A transactional id needs a transaction coordinator, and there is none yet: NOT_COORDINATOR, as from a broker that is not
//! the one.

use super::call::{Call, Handled};
use super::table::Entry;
use crate::net::Answer;
use crate::node::producer_ids::ProducerIds;
use ottla_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};
use ottla_protocol::{ApiKey, ErrorCode, ProducerId};
use std::sync::Arc;

pub(super) const ENTRY: Entry =
    Entry { key: ApiKey::InitProducerId, handle: |parts, call| handle(call, &parts.producer_ids) };

fn handle(call: &Call, producer_ids: &Arc<ProducerIds>) -> Handled {
    let request: InitProducerIdRequest = call.decode()?;
    match &request.transactional_id {
        None => {}
        Some(id) if id.is_empty() => return call.reply(&refusal(ErrorCode::InvalidRequest)),
        Some(_) => return call.reply(&refusal(ErrorCode::NotCoordinator)),
    }
    if let Some(id) = producer_ids.take() {
        return call.reply(&assigned(id));
    }
    let (reply_to, producer_ids) = (call.reply_to(), Arc::clone(producer_ids));
    Ok(Answer::later(async move { reply_to.with(&producer_ids.next().await.map_or_else(refusal, assigned)) }))
}

fn assigned(id: ProducerId) -> InitProducerIdResponse {
    InitProducerIdResponse { producer_id: id.0, producer_epoch: 0, ..InitProducerIdResponse::default() }
}

fn refusal(error: ErrorCode) -> InitProducerIdResponse {
    InitProducerIdResponse {
        error_code: error.code(),
        producer_id: ProducerId::NONE.0,
        producer_epoch: -1,
        ..InitProducerIdResponse::default()
    }
}
