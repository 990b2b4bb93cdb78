//! The options of `kafka-producer-perf-test`.

use ottla_client::Properties;

use super::payload::Payload;
use crate::context::Context;
use crate::failure::{Exception, Failure};
use crate::settings;
use crate::subcommands::{Flag, Group, Matches, Parser};

const PAYLOAD: usize = 0;

static PARSER: Parser = Parser {
    name: "kafka-producer-perf-test",
    about: "Measures how fast records can be produced. Transactions (--transactional-id, --transaction-duration-ms, or \
            transactional.id as a setting) are refused: this client has none yet.",
    flags: &[
        Flag::text(&["--bootstrap-server"], "Brokers to start from: host:port,host:port.")
            .called("BOOTSTRAP-SERVER"),
        Flag::text(&["--topic"], "The topic to write to.").required(),
        Flag::long(&["--num-records"], "How many records to produce.").required().called("NUM-RECORDS"),
        Flag::text(
            &["--payload-delimiter"],
            "What stands between two payloads in the file: a regular expression. (default: \\n)",
        )
        .called("PAYLOAD-DELIMITER"),
        Flag::double(&["--throughput"], "At most about so many records a second; -1 for no limit.").required(),
        Flag::texts(&["--producer-props"], "Deprecated: use --command-property.")
            .called("PROP-NAME=PROP-VALUE"),
        Flag::texts(
            &["--command-property"],
            "Settings of the producer, which count more than those of a file: --command-property linger.ms=10 \
             batch.size=32768",
        )
        .called("PROP-NAME=PROP-VALUE"),
        Flag::text(&["--producer.config"], "Deprecated: use --command-config.").called("CONFIG-FILE"),
        Flag::text(&["--command-config"], "A file with settings of the producer, key=value.")
            .called("CONFIG-FILE"),
        Flag::switch(&["--print-metrics"], "Print metrics of the producer at the end."),
        Flag::text(&["--transactional-id"], "The transactional id.").called("TRANSACTIONAL-ID"),
        Flag::long(
            &["--transaction-duration-ms"],
            "After what time a transaction is committed; 3000 if there is only a transactional id.",
        )
        .called("TRANSACTION-DURATION"),
        Flag::long(
            &["--warmup-records"],
            "How many records to leave out of the second summary, that of the steady state. (default: 0)",
        )
        .called("WARMUP-RECORDS"),
        Flag::long(&["--reporting-interval"], "Time between two lines of progress. (default: 5000)")
            .called("INTERVAL-MS"),
        Flag::integer(&["--record-size"], "The size of a record's value in bytes.")
            .in_group(PAYLOAD)
            .called("RECORD-SIZE"),
        Flag::text(&["--payload-file"], "A file of values in UTF-8, one of which is taken at random.")
            .in_group(PAYLOAD)
            .called("PAYLOAD-FILE"),
        Flag::switch(&["--payload-monotonic"], "The value is the record's number.").in_group(PAYLOAD),
    ],
    groups: &[Group::Exclusive { required: true }],
    commands: &[],
};

/// What the command line says.
pub(super) struct Settings {
    pub(super) topic: String,
    pub(super) num_records: u64,
    /// How many of them are left out of the summary of the steady state.
    pub(super) warmup_records: u64,
    pub(super) payload: Payload,
    /// Records a second; negative for no limit.
    pub(super) throughput: f64,
    pub(super) reporting_interval_ms: i64,
    pub(super) print_metrics: bool,
    pub(super) properties: Properties,
}

/// Reads the command line; says what is deprecated.
pub(super) fn parse(words: &[String], cx: &mut Context<'_>) -> Result<Settings, Failure> {
    let help_exit_code = if words.is_empty() { 0 } else { 1 };
    let help = [String::from("--help")];
    let matches = PARSER.parse(if words.is_empty() { &help } else { words }, help_exit_code, cx)?;
    let num_records = matches.number::<i64>("--num-records").unwrap_or_default();
    let warmup_records = matches.number::<i64>("--warmup-records").unwrap_or_default().max(0);
    if let Some(complaint) = complaint(&matches, num_records, warmup_records) {
        return Err(PARSER.refuse(complaint, cx));
    }
    let payload = payload(&matches, cx)?;
    let properties = with_transactions(&matches, properties(&matches, cx)?);
    Ok(Settings {
        topic: matches.text("--topic").unwrap_or_default().to_owned(),
        num_records: num_records.unsigned_abs(),
        warmup_records: warmup_records.unsigned_abs(),
        payload,
        throughput: matches.number("--throughput").unwrap_or(-1.0),
        reporting_interval_ms: reporting_interval_ms(&matches),
        print_metrics: matches.has("--print-metrics"),
        properties,
    })
}

