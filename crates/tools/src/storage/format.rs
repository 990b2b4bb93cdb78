//! `format`: makes the directories of a node into those of a cluster.

use std::collections::BTreeMap;
use std::path::Path;

use ottla_log::MetaProperties;
use ottla_log::disk::{RealDisk, replace_file};
use ottla_protocol::Uuid;

use super::features::{Levels, parse_level, release_level, release_name};
use super::node::Node;
use super::voters::{Voter, Voters};
use super::{checkpoint, random_uuid};
use crate::context::Context;
use crate::failure::{Exception, Failure};
use crate::java::{MapSize, hash_map_order, string_hash};
use crate::subcommands::Matches;

/// What to format.
struct Plan {
    cluster_id: String,
    levels: Levels,
    voters: Option<Voters>,
    ignore_formatted: bool,
}

/// Formats the directories that are not yet.
pub(super) fn run(matches: &Matches, node: &Node, cx: &mut Context<'_>) -> Result<(), Failure> {
    let plan = plan(matches, node)?;
    let directories = Directories::look(node, cx)?;
    directories.verify(&plan.cluster_id, node.id)?;
    directories.format(&plan, node, cx)
}

/// Reads the flags; complaints come in the order of the original's.
fn plan(matches: &Matches, node: &Node) -> Result<Plan, Exception> {
    let release =
        matches.text("--release-version").map(|release| release_level(release, false)).transpose()?;
    let features = matches.texts("--feature").into_iter().map(parse_level);
    let features = features.collect::<Result<Vec<(String, i16)>, Exception>>()?;
    let (initial, is_standalone) = (matches.text("--initial-controllers"), matches.has("--standalone"));
    if node.has_static_voters && (initial.is_some() || is_standalone) {
        return Err(Exception::terse(
            "You cannot specify controller.quorum.voters and format the node with --initial-controllers or \
             --standalone. If you want to use dynamic quorum, please remove controller.quorum.voters and specify \
             controller.quorum.bootstrap.servers instead.",
        ));
    }
    let voters = match initial {
        Some(text) => Some(Voters::parse(text)?),
        None if is_standalone => Some(standalone(node)?),
        None => None,
    };
    let says_nothing = voters.is_none() && !matches.has("--no-initial-controllers");
    if says_nothing && node.is_controller && !node.has_static_voters {
        return Err(Exception::terse(
            "Because controller.quorum.voters is not set on this controller, you must specify one of the following: \
             --standalone, --initial-controllers, or --no-initial-controllers.",
        ));
    }
    if matches.has("--add-scram") {
        return Err(Exception::terse(
            "This tool cannot make SCRAM credentials; use kafka-storage.sh of Apache Kafka for it, or kafka-configs \
             once the cluster runs.",
        ));
    }
    Ok(Plan {
        cluster_id: matches.text("--cluster-id").expect("it is required").to_string(),
        levels: Levels::new(release, &features, !node.has_static_voters)?,
        voters,
        ignore_formatted: matches.has("--ignore-formatted"),
    })
}

fn standalone(node: &Node) -> Result<Voters, Exception> {
    if !node.is_controller {
        return Err(Exception::terse("You can only use --standalone on a controller."));
    }
    let Some((host, port)) = node.controller_address.clone() else {
        return Err(Exception::new("java.lang.RuntimeException", "No controller listeners found."));
    };
    Ok(Voters::sole(node.id, Voter { host, port, directory_id: random_uuid() }))
}

/// The directories as they are.
struct Directories {
    formatted: BTreeMap<String, MetaProperties>,
    empty: Vec<String>,
    unreadable: Vec<String>,
}

impl Directories {
    fn look(node: &Node, cx: &mut Context<'_>) -> Result<Directories, Failure> {
        let mut found = Directories { formatted: BTreeMap::new(), empty: Vec::new(), unreadable: Vec::new() };
        for directory in &node.directories {
            let path = Path::new(directory);
            let is_no_directory = path.exists() && !path.is_dir();
            match MetaProperties::read(&RealDisk, path) {
                Ok(Some(properties)) => drop(found.formatted.insert(directory.clone(), properties)),
                Ok(None) if !is_no_directory => found.empty.push(directory.clone()),
                Ok(None) => found.unreadable.push(directory.clone()),
                Err(error) => {
                    writeln!(cx.err, "{directory}: {error}")?;
                    found.unreadable.push(directory.clone());
                }
            }
        }
        Ok(found)
    }

