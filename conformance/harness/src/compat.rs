//! The parts of COMPAT.md that a program can know: the keys that a running Ottla advertises, what it does with each
//! configuration key, and the accepted differences. Each part stands between two marks in the file.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use ottla_config::compat::keys_by_effect;
use ottla_config::{ConfigKey, ConfigTable};
use ottla_protocol::ApiKey;
use ottla_protocol::messages::ApiVersionsRequest;

use crate::broker::Broker;
use crate::client::Client;
use crate::differences::Differences;
use crate::environment::Environment;
use crate::jvm::Runner;

/// The file with its parts written anew.
pub fn written(environment: &Environment) -> Result<(PathBuf, String, String)> {
    let path = environment.repository.join("COMPAT.md");
    let before = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let mut text = before.clone();
    for (name, part) in
        [("keys", keys(environment)?), ("configs", configs()), ("differences", differences(environment)?)]
    {
        text = replaced(&text, name, &part)?;
    }
    Ok((path, before, text))
}

/// The text with the part between `<!-- name -->` and `<!-- end name -->` replaced.
fn replaced(text: &str, name: &str, part: &str) -> Result<String> {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end {name} -->"));
    let (before, rest) = text.split_once(&begin).with_context(|| format!("no mark {begin:?}"))?;
    let (_, after) = rest.split_once(&end).with_context(|| format!("no mark {end:?}"))?;
    Ok(format!("{before}{begin}{part}{end}{after}"))
}

fn keys(environment: &Environment) -> Result<String> {
    let directory = tempfile::tempdir()?;
    let mut broker = Broker::ottla(environment, directory.path());
    broker.start(&mut Runner::new(environment))?;
    let answer = Client::open(broker.port)?.ask(
        3,
        &ApiVersionsRequest {
            client_software_name: "conformance".into(),
            client_software_version: "1".into(),
            ..Default::default()
        },
    )?;
    ensure!(answer.error_code == 0, "ApiVersions: error {}", answer.error_code);
    broker.stop()?;
    let mut text = String::from("| key | name | Kafka 4.3.1 | Ottla |\n|--:|---|---|---|\n");
    for &key in ApiKey::ALL {
        let served = answer.api_keys.iter().find(|served| served.api_key == key.code());
        let ottla = match served {
            Some(served) => range(served.min_version, served.max_version),
            None => format!("not yet: {}", subject(key)),
        };
        let (low, high) = key.versions();
        text.push_str(&format!("| {} | {} | {} | {ottla} |\n", key.code(), key.name(), range(low, high)));
    }
    Ok(text)
}

fn range(low: i16, high: i16) -> String {
    if low == high { low.to_string() } else { format!("{low}–{high}") }
}

/// What comes with the keys that are not served yet.
fn subject(key: ApiKey) -> &'static str {
    use ApiKey::*;
    match key {
        AddPartitionsToTxn | AddOffsetsToTxn | EndTxn | WriteTxnMarkers | TxnOffsetCommit
        | DescribeTransactions | ListTransactions => "transactions",
        CreateAcls | DeleteAcls => "access control",
        CreateDelegationToken
        | RenewDelegationToken
        | ExpireDelegationToken
        | DescribeDelegationToken
        | DescribeUserScramCredentials
        | AlterUserScramCredentials => "authentication",
        DescribeClientQuotas | AlterClientQuotas => "quotas",
        AssignReplicasToDirs => "clusters of several nodes",
        ConsumerGroupHeartbeat | ConsumerGroupDescribe => "consumer groups of KIP-848",
        ShareGroupHeartbeat
        | ShareGroupDescribe
        | ShareFetch
        | ShareAcknowledge
        | InitializeShareGroupState
        | ReadShareGroupState
        | WriteShareGroupState
        | DeleteShareGroupState
        | ReadShareGroupStateSummary
        | DescribeShareGroupOffsets
        | AlterShareGroupOffsets
        | DeleteShareGroupOffsets => "share groups",
        StreamsGroupHeartbeat | StreamsGroupDescribe => "streams groups",
        UpdateFeatures => "changes of feature levels",
        GetTelemetrySubscriptions | PushTelemetry => "metrics of clients",
        _ => "clusters of several nodes",
    }
}

fn configs() -> String {
    let mut text = String::new();
    for (title, table) in [
        ("Topic", ConfigTable::Topic),
        ("Broker", ConfigTable::Broker),
        ("Group", ConfigTable::Group),
        ("Client metrics", ConfigTable::ClientMetrics),
    ] {
        let keys = keys_by_effect(table);
        let names = |keys: &[&ConfigKey]| -> String {
            let names: Vec<String> =
                keys.iter().filter(|key| !key.internal).map(|key| format!("`{}`", key.name)).collect();
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        };
        text.push_str(&format!(
            "**{title}**\n\n- honoured: {}\n- accepted without effect: {}\n- refused at start: {}\n\n",
            names(&keys.honoured),
            names(&keys.accepted),
            names(&keys.refused)
        ));
    }
    text
}

fn differences(environment: &Environment) -> Result<String> {
    let differences = Differences::read(&environment.program("differences.txt"))?;
    let lines: Vec<String> =
        differences.reasons().map(|(what, reason)| format!("- {what}: {reason}\n")).collect();
    Ok(if lines.is_empty() { "None.\n".to_owned() } else { lines.concat() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_marked_part_is_replaced() {
        let text = "a\n<!-- keys -->\nold\n<!-- end keys -->\nb\n";
        assert_eq!(replaced(text, "keys", "new\n").unwrap(), "a\n<!-- keys -->\nnew\n<!-- end keys -->\nb\n");
        assert!(replaced(text, "other", "").is_err());
    }
}
