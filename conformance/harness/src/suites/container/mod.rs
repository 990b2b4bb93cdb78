//! The container image without a container engine: its root is made in a directory and its scripts run there by
//! `chroot`, as the image's user, on ports of this machine.

mod root;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::environment::Environment;
use crate::process;
use crate::raw;
use crate::report::Report;
use root::{Root, Running, is_root, wait_for_file};

const RUN: &str = "/etc/kafka/docker/run";
/// The two lines that test containers wait for.
const RUNNING: &str = "Transitioning from RECOVERY to RUNNING";
const STARTED: &str = "Kafka Server started";

/// Runs the suite.
pub(super) fn run(environment: &Environment, report: &mut Report) -> Result<()> {
    if !cfg!(target_os = "linux") {
        report.skip("all", "the image is Linux; its root cannot be run here");
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    let root = Root::image(environment, &directory.path().join("image"))?;
    if let Err(error) = root.run(&[], &["true"], "").and_then(|output| output.success()) {
        report.skip("all", &format!("neither chroot nor unshare may be used here: {error:#}"));
        return Ok(());
    }
    let image = Image { environment, root };
    report.case("layout_is_that_of_the_official_image", || image.layout());
    report.case("defaults_serve_stop_and_come_back", || image.defaults());
    report.case("listeners_follow_from_advertised_ones", || image.advertised_only());
    report.case("variables_beat_a_mounted_file", || image.mounted_file());
    report.case("arguments_of_run_are_variables", || image.arguments());
    report.case("a_bad_start_ends_with_one_and_says_why", || image.bad_starts());
    report.case("starter_script_of_testcontainers_for_java", || image.testcontainers_java());
    report.case("starter_script_of_testcontainers_for_rust", || image.testcontainers_rust());
    report.case("starter_script_of_testcontainers_for_go", || image.testcontainers_go());
    match buildah(&directory.path().join("buildah")) {
        Ok(buildah) => report.case("the_dockerfile_makes_this_root", || image.dockerfile(&buildah)),
        Err(why) => report.skip("the_dockerfile_makes_this_root", &format!("{why:#}")),
    }
    Ok(())
}

/// The image and how its starts are judged.
struct Image<'e> {
    environment: &'e Environment,
    root: Root,
}

