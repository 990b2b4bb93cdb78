//! Files of a broker that was stopped, changed by a bad disk: what is damaged is an error, all else is served; what was lost
//! from the end is told to clients by a new leader epoch.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

struct Broker {
    child: Child,
    bootstrap: String,
}

fn ottla(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
    command.args(args).current_dir(dir).env_clear();
    command
}

impl Broker {
    fn start(dir: &Path) -> Broker {
        let args = ["server", "--override", "listeners=PLAINTEXT://127.0.0.1:0", "--ready-json"];
        let mut child = ottla(dir, &args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
        Broker { child, bootstrap: ready["bootstrap"].as_str().unwrap().to_owned() }
    }

    fn tool(&self, dir: &Path, args: &[&str], input: &str) -> Output {
        let mut command = ottla(dir, args);
        command.env("OTTLA_BOOTSTRAP", &self.bootstrap);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// One batch for each value.
    fn produce(&self, dir: &Path, values: &[&str]) {
        for value in values {
            assert!(self.tool(dir, &["produce", "t"], &format!("{value}\n")).status.success());
        }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn terminate(mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn segment(dir: &Path) -> PathBuf {
    dir.join("ottla-data/t-0/00000000000000000000.log")
}

/// Where each batch of a file begins, and where it ends.
fn batches(bytes: &[u8]) -> Vec<usize> {
    let mut ends = vec![0];
    while let Some(length) = bytes.get(ends[ends.len() - 1] + 8..).and_then(|rest| rest.first_chunk::<4>()) {
        ends.push(ends[ends.len() - 1] + 12 + u32::from_be_bytes(*length) as usize);
    }
    ends
}

fn verify(dir: &Path) -> (i32, String) {
    let output = ottla(dir, &["log", "verify", "ottla-data"]).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn one_damaged_batch_is_an_error_and_all_others_are_served() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let broker = Broker::start(dir);
    assert!(broker.tool(dir, &["topic", "create", "t"], "").status.success());
    broker.produce(dir, &["one", "two", "three", "four"]);
    broker.terminate();
    assert_eq!(verify(dir).0, 0);

    let mut bytes = fs::read(segment(dir)).unwrap();
    let second = batches(&bytes)[1];
    bytes[second + 70] ^= 1;
    fs::write(segment(dir), &bytes).unwrap();
    let (code, said) = verify(dir);
    assert!(code == 1 && said.contains("t-0: DAMAGED") && said.contains("offset 1:"), "{said}");

    // So that the broker must read it from the disk, where the file system lets go of it.
    let file = fs::File::open(segment(dir)).unwrap();
    file.sync_all().unwrap();
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    let broker = Broker::start(dir);
    let from_start = broker.tool(dir, &["consume", "t", "--exit"], "");
    let text = String::from_utf8(from_start.stdout).unwrap();
    assert!("one\n".starts_with(&text), "nothing from behind the damage passes for what follows: {text:?}");
    assert!(!from_start.status.success());
    let behind = broker.tool(dir, &["consume", "t", "--exit", "--offset", "2"], "");
    assert_eq!(String::from_utf8(behind.stdout).unwrap(), "three\nfour\n");
    broker.produce(dir, &["five"]);
    broker.terminate();
    assert_eq!(fs::read(segment(dir)).unwrap()[..bytes.len()], bytes, "nothing was cut or mended");
}

/// KIP-320: a client that had read further finds its epoch ending before its position.
#[test]
fn a_start_after_a_kill_begins_a_new_leader_epoch_where_the_log_ends_now() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let broker = Broker::start(dir);
    assert!(broker.tool(dir, &["topic", "create", "t"], "").status.success());
    broker.produce(dir, &["kept", "lost"]);
    broker.kill();
    // What a power failure takes: the end of what was not known to be durable.
    fs::remove_file(dir.join("ottla-data/replication-offset-checkpoint")).ok();
    fs::remove_file(dir.join("ottla-data/recovery-point-offset-checkpoint")).ok();
    let bytes = fs::read(segment(dir)).unwrap();
    fs::write(segment(dir), &bytes[..bytes.len() - 1]).unwrap();

    let broker = Broker::start(dir);
    broker.produce(dir, &["new"]);
    let output = broker.tool(dir, &["consume", "t", "--exit"], "");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "kept\nnew\n");
    broker.terminate();
    let epochs = fs::read_to_string(dir.join("ottla-data/t-0/leader-epoch-checkpoint")).unwrap();
    let epochs: Vec<(i32, i64)> = epochs
        .lines()
        .skip(2)
        .map(|line| line.split_once(' ').unwrap())
        .map(|(epoch, offset)| (epoch.parse().unwrap(), offset.parse().unwrap()))
        .collect();
    let [(before, 0), (after, 1)] = epochs[..] else { panic!("{epochs:?}") };
    assert!(after > before, "{epochs:?}");
}
