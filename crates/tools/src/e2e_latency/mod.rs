//! `kafka-e2e-latency`: how long a record takes from its producer to its consumer, one record at a time.

mod options;
mod record;

use std::time::{Duration, Instant};

use ottla_client::{Client, ClientConfig, Consumer, Producer, Properties, TopicPartition};
use ottla_protocol::messages::create_topics_request::CreatableTopic;

use crate::admin::Admin;
use crate::console_consumer::consumer;
use crate::console_producer::{producer, thrown};
use crate::context::Context;
use crate::failure::{Exception, Failure};
use crate::java::{double_to_string, fixed};
use options::Settings;
use record::Records;

/// How long a record may take.
const POLL_MS: u64 = 60_000;

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
    let settings = options::parse(words, cx)?;
    cx.out.flush()?;
    crate::admin::block_on(measure(&settings, cx))
}

async fn measure(settings: &Settings, cx: &mut Context<'_>) -> Result<(), Failure> {
    let properties = |own: &[(&str, &str)]| {
        let file = settings.command_config.as_deref();
        let mut properties = crate::settings::from_file_and_arguments(file, &[])?;
        properties.set("bootstrap.servers", settings.servers.as_str());
        properties.extend(own.iter().copied());
        Ok::<Properties, Exception>(properties)
    };
    let group = format!("test-group-{}", (cx.now_ms)());
    let consumer_properties = properties(&[
        ("group.id", &group),
        ("enable.auto.commit", "false"),
        ("auto.offset.reset", "latest"),
        // Nothing is to wait for more.
        ("fetch.max.wait.ms", "0"),
    ])?;
    let longest = i64::MAX.to_string();
    let producer_properties =
        properties(&[("linger.ms", "0"), ("max.block.ms", &longest), ("acks", &settings.acks)])?;
    let mut consumer = consumer(&consumer_properties)?;
    let producer = producer(&producer_properties)?;
    make_topic(settings, &properties(&[])?, cx).await?;
    read_from_the_end(&mut consumer, &consumer_properties, &settings.topic).await?;
    let latencies = send_and_receive(settings, &producer, &mut consumer, cx).await;
    // What was read is committed, whatever came out of it.
    let committed = consumer.commit().await.map_err(|error| thrown(&error));
    write!(cx.out, "{}", summary(latencies?))?;
    producer.close().await;
    consumer.close().await.map_err(|error| thrown(&error))?;
    Ok(committed?)
}

async fn make_topic(
    settings: &Settings,
    properties: &Properties,
    cx: &mut Context<'_>,
) -> Result<(), Failure> {
    let admin = Admin::of(properties.clone())?;
    let (topics, _) = admin.list_topics().await?;
    let name = settings.topic.as_str();
    if topics.iter().any(|topic| topic.name == name) {
        return Ok(());
    }
    writeln!(
        cx.out,
        "Topic \"{name}\" does not exist. Will create topic with 1 partition(s) and replication factor = 1"
    )?;
    let topic = CreatableTopic {
        name: name.into(),
        num_partitions: 1,
        replication_factor: 1,
        ..CreatableTopic::default()
    };
    if let Err(error) = admin.create_topic(topic).await {
        writeln!(cx.out, "Creation of topic {name} failed")?;
        return Err(error.execution().wrapped("java.lang.RuntimeException").into());
    }
    Ok(())
}

/// Reads all partitions, and knows where they end before the first record is sent.
async fn read_from_the_end(
    consumer: &mut Consumer,
    properties: &Properties,
    topic: &str,
) -> Result<(), Exception> {
    let client = Client::new(ClientConfig::from_properties(properties).map_err(|error| thrown(&error))?);
    let known = client.retry(|| client.topic(topic)).await.map_err(|error| thrown(&error))?;
    let partitions: Vec<TopicPartition> =
        known.partitions.iter().map(|partition| TopicPartition::new(topic, partition.partition)).collect();
    consumer.assign(&partitions);
    for partition in &partitions {
        consumer.seek_to_end(partition).map_err(|error| thrown(&error))?;
    }
    while partitions.iter().any(|partition| consumer.position(partition).is_none()) {
        consumer.poll(Duration::from_millis(1)).await.map_err(|error| thrown(&error))?;
    }
    Ok(())
}

/// Nanoseconds of each record.
async fn send_and_receive(
    settings: &Settings,
    producer: &Producer,
    consumer: &mut Consumer,
    cx: &mut Context<'_>,
) -> Result<Vec<u64>, Failure> {
    let mut records = Records::new(settings);
    let mut latencies = Vec::with_capacity(settings.num_records);
    for number in 0..settings.num_records {
        let sent = records.next();
        #[allow(clippy::disallowed_methods, reason = "what is measured is real time")]
        let begin = Instant::now();
        let delivery = producer.send(sent.clone()).await.map_err(|error| thrown(&error))?;
        delivery.await.map_err(|error| thrown(&error).execution())?;
        let received = consumer.poll(Duration::from_millis(POLL_MS)).await.map_err(|error| thrown(&error))?;
        let elapsed = u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        record::check(&sent, &received)
            .map_err(|difference| Exception::new("java.lang.RuntimeException", difference))?;
        if number.is_multiple_of(1000) {
            writeln!(cx.out, "{number}\t{}", double_to_string(elapsed as f64 / 1000.0 / 1000.0))?;
            cx.out.flush()?;
        }
        latencies.push(elapsed);
    }
    Ok(latencies)
}

/// The average, and percentiles in whole milliseconds.
fn summary(mut latencies: Vec<u64>) -> String {
    let count = latencies.len() as f64;
    let total: f64 = latencies.iter().map(|nanos| *nanos as f64).sum();
    latencies.sort_unstable();
    let percentile = |part: f64| latencies[(count * part) as usize] / 1_000_000;
    format!(
        "Avg latency: {} ms\nPercentiles: 50th = {}, 99th = {}, 99.9th = {}\n",
        fixed(total / count / 1000.0 / 1000.0, 4),
        percentile(0.5),
        percentile(0.99),
        percentile(0.999),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_kafkas_tool() {
        let latencies = (1..=1000).rev().map(|millis| millis * 1_000_000 + 999_999).collect();
        assert_eq!(
            summary(latencies),
            "Avg latency: 501.5000 ms\nPercentiles: 50th = 501, 99th = 991, 99.9th = 1000\n"
        );
        assert_eq!(
            summary(vec![1_234_567]),
            "Avg latency: 1.2346 ms\nPercentiles: 50th = 1, 99th = 1, 99.9th = 1\n"
        );
    }
}
