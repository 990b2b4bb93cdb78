//! Where Ottla answers differently from Kafka on purpose: `conformance/differences.txt`, which COMPAT.md repeats.
//!
//! The file has blocks of three lines, parted by empty ones: suite and a pattern for the case; a pattern for the lines
//! that tell the difference; the reason.

use std::cell::Cell;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use regex::Regex;

/// One accepted difference.
#[derive(Debug)]
pub struct Difference {
    suite: String,
    case: Regex,
    line: Regex,
    /// Why it stays.
    pub reason: String,
    seen: Cell<bool>,
}

/// All accepted differences.
#[derive(Debug, Default)]
pub struct Differences(Vec<Difference>);

impl Differences {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Differences> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        Differences::parse(&text).with_context(|| path.display().to_string())
    }

    fn parse(text: &str) -> Result<Differences> {
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let whole =
            |pattern: &str| Regex::new(&format!("^(?:{})$", pattern.trim())).context(pattern.to_owned());
        let mut all = Vec::new();
        for block in lines.split(|line| line.trim().is_empty()).filter(|block| !block.is_empty()) {
            ensure!(block.len() == 3, "a block has three lines, not {}: {block:?}", block.len());
            let (suite, case) = block[0].split_once(' ').context("suite and case")?;
            all.push(Difference {
                suite: suite.to_owned(),
                case: whole(case)?,
                line: whole(block[1])?,
                reason: block[2].trim().to_owned(),
                seen: Cell::new(false),
            });
        }
        Ok(Differences(all))
    }

    /// The lines that no accepted difference explains.
    pub fn unexplained(&self, suite: &str, case: &str, lines: Vec<String>) -> Vec<String> {
        let of_case: Vec<&Difference> =
            self.0.iter().filter(|d| d.suite == suite && d.case.is_match(case)).collect();
        let explained = |line: &String| {
            let found = of_case.iter().find(|d| d.line.is_match(line));
            found.is_some_and(|d| {
                d.seen.set(true);
                true
            })
        };
        lines.into_iter().filter(|line| !explained(line)).collect()
    }

    /// Where each difference shows, and why it stays.
    pub fn reasons(&self) -> impl Iterator<Item = (String, &str)> {
        // A pattern of names reads well without what makes it one.
        let plain =
            |pattern: &Regex| pattern.as_str().replace("^(?:", "").replace(")$", "").replace(".*", "…");
        self.0.iter().map(move |d| (format!("{} `{}`", d.suite, plain(&d.case)), d.reason.as_str()))
    }

    /// An error that names the differences of a suite that were not seen: what is no longer true must not be claimed.
    pub fn check_seen(&self, suite: &str) -> Result<()> {
        let stale: Vec<&str> =
            self.0.iter().filter(|d| d.suite == suite && !d.seen.get()).map(|d| d.reason.as_str()).collect();
        ensure!(stale.is_empty(), "no longer different: {stale:?}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_explains_its_lines_and_no_others() {
        let text = "# comment\nwire Metadata_v.*\n  a: 1 \\| 2\n  because\n\nbadinput x\n  .*\n  so\n";
        let differences = Differences::parse(text).unwrap();
        let lines = vec!["a: 1 | 2".to_owned(), "b: 1 | 2".to_owned()];
        assert_eq!(differences.unexplained("wire", "Metadata_v3", lines.clone()), ["b: 1 | 2"]);
        assert_eq!(differences.unexplained("wire", "Fetch_v3", lines.clone()), lines);
        assert!(differences.check_seen("wire").is_ok());
        assert!(differences.check_seen("badinput").is_err());
    }

    #[test]
    fn a_block_of_another_shape_is_refused() {
        assert!(Differences::parse("wire a\n  b\n").is_err());
    }
}
