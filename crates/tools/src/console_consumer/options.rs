//! The options of `kafka-console-consumer`.

use ottla_client::Properties;

use super::formatter::Formatter;
use crate::context::Context;
use crate::failure::{Exception, Failure};
use crate::java::{MapSize, hash_map_order, string_hash};
use crate::options::{Arguments, Opt};
use crate::settings::{self, Renamed};

const FORMATTER_PROPERTY: &str = "A setting of the formatter, key=value; may be given more than once.\n\
     print.timestamp=true|false\n\
     print.key=true|false\n\
     print.offset=true|false\n\
     print.epoch=true|false\n\
     print.partition=true|false\n\
     print.headers=true|false\n\
     print.value=true|false\n\
     key.separator=<text>\n\
     line.separator=<text>\n\
     headers.separator=<text>\n\
     null.literal=<text>\n\
     key.deserializer=<class>\n\
     value.deserializer=<class>\n\
     headers.deserializer=<class>";

const TABLE: &[Opt] = &[
    Opt::text("topic", "topic", "The topic to read."),
    Opt::text(
        "include",
        "Java regex (String)",
        "A regular expression; topics of a name that matches are read.",
    ),
    Opt::integer(
        "partition",
        "partition",
        "The one partition to read, from its end on if there is no --offset.",
    ),
    Opt::text("offset", "consume offset", "Where to begin: a number, earliest or latest.").or("latest"),
    Opt::text("consumer-property", "consumer_prop", "Deprecated: use --command-property."),
    Opt::text(
        "command-property",
        "consumer_prop",
        "A setting of the consumer, key=value; may be given more than once.",
    ),
    Opt::text("consumer.config", "config file", "Deprecated: use --command-config."),
    Opt::text(
        "command-config",
        "config file",
        "A file with settings of the consumer; --command-property counts more.",
    ),
    Opt::text("formatter", "class", "What prints a record.").or(Formatter::DEFAULT_CLASS),
    Opt::text("property", "prop", "Deprecated: use --formatter-property."),
    Opt::text("formatter-property", "prop", FORMATTER_PROPERTY),
    Opt::text(
        "formatter-config",
        "config file",
        "A file with settings of the formatter; --formatter-property counts more.",
    ),
    Opt::flag(
        "from-beginning",
        "Begin at the first record where the group has no offset, and not after the last one.",
    ),
    Opt::integer("max-messages", "num_messages", "After how many records to stop."),
    Opt::long("timeout-ms", "timeout_ms", "Stop when there is no record for so long."),
    Opt::flag("skip-message-on-error", "Go on after a record that cannot be printed."),
    Opt::text(
        "bootstrap-server",
        "server to connect to",
        "Required. Brokers to start from: host:port,host:port.",
    ),
    Opt::text("key-deserializer", "deserializer for keys", "The class that reads keys."),
    Opt::text("value-deserializer", "deserializer for values", "The class that reads values."),
    Opt::flag("enable-systest-events", "Print also when the tool has ended: for tests of Kafka's."),
    Opt::text(
        "isolation-level",
        "",
        "read_committed to see only records of committed transactions, read_uncommitted to see all.",
    )
    .or("read_uncommitted"),
    Opt::text("group", "consumer group id", "The group to read as a member of."),
];

const ABOUT: &str = "Print the records of topics to standard output.";

const CONFIG: Renamed = Renamed { old: "consumer.config", new: "command-config" };
const PROPERTY: Renamed = Renamed { old: "consumer-property", new: "command-property" };
const FORMATTER: Renamed = Renamed { old: "property", new: "formatter-property" };

/// What the command line says.
pub(super) struct Settings {
    pub(super) properties: Properties,
    pub(super) source: Source,
    pub(super) formatter: Formatter,
    /// Deserializers that were asked for and do not exist.
    pub(super) unknown_deserializers: Vec<String>,
    pub(super) max_messages: Option<u64>,
    pub(super) timeout_ms: Option<u64>,
    pub(super) skip_message_on_error: bool,
    pub(super) systest_events: bool,
}

