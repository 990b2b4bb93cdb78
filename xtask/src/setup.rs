//! What the tests need beyond Rust: the Python, JavaScript and Java clients, and Apache Kafka itself.
//!
//! Everything goes into one cache directory (`.cache` in the repository, or `OTTLA_CACHE`), installed by the ordinary
//! client of each registry from a pinned list in `conformance/`. A list is installed again only when it changed: the
//! cache keeps a copy of the list beside what was installed from it. A tool that is missing is an error that names the
//! Debian package.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// The directory with the workspace's `Cargo.toml`.
pub(crate) fn repository() -> PathBuf {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().expect("xtask lies in the repository").to_path_buf()
}

/// Where installed clients, Kafka's jars and the suites' logs are kept.
pub(crate) fn cache() -> PathBuf {
    std::env::var_os("OTTLA_CACHE").map_or_else(|| repository().join(".cache"), PathBuf::from)
}

/// The programs that the conformance suites cannot run without, and what brings them on Debian.
const TOOLS: &[(&str, &[&str], &str)] = &[
    ("python3", &["--version"], "python3"),
    ("python3", &["-m", "venv", "--help"], "python3-venv"),
    ("node", &["--version"], "nodejs"),
    ("npm", &["--version"], "npm"),
    ("java", &["-version"], "openjdk-17-jdk-headless"),
    ("javac", &["-version"], "openjdk-17-jdk-headless"),
    ("mvn", &["--version"], "maven"),
];

/// `cargo xtask setup`: installs all that the suites need.
pub(crate) fn run(_args: &[String]) -> Result<()> {
    let missing: Vec<String> = TOOLS
        .iter()
        .filter(|(program, args, _)| !answers(program, args))
        .map(|(program, args, package)| format!("{program} {} (Debian package {package})", args.join(" ")))
        .collect();
    ensure!(missing.is_empty(), "the tests need what this machine lacks: {}", missing.join(", "));
    python()?;
    node()?;
    java()
}

fn answers(program: &str, args: &[&str]) -> bool {
    Command::new(program).args(args).output().is_ok_and(|output| output.status.success())
}

fn python() -> Result<()> {
    let list = repository().join("conformance/python/requirements.txt");
    let target = cache().join("python");
    install(&[&list], &target, || {
        call(Command::new("python3").args(["-m", "venv"]).arg(&target))?;
        call(
            Command::new(target.join("bin/python"))
                .args([
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--disable-pip-version-check",
                    "--only-binary",
                    ":all:",
                    "-r",
                ])
                .arg(&list),
        )
    })
}

fn node() -> Result<()> {
    let source = repository().join("conformance/node");
    let lock = source.join("package-lock.json");
    let target = cache().join("node");
    install(&[&lock], &target, || {
        fs::create_dir_all(&target)?;
        for name in ["package.json", "package-lock.json", ".npmrc"] {
            fs::copy(source.join(name), target.join(name)).with_context(|| format!("copy {name}"))?;
        }
        call(Command::new("npm").args(["ci", "--silent"]).current_dir(&target))
    })
}

fn java() -> Result<()> {
    let source = repository().join("conformance/java");
    let pom = source.join("pom.xml");
    let jars = cache().join("kafka");
    install(&[&pom], &jars, || {
        let goal = format!("-DoutputDirectory={}", jars.display());
        call(
            Command::new("mvn")
                .args([
                    "-q",
                    "-B",
                    "-Dstyle.color=never",
                    "dependency:copy-dependencies",
                    "-DincludeScope=runtime",
                    &goal,
                    "-f",
                ])
                .arg(&pom),
        )
    })?;
    let mut sources: Vec<PathBuf> = fs::read_dir(source.join("src"))?
        .map(|entry| entry.map(|e| e.path()))
        .collect::<std::io::Result<_>>()?;
    sources.sort();
    let classes = cache().join("java-classes");
    let lists: Vec<&Path> = sources.iter().map(PathBuf::as_path).collect();
    install(&lists, &classes, || {
        fs::create_dir_all(&classes)?;
        let classpath = jars.join("*");
        call(
            Command::new("javac")
                .args(["-nowarn", "-Xlint:none", "-cp"])
                .arg(classpath)
                .arg("-d")
                .arg(&classes)
                .args(&sources),
        )
    })
}

/// Runs `install` into an empty `target` unless `target` was installed from these very lists.
fn install(lists: &[&Path], target: &Path, install: impl FnOnce() -> Result<()>) -> Result<()> {
    let stamp = target.join(".installed-from");
    let mut wanted = Vec::new();
    for list in lists {
        wanted.extend(fs::read(list).with_context(|| format!("read {}", list.display()))?);
    }
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    if target.exists() {
        fs::remove_dir_all(target).with_context(|| format!("remove {}", target.display()))?;
    }
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent)?;
    }
    println!("installing {}", target.display());
    install().with_context(|| format!("install {}", target.display()))?;
    fs::write(&stamp, wanted).with_context(|| format!("write {}", stamp.display()))
}

/// Runs a command to its end; its output goes where ours goes.
pub(crate) fn call(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("start {program}"))?;
    if !status.success() {
        bail!("{program} ended with {status}");
    }
    Ok(())
}
