//! One valid request for every key and version that the broker under test advertises, sent to it and to Apache Kafka;
//! the answers, decoded by our decoder, are compared field by field. Values that must differ (ids, addresses, times) are
//! blanked by named rules; the differences that we keep are in `conformance/differences.txt`.

mod data;
mod groups;
mod topics;
mod world;

use std::collections::BTreeMap;
use std::thread;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use ottla_protocol::ApiKey;
use ottla_protocol::messages::ApiVersionsRequest;

use crate::broker::Broker;
use crate::client::Client;
use crate::differences::Differences;
use crate::environment::{Environment, Kind};
use crate::fields::{self, Blanks, Fields};
use crate::jvm::Runner;
use crate::report::Report;

use world::World;

/// One request at each version of its key. `make` may first ask the broker for what the request needs.
struct Case {
    key: ApiKey,
    /// Tells several cases of one key apart.
    variant: &'static str,
    /// The first version at which the case makes sense.
    from: i16,
    make: fn(&mut World, i16) -> Result<Vec<u8>>,
}

/// Runs the suite.
pub(super) fn run(environment: &Environment, report: &mut Report) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut runner = Runner::new(environment);
    // The records of the cases are of a fixed time long ago: retention may not take them away in between.
    let mut oracle =
        Broker::kafka(environment, &directory.path().join("oracle")).set("log.retention.ms", "-1");
    let mut subject =
        Broker::under_test(environment, &directory.path().join("subject")).set("log.retention.ms", "-1");
    oracle.start(&mut runner)?;
    subject.start(&mut runner)?;
    let accepted = Differences::read(&environment.program("differences.txt"))?;
    let advertised = advertised(subject.port)?;
    let mut worlds = (World::new(oracle.port)?, World::new(subject.port)?);
    let cases: Vec<&Case> = topics::CASES.iter().chain(data::CASES).chain(groups::CASES).collect();
    let blanks = blanks();
    for case in &cases {
        let Some(&(low, high)) = advertised.get(&case.key.code()) else { continue };
        let (stable_low, stable_high) = case.key.versions();
        for version in low.max(stable_low).max(case.from)..=high.min(stable_high) {
            let name = format!("{}{}_v{version}", case.key.name(), case.variant);
            report.case(&name, || {
                let (expected, got) = thread::scope(|scope| {
                    let world = &mut worlds.0;
                    let other = scope.spawn(|| answer(case, world, version).context("asked of Kafka"));
                    let got = answer(case, &mut worlds.1, version);
                    anyhow::Ok((other.join().expect("a case does not panic")?, got?))
                })?;
                let (mut expected, mut got) = (fields::by_identity(&expected), fields::by_identity(&got));
                blanks.apply(&mut expected);
                blanks.apply(&mut got);
                let mut differences = fields::differences(&expected, &got);
                if case.key == ApiKey::ApiVersions {
                    // What is not served is not advertised: only the keys of both are compared.
                    differences = api_versions_differences(&expected, &got);
                }
                let differences = accepted.unexplained("wire", &name, differences);
                let kind = subject.kind.name();
                ensure!(differences.is_empty(), "Kafka | {kind}\n{}", differences.join("\n"));
                Ok(())
            });
        }
    }
    report.case("every_advertised_key_was_asked", || {
        let asked = |key: &i16| cases.iter().any(|case| case.key.code() == *key);
        let missing: Vec<&i16> = advertised.keys().filter(|key| !asked(key)).collect();
        ensure!(missing.is_empty() || subject.kind == Kind::Kafka, "no request is made for keys {missing:?}");
        Ok(())
    });
    if subject.kind == Kind::Ottla {
        report.case("accepted_differences_are_still_there", || accepted.check_seen("wire"));
    }
    report.case("broker_is_well", || subject.check_alive());
    Ok(())
}

/// Key to lowest and highest version, as the broker says.
fn advertised(port: u16) -> Result<BTreeMap<i16, (i16, i16)>> {
    let answer = Client::open(port)?.ask(0, &ApiVersionsRequest::default())?;
    Ok(answer.api_keys.iter().map(|key| (key.api_key, (key.min_version, key.max_version))).collect())
}

fn answer(case: &Case, world: &mut World, version: i16) -> Result<Fields> {
    let body = (case.make)(world, version).context("make the request")?;
    let answer: Bytes = Client::open(world.port)?.ask_bytes(case.key, version, &body)?;
    fields::of_response(case.key, version, &answer)
}

/// The values that two brokers cannot share.
fn blanks() -> Blanks {
    Blanks::default()
        .paths(&[
            (r".*\bport", "port"),
            (r".*\bhost", "host"),
            (r".*topic_id", "topic id"),
            (r".*cluster_id", "cluster id"),
            (r".*producer_id", "producer id"),
            (r".*session_id", "session"),
            (r"member_id|leader|.*members\[.*\]\.member_id", "member"),
            (r".*directory_id", "directory id"),
            (r".*\b(total|usable)_bytes", "bytes of the disk"),
            (r".*log_dir", "log directory"),
            (r".*(last_fetch|last_caught_up)_timestamp", "time"),
            (r".*\.last_timestamp", "time"),
            (r"topics\[__cluster_metadata\]\..*(high_watermark|log_end_offset)", "metadata offset"),
            (r"finalized_features_epoch", "metadata offset"),
            (r".*configs\[(log\.dirs|log\.dir|metadata\.log\.dir)\].*value", "directory"),
        ])
        .texts(&[(r"127\.0\.0\.1:\d+", "<address>")])
}

fn api_versions_differences(expected: &Fields, got: &Fields) -> Vec<String> {
    let keys = |fields: &Fields| -> BTreeMap<String, String> {
        fields
            .iter()
            .filter(|(path, _)| path.starts_with("api_keys[") && path.ends_with(".api_key"))
            .map(|(path, number)| {
                let entry = path.trim_end_matches("api_key");
                let part = |name: &str| fields.get(&format!("{entry}{name}")).cloned().unwrap_or_default();
                (format!("key {number}"), format!("{} to {}", part("min_version"), part("max_version")))
            })
            .collect()
    };
    let rest = |fields: &Fields| -> Fields {
        fields
            .iter()
            .filter(|(path, _)| !path.starts_with("api_keys["))
            .map(|(p, v)| (p.clone(), v.clone()))
            .collect()
    };
    let (mut kafka, ours) = (keys(expected), keys(got));
    kafka.retain(|key, _| ours.contains_key(key));
    let mut lines = fields::differences(&kafka, &ours);
    lines.extend(fields::differences(&rest(expected), &rest(got)));
    lines
}
