//! Log directories as disks: full ones, failing ones, several of them, moves between them, and what tools say of the
//! files in them.

mod dumps;
pub(crate) mod moves;
mod pair;
mod place;
mod space;

use anyhow::Result;

use super::crash;
use crate::environment::{Environment, Kind};
use crate::jvm::Runner;
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
        moves::run(environment, report, SMALL, 4_044)?;
    }
    taken_over(environment, report)?;
    dumps::run(environment, report)
}

/// Two directories change hands.
fn taken_over(environment: &Environment, report: &mut Report) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut runner = Runner::new(environment);
    let mine = environment.under_test;
    for (name, first, second) in
        [("of_kafka_are_taken_over", Kind::Kafka, mine), ("are_taken_back_by_kafka", mine, Kind::Kafka)]
    {
        report.case(&format!("two_directories_{name}"), || {
            let directory = directory.path().join(name);
            crash::takeover(environment, &mut runner, &directory, &pair::DIRS, first, second, false)
        });
    }
    Ok(())
}
