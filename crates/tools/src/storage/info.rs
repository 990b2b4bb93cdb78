//! `info`.

use std::path::Path;

use ottla_log::MetaProperties;
use ottla_log::disk::RealDisk;

use super::node::Node;
use crate::context::Context;
use crate::failure::Failure;

/// Prints what is in the directories and what is wrong with them; the exit code says whether anything is.
pub(super) fn run(node: &Node, cx: &mut Context<'_>) -> Result<i32, Failure> {
    let mut found = Vec::new();
    let mut problems = Vec::new();
    let mut first: Option<MetaProperties> = None;
    for directory in &node.directories {
        let path = Path::new(directory);
        if !path.is_dir() {
            let what = if path.exists() { "is not a directory" } else { "does not exist" };
            problems.push(format!("{directory} {what}"));
            continue;
        }
        found.push(directory.as_str());
        let file = path.join(ottla_log::META_PROPERTIES);
        match MetaProperties::read(&RealDisk, path) {
            Ok(None) => problems.push(format!("{directory} is not formatted.")),
            Err(error) => problems.push(format!("Error loading {}: {error}", file.display())),
            Ok(Some(properties)) => match &first {
                None => first = Some(properties),
                Some(first) if first.cluster_id != properties.cluster_id => {
                    problems.push("Mismatched cluster IDs between storage directories.".to_string());
                }
                Some(first) if first.node_id != properties.node_id => {
                    problems.push("Mismatched node IDs between storage directories.".to_string());
                }
                Some(_) => {}
            },
        }
    }
    if first.as_ref().is_some_and(|first| first.version == 0) {
        problems.push(
            "The kafka configuration file appears to be for a cluster in KRaft mode, but the directories are \
             formatted for legacy mode."
                .to_string(),
        );
    }
    write!(cx.out, "{}", text(&found, first.as_ref(), &problems))?;
    Ok(i32::from(!problems.is_empty()))
}

fn text(found: &[&str], properties: Option<&MetaProperties>, problems: &[String]) -> String {
    let section = |one: &str, several: &str, lines: &[String]| match lines {
        [] => String::new(),
        [line] => format!("{one}:\n  {line}\n\n"),
        lines => format!("{several}:\n  {}\n\n", lines.join("\n  ")),
    };
    let found: Vec<String> = found.iter().map(|directory| directory.to_string()).collect();
    let mut text = section("Found log directory", "Found log directories", &found);
    if let Some(properties) = properties {
        text.push_str(&format!("Found metadata: {}\n\n", entries(properties)));
    }
    text + &section("Found problem", "Found problems", problems)
}

fn entries(properties: &MetaProperties) -> String {
    let node_id = if properties.version == 0 { "broker.id" } else { "node.id" };
    let mut entries = vec![
        ("cluster.id", properties.cluster_id.clone()),
        ("directory.id", properties.directory_id.map(|id| id.to_string())),
        (node_id, properties.node_id.map(|id| id.to_string())),
        ("version", Some(properties.version.to_string())),
    ];
    entries.sort_by_key(|(name, _)| *name);
    let entries: Vec<String> =
        entries.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?))).collect();
    format!("{{{}}}", entries.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla_protocol::Uuid;

    #[test]
    fn what_is_found_comes_before_what_is_wrong() {
        let properties = MetaProperties::new("MkU3OEVBNTcwNTJENDM2Qg", 3, Uuid::ONE);
        assert_eq!(
            text(&["/d1", "/d2"], Some(&properties), &["/d3 does not exist".to_string()]),
            "Found log directories:\n  /d1\n  /d2\n\n\
             Found metadata: {cluster.id=MkU3OEVBNTcwNTJENDM2Qg, directory.id=AAAAAAAAAAAAAAAAAAAAAQ, node.id=3, \
             version=1}\n\n\
             Found problem:\n  /d3 does not exist\n\n"
        );
        assert_eq!(text(&[], None, &[]), "");
    }

    #[test]
    fn a_directory_from_the_time_of_zookeeper_has_a_broker_id() {
        let properties =
            MetaProperties { version: 0, cluster_id: None, node_id: Some(7), directory_id: None };
        assert_eq!(entries(&properties), "{broker.id=7, version=0}");
    }
}