impl Image<'_> {
    fn layout(&self) -> Result<()> {
        for folder in ["/opt/kafka/config", "/etc/kafka/secrets", "/mnt/shared/config", "/var/lib/kafka/data"]
        {
            ensure!(self.root.path(folder).is_dir(), "no folder {folder}");
        }
        for script in ["run", "configure", "configureDefaults", "launch", "bash-config"] {
            let mode = fs::metadata(self.root.path("/etc/kafka/docker").join(script))?.permissions().mode();
            ensure!(mode & 0o111 == 0o111, "{script} cannot be run: mode {mode:o}");
        }
        for tool in ["kafka-topics.sh", "kafka-topics", "kafka-console-consumer.sh", "kafka-server-start.sh"]
        {
            let target = fs::read_link(self.root.path("/opt/kafka/bin").join(tool)).context(tool)?;
            ensure!(target == Path::new("/usr/bin/ottla"), "{tool} is a link to {}", target.display());
        }
        let users = fs::read_to_string(self.root.path("/etc/passwd"))?;
        ensure!(users.lines().any(|line| line.starts_with("appuser:x:1000:1000:")), "{users}");
        Ok(())
    }

    /// Starts a broker with an empty data directory.
    fn start(&self, variables: &[(&str, &str)], words: &[&str]) -> Result<Running> {
        let data = self.root.path("/var/lib/kafka/data");
        for entry in fs::read_dir(&data)? {
            let path = entry?.path();
            if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
        }
        self.start_again(variables, words)
    }

    fn start_again(&self, variables: &[(&str, &str)], words: &[&str]) -> Result<Running> {
        let log = self.environment.out("container")?.join("broker.log");
        self.root.start(variables, words, &log)
    }

    /// A clean end of a broker that is the first process.
    fn stop(&self, mut broker: Running) -> Result<()> {
        let status = broker.terminate()?;
        ensure!(status.code() == Some(0), "ended with {status} on SIGTERM");
        ensure!(self.root.path("/var/lib/kafka/data/.kafka_cleanshutdown").exists(), "no clean shutdown");
        Ok(())
    }

    /// Runs one of Kafka's commands inside and returns what it prints.
    fn tool(&self, port: u16, words: &[&str], stdin: &str) -> Result<String> {
        let server = format!("localhost:{port}");
        let words = [words, &["--bootstrap-server", &server]].concat();
        Ok(self.root.run(&[], &words, stdin)?.success()?.stdout)
    }

    fn defaults(&self) -> Result<()> {
        let port = self.environment.port();
        let variables = Listeners::of(port);
        let variables = variables.variables();
        let mut broker = self.start(&variables, &[RUN])?;
        broker.wait_for(RUNNING)?;
        broker.wait_for(STARTED)?;
        let meta = fs::read_to_string(self.root.path("/var/lib/kafka/data/meta.properties"))?;
        ensure!(meta.contains("cluster.id=5L6g3nShT-eMCtK--X86sw"), "not the official image's id: {meta}");
        let create = ["--create", "--topic", "t", "--partitions", "3", "--replication-factor", "1"];
        let created = self.tool(port, &[&["kafka-topics.sh"], &create[..]].concat(), "")?;
        ensure!(created.contains("Created topic t."), "{created}");
        self.tool(port, &["kafka-console-producer.sh", "--topic", "t"], "hello\n")?;
        self.stop(broker)?;
        let mut broker = self.start_again(&variables, &[RUN])?;
        broker.wait_for(STARTED)?;
        let list = self.tool(port, &["/opt/kafka/bin/kafka-topics.sh", "--list"], "")?;
        ensure!(list.lines().any(|line| line == "t"), "{list}");
        let consume = ["--topic", "t", "--from-beginning", "--max-messages", "1"];
        let records = self.tool(port, &[&["kafka-console-consumer"], &consume[..]].concat(), "")?;
        ensure!(records == "hello\n", "{records}");
        self.stop(broker)
    }

    fn advertised_only(&self) -> Result<()> {
        let port = self.environment.port();
        let advertised = format!("PLAINTEXT://localhost:{port}");
        let mut broker = self.start(&[("KAFKA_ADVERTISED_LISTENERS", &advertised)], &[RUN])?;
        broker.wait_for(STARTED)?;
        ensure!(raw::serves_metadata(port), "nobody serves port {port}");
        self.stop(broker)
    }

    fn mounted_file(&self) -> Result<()> {
        let port = self.environment.port();
        let file = self.root.path("/mnt/shared/config/server.properties");
        fs::write(
            &file,
            format!(
                "listeners=PLAINTEXT://localhost:{port}\nnum.partitions=5\n\
                 offsets.topic.replication.factor=1\nlog.retention.hours=7\n"
            ),
        )?;
        let mut broker = self.start(&[("KAFKA_NUM_PARTITIONS", "6")], &[RUN])?;
        broker.wait_for(STARTED)?;
        fs::remove_file(file)?;
        self.tool(port, &["kafka-topics.sh", "--create", "--topic", "t"], "")?;
        let described = self.tool(port, &["kafka-topics.sh", "--describe", "--topic", "t"], "")?;
        ensure!(described.contains("PartitionCount: 6"), "{described}");
        let settings =
            ["kafka-configs.sh", "--describe", "--entity-type", "topics", "--entity-name", "t", "--all"];
        let settings = self.tool(port, &settings, "")?;
        ensure!(settings.contains("retention.ms=25200000"), "{settings}");
        self.stop(broker)
    }

    fn arguments(&self) -> Result<()> {
        let port = self.environment.port();
        let listeners = format!("KAFKA_LISTENERS=PLAINTEXT://localhost:{port}");
        let mut broker = self.start(&[], &[RUN, &listeners, "CLUSTER_ID=AAAAAAAAQACAAAAAAAAAAQ"])?;
        broker.wait_for(STARTED)?;
        let cluster = self.tool(port, &["kafka-cluster.sh", "cluster-id"], "")?;
        ensure!(cluster.contains("AAAAAAAAQACAAAAAAAAAAQ"), "{cluster}");
        self.stop(broker)
    }

    fn bad_starts(&self) -> Result<()> {
        let port = self.environment.port();
        let listeners = format!("PLAINTEXT://localhost:{port}");
        for (variables, expect) in [
            (
                [("KAFKA_PROCESS_ROLES", "controller"), ("KAFKA_ADVERTISED_LISTENERS", &*listeners)],
                "KAFKA_ADVERTISED_LISTENERS",
            ),
            ([("KAFKA_NUM_PARTITIONS", "many"), ("KAFKA_LISTENERS", &*listeners)], "KAFKA_NUM_PARTITIONS"),
        ] {
            let output = self.root.run(&variables, &[RUN], "")?;
            ensure!(output.code == 1, "exit code {}", output.code);
            ensure!(output.stderr.contains(expect), "{}", output.stderr);
            ensure!(output.stderr.contains("  → "), "no fix is named: {}", output.stderr);
        }
        Ok(())
    }

    /// A shell waits for a script that is copied in when the port on the host is known.
    fn testcontainers_java(&self) -> Result<()> {
        let ports = Listeners::of(self.environment.port()).with_broker_and_controller(self.environment);
        let script = self.root.path("/tmp/testcontainers_start.sh");
        let wait =
            "while [ ! -f /tmp/testcontainers_start.sh ]; do sleep 0.1; done; /tmp/testcontainers_start.sh";
        let variables = [
            &ports.variables()[..],
            &[
                ("CLUSTER_ID", "4L6g3nShT-eMCtK--X86sw"),
                ("KAFKA_NODE_ID", "1"),
                ("KAFKA_LOG_FLUSH_INTERVAL_MESSAGES", "9223372036854775807"),
                ("KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR", "1"),
            ],
        ]
        .concat();
        let broker = self.start(&without_advertised(&variables), &["sh", "-c", wait])?;
        write_script(&script, &format!("#!/bin/bash\nexport {}\n{RUN}\n", ports.advertised_assignment()))?;
        self.serves_and_ends(broker, ports.port)?;
        fs::remove_file(script).context("remove the script")
    }

    /// The script is written by a shell inside, and made executable by the one that waits for it.
    fn testcontainers_rust(&self) -> Result<()> {
        let ports = Listeners::of(self.environment.port()).with_broker_and_controller(self.environment);
        let script = "/opt/kafka/testcontainers_start.sh";
        let wait = format!("while [ ! -f {script} ]; do sleep 0.1; done; chmod 755 {script} && {script}");
        let variables =
            [&ports.variables()[..], &[("CLUSTER_ID", "5L6g3nShT-eMCtK--X86sw"), ("KAFKA_BROKER_ID", "1")]]
                .concat();
        let broker = self.start(&variables, &["bash", "-c", &wait])?;
        let assignment = ports.advertised_assignment();
        let write = format!("echo '#!/usr/bin/env bash\\nexport {assignment}\\n{RUN}\\n' > {script}.new");
        self.root.run(&[], &["sh", "-c", &write], "")?.success()?;
        // In one step: the shell that waits must not run half a script.
        fs::rename(self.root.path(&format!("{script}.new")), self.root.path(script))?;
        self.serves_and_ends(broker, ports.port)
    }

    /// Made for Confluent's image: `configure` gets a line that formats the data directory, and is run before `launch`.
    fn testcontainers_go(&self) -> Result<()> {
        let ports = Listeners::of(self.environment.port()).with_broker_and_controller(self.environment);
        let script = self.root.path("/tmp/start.sh");
        let wait = "while [ ! -f /tmp/start.sh ]; do sleep 0.1; done; bash /tmp/start.sh";
        let all = ports.variables();
        let variables = [
            &all[..],
            &[("KAFKA_BROKER_ID", "1"), ("KAFKA_NODE_ID", "1"), ("KAFKA_REST_BOOTSTRAP_SERVERS", "x:1")],
        ]
        .concat();
        let broker = self.start(&without_advertised(&variables), &["sh", "-c", wait])?;
        let confluent = "/etc/confluent/docker";
        let text = format!(
            "#!/bin/bash\nsource {confluent}/bash-config\nexport {}\n\
             sed -i '/KAFKA_ZOOKEEPER_CONNECT/d' {confluent}/configure\n\
             echo 'kafka-storage format --ignore-formatted -t \"$(kafka-storage random-uuid)\" \
             -c /etc/kafka/kafka.properties' >> {confluent}/configure\n\
             echo '' > {confluent}/ensure\n{confluent}/configure\n{confluent}/launch\n",
            ports.advertised_assignment()
        );
        write_script(&script, &text)?;
        self.serves_and_ends(broker, ports.port)
    }

    fn serves_and_ends(&self, mut broker: Running, port: u16) -> Result<()> {
        broker.wait_for(RUNNING)?;
        broker.wait_for(STARTED)?;
        let created = self.tool(port, &["kafka-topics", "--create", "--topic", "t"], "")?;
        ensure!(created.contains("Created topic t."), "{created}");
        // Shells end by the signal; the broker, their child, ends in its own time.
        broker.terminate()?;
        wait_for_file(&self.root.path("/var/lib/kafka/data/.kafka_cleanshutdown"))
    }

    /// Builds the Dockerfile on images of this machine's own programs, a `cargo` that copies among them, and starts
    /// what comes out.
    fn dockerfile(&self, buildah: &Buildah) -> Result<()> {
        let debian = Root::base(&buildah.directory.join("debian"))?;
        debian.add_libraries_of(&self.environment.ottla)?;
        buildah.commit(&debian, "docker.io/library/debian:bookworm-slim")?;
        let rust = Root::base(&buildah.directory.join("rust"))?;
        rust.add(&self.environment.ottla, "prebuilt")?;
        write_script(
            &rust.path("/usr/bin/cargo"),
            "#!/bin/sh\nmkdir -p target/release && cp /usr/bin/prebuilt target/release/ottla\n",
        )?;
        buildah.commit(&rust, "docker.io/library/rust:1.95-bookworm")?;
        let context = self.environment.repository.to_string_lossy();
        buildah.run(&[
            "build",
            "--isolation",
            "chroot",
            "--pull=never",
            "--format",
            "docker",
            "-t",
            "ottla",
            &context,
        ])?;
        let container = buildah.run(&["from", "--pull=never", "ottla"])?;
        let inspected = buildah.run(&["inspect", "--type", "image", "ottla"])?;
        let inspected: serde_json::Value = serde_json::from_str(&inspected)?;
        let config = &inspected["Docker"]["config"];
        ensure!(config["User"] == "appuser" && config["Cmd"][0] == RUN, "{config}");
        ensure!(config["ExposedPorts"].get("9092/tcp").is_some(), "{config}");
        ensure!(config["Volumes"].get("/var/lib/kafka/data").is_some(), "{config}");
        let mounted = buildah.run(&["mount", &container])?;
        let built = Image { environment: self.environment, root: Root::of(mounted.into()) };
        built.layout()?;
        built.advertised_only()
    }
}

