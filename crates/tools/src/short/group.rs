//! `ottla group ls|describe|rm`.

use super::words::{Flag, Usage, Words};
use super::{BOOTSTRAP, CONFIG, SETTING, Verb, run_verb};
use crate::admin::{Admin, block_on};
use crate::consumer_groups::describe::{Aspect, print};
use crate::consumer_groups::list::table;
use crate::context::Context;
use crate::failure::{Exception, Failure};

const MEMBERS: Flag =
    Flag { short: 'm', long: "members", value: "", help: "the members instead of the offsets" };
const STATE: Flag = Flag { short: 's', long: "state", value: "", help: "the state instead of the offsets" };
const VERBOSE: Flag = Flag { short: 'v', long: "verbose", value: "", help: "more columns" };

const VERBS: [Verb; 3] = [
    Verb {
        names: &["ls", "list"],
        usage: Usage {
            synopsis: "group ls [FLAG]...",
            about: "Lists the groups.",
            flags: &[&BOOTSTRAP, &SETTING, &CONFIG],
            notes: "",
        },
        needs: None,
        act: list,
    },
    Verb {
        names: &["describe", "show"],
        usage: Usage {
            synopsis: "group describe GROUP... [FLAG]...",
            about: "Tells what groups of consumers have committed, and how far they are behind.",
            flags: &[&MEMBERS, &STATE, &VERBOSE, &BOOTSTRAP, &SETTING, &CONFIG],
            notes: "",
        },
        needs: Some("group"),
        act: describe,
    },
    Verb {
        names: &["rm", "delete"],
        usage: Usage {
            synopsis: "group rm GROUP... [FLAG]...",
            about: "Deletes groups that have no members, with all they have committed.",
            flags: &[&BOOTSTRAP, &SETTING, &CONFIG],
            notes: "",
        },
        needs: Some("group"),
        act: remove,
    },
];

/// Runs the command.
pub(crate) fn run(words: &[String], cx: &mut Context<'_>) -> i32 {
    run_verb(&VERBS, "group", words, cx)
}

fn list(_: &Words, admin: &Admin, cx: &mut Context<'_>) -> Result<(), Failure> {
    let mut groups = block_on(admin.list_groups(&[], &[]))?;
    groups.sort_by(|a, b| a.id.cmp(&b.id));
    write!(cx.out, "{}", table(&groups, true, true))?;
    Ok(())
}

fn describe(words: &Words, admin: &Admin, cx: &mut Context<'_>) -> Result<(), Failure> {
    let aspect = match (words.has(&MEMBERS), words.has(&STATE)) {
        (true, _) => Aspect::Members,
        (_, true) => Aspect::State,
        _ => Aspect::Offsets,
    };
    block_on(print(&words.operands, aspect, words.has(&VERBOSE), admin, cx))
}

fn remove(words: &Words, admin: &Admin, cx: &mut Context<'_>) -> Result<(), Failure> {
    let mut failed = None;
    for (id, result) in block_on(admin.delete_groups(&words.operands))? {
        match result {
            Ok(()) => writeln!(cx.out, "Deleted group {id}.")?,
            Err(error) if error.is("GroupIdNotFoundException") => {
                failed = Some(Exception::new("NoSuchGroup", format!("there is no group {id}")));
            }
            Err(error) => {
                failed = Some(Exception { message: Some(format!("{id}: {}", error.text())), ..error })
            }
        }
    }
    failed.map_or(Ok(()), |error| Err(error.into()))
}
