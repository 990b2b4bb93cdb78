//! What has been measured so far, one line of JSON each, in a file beside the build: a session that was ended goes on
//! where it was.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use serde::{Deserialize, Serialize};

use crate::cell::Measured;
use crate::occasion::{Figure, Occasion};
use crate::participant::Who;
use crate::workload::Workload;

/// The measurements of a session.
#[derive(Debug)]
pub struct State {
    measured: Vec<Measured>,
    figures: Vec<Figure>,
    file: File,
}

/// What all measurements of a session have in common: those of another session say nothing beside them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Checksum of Ottla's binary.
    pub binary: u32,
    /// Whether brokers and generator have cores of their own.
    pub pinned: bool,
    /// How long each measurement takes, in milliseconds.
    pub window_ms: u64,
}

/// A line of the file; the first one is the session.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Session(Session),
    Measured(Box<Measured>),
    Figure(Figure),
}

impl State {
    /// Opens the file; what it has counts only if the session may go on where an earlier one of its kind ended.
    pub fn open(resume: bool, session: &Session) -> Result<State> {
        State::at(&directory()?.join(if resume { "full.jsonl" } else { "quick.jsonl" }), resume, session)
    }

    fn at(path: &Path, resume: bool, session: &Session) -> Result<State> {
        let text = if resume { fs::read_to_string(path).unwrap_or_default() } else { String::new() };
        // The last line may have been cut off.
        let mut lines = text.lines().filter_map(|line| serde_json::from_str(line).ok());
        let goes_on = matches!(lines.next(), Some(Line::Session(earlier)) if earlier == *session);
        if !goes_on && !text.is_empty() {
            println!("what is in {} is of another binary or of other options: begun anew", path.display());
        }
        let lines: Vec<Line> = lines.filter(|_| goes_on).collect();
        let mut file = File::create(path).with_context(|| path.display().to_string())?;
        writeln!(file, "{}", serde_json::to_string(session)?)?;
        let mut state = State { measured: Vec::new(), figures: Vec::new(), file };
        for line in lines {
            match line {
                Line::Session(_) => {}
                Line::Measured(measured) => state.add(*measured)?,
                Line::Figure(figure) => state.add_figure(figure)?,
            }
        }
        Ok(state)
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

    /// Whether an occasion has its figures of a round.
    pub fn has_figures(&self, occasion: &Occasion, who: Who, round: usize) -> bool {
        self.figures.iter().any(|f| f.occasion == occasion.name && f.who == who && f.round == round)
    }

    /// Adds a figure.
    pub fn add_figure(&mut self, figure: Figure) -> Result<()> {
        writeln!(self.file, "{}", serde_json::to_string(&figure)?)?;
        self.figures.push(figure);
        Ok(())
    }

    /// All figures of an occasion.
    pub fn figures_of(&self, occasion: &Occasion) -> Vec<&Figure> {
        self.figures.iter().filter(|figure| figure.occasion == occasion.name).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(round: usize) -> Figure {
        Figure {
            occasion: "start".to_owned(),
            what: "start, new directory".to_owned(),
            who: Who::Kafka,
            round,
            value: 2.5,
            unit: "ms".to_owned(),
        }
    }

    #[test]
    fn a_session_goes_on_after_a_line_that_was_cut_off() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("full.jsonl");
        let session = Session { binary: 7, pinned: false, window_ms: 5_000 };
        let mut state = State::at(&path, false, &session).unwrap();
        state.add_figure(figure(0)).unwrap();
        state.file.write_all(b"{\"occasion\":\"sta").unwrap();
        let mut state = State::at(&path, true, &session).unwrap();
        let occasion = &crate::occasion::OCCASIONS[0];
        assert!(state.has_figures(occasion, Who::Kafka, 0) && !state.has_figures(occasion, Who::Kafka, 1));
        state.add_figure(figure(1)).unwrap();
        assert_eq!(State::at(&path, true, &session).unwrap().figures_of(occasion).len(), 2);
        let rebuilt = Session { binary: 8, ..session };
        assert_eq!(State::at(&path, true, &rebuilt).unwrap().figures_of(occasion).len(), 0);
    }
}