/// The listeners that a broker is told.
struct Listeners {
    port: u16,
    listeners: String,
    advertised: String,
    voters: Option<String>,
}

impl Listeners {
    fn of(port: u16) -> Listeners {
        Listeners {
            port,
            listeners: format!("PLAINTEXT://0.0.0.0:{port}"),
            advertised: format!("PLAINTEXT://localhost:{port}"),
            voters: None,
        }
    }

    /// As test containers have them: one for the host, one for containers, one for the controller.
    fn with_broker_and_controller(mut self, environment: &Environment) -> Listeners {
        let (broker, controller) = (environment.port(), environment.port());
        self.listeners += &format!(",BROKER://0.0.0.0:{broker},CONTROLLER://0.0.0.0:{controller}");
        self.advertised += &format!(",BROKER://localhost:{broker}");
        self.voters = Some(format!("1@localhost:{controller}"));
        self
    }

    fn variables(&self) -> Vec<(&str, &str)> {
        let mut variables = vec![
            ("KAFKA_LISTENERS", self.listeners.as_str()),
            ("KAFKA_ADVERTISED_LISTENERS", self.advertised.as_str()),
        ];
        if let Some(voters) = &self.voters {
            variables.extend([
                ("KAFKA_CONTROLLER_QUORUM_VOTERS", voters.as_str()),
                (
                    "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP",
                    "BROKER:PLAINTEXT,PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
                ),
                ("KAFKA_INTER_BROKER_LISTENER_NAME", "BROKER"),
                ("KAFKA_PROCESS_ROLES", "broker,controller"),
                ("KAFKA_CONTROLLER_LISTENER_NAMES", "CONTROLLER"),
            ]);
        }
        variables
    }

