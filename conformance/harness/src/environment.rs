//! Where things are: the repository, what `cargo xtask setup` installed, the logs of a run, and free ports.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Result, ensure};

/// Which program stands where Ottla stands when the suites are run for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The `ottla` binary.
    Ottla,
    /// Apache Kafka 4.3.1, the oracle.
    Kafka,
}

impl Kind {
    /// For names of cases and directories.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Ottla => "ottla",
            Kind::Kafka => "kafka",
        }
    }
}

/// All that a suite needs to know about the machine it runs on.
#[derive(Debug)]
pub struct Environment {
    /// The repository's root.
    pub repository: PathBuf,
    /// What `cargo xtask setup` filled.
    pub cache: PathBuf,
    /// The `ottla` binary.
    pub ottla: PathBuf,
    /// Which broker the suites judge.
    pub under_test: Kind,
    next_port: AtomicU16,
}

impl Environment {
    /// `ports`: the first port that suites may use. Ports stay below the ephemeral range, where a client that polls
    /// a closed port can connect to itself.
    pub fn new(
        repository: PathBuf,
        cache: PathBuf,
        ottla: PathBuf,
        under_test: Kind,
        ports: u16,
    ) -> Result<Environment> {
        ensure!(cache.join("kafka").is_dir(), "Kafka's jars are missing: run `cargo xtask setup`");
        Ok(Environment { repository, cache, ottla, under_test, next_port: AtomicU16::new(ports) })
    }

    /// A port on which nothing listens now.
    pub fn port(&self) -> u16 {
        loop {
            let port = self.next_port.fetch_add(1, Ordering::Relaxed);
            if TcpListener::bind(("127.0.0.1", port)).is_ok() {
                return port;
            }
        }
    }

    /// The folder of a suite's logs, made if need be.
    pub fn out(&self, suite: &str) -> Result<PathBuf> {
        let out = self.cache.join("out").join(suite);
        std::fs::create_dir_all(&out)?;
        Ok(out)
    }

    /// The Python interpreter that has the clients.
    pub fn python(&self) -> PathBuf {
        self.cache.join("python/bin/python")
    }

    /// The folder whose `node_modules` has kafkajs.
    pub fn node(&self) -> PathBuf {
        self.cache.join("node")
    }

    /// The class path of Kafka, its tools and our own Java classes.
    pub fn classpath(&self) -> String {
        format!("{}:{}/*", self.cache.join("java-classes").display(), self.cache.join("kafka").display())
    }

    /// The `-D` option that selects how JVM programs log: to standard error, at `level`.
    pub fn java_logging(&self, level: &str) -> [String; 2] {
        let config = self.conformance().join("java/log4j2.properties");
        [format!("-Dlog4j2.configurationFile={}", config.display()), format!("-Dottla.log.level={level}")]
    }

    /// The folder with the client programs.
    pub fn conformance(&self) -> PathBuf {
        self.repository.join("conformance")
    }

    /// A path inside `conformance/`.
    pub fn program(&self, path: impl AsRef<Path>) -> PathBuf {
        self.conformance().join(path)
    }
}
