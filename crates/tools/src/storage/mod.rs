//! `kafka-storage`: formats log directories before the first start and tells about them.

mod checkpoint;
mod features;
mod format;
mod info;
mod node;
mod voters;

use std::hash::{BuildHasher, RandomState};

use ottla_protocol::Uuid;

use crate::context::Context;
use crate::failure::Failure;
use crate::subcommands::{Flag, Group, Parser};

const CONFIG: Flag = Flag::text(&["--config", "-c"], "The configuration file of the node.").required();

static PARSER: Parser = Parser {
    name: "kafka-storage",
    about: "Formats log directories and tells about them.",
    flags: &[],
    groups: &[],
    commands: &[
        Parser {
            name: "info",
            about: "Tell about the log directories of a node.",
            flags: &[CONFIG],
            groups: &[],
            commands: &[],
        },
        Parser {
            name: "format",
            about: "Format the log directories of a node.",
            flags: &[
                CONFIG,
                Flag::text(&["--cluster-id", "-t"], "The id of the cluster.").required(),
                Flag::text(
                    &["--add-scram", "-S"],
                    "Credentials to begin with: SCRAM-SHA-256=[name=alice,password=secret]",
                ),
                Flag::switch(
                    &["--ignore-formatted", "-g"],
                    "Leave directories alone that are formatted already, and format the others.",
                ),
                Flag::text(
                    &["--release-version", "-r"],
                    "The release whose features the cluster begins with, from 3.3-IV3 on; 4.3-IV0 if absent.",
                ),
                Flag::text(
                    &["--feature", "-f"],
                    "The level that a feature begins with: feature=level; may be given more than once.",
                ),
                Flag::switch(
                    &["--standalone", "-s"],
                    "Make this controller the only voter of a quorum that can grow. Then controller.quorum.voters \
                     must not be set.",
                )
                .in_group(0),
                Flag::switch(
                    &["--no-initial-controllers", "-N"],
                    "Say nothing about voters: the quorum is there already, or others begin it.",
                )
                .in_group(0),
                Flag::text(
                    &["--initial-controllers", "-I"],
                    "The voters of a quorum that can grow, the same for all of its nodes: id@host:port:directory-id, \
                     with commas between them.",
                )
                .in_group(0),
            ],
            groups: &[Group::Exclusive { required: false }],
            commands: &[],
        },
        Parser {
            name: "version-mapping",
            about: "Print the levels of features that belong to a release.",
            flags: &[Flag::text(&["--release-version", "-r"], "The release, from 3.3-IV3 on; 4.3-IV0 if absent.")],
            groups: &[],
            commands: &[],
        },
        Parser {
            name: "feature-dependencies",
            about: "Print which features a level of a feature needs.",
            flags: &[Flag::text(
                &["--feature", "-f"],
                "The feature and its level: feature=level; may be given more than once.",
            )
            .required()],
            groups: &[],
            commands: &[],
        },
        Parser { name: "random-uuid", about: "Print a random id.", flags: &[], groups: &[], commands: &[] },
    ],
};

/// Runs the tool.
pub(crate) fn run(words: &[String], cx: &mut Context<'_>) -> i32 {
    match execute(words, cx) {
        Ok(code) => code,
        Err(Failure::Exit(code)) => code,
        Err(Failure::Thrown(exception)) if exception.is("TerseException") => {
            cx.out.flush().ok();
            writeln!(cx.err, "{}", exception.text()).ok();
            1
        }
        Err(Failure::Thrown(exception)) => exception.uncaught(cx),
    }
}

fn execute(words: &[String], cx: &mut Context<'_>) -> Result<i32, Failure> {
    let matches = PARSER.parse(words, 0, cx)?;
    match matches.command {
        "info" => info::run(&node::read(&matches, cx)?, cx),
        "format" => format::run(&matches, &node::read(&matches, cx)?, cx).map(|()| 0),
        "version-mapping" => features::version_mapping(matches.text("--release-version"), cx).map(|()| 0),
        "feature-dependencies" => features::dependencies(&matches.texts("--feature"), cx).map(|()| 0),
        _ => {
            writeln!(cx.out, "{}", random_uuid())?;
            Ok(0)
        }
    }
}

/// A new id, with the version and variant bits of a random UUID.
pub(crate) fn random_uuid() -> Uuid {
    // The keys of a new hasher come from the system's generator.
    let half = || RandomState::new().hash_one(std::process::id()).to_be_bytes();
    loop {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&half());
        bytes[8..].copy_from_slice(&half());
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        if let Some(id) = Uuid::from_random(bytes) {
            return id;
        }
    }
}
