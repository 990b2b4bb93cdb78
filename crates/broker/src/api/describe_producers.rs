//! DescribeProducers (61): the producers that a partition remembers (KIP-664).

use super::call::{Call, Handled};
use super::table::Entry;
use super::topics::find_by_name;
use crate::node::images::Images;
use crate::node::partitions::Partitions;
use ottla_metadata::Image;
use ottla_protocol::ApiKey;
use ottla_protocol::messages::describe_producers_request::TopicRequest;
use ottla_protocol::messages::describe_producers_response::{
    PartitionResponse, ProducerState, TopicResponse,
};
use ottla_protocol::messages::{DescribeProducersRequest, DescribeProducersResponse};
use ottla_replica::producer::ActiveProducer;

pub(super) const ENTRY: Entry = Entry {
    key: ApiKey::DescribeProducers,
    handle: |parts, call| handle(call, &parts.images, &parts.partitions),
};

fn handle(call: &Call, images: &Images, partitions: &Partitions) -> Handled {
    let request: DescribeProducersRequest = call.decode()?;
    let image = images.current();
    let topic = |topic: &TopicRequest| TopicResponse {
        name: topic.name.clone(),
        partitions: topic
            .partition_indexes
            .iter()
            .map(|index| describe(&topic.name, *index, &image, partitions))
            .collect(),
        ..TopicResponse::default()
    };
    call.reply(&DescribeProducersResponse {
        topics: request.topics.iter().map(topic).collect(),
        ..DescribeProducersResponse::default()
    })
}

fn describe(topic: &str, partition_index: i32, image: &Image, partitions: &Partitions) -> PartitionResponse {
    match find_by_name(image, partitions, topic, partition_index).and_then(|partition| partition.producers())
    {
        Ok(producers) => PartitionResponse {
            partition_index,
            active_producers: producers.into_iter().map(state).collect(),
            ..PartitionResponse::default()
        },
        Err(error) => {
            PartitionResponse { partition_index, error_code: error.code(), ..PartitionResponse::default() }
        }
    }
}

fn state(producer: ActiveProducer) -> ProducerState {
    ProducerState {
        producer_id: producer.producer_id.0,
        producer_epoch: producer.producer_epoch.0.into(),
        last_sequence: producer.last_sequence,
        last_timestamp: producer.last_timestamp,
        coordinator_epoch: producer.coordinator_epoch,
        current_txn_start_offset: producer.current_txn_start_offset.0,
        ..ProducerState::default()
    }
}