    fn advertised_assignment(&self) -> String {
        format!("KAFKA_ADVERTISED_LISTENERS={}", self.advertised)
    }
}

/// The variables of a container whose port on the host is not known yet.
fn without_advertised<'a>(variables: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    variables.iter().filter(|(name, _)| *name != "KAFKA_ADVERTISED_LISTENERS").copied().collect()
}

/// Writes an executable script in one step.
fn write_script(path: &Path, text: &str) -> Result<()> {
    let unfinished = path.with_extension("new");
    fs::write(&unfinished, text)?;
    fs::set_permissions(&unfinished, fs::Permissions::from_mode(0o755))?;
    fs::rename(unfinished, path)?;
    Ok(())
}

/// buildah with a store of its own.
struct Buildah {
    directory: PathBuf,
}

/// How long one of its steps may take.
const BUILDAH_LIMIT: Duration = Duration::from_secs(120);

/// buildah, where it is installed and may be used.
fn buildah(directory: &Path) -> Result<Buildah> {
    ensure!(is_root(), "buildah mounts images for root only");
    let buildah = Buildah { directory: directory.to_path_buf() };
    fs::create_dir_all(&buildah.directory)?;
    let container =
        buildah.run(&["from", "scratch"]).context("buildah (Debian package buildah) is not usable here")?;
    buildah.run(&["rm", &container])?;
    Ok(buildah)
}

impl Buildah {
    fn run(&self, words: &[&str]) -> Result<String> {
        let mut command = Command::new("buildah");
        command.args(["--storage-driver", "vfs", "--root"]).arg(self.directory.join("store"));
        command.arg("--runroot").arg(self.directory.join("run")).args(words);
        Ok(process::run(&mut command, b"", BUILDAH_LIMIT)?.success()?.stdout.trim().to_owned())
    }

    /// Makes an image of a root.
    fn commit(&self, root: &Root, name: &str) -> Result<()> {
        let container = self.run(&["from", "scratch"])?;
        self.run(&["copy", &container, &root.path("/").to_string_lossy(), "/"])?;
        self.run(&["commit", &container, name])?;
        self.run(&["rm", &container])?;
        Ok(())
    }
}
