//! Short forms for people: `ottla produce t`, `ottla consume t`. Data goes to standard output, talk to standard error;
//! exit code 1 when something went wrong, 2 when the command line makes no sense.

pub(crate) mod consume;
mod format;
pub(crate) mod group;
pub(crate) mod log;
pub(crate) mod produce;
pub(crate) mod topic;
mod words;

use ottla_client::Properties;

use crate::admin::Admin;
use crate::context::Context;
use crate::failure::{Exception, Failure};
use crate::settings;
use words::{Flag, Usage, Words};

/// Flags that all short forms have.
const BOOTSTRAP: Flag = Flag {
    short: 'b',
    long: "bootstrap",
    value: "SERVERS",
    help: "brokers to start from; OTTLA_BOOTSTRAP, or else localhost:9092",
};
const SETTING: Flag = Flag {
    short: 'X',
    long: "set",
    value: "KEY=VALUE",
    help: "a setting of Kafka's clients, such as isolation.level=read_committed",
};
const CONFIG: Flag =
    Flag { short: 'F', long: "command-config", value: "FILE", help: "a file with such settings" };

/// Settings by the flags above.
fn properties(words: &Words) -> Result<Properties, Exception> {
    crate::log::show_warnings();
    let settings: Vec<&str> = words.all(&SETTING).collect();
    let mut properties = settings::from_file_and_arguments(words.last(&CONFIG), &settings)?;
    let environment = std::env::var("OTTLA_BOOTSTRAP").ok();
    if let Some(servers) = words.last(&BOOTSTRAP).or(environment.as_deref()) {
        properties.set("bootstrap.servers", servers);
    }
    properties.set_default("bootstrap.servers", "localhost:9092");
    properties.set_default("client.id", "ottla");
    // Somebody waits in front of it.
    properties.set_default("default.api.timeout.ms", "10000");
    properties.set_default("max.block.ms", "10000");
    Ok(properties)
}

/// Says what went wrong.
fn failed(cx: &mut Context<'_>, error: &dyn std::fmt::Display) -> i32 {
    cx.out.flush().ok();
    writeln!(cx.err, "error: {error}").ok();
    1
}

/// Runs one of a command's verbs, such as `ls` of `topic`.
fn run_verb(verbs: &[Verb], command: &str, words: &[String], cx: &mut Context<'_>) -> i32 {
    let verb = words.first().map_or("--help", String::as_str);
    if let Some(verb) = verbs.iter().find(|known| known.names.contains(&verb)) {
        return verb.run(&words[1..], cx);
    }
    if verb == "-h" || verb == "--help" {
        for verb in verbs {
            writeln!(cx.out, "{:<44} {}", format!("ottla {}", verb.usage.synopsis), verb.usage.about).ok();
        }
        return 0;
    }
    let names: Vec<&str> = verbs.iter().map(|verb| verb.names[0]).collect();
    writeln!(cx.err, "error: there is no `ottla {command} {verb}`\n  → {command} can {}", names.join(", "))
        .ok();
    2
}

/// A verb of a command.
struct Verb {
    /// All its spellings, the main one first.
    names: &'static [&'static str],
    usage: Usage,
    /// How many operands it needs, and what they are called.
    needs: Option<&'static str>,
    act: for<'a> fn(&'a Words, &'a Admin, &'a mut Context<'_>) -> Result<(), Failure>,
}

impl Verb {
    fn run(&self, words: &[String], cx: &mut Context<'_>) -> i32 {
        let words = match self.usage.read(words, cx) {
            Ok(words) => words,
            Err(code) => return code,
        };
        if let Some(what) = self.needs.filter(|_| words.operands.is_empty()) {
            return self.usage.complain(cx, &format!("name the {what}"));
        }
        let done = properties(&words).and_then(Admin::of).map_err(Failure::from);
        match done.and_then(|admin| (self.act)(&words, &admin, cx)) {
            Ok(()) => 0,
            Err(Failure::Exit(code)) => code,
            Err(Failure::Thrown(error)) => {
                failed(cx, &cause(&error).text());
                if let Some(fix) = fix(&error) {
                    writeln!(cx.err, "  → {fix}").ok();
                }
                1
            }
        }
    }
}

/// What is underneath, without what wraps it.
fn cause(error: &Exception) -> &Exception {
    error.cause.as_deref().map_or(error, cause)
}

/// What may help.
fn fix(error: &Exception) -> Option<&'static str> {
    let known = [
        ("DisconnectException", "is the broker running? `ottla` starts one; -b names another"),
        ("NoSuchTopic", "`ottla topic ls -a` lists the topics"),
        ("TopicExistsException", "`ottla topic describe` shows it"),
        ("NoSuchGroup", "`ottla group ls` lists the groups"),
        ("GroupIdNotFoundException", "`ottla group ls` lists the groups"),
        ("GroupNotEmptyException", "stop its members first"),
        ("ConfigException", "give host:port with -b"),
        ("InvalidReplicationFactorException", "ask for as many replicas as there are brokers at most"),
    ];
    let cause = cause(error);
    known.into_iter().find(|(class, _)| cause.is(class)).map(|(_, fix)| fix)
}
