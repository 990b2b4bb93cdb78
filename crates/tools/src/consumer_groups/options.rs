//! The options of `kafka-consumer-groups` and which of them go together.

use ottla_client::Properties;

use crate::admin::{Admin, Bootstrap};
use crate::context::Context;
use crate::failure::{Exception, Failure};
use crate::options::{Arguments, Opt, OptionError};

pub(super) const TABLE: &[Opt] = &[
    Opt::text(
        "bootstrap-server",
        "server to connect to",
        "Brokers to start from: host:port,host:port. Required but with --validate-regex.",
    ),
    Opt::text("group", "consumer group", "The group; may be given more than once."),
    Opt::text(
        "topic",
        "topic",
        "A topic, for --reset-offsets and --delete-offsets; may be given more than once. Some of its partitions: \
         topic:0,1,2.",
    ),
    Opt::flag("all-topics", "All topics for which the group has committed, for --reset-offsets."),
    Opt::flag("list", "Print the ids of all groups of consumers."),
    Opt::flag("describe", "Print what a group has committed and how far it is behind, or its members, or its state."),
    Opt::flag("all-groups", "All groups of consumers instead of --group."),
    Opt::flag("delete", "Delete groups that have no members, with all they committed."),
    Opt::long("timeout", "timeout (ms)", "How long to wait for the cluster.").or("30000"),
    Opt::text("command-config", "command config property file", "A file with settings for the client, key=value."),
    Opt::flag(
        "reset-offsets",
        "Set what a group without members has committed. To which offsets is said by one of --to-datetime, \
         --by-duration, --to-earliest, --to-latest, --shift-by, --from-file, --to-current, --to-offset; for which \
         partitions by --all-topics or --topic, but for --from-file. With --dry-run, or without --execute, the new \
         offsets are only printed; --export prints them as CSV.",
    ),
    Opt::flag("delete-offsets", "Delete what a group has committed for topics that it is not subscribed to."),
    Opt::flag("dry-run", "Print what would be done, for --reset-offsets."),
    Opt::flag("execute", "Do it, for --reset-offsets."),
    Opt::flag("export", "Print CSV, for --reset-offsets."),
    Opt::long("to-offset", "offset", "To this offset."),
    Opt::text("from-file", "path to CSV file", "To the offsets in this file, as --export prints them."),
    Opt::text("to-datetime", "datetime", "To the first records at or after this time: YYYY-MM-DDThh:mm:ss.sss"),
    Opt::text("by-duration", "duration", "To the first records that are younger than this: PnDTnHnMnS"),
    Opt::flag("to-earliest", "To the start of the log."),
    Opt::flag("to-latest", "To the end of the log."),
    Opt::flag("to-current", "To what is committed now."),
    Opt::long("shift-by", "number-of-offsets", "By this many records forwards, or, if negative, backwards."),
    Opt::flag("members", "Describe the group's members.").available_with(&["describe"]),
    Opt::flag("verbose", "Describe with more columns.").available_with(&["describe"]),
    Opt::flag("offsets", "Describe the group's offsets; this is what --describe does by itself.")
        .available_with(&["describe"]),
    Opt::optional_text(
        "state",
        "",
        "With --describe: the group's state. With --list: the states of all groups, or only groups in these states, \
         such as stable,empty.",
    )
    .available_with(&["describe", "list"]),
    Opt::optional_text(
        "type",
        "",
        "With --list: the types of all groups, or only groups of these types, such as classic,consumer.",
    )
    .available_with(&["list"]),
    Opt::text("validate-regex", "regex", "Whether a regular expression is valid where RE2's syntax is asked for."),
];

const ABOUT: &str =
    "List and describe groups of consumers, set or delete what they have committed, delete groups.";
const SCENARIOS: [&str; 8] = [
    "to-offset",
    "to-datetime",
    "by-duration",
    "to-earliest",
    "to-latest",
    "to-current",
    "shift-by",
    "from-file",
];

/// The cluster that is meant.
pub(super) fn admin(arguments: &Arguments) -> Result<Admin, Failure> {
    let timeout: i64 = arguments.number("timeout")?.expect("it has a default");
    let servers = arguments.text("bootstrap-server")?.expect("its presence has been checked");
    // The original reads these numbers here, whatever the action is.
    first_number(arguments, "to-offset")?;
    arguments.number::<i64>("shift-by")?;
    let properties = Properties::default().with("default.api.timeout.ms", timeout.to_string());
    let admin = Admin::open_with(Bootstrap::Server(servers), arguments.text("command-config")?, properties);
    let is_io = |error: &Exception| error.class.starts_with("java.");
    Ok(admin
        .map_err(|error| if is_io(&error) { error.wrapped("java.lang.RuntimeException") } else { error })?)
}

/// The first value of an option that may be repeated, as a number. All its values have to be numbers.
pub(super) fn first_number(arguments: &Arguments, name: &'static str) -> Result<Option<i64>, OptionError> {
    let parse = |value: &str| {
        value.parse().map_err(|_| OptionError::Unparsable { option: name, value: value.to_string() })
    };
    let numbers = arguments.texts(name).into_iter().map(parse).collect::<Result<Vec<i64>, OptionError>>()?;
    Ok(numbers.first().copied())
}

