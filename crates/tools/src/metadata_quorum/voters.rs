//! `add-controller` and `remove-controller` (KIP-853).

use std::path::Path;

use ottla_protocol::Uuid;
use ottla_protocol::messages::{AddRaftVoterRequest, RemoveRaftVoterRequest, add_raft_voter_request};

use super::describe::end_point;
use crate::admin::{Admin, check, read_properties};
use crate::context::Context;
use crate::failure::{Exception, Failure};
use crate::java;
use crate::subcommands::Matches;

/// Where a controller listens.
#[derive(Clone, Debug, PartialEq, Eq)]
struct EndPoint {
    listener: String,
    host: String,
    port: u16,
}

/// Makes the controller of a configuration file a voter.
pub(super) async fn add(
    admin: &Admin,
    config: &str,
    dry_run: bool,
    cx: &mut Context<'_>,
) -> Result<(), Failure> {
    let properties = Config(read_properties(config)?);
    let voter_id = properties.controller_id()?;
    let directory = properties.metadata_directory()?;
    let directory_id = directory_id(&directory)?;
    let end_points = properties.end_points()?;
    if !dry_run {
        let listener = |end_point: &EndPoint| add_raft_voter_request::Listener {
            name: end_point.listener.as_str().into(),
            host: end_point.host.as_str().into(),
            port: end_point.port,
            ..Default::default()
        };
        let request = AddRaftVoterRequest {
            cluster_id: None,
            timeout_ms: 30_000,
            voter_id,
            voter_directory_id: directory_id,
            listeners: end_points.iter().map(listener).collect(),
            ..Default::default()
        };
        let response = admin.ask("addRaftVoter", request).await.map_err(Exception::execution)?;
        check(response.error_code, response.error_message.as_deref()).map_err(Exception::execution)?;
    }
    let end_points: Vec<String> =
        end_points.iter().map(|at| end_point(&at.listener, &at.host, at.port)).collect();
    let done = if dry_run { "DRY RUN of adding" } else { "Added" };
    writeln!(
        cx.out,
        "{done} controller {voter_id} with directory id {directory_id} and endpoints: {}",
        end_points.join(", ")
    )?;
    Ok(())
}

/// Takes a voter out.
pub(super) async fn remove(admin: &Admin, matches: &Matches, cx: &mut Context<'_>) -> Result<(), Failure> {
    let voter_id = matches.integer("--controller-id").expect("it is required");
    if voter_id < 0 {
        return Err(Exception::terse(format!("Invalid negative --controller-id: {voter_id}")).into());
    }
    let text = matches.text("--controller-directory-id").expect("it is required");
    let directory_id = java::parse_uuid(text).map_err(|error| {
        Exception::terse(format!("Failed to parse --controller-directory-id: {}", error.text()))
    })?;
    let dry_run = matches.has("--dry-run");
    if !dry_run {
        let request = RemoveRaftVoterRequest {
            cluster_id: None,
            voter_id,
            voter_directory_id: directory_id,
            ..Default::default()
        };
        let response = admin.ask("removeRaftVoter", request).await.map_err(Exception::execution)?;
        check(response.error_code, response.error_message.as_deref()).map_err(Exception::execution)?;
    }
    // The two spaces are the original's.
    let done = if dry_run { "DRY RUN of removing " } else { "Removed " };
    writeln!(cx.out, "{done} KRaft controller {voter_id} with directory id {directory_id}")?;
    Ok(())
}

/// The configuration of a controller.
struct Config(Vec<(String, String)>);

