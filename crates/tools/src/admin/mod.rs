//! Questions to a cluster that more than one tool asks, with answers as plain data and errors as Kafka's clients throw
//! them.

mod configs;
mod topics;

pub(crate) use configs::ConfigEntry;
pub(crate) use topics::{Partition, Reassignment, Topic, TopicListing};

use ottla_client::{Client, ClientConfig, Properties, Target};
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
        let mut properties = Properties::default();
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
        let config = ClientConfig::from_properties(&properties).map_err(|error| {
            let cause = Exception::of_client("", &error);
            Exception {
                message: Some("Failed to create new KafkaAdminClient".to_string()),
                ..cause.wrapped("org.apache.kafka.common.KafkaException")
            }
        })?;
        Ok(Admin { client: Client::new(config), anybody })
    }

    /// The client underneath.
    pub(crate) fn client(&self) -> &Client {
        &self.client
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
        self.client.send(node, &request).await.map_err(|error| Exception::of_client(call, &error))
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
