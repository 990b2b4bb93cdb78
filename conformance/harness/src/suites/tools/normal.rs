//! Takes out of a tool's output what two brokers cannot share: ids, times, addresses, offsets of the metadata log.

use std::sync::LazyLock;

use regex::Regex;

use crate::process::Output;

/// Pattern and what stands in its place; applied in this order.
static RULES: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    [
        (r"127\.0\.0\.1:\d+", "<address>"),
        (r"127\.0\.0\.1 +\d+", "<host and port>"),
        // The group of a consumer that was given none; the column after it begins where the longest name ends.
        (r"console-consumer-\d+ *", "console-consumer-<number> "),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<uuid>"),
        (r"(TopicId|Cluster ID|ClusterId):(\s+)\S+", "$1:$2<id>"),
        (r"(HighWatermark|MaxFollowerLag|MaxFollowerLagTimeMs|LeaderEpoch):(\s+)-?\d+", "$1:$2<number>"),
        (r#""directoryId": "[^"]*""#, r#""directoryId": "<id>""#),
        (r"\b\d{13}\b", "<time>"),
        // What the tools that measure have measured, with as many digits behind the point as there are.
        (r"\d+\.\d{6} records/sec", "<.6> records/sec"),
        (r"\d+\.\d records/sec", "<.1> records/sec"),
        (r"\d+\.\d\d MB/sec", "<.2> MB/sec"),
        (r"\d+\.\d\d ms (avg|max)", "<.2> ms $1"),
        (r"\d+\.\d ms (avg|max)", "<.1> ms $1"),
        (r"\d+ ms ([0-9.]+)th", "<0> ms ${1}th"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d:\d{3}", "<date>"),
        (
            r"(?m)^(\S+, \S+, \d+\.\d{4}), \d+\.\d{4}, (\d+), \d+\.\d{4}, \d+, \d+, \d+\.\d{4}, \d+\.\d{4}$",
            "$1, <.4>, $2, <.4>, <0>, <0>, <.4>, <.4>",
        ),
        (r"(?m)^(\d+)\t\d+\.\d+(E-\d+)?$", "$1\t<double>"),
        (r"Avg latency: \d+\.\d{4} ms", "Avg latency: <.4> ms"),
        (r"Percentiles: 50th = \d+, 99th = \d+, 99.9th = \d+", "Percentiles: <0>, <0>, <0>"),
        // A row of `describe --replication`: node, directory, end of its log, lag, two times, role.
        (r"(?m)^(\d+)\s+\S{22}\s+\d+\s+\d+\s+\S+\s+\S+\s+(Leader|Follower|Observer)\s*$", "$1 <replica> $2"),
        // A uuid alone on the only line.
        (r"^[A-Za-z0-9_-]{22}\n$", "<id>\n"),
        (r"(?m)[ \t]+$", ""),
    ]
    .iter()
    .map(|(pattern, with)| (Regex::new(pattern).expect("patterns are constants"), *with))
    .collect()
});

/// The exit code and the lines of standard output.
pub(super) fn text(output: &Output, unordered: bool) -> Vec<String> {
    let mut text = output.stdout.clone();
    for (pattern, with) in RULES.iter() {
        text = pattern.replace_all(&text, *with).into_owned();
    }
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if unordered {
        lines.sort();
    }
    lines.insert(0, format!("exit code {}", output.code));
    lines
}

/// `expected | got` for each line that is not the same.
pub(super) fn differences(expected: &[String], got: &[String]) -> Vec<String> {
    let empty = String::new();
    (0..expected.len().max(got.len()))
        .map(|at| (expected.get(at).unwrap_or(&empty), got.get(at).unwrap_or(&empty)))
        .filter(|(expected, got)| expected != got)
        .map(|(expected, got)| format!("{expected} | {got}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(stdout: &str, expected: &[&str]) {
        let output = Output { code: 0, stdout: stdout.to_owned(), stderr: String::new() };
        assert_eq!(text(&output, false)[1..], *expected);
    }

    #[test]
    fn ids_times_and_addresses_are_taken_out() {
        check(
            "Topic: a\tTopicId: 3RIpb5kXS8mYA1dKkbRrEg\tPartitionCount: 1\n",
            &["Topic: a\tTopicId: <id>\tPartitionCount: 1"],
        );
        check("CreateTime:1795519423411\tvalue\n", &["CreateTime:<time>\tvalue"]);
        check("127.0.0.1:21200 (id: 1 rack: null)\n", &["<address> (id: 1 rack: null)"]);
        check("console-b3d9e6a2-1b5c-4f1e-9f57-0d9c2c0b1f7e x\n", &["console-<uuid> x"]);
        check("HighWatermark:          71\n", &["HighWatermark:          <number>"]);
        check("3RIpb5kXS8mYA1dKkbRrEg\n", &["<id>"]);
    }

    #[test]
    fn measurements_keep_their_counts_and_their_form() {
        check(
            "50 records sent, 12.345678 records/sec (0.01 MB/sec), 5.10 ms avg latency, 9.00 ms max latency, 5 ms 50th, \
             9 ms 95th, 9 ms 99th, 9 ms 99.9th.\n",
            &[
                "50 records sent, <.6> records/sec (<.2> MB/sec), <.2> ms avg latency, <.2> ms max latency, <0> ms 50th, \
               <0> ms 95th, <0> ms 99th, <0> ms 99.9th.",
            ],
        );
        check(
            "2026-11-24 18:39:10:473, 2026-11-24 18:39:11:547, 0.0081, 0.1, 85, 0.0\n\
             2026-11-24 18:39:10:473, 2026-11-24 18:39:11:547, 0.0081, 0.1234, 85, 10.0000, 3, 1074, 0.0000, 0.0000\n",
            &[
                "<date>, <date>, 0.0081, 0.1, 85, 0.0",
                "<date>, <date>, 0.0081, <.4>, 85, <.4>, <0>, <0>, <.4>, <.4>",
            ],
        );
        check("0\t1.234567\nAvg latency: 1.2345 ms\n", &["0\t<double>", "Avg latency: <.4> ms"]);
    }

    #[test]
    fn offsets_partitions_and_names_stay() {
        check("single:0:5\nPartition:0|Offset:12\n", &["single:0:5", "Partition:0|Offset:12"]);
    }

    #[test]
    fn order_is_dropped_where_it_means_nothing() {
        let output = Output { code: 1, stdout: "b\na\n".to_owned(), stderr: String::new() };
        assert_eq!(text(&output, true), ["exit code 1", "a", "b"]);
    }

    #[test]
    fn a_missing_line_is_a_difference() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(differences(&lines("a\nb"), &lines("a")), ["b | "]);
        assert_eq!(differences(&lines("a"), &lines("a")), Vec::<String>::new());
    }
}