    /// What is formatted must be of this cluster and node.
    fn verify(&self, cluster_id: &str, node_id: i32) -> Result<(), Exception> {
        let refuse = |text: String| Err(Exception::new("java.lang.RuntimeException", text));
        for (directory, properties) in &self.formatted {
            let file = Path::new(directory).join(ottla_log::META_PROPERTIES);
            let file = file.display();
            if let Some(found) = properties.cluster_id.as_deref().filter(|found| *found != cluster_id) {
                let text = format!("Invalid cluster.id in: {file}. Expected {cluster_id}, but read {found}");
                return refuse(text);
            }
            if let Some(found) = properties.node_id.filter(|found| *found != node_id) {
                return refuse(format!(
                    "Stored node id {found} doesn't match previous node id {node_id} in {file}. If you moved your \
                     data, make sure your configured node id matches. If you intend to create a new node, you should \
                     remove all data in your data directories."
                ));
            }
        }
        Ok(())
    }

    fn format(&self, plan: &Plan, node: &Node, cx: &mut Context<'_>) -> Result<(), Failure> {
        let by_name =
            |names: Vec<String>| hash_map_order(names, MapSize::Default, |name: &String| string_hash(name));
        if !plan.ignore_formatted
            && let Some(first) = by_name(self.formatted.keys().cloned().collect()).first()
        {
            return Err(Exception::terse(format!(
                "Log directory {first} is already formatted. Use --ignore-formatted to ignore this directory and \
                 format the others."
            ))
            .into());
        }
        for directory in by_name(self.unreadable.clone()) {
            writeln!(cx.out, "I/O error trying to read log directory {directory}. Ignoring...")?;
        }
        if self.empty.is_empty() {
            if self.formatted.is_empty() {
                return Err(Exception::terse("No available log directories to format.").into());
            }
            writeln!(cx.out, "All of the log directories are already formatted.")?;
            return Ok(());
        }
        writeln!(cx.out, "Bootstrap metadata: {}", bootstrap_text(&plan.levels))?;
        for directory in by_name(self.empty.clone()) {
            format_directory(&directory, plan, node, cx)?;
        }
        Ok(())
    }
}

/// What Kafka prints of the records that the first controller will write.
fn bootstrap_text(levels: &Levels) -> String {
    let record = |(name, level): &(&str, i16)| {
        format!("ApiMessageAndVersion(FeatureLevelRecord(name='{name}', featureLevel={level}) at version 0)")
    };
    let records: Vec<String> = levels.recorded().iter().map(record).collect();
    format!(
        "BootstrapMetadata(records=[{}], metadataVersionLevel={}, source=format command)",
        records.join(", "),
        levels.metadata_version
    )
}

fn format_directory(directory: &str, plan: &Plan, node: &Node, cx: &mut Context<'_>) -> Result<(), Failure> {
    let voters = plan.voters.as_ref().filter(|_| directory == node.metadata_directory);
    let own = voters.and_then(|voters| voters.get(node.id));
    let kind = match (directory == node.metadata_directory, voters, own) {
        (false, ..) => "data directory",
        (true, None, _) => "metadata directory",
        (true, Some(_), None) => "dynamic metadata directory",
        (true, Some(_), Some(_)) => "dynamic metadata voter directory",
    };
    let release = release_name(plan.levels.metadata_version).unwrap_or_default();
    writeln!(cx.out, "Formatting {kind} {directory} with metadata.version {release}.")?;
    let directory_id = own.map_or_else(random_uuid, |own| own.directory_id);
    let now_ms = (cx.now_ms)();
    let path = Path::new(directory);
    write_files(path, plan, node, voters, directory_id, now_ms).map_err(|error| {
        let file = path.join(ottla_log::META_PROPERTIES);
        let text = format!("Error while writing meta.properties file {}: {error}", file.display());
        Failure::from(Exception::terse(text))
    })
}

/// `meta.properties` comes last: only with it a directory is formatted.
fn write_files(
    path: &Path,
    plan: &Plan,
    node: &Node,
    voters: Option<&Voters>,
    directory_id: Uuid,
    now_ms: i64,
) -> std::io::Result<()> {
    std::fs::create_dir_all(path)?;
    let bootstrap = checkpoint::bootstrap(&plan.levels.recorded(), now_ms);
    replace_file(&RealDisk, &path.join("bootstrap.checkpoint"), &bootstrap)?;
    if let Some(voters) = voters {
        let log = path.join("__cluster_metadata-0");
        std::fs::create_dir_all(&log)?;
        let voters = checkpoint::voters(&voters.voter_set(&node.controller_listener), now_ms);
        replace_file(&RealDisk, &log.join("00000000000000000000-0000000000.checkpoint"), &voters)?;
    }
    MetaProperties::new(plan.cluster_id.as_str(), node.id, directory_id).write(&RealDisk, path)
}
