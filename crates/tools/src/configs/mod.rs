//! `kafka-configs`: describes and changes the settings of topics, brokers, groups and client metrics, and the quotas
//! and SCRAM credentials of users, clients and IP addresses.

mod changes;
mod entities;
mod options;
mod quotas;
mod resources;

use crate::context::Context;
use crate::failure::{Exception, Failure};
use crate::options::Arguments;

/// Runs the tool.
pub(crate) fn run(words: &[String], cx: &mut Context<'_>) -> i32 {
    match execute(words, cx) {
        Ok(()) => 0,
        Err(Failure::Exit(code)) => code,
        Err(Failure::Thrown(exception)) => {
            say(&exception, words, cx).ok();
            1
        }
    }
}

fn execute(words: &[String], cx: &mut Context<'_>) -> Result<(), Failure> {
    let arguments = Arguments::parse(options::TABLE, words)?;
    let entities = options::check(&arguments, cx)?;
    let admin = options::admin(&arguments)?;
    if arguments.has("alter") && entities.types.len() != entities.names.len() {
        return Err(
            Exception::illegal_argument("An entity name must be specified for every entity type").into()
        );
    }
    crate::admin::block_on(async {
        let is_quota = entities.types.iter().all(|kind| kind.has_quotas());
        match (is_quota, arguments.has("alter")) {
            (false, false) => resources::describe(&entities, arguments.has("all"), &admin, cx).await,
            (false, true) => resources::alter(&entities, &changes::of(&arguments)?, &admin).await,
            (true, false) => quotas::describe(&entities, &admin, cx).await,
            (true, true) => quotas::alter(&entities, &changes::of(&arguments)?, &admin).await,
        }
    })?;
    if arguments.has("alter") {
        let (kind, name) = (entities.types[0], entities.names[0].as_str());
        if name.is_empty() {
            writeln!(cx.out, "Completed updating default config for {} in the cluster.", kind.name())?;
        } else {
            writeln!(cx.out, "Completed updating config for {} {name}.", kind.singular())?;
        }
    }
    Ok(())
}

/// Mistakes of whoever called are said in a line; everything else with its trace.
fn say(exception: &Exception, words: &[String], cx: &mut Context<'_>) -> std::io::Result<()> {
    let is_mistake = exception.is_illegal_argument()
        || exception.class.starts_with("joptsimple.")
        || exception.is("InvalidConfigurationException")
        || exception.is("InvalidTopicException")
        || exception.is("UnsupportedVersionException");
    if is_mistake {
        return writeln!(cx.err, "{}", exception.text());
    }
    writeln!(cx.err, "Error while executing config command with args '{}'", words.join(" "))?;
    write!(cx.err, "{}", exception.trace())
}
