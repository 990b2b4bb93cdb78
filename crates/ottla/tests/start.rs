//! The process: it starts without configuration, ends cleanly, and says why when it cannot start.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

fn ottla(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
    command.args(args).current_dir(dir).env_clear();
    command
}

/// A broker on a port that the system chose.
struct Broker {
    child: Child,
    out: BufReader<ChildStdout>,
    ready: serde_json::Value,
}

const ANY_PORT: &str = "listeners=PLAINTEXT://127.0.0.1:0";

impl Broker {
    fn start(dir: &Path) -> Broker {
        Broker::start_with(dir, &[])
    }

    fn start_with(dir: &Path, overrides: &[&str]) -> Broker {
        let mut args = vec!["server", "--override", ANY_PORT, "--ready-json"];
        args.extend(overrides.iter().flat_map(|one| ["--override", one]));
        let mut child = ottla(dir, &args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        Broker { child, out, ready }
    }

    /// Runs a tool against this broker; gives what it prints.
    fn tool(&self, dir: &Path, args: &[&str], input: &str) -> String {
        let bootstrap = self.ready["bootstrap"].as_str().unwrap();
        let mut command = ottla(dir, args);
        command.env("OTTLA_BOOTSTRAP", bootstrap).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{args:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn terminate(mut self) -> i32 {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let mut rest = String::new();
        self.out.read_line(&mut rest).unwrap();
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Runs a start that must fail and looks for both sentences on standard error.
fn check_refused(dir: &Path, args: &[&str], cause: &str, fix: &str) {
    let Output { status, stderr, .. } = ottla(dir, args).output().unwrap();
    let text = String::from_utf8(stderr).unwrap();
    assert!(!status.success());
    let mut lines = text.lines().skip_while(|line| !line.starts_with("error: "));
    let (found_cause, found_fix) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    assert!(found_cause.contains(cause), "{text}");
    assert!(found_fix.starts_with("  → ") && found_fix.contains(fix), "{text}");
    assert_eq!(lines.next(), None, "{text}");
}

#[test]
fn a_new_directory_becomes_a_cluster_and_stays_one() {
    let dir = tempfile::tempdir().unwrap();
    let broker = Broker::start(dir.path());
    assert_eq!(broker.ready["node_id"], 1);
    let cluster_id = broker.ready["cluster_id"].clone();
    assert_eq!(broker.terminate(), 0);
    let data = dir.path().join("ottla-data");
    assert!(data.join(".kafka_cleanshutdown").exists());

    let again = Broker::start(dir.path());
    assert_eq!(again.ready["cluster_id"], cluster_id);
    assert!(!data.join(".kafka_cleanshutdown").exists(), "only the next clean end may write it again");
}

/// With a checkpoint after every change, a start has nothing but checkpoints to go by.
#[test]
fn topics_and_records_are_there_after_a_start_from_a_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let overrides = ["metadata.log.max.record.bytes.between.snapshots=1"];
    let broker = Broker::start_with(dir.path(), &overrides);
    broker.tool(dir.path(), &["topic", "create", "kept"], "");
    broker.tool(dir.path(), &["produce", "kept"], "a record\n");
    let bootstrap = broker.ready["bootstrap"].as_str().unwrap().to_owned();
    let configs =
        ["configs", "--bootstrap-server", &bootstrap, "--entity-type", "brokers", "--entity-default"];
    broker.tool(
        dir.path(),
        &[&configs[..], &["--alter", "--add-config", "message.max.bytes=54321"]].concat(),
        "",
    );
    assert_eq!(broker.terminate(), 0);
    let metadata = std::fs::read_dir(dir.path().join("ottla-data/__cluster_metadata-0")).unwrap();
    let names = metadata.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let bootstrap = "00000000000000000000-0000000000.checkpoint";
    assert!(names.filter(|name| name.ends_with(".checkpoint") && name != bootstrap).count() > 0);

    for _ in 0..2 {
        let broker = Broker::start_with(dir.path(), &overrides);
        assert_eq!(broker.tool(dir.path(), &["consume", "kept", "--exit"], ""), "a record\n");
        let bootstrap = broker.ready["bootstrap"].as_str().unwrap().to_owned();
        let configs =
            ["configs", "--bootstrap-server", &bootstrap, "--entity-type", "brokers", "--entity-default"];
        let described = broker.tool(dir.path(), &[&configs[..], &["--describe"]].concat(), "");
        assert!(described.contains("message.max.bytes=54321"), "{described}");
        assert_eq!(broker.terminate(), 0);
    }
}

#[test]
fn a_directory_in_use_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let _running = Broker::start(dir.path());
    let args = ["server", "--override", ANY_PORT];
    check_refused(dir.path(), &args, "is used by another process", "log.dirs");
}

#[test]
fn a_taken_port_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listeners = format!("listeners=PLAINTEXT://{}", taken.local_addr().unwrap());
    check_refused(dir.path(), &["server", "--override", &listeners], "cannot listen on", "listeners");
    assert!(!dir.path().join("ottla-data").exists(), "nothing is made by a start that fails");
}

#[test]
fn the_directory_of_another_node_or_cluster_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Broker::start(dir.path()).terminate(), 0);
    let args = ["server", "--override", ANY_PORT, "--override", "node.id=7"];
    check_refused(dir.path(), &args, "belongs to node 1, and node.id is 7", "node.id=1");

    let other = dir.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("meta.properties"), "version=1\ncluster.id=another\nnode.id=1\n").unwrap();
    let args = ["server", "--override", ANY_PORT, "--override", "log.dirs=ottla-data,other"];
    check_refused(dir.path(), &args, "belongs to cluster", "log.dirs");
}

#[test]
fn bad_values_and_files_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    check_refused(dir.path(), &["server", "missing.properties"], "missing.properties", "readable");
    check_refused(dir.path(), &["server", "--override", "num.partitions=many"], "num.partitions", "");
    let authorizer = "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer";
    check_refused(dir.path(), &["server", "--override", authorizer], "authorizer", "");
}
