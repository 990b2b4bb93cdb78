//! `cargo xtask tidy`: what no compiler checks and every reader relies on.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::setup::{cache, repository};
use crate::test::Totals;

/// The command: prints what is wrong.
pub(crate) fn run(_args: &[String]) -> Result<()> {
    let totals = check()?;
    ensure!(totals.failed == 0, "{} of the checks fail", totals.failed);
    Ok(())
}

/// One test per rule.
pub(crate) fn check() -> Result<Totals> {
    let files = tracked_files()?;
    let mut totals = Totals::default();
    totals.case("tidy::paths_named_in_architecture_exist", &missing_paths()?);
    totals.case("tidy::no_test_is_ignored", &lines_with(&files, &[concat!("#[", "ignore")], &[".rs"])?);
    totals.case("tidy::no_leftover_markers", &lines_with(&files, MARKERS, &[])?);
    totals.case("tidy::every_crate_takes_the_workspace_lints", &without_lints(&files)?);
    totals.case("tidy::every_dependency_has_its_reason", &without_reason()?);
    let jars = cache().join("kafka").to_string_lossy().into_owned();
    let generated = crate::codegen::run(&["--check".into(), "--jars".into(), jars]);
    let wrong: Vec<String> = generated.err().map(|error| format!("{error:#}")).into_iter().collect();
    totals.case("tidy::codecs_are_those_of_kafkas_schemas", &wrong);
    Ok(totals)
}

/// Words that mean that something is not finished, put together here so that this file has none of them.
const MARKERS: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X:"),
    concat!("<<<<", "<<< "),
    concat!(">>>>", ">>> "),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("dbg", "!("),
];

fn tracked_files() -> Result<Vec<PathBuf>> {
    let output = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(repository())
        .output()
        .context("start git")?;
    ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8(output.stdout).context("file names")?;
    Ok(names.split('\0').filter(|name| !name.is_empty()).map(|name| repository().join(name)).collect())
}

/// Paths in backquotes in `ARCHITECTURE.md` that are not there: words that begin with a folder of the repository's root,
/// and names of documents. Folders that a table names below a crate are the table's business.
fn missing_paths() -> Result<Vec<String>> {
    let Ok(text) = fs::read_to_string(repository().join("ARCHITECTURE.md")) else {
        return Ok(vec!["ARCHITECTURE.md itself".to_owned()]);
    };
    let is_path = |word: &&str| {
        let plain = !word.contains(['<', '*', ' ', '…', ':', '{']);
        let below_root = word.split_once('/').is_some_and(|(first, _)| repository().join(first).is_dir());
        plain && (below_root || word.ends_with(".md") || word.ends_with(".toml"))
    };
    let words = text.split('`').skip(1).step_by(2);
    Ok(words.filter(is_path).filter(|word| !repository().join(word).exists()).map(str::to_owned).collect())
}

/// `file:line: text` of all lines that have one of the words; `ends`: only files that end so, empty for all.
fn lines_with(files: &[PathBuf], words: &[&str], ends: &[&str]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for file in files {
        let name = file.to_string_lossy();
        if !ends.is_empty() && !ends.iter().any(|end| name.ends_with(end)) {
            continue;
        }
        // What is not text has no lines; a file that was removed but not committed has none either.
        let Ok(text) = fs::read_to_string(file) else { continue };
        for (number, line) in text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word)) {
                found.push(format!("{}:{}: {}", short(file), number + 1, line.trim()));
            }
        }
    }
    Ok(found)
}

fn without_lints(files: &[PathBuf]) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    for file in files.iter().filter(|file| file.ends_with("Cargo.toml")) {
        let text = fs::read_to_string(file).with_context(|| short(file))?;
        if text.contains("[package]") && !text.contains("[lints]\nworkspace = true") {
            wrong.push(short(file));
        }
    }
    Ok(wrong)
}

/// Dependencies of the workspace that the page about them does not name, and names there that are none.
fn without_reason() -> Result<Vec<String>> {
    let manifest = fs::read_to_string(repository().join("Cargo.toml")).context("Cargo.toml")?;
    let page = fs::read_to_string(repository().join(REASONS)).context(REASONS)?;
    let dependencies = manifest
        .lines()
        .skip_while(|line| *line != "[workspace.dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name)
        .filter(|name| !name.starts_with("ottla-"));
    let reasons = page
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(" |"))
        .flat_map(|(names, _)| names.split('`').skip(1).step_by(2));
    let (dependencies, reasons): (BTreeSet<&str>, BTreeSet<&str>) =
        (dependencies.collect(), reasons.collect());
    Ok(dependencies
        .symmetric_difference(&reasons)
        .map(|name| format!("{name} is in only one of Cargo.toml and {REASONS}"))
        .collect())
}

const REASONS: &str = "docs/decisions/dependencies.md";

fn short(file: &Path) -> String {
    file.strip_prefix(repository()).unwrap_or(file).display().to_string()
}
