//! Log directories as disks: full ones, failing ones, several of them, moves between them, and what tools say of the
//! files in them.

pub(crate) mod moves;
mod pair;
mod place;
mod space;

use anyhow::Result;

use crate::environment::{Environment, Kind};
use crate::report::Report;

/// How many disk calls of a move may lie between two kills, in the small form.
const SMALL: u64 = 40;

/// Runs the suite.
pub(super) fn run(environment: &Environment, report: &mut Report) -> Result<()> {
    if environment.under_test == Kind::Kafka {
        report.skip("disks_that_fail", "they need a build whose disk calls can be stood between");
    } else {
        space::run(environment, report)?;
        pair::run(environment, report)?;
        moves::run(environment, report, SMALL)?;
    }
    Ok(())
}
