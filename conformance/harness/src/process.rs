//! Child processes with a time limit, ended by their own pid.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// What a finished command left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// Exit code; -1 when a signal ended it.
    pub code: i32,
    /// Standard output, bytes that are not UTF-8 replaced.
    pub stdout: String,
    /// Standard error, bytes that are not UTF-8 replaced.
    pub stderr: String,
}

impl Output {
    /// An error with the end of both streams unless the exit code is zero.
    pub fn success(self) -> Result<Output> {
        if self.code != 0 {
            bail!(
                "exit code {}\nstdout: {}\nstderr: {}",
                self.code,
                tail(&self.stdout, 2000),
                tail(&self.stderr, 2000)
            );
        }
        Ok(self)
    }
}

/// The last `chars` characters of a text.
pub fn tail(text: &str, chars: usize) -> &str {
    let skip = text.chars().count().saturating_sub(chars);
    text.char_indices().nth(skip).map_or("", |(at, _)| &text[at..])
}

/// Runs a command to its end, feeding `stdin`; kills it at `limit`.
pub fn run(command: &mut Command, stdin: &[u8], limit: Duration) -> Result<Output> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {program}"))?;
    let mut input = child.stdin.take().expect("standard input is piped");
    let fed = stdin.to_vec();
    // The child may end before it has read all: a broken pipe is its business.
    let feeder = thread::spawn(move || drop(input.write_all(&fed)));
    let out = reader(child.stdout.take().expect("standard output is piped"));
    let err = reader(child.stderr.take().expect("standard error is piped"));
    let status = wait(&mut child, limit)?;
    if status.is_none() {
        child.kill().ok();
        child.wait()?;
    }
    feeder.join().expect("the feeding thread does not panic");
    let collect = |handle: thread::JoinHandle<Vec<u8>>| {
        String::from_utf8_lossy(&handle.join().expect("the reading thread does not panic")).into_owned()
    };
    let output = Output {
        code: status.and_then(|s| s.code()).unwrap_or(-1),
        stdout: collect(out),
        stderr: collect(err),
    };
    if status.is_none() {
        let (stdout, stderr) = (tail(&output.stdout, 1500), tail(&output.stderr, 1500));
        bail!("{program} did not end within {limit:?}\nstdout: {stdout}\nstderr: {stderr}");
    }
    Ok(output)
}

fn reader(mut stream: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What could be read before an error is what there is to show.
        drop(stream.read_to_end(&mut bytes));
        bytes
    })
}

/// Waits until the child ends, or `None` at the limit.
pub fn wait(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Sends a signal to a child that has not been waited for.
pub fn signal(child: &Child, signal: Signal) -> Result<()> {
    let pid = Pid::from_child(child);
    kill_process(pid, signal).with_context(|| format!("signal {signal:?} to {}", child.id()))
}

/// Starts a program in the background with both streams in one file.
pub fn spawn_logged(command: &mut Command, log: &Path) -> Result<Child> {
    let file =
        File::options().create(true).append(true).open(log).with_context(|| log.display().to_string())?;
    let program = command.get_program().to_string_lossy().into_owned();
    command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .with_context(|| format!("start {program}"))
}
