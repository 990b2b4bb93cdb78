//! The suites, in the order in which they run.

mod badinput;
mod quickstart;
mod wire;

use anyhow::Result;

use crate::environment::Environment;
use crate::report::Report;

/// A named group of cases that share brokers.
#[derive(Debug)]
pub struct Suite {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it shows.
    pub what: &'static str,
    /// Runs all its cases; an error ends the suite early and counts as a failure.
    pub run: fn(&Environment, &mut Report) -> Result<()>,
}

/// Every suite.
pub const SUITES: &[Suite] = &[
    Suite {
        name: "quickstart",
        what: "the programs and commands that everybody starts with",
        run: quickstart::run,
    },
    Suite {
        name: "badinput",
        what: "what no correct client sends, answered as Kafka answers it",
        run: badinput::run,
    },
    Suite {
        name: "wire",
        what: "every served key and version, answered as Kafka answers it",
        run: wire::run,
    },
];
