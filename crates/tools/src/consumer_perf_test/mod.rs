//! `kafka-consumer-perf-test`: how many records a second can be read.

mod date_format;
mod options;
mod report;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ottla_client::{Consumer, ConsumerRecord, Rebalance, TopicPartition};
use parking_lot::Mutex;

use crate::client_metrics::Metrics;
use crate::console_consumer::{consumer, random};
use crate::context::Context;
use crate::failure::{Exception, Failure};
use options::{Options, Settings};
use report::Counts;

/// How long one poll waits.
const POLL: Duration = Duration::from_millis(100);

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
    let options = Options::parse(words, cx)?;
    if !options.has("hide-header") {
        write!(cx.out, "{}", report::header(options.has("show-detailed-stats")))?;
        cx.out.flush()?;
    }
    crate::admin::block_on(measure(&options, cx))
}

async fn measure(options: &Options, cx: &mut Context<'_>) -> Result<(), Failure> {
    let properties = options.properties(random())?;
    let mut consumer = consumer(&properties)?;
    let start_ms = (cx.now_ms)();
    let joins = Joins::watch(&mut consumer, cx.now_ms);
    let settings = options.settings()?;
    let subscribed = match options.topic_or_pattern()? {
        Ok(topic) => consumer.subscribe([topic]),
        Err(pattern) => consumer.subscribe_pattern(pattern),
    };
    subscribed.map_err(|error| thrown(&error))?;
    let counts = consume(&mut consumer, &settings, &joins, cx).await?;
    let end_ms = (cx.now_ms)();
    if !settings.show_detailed_stats {
        let line = report::total(&settings.date_format, counts, (start_ms, end_ms), joins.0.lock().total_ms);
        cx.out.write_all(line.as_bytes())?;
    }
    if options.has("print-metrics") {
        Metrics::new(properties.get("client.id").unwrap_or_default())
            .with("consumer-fetch-manager-metrics", "records-consumed-total", counts.records)
            .with("consumer-fetch-manager-metrics", "bytes-consumed-total", counts.bytes)
            .print(cx)?;
    }
    consumer.close().await.map_err(|error| thrown(&error).into())
}

fn thrown(error: &ottla_client::Error) -> Exception {
    Exception::of_client("", error)
}

async fn consume(
    consumer: &mut Consumer,
    settings: &Settings,
    joins: &Joins,
    cx: &mut Context<'_>,
) -> Result<Counts, Failure> {
    let mut counts = Counts::default();
    let mut now_ms = (cx.now_ms)();
    let mut last_consumed_ms = now_ms;
    let (mut last_report_ms, mut reported) = (now_ms, counts);
    while counts.records < settings.num_records && now_ms - last_consumed_ms <= settings.timeout_ms {
        let records = consumer.poll(POLL).await.map_err(|error| thrown(&error))?;
        now_ms = (cx.now_ms)();
        if records.is_empty() {
            continue;
        }
        last_consumed_ms = now_ms;
        for record in &records {
            counts.records += 1;
            counts.bytes += size(record);
            if now_ms - last_report_ms < settings.reporting_interval_ms {
                continue;
            }
            let join_ms = std::mem::take(&mut joins.0.lock().since_report_ms);
            if settings.show_detailed_stats {
                let times = (last_report_ms, now_ms);
                let line = report::progress(&settings.date_format, counts, reported, times, join_ms);
                cx.out.write_all(line.as_bytes())?;
                cx.out.flush()?;
            }
            (last_report_ms, reported) = (now_ms, counts);
        }
    }
    if counts.records < settings.num_records {
        writeln!(
            cx.out,
            "WARNING: Exiting before consuming the expected number of records: timeout ({} ms) exceeded. You can use \
             the --timeout option to increase the timeout.",
            settings.timeout_ms
        )?;
    }
    Ok(counts)
}

fn size(record: &ConsumerRecord) -> u64 {
    [&record.key, &record.value].into_iter().flatten().map(|bytes| bytes.len() as u64).sum()
}

/// How long the consumer was without a partition, waiting for its group.
struct Joins(Arc<Mutex<JoinTimes>>);

struct JoinTimes {
    assigned: BTreeSet<TopicPartition>,
    start_ms: i64,
    total_ms: i64,
    since_report_ms: i64,
}

impl Joins {
    fn watch(consumer: &mut Consumer, now_ms: fn() -> i64) -> Joins {
        let times =
            JoinTimes { assigned: BTreeSet::new(), start_ms: now_ms(), total_ms: 0, since_report_ms: 0 };
        let times = Arc::new(Mutex::new(times));
        let told = Arc::clone(&times);
        consumer.on_rebalance(move |rebalance| told.lock().on_rebalance(rebalance, now_ms()));
        Joins(times)
    }
}

impl JoinTimes {
    fn on_rebalance(&mut self, rebalance: Rebalance, now_ms: i64) {
        match rebalance {
            Rebalance::Revoked(partitions) => {
                self.assigned.retain(|partition| !partitions.contains(partition));
                if self.assigned.is_empty() {
                    self.start_ms = now_ms;
                }
            }
            Rebalance::Assigned(partitions) => {
                if self.assigned.is_empty() {
                    self.total_ms += now_ms - self.start_ms;
                    self.since_report_ms += now_ms - self.start_ms;
                }
                self.assigned.extend(partitions);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_last_from_the_loss_of_the_last_partition_to_the_first_new_one() {
        let mut times =
            JoinTimes { assigned: BTreeSet::new(), start_ms: 100, total_ms: 0, since_report_ms: 0 };
        let partitions = |numbers: &[i32]| numbers.iter().map(|n| TopicPartition::new("t", *n)).collect();
        times.on_rebalance(Rebalance::Assigned(partitions(&[0, 1])), 130);
        times.on_rebalance(Rebalance::Revoked(partitions(&[0])), 200);
        times.on_rebalance(Rebalance::Assigned(partitions(&[2])), 300);
        assert_eq!((times.total_ms, times.since_report_ms), (30, 30));
        times.since_report_ms = 0;
        times.on_rebalance(Rebalance::Revoked(partitions(&[1, 2])), 400);
        times.on_rebalance(Rebalance::Assigned(partitions(&[1])), 405);
        assert_eq!((times.total_ms, times.since_report_ms), (35, 5));
    }
}
