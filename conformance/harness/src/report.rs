//! What passed, what failed and why, what was skipped and why.

use std::time::Instant;

use anyhow::Result;

/// How many lines of a failure's reason are printed.
const REASON_LINES_MAX: usize = 40;

/// The result of one suite. Each case is printed when it ends.
#[derive(Debug)]
pub struct Report {
    suite: String,
    started: Instant,
    passed: usize,
    failed: Vec<String>,
    skipped: usize,
}

impl Report {
    /// An empty report.
    pub fn new(suite: &str) -> Report {
        Report { suite: suite.to_owned(), started: Instant::now(), passed: 0, failed: Vec::new(), skipped: 0 }
    }

    /// Runs one case and records how it ended.
    pub fn case(&mut self, name: &str, case: impl FnOnce() -> Result<()>) {
        let started = Instant::now();
        let result = case();
        self.record(name, started.elapsed().as_millis(), result);
    }

    /// Records a case that was judged elsewhere.
    pub fn record(&mut self, name: &str, took_ms: u128, result: Result<()>) {
        let suite = &self.suite;
        match result {
            Ok(()) => {
                self.passed += 1;
                println!("ok    {suite}::{name} ({took_ms} ms)");
            }
            Err(error) => {
                println!("FAIL  {suite}::{name} ({took_ms} ms)\n{}", indented(&format!("{error:#}")));
                self.failed.push(name.to_owned());
            }
        }
    }

    /// Records a case that cannot be run here; every reason is printed.
    pub fn skip(&mut self, name: &str, why: &str) {
        self.skipped += 1;
        println!("skip  {}::{name}: {why}", self.suite);
    }

    /// Records a failure that ended the whole suite, such as a broker that did not start.
    pub fn abort(&mut self, error: &anyhow::Error) {
        println!("FAIL  {} ended early\n{}", self.suite, indented(&format!("{error:#}")));
        self.failed.push("ended early".to_owned());
    }

    /// Prints the sums and returns them.
    pub fn finish(self) -> Totals {
        let Report { suite, started, passed, failed, skipped } = self;
        let seconds = started.elapsed().as_secs();
        println!("suite {suite}: {passed} passed, {} failed, {skipped} skipped in {seconds} s", failed.len());
        Totals { passed, failed: failed.len(), skipped }
    }
}

/// Counts of cases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Cases that ended well.
    pub passed: usize,
    /// Cases that did not.
    pub failed: usize,
    /// Cases that were not run.
    pub skipped: usize,
}

impl std::ops::AddAssign for Totals {
    fn add_assign(&mut self, other: Totals) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl std::fmt::Display for Totals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// The first lines of a reason, which may be two whole messages long.
fn indented(text: &str) -> String {
    text.lines()
        .take(REASON_LINES_MAX)
        .map(|line| format!("      {line}\n"))
        .collect::<String>()
        .trim_end()
        .to_owned()
}
