//! What the documents say of the program, asked of the program.

use anyhow::{Result, ensure};

use crate::compat;
use crate::environment::{Environment, Kind};
use crate::report::Report;

/// Runs the suite.
pub(super) fn run(environment: &Environment, report: &mut Report) -> Result<()> {
    if environment.under_test == Kind::Kafka {
        report.skip("compat_md_is_true", "Kafka is under test");
        return Ok(());
    }
    report.case("compat_md_is_true", || {
        let (_, before, now) = compat::written(environment)?;
        let stale: Vec<&str> = now.lines().filter(|line| !before.lines().any(|old| old == *line)).collect();
        ensure!(before == now, "`cargo xtask compat` writes other lines: {stale:#?}");
        Ok(())
    });
    Ok(())
}
