//! `kafka-broker-api-versions`: prints which versions of which requests each broker knows.

use std::collections::BTreeMap;

use ottla_client::{Node, Target};
use ottla_protocol::ApiKey;

use crate::admin::{Admin, Bootstrap};
use crate::context::Context;
use crate::failure::{Exception, Failure};
use crate::options::{Arguments, Opt};

const TABLE: &[Opt] = &[
    Opt::text(
        "command-config",
        "command config property file",
        "A file with settings for the client, key=value.",
    ),
    Opt::text(
        "bootstrap-server",
        "server(s) to use for bootstrapping",
        "Required. Brokers to start from: host:port,host:port.",
    ),
];

const ABOUT: &str = "Print which versions of which requests the brokers know.";

/// Runs the tool.
pub(crate) fn run(words: &[String], cx: &mut Context<'_>) -> i32 {
    match execute(words, cx) {
        Ok(()) => 0,
        Err(Failure::Exit(code)) => code,
        Err(Failure::Thrown(exception)) => {
            writeln!(cx.err, "{}\n{}", exception.text(), exception.trace()).ok();
            1
        }
    }
}

fn execute(words: &[String], cx: &mut Context<'_>) -> Result<(), Failure> {
    let arguments = Arguments::parse(TABLE, words)?;
    arguments.answer_help(cx, ABOUT)?;
    arguments.require(cx, &["bootstrap-server"])?;
    let servers = arguments.text("bootstrap-server")?.expect("its presence has been checked");
    // This tool has a client of its own, which does not wrap what is wrong with its settings.
    let admin = Admin::open(Bootstrap::Server(servers), arguments.text("command-config")?)
        .map_err(|error| error.cause.as_deref().cloned().unwrap_or(error))?;
    crate::admin::block_on(async {
        let brokers = admin.client().refresh(Some(&[])).await.map_err(|_| {
            let servers: Vec<String> = servers.split(',').enumerate().map(unnamed_node).collect();
            let text = format!("Request METADATA failed on brokers [{}]", servers.join(", "));
            Exception::new("java.lang.RuntimeException", text)
        })?;
        for broker in brokers.brokers.values() {
            match admin.client().connection(&Target::Broker(broker.id)).await {
                Ok(connection) => {
                    let keys = &connection.api_versions().api_keys;
                    let versions = keys.iter().map(|key| (key.api_key, (key.min_version, key.max_version)));
                    writeln!(cx.out, "{} -> {}", node(broker), text(&versions.collect()))?;
                }
                Err(error) => {
                    let error = Exception::of_client("apiVersions", &error).execution();
                    writeln!(cx.out, "{} -> ERROR: {}", node(broker), error.text())?;
                }
            }
        }
        Ok(())
    })
}

fn node(node: &Node) -> String {
    let rack = node.rack.as_deref().unwrap_or("null");
    format!("{}:{} (id: {} rack: {rack} isFenced: false)", node.address.host, node.address.port, node.id)
}

/// Servers to start from have no number yet; they are counted downwards.
fn unnamed_node((index, server): (usize, &str)) -> String {
    format!("{} (id: -{} rack: null isFenced: false)", server.trim(), index + 1)
}

/// What controllers alone serve; a broker that does not list it is not lacking.
const OF_CONTROLLERS: [ApiKey; 12] = [
    ApiKey::Vote,
    ApiKey::BeginQuorumEpoch,
    ApiKey::EndQuorumEpoch,
    ApiKey::AlterPartition,
    ApiKey::Envelope,
    ApiKey::FetchSnapshot,
    ApiKey::BrokerRegistration,
    ApiKey::BrokerHeartbeat,
    ApiKey::AllocateProducerIds,
    ApiKey::ControllerRegistration,
    ApiKey::AssignReplicasToDirs,
    ApiKey::UpdateRaftVoter,
];

/// The versions of a broker, by key, and what it lacks.
fn text(versions: &BTreeMap<i16, (i16, i16)>) -> String {
    let mut lines: BTreeMap<i16, String> = BTreeMap::new();
    for key in ApiKey::ALL.iter().filter(|key| !OF_CONTROLLERS.contains(key)) {
        lines.insert(key.code(), format!("{}({}): UNSUPPORTED", key.name(), key.code()));
    }
    for (code, (least, most)) in versions {
        let range = if least == most { least.to_string() } else { format!("{least} to {most}") };
        let line = match ApiKey::from_code(*code) {
            None => format!("UNKNOWN({code}): {range}"),
            Some(key) => {
                let (oldest, latest) = key.versions();
                let usable = if latest < *least {
                    "unusable: node too new".to_string()
                } else if *most < oldest {
                    "unusable: node too old".to_string()
                } else {
                    format!("usable: {}", latest.min(*most))
                };
                format!("{}({code}): {range} [{usable}]", key.name())
            }
        };
        lines.insert(*code, line);
    }
    let lines: Vec<String> = lines.into_values().collect();
    format!("(\n\t{}\n)", lines.join(",\n\t"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_listed_by_key() {
        let text = text(&BTreeMap::from([(0, (0, 13)), (47, (0, 0)), (3, (90, 91)), (999, (1, 2))]));
        assert!(
            text.starts_with("(\n\tProduce(0): 0 to 13 [usable: 13],\n\tFetch(1): UNSUPPORTED,\n\t"),
            "{text}"
        );
        assert!(text.contains("\n\tMetadata(3): 90 to 91 [unusable: node too new],"), "{text}");
        assert!(text.contains("\n\tOffsetDelete(47): 0 [usable: 0],"), "{text}");
        assert!(text.ends_with("\n\tUNKNOWN(999): 1 to 2\n)"), "{text}");
        assert!(!text.contains("Vote("), "{text}");
    }
}
