//! Questions to a cluster that more than one tool asks, with answers as plain data and errors as Kafka's clients throw
//! them.

mod configs;
mod groups;
mod offsets;
mod quotas;
mod topics;

pub(crate) use configs::ConfigEntry;
pub(crate) use groups::{ConsumerGroup, GroupListing, Member};
pub(crate) use offsets::{Committed, EARLIEST, LATEST, LogOffset, TopicPartition, in_map_order};
pub(crate) use quotas::{Quota, QuotaFilter};
pub(crate) use topics::{Partition, Reassignment, Topic, TopicListing};

use ottla_client::{Client, ClientConfig, Properties, Target};
use ottla_protocol::ErrorCode;
use ottla_protocol::codec::Request;

use crate::failure::Exception;

/// A tool's connection to a cluster.
pub(crate) struct Admin {
    client: Client,
    /// Who serves what any node can serve. In a KRaft cluster every broker forwards to the active controller what only
    /// that can decide; when started from controllers there is nobody to forward.
    anybody: Target,
}

/// Where a tool starts from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bootstrap<'a> {
    /// `--bootstrap-server`.
    Server(&'a str),
    /// `--bootstrap-controller` (KIP-919).
    Controller(&'a str),
}

impl Admin {
    /// Nothing is connected yet. Settings come from the file of `--command-config`, if there is one.
    pub(crate) fn open(bootstrap: Bootstrap<'_>, command_config: Option<&str>) -> Result<Admin, Exception> {
        Admin::open_with(bootstrap, command_config, Properties::default())
    }

    /// The same with more settings, which those of the file override.
    pub(crate) fn open_with(
        bootstrap: Bootstrap<'_>,
        command_config: Option<&str>,
        mut properties: Properties,
    ) -> Result<Admin, Exception> {
        if let Some(path) = command_config {
            properties.extend(read_properties(path)?);
        }
        let anybody = match bootstrap {
            Bootstrap::Server(servers) => {
                properties.set("bootstrap.servers", servers);
                Target::Any
            }
            Bootstrap::Controller(controllers) => {
                properties.remove("bootstrap.servers");
                properties.set("bootstrap.controllers", controllers);
                Target::Controller
            }
        };
        properties.set_default("client.id", "adminclient-1");
        Ok(Admin { anybody, ..Admin::of(properties)? })
    }

    /// A client of these settings, which name the brokers to start from.
    pub(crate) fn of(mut properties: Properties) -> Result<Admin, Exception> {
        crate::log::show_warnings();
        properties.set("allow.auto.create.topics", "false");
        let config = ClientConfig::from_properties(&properties).map_err(|error| Exception {
            message: Some("Failed to create new KafkaAdminClient".to_string()),
            ..config_exception(&error).wrapped("org.apache.kafka.common.KafkaException")
        })?;
        Ok(Admin { client: Client::new(config), anybody: Target::Any })
    }

    /// Asks any node, even a controller that is not the active one.
    pub(crate) async fn ask_anybody<R: Request + Clone>(
        &self,
        call: &str,
        request: R,
    ) -> Result<R::Response, Exception> {
        self.ask_node(call, &Target::Any, request).await
    }

    /// Whether it was started from controllers.
    pub(crate) fn starts_from_controllers(&self) -> bool {
        self.anybody == Target::Controller
    }

    /// The client underneath.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Controllers do not serve all that brokers do.
    fn exception(&self, call: &str, error: &ottla_client::Error) -> Exception {
        let unknown = matches!(error, ottla_client::Error::UnsupportedVersion { theirs: None, .. });
        if unknown && self.starts_from_controllers() {
            let class = "org.apache.kafka.common.errors.UnsupportedEndpointTypeException";
            let text =
                "This Admin API is not yet supported when communicating directly with the controller quorum.";
            return Exception::new(class, text);
        }
        Exception::of_client(call, error)
    }

    /// Asks any node. `call` is what a timeout names.
    pub(crate) async fn ask<R: Request + Clone>(
        &self,
        call: &str,
        request: R,
    ) -> Result<R::Response, Exception> {
        self.ask_node(call, &self.anybody, request).await
    }

    /// Asks a certain node.
    pub(crate) async fn ask_node<R: Request + Clone>(
        &self,
        call: &str,
        node: &Target,
        request: R,
    ) -> Result<R::Response, Exception> {
        self.client.send(node, &request).await.map_err(|error| self.exception(call, &error))
    }
}

fn config_exception(error: &ottla_client::Error) -> Exception {
    let text = match error {
        ottla_client::Error::Config { key, value, .. } if key.starts_with("bootstrap.") => {
            if value.is_empty() {
                "You must set either bootstrap.servers or bootstrap.controllers".to_string()
            } else {
                format!("Invalid url in {key}: {value}")
            }
        }
        other => other.to_string(),
    };
    Exception::new("org.apache.kafka.common.config.ConfigException", text)
}

/// An error code and text inside an answer.
pub(crate) fn check(code: i16, message: Option<&str>) -> Result<(), Exception> {
    match ErrorCode::from_code(code) {
        ErrorCode::None => Ok(()),
        code => Err(Exception::of_code(code, message)),
    }
}

/// Those error codes inside an answer of a coordinator for which it should be looked for and asked again.
fn retriable(code: i16, about: &str) -> ottla_client::Result<()> {
    match ErrorCode::from_code(code) {
        code @ (ErrorCode::CoordinatorLoadInProgress
        | ErrorCode::CoordinatorNotAvailable
        | ErrorCode::NotCoordinator
        | ErrorCode::NotController
        | ErrorCode::RebalanceInProgress) => Err(ottla_client::Error::broker(code, about)),
        _ => Ok(()),
    }
}

/// The `key=value` lines of a properties file.
pub(crate) fn read_properties(path: &str) -> Result<Vec<(String, String)>, Exception> {
    let text = std::fs::read_to_string(path).map_err(|error| Exception::file(path, &error))?;
    let properties = ottla_config::properties::parse(&text).map_err(|error| {
        Exception::illegal_argument(format!("{path}, line {}: {}", error.line, error.message))
    })?;
    Ok(properties.into_iter().map(|property| (property.name, property.value)).collect())
}

/// Runs what talks to a cluster: one thread, which ends with it.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime of one thread needs nothing that can be missing");
    runtime.block_on(future)
}
