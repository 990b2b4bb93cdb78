//! Developer commands: `cargo xtask COMMAND`. Each command is one module with a `run(args)`.
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "a developer's command tells how long it really took")]

mod bench;
mod chaos;
mod codegen;
mod compat;
mod deny;
mod profile;
mod setup;
mod test;
mod tidy;

use std::process::ExitCode;

/// Name, what it does, and its entry point.
type Command = (&'static str, &'static str, fn(&[String]) -> anyhow::Result<()>);

const COMMANDS: &[Command] = &[
    ("test", "install what the tests need and run them: [--only SUITE,...] [--list]", test::run),
    (
        "bench",
        "measure Ottla beside Kafka and the floor: [--quick|--full] [--only NAME,...] [--rounds N] [--guard] | log | scaling",
        bench::run,
    ),
    ("profile", "where a broker's time goes under one of the benchmark's workloads: WORKLOAD", profile::run),
    ("chaos", "the log under faults, long: log [--seeds N] [--first SEED] [--broken]", chaos::run),
    ("compat", "write the lists of COMPAT.md anew", compat::run),
    ("deny", "check licences, bans, duplicates and sources of dependencies", deny::run),
    ("tidy", "check what no compiler checks", tidy::run),
    ("setup", "install what the tests need: clients, Kafka's jars", setup::run),
    ("codegen", "generate the message codecs from the schemas inside Kafka's jars", codegen::run),
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((_, _, run)) = COMMANDS.iter().find(|(name, ..)| args.first().is_some_and(|a| a == name)) else {
        eprintln!("cargo xtask COMMAND [ARGUMENT]...");
        for (name, what, _) in COMMANDS {
            eprintln!("  {name:<10} {what}");
        }
        return ExitCode::from(2);
    };
    match run(&args[1..]) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
