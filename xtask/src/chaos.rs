//! `cargo xtask chaos log [--seeds N] [--first SEED] [--broken]`: the log under kills, power cuts and failing disks, in
//! the long form. `--broken` runs builds that are broken on purpose instead: each must be caught.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::setup::{call, repository};

/// Builds that break a promise, by the feature that makes them.
const BROKEN: &[&str] = &["broken-ack-before-write", "broken-no-fsync", "broken-cut-at-first-bad-batch"];

/// The command.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let (mut seeds, mut first, mut broken) = ("10".to_owned(), "1".to_owned(), false);
    let mut args = args.iter();
    ensure!(args.next().is_some_and(|what| what == "log"), "chaos: what there is, is `log`");
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--seeds" => seeds = args.next().context("--seeds takes a number")?.clone(),
            "--first" => first = args.next().context("--first takes a seed")?.clone(),
            "--broken" => broken = true,
            other => bail!("chaos: unknown argument {other}"),
        }
    }
    crate::setup::run(&[])?;
    if broken {
        for feature in BROKEN {
            build(&["libc-disk", feature], &format!("ottla-{feature}"))?;
        }
    }
    build_variants()?;
    let mut command = Command::new("cargo");
    command.args(["run", "--quiet", "--package", "ottla-conformance", "--", "--chaos", &first, &seeds]);
    if broken {
        command.arg("--broken");
    }
    call(command.current_dir(repository()))
}

/// Builds `ottla`, the harness, and beside them `ottla-libc`, whose disk calls go through libc.
pub(crate) fn build_variants() -> Result<()> {
    build(&["libc-disk"], "ottla-libc")?;
    let mut command = Command::new("cargo");
    command.args(["build", "--package", "ottla-conformance", "--package", "ottla"]);
    call(command.current_dir(repository()))
}

/// Builds `ottla` with features and keeps it under another name.
fn build(features: &[&str], name: &str) -> Result<()> {
    let mut command = Command::new("cargo");
    command.args(["build", "--package", "ottla", "--features", &features.join(",")]);
    call(command.current_dir(repository()))?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from);
    let built = target.join("debug/ottla");
    std::fs::copy(&built, target.join("debug").join(name)).with_context(|| built.display().to_string())?;
    Ok(())
}
