//! The image's root in a directory, and commands run inside it by `chroot`.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, geteuid, kill_process_group};

use crate::environment::Environment;
use crate::process::{self, Output};

/// What the scripts of the image, and those of test containers, call.
const PROGRAMS: &[&str] = &[
    "bash", "cat", "chmod", "chown", "cp", "dirname", "env", "grep", "id", "ln", "ls", "mkdir", "rm", "sed",
    "sh", "sleep", "true",
];

/// What the Dockerfile puts in front.
const SEARCH_PATH: &str = "PATH=/opt/kafka/bin:/usr/local/bin:/usr/bin:/bin";

/// How long a broker may take to say a line or to end.
const LIMIT: Duration = Duration::from_secs(30);

/// A directory that is `/` for the commands inside.
pub(super) struct Root {
    directory: PathBuf,
}

impl Root {
    /// Shell and core programs of this machine: what stands for Debian's image.
    pub(super) fn base(directory: &Path) -> Result<Root> {
        for folder in ["usr/bin", "etc", "tmp"] {
            fs::create_dir_all(directory.join(folder))?;
        }
        symlink("usr/bin", directory.join("bin"))?;
        fs::set_permissions(directory.join("tmp"), Permissions::from_mode(0o1777))?;
        fs::write(directory.join("etc/hosts"), "127.0.0.1 localhost\n")?;
        let root = Root { directory: directory.to_path_buf() };
        for program in PROGRAMS {
            root.add(&which(program)?, program)?;
        }
        Ok(root)
    }

    /// A root that is there already.
    pub(super) fn of(directory: PathBuf) -> Root {
        Root { directory }
    }

    /// The root of the image: the base, the binary, and what the Dockerfile's script makes of them.
    pub(super) fn image(environment: &Environment, directory: &Path) -> Result<Root> {
        let root = Root::base(directory)?;
        root.add(&environment.ottla, "ottla")?;
        let script = environment.repository.join("docker/image-root.sh");
        process::run(Command::new("sh").arg(script).arg(directory), b"", LIMIT)?.success()?;
        Ok(root)
    }

    /// Puts a program and the libraries that it needs inside.
    pub(super) fn add(&self, program: &Path, name: &str) -> Result<()> {
        let target = self.path("usr/bin").join(name);
        fs::copy(program, &target).with_context(|| format!("copy {}", program.display()))?;
        self.add_libraries_of(program)
    }

    /// Puts the libraries that a program needs inside.
    pub(super) fn add_libraries_of(&self, program: &Path) -> Result<()> {
        let listed = process::run(Command::new("ldd").arg(program), b"", LIMIT)?;
        let libraries: BTreeSet<&str> =
            listed.stdout.split_whitespace().filter(|word| word.starts_with('/')).collect();
        for library in libraries {
            let target = self.path(library);
            fs::create_dir_all(target.parent().context("a library lies in a folder")?)?;
            fs::copy(library, &target).with_context(|| format!("copy {library}"))?;
        }
        Ok(())
    }

    /// Where a path inside lies outside.
    pub(super) fn path(&self, inside: &str) -> PathBuf {
        self.directory.join(inside.trim_start_matches('/'))
    }

    /// A command inside, as the image's user, with the image's search path and these variables only.
    fn command(&self, variables: &[(&str, &str)], words: &[&str]) -> Command {
        let mut command = if is_root() {
            let mut command = Command::new("chroot");
            command.arg("--userspec=1000:1000");
            command
        } else {
            let mut command = Command::new("unshare");
            command.args(["--map-root-user", "chroot"]);
            command
        };
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
        command.arg(&self.directory).args(["/usr/bin/env", "-i", SEARCH_PATH]);
        command.args(variables.iter().map(|(name, value)| format!("{name}={value}"))).args(words);
        command
    }

    /// Runs a command inside to its end.
    pub(super) fn run(&self, variables: &[(&str, &str)], words: &[&str], stdin: &str) -> Result<Output> {
        process::run(&mut self.command(variables, words), stdin.as_bytes(), LIMIT)
    }

    /// Starts a command inside, with its standard output in `log` and its standard error beside it.
    pub(super) fn start(&self, variables: &[(&str, &str)], words: &[&str], log: &Path) -> Result<Running> {
        let mut command = self.command(variables, words);
        command
            .stdin(Stdio::null())
            .stdout(File::create(log)?)
            .stderr(File::create(log.with_extension("err"))?);
        // A container's processes end together; so do those of a group.
        command.process_group(0);
        let child = command.spawn().context("start a command in the image's root")?;
        Ok(Running { child, log: log.to_path_buf() })
    }
}

/// Processes that run inside. Dropping the handle kills them.
pub(super) struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Waits until standard output has a line with these words.
    pub(super) fn wait_for(&mut self, words: &str) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let said = fs::read_to_string(&self.log)?;
            if said.contains(words) {
                return Ok(());
            }
            let ended = self.child.try_wait()?;
            if ended.is_some() || Instant::now() > deadline {
                let error = fs::read_to_string(self.log.with_extension("err"))?;
                bail!("nothing says {words:?}; ended: {ended:?}\nstdout: {said}\nstderr: {error}");
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// SIGTERM to all of them; how the first one ended.
    pub(super) fn terminate(&mut self) -> Result<ExitStatus> {
        kill_process_group(Pid::from_child(&self.child), Signal::TERM)?;
        process::wait(&mut self.child, LIMIT)?.context("the command did not end on SIGTERM")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A group that has ended cannot be killed.
        kill_process_group(Pid::from_child(&self.child), Signal::KILL).ok();
        drop(self.child.wait());
    }
}

pub(super) fn is_root() -> bool {
    geteuid().is_root()
}

/// Where this machine has a program.
fn which(program: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file());
    found.with_context(|| format!("this machine has no {program}"))
}

/// Waits until a file is there.
pub(super) fn wait_for_file(file: &Path) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    while !file.exists() {
        ensure!(Instant::now() < deadline, "{} is not there", file.display());
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