fn reporting_interval_ms(matches: &Matches) -> i64 {
    matches.number("--reporting-interval").unwrap_or(5_000)
}

/// What makes no sense though every flag by itself can be read.
fn complaint(matches: &Matches, num_records: i64, warmup_records: i64) -> Option<&'static str> {
    let has = |name: &&str| matches.has(name);
    let settings = ["--bootstrap-server", "--command-property", "--producer-props", "--producer.config"];
    if num_records <= 0 {
        Some("--num-records should be greater than zero.")
    } else if warmup_records >= num_records {
        Some(
            "The value for --warmup-records must be strictly fewer than the number of records in the test, \
             --num-records.",
        )
    } else if matches.integer("--record-size").is_some_and(|size| size <= 0) {
        Some("--record-size should be greater than zero.")
    } else if !settings.iter().chain(&["--command-config"]).any(has) {
        Some(
            "At least one of --bootstrap-server, --command-property, --producer-props, --producer.config or \
             --command-config must be specified.",
        )
    } else if ["--command-property", "--producer-props"].iter().all(has) {
        Some("--command-property and --producer-props cannot be specified together.")
    } else if ["--command-config", "--producer.config"].iter().all(has) {
        Some("--command-config and --producer.config cannot be specified together.")
    } else if matches.number::<i64>("--transaction-duration-ms").is_some_and(|duration| duration <= 0) {
        Some("--transaction-duration-ms should be greater than zero.")
    } else if reporting_interval_ms(matches) <= 0 {
        Some("--reporting-interval should be greater than zero.")
    } else {
        None
    }
}

fn payload(matches: &Matches, cx: &mut Context<'_>) -> Result<Payload, Failure> {
    if let Some(size) = matches.integer("--record-size") {
        return Ok(Payload::of_size(size.unsigned_abs() as usize));
    }
    let Some(path) = matches.text("--payload-file") else { return Ok(Payload::Monotonic) };
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.into());
    writeln!(cx.out, "Reading payloads from: {}", absolute.display())?;
    cx.out.flush()?;
    let delimiter = match matches.text("--payload-delimiter") {
        None | Some("\\n") => "\n",
        Some(delimiter) => delimiter,
    };
    let payload = Payload::of_file(path, delimiter)?;
    writeln!(cx.out, "Number of records read: {}", payload.choices())?;
    Ok(payload)
}

fn properties(matches: &Matches, cx: &mut Context<'_>) -> Result<Properties, Failure> {
    let mut renamed = |old: &'static str, new: &'static str| {
        if matches.has(old) {
            let text = "has been deprecated and will be removed in a future version. Use";
            writeln!(cx.out, "Option {old} {text} {new} instead.")?;
        }
        Ok::<_, Failure>(if matches.has(old) { old } else { new })
    };
    let own = matches.texts(renamed("--producer-props", "--command-property")?);
    let file = matches.text(renamed("--producer.config", "--command-config")?);
    let mut properties = settings::from_file_and_arguments(file, &[])?;
    for property in own {
        match crate::java::split(property, '=').as_slice() {
            [key, value] => properties.set(*key, *value),
            _ => return Err(Exception::illegal_argument(format!("Invalid property: {property}")).into()),
        }
    }
    properties.set_default("client.id", "perf-producer-client");
    if let Some(servers) = matches.text("--bootstrap-server") {
        properties.set("bootstrap.servers", servers);
    }
    Ok(properties)
}

/// Transactions are on as soon as one thing speaks of them.
fn with_transactions(matches: &Matches, mut properties: Properties) -> Properties {
    const ID: &str = "transactional.id";
    match matches.text("--transactional-id") {
        Some(id) => properties.set(ID, id),
        None if matches.has("--transaction-duration-ms") => {
            properties.set_default(ID, format!("performance-producer-{}", crate::storage::random_uuid()));
        }
        None => {}
    }
    properties
}