/// What is read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Source {
    Topic(String),
    Include(String),
    Partition(String, i32, Start),
}

/// Where a partition is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    Earliest,
    Latest,
    At(i64),
}

/// Reads the command line; `random` is any number, for the name of a group.
pub(super) fn parse(words: &[String], random: u64, cx: &mut Context<'_>) -> Result<Settings, Failure> {
    let arguments = match Arguments::parse(TABLE, words) {
        Ok(arguments) => arguments,
        Err(error) => return Err(crate::options::usage(cx, TABLE, &error.to_string())),
    };
    arguments.answer_help(cx, ABOUT)?;
    check_required(&arguments, cx)?;
    for renamed in [PROPERTY, CONFIG] {
        renamed.check(&arguments, cx, renamed.old)?;
    }
    for renamed in [PROPERTY, CONFIG] {
        tell_deprecated(&arguments, cx, &renamed)?;
    }
    let properties = properties(&arguments, random, cx)?;
    let source = source(&arguments, cx)?;
    let timeout_ms = arguments.number::<i64>("timeout-ms")?.and_then(|ms| u64::try_from(ms).ok());
    let (formatter, unknown_deserializers) = formatter(&arguments, cx)?;
    Ok(Settings {
        properties,
        source,
        formatter,
        unknown_deserializers,
        // -1 is "no limit" to Kafka's tool, and any other negative number is a limit that is reached at once.
        max_messages: match arguments.number::<i32>("max-messages")? {
            None | Some(-1) => None,
            Some(count) => Some(u64::try_from(count).unwrap_or(0)),
        },
        timeout_ms,
        skip_message_on_error: arguments.has("skip-message-on-error"),
        systest_events: arguments.has("enable-systest-events"),
    })
}

fn check_required(arguments: &Arguments, cx: &mut Context<'_>) -> Result<(), Failure> {
    arguments.require_one_of(cx, &["topic", "include"])?;
    let complaint = if arguments.number::<i32>("partition")?.is_some() {
        if !arguments.has("topic") {
            Some("The topic is required when partition is specified.")
        } else if arguments.has("from-beginning") && arguments.has("offset") {
            Some("Options from-beginning and offset cannot be specified together.")
        } else {
            None
        }
    } else {
        arguments.has("offset").then_some("The partition is required when offset is specified.")
    };
    match complaint {
        Some(complaint) => Err(arguments.usage(cx, complaint)),
        None => arguments.require(cx, &["bootstrap-server"]),
    }
}

fn tell_deprecated(arguments: &Arguments, cx: &mut Context<'_>, renamed: &Renamed) -> Result<(), Failure> {
    let Renamed { old, new } = renamed;
    if arguments.has(old) {
        let text = format!(
            "Option --{old} is deprecated and will be removed in a future version. Use --{new} instead."
        );
        writeln!(cx.out, "{text}")?;
    }
    Ok(())
}

fn properties(arguments: &Arguments, random: u64, cx: &mut Context<'_>) -> Result<Properties, Failure> {
    let file = arguments.text(CONFIG.given(arguments))?;
    let from_file = settings::from_file_and_arguments(file, &[])?;
    let own = settings::key_values(&arguments.texts(PROPERTY.given(arguments)));
    let group = group_id(arguments, &from_file, &own, cx)?;
    let mut properties = from_file;
    properties.extend(own.iter());
    set_offset_reset(arguments, &mut properties, cx)?;
    properties.set("bootstrap.servers", arguments.text("bootstrap-server")?.unwrap_or_default());
    properties.set_default("client.id", "console-consumer");
    settings::merge(&mut properties, "isolation.level", arguments, "isolation-level")?;
    match group {
        Some(group) => properties.set("group.id", group),
        None => {
            properties.set("group.id", format!("console-consumer-{}", random % 100_000));
            // Nobody will ever ask for the offsets of a group of that name again.
            properties.set_default("enable.auto.commit", "false");
        }
    }
    Ok(properties)
}

