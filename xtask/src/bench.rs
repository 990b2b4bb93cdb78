//! `cargo xtask bench [ARGUMENT]…`: builds the release binary and the benchmark, and runs it (`docs/benchmarks/README.md`);
//! `bench log` measures what is promised of the log, `bench scaling` whether threads get in each other's way.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::setup::{call, repository};

/// The command.
pub(crate) fn run(args: &[String]) -> Result<()> {
    if args == ["scaling"] {
        return scaling();
    }
    crate::setup::run(&[])?;
    if args == ["log"] {
        call(cargo().args(["build", "--release", "--package", "ottla-log", "--examples"]))?;
        call(cargo().args(["build", "--release", "--package", "ottla-bench"]))?;
        call(&mut program(&["--package", "ottla-conformance", "--", "--bench", "log"])?)
    } else {
        call(program(&["--package", "ottla-bench", "--"])?.args(args))
    }
}

/// The guard against getting slower, ready to run: it prints its counts last.
pub(crate) fn guard() -> Result<Command> {
    program(&["--package", "ottla-bench", "--", "--guard"])
}

/// A program of the workspace that measures, with the release binary at hand.
fn program(args: &[&str]) -> Result<Command> {
    call(cargo().args(["build", "--release", "--package", "ottla"]))?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from);
    let mut program = cargo();
    program.args(["run", "--release", "--quiet"]).args(args);
    program.env("OTTLA_BINARY", target.join("release/ottla"));
    Ok(program)
}

fn cargo() -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(repository());
    command
}

/// A broker inside one process, without sockets: nothing but Ottla takes part.
fn scaling() -> Result<()> {
    let directory = std::env::temp_dir().join(format!("ottla-scaling-{}", std::process::id()));
    let mut program = cargo();
    program.args(["run", "--release", "--quiet", "--package", "ottla-broker", "--example", "scaling", "--"]);
    let measured = call(program.arg(&directory));
    std::fs::remove_dir_all(&directory).ok();
    measured
}
