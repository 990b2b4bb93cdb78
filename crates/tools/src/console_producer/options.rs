//! The options of `kafka-console-producer`.

use ottla_client::Properties;

use crate::context::Context;
use crate::failure::{Exception, Failure};
use crate::options::{Arguments, Opt};
use crate::settings::{self, Renamed, check_bootstrap_servers};

use super::line_reader::LineReader;

const READER_PROPERTY: &str = "A setting of the line reader, key=value; may be given more than once.\n\
     parse.key=false\n\
     parse.headers=false\n\
     ignore.error=false\n\
     key.separator=\\t\n\
     headers.delimiter=\\t\n\
     headers.separator=,\n\
     headers.key.separator=:\n\
     null.marker=\n\
     With keys and headers, a line is h1:v1,h2:v2\\tkey\\tvalue.";

const TABLE: &[Opt] = &[
    Opt::text("topic", "topic", "Required. The topic to write to."),
    Opt::text(
        "bootstrap-server",
        "server to connect to",
        "Required. Brokers to start from: host:port,host:port.",
    ),
    Opt::flag("sync", "Wait for each record to be written before the next line is read."),
    Opt::optional_text(
        "compression-codec",
        "compression-codec",
        "none, gzip, snappy, lz4 or zstd; gzip if no name follows.",
    ),
    Opt::integer("batch-size", "size", "When a batch is full, in bytes: batch.size.").or("16384"),
    Opt::integer("message-send-max-retries", "", "How often a batch is sent again: retries.").or("3"),
    Opt::long("retry-backoff-ms", "", "The pause before a batch is sent again: retry.backoff.ms.").or("100"),
    Opt::long("timeout", "timeout_ms", "How long a batch waits to get full: linger.ms.").or("1000"),
    Opt::text(
        "request-required-acks",
        "request required acks",
        "Who must have a record before it counts as written: acks.",
    )
    .or("-1"),
    Opt::integer(
        "request-timeout-ms",
        "request timeout ms",
        "How long an answer may take, more than zero: request.timeout.ms.",
    )
    .or("1500"),
    Opt::long(
        "metadata-expiry-ms",
        "metadata expiration interval",
        "After what time the cluster is asked again who leads what: metadata.max.age.ms.",
    )
    .or("300000"),
    Opt::long("max-block-ms", "max block on send", "How long a send may wait: max.block.ms.").or("60000"),
    Opt::long("max-memory-bytes", "total memory in bytes", "What may wait to be sent: buffer.memory.")
        .or("33554432"),
    Opt::integer(
        "max-partition-memory-bytes",
        "memory in bytes per partition",
        "Deprecated: use --batch-size.",
    )
    .or("16384"),
    Opt::text("line-reader", "reader_class", "What reads standard input.").or(LineReader::CLASS),
    Opt::integer("socket-buffer-size", "size", "The socket's buffer: send.buffer.bytes.").or("102400"),
    Opt::text("property", "prop", "Deprecated: use --reader-property."),
    Opt::text("reader-property", "prop", READER_PROPERTY),
    Opt::text(
        "reader-config",
        "config file",
        "A file with settings of the line reader; --reader-property counts more.",
    ),
    Opt::text("producer-property", "producer_prop", "Deprecated: use --command-property."),
    Opt::text(
        "command-property",
        "producer_prop",
        "A setting of the producer, key=value; may be given more than once.",
    ),
    Opt::text("producer.config", "config file", "Deprecated: use --command-config."),
    Opt::text(
        "command-config",
        "config file",
        "A file with settings of the producer; --command-property counts more.",
    ),
];

const ABOUT: &str = "Write lines of standard input to a topic.";

const CONFIG: Renamed = Renamed { old: "producer.config", new: "command-config" };
const PROPERTY: Renamed = Renamed { old: "producer-property", new: "command-property" };
const READER: Renamed = Renamed { old: "property", new: "reader-property" };

/// Reads the command line; says what is deprecated.
pub(super) fn parse(words: &[String], cx: &mut Context<'_>) -> Result<Arguments, Failure> {
    let arguments = match Arguments::parse(TABLE, words) {
        Ok(arguments) => arguments,
        Err(error) => return Err(crate::options::usage(cx, TABLE, &error.to_string())),
    };
    arguments.answer_help(cx, ABOUT)?;
    arguments.require(cx, &["topic"])?;
    for renamed in [CONFIG, PROPERTY, READER] {
        renamed.check(&arguments, cx, renamed.new)?;
    }
    for renamed in [PROPERTY, CONFIG, READER] {
        if arguments.has(renamed.old) {
            let Renamed { old, new } = renamed;
            writeln!(
                cx.out,
                "Warning: --{old} is deprecated and will be removed in a future version. Use --{new} instead."
            )?;
        }
    }
    if arguments.has("max-partition-memory-bytes") {
        let text = "--max-partition-memory-bytes is deprecated and will be removed in Apache Kafka 5.0. \
                    Use --batch-size instead.";
        writeln!(cx.out, "Warning: {text}")?;
    }
    check_bootstrap_servers(&arguments, cx)?;
    Ok(arguments)
}

/// The settings of the producer.
pub(super) fn producer_properties(arguments: &Arguments) -> Result<Properties, Failure> {
    let file = arguments.text(CONFIG.given(arguments))?;
    let own = arguments.texts(PROPERTY.given(arguments));
    let mut properties = settings::from_file_and_arguments(file, &own)?;
    properties.set("bootstrap.servers", arguments.text("bootstrap-server")?.unwrap_or_default());
    let compression = if arguments.has("compression-codec") {
        arguments.text("compression-codec")?.unwrap_or("gzip")
    } else {
        "none"
    };
    properties.set("compression.type", compression);
    properties.set_default("client.id", "console-producer");
    for (key, option) in [
        ("linger.ms", "timeout"),
        ("acks", "request-required-acks"),
        ("request.timeout.ms", "request-timeout-ms"),
        ("retries", "message-send-max-retries"),
        ("retry.backoff.ms", "retry-backoff-ms"),
        ("send.buffer.bytes", "socket-buffer-size"),
        ("buffer.memory", "max-memory-bytes"),
        ("batch.size", "batch-size"),
        ("batch.size", "max-partition-memory-bytes"),
        ("metadata.max.age.ms", "metadata-expiry-ms"),
        ("max.block.ms", "max-block-ms"),
    ] {
        check_number(arguments, option)?;
        settings::merge(&mut properties, key, arguments, option)?;
    }
    Ok(properties)
}

/// Numbers are complained about as options, before they become settings.
fn check_number(arguments: &Arguments, option: &str) -> Result<(), Failure> {
    if option != "request-required-acks" {
        arguments.number::<i64>(option)?;
    }
    Ok(())
}

/// The line reader with its settings.
pub(super) fn line_reader(arguments: &Arguments) -> Result<LineReader, Failure> {
    let class = arguments.text("line-reader")?.unwrap_or(LineReader::CLASS);
    if class != LineReader::CLASS {
        return Err(Exception::new("java.lang.ClassNotFoundException", class).into());
    }
    let own = arguments.texts(READER.given(arguments));
    let properties = settings::from_file_and_arguments(arguments.text("reader-config")?, &own)?;
    Ok(LineReader::new(arguments.text("topic")?.unwrap_or_default(), &properties)?)
}
