//! The options of `kafka-consumer-perf-test`.

use ottla_client::Properties;

use super::date_format::DateFormat;
use crate::context::Context;
use crate::failure::{Exception, Failure};
use crate::options::{Arguments, Opt};
use crate::settings;

const TABLE: &[Opt] = &[
    Opt::text("bootstrap-server", "server to connect to", "Required. Brokers to start from: host:port."),
    Opt::text("topic", "topic", "The topic to read."),
    Opt::text(
        "include",
        "Java regex (String)",
        "A regular expression; topics of a name that matches are read.",
    ),
    Opt::text("group", "gid", "The group to read as a member of; one of its own if none is given."),
    Opt::integer("fetch-size", "size", "How much of a partition is fetched at once, in bytes.").or("1048576"),
    Opt::text(
        "command-property",
        "prop1=val1",
        "A setting of the consumer, key=value; may be given more than once.",
    ),
    Opt::flag(
        "from-latest",
        "Begin after the last record where the group has no offset, and not at the first.",
    ),
    Opt::integer("socket-buffer-size", "size", "The socket's buffer for what is received.").or("2097152"),
    Opt::text("consumer.config", "config file", "Deprecated: use --command-config."),
    Opt::text(
        "command-config",
        "config file",
        "A file with settings of the consumer; --command-property counts more.",
    ),
    Opt::flag("print-metrics", "Print metrics of the consumer at the end."),
    Opt::flag("show-detailed-stats", "Print a line for each --reporting-interval."),
    Opt::long("timeout", "milliseconds", "How long there may be no record before it is over.")
        .or_alone()
        .or("10000"),
    Opt::long("messages", "count", "Deprecated: use --num-records."),
    Opt::long("num-records", "count", "Required. How many records to read."),
    Opt::long("reporting-interval", "interval_ms", "Time between two lines of progress.").or("5000"),
    Opt::text("date-format", "date format", "How a time is printed, in the letters of SimpleDateFormat.")
        .or("yyyy-MM-dd HH:mm:ss:SSS"),
    Opt::flag("hide-header", "Do not print what the columns are."),
];

const ABOUT: &str = "Measures how fast records can be consumed.";

/// A command line whose flags make sense; values are looked at one after the other, as they are needed.
pub(super) struct Options(Arguments);

/// What is measured, and how it is told.
pub(super) struct Settings {
    pub(super) num_records: u64,
    pub(super) timeout_ms: i64,
    pub(super) reporting_interval_ms: i64,
    pub(super) date_format: DateFormat,
    pub(super) show_detailed_stats: bool,
}

impl Options {
    /// Reads the command line; says what is deprecated.
    pub(super) fn parse(words: &[String], cx: &mut Context<'_>) -> Result<Options, Failure> {
        let arguments = match Arguments::parse(TABLE, words) {
            Ok(arguments) => arguments,
            Err(error) => return Err(crate::options::usage(cx, TABLE, &error.to_string())),
        };
        arguments.answer_help(cx, ABOUT)?;
        arguments.require(cx, &["bootstrap-server"])?;
        arguments.require_one_of(cx, &["topic", "include"])?;
        arguments.require_one_of(cx, &["messages", "num-records"])?;
        arguments.exclude(cx, "consumer.config", &["command-config"])?;
        for (old, new) in [("messages", "num-records"), ("consumer.config", "command-config")] {
            if arguments.has(old) {
                writeln!(cx.out, "Warning: --{old} is deprecated. Use --{new} instead.")?;
            }
        }
        Ok(Options(arguments))
    }

    /// Whether an option without a value was given.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.has(name)
    }

    /// The settings of the consumer; `random` is any number, for the name of a group.
    pub(super) fn properties(&self, random: u64) -> Result<Properties, Failure> {
        let options = &self.0;
        let file = if options.has("consumer.config") { "consumer.config" } else { "command-config" };
        let own = options.texts("command-property");
        let mut properties = settings::from_file_and_arguments(options.text(file)?, &own)?;
        properties.set("bootstrap.servers", options.text("bootstrap-server")?.unwrap_or_default());
        let group = options.text("group")?.map(str::to_owned);
        let group = group.unwrap_or_else(|| format!("perf-consumer-{}", random % 100_000));
        if group.trim().is_empty() {
            let class = "org.apache.kafka.common.errors.InvalidGroupIdException";
            let text = "The configured group.id should not be an empty string or whitespace.";
            return Err(Exception {
                message: Some(String::from("Failed to construct kafka consumer")),
                ..Exception::new(class, text).wrapped("org.apache.kafka.common.KafkaException")
            }
            .into());
        }
        properties.set("group.id", group);
        let number = |name| Ok::<_, Failure>(options.number::<i32>(name)?.unwrap_or_default().to_string());
        properties.set("receive.buffer.bytes", number("socket-buffer-size")?);
        properties.set("max.partition.fetch.bytes", number("fetch-size")?);
        properties.set("auto.offset.reset", if options.has("from-latest") { "latest" } else { "earliest" });
        properties.set("check.crcs", "false");
        properties.set_default("client.id", "perf-consumer-client");
        Ok(properties)
    }

    /// The topic, or a pattern of topics.
    pub(super) fn topic_or_pattern(&self) -> Result<Result<&str, &str>, Failure> {
        Ok(match self.0.text("topic")? {
            Some(topic) => Ok(topic),
            None => Err(self.0.text("include")?.unwrap_or_default()),
        })
    }

    /// What is measured.
    pub(super) fn settings(&self) -> Result<Settings, Failure> {
        let options = &self.0;
        let count = if options.has("messages") { "messages" } else { "num-records" };
        let num_records = options.number::<i64>(count)?.unwrap_or_default();
        let timeout_ms = options.number("timeout")?.unwrap_or_default();
        let reporting_interval_ms = options.number("reporting-interval")?.unwrap_or_default();
        if reporting_interval_ms <= 0 {
            return Err(Exception::illegal_argument("Reporting interval must be greater than 0.").into());
        }
        Ok(Settings {
            num_records: u64::try_from(num_records).unwrap_or_default(),
            timeout_ms,
            reporting_interval_ms,
            date_format: DateFormat::parse(options.text("date-format")?.unwrap_or_default())?,
            show_detailed_stats: options.has("show-detailed-stats"),
        })
    }
}
