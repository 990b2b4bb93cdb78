//! What has been measured so far, one line of JSON each, in a file beside the build: a session that was ended goes on
//! where it was.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::cell::Measured;
use crate::participant::Who;
use crate::workload::Workload;

/// The measurements of a session.
#[derive(Debug)]
pub struct State {
    measured: Vec<Measured>,
    file: File,
}

impl State {
    /// Opens the file; what it has counts only if the session may go on where an earlier one ended.
    pub fn open(resume: bool) -> Result<State> {
        State::at(&directory()?.join(if resume { "full.jsonl" } else { "quick.jsonl" }), resume)
    }

    fn at(path: &Path, resume: bool) -> Result<State> {
        let text = if resume { fs::read_to_string(path).unwrap_or_default() } else { String::new() };
        // The last line may have been cut off.
        let measured: Vec<Measured> =
            text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let mut file = File::create(path).with_context(|| path.display().to_string())?;
        for measured in &measured {
            writeln!(file, "{}", serde_json::to_string(measured)?)?;
        }
        Ok(State { measured, file })
    }

    /// Whether a measurement is there.
    pub fn has(&self, workload: &Workload, who: Who, round: usize) -> bool {
        self.measured.iter().any(|m| m.workload == workload.name && m.who == who && m.round == round)
    }

    /// Whether those of all rounds are there.
    pub fn has_all(&self, workload: &Workload, who: Who, rounds: usize) -> bool {
        (0..rounds).all(|round| self.has(workload, who, round))
    }

    /// Adds a measurement.
    pub fn add(&mut self, measured: Measured) -> Result<()> {
        writeln!(self.file, "{}", serde_json::to_string(&measured)?)?;
        self.measured.push(measured);
        Ok(())
    }

    /// All measurements of a workload.
    pub fn of(&self, workload: &Workload) -> Vec<&Measured> {
        self.measured.iter().filter(|measured| measured.workload == workload.name).collect()
    }
}

/// Where sessions leave what they measure.
pub fn directory() -> Result<PathBuf> {
    // The program lies in `target/release`.
    let target = std::env::current_exe()?.ancestors().nth(2).context("the target directory")?.join("bench");
    fs::create_dir_all(&target).with_context(|| target.display().to_string())?;
    Ok(target)
}
