//! Several log directories, of which something is wrong with one: the process goes on without it, or says why not and
//! leaves everything as it was.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

/// So often that a test need not wait for it.
const CHECKPOINTS: &str = "replica.high.watermark.checkpoint.interval.ms=50";

/// Two directories, and a broker that uses them.
struct Two {
    dir: tempfile::TempDir,
}

struct Broker {
    child: Child,
    bootstrap: String,
    stderr: ChildStderr,
}

impl Two {
    /// As a first start and a clean stop leave them.
    fn used() -> Two {
        let two = Two { dir: tempfile::tempdir().unwrap() };
        let broker = two.start();
        two.tool(&broker, &["topics", "--create", "--topic", "t", "--partitions", "4"]);
        let (code, stderr) = broker.stop();
        assert_eq!(code, Some(0), "{stderr}");
        two
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
        let log_dirs = format!("log.dirs={},{}", self.path("a").display(), self.path("b").display());
        command.arg("server");
        for one in ["listeners=PLAINTEXT://127.0.0.1:0", &log_dirs, CHECKPOINTS] {
            command.args(["--override", one]);
        }
        command.arg("--ready-json").current_dir(self.dir.path()).env_clear();
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn start(&self) -> Broker {
        let mut child = self.command().spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|error| {
            let mut said = String::new();
            stderr.read_to_string(&mut said).unwrap();
            panic!("{error}: {line:?} {said}")
        });
        let bootstrap = ready["bootstrap"].as_str().unwrap().to_owned();
        Broker { child, bootstrap, stderr }
    }

    fn tool(&self, broker: &Broker, args: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
        command.args(args).args(["--bootstrap-server", &broker.bootstrap]).env_clear();
        let output = command.output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// A start that fails, says both sentences and changes nothing.
    #[track_caller]
    fn check_refused(&self, cause: &str, fix: &str) {
        let before = contents(self.dir.path());
        let output = self.command().output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains(cause) && stderr.contains(&format!("→ {fix}")), "{stderr}");
        assert_eq!(contents(self.dir.path()), before, "something was written");
    }
}

/// Records for all partitions of a topic: each line is a batch of its own, and goes anywhere.
fn produce_everywhere(broker: &Broker, topic: &str) -> Producer {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
    let args = ["--topic", topic, "--command-property", "batch.size=1", "--sync"];
    command.arg("console-producer").args(["--bootstrap-server", &broker.bootstrap]).args(args).env_clear();
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all("record\n".repeat(60).as_bytes()).unwrap();
    Producer(child)
}

/// A producer at work; some of its records may wait for a partition that is offline.
struct Producer(Child);

impl Drop for Producer {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Broker {
    /// Reads what it says until a line has this.
    fn wait_for(&mut self, what: &str) {
        let mut lines = BufReader::new(&mut self.stderr).lines();
        assert!(lines.any(|line| line.unwrap().contains(what)), "it never said {what:?}");
    }

    /// Exit code and what was said.
    fn stop(mut self) -> (Option<i32>, String) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let mut said = String::new();
        self.stderr.read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code(), said)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// All files below a directory, and what is in them.
fn contents(dir: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(contents(&path));
            all.insert(path, None);
        } else {
            all.insert(path.clone(), Some(fs::read(path).unwrap()));
        }
    }
    all
}

/// Replaces a line of `meta.properties`.
fn set_meta(dir: &Path, key: &str, value: &str) {
    let path = dir.join("meta.properties");
    let text = fs::read_to_string(&path).unwrap();
    let line = |line: &str| match line.split_once('=') {
        Some((found, _)) if found == key => format!("{key}={value}\n"),
        _ => format!("{line}\n"),
    };
    fs::write(path, text.lines().map(line).collect::<String>()).unwrap();
}

fn leaderless(described: &str) -> usize {
    described.lines().filter(|line| line.contains("Leader: none")).count()
}

#[test]
fn new_partitions_are_spread_and_the_controller_knows_where() {
    let two = Two::used();
    let broker = two.start();
    produce_everywhere(&broker, "t").0.wait().unwrap();
    for name in ["a", "b"] {
        let logs = fs::read_dir(two.path(name)).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(logs.filter(|name| name.to_string_lossy().starts_with("t-")).count(), 2, "in {name}");
    }
    assert_eq!(leaderless(&two.tool(&broker, &["topics", "--describe"])), 0);
}

#[test]
fn a_directory_that_the_disk_refuses_does_not_keep_the_other_from_serving() {
    let two = Two::used();
    // What a disk answers that lost its table of contents, for a process that permissions do not stop.
    let kept = two.path("kept");
    fs::rename(two.path("b").join("meta.properties"), &kept).unwrap();
    fs::create_dir(two.path("b").join("meta.properties")).unwrap();
    let broker = two.start();
    assert_eq!(leaderless(&two.tool(&broker, &["topics", "--describe"])), 2);
    let (code, said) = broker.stop();
    assert_eq!(code, Some(0));
    assert!(said.contains("this log directory is offline"), "{said}");

    // When it can be used again, so are its partitions.
    fs::remove_dir(two.path("b").join("meta.properties")).unwrap();
    fs::rename(&kept, two.path("b").join("meta.properties")).unwrap();
    let broker = two.start();
    assert_eq!(leaderless(&two.tool(&broker, &["topics", "--describe"])), 0);
}

