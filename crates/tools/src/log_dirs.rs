//! `kafka-log-dirs`: prints what the log directories of brokers have, as one line of JSON behind two of text.

use std::collections::BTreeSet;
use std::fmt::Write;

use ottla_client::Target;
use ottla_protocol::messages::DescribeLogDirsRequest;
use ottla_protocol::messages::describe_log_dirs_response::{DescribeLogDirsPartition, DescribeLogDirsResult};
use ottla_protocol::{BrokerId, ErrorCode};

use crate::admin::{Admin, Bootstrap, check};
use crate::context::Context;
use crate::failure::{Exception, Failure};
use crate::java::{MapSize, hash_map_order, parse_int, string_hash, topic_partition_hash};
use crate::options::{Arguments, Opt};

const TABLE: &[Opt] = &[
    Opt::text(
        "bootstrap-server",
        "The server(s) to use for bootstrapping",
        "Required. Brokers to start from: host:port,host:port.",
    ),
    Opt::text(
        "command-config",
        "Admin client property file",
        "A file with settings for the client, key=value.",
    ),
    Opt::flag("describe", "Tell about the log directories."),
    Opt::text("topic-list", "Topic list", "Only these topics: topic1,topic2,topic3.").or(""),
    Opt::text("broker-list", "Broker list", "Only these brokers: 0,1,2.").or(""),
];

const ABOUT: &str = "Tell about the log directories of brokers.";

/// Runs the tool.
pub(crate) fn run(words: &[String], cx: &mut Context<'_>) -> i32 {
    match execute(words, cx) {
        Ok(()) => 0,
        Err(Failure::Exit(code)) => code,
        Err(Failure::Thrown(exception)) => {
            writeln!(cx.err, "{}", exception.text()).ok();
            if !exception.is("TerseException") {
                writeln!(cx.err, "{}", exception.trace()).ok();
            }
            1
        }
    }
}

fn execute(words: &[String], cx: &mut Context<'_>) -> Result<(), Failure> {
    let arguments = Arguments::parse(TABLE, words)?;
    arguments.answer_help(cx, ABOUT)?;
    arguments.require(cx, &["bootstrap-server", "describe"])?;
    let servers = arguments.text("bootstrap-server")?.expect("its presence has been checked");
    let properties = ottla_client::Properties::default().with("client.id", "log-dirs-tool");
    let admin = Admin::open_with(Bootstrap::Server(servers), arguments.text("command-config")?, properties)?;
    let list = |name| Ok::<_, Failure>(words_of(arguments.text(name)?.unwrap_or_default()));
    let topics: BTreeSet<&str> = list("topic-list")?.collect();
    let asked = list("broker-list")?.map(parse_int).collect::<Result<BTreeSet<i32>, Exception>>()?;
    crate::admin::block_on(describe(&admin, &topics, &asked, cx))
}

fn words_of(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').filter(|word| !word.is_empty())
}

async fn describe(
    admin: &Admin,
    topics: &BTreeSet<&str>,
    asked: &BTreeSet<i32>,
    cx: &mut Context<'_>,
) -> Result<(), Failure> {
    let brokers = admin.brokers().await.map_err(Exception::execution)?;
    let known: BTreeSet<i32> = brokers.iter().map(|broker| broker.id.0).collect();
    let missing: BTreeSet<i32> = asked - &known;
    if !missing.is_empty() {
        return Err(Exception::terse(format!(
            "ERROR: The given brokers do not exist from --broker-list: {}. Current existent brokers: {}",
            comma_separated(&missing),
            comma_separated(&known)
        ))
        .into());
    }
    let chosen = if asked.is_empty() { &known } else { asked };
    writeln!(cx.out, "Querying brokers for log directories information")?;
    let mut described = Vec::new();
    for id in chosen {
        let request = DescribeLogDirsRequest { topics: None, ..DescribeLogDirsRequest::default() };
        let answer = admin.ask_node("describeLogDirs", &Target::Broker(BrokerId(*id)), request).await;
        let answer = answer.map_err(Exception::execution)?;
        check(answer.error_code, None).map_err(Exception::execution)?;
        described.push((*id, answer.results));
    }
    writeln!(cx.out, "Received log directory information from brokers {}", comma_separated(chosen))?;
    writeln!(cx.out, "{}", json(&described, topics))?;
    Ok(())
}

fn comma_separated(numbers: &BTreeSet<i32>) -> String {
    let numbers: Vec<i32> = numbers.iter().copied().collect();
    let numbers = hash_map_order(numbers, MapSize::Default, |number| *number);
    numbers.iter().map(i32::to_string).collect::<Vec<_>>().join(",")
}

