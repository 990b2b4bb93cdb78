//! The guard against getting slower: CPU per unit relative to the floor, best of several rounds, beside what was committed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::cell::Measured;
use crate::participant::Who;
use crate::state::State;
use crate::workload::{WORKLOADS, Workload};

/// What the guard looks at: short cells in which a request goes all the way, together shorter than a minute.
pub const GUARDED: &[&str] = &["16k", "one-record", "1000-partitions", "drain"];
/// How much worse a ratio may be than the committed one.
const TOLERANCE: f64 = 0.25;

/// The committed ratios, by workload.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// CPU per unit, Ottla's best over the floor's best.
    pub cpu_of_floor: BTreeMap<String, f64>,
}

impl Baseline {
    /// What a session measured.
    pub fn of(state: &State) -> Baseline {
        let of = |workload: &Workload| {
            let measured = state.of(workload);
            Some((workload.name.to_owned(), best(&measured, Who::Ottla)? / best(&measured, Who::Floor)?))
        };
        let guarded = WORKLOADS.iter().filter(|workload| GUARDED.contains(&workload.name));
        Baseline { cpu_of_floor: guarded.filter_map(of).collect() }
    }

    /// Reads the committed one.
    pub fn read(path: &Path) -> Result<Baseline> {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        serde_json::from_str(&text).with_context(|| path.display().to_string())
    }

    /// Writes it, to be committed.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(path, text).with_context(|| path.display().to_string())
    }

    /// Whether what was measured of a workload is within what is allowed.
    pub fn allows(&self, workload: &Workload, state: &State) -> bool {
        let now = Baseline::of(state);
        let before = self.cpu_of_floor.get(workload.name);
        let now = now.cpu_of_floor.get(workload.name);
        before.zip(now).is_none_or(|(before, now)| *now <= before * (1.0 + TOLERANCE))
    }

    /// A sentence for each guarded workload, and whether it is within what `self` allows. One that is missing on either side
    /// is not.
    pub fn judge(&self, now: &Baseline) -> Vec<(String, bool)> {
        let judge = |name: &&str| {
            let (before, now) = (self.cpu_of_floor.get(*name), now.cpu_of_floor.get(*name));
            let Some((before, now)) = before.zip(now) else {
                let lack = if before.is_none() { "is not in the baseline" } else { "was not measured" };
                return (format!("{name} {lack}"), false);
            };
            let within = *now <= before * (1.0 + TOLERANCE);
            let percent = (now / before - 1.0) * 100.0;
            (format!("{name}: CPU {now:.2} F, committed {before:.2} F ({percent:+.0} %)"), within)
        };
        GUARDED.iter().map(judge).collect()
    }
}

/// The least CPU per unit: what disturbs makes it only larger.
fn best(measured: &[&Measured], who: Who) -> Option<f64> {
    measured.iter().filter(|m| m.who == who).map(|m| m.cpu_per_unit).min_by(f64::total_cmp)
}

/// Prints one line for each workload in the form of the suites, and the counts.
pub fn report(committed: &Baseline, now: &Baseline) -> Result<()> {
    let judged = committed.judge(now);
    for (line, within) in &judged {
        println!("{} {line}", if *within { "ok   " } else { "FAIL " });
    }
    let failed = judged.iter().filter(|(_, within)| !within).count();
    println!("{} passed, {failed} failed, 0 skipped", judged.len() - failed);
    ensure!(
        failed == 0,
        "{failed} workloads cost more than {:.0} % over what is committed",
        TOLERANCE * 100.0
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baseline(ratios: &[(&str, f64)]) -> Baseline {
        Baseline { cpu_of_floor: ratios.iter().map(|(name, ratio)| ((*name).to_owned(), *ratio)).collect() }
    }

    #[test]
    fn a_quarter_more_is_allowed_and_no_more() {
        let committed = baseline(&[("16k", 1.2), ("drain", 1.0), ("one-record", 1.0)]);
        let judged = committed.judge(&baseline(&[("16k", 1.49), ("drain", 1.26), ("1000-partitions", 1.0)]));
        let within =
            |name: &str| judged.iter().find(|(line, _)| line.starts_with(name)).map(|(_, within)| *within);
        assert_eq!((within("16k"), within("drain")), (Some(true), Some(false)), "{judged:?}");
        assert_eq!(
            (within("one-record"), within("1000-partitions")),
            (Some(false), Some(false)),
            "{judged:?}"
        );
    }

    #[test]
    fn what_is_guarded_is_a_workload() {
        for name in GUARDED {
            assert!(WORKLOADS.iter().any(|workload| workload.name == *name), "{name}");
        }
    }
}
