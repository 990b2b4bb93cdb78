//! Configurations of topics, brokers and the rest.

use ottla_client::Target;
use ottla_protocol::BrokerId;
use ottla_protocol::codec::Request;
use ottla_protocol::messages::{
    DescribeConfigsRequest, IncrementalAlterConfigsRequest, ListConfigResourcesRequest,
    describe_configs_request, describe_configs_response, incremental_alter_configs_request,
};

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

impl Admin {
    /// The settings of one resource with their synonyms; those of a broker are asked of itself.
    pub(crate) async fn describe_configs(
        &self,
        kind: i8,
        name: &str,
        node: Option<i32>,
    ) -> Result<Vec<ConfigEntry>, Exception> {
        let resource = describe_configs_request::DescribeConfigsResource {
            resource_type: kind,
            resource_name: name.into(),
            configuration_keys: None,
            ..Default::default()
        };
        let request = DescribeConfigsRequest {
            resources: vec![resource],
            include_synonyms: true,
            ..Default::default()
        };
        let response = self.ask_maybe_node("describeConfigs", node, request).await?;
        let result = response.results.into_iter().next().unwrap_or_default();
        check(result.error_code, result.error_message.as_deref())?;
        Ok(result.configs.into_iter().map(entry).collect())
    }

    /// Changes settings of one resource; those of a broker are changed through itself.
    pub(crate) async fn alter_configs(
        &self,
        kind: i8,
        name: &str,
        node: Option<i32>,
        set: &[(String, String)],
        delete: &[String],
    ) -> Result<(), Exception> {
        const SET: i8 = 0;
        const DELETE: i8 = 1;
        let op = |name: &str, config_operation, value: Option<&str>| {
            incremental_alter_configs_request::AlterableConfig {
                name: name.into(),
                config_operation,
                value: value.map(Into::into),
                ..Default::default()
            }
        };
        let deletions = delete.iter().map(|name| op(name, DELETE, Some("")));
        let additions = set.iter().map(|(name, value)| op(name, SET, Some(value)));
        let resource = incremental_alter_configs_request::AlterConfigsResource {
            resource_type: kind,
            resource_name: name.into(),
            configs: deletions.chain(additions).collect(),
            ..Default::default()
        };
        let request = IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
        let response = self.ask_maybe_node("incrementalAlterConfigs", node, request).await?;
        response
            .responses
            .iter()
            .try_for_each(|result| check(result.error_code, result.error_message.as_deref()))
    }

    async fn ask_maybe_node<R: Request + Clone>(
        &self,
        call: &str,
        node: Option<i32>,
        request: R,
    ) -> Result<R::Response, Exception> {
        match node {
            Some(id) => self.ask_node(call, &Target::Broker(BrokerId(id)), request).await,
            None => self.ask(call, request).await,
        }
    }

    /// The names of the resources of a type that have settings of their own (KIP-1142).
    pub(crate) async fn list_config_resources(&self, kind: i8) -> Result<Vec<String>, Exception> {
        let request = ListConfigResourcesRequest { resource_types: vec![kind], ..Default::default() };
        let response = self.ask("listConfigResources", request).await?;
        check(response.error_code, None)?;
        let mine = response.config_resources.into_iter().filter(|resource| resource.resource_type == kind);
        Ok(mine.map(|resource| resource.resource_name.to_string()).collect())
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
