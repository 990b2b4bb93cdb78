//! The one binary: a broker without arguments, a tool when it is called by a tool's name.

mod server;

use ottla_tools::dispatch;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args();
    let program = args.next().unwrap_or_default();
    let args: Vec<String> = args.collect();
    if let Some(tool) = dispatch::find_by_program(&program) {
        return dispatch::run(tool.name, &args).map_or(ExitCode::FAILURE, exit_code);
    }
    let rest = |from: usize| args.get(from..).unwrap_or_default();
    match args.first().map(String::as_str) {
        None | Some("--ready-json" | "--override" | "--container") => server::run(&args),
        // `server start` is how Kafka's own script would read it.
        Some("server") if args.get(1).is_some_and(|arg| arg == "start") => server::run(rest(2)),
        Some("server") => server::run(rest(1)),
        Some(command) => match dispatch::run(command, rest(1)) {
            Some(code) => exit_code(code),
            None => {
                eprintln!("error: `ottla {command}` is not a command\n  → `ottla --help` lists them");
                ExitCode::FAILURE
            }
        },
    }
}

fn exit_code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
