//! What processes cost, read from `/proc`: nanoseconds of CPU per thread, context switches, memory, and what the whole
//! machine did meanwhile.

use std::collections::HashMap;
use std::fs;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// `/proc` counts CPU time in hundredths of a second where it does not count nanoseconds.
const TICK_SECONDS: f64 = 0.01;
/// The parent of all kernel threads.
const KTHREADD: u32 = 2;

/// A moment of one process and of the machine around it.
#[derive(Debug)]
pub struct Moment {
    /// Nanoseconds on a CPU, by thread.
    threads: HashMap<u32, u64>,
    /// User and system time of the whole process, ended threads included.
    process_seconds: f64,
    switches: u64,
    machine_seconds: f64,
    stolen_seconds: f64,
    kernel_seconds: f64,
}

/// What happened between two moments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// CPU time of the process.
    pub cpu_seconds: f64,
    /// Context switches of its threads.
    pub switches: u64,
    /// CPU time of the whole machine, idle time left out.
    pub machine_cpu_seconds: f64,
    /// Of it, that of kernel threads: writing back, for one.
    pub kernel_cpu_seconds: f64,
    /// Time that the machine below took away.
    pub stolen_seconds: f64,
}

impl Moment {
    /// Now.
    pub fn of(pid: u32) -> Result<Moment> {
        let mut threads = HashMap::new();
        let mut switches = 0;
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            let path = task?.path();
            let Some(tid) = path.file_name().and_then(|name| name.to_str()?.parse().ok()) else { continue };
            // A thread may end while it is looked at.
            let Ok(schedstat) = fs::read_to_string(path.join("schedstat")) else { continue };
            let on_cpu = schedstat.split_whitespace().next().and_then(|ns| ns.parse().ok());
            threads.insert(tid, on_cpu.context("schedstat")?);
            switches += fs::read_to_string(path.join("status")).map_or(0, |status| switches_in(&status));
        }
        let (busy, stolen) = machine_seconds()?;
        Ok(Moment {
            threads,
            process_seconds: process_seconds(pid)?,
            switches,
            machine_seconds: busy,
            stolen_seconds: stolen,
            kernel_seconds: kernel_seconds(),
        })
    }

    /// CPU time of the process from its start to here.
    pub fn cpu_seconds(&self) -> f64 {
        // Nanoseconds of the threads that live; those that have ended are in the coarse sum alone.
        (self.threads.values().sum::<u64>() as f64 / 1e9).max(self.process_seconds)
    }

    /// What happened since `before`.
    pub fn since(&self, before: &Moment) -> Cost {
        let of_thread =
            |(tid, ns): (&u32, &u64)| ns.saturating_sub(before.threads.get(tid).copied().unwrap_or(0));
        let by_thread = self.threads.iter().map(of_thread).sum::<u64>() as f64 / 1e9;
        let by_process = self.process_seconds - before.process_seconds;
        // Only the sum over the process knows of threads that have ended; it is coarse, so it must say clearly more.
        let ended = before.threads.keys().any(|tid| !self.threads.contains_key(tid));
        Cost {
            cpu_seconds: if ended { by_process.max(by_thread) } else { by_thread },
            switches: self.switches.saturating_sub(before.switches),
            machine_cpu_seconds: self.machine_seconds - before.machine_seconds,
            kernel_cpu_seconds: (self.kernel_seconds - before.kernel_seconds).max(0.0),
            stolen_seconds: self.stolen_seconds - before.stolen_seconds,
        }
    }
}

/// Resident memory of a process in bytes.
pub fn resident_bytes(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

/// User and system time of a process.
fn process_seconds(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    ticks_in(&stat).context("stat")
}

/// User and system time in the text of a `stat` file.
fn ticks_in(stat: &str) -> Option<f64> {
    // The name in parentheses may have spaces; what follows has none.
    let mut words = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut next = || words.next()?.parse::<f64>().ok();
    Some((next()? + next()?) * TICK_SECONDS)
}

fn switches_in(status: &str) -> u64 {
    let counts = status.lines().filter_map(|line| line.split_once("ctxt_switches:"));
    counts.filter_map(|(_, count)| count.trim().parse::<u64>().ok()).sum()
}

/// CPU time of all that ran on this machine, and what was stolen from it.
fn machine_seconds() -> Result<(f64, f64)> {
    let stat = fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().context("the line of all CPUs")?;
    let ticks: Vec<f64> = line.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal; guest time is part of user.
    let at = |place: usize| ticks.get(place).copied().unwrap_or(0.0) * TICK_SECONDS;
    Ok((at(0) + at(1) + at(2) + at(5) + at(6), at(7)))
}

/// CPU time of all kernel threads.
fn kernel_seconds() -> f64 {
    let Ok(processes) = fs::read_dir("/proc") else { return 0.0 };
    let of_kernel = |stat: &str| {
        let parent: u32 = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
        (parent == KTHREADD).then(|| ticks_in(stat))?
    };
    processes
        .filter_map(|entry| {
            let name = entry.ok()?.file_name();
            let pid: u32 = name.to_str()?.parse().ok()?;
            of_kernel(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_what_separates_fields() {
        let stat = "12 (a) b (c) S 1 12 12 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 1 0 100 1000 10";
        assert_eq!(ticks_in(stat), Some(2.0));
    }

    #[test]
    fn work_of_this_process_is_seen() {
        let before = Moment::of(std::process::id()).unwrap();
        let mut sum = 0u64;
        let started = std::time::Instant::now();
        while started.elapsed().as_millis() < 30 {
            sum = std::hint::black_box(sum + 1);
        }
        let cost = Moment::of(std::process::id()).unwrap().since(&before);
        assert!(cost.cpu_seconds > 0.001, "{cost:?}");
        assert!(resident_bytes(std::process::id()).unwrap() > 100_000);
    }
}
