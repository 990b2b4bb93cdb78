//! Input that no correct client sends. Each case is said to the broker under test and to Apache Kafka; both must answer
//! alike: the same error code and text, or a closed connection. Afterwards the broker must serve others, its log must
//! show no panic, and for each connection that it closed a line that names the peer.

mod batches;
mod frames;
mod groups;
mod peer;
mod topics;

use std::fmt::Write as _;
use std::thread;

use anyhow::{Context, Result, ensure};

use crate::broker::Broker;
use crate::differences::Differences;
use crate::environment::{Environment, Kind};
use crate::jvm::Runner;
use crate::report::Report;

use peer::{Peer, compare};

/// One kind of bad input.
struct Case {
    name: &'static str,
    say: fn(&mut Peer) -> Result<()>,
}

/// Runs the suite.
pub(super) fn run(environment: &Environment, report: &mut Report) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut runner = Runner::new(environment);
    // The records of the cases are of a fixed time long ago: retention may not take them away in between.
    let mut oracle =
        Broker::kafka(environment, &directory.path().join("oracle")).set("log.retention.ms", "-1");
    let mut subject =
        Broker::under_test(environment, &directory.path().join("subject")).set("log.retention.ms", "-1");
    oracle.start(&mut runner)?;
    subject.start(&mut runner)?;
    let accepted = Differences::read(&environment.program("differences.txt"))?;
    let mut record = String::new();
    for case in frames::CASES.iter().chain(batches::CASES).chain(topics::CASES).chain(groups::CASES) {
        report.case(case.name, || {
            let (mut expected, mut got) = (Peer::new(oracle.port), Peer::new(subject.port));
            thread::scope(|scope| {
                let other = scope.spawn(|| (case.say)(&mut expected).context("said to Kafka"));
                (case.say)(&mut got)?;
                other.join().expect("a case does not panic")
            })?;
            writeln!(record, "{}", case.name)?;
            for heard in &expected.heard {
                writeln!(record, "    {heard}")?;
            }
            let found = compare(&expected.heard, &got.heard);
            let differences = accepted.unexplained("badinput", case.name, found);
            ensure!(differences.is_empty(), "Kafka | {}\n{}", subject.kind.name(), differences.join("\n"));
            subject.check_alive()?;
            if subject.kind == Kind::Ottla {
                let log = subject.log()?;
                for peer in &got.closed {
                    ensure!(
                        log.contains(peer),
                        "no line of the log names {peer}, whose connection was closed"
                    );
                }
            }
            Ok(())
        });
    }
    std::fs::write(environment.out("badinput")?.join("kafka.txt"), record)?;
    if subject.kind == Kind::Ottla {
        report.case("accepted_differences_are_still_there", || accepted.check_seen("badinput"));
    }
    report.case("kafka_is_well_too", || oracle.check_alive());
    Ok(())
}
