//! The suites, in the order in which they run.

mod badinput;
mod chaos;
mod codec;
pub(crate) mod compaction;
mod container;
mod crash;
pub(crate) mod disks;
mod documents;
mod fuzz;
mod groups;
mod quickstart;
mod restart;
mod tools;
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
    suite("codec", "messages that Kafka wrote, read and written again byte for byte", codec::run),
    suite("fuzz", "mutated messages, batches and requests", fuzz::run),
    suite("documents", "what the documents say, asked of the program", documents::run),
    suite("quickstart", "the programs and commands that everybody starts with", quickstart::run),
    suite("tools", "our command lines and Kafka's, on both brokers, print the same", tools::run),
    suite("wire", "every served key and version, answered as Kafka answers it", wire::run),
    suite("badinput", "what no correct client sends, answered as Kafka answers it", badinput::run),
    suite(
        "container",
        "the image's root: its layout, its scripts, and those of test containers",
        container::run,
    ),
    suite("restart", "all is there after a restart, clean or not", restart::run),
    suite("crash", "kill -9 under load; directories that change hands", crash::run),
    suite(
        "compaction",
        "what compaction leaves, and what becomes of compressed batches, is what Kafka's leaves",
        compaction::run,
    ),
    suite("chaos", "kills, power cuts and failing disks under load, judged by the checker", chaos::run),
    suite(
        "disks",
        "full disks, failing disks, several, moves between them, and tools beside Kafka's",
        disks::run,
    ),
    suite("groups", "members of four libraries come and go while records pass", groups::run),
];

const fn suite(
    name: &'static str,
    what: &'static str,
    run: fn(&Environment, &mut Report) -> Result<()>,
) -> Suite {
    Suite { name, what, run }
}
