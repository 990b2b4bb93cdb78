//! What formatting needs to know of a node's configuration.

use ottla_config::{Inputs, Loaded, load};

use crate::context::Context;
use crate::failure::{Exception, Failure};
use crate::subcommands::Matches;

/// A node's configuration, as far as it concerns its directories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) id: i32,
    pub(super) is_controller: bool,
    /// All log directories, that of the metadata log too, sorted.
    pub(super) directories: Vec<String>,
    pub(super) metadata_directory: String,
    /// Whether `controller.quorum.voters` names the voters once and for all.
    pub(super) has_static_voters: bool,
    pub(super) controller_listener: String,
    /// Host and port of the first controller listener.
    pub(super) controller_address: Option<(String, u16)>,
}

/// Reads the file of `--config`. What is wrong with it is said as a start of the node would say it.
pub(super) fn read(matches: &Matches, cx: &mut Context<'_>) -> Result<Node, Failure> {
    let path = matches.text("--config").expect("it is required");
    let text = std::fs::read_to_string(path).map_err(|error| Exception::file(path, &error))?;
    let inputs = Inputs { file: Some((path, &text)), ..Inputs::default() };
    match load(&inputs) {
        Ok(loaded) => Ok(node(&loaded)),
        Err(error) => {
            writeln!(cx.err, "error: {}\n  → {}", error.cause, error.fix)?;
            Err(Failure::Exit(1))
        }
    }
}

fn node(loaded: &Loaded) -> Node {
    let config = &loaded.config;
    let list = |key: &str| config.list(key).unwrap_or_default().to_vec();
    let metadata_directory = loaded.settings.metadata_log.dir.clone();
    let mut directories: Vec<String> = config.log_dirs().to_vec();
    directories.push(metadata_directory.clone());
    directories.sort();
    directories.dedup();
    let address = loaded.settings.listeners.advertised_controller.first();
    Node {
        id: loaded.settings.roles.node_id,
        is_controller: list("process.roles").iter().any(|role| role == "controller"),
        directories,
        metadata_directory,
        has_static_voters: config.is_set("controller.quorum.voters")
            && !list("controller.quorum.voters").is_empty(),
        controller_listener: list("controller.listener.names").first().cloned().unwrap_or_default(),
        controller_address: address.map(|endpoint| {
            (endpoint.host.clone().unwrap_or_else(|| "localhost".to_string()), endpoint.port)
        }),
    }
}
