//! The small form of `cargo xtask chaos log`: kills, power cuts and disks that fail, a seed of each.

use anyhow::Result;

use crate::chaos::{self, DAMAGE, Ending, Plan};
use crate::environment::{Environment, Kind};
use crate::report::Report;

/// Runs the suite.
pub(super) fn run(environment: &Environment, report: &mut Report) -> Result<()> {
    if environment.under_test == Kind::Kafka {
        report.skip("everything", "it needs a build whose disk calls can be stood between");
        return Ok(());
    }
    let libc = chaos::libc_binary(environment)?;
    let kills = Plan { ending: Ending::Kill, times: 20, seed: 1, binary: environment.ottla.clone() };
    chaos::case(environment, report, &kills);
    for seed in 1..3 {
        let cuts = Plan { ending: Ending::Power, times: 8, seed, binary: libc.clone() };
        chaos::case(environment, report, &cuts);
    }
    for fault in chaos::cases() {
        report.case(fault.name, || chaos::run_fault(environment, &libc, fault));
    }
    report.case(DAMAGE.0, || DAMAGE.1(environment, &environment.ottla));
    Ok(())
}
