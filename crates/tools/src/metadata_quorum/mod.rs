//! `kafka-metadata-quorum`: describes the quorum of the metadata log and changes its voters.

mod describe;
mod voters;

use crate::admin::Admin;
use crate::cluster::bootstrap;
use crate::context::Context;
use crate::failure::{Exception, Failure};
use crate::subcommands::{Flag, Group, Matches, Parser};

static PARSER: Parser = Parser {
    name: "kafka-metadata-quorum",
    about: "Tells about the quorum of the metadata log and changes its voters.",
    flags: &[
        Flag::text(&["--bootstrap-server"], "Brokers to start from: host:port,host:port.").in_group(0),
        Flag::text(&["--bootstrap-controller"], "Or controllers to start from.").in_group(0),
        Flag::text(
            &["--command-config"],
            "A file with settings for the client, key=value. For add-controller it is the configuration of the \
             controller.",
        ),
    ],
    groups: &[Group::Exclusive { required: true }],
    commands: &[
        Parser {
            name: "describe",
            about: "Print the state of the quorum.",
            flags: &[
                Flag::switch(
                    &["--status"],
                    "In short: who leads, how far the log is, who votes and who follows.",
                )
                .in_group(0),
                Flag::switch(&["--replication"], "One line for each node: how far it is.").in_group(1),
                Flag::switch(&["--human-readable"], "Times as how long ago they were.").in_group(1),
            ],
            groups: &[Group::Titled("Status"), Group::Titled("Replication")],
            commands: &[],
        },
        Parser {
            name: "add-controller",
            about: "Make a controller a voter.",
            flags: &[Flag::switch(&["--dry-run"], "Only say what would be done.")],
            groups: &[],
            commands: &[],
        },
        Parser {
            name: "remove-controller",
            about: "Take a voter out.",
            flags: &[
                Flag::integer(&["--controller-id", "-i"], "The number of the controller.").required(),
                Flag::text(&["--controller-directory-id", "-d"], "The id of its metadata directory.")
                    .required(),
                Flag::switch(&["--dry-run"], "Only say what would be done."),
            ],
            groups: &[],
            commands: &[],
        },
    ],
};

/// Runs the tool.
pub(crate) fn run(words: &[String], cx: &mut Context<'_>) -> i32 {
    match execute(words, cx) {
        Ok(()) => 0,
        Err(Failure::Exit(code)) => code,
        Err(Failure::Thrown(exception)) if exception.is("TerseException") => {
            writeln!(cx.err, "{}", exception.text()).ok();
            1
        }
        Err(Failure::Thrown(exception)) => {
            writeln!(cx.err, "{}\n{}", exception.text(), exception.trace()).ok();
            1
        }
    }
}

fn execute(words: &[String], cx: &mut Context<'_>) -> Result<(), Failure> {
    let matches = PARSER.parse(words, 0, cx)?;
    let config = matches.text("--command-config");
    if let Some(path) = config.filter(|path| !std::path::Path::new(path).exists()) {
        return Err(Exception::terse(format!("Properties file {path} does not exists!")).into());
    }
    let admin = Admin::open(bootstrap(&matches), config)?;
    crate::admin::block_on(act(&matches, &admin, cx))
}

async fn act(matches: &Matches, admin: &Admin, cx: &mut Context<'_>) -> Result<(), Failure> {
    match matches.command {
        "describe" => {
            let readable = matches.has("--human-readable");
            match (matches.has("--status"), matches.has("--replication")) {
                (true, true) => Err(Exception::terse(
                    "Only one of --status or --replication should be specified with describe sub-command",
                )
                .into()),
                (_, true) => describe::replication(admin, readable, cx).await,
                (true, _) if readable => Err(Exception::terse(
                    "The option --human-readable is only supported along with --replication",
                )
                .into()),
                (true, _) => describe::status(admin, cx).await,
                _ => Err(Exception::terse(
                    "One of --status or --replication must be specified with describe sub-command",
                )
                .into()),
            }
        }
        "add-controller" => {
            let config = matches.text("--command-config").ok_or_else(|| {
                Exception::terse(
                    "You must supply the configuration file of the controller you are adding when using \
                     add-controller.",
                )
            })?;
            voters::add(admin, config, matches.has("--dry-run"), cx).await
        }
        _ => voters::remove(admin, matches, cx).await,
    }
}
