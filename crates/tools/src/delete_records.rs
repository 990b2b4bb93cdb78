//! `kafka-delete-records`: deletes the records of partitions that are before an offset.

use serde_json::Value;

use crate::admin::{Admin, Bootstrap, TopicPartition, in_map_order};
use crate::context::Context;
use crate::failure::{Exception, Failure};
use crate::options::{Arguments, Opt};

const TABLE: &[Opt] = &[
    Opt::text(
        "bootstrap-server",
        "server(s) to use for bootstrapping",
        "Required. Brokers to start from: host:port,host:port.",
    ),
    Opt::text(
        "offset-json-file",
        "Offset json file path",
        "Required. A file that names the first offset to keep of each partition; -1 keeps none:\n\
         {\"partitions\":\n  [{\"topic\": \"foo\", \"partition\": 1, \"offset\": 1}],\n \"version\":1\n}",
    ),
    Opt::text(
        "command-config",
        "command config property file path",
        "A file with settings for the client, key=value.",
    ),
];

const ABOUT: &str = "Delete the records of partitions that are before an offset.";

/// Runs the tool.
pub(crate) fn run(words: &[String], cx: &mut Context<'_>) -> i32 {
    match execute(words, cx) {
        Ok(()) => 0,
        Err(Failure::Exit(code)) => code,
        Err(Failure::Thrown(exception)) => {
            writeln!(cx.err, "{}\n{}", exception.text(), exception.trace()).ok();
            1
        }
    }
}

fn execute(words: &[String], cx: &mut Context<'_>) -> Result<(), Failure> {
    let arguments = Arguments::parse(TABLE, words)?;
    arguments.answer_help(cx, ABOUT)?;
    arguments.require(cx, &["bootstrap-server", "offset-json-file"])?;
    let servers = arguments.text("bootstrap-server")?.expect("its presence has been checked");
    let admin = Admin::open(Bootstrap::Server(servers), arguments.text("command-config")?)?;
    let path = arguments.text("offset-json-file")?.expect("its presence has been checked");
    let text = std::fs::read_to_string(path).map_err(|error| Exception::unreadable(path, &error))?;
    let offsets = parse(&text)?;
    writeln!(cx.out, "Executing records delete operation")?;
    let results = crate::admin::block_on(admin.delete_records(&offsets))?;
    writeln!(cx.out, "Records delete operation completed:")?;
    for ((topic, partition), result) in results {
        match result {
            Ok(start) => writeln!(cx.out, "partition: {topic}-{partition}\tlow_watermark: {start}")?,
            Err(error) => writeln!(cx.out, "partition: {topic}-{partition}\terror: {error}")?,
        }
    }
    Ok(())
}

/// Reads the file.
fn parse(text: &str) -> Result<Vec<(TopicPartition, i64)>, Exception> {
    let operation = |text: &str| Exception::new("org.apache.kafka.tools.AdminOperationException", text);
    let json: Value =
        serde_json::from_str(text).map_err(|_| operation("The input string is not a valid JSON"))?;
    let object =
        json.as_object().ok_or_else(|| mismatch(&format!("Expected JSON object, received {json}")))?;
    let version = object.get("version").map_or(Ok(1), |version| integer(version, "Integer"))?;
    if version != 1 {
        return Err(operation(&format!("Not supported version field value {version}")));
    }
    let partitions = object.get("partitions").ok_or_else(|| operation("Missing partitions field"))?;
    let partitions = partitions
        .as_array()
        .ok_or_else(|| mismatch(&format!("Expected JSON array, received {partitions}")))?;
    let mut offsets: Vec<(TopicPartition, i64)> = Vec::new();
    let mut repeated: Vec<(TopicPartition, ())> = Vec::new();
    for partition in partitions {
        let (partition, offset) = parse_partition(partition)?;
        if offsets.iter().any(|(known, _)| *known == partition) {
            repeated.push((partition, ()));
        } else {
            offsets.push((partition, offset));
        }
    }
    repeated.dedup();
    if !repeated.is_empty() {
        let names =
            in_map_order(repeated).into_iter().map(|((topic, partition), ())| format!("{topic}-{partition}"));
        let names: Vec<String> = names.collect();
        let text = format!("Offset json file contains duplicate topic partitions: {}", names.join(","));
        return Err(Exception::new("org.apache.kafka.tools.AdminCommandFailedException", text));
    }
    Ok(offsets)
}

fn parse_partition(json: &Value) -> Result<(TopicPartition, i64), Exception> {
    let object =
        json.as_object().ok_or_else(|| mismatch(&format!("Expected JSON object, received {json}")))?;
    let field =
        |name: &str| object.get(name).ok_or_else(|| mismatch(&format!("No such field exists: `{name}`")));
    let topic = field("topic")?;
    let topic =
        topic.as_str().ok_or_else(|| mismatch(&format!("Expected `String` value, received {topic}")))?;
    let partition = field("partition")?;
    let index = i32::try_from(integer(partition, "Integer")?)
        .map_err(|_| mismatch(&format!("Expected `Integer` value, received {partition}")))?;
    Ok(((topic.to_string(), index), integer(field("offset")?, "Long")?))
}

fn integer(json: &Value, kind: &str) -> Result<i64, Exception> {
    json.as_i64().ok_or_else(|| mismatch(&format!("Expected `{kind}` value, received {json}")))
}

fn mismatch(text: &str) -> Exception {
    Exception::new("com.fasterxml.jackson.databind.JsonMappingException", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&[(&str, i32, i64)], &str>) {
        let found = parse(text).map_err(|error| error.text().to_string());
        let expected = expected.map(|offsets| {
            let offset =
                |(topic, partition, offset): &(&str, i32, i64)| ((topic.to_string(), *partition), *offset);
            offsets.iter().map(offset).collect::<Vec<_>>()
        });
        assert_eq!(found, expected.map_err(str::to_string), "{text}");
    }

    #[test]
    fn the_file_names_offsets() {
        check(r#"{"partitions":[{"topic":"t","partition":1,"offset":5}],"version":1}"#, Ok(&[("t", 1, 5)]));
        check(r#"{"partitions":[]}"#, Ok(&[]));
    }

    #[test]
    fn what_is_wrong_with_the_file_is_said_as_kafka_says_it() {
        check("x", Err("The input string is not a valid JSON"));
        check("[]", Err("Expected JSON object, received []"));
        check("{}", Err("Missing partitions field"));
        check(r#"{"version":2}"#, Err("Not supported version field value 2"));
        check(r#"{"partitions":[{"topic":"t"}]}"#, Err("No such field exists: `partition`"));
        check(
            r#"{"partitions":[{"topic":"t","partition":"0","offset":1}]}"#,
            Err("Expected `Integer` value, received \"0\""),
        );
        check(
            r#"{"partitions":[{"topic":"t","partition":0,"offset":1},{"topic":"t","partition":0,"offset":2}]}"#,
            Err("Offset json file contains duplicate topic partitions: t-0"),
        );
    }
}
