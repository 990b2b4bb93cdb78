//! Configurations of topics, brokers and the rest.

use ottla_protocol::messages::{DescribeConfigsRequest, describe_configs_request, describe_configs_response};

use super::{Admin, check};
use crate::failure::Exception;

/// One setting as the cluster knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConfigEntry {
    pub(crate) name: String,
    /// `None` for secrets and for what has no value.
    pub(crate) value: Option<String>,
    /// The number of where the value is from.
    pub(crate) source: i8,
    pub(crate) is_sensitive: bool,
    pub(crate) is_read_only: bool,
    /// Where else a value is from, in order of precedence.
    pub(crate) synonyms: Vec<(String, Option<String>, i8)>,
}

impl ConfigEntry {
    /// Whether nobody set it.
    pub(crate) fn is_default(&self) -> bool {
        const DEFAULT_CONFIG: i8 = 5;
        self.source == DEFAULT_CONFIG
    }
}

impl Admin {
    /// The settings of topics, in the order of `topics`.
    pub(crate) async fn describe_topic_configs(
        &self,
        topics: &[&str],
    ) -> Result<Vec<Vec<ConfigEntry>>, Exception> {
        const TOPIC: i8 = 2;
        if topics.is_empty() {
            return Ok(Vec::new());
        }
        let resource = |name: &&str| describe_configs_request::DescribeConfigsResource {
            resource_type: TOPIC,
            resource_name: (*name).into(),
            configuration_keys: None,
            ..Default::default()
        };
        let request =
            DescribeConfigsRequest { resources: topics.iter().map(resource).collect(), ..Default::default() };
        let mut response = self.ask("describeConfigs", request).await?;
        let mut configs = Vec::new();
        for name in topics {
            let found = response.results.iter_mut().find(|result| *result.resource_name == **name);
            let result = found.map(std::mem::take).unwrap_or_default();
            check(result.error_code, result.error_message.as_deref())?;
            configs.push(result.configs.into_iter().map(entry).collect());
        }
        Ok(configs)
    }
}

fn entry(entry: describe_configs_response::DescribeConfigsResourceResult) -> ConfigEntry {
    let text = |text: Option<ottla_protocol::ByteString>| text.map(|text| text.to_string());
    ConfigEntry {
        name: entry.name.to_string(),
        value: text(entry.value),
        source: entry.config_source,
        is_sensitive: entry.is_sensitive,
        is_read_only: entry.read_only,
        synonyms: entry
            .synonyms
            .into_iter()
            .map(|synonym| (synonym.name.to_string(), text(synonym.value), synonym.source))
            .collect(),
    }
}