/// The line of JSON, in the order in which a `HashMap` of Java's has keys and entries.
fn json(brokers: &[(i32, Vec<DescribeLogDirsResult>)], topics: &BTreeSet<&str>) -> String {
    let broker = |(id, dirs): &(i32, Vec<DescribeLogDirsResult>)| {
        let dirs = hash_map_order(dirs.iter().collect(), MapSize::Expected, |dir| string_hash(&dir.log_dir));
        let dirs: Vec<String> = dirs.into_iter().map(|dir| log_dir_json(dir, topics)).collect();
        format!("{{\"broker\":{id},\"logDirs\":[{}]}}", dirs.join(","))
    };
    let brokers = hash_map_order(brokers.iter().collect(), MapSize::Expected, |(id, _)| *id);
    let brokers: Vec<String> = brokers.into_iter().map(broker).collect();
    format!("{{\"brokers\":[{}],\"version\":1}}", brokers.join(","))
}

fn log_dir_json(dir: &DescribeLogDirsResult, topics: &BTreeSet<&str>) -> String {
    let all = dir.topics.iter().flat_map(|topic| topic.partitions.iter().map(|log| (&*topic.name, log)));
    let hash =
        |(topic, log): &(&str, &DescribeLogDirsPartition)| topic_partition_hash(topic, log.partition_index);
    // One map is made of the answer, and another one of what is left of it.
    let mut logs = hash_map_order(all.collect(), MapSize::Default, hash);
    logs.retain(|(topic, _)| topics.is_empty() || topics.contains(topic));
    let mut partitions = String::new();
    for (topic, log) in hash_map_order(logs, MapSize::Default, hash) {
        let comma = if partitions.is_empty() { "" } else { "," };
        let name = text_json(&format!("{topic}-{}", log.partition_index));
        let (size, lag, is_future) = (log.partition_size, log.offset_lag, log.is_future_key);
        write!(
            partitions,
            "{comma}{{\"partition\":{name},\"size\":{size},\"offsetLag\":{lag},\"isFuture\":{is_future}}}"
        )
        .expect("a text takes what is written");
    }
    let error = match ErrorCode::from_code(dir.error_code) {
        ErrorCode::None => "null".to_owned(),
        code => text_json(&Exception::of_code(code, None).class),
    };
    format!("{{\"partitions\":[{partitions}],\"error\":{error},\"logDir\":{}}}", text_json(&dir.log_dir))
}

fn text_json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla_protocol::messages::describe_log_dirs_response::DescribeLogDirsTopic;

    fn log(index: i32, size: i64, is_future: bool) -> DescribeLogDirsPartition {
        let (partition_index, partition_size, is_future_key) = (index, size, is_future);
        DescribeLogDirsPartition { partition_index, partition_size, is_future_key, ..Default::default() }
    }

    /// Keys and entries in the order in which Kafka 4.3.1's tool prints them.
    #[test]
    fn the_line_is_kafkas() {
        let topic = |partitions| DescribeLogDirsTopic { name: "t".into(), partitions, ..Default::default() };
        let dirs = vec![
            DescribeLogDirsResult {
                log_dir: "/data/k/a".into(),
                topics: vec![topic(vec![log(0, 0, false), log(2, 0, false), log(4, 0, false)])],
                ..Default::default()
            },
            DescribeLogDirsResult { error_code: 56, log_dir: "/data/k/b".into(), ..Default::default() },
        ];
        let line = json(&[(1, dirs)], &BTreeSet::new());
        assert_eq!(
            line,
            "{\"brokers\":[{\"broker\":1,\"logDirs\":[\
             {\"partitions\":[{\"partition\":\"t-4\",\"size\":0,\"offsetLag\":0,\"isFuture\":false},\
             {\"partition\":\"t-2\",\"size\":0,\"offsetLag\":0,\"isFuture\":false},\
             {\"partition\":\"t-0\",\"size\":0,\"offsetLag\":0,\"isFuture\":false}],\
             \"error\":null,\"logDir\":\"/data/k/a\"},{\"partitions\":[],\
             \"error\":\"org.apache.kafka.common.errors.KafkaStorageException\",\"logDir\":\"/data/k/b\"}]}],\
             \"version\":1}"
        );
    }

    /// As Kafka 4.3.1's tool prints them, whose map of directories is made for as many as there are.
    #[test]
    fn directories_come_in_the_order_of_a_map_of_their_number() {
        let dir = |name: &str| DescribeLogDirsResult {
            log_dir: format!("/tmp/.tmpjLrN2O/{name}").into(),
            ..Default::default()
        };
        let line = json(&[(1, vec![dir("first"), dir("second")])], &BTreeSet::new());
        assert!(line.find("first") < line.find("second"), "{line}");
    }
}
