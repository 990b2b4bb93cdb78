//! A small file system in memory that a broker alone sees: it is mounted in a namespace of its own, and goes with the
//! process that holds it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

/// What is written to fill it up, at a time.
const CHUNK: usize = 64 << 10;

/// The file system, while the holder lives.
#[derive(Debug)]
pub(super) struct Small {
    holder: Child,
    at: PathBuf,
    is_root: bool,
}

impl Small {
    /// Mounts one of so many bytes over a directory. An error tells that this machine does not permit it.
    pub(super) fn mount(at: &Path, bytes: u64) -> Result<Small> {
        fs::create_dir_all(at)?;
        let is_root = rustix::process::geteuid().is_root();
        let mut command = Command::new("unshare");
        if !is_root {
            command.args(["--user", "--map-root-user"]);
        }
        let script = format!("mount -t tmpfs -o size={bytes} ottla \"$0\" && echo mounted && exec sleep 1d");
        command.args(["--mount", "sh", "-c", &script]).arg(at);
        let mut holder = command.stdout(Stdio::piped()).spawn().context("start unshare")?;
        let mut line = String::new();
        let out = holder.stdout.take().expect("standard output is piped");
        BufReader::new(out).read_line(&mut line)?;
        let small = Small { holder, at: at.to_path_buf(), is_root };
        ensure!(line == "mounted\n", "a file system cannot be mounted in a namespace of its own");
        Ok(small)
    }

    /// What a command is started by to see the file system.
    pub(super) fn entered_by(&self) -> Vec<String> {
        let mut words: Vec<String> =
            ["nsenter", "--target", &self.holder.id().to_string(), "--mount"].map(str::to_owned).to_vec();
        if !self.is_root {
            words.extend(["--user", "--preserve-credentials"].map(str::to_owned));
        }
        words
    }

    /// Its root, as this process sees it.
    fn root(&self) -> PathBuf {
        let at = self.at.strip_prefix("/").expect("an absolute path");
        Path::new("/proc").join(self.holder.id().to_string()).join("root").join(at)
    }

    /// Bytes that are free.
    pub(super) fn free(&self) -> Result<u64> {
        let space = rustix::fs::statvfs(self.root())?;
        Ok(space.f_bavail * space.f_frsize)
    }

    /// Writes a file until no more than `left` bytes are free.
    pub(super) fn fill(&self, left: u64) -> Result<()> {
        let mut file = File::create(self.root().join("filler"))?;
        let mut size = CHUNK;
        while size > 0 && self.free()? > left {
            if file.write_all(&vec![1; size]).is_err() {
                size /= 2;
            }
        }
        ensure!(self.free()? <= left, "{} bytes are left", self.free()?);
        Ok(())
    }

    /// Removes that file.
    pub(super) fn unfill(&self) -> Result<()> {
        Ok(fs::remove_file(self.root().join("filler"))?)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        self.holder.kill().ok();
        self.holder.wait().ok();
    }
}
