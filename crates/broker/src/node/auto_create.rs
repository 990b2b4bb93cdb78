//! Topics that come into being because somebody asked for them.

use super::config::Config;
use super::controller::ControllerHandle;
use super::groups::OFFSETS_TOPIC;
use ottla_protocol::messages::CreateTopicsRequest;
use ottla_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use ottla_protocol::{ByteString, ErrorCode};
use std::sync::Arc;

/// How long the controller may take.
const TIMEOUT_MS: i32 = 5_000;

/// Makes topics on behalf of clients (`auto.create.topics.enable`) and of the broker itself.
pub struct AutoCreate {
    controller: ControllerHandle,
    config: Arc<Config>,
}

impl AutoCreate {
    /// Through this controller.
    pub fn new(controller: ControllerHandle, config: Arc<Config>) -> AutoCreate {
        AutoCreate { controller, config }
    }

    /// Whether clients may make topics by asking for them.
    pub fn is_enabled(&self) -> bool {
        self.config.current().roles.auto_create_topics_enable
    }

    /// Makes the topics that clients asked for, each named once, with the broker's defaults, as far as that can be.
    pub(crate) async fn create(self: Arc<Self>, names: Vec<ByteString>) {
        self.send(names.into_iter().map(|name| self.topic(name)).collect()).await;
    }

    /// Makes one of the broker's own topics.
    pub(crate) async fn create_internal(self: Arc<Self>, name: &'static str) {
        let topic = self.topic(ByteString::from_static(name));
        self.send(vec![topic]).await;
    }

    fn topic(&self, name: ByteString) -> CreatableTopic {
        let settings = self.config.current();
        if name != OFFSETS_TOPIC {
            return CreatableTopic {
                name,
                num_partitions: settings.roles.num_partitions,
                replication_factor: i16::try_from(settings.roles.default_replication_factor).unwrap_or(1),
                ..CreatableTopic::default()
            };
        }
        let offsets = &settings.offsets_topic;
        // While this node is the whole cluster there cannot be more than one replica (COMPAT.md).
        let replication_factor = if settings.quorum.is_alone { 1 } else { offsets.replication_factor };
        let config = |name: &'static str, value: String| CreatableTopicConfig {
            name: name.into(),
            value: Some(value.into()),
            ..CreatableTopicConfig::default()
        };
        CreatableTopic {
            name,
            num_partitions: offsets.num_partitions,
            replication_factor: i16::try_from(replication_factor).unwrap_or(1),
            configs: vec![
                config("cleanup.policy", "compact".into()),
                config("compression.type", "producer".into()),
                config("segment.bytes", offsets.segment_bytes.to_string()),
            ],
            ..CreatableTopic::default()
        }
    }

    async fn send(&self, topics: Vec<CreatableTopic>) {
        let request =
            CreateTopicsRequest { topics, timeout_ms: TIMEOUT_MS, ..CreateTopicsRequest::default() };
        match self.controller.ask(request).await {
            Err(error) => tracing::warn!(%error, "topics could not be created"),
            Ok(response) => {
                for topic in response.topics {
                    let error = ErrorCode::from_code(topic.error_code);
                    // Somebody else may have been faster.
                    if !matches!(error, ErrorCode::None | ErrorCode::TopicAlreadyExists) {
                        let reason = topic.error_message.unwrap_or_default();
                        tracing::info!(topic = %topic.name, %error, %reason, "a topic was not created");
                    }
                }
            }
        }
    }
}
