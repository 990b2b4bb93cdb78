//! DescribeConfigs (32): values of topics, brokers, groups and client-metrics subscriptions, with where they come from.
//!
//! Versions: 1 synonyms and sources (KIP-226) · 3 types and documentation (KIP-569) · 4 flexible.

use super::call::{Call, Handled};
use super::table::Entry;
use super::topics::unknown_name;
use crate::node::config::Config;
use crate::node::identity::Identity;
use crate::node::images::Images;
use ottla_config::alter::ResourceKind;
use ottla_config::describe::{
    ConfigEntry, ConfigSource, ConfigSynonym, describe_broker, describe_client_metrics, describe_cluster,
    describe_group, describe_topic,
};
use ottla_config::{ConfigError, ConfigType};
use ottla_metadata::{ConfigResource, Image};
use ottla_protocol::messages::describe_configs_request::DescribeConfigsResource;
use ottla_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use ottla_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use ottla_protocol::{ApiKey, ErrorCode};

pub(super) const ENTRY: Entry = Entry {
    key: ApiKey::DescribeConfigs,
    handle: |parts, call| handle(call, &parts.images, &parts.config, &parts.identity),
};

fn handle(call: &Call, images: &Images, config: &Config, identity: &Identity) -> Handled {
    let request: DescribeConfigsRequest = call.decode()?;
    let image = images.current();
    let describing = Describing { image: &image, config, identity };
    let result = |asked: &DescribeConfigsResource| {
        let described = describing.describe(asked);
        let (error, entries) = match described {
            Ok(entries) => (None, entries),
            Err(error) => (Some(error), Vec::new()),
        };
        let wanted = |entry: &ConfigEntry| match &asked.configuration_keys {
            Some(keys) => keys.iter().any(|key| *key == entry.name),
            None => true,
        };
        DescribeConfigsResult {
            error_code: error.as_ref().map_or(ErrorCode::None, |error| error.code).code(),
            // Kafka's message of no error is empty, not null.
            error_message: Some(error.map(|error| error.message).unwrap_or_default().into()),
            resource_type: asked.resource_type,
            resource_name: asked.resource_name.clone(),
            configs: entries.into_iter().filter(wanted).map(|entry| config_result(entry, &request)).collect(),
            ..DescribeConfigsResult::default()
        }
    };
    call.reply(&DescribeConfigsResponse {
        results: request.resources.iter().map(result).collect(),
        ..DescribeConfigsResponse::default()
    })
}

struct Describing<'a> {
    image: &'a Image,
    config: &'a Config,
    identity: &'a Identity,
}

impl Describing<'_> {
    fn describe(&self, asked: &DescribeConfigsResource) -> Result<Vec<ConfigEntry>, ConfigError> {
        let name = &asked.resource_name;
        let layers = self.config.layers();
        match ResourceKind::from_id(asked.resource_type) {
            Some(ResourceKind::Topic) => {
                if self.image.topic_id(name).is_none() {
                    let code = unknown_name(name);
                    return Err(ConfigError { code, message: code.message().into() });
                }
                describe_topic(&layers, self.image.config(&ConfigResource::topic(name.clone())))
            }
            Some(ResourceKind::Broker) if name.is_empty() => Ok(describe_cluster(&layers)),
            Some(ResourceKind::Broker) => self.check_broker(name, true).map(|()| describe_broker(&layers)),
            Some(ResourceKind::BrokerLogger) => self.check_broker(name, false).map(|()| loggers()),
            Some(ResourceKind::Group) => {
                describe_group(&layers, self.image.config(&ConfigResource::group(name.clone())))
            }
            Some(ResourceKind::ClientMetrics) => {
                describe_client_metrics(self.image.config(&ConfigResource::client_metrics(name.clone())))
            }
            None => Err(ConfigError::invalid_request(format!(
                "Unsupported resource type: {}",
                asked.resource_type
            ))),
        }
    }

    /// A broker tells of itself alone.
    fn check_broker(&self, name: &str, or_empty: bool) -> Result<(), ConfigError> {
        let own = self.identity.node_id;
        match name.parse::<i32>() {
            Ok(id) if id == own.0 => Ok(()),
            Ok(_) => {
                let or_empty = if or_empty { " or empty string" } else { "" };
                Err(ConfigError::invalid_request(format!(
                    "Unexpected broker id, expected {own}{or_empty}, but received {name}"
                )))
            }
            Err(_) if name.is_empty() => Err(ConfigError::invalid_request("Broker id must not be empty")),
            Err(_) => {
                Err(ConfigError::invalid_request(format!("Broker id must be an integer, but it is: {name}")))
            }
        }
    }
}

/// The one logger there is, at the level in force.
fn loggers() -> Vec<ConfigEntry> {
    vec![ConfigEntry {
        name: "root".into(),
        value: Some(tracing::level_filters::LevelFilter::current().to_string().to_uppercase()),
        source: ConfigSource::DynamicBrokerLogger,
        config_type: ConfigType::String,
        read_only: false,
        sensitive: false,
        synonyms: Vec::new(),
        documentation: None,
    }]
}

fn config_result(entry: ConfigEntry, request: &DescribeConfigsRequest) -> DescribeConfigsResourceResult {
    let synonym = |synonym: ConfigSynonym| DescribeConfigsSynonym {
        name: synonym.name.into(),
        value: synonym.value.map(Into::into),
        source: synonym.source as i8,
        ..DescribeConfigsSynonym::default()
    };
    let synonyms = if request.include_synonyms { entry.synonyms } else { Vec::new() };
    DescribeConfigsResourceResult {
        name: entry.name.into(),
        value: entry.value.map(Into::into),
        read_only: entry.read_only,
        config_source: entry.source as i8,
        is_sensitive: entry.sensitive,
        synonyms: synonyms.into_iter().map(synonym).collect(),
        config_type: entry.config_type.id(),
        documentation: entry.documentation.filter(|_| request.include_documentation).map(Into::into),
        ..DescribeConfigsResourceResult::default()
    }
}
