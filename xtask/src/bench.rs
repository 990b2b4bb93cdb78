//! `cargo xtask bench [ARGUMENT]…`: builds the release binary and the benchmark, and runs it (`docs/benchmarks/README.md`);
//! `bench log` measures what is promised of the log.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::setup::{call, repository};

/// The command.
pub(crate) fn run(args: &[String]) -> Result<()> {
    crate::setup::run(&[])?;
    let cargo = || {
        let mut command = Command::new("cargo");
        command.current_dir(repository());
        command
    };
    call(cargo().args(["build", "--release", "--package", "ottla"]))?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from);
    let mut program = cargo();
    program.args(["run", "--release", "--quiet", "--package"]);
    if args == ["log"] {
        call(cargo().args(["build", "--release", "--package", "ottla-log", "--examples"]))?;
        program.args(["ottla-conformance", "--", "--bench", "log"]);
    } else {
        program.args(["ottla-bench", "--"]).args(args);
    }
    call(program.env("OTTLA_BINARY", target.join("release/ottla")))
}
