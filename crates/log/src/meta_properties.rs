//! `meta.properties`: whose a log directory is.

use std::io;
use std::path::Path;

use ottla_protocol::Uuid;

use crate::disk::{Disk, read_file, replace_file};

/// The file's name.
pub const META_PROPERTIES: &str = "meta.properties";

const SIZE_MAX: u64 = 1 << 20;

/// What the file says (version 1). A file of version 0, from the time of ZooKeeper, is read too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaProperties {
    /// 0 or 1.
    pub version: u32,
    /// `cluster.id`.
    pub cluster_id: Option<String>,
    /// `node.id`.
    pub node_id: Option<i32>,
    /// `directory.id`: which of a broker's directories this is, wherever it is mounted (KIP-858).
    pub directory_id: Option<Uuid>,
}

impl MetaProperties {
    /// Of the version that is written.
    pub fn new(cluster_id: impl Into<String>, node_id: i32, directory_id: Uuid) -> MetaProperties {
        MetaProperties {
            version: 1,
            cluster_id: Some(cluster_id.into()),
            node_id: Some(node_id),
            directory_id: Some(directory_id),
        }
    }

    /// Reads the file of a log directory; `None` if there is none: the directory was not formatted yet.
    ///
    /// # Errors
    /// `InvalidData`, with what is wrong, if the file is damaged.
    pub fn read(disk: &dyn Disk, log_dir: &Path) -> io::Result<Option<MetaProperties>> {
        let bytes = match read_file(disk, &log_dir.join(META_PROPERTIES), SIZE_MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let text = String::from_utf8_lossy(&bytes);
        Self::parse(&text).map(Some).map_err(|what| io::Error::new(io::ErrorKind::InvalidData, what))
    }

    /// Replaces the file of a log directory, durably.
    pub fn write(&self, disk: &dyn Disk, log_dir: &Path) -> io::Result<()> {
        replace_file(disk, &log_dir.join(META_PROPERTIES), self.to_text().as_bytes())
    }

    fn parse(text: &str) -> Result<MetaProperties, String> {
        let value = |wanted: &str| {
            text.lines().rev().filter_map(split_line).find(|(key, _)| key == wanted).map(|(_, value)| value)
        };
        let number = |key: &str| {
            let parse =
                |text: String| text.parse::<i32>().map_err(|_| format!("{key} is {text:?}, not a number"));
            value(key).map(parse).transpose()
        };
        let version = match value("version").as_deref() {
            None | Some("0") => 0,
            Some("1") => 1,
            Some(other) => return Err(format!("version is {other:?}, not 0 or 1")),
        };
        let node_id = number(if version == 0 { "broker.id" } else { "node.id" })?;
        let cluster_id = value("cluster.id");
        if version == 1 && node_id.is_none() {
            return Err("node.id is missing".to_owned());
        }
        if version == 1 && cluster_id.is_none() {
            return Err("cluster.id is missing".to_owned());
        }
        let directory_id = match value("directory.id") {
            None => None,
            Some(text) => {
                Some(Uuid::parse(&text).ok_or_else(|| format!("directory.id is {text:?}, not an id"))?)
            }
        };
        Ok(MetaProperties { version, cluster_id, node_id, directory_id })
    }

    fn to_text(&self) -> String {
        let mut text = String::from("#\n");
        let mut line = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                text.push_str(&format!("{key}={value}\n"));
            }
        };
        line("cluster.id", self.cluster_id.clone());
        line("directory.id", self.directory_id.map(|id| id.to_string()));
        let node_id = if self.version == 0 { "broker.id" } else { "node.id" };
        line(node_id, self.node_id.map(|id| id.to_string()));
        line("version", Some(self.version.to_string()));
        text
    }
}

/// Splits a line of a Java properties file; `None` for comments and blank lines. Of its escapes only the plain ones are
/// known: the values here need none.
fn split_line(line: &str) -> Option<(String, String)> {
    let line = line.trim_start();
    if line.is_empty() || line.starts_with(['#', '!']) {
        return None;
    }
    let end = line.find(['=', ':']).unwrap_or(line.len());
    let (key, rest) = line.split_at(end);
    let value = rest.get(1..).unwrap_or_default().trim_start();
    Some((key.trim_end().replace('\\', ""), value.trim_end_matches('\r').replace('\\', "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF_KAFKA: &str = "#\n#Mon Nov 23 10:00:00 UTC 2026\nnode.id=1\ndirectory.id=AAAAAAAAAAAAAAAAAAAAZA\n\
                            version=1\ncluster.id=p8fFEbKGQ22B6M_Da_vCBw\n";

    #[test]
    fn what_kafka_wrote_is_read_and_what_is_written_reads_back() {
        let read = MetaProperties::parse(OF_KAFKA).expect("sound");
        let id = Uuid(100u128.to_be_bytes());
        assert_eq!(read, MetaProperties::new("p8fFEbKGQ22B6M_Da_vCBw", 1, id));
        assert_eq!(MetaProperties::parse(&read.to_text()), Ok(read));
    }

    #[test]
    fn version_0_has_a_broker_id() {
        let read = MetaProperties::parse("broker.id = 7\n").expect("sound");
        assert_eq!((read.version, read.node_id, read.cluster_id), (0, Some(7), None));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let check = |text: &str, expected: &str| {
            let error = MetaProperties::parse(text).expect_err(expected);
            assert!(error.contains(expected), "{error}");
        };
        check("version=2", "version");
        check("version=1\ncluster.id=x", "node.id is missing");
        check("version=1\nnode.id=1", "cluster.id is missing");
        check("version=1\nnode.id=one\ncluster.id=x", "not a number");
        check("version=1\nnode.id=1\ncluster.id=x\ndirectory.id=y", "not an id");
    }
}
