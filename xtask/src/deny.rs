//! `cargo xtask deny`: licences, bans, duplicate versions and sources of all dependencies, by the rules in `deny.toml`.
//!
//! The rules are cargo-deny's, as far as they go; that tool itself takes longer to build than all the rest of the tests,
//! and its advisory database cannot be had from a package registry.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::setup::repository;
use crate::test::Totals;

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
    manifest_path: String,
}

/// The command: prints what is wrong.
pub(crate) fn run(_args: &[String]) -> Result<()> {
    let totals = check()?;
    ensure!(totals.failed == 0, "the dependencies break {} of the rules in deny.toml", totals.failed);
    Ok(())
}

/// One test per kind of rule.
pub(crate) fn check() -> Result<Totals> {
    let rules = Rules::parse(&std::fs::read_to_string(repository().join("deny.toml")).context("deny.toml")?)?;
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(repository())
        .output()
        .context("start cargo")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Metadata = serde_json::from_slice(&output.stdout).context("read cargo's metadata")?;
    let mut totals = Totals::default();
    for (kind, wrong) in [
        ("licences", licences(&rules, &metadata.packages)),
        ("bans", bans(&rules, &metadata.packages)),
        ("duplicates", duplicates(&rules, &metadata.packages)),
        ("sources", sources(&metadata.packages)),
    ] {
        totals.case(&format!("deny::{kind}"), &wrong);
    }
    Ok(totals)
}

/// The lists of `deny.toml`.
#[derive(Default)]
struct Rules {
    licences: BTreeSet<String>,
    bans: BTreeSet<String>,
    skip: BTreeSet<String>,
}

impl Rules {
    /// Reads the part of TOML that the file uses: tables, and lists of strings.
    fn parse(text: &str) -> Result<Rules> {
        let mut rules = Rules::default();
        let mut table = String::new();
        let mut lines =
            text.lines().map(|line| line.trim()).filter(|line| !line.is_empty() && !line.starts_with('#'));
        while let Some(line) = lines.next() {
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                table = name.to_owned();
                continue;
            }
            let (key, value) = line.split_once('=').with_context(|| format!("not a key: {line}"))?;
            let mut value = value.trim().to_owned();
            while !value.ends_with(']') {
                value.push_str(lines.next().with_context(|| format!("the list of {key} does not end"))?);
            }
            let list = value.trim_start_matches('[').trim_end_matches(']').split(',').map(str::trim);
            let list: BTreeSet<String> =
                list.filter(|item| !item.is_empty()).map(|item| item.trim_matches('"').to_owned()).collect();
            match (table.as_str(), key.trim()) {
                ("licenses", "allow") => rules.licences = list,
                ("bans", "deny") => rules.bans = list,
                ("bans", "skip") => rules.skip = list,
                (table, key) => bail!("no rule is called {table}.{key}"),
            }
        }
        Ok(rules)
    }
}

fn licences(rules: &Rules, packages: &[Package]) -> Vec<String> {
    let foreign = packages.iter().filter(|package| package.source.is_some());
    foreign
        .filter_map(|package| {
            let licence = package.license.as_deref().unwrap_or("none");
            let allowed = satisfied(licence, &|id| rules.licences.contains(id));
            (!allowed).then(|| format!("{} {}: {licence}", package.name, package.version))
        })
        .collect()
}

fn bans(rules: &Rules, packages: &[Package]) -> Vec<String> {
    packages
        .iter()
        .filter(|package| rules.bans.contains(&package.name))
        .map(|package| package.name.clone())
        .collect()
}

fn duplicates(rules: &Rules, packages: &[Package]) -> Vec<String> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in packages.iter().filter(|package| package.source.is_some()) {
        versions.entry(&package.name).or_default().push(&package.version);
    }
    let twice = |name: &str| versions.get(name).is_some_and(|versions| versions.len() > 1);
    let mut wrong: Vec<String> = versions
        .iter()
        .filter(|(name, versions)| versions.len() > 1 && !rules.skip.contains(**name))
        .map(|(name, versions)| format!("{name}: {}", versions.join(", ")))
        .collect();
    wrong.extend(
        rules
            .skip
            .iter()
            .filter(|name| !twice(name))
            .map(|name| format!("{name} is there once: skip is stale")),
    );
    wrong
}

