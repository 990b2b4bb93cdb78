//! `cargo xtask compat`: writes the lists of `COMPAT.md` anew, as a running broker and the tables tell them.

use std::process::Command;

use anyhow::{Result, ensure};

use crate::setup::{call, repository};

/// The command.
pub(crate) fn run(args: &[String]) -> Result<()> {
    ensure!(args.is_empty(), "compat takes no arguments");
    crate::setup::run(&[])?;
    let cargo = |args: &[&str]| call(Command::new("cargo").args(args).current_dir(repository()));
    cargo(&["build", "--quiet", "--package", "ottla", "--package", "ottla-conformance"])?;
    cargo(&["run", "--quiet", "--package", "ottla-conformance", "--", "--write-compat"])
}
