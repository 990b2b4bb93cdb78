//! Whose the directories are that `log.dirs` names: decided before anything is written to any of them.
//!
//! A directory that cannot be read does not keep the others from serving. One that belongs to somebody else, or is not what
//! it was when this node ran last (a disk that is not mounted leaves an empty directory), stops the start: going on would
//! mean to begin anew where data should be.

use ottla_config::StartError;
use ottla_log::MetaProperties;
use std::path::{Path, PathBuf};

/// What there is at a path.
#[derive(Clone, Debug)]
pub(super) enum Found {
    /// No `meta.properties`, or no directory at all.
    Unformatted,
    /// A log directory.
    Formatted {
        /// Whose.
        meta: MetaProperties,
        /// Whether there is more in it than formatting leaves.
        is_used: bool,
    },
    /// `meta.properties` is not what this version can read.
    Unknown(String),
    /// The disk does not let it be read.
    Unreadable(String),
}

/// Checks that all belong to one cluster and to this node. Gives the cluster's id, where there is one already.
///
/// # Errors
/// The cause and what to do about it.
pub(super) fn check(
    found: &[(PathBuf, Found)],
    metadata: usize,
    node_id: i32,
) -> Result<Option<String>, StartError> {
    let mut cluster: Option<(&str, &Path)> = None;
    for (path, found) in found {
        match found {
            Found::Unknown(what) => {
                return Err(StartError::new(
                    format!("{} cannot be read as a log directory: meta.properties: {what}", path.display()),
                    "use the version that wrote it, or take the directory out of log.dirs",
                ));
            }
            Found::Formatted { meta, .. } => {
                check_node(path, meta, node_id)?;
                let Some(found) = meta.cluster_id.as_deref() else { continue };
                match cluster {
                    Some((known, other)) if known != found => {
                        return Err(StartError::new(
                            format!(
                                "{} belongs to cluster {found}, and {} to cluster {known}",
                                path.display(),
                                other.display()
                            ),
                            "take the directory that does not belong here out of log.dirs",
                        ));
                    }
                    Some(_) => {}
                    None => cluster = Some((found, path)),
                }
            }
            Found::Unformatted | Found::Unreadable(_) => {}
        }
    }
    if let (path, Found::Unreadable(why)) = &found[metadata] {
        return Err(StartError::new(
            format!("the directory of the metadata log cannot be used: {}: {why}", path.display()),
            "look at the disk and the directory's permissions, or set log.dirs to another one",
        ));
    }
    let unformatted = found.iter().find(|(_, found)| matches!(found, Found::Unformatted));
    match (cluster, unformatted) {
        (Some((known, other)), Some((path, _))) if !is_interrupted_format(found, metadata) => {
            Err(StartError::new(
                format!(
                    "{} has no meta.properties, and {} belongs to cluster {known}: is a disk not mounted?",
                    path.display(),
                    other.display()
                ),
                format!(
                    "mount it; a new directory is made ready with `ottla storage format --ignore-formatted -t {known}`"
                ),
            ))
        }
        _ => Ok(cluster.map(|(id, _)| id.to_owned())),
    }
}

fn check_node(path: &Path, meta: &MetaProperties, node_id: i32) -> Result<(), StartError> {
    match meta.node_id {
        Some(found) if found != node_id => Err(StartError::new(
            format!("{} belongs to node {found}, and node.id is {node_id}", path.display()),
            format!("set node.id={found}, or give this node another directory in log.dirs"),
        )),
        _ => Ok(()),
    }
}

/// Whether a first start was interrupted: the metadata log's directory is made ready last, and nothing is used before.
fn is_interrupted_format(found: &[(PathBuf, Found)], metadata: usize) -> bool {
    matches!(found[metadata].1, Found::Unformatted)
        && !found.iter().any(|(_, found)| matches!(found, Found::Formatted { is_used: true, .. }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla_protocol::Uuid;

    fn of(cluster: &str, node: i32) -> Found {
        let meta = MetaProperties::new(cluster, node, Uuid([1; 16]));
        Found::Formatted { meta, is_used: true }
    }

    fn formatted_only(cluster: &str) -> Found {
        let meta = MetaProperties::new(cluster, 1, Uuid([1; 16]));
        Found::Formatted { meta, is_used: false }
    }

    /// Directories `/0`, `/1`, … of node 1, of which the first has the metadata log.
    #[track_caller]
    fn check_that(found: &[Found], expect: Result<Option<&str>, &str>) {
        let found: Vec<_> =
            found.iter().enumerate().map(|(at, found)| (format!("/{at}").into(), found.clone())).collect();
        match (check(&found, 0, 1), expect) {
            (Ok(cluster), Ok(expect)) => assert_eq!(cluster.as_deref(), expect),
            (Err(error), Err(expect)) => assert!(error.cause.contains(expect), "{error:?}"),
            (result, expect) => panic!("{result:?}, not {expect:?}"),
        }
    }

    #[test]
    fn directories_of_one_cluster_and_node_or_of_nobody_are_taken() {
        check_that(&[Found::Unformatted, Found::Unformatted], Ok(None));
        check_that(&[of("a", 1), of("a", 1)], Ok(Some("a")));
        check_that(&[of("a", 1), Found::Unreadable("EIO".into())], Ok(Some("a")));
        check_that(&[Found::Unformatted, formatted_only("a")], Ok(Some("a")));
    }

    #[test]
    fn what_is_somebody_elses_or_not_what_it_was_stops_the_start() {
        check_that(&[of("a", 1), of("b", 1)], Err("/1 belongs to cluster b, and /0 to cluster a"));
        check_that(&[of("a", 1), of("a", 2)], Err("/1 belongs to node 2"));
        check_that(&[of("a", 1), Found::Unformatted], Err("/1 has no meta.properties"));
        check_that(&[Found::Unformatted, of("a", 1)], Err("/0 has no meta.properties"));
        check_that(&[formatted_only("a"), Found::Unformatted], Err("/1 has no meta.properties"));
        check_that(&[Found::Unreadable("EIO".into()), of("a", 1)], Err("metadata log cannot be used"));
        check_that(&[of("a", 1), Found::Unknown("version is 2".into())], Err("version is 2"));
    }
}
