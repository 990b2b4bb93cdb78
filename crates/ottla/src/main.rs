//! The one binary: a broker without arguments, a tool when it is called by a tool's name.

mod server;

use ottla_tools::{Context, dispatch};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args();
    let program = args.next().unwrap_or_default();
    let args: Vec<String> = args.collect();
    if let Some(tool) = dispatch::find_by_program(&program) {
        return dispatch::run(tool.name, &args).map_or(ExitCode::FAILURE, exit_code);
    }
    if dispatch::is_server_start(&program) {
        return server::run(&args);
    }
    let rest = |from: usize| args.get(from..).unwrap_or_default();
    match args.first().map(String::as_str) {
        None | Some("--ready-json" | "--override" | "--container") => server::run(&args),
        // `server start` is how Kafka's own script would read it.
        Some("server") if args.get(1).is_some_and(|arg| arg == "start") => server::run(rest(2)),
        Some("server") => server::run(rest(1)),
        Some("install-links") => install_links(rest(1)),
        Some("--help" | "-h" | "help") => help(),
        Some("--version") => {
            println!("ottla {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Some(command) => match dispatch::run(command, rest(1)) {
            Some(code) => exit_code(code),
            None => {
                eprintln!("error: `ottla {command}` is not a command\n  → `ottla --help` lists them");
                ExitCode::FAILURE
            }
        },
    }
}

fn install_links(args: &[String]) -> ExitCode {
    match std::env::current_exe() {
        Ok(program) => exit_code(Context::with_process(|cx| dispatch::install_links(args, &program, cx))),
        Err(error) => {
            eprintln!("error: this program does not know where it lies: {error}\n  → make the links by hand");
            ExitCode::FAILURE
        }
    }
}

fn help() -> ExitCode {
    println!("ottla [COMMAND [ARGUMENT]...]\n");
    println!("  without a command    start a broker on localhost:9092, with its data in ./ottla-data");
    let server = ("server", "start a broker: [server.properties] [--override key=value]... [--ready-json]");
    let links = ("install-links", "make links by the names of Kafka's tools: DIRECTORY | --list");
    let tools = dispatch::SHORT_FORMS.iter().chain(dispatch::TOOLS).map(|tool| (tool.name, tool.about));
    for (name, about) in [server].into_iter().chain(tools).chain([links]) {
        println!("  {name:<20} {about}");
    }
    println!("\nEach command tells its options by --help.");
    ExitCode::SUCCESS
}

fn exit_code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
