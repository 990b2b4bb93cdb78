//! Messages that Kafka's own classes wrote, read and written again by our codecs: every schema, every version, defaults
//! and random values. The bytes must be the same, and so must be the defaults.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use ottla_protocol::codec::MessageInfo;
use ottla_protocol::messages::registry::MESSAGES;

use crate::environment::Environment;
use crate::jvm::Runner;
use crate::report::Report;

/// Random messages per schema and version.
const COUNT: u32 = 12;
const SEED: u64 = 43_100;

/// Runs the suite.
pub(super) fn run(environment: &Environment, report: &mut Report) -> Result<()> {
    let mut runner = Runner::new(environment);
    let names: String = MESSAGES.iter().map(|info| format!("{}\n", info.name)).collect();
    let output =
        runner.run("Messages", &[&COUNT.to_string(), &SEED.to_string()], names.as_bytes())?.success()?;
    let mut written: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in output.stdout.lines() {
        let (name, rest) = line.split_once(' ').context("a name and more")?;
        written.entry(name).or_default().push(rest);
    }
    let kinds: BTreeSet<&str> = MESSAGES.iter().map(|info| info.kind).collect();
    for kind in kinds {
        report.case(&format!("{}_messages_are_byte_for_byte_kafkas", kind.replace('-', "_")), || {
            let mut messages = 0;
            let mut wrong = Vec::new();
            for info in MESSAGES.iter().filter(|info| info.kind == kind) {
                let lines = written
                    .get(info.name)
                    .with_context(|| format!("nothing was written for {}", info.name))?;
                for line in lines {
                    messages += 1;
                    wrong.extend(check(info, line).err().map(|error| format!("{} {error:#}", info.name)));
                }
            }
            println!("      {messages} messages, seed {SEED}");
            wrong.truncate(20);
            ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
            Ok(())
        });
    }
    Ok(())
}

fn check(info: &MessageInfo, line: &str) -> Result<()> {
    ensure!(line != "unknown", "has no class in Kafka's jars");
    let mut words = line.split(' ');
    let mut word = || words.next().with_context(|| line.to_owned());
    let (version, kind, hex) = (word()?.parse::<i16>()?, word()?, word()?);
    let (low, high) = info.versions;
    ensure!((low..=high).contains(&version), "version {version} is not among {low} to {high}");
    let bytes = Bytes::from(from_hex(hex)?);
    let again = (info.round_trip)(&bytes, version).with_context(|| format!("v{version} {kind} {hex}"))?;
    ensure!(again == bytes, "v{version} {kind} {hex} becomes {}", to_hex(&again));
    if kind == "default" {
        let ours = (info.encode_default)(version)?;
        ensure!(ours == bytes, "v{version}: Kafka's default is {hex}, ours is {}", to_hex(&ours));
    }
    Ok(())
}

fn from_hex(text: &str) -> Result<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .map(|c| c.to_digit(16).map(|digit| digit as u8))
        .collect::<Option<_>>()
        .context("hex")?;
    Ok(digits.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).copied().unwrap_or(0)).collect())
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
