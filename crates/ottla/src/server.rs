//! `ottla server [server.properties] [--override key=value]… [--ready-json] [--container]`: starts the broker and stays
//! until a signal ends it.

use ottla_broker::node::{Node, Ready};
use ottla_config::{Inputs, StartError, load};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// What the command line says.
#[derive(Debug, Default, PartialEq)]
struct Arguments {
    file: Option<String>,
    overrides: Vec<String>,
    ready_json: bool,
    container: bool,
}

/// Runs the command to its end.
pub(crate) fn run(args: &[String]) -> ExitCode {
    match parse(args).and_then(|arguments| serve(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}\n  → {}", error.cause, error.fix);
            ExitCode::FAILURE
        }
    }
}

fn parse(args: &[String]) -> Result<Arguments, StartError> {
    let mut arguments = Arguments::default();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        match arg.as_str() {
            "--override" => {
                arguments.overrides.push(rest.next().cloned().ok_or_else(|| {
                    StartError::new("--override has no value", "write --override key=value")
                })?)
            }
            "--ready-json" => arguments.ready_json = true,
            "--container" => arguments.container = true,
            option if option.starts_with("--override=") => {
                arguments.overrides.push(option["--override=".len()..].to_owned());
            }
            option if option.starts_with('-') => {
                return Err(StartError::new(
                    format!("{option} is not an option of `ottla server`"),
                    "use: ottla server [server.properties] [--override key=value]... [--ready-json]",
                ));
            }
            file if arguments.file.is_none() => arguments.file = Some(file.to_owned()),
            file => {
                return Err(StartError::new(
                    format!("a second configuration file, {file}, was given"),
                    "put everything into one file, or use --override",
                ));
            }
        }
    }
    Ok(arguments)
}

fn serve(arguments: &Arguments) -> Result<(), StartError> {
    let started = ottla_broker::node::clock::now();
    init_logging(arguments.container);
    let text = match &arguments.file {
        Some(file) => Some((file.as_str(), read(file)?)),
        None => None,
    };
    let loaded = load(&Inputs {
        file: text.as_ref().map(|(name, text)| (*name, text.as_str())),
        environment: std::env::vars().filter(|(name, _)| name.starts_with("KAFKA_")).collect(),
        overrides: arguments.overrides.clone(),
        in_container: arguments.container,
    })?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        StartError::new(format!("no event loop: {error}"), "look at the process's limits")
    })?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(no_signals)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signals)?;
        let (mut node, ready) = Node::start(loaded).await?;
        announce(arguments, &ready, started);
        let failed = tokio::select! {
            _ = terminate.recv() => None,
            _ = interrupt.recv() => None,
            failure = node.run() => Some(failure),
        };
        node.stop().await;
        match failed {
            None => Ok(()),
            Some(failure) => Err(failure),
        }
    })
}

fn no_signals(error: std::io::Error) -> StartError {
    StartError::new(format!("cannot listen to signals: {error}"), "look at the process's limits")
}

fn read(file: &str) -> Result<String, StartError> {
    std::fs::read_to_string(file).map_err(|error| {
        StartError::new(
            format!("cannot read {file}: {error}"),
            "give the path of a readable server.properties",
        )
    })
}

/// Says where it listens, in at most six lines, or in one line for programs.
fn announce(arguments: &Arguments, ready: &Ready, started: std::time::Instant) {
    let took_ms = started.elapsed().as_millis();
    let mut out = std::io::stdout().lock();
    // Nobody may be reading; the broker runs all the same.
    let said = if arguments.ready_json {
        let line = serde_json::json!({
            "ready": true,
            "bootstrap": ready.advertised.first(),
            "listeners": ready.listeners,
            "cluster_id": ready.cluster_id,
            "node_id": ready.node_id,
            "data": ready.data,
            "ms": took_ms,
        });
        writeln!(out, "{line}")
    } else {
        writeln!(
            out,
            "ottla {}  cluster {}  node {}\n  listens on  {}\n  clients use {}\n  data        {}\n\
             Kafka Server started in {took_ms} ms",
            env!("CARGO_PKG_VERSION"),
            ready.cluster_id,
            ready.node_id,
            ready.listeners.join(", "),
            ready.advertised.join(", "),
            ready.data.join(", "),
        )
    };
    said.and_then(|()| out.flush()).ok();
}

/// Logs go to standard error; in a container to standard output, where programs that start one look for Kafka's lines.
fn init_logging(in_container: bool) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("OTTLA_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter);
    if in_container {
        builder.with_ansi(std::io::stdout().is_terminal()).with_writer(std::io::stdout).init();
    } else {
        builder.with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr).init();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(args: &[&str], expected: Result<Arguments, &str>) {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        assert_eq!(parse(&args).map_err(|error| error.cause), expected.map_err(str::to_owned));
    }

    #[test]
    fn arguments_are_read_in_any_order() {
        let expected = Arguments {
            file: Some("a.properties".into()),
            overrides: vec!["node.id=2".into(), "log.dirs=/d".into()],
            ready_json: true,
            container: false,
        };
        let args = ["--override", "node.id=2", "a.properties", "--override=log.dirs=/d", "--ready-json"];
        check(&args, Ok(expected));
        check(&[], Ok(Arguments::default()));
    }

    #[test]
    fn what_is_not_an_argument_is_named() {
        check(&["--frobnicate"], Err("--frobnicate is not an option of `ottla server`"));
        check(&["a", "b"], Err("a second configuration file, b, was given"));
        check(&["--override"], Err("--override has no value"));
    }
}