/// The group may be named in several places, but then by one name.
fn group_id(
    arguments: &Arguments,
    from_file: &Properties,
    own: &Properties,
    cx: &mut Context<'_>,
) -> Result<Option<String>, Failure> {
    let mut names: Vec<String> = Vec::new();
    let places = [arguments.text("group")?, from_file.get("group.id"), own.get("group.id")];
    for name in places.into_iter().flatten() {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    if names.len() > 1 {
        let names = hash_map_order(names, MapSize::Default, |name| string_hash(name));
        let names: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
        let text = format!(
            "The group ids provided in different places (directly using '--group', via '--consumer-property', or via \
             '--consumer.config') do not match. Detected group ids: {}",
            names.join(", ")
        );
        return Err(arguments.usage(cx, &text));
    }
    if !names.is_empty() && arguments.has("partition") {
        return Err(arguments.usage(cx, "Options group and partition cannot be specified together."));
    }
    Ok(names.pop())
}

fn set_offset_reset(
    arguments: &Arguments,
    properties: &mut Properties,
    cx: &mut Context<'_>,
) -> Result<(), Failure> {
    const KEY: &str = "auto.offset.reset";
    let from_beginning = arguments.has("from-beginning");
    match properties.get(KEY) {
        Some(reset) if from_beginning && reset != "earliest" => {
            writeln!(
                cx.err,
                "Can't simultaneously specify --from-beginning and '{KEY}={reset}', please remove one option"
            )?;
            Err(Failure::Exit(1))
        }
        Some(_) => Ok(()),
        None => {
            properties.set(KEY, if from_beginning { "earliest" } else { "latest" });
            Ok(())
        }
    }
}

fn source(arguments: &Arguments, cx: &mut Context<'_>) -> Result<Source, Failure> {
    let start = start(arguments, cx)?;
    let Some(topic) = arguments.text("topic")? else {
        return Ok(Source::Include(arguments.text("include")?.unwrap_or_default().to_owned()));
    };
    Ok(match arguments.number("partition")? {
        Some(partition) => Source::Partition(topic.to_owned(), partition, start),
        None => Source::Topic(topic.to_owned()),
    })
}

fn start(arguments: &Arguments, cx: &mut Context<'_>) -> Result<Start, Failure> {
    if !arguments.has("offset") {
        return Ok(if arguments.has("from-beginning") { Start::Earliest } else { Start::Latest });
    }
    let text = arguments.text("offset")?.unwrap_or_default();
    match text.to_ascii_lowercase().as_str() {
        "earliest" => Ok(Start::Earliest),
        "latest" => Ok(Start::Latest),
        _ => match text.parse() {
            Ok(offset) if offset >= 0 => Ok(Start::At(offset)),
            _ => {
                let text = format!(
                    "The provided offset value '{text}' is incorrect. Valid values are 'earliest', 'latest', or a \
                     non-negative long."
                );
                Err(arguments.usage(cx, &text))
            }
        },
    }
}

fn formatter(arguments: &Arguments, cx: &mut Context<'_>) -> Result<(Formatter, Vec<String>), Failure> {
    let class = arguments.text("formatter")?.unwrap_or(Formatter::DEFAULT_CLASS);
    // A class is looked for before anything else is complained about.
    if let Err(error) = Formatter::new(class, &Properties::default()) {
        return Err(arguments.usage(cx, error.text()));
    }
    FORMATTER.check(arguments, cx, FORMATTER.old)?;
    tell_deprecated(arguments, cx, &FORMATTER)?;
    let made = formatter_properties(arguments).and_then(|properties| Formatter::new(class, &properties));
    made.map_err(|error| arguments.usage(cx, error.text()))
}

fn formatter_properties(arguments: &Arguments) -> Result<Properties, Exception> {
    let mut properties = settings::from_file_and_arguments(arguments.text("formatter-config")?, &[])?;
    for option in ["key-deserializer", "value-deserializer"] {
        if let Some(class) = arguments.text(option)?.filter(|class| !class.is_empty()) {
            properties.set(option.replace('-', "."), class);
        }
    }
    properties.extend(settings::key_values(&arguments.texts(FORMATTER.given(arguments))).iter());
    Ok(properties)
}
