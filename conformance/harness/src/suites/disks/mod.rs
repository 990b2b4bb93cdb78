//! Log directories as disks: full ones, failing ones, several of them, moves between them, and what tools say of the
//! files in them.

mod place;
mod space;

use anyhow::Result;

use crate::environment::{Environment, Kind};
use crate::report::Report;

/// Runs the suite.
pub(super) fn run(environment: &Environment, report: &mut Report) -> Result<()> {
    if environment.under_test == Kind::Kafka {
        report.skip("full_disks", "Kafka takes a directory offline whose disk is full");
    } else {
        space::run(environment, report)?;
    }
    Ok(())
}
