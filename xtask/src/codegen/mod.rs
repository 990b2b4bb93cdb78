//! `cargo xtask codegen`: Kafka's message schemas → `crates/protocol/src/messages/`.
//!
//! The schemas are read from the jars of the Kafka release that we speak; only facts (names, types, versions,
//! defaults) reach the output, which is checked in. `--check` compares instead of writing.

mod emit;
mod schema;

use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// The jars that have schemas, and the folder of each inside its jar.
const SOURCES: &[(&str, &str)] = &[
    ("kafka-clients", "common/message"),
    ("kafka-metadata", "common/metadata"),
    ("kafka-raft", "common/message"),
    ("kafka-group-coordinator", "common/message"),
    ("kafka-transaction-coordinator", "common/message"),
    ("kafka-share-coordinator", "common/message"),
    ("kafka-storage", "message"),
];
const OUTPUT: &str = "crates/protocol/src/messages";
const KAFKA_VERSION: &str = "4.3.1";

/// Entry point of the command.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let (mut check, mut jars) = (false, crate::setup::cache().join("kafka"));
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        match arg.as_str() {
            "--check" => check = true,
            "--jars" => jars = rest.next().context("--jars takes a directory")?.into(),
            other => bail!("codegen: unknown argument `{other}`"),
        }
    }
    let files = generate(&jars)?;
    if check { compare(&files) } else { write(&files) }
}

/// All output files by name, formatted.
fn generate(jars: &Path) -> Result<BTreeMap<String, String>> {
    let mut messages = Vec::new();
    for (jar, folder) in SOURCES {
        let path = jars.join(format!("{jar}-{KAFKA_VERSION}.jar"));
        ensure!(path.exists(), "{} is missing; `cargo xtask setup` brings Kafka's jars", path.display());
        messages.extend(read_schemas(&path, folder)?);
    }
    messages.sort_by(|a, b| a.name.cmp(&b.name));
    let mut files = BTreeMap::new();
    for message in &messages {
        files.insert(format!("{}.rs", emit::snake_case(&message.name)), emit::message(message));
    }
    files.insert("mod.rs".into(), emit::module(&messages));
    files.insert("api_key.rs".into(), emit::api_key(&messages));
    files.insert("pairs.rs".into(), emit::pairs(&messages));
    files.insert("registry.rs".into(), emit::registry(&messages));
    files.into_iter().map(|(name, text)| Ok((name, format_source(&text)?))).collect()
}

fn read_schemas(jar: &Path, folder: &str) -> Result<Vec<schema::Message>> {
    let unpacked = std::env::temp_dir().join(format!("ottla-codegen-{}", std::process::id()));
    std::fs::create_dir_all(&unpacked)?;
    let status =
        Command::new("jar").arg("xf").arg(jar.canonicalize()?).arg(folder).current_dir(&unpacked).status();
    ensure!(status.context("`jar` of a JDK is needed")?.success(), "cannot unpack {}", jar.display());
    let mut messages = Vec::new();
    for entry in std::fs::read_dir(unpacked.join(folder))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let text = std::fs::read_to_string(&path)?;
            let message = schema::parse(&text).with_context(|| path.display().to_string())?;
            if !message.valid_versions.is_empty() {
                messages.push(message);
            }
        }
    }
    std::fs::remove_dir_all(&unpacked)?;
    Ok(messages)
}

fn format_source(text: &str) -> Result<String> {
    use std::io::Write;
    let mut child = Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path", "rustfmt.toml"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .context("`rustfmt` is needed")?;
    child.stdin.take().context("rustfmt has no input")?.write_all(text.as_bytes())?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "rustfmt refused the generated source");
    Ok(String::from_utf8(output.stdout)?)
}

fn write(files: &BTreeMap<String, String>) -> Result<()> {
    std::fs::create_dir_all(OUTPUT)?;
    for entry in std::fs::read_dir(OUTPUT)? {
        let entry = entry?;
        if !files.contains_key(&*entry.file_name().to_string_lossy()) {
            std::fs::remove_file(entry.path())?;
        }
    }
    for (name, text) in files {
        std::fs::write(Path::new(OUTPUT).join(name), text)?;
    }
    println!("{} files written to {OUTPUT}", files.len());
    Ok(())
}

fn compare(files: &BTreeMap<String, String>) -> Result<()> {
    for (name, text) in files {
        let there = std::fs::read_to_string(Path::new(OUTPUT).join(name)).unwrap_or_default();
        ensure!(&there == text, "{OUTPUT}/{name} is not what the schemas give; run `cargo xtask codegen`");
    }
    println!("{} files are as the schemas of Kafka {KAFKA_VERSION} give them", files.len());
    Ok(())
}