/// Complains about what does not go together, in the order and words of the original.
pub(super) fn check(arguments: &Arguments, cx: &mut Context<'_>) -> Result<(), Failure> {
    arguments.answer_help(cx, ABOUT)?;
    if !arguments.has("validate-regex") {
        arguments.require(cx, &["bootstrap-server"])?;
    }
    check_describe(arguments, cx)?;
    let has_group = arguments.has("group") || arguments.has("all-groups");
    if arguments.has("delete") {
        if !has_group {
            return Err(
                arguments.usage(cx, "Option [delete] takes one of these options: [group], [all-groups]")
            );
        }
        if arguments.has("topic") {
            let message =
                "The consumer does not support topic-specific offset deletion from a consumer group.";
            return Err(arguments.usage(cx, message));
        }
    }
    if arguments.has("delete-offsets") && (!arguments.has("group") || !arguments.has("topic")) {
        return Err(
            arguments.usage(cx, "Option [delete-offsets] takes the following options: [group], [topic]")
        );
    }
    check_reset(arguments, cx, has_group)?;
    arguments.exclude(cx, "group", &["all-groups"])?;
    arguments.exclude(cx, "group", &["list"])?;
    arguments.exclude(cx, "topic", &["list", "describe"])?;
    const ACTIONS: [&str; 6] =
        ["list", "describe", "delete", "reset-offsets", "delete-offsets", "validate-regex"];
    if ACTIONS.iter().filter(|action| arguments.has(action)).count() != 1 {
        let message = format!("Command must include exactly one action: --{}", ACTIONS.join(", --"));
        return Err(arguments.usage(cx, &message));
    }
    Ok(())
}

fn check_describe(arguments: &Arguments, cx: &mut Context<'_>) -> Result<(), Failure> {
    if !arguments.has("describe") {
        return Ok(());
    }
    if !arguments.has("group") && !arguments.has("all-groups") {
        return Err(
            arguments.usage(cx, "Option [describe] takes one of these options: [group], [all-groups]")
        );
    }
    if ["members", "offsets", "state"].iter().filter(|what| arguments.has(what)).count() > 1 {
        let message = "Option [describe] takes at most one of these options: [members], [offsets], [state]";
        return Err(arguments.usage(cx, message));
    }
    if arguments.text("state")?.is_some() {
        return Err(arguments.usage(cx, "Option [describe] does not take a value for [state]"));
    }
    Ok(())
}

fn check_reset(arguments: &Arguments, cx: &mut Context<'_>, has_group: bool) -> Result<(), Failure> {
    if !arguments.has("reset-offsets") {
        return Ok(());
    }
    match (arguments.has("dry-run"), arguments.has("execute")) {
        (true, true) => {
            return Err(
                arguments.usage(cx, "Option [reset-offsets] only accepts one of [execute] and [dry-run]")
            );
        }
        (false, false) => writeln!(
            cx.err,
            "WARN: No action will be performed as the --execute option is missing. In version 5.0, this command will \
             require either --dry-run or --execute to be specified. You should add the --dry-run option explicitly if \
             you are scripting this command and want to keep the current default behavior without prompting."
        )?,
        _ => {}
    }
    if !has_group {
        return Err(
            arguments.usage(cx, "Option [reset-offsets] takes one of these options: [group], [all-groups]")
        );
    }
    for scenario in SCENARIOS {
        let others: Vec<&str> = SCENARIOS.into_iter().filter(|other| *other != scenario).collect();
        arguments.exclude(cx, scenario, &others)?;
    }
    Ok(())
}

/// What to say when no scenario was given.
pub(super) fn no_scenario(arguments: &Arguments, cx: &mut Context<'_>) -> Failure {
    let scenarios: Vec<String> = SCENARIOS.iter().map(|scenario| format!("[{scenario}]")).collect();
    let message = format!(
        "Option '[reset-offsets]' requires one of the following scenarios: [{}]",
        scenarios.join(", ")
    );
    arguments.usage(cx, &message)
}

/// The group states of `--state`; what is none is complained about.
pub(super) fn states(arguments: &Arguments) -> Result<Vec<&'static str>, Failure> {
    const STATES: [&str; 7] =
        ["PreparingRebalance", "CompletingRebalance", "Stable", "Dead", "Empty", "Assigning", "Reconciling"];
    choices(arguments.text("state")?, &STATES, "state", "states")
}

/// The group types of `--type`.
pub(super) fn types(arguments: &Arguments) -> Result<Vec<&'static str>, Failure> {
    const TYPES: [&str; 2] = ["Classic", "Consumer"];
    choices(arguments.text("type")?, &TYPES, "types", "types")
}

fn choices(
    text: Option<&str>,
    all: &[&'static str],
    one: &str,
    several: &str,
) -> Result<Vec<&'static str>, Failure> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for word in crate::java::split(text, ',') {
        match all.iter().find(|choice| choice.eq_ignore_ascii_case(word.trim())) {
            Some(choice) => found.push(*choice),
            None => {
                let text = format!("Invalid {one} list '{text}'. Valid {several} are: {}", all.join(", "));
                return Err(Exception::illegal_argument(text).into());
            }
        }
    }
    Ok(found)
}
