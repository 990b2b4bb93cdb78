//! Producer ids: taken from a block that the controller gave this broker; no two brokers have the same block.

use super::controller::ControllerHandle;
use ottla_protocol::messages::AllocateProducerIdsRequest;
use ottla_protocol::{BrokerId, ErrorCode, ProducerId};
use parking_lot::Mutex;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// The block that is in use.
pub struct ProducerIds {
    controller: ControllerHandle,
    node_id: BrokerId,
    broker_epoch: Arc<AtomicI64>,
    block: Mutex<Range<i64>>,
}

impl ProducerIds {
    /// No block yet.
    pub fn new(controller: ControllerHandle, node_id: BrokerId, broker_epoch: Arc<AtomicI64>) -> ProducerIds {
        ProducerIds { controller, node_id, broker_epoch, block: Mutex::new(0..0) }
    }

    /// The next id, if the block has one.
    pub fn take(&self) -> Option<ProducerId> {
        self.block.lock().next().map(ProducerId)
    }

    /// The next id, from a new block if need be. Whoever finds the block empty asks for one; ids of a block that came too
    /// late are lost, which costs nothing.
    pub async fn next(&self) -> Result<ProducerId, ErrorCode> {
        loop {
            if let Some(id) = self.take() {
                return Ok(id);
            }
            let response = self
                .controller
                .ask(AllocateProducerIdsRequest {
                    broker_id: self.node_id.0,
                    broker_epoch: self.broker_epoch.load(Ordering::Relaxed),
                    ..AllocateProducerIdsRequest::default()
                })
                .await?;
            match ErrorCode::from_code(response.error_code) {
                ErrorCode::None => {}
                // A client cannot do anything about the broker's own trouble but come again.
                _ => return Err(ErrorCode::CoordinatorLoadInProgress),
            }
            let start = response.producer_id_start;
            let mut block = self.block.lock();
            if block.is_empty() {
                *block = start..start.saturating_add(response.producer_id_len.into());
            }
        }
    }
}