impl Config {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rfind(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn controller_id(&self) -> Result<i32, Exception> {
        const QUESTION: &str = "Is this a valid controller configuration file?";
        let Some(text) = self.get("node.id") else {
            return Err(Exception::terse(format!("node.id not found in configuration file. {QUESTION}")));
        };
        let id = java::parse_int(text)?;
        if id < 0 {
            return Err(Exception::terse(format!("node.id was negative in configuration file. {QUESTION}")));
        }
        if !self.get("process.roles").unwrap_or("").contains("controller") {
            let text =
                format!("process.roles did not contain 'controller' in configuration file. {QUESTION}");
            return Err(Exception::terse(text));
        }
        Ok(id)
    }

    fn metadata_directory(&self) -> Result<String, Exception> {
        if let Some(directory) = self.get("metadata.log.dir") {
            return Ok(directory.to_string());
        }
        let directories = self.get("log.dirs").map(|dirs| java::split(dirs.trim(), ','));
        let first = directories.and_then(|directories| directories.first().map(|first| first.to_string()));
        first.ok_or_else(|| {
            Exception::terse(
                "Neither metadata.log.dir nor log.dirs were found. Is this a valid controller configuration file?",
            )
        })
    }

    fn end_points(&self) -> Result<Vec<EndPoint>, Exception> {
        let Some(names) = self.get("controller.listener.names") else {
            return Err(Exception::terse(
                "controller.listener.names was not found. Is this a valid controller configuration file?",
            ));
        };
        // What is advertised counts more than what is listened on.
        let listeners: Vec<EndPoint> = ["listeners", "advertised.listeners"]
            .into_iter()
            .filter_map(|key| self.get(key))
            .flat_map(|text| text.split(',').filter_map(parse_end_point))
            .collect();
        let mut found: Vec<EndPoint> = Vec::new();
        for name in java::split(names, ',') {
            let name = name.to_uppercase();
            let Some(end_point) = listeners.iter().rfind(|end_point| end_point.listener == name) else {
                let text = format!("Cannot find information about controller listener name: {name}");
                return Err(Exception::terse(text));
            };
            if !found.contains(end_point) {
                found.push(end_point.clone());
            }
        }
        Ok(found)
    }
}

/// Reads `NAME://host:port`; without a host it is this machine.
fn parse_end_point(text: &str) -> Option<EndPoint> {
    let (listener, address) = text.trim().split_once("://")?;
    let (host, port) = address.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let host = if host.is_empty() { "localhost" } else { host };
    Some(EndPoint { listener: listener.to_uppercase(), host: host.to_string(), port: port.parse().ok()? })
}

/// The id in the directory's `meta.properties`.
fn directory_id(directory: &str) -> Result<Uuid, Exception> {
    let path = Path::new(directory).join("meta.properties");
    let Ok(properties) = read_properties(&path.to_string_lossy()) else {
        return Err(Exception::terse(format!("Unable to read meta.properties from {directory}")));
    };
    let id = properties.iter().find(|(name, _)| name == "directory.id");
    let id = id.and_then(|(_, value)| Uuid::parse(value));
    id.ok_or_else(|| Exception::terse(format!("No directory id found in {directory}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(lines: &[(&str, &str)]) -> Config {
        Config(lines.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect())
    }

    #[test]
    fn end_points_are_those_that_are_advertised() {
        let config = config(&[
            ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
            ("advertised.listeners", "CONTROLLER://host:9094"),
            ("controller.listener.names", "controller"),
        ]);
        let expected = EndPoint { listener: "CONTROLLER".to_string(), host: "host".to_string(), port: 9094 };
        assert_eq!(config.end_points().expect("it listens"), [expected]);
    }

    #[test]
    fn a_file_that_is_no_controllers_is_refused() {
        let check = |lines: &[(&str, &str)], expected: &str| {
            let config = config(lines);
            let found = config.controller_id().map(drop).and_then(|()| config.metadata_directory().map(drop));
            let found = found.and_then(|()| config.end_points().map(drop)).expect_err(expected);
            assert_eq!(found.text(), expected);
        };
        check(&[], "node.id not found in configuration file. Is this a valid controller configuration file?");
        check(
            &[("node.id", "1")],
            "process.roles did not contain 'controller' in configuration file. Is this a valid controller \
             configuration file?",
        );
        check(
            &[("node.id", "1"), ("process.roles", "controller")],
            "Neither metadata.log.dir nor log.dirs were found. Is this a valid controller configuration file?",
        );
        check(
            &[("node.id", "1"), ("process.roles", "controller"), ("log.dirs", "/d")],
            "controller.listener.names was not found. Is this a valid controller configuration file?",
        );
    }
}
