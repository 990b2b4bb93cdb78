//! `cargo xtask bench [--quick|--full|log]`: builds the release binary and measures it, beside Kafka where Kafka has the
//! same; `log` measures what is promised of the log.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use crate::setup::{call, repository};

/// The command.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let size = match args {
        [] => "quick",
        [only] if only == "--quick" => "quick",
        [only] if only == "--full" => "full",
        [only] if only == "log" => "log",
        other => bail!("bench: takes --quick, --full or log, not {other:?}"),
    };
    crate::setup::run(&[])?;
    let cargo = || {
        let mut command = Command::new("cargo");
        command.current_dir(repository());
        command
    };
    call(cargo().args(["build", "--release", "--package", "ottla"]))?;
    if size == "log" {
        call(cargo().args(["build", "--release", "--package", "ottla-log", "--examples"]))?;
    }
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from);
    call(
        cargo()
            .args(["run", "--release", "--quiet", "--package", "ottla-conformance", "--", "--bench", size])
            .env("OTTLA_BINARY", target.join("release/ottla")),
    )
}