/// Everything comes from the one registry that cargo knows by itself, or lies in the repository.
fn sources(packages: &[Package]) -> Vec<String> {
    let root = repository().to_string_lossy().into_owned();
    let registries: BTreeSet<&str> =
        packages.iter().filter_map(|package| package.source.as_deref()).collect();
    let mut wrong: Vec<String> = registries
        .iter()
        .filter(|source| !source.starts_with("registry+") || registries.len() > 1)
        .map(|source| format!("a source that is not the default registry: {source}"))
        .collect();
    wrong.extend(
        packages
            .iter()
            .filter(|package| package.source.is_none() && !package.manifest_path.starts_with(&root))
            .map(|package| format!("{} lies outside of the repository", package.name)),
    );
    wrong
}

/// Whether a licence expression (SPDX, or the older form with slashes) can be met by allowed licences.
fn satisfied(expression: &str, allowed: &dyn Fn(&str) -> bool) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut tokens: Vec<&str> = spaced.split_whitespace().rev().collect();
    let result = either(&mut tokens, allowed);
    result && tokens.is_empty()
}

fn either(tokens: &mut Vec<&str>, allowed: &dyn Fn(&str) -> bool) -> bool {
    let mut result = both(tokens, allowed);
    while tokens.last() == Some(&"OR") {
        tokens.pop();
        // Evaluated before it is joined, so that its tokens are consumed in any case.
        let other = both(tokens, allowed);
        result |= other;
    }
    result
}

fn both(tokens: &mut Vec<&str>, allowed: &dyn Fn(&str) -> bool) -> bool {
    let mut result = one(tokens, allowed);
    while tokens.last() == Some(&"AND") {
        tokens.pop();
        let other = one(tokens, allowed);
        result &= other;
    }
    result
}

fn one(tokens: &mut Vec<&str>, allowed: &dyn Fn(&str) -> bool) -> bool {
    match tokens.pop() {
        Some("(") => {
            let result = either(tokens, allowed);
            tokens.pop() == Some(")") && result
        }
        Some(id) => {
            let id = id.trim_end_matches('+');
            if tokens.last() == Some(&"WITH") {
                tokens.pop();
                let exception = tokens.pop().unwrap_or_default();
                return allowed(&format!("{id} WITH {exception}"));
            }
            allowed(id)
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licence_expressions_are_evaluated() {
        let allowed =
            |id: &str| matches!(id, "MIT" | "Apache-2.0" | "Apache-2.0 WITH LLVM-exception" | "MPL-2.0");
        for (expression, expected) in [
            ("MIT", true),
            ("GPL-3.0", false),
            ("GPL-3.0 OR MIT", true),
            ("GPL-3.0/MIT", true),
            ("GPL-3.0 AND MIT", false),
            ("(GPL-3.0 OR MIT) AND Apache-2.0", true),
            ("MIT AND (GPL-3.0 OR BSL-1.0)", false),
            ("Apache-2.0 WITH LLVM-exception OR GPL-3.0", true),
            ("MPL-2.0+", true),
            ("MIT MIT", false),
            ("", false),
        ] {
            assert_eq!(satisfied(expression, &allowed), expected, "{expression}");
        }
    }

    #[test]
    fn rules_are_read_over_several_lines() {
        let rules =
            Rules::parse("[licenses]\nallow = [\n  \"A\",\n  \"B\",\n]\n[bans]\ndeny = []\nskip = [\"c\"]\n")
                .unwrap();
        assert_eq!(rules.licences.len(), 2);
        assert!(rules.bans.is_empty() && rules.skip.contains("c"));
        assert!(Rules::parse("[bans]\nunknown = []\n").is_err());
    }
}
