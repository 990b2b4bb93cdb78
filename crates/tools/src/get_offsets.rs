//! `kafka-get-offsets`: prints `topic:partition:offset`.

use regex::Regex;

use crate::admin::{Admin, Bootstrap, LogOffset, TopicPartition};
use crate::context::Context;
use crate::failure::{Exception, Failure};
use crate::java;
use crate::options::{Arguments, Opt};
use crate::topic_filter::TopicFilter;

const TABLE: &[Opt] = &[
    Opt::text(
        "bootstrap-server",
        "HOST1:PORT1,...,HOST3:PORT3",
        "Required. Brokers to start from: host:port,host:port.",
    ),
    Opt::text(
        "topic-partitions",
        "topic1:1,topic2:0-3,topic3,topic4:5-,topic5:-3",
        "Which partitions of which topics: a regular expression for the topic, or nothing for all, and behind a colon \
         a number, a range without its end, or nothing for all.",
    ),
    Opt::text("topic", "topic", "The topic, or a regular expression that its name matches. If absent, all topics."),
    Opt::text("partitions", "partition ids", "Only these partitions: 0,1,2."),
    Opt::text(
        "time",
        "<timestamp> / -1 or latest / -2 or earliest / -3 or max-timestamp / -4 or earliest-local / -5 or \
         latest-tiered / -6 or earliest-pending-upload",
        "The offset of the first record that is not older than this, in milliseconds since 1970, or the end or start \
         of the log, or one of the others.",
    )
    .or("latest"),
    Opt::text("command-config", "config file", "A file with settings for the client, key=value."),
    Opt::flag("exclude-internal-topics", "Without the topics of Kafka itself."),
];

const ABOUT: &str = "Print offsets of partitions.";

/// Runs the tool.
pub(crate) fn run(words: &[String], cx: &mut Context<'_>) -> i32 {
    match execute(words, cx) {
        Ok(()) => 0,
        Err(Failure::Exit(code)) => code,
        Err(Failure::Thrown(exception)) => {
            writeln!(cx.err, "Error occurred: {}", exception.text()).ok();
            if !exception.is("TerseException") {
                writeln!(cx.err, "{}", exception.trace()).ok();
            }
            1
        }
    }
}

fn execute(words: &[String], cx: &mut Context<'_>) -> Result<(), Failure> {
    let arguments = Arguments::parse(TABLE, words).map_err(|error| Exception::terse(error.to_string()))?;
    arguments.answer_help(cx, ABOUT)?;
    arguments.require(cx, &["bootstrap-server"])?;
    let servers = arguments.text("bootstrap-server")?.expect("its presence has been checked");
    if let Some(complaint) = complaint_about_servers(servers) {
        return Err(arguments.usage(cx, complaint));
    }
    let by_pattern = arguments.has("topic-partitions");
    if by_pattern && (arguments.has("topic") || arguments.has("partitions")) {
        return Err(Exception::terse("--topic-partitions cannot be used with --topic or --partitions").into());
    }
    let timestamp = timestamp(arguments.text("time")?.expect("it has a default"))?;
    let rules = match arguments.text("topic-partitions")? {
        Some(text) => parse_rules(text)?,
        None => vec![Rule::of_topic(arguments.text("topic")?, arguments.text("partitions")?)?],
    };
    let properties = ottla_client::Properties::default().with("client.id", "GetOffsetShell");
    let admin = Admin::open_with(Bootstrap::Server(servers), arguments.text("command-config")?, properties)?;
    crate::admin::block_on(print(&admin, &rules, timestamp, arguments.has("exclude-internal-topics"), cx))
}

fn complaint_about_servers(servers: &str) -> Option<&'static str> {
    if servers.trim().is_empty() {
        return Some("Error while validating the bootstrap address\n");
    }
    let has_port = |server: &&str| {
        let port = server.rsplit_once(':').map_or("", |(_, port)| port);
        !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
    };
    let servers = java::split(servers, ',');
    let valid = !servers.is_empty() && servers.iter().all(has_port);
    (!valid).then_some("Please provide valid host:port like host1:9091,host2:9092\n")
}