#[test]
fn a_disk_that_is_not_mounted_stops_the_start() {
    let two = Two::used();
    fs::rename(two.path("b"), two.path("kept")).unwrap();
    two.check_refused("is a disk not mounted?", "mount it");
    fs::create_dir(two.path("b")).unwrap();
    two.check_refused("is a disk not mounted?", "mount it");
    fs::rename(two.path("kept"), two.path("b")).unwrap();

    fs::rename(two.path("a"), two.path("kept")).unwrap();
    two.check_refused("is a disk not mounted?", "mount it");
}

#[test]
fn a_directory_of_somebody_else_stops_the_start() {
    let two = Two::used();
    set_meta(&two.path("b"), "cluster.id", "AAAAAAAAAAAAAAAAAAAAAA");
    two.check_refused("belongs to cluster AAAAAAAAAAAAAAAAAAAAAA", "take the directory that does not belong");

    let two = Two::used();
    set_meta(&two.path("b"), "node.id", "7");
    two.check_refused("belongs to node 7", "set node.id=7");

    let two = Two::used();
    set_meta(&two.path("b"), "version", "2");
    two.check_refused("version is \"2\", not 0 or 1", "use the version that wrote it");
}

#[test]
fn a_directory_in_use_stops_the_second_process() {
    let two = Two::used();
    let broker = two.start();
    let output = two.command().output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("is used by another process"), "{stderr}");
    assert_eq!(leaderless(&two.tool(&broker, &["topics", "--describe"])), 0);
}

/// Makes the next checkpoint in a directory fail as a disk does: what it writes to is a directory.
fn break_checkpoints(dir: &Path) {
    fs::create_dir(dir.join("recovery-point-offset-checkpoint.tmp")).unwrap();
}

#[test]
fn a_directory_that_fails_while_the_broker_runs_takes_its_own_partitions_offline_only() {
    let two = Two::used();
    let mut broker = two.start();
    break_checkpoints(&two.path("b"));
    two.tool(&broker, &["topics", "--create", "--topic", "u", "--partitions", "2"]);
    let _producer = produce_everywhere(&broker, "u");
    broker.wait_for("this log directory is offline");
    // The controller hears of it before it answers this.
    two.tool(&broker, &["topics", "--create", "--topic", "v", "--partitions", "2"]);
    assert_eq!(
        leaderless(&two.tool(&broker, &["topics", "--describe"])),
        3,
        "half of t and of u, nothing of v"
    );
    let (code, said) = broker.stop();
    assert_eq!(code, Some(0), "{said}");
    assert!(two.path("a").join(".kafka_cleanshutdown").exists());
    assert!(!two.path("b").join(".kafka_cleanshutdown").exists());
}

#[test]
fn a_broker_whose_metadata_log_is_on_the_failed_disk_ends() {
    let two = Two::used();
    let mut broker = two.start();
    break_checkpoints(&two.path("a"));
    let _producer = produce_everywhere(&broker, "t");
    broker.wait_for("which has the metadata log");
    assert_eq!(broker.child.wait().unwrap().code(), Some(1));
    assert!(!two.path("a").join(".kafka_cleanshutdown").exists());
}

/// Kafka's own tool does the same over the wire; the words of the request are those of its plan.
#[test]
fn a_partition_that_is_moved_is_in_one_directory_in_the_end_and_has_all_its_records() {
    let two = Two::used();
    let broker = two.start();
    produce_everywhere(&broker, "t").0.wait().unwrap();
    let offsets = two.tool(&broker, &["get-offsets", "--topic", "t"]);
    let places = |dir: &str| {
        let entries = fs::read_dir(two.path(dir)).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
        names.retain(|name| name.starts_with("t-"));
        names.sort();
        names
    };
    let moved = places("a").remove(0);
    let partition: i32 = moved.rsplit_once('-').unwrap().1.parse().unwrap();
    move_to(&broker, "t", partition, &two.path("b"));
    while !places("b").contains(&moved) || places("a").contains(&moved) {
        std::thread::yield_now();
    }
    assert_eq!(two.tool(&broker, &["get-offsets", "--topic", "t"]), offsets);
    let (code, said) = broker.stop();
    assert_eq!(code, Some(0), "{said}");
    assert!(!places("a").iter().any(|name| name.contains("-delete")), "a stop removes what was moved away");
    let broker = two.start();
    assert_eq!(two.tool(&broker, &["get-offsets", "--topic", "t"]), offsets);
}

/// AlterReplicaLogDirs version 1, as bytes: no tool of ours sends it.
fn move_to(broker: &Broker, topic: &str, partition: i32, dir: &Path) {
    let string =
        |text: &str| [&i16::try_from(text.len()).unwrap().to_be_bytes()[..], text.as_bytes()].concat();
    let one = 1_i32.to_be_bytes();
    let mut body = [34_i16.to_be_bytes(), 1_i16.to_be_bytes()].concat();
    body.extend([&7_i32.to_be_bytes()[..], &string("test")].concat());
    body.extend([&one[..], &string(dir.to_str().unwrap())].concat());
    body.extend([&one[..], &string(topic), &one[..], &partition.to_be_bytes()].concat());
    let mut stream = std::net::TcpStream::connect(&broker.bootstrap).unwrap();
    stream.write_all(&u32::try_from(body.len()).unwrap().to_be_bytes()).unwrap();
    stream.write_all(&body).unwrap();
    let mut size = [0; 4];
    stream.read_exact(&mut size).unwrap();
    let mut answer = vec![0; u32::from_be_bytes(size) as usize];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer[answer.len() - 2..], [0, 0], "{answer:?}");
}