async fn print(
    admin: &Admin,
    rules: &[Rule],
    timestamp: i64,
    exclude_internal: bool,
    cx: &mut Context<'_>,
) -> Result<(), Failure> {
    let topics = admin.topics_of_metadata().await.map_err(Exception::execution)?;
    let mut partitions: Vec<TopicPartition> = Vec::new();
    for (topic, is_internal) in topics {
        if exclude_internal && is_internal {
            continue;
        }
        let wanted = topic.partitions.iter().map(|partition| partition.index);
        let wanted = wanted.filter(|partition| rules.iter().any(|rule| rule.allows(&topic.name, *partition)));
        partitions.extend(wanted.map(|partition| (topic.name.clone(), partition)));
    }
    if partitions.is_empty() {
        return Err(
            Exception::terse("Could not match any topic-partitions with the specified filters").into()
        );
    }
    let wanted: Vec<(TopicPartition, i64)> =
        partitions.into_iter().map(|partition| (partition, timestamp)).collect();
    let mut found: Vec<(String, TopicPartition, Result<LogOffset, Exception>)> = Vec::new();
    for (partition, offset) in admin.list_offsets_each(&wanted).await? {
        found.push((format!("{}-{}", partition.0, partition.1), partition, offset));
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    for (name, _, offset) in &found {
        if let Err(error) = offset {
            let error = error.clone().execution();
            writeln!(
                cx.err,
                "Skip getting offsets for topic-partition {name} due to error: {}",
                error.text()
            )?;
        }
    }
    for (_, (topic, partition), offset) in found {
        if let Ok(LogOffset { offset: Some(offset) }) = offset {
            writeln!(cx.out, "{topic}:{partition}:{offset}")?;
        }
    }
    Ok(())
}

fn timestamp(text: &str) -> Result<i64, Exception> {
    const NAMES: [&str; 6] =
        ["latest", "earliest", "max-timestamp", "earliest-local", "latest-tiered", "earliest-pending-upload"];
    if let Some(index) = NAMES.iter().position(|name| *name == text) {
        return Ok(-1 - index as i64);
    }
    text.parse().map_err(|_| {
        Exception::terse(format!(
            "Malformed time argument {text}. Please use -1 or latest / -2 or earliest / -3 or max-timestamp / -4 or \
             earliest-local / -5 or latest-tiered / -6 or earliest-pending-upload, or a specified long format timestamp"
        ))
    })
}

/// Which partitions of which topics are meant.
#[derive(Debug)]
struct Rule {
    topics: TopicFilter,
    partitions: Partitions,
}

#[derive(Debug, PartialEq, Eq)]
enum Partitions {
    All,
    These(Vec<i32>),
    Range { from: i32, to: i32 },
}

impl Rule {
    fn of_topic(topic: Option<&str>, partitions: Option<&str>) -> Result<Rule, Exception> {
        let topics = TopicFilter::new(topic.unwrap_or(".*"))?;
        let Some(text) = partitions.filter(|text| !text.is_empty()) else {
            return Ok(Rule { topics, partitions: Partitions::All });
        };
        let ids = java::split(text, ',').into_iter().map(str::parse).collect::<Result<Vec<i32>, _>>();
        let ids = ids.map_err(|_| {
            Exception::terse(format!(
                "--partitions expects a comma separated list of numeric partition ids, but received: {text}"
            ))
        })?;
        Ok(Rule { topics, partitions: Partitions::These(ids) })
    }

    fn allows(&self, topic: &str, partition: i32) -> bool {
        let in_partitions = match &self.partitions {
            Partitions::All => true,
            Partitions::These(ids) => ids.is_empty() || ids.contains(&partition),
            Partitions::Range { from, to } => (*from..*to).contains(&partition),
        };
        in_partitions && self.topics.allows(topic, false)
    }
}

/// Reads `topic:0-3,other,:1`.
fn parse_rules(text: &str) -> Result<Vec<Rule>, Exception> {
    let shape =
        Regex::new("^([^:,]*)(?::(?:([0-9]*)|(?:([0-9]*)-([0-9]*))))?$").expect("the expression is valid");
    let parse = |rule: &str| {
        let captures = shape.captures(rule).ok_or_else(|| {
            Exception::terse(format!("Invalid rule specification: {rule}"))
                .wrapped("java.lang.RuntimeException")
        })?;
        let part = |index| captures.get(index).map(|part| part.as_str()).filter(|part| !part.is_empty());
        let number = |index| part(index).map(java::parse_int).transpose();
        let partitions = match number(2)? {
            Some(partition) => Partitions::These(vec![partition]),
            None => Partitions::Range { from: number(3)?.unwrap_or(0), to: number(4)?.unwrap_or(i32::MAX) },
        };
        Ok(Rule { topics: TopicFilter::new(part(1).unwrap_or(".*"))?, partitions })
    };
    java::split(text, ',').into_iter().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rules: &str, topic: &str, partitions: &[i32]) {
        let rules = parse_rules(rules).expect(rules);
        let allowed: Vec<i32> =
            (0..6).filter(|partition| rules.iter().any(|rule| rule.allows(topic, *partition))).collect();
        assert_eq!(allowed, partitions);
    }

    #[test]
    fn rules_choose_topics_and_partitions() {
        check("t", "t", &[0, 1, 2, 3, 4, 5]);
        check("t:2", "t", &[2]);
        check("t:1-3", "t", &[1, 2]);
        check("t:4-", "t", &[4, 5]);
        check("t:-2", "t", &[0, 1]);
        check(":3,t:0", "t", &[0, 3]);
        check("t.*:1", "two", &[1]);
        check("t", "u", &[]);
    }

    #[test]
    fn a_rule_of_no_shape_is_refused() {
        let error = parse_rules("a:b:c").expect_err("no rule");
        assert_eq!(error.text(), "org.apache.kafka.tools.TerseException: Invalid rule specification: a:b:c");
    }

    #[test]
    fn times_have_names() {
        assert_eq!(timestamp("latest").ok(), Some(-1));
        assert_eq!(timestamp("earliest-pending-upload").ok(), Some(-6));
        assert_eq!(timestamp("1700000000000").ok(), Some(1_700_000_000_000));
        assert!(timestamp("soon").is_err());
    }
}
