//! `kafka-console-consumer`: records of topics are printed to standard output.

mod deserializer;
mod formatter;
mod internal;
mod options;

use std::collections::BTreeMap;
use std::time::Duration;

use ottla_client::{
    Client, ClientConfig, Consumer, ConsumerConfig, ConsumerRecord, Properties, TopicPartition,
};

use crate::context::Context;
use crate::failure::{Exception, Failure};
use crate::log;
use crate::signals::{Asked, Signals};
use options::{Settings, Source, Start};

const CLASS: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";
const FORMATTER_CLASS: &str = "org.apache.kafka.tools.consumer.DefaultMessageFormatter";

/// Runs the tool.
pub(crate) fn run(words: &[String], cx: &mut Context<'_>) -> i32 {
    let settings = match options::parse(words, random(), cx) {
        Ok(settings) => settings,
        Err(Failure::Exit(code)) => return code,
        Err(Failure::Thrown(exception)) => {
            write!(cx.err, "Exception in thread \"main\" {}", exception.trace()).ok();
            return 1;
        }
    };
    for class in &settings.unknown_deserializers {
        log::error(cx, FORMATTER_CLASS, &format!("Unable to instantiate a deserializer from {class}"));
    }
    log::show_warnings();
    let ended = crate::admin::block_on(consume(&settings, cx));
    if let Err(exception) = &ended {
        log::error(cx, CLASS, "Unknown error when running consumer: ");
        write!(cx.err, "{}", exception.trace()).ok();
    }
    if settings.systest_events {
        writeln!(cx.out, "shutdown_complete").ok();
    }
    match ended {
        Ok(End::Asked(asked)) => asked.exit_code(),
        Ok(End::Done) => 0,
        Err(_) => 1,
    }
}

/// A number for the name of a group that nobody else has.
pub(crate) fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}

/// A consumer by its settings.
pub(crate) fn consumer(properties: &Properties) -> Result<Consumer, Exception> {
    let thrown = |error: ottla_client::Error| Exception::of_client("", &error);
    let client = Client::new(ClientConfig::from_properties(properties).map_err(thrown)?);
    Ok(Consumer::new(client, ConsumerConfig::from_properties(properties).map_err(thrown)?))
}

/// Why the tool ends, when nothing went wrong.
enum End {
    Done,
    Asked(Asked),
}

async fn consume(settings: &Settings, cx: &mut Context<'_>) -> Result<End, Exception> {
    let mut consumer = consumer(&settings.properties)?;
    start(&mut consumer, &settings.source).map_err(|error| Exception::of_client("", &error))?;
    let mut run = Run { settings, count: 0, unread: Vec::new() };
    let mut signals = Signals::new();
    let ended = tokio::select! {
        ended = run.print_all(&mut consumer, cx) => ended.map(|()| End::Done),
        asked = signals.next() => Ok(End::Asked(asked)),
    };
    run.put_back(&mut consumer);
    if let Err(error) = consumer.close().await {
        log::warn(cx, CLASS, &error.to_string());
    }
    writeln!(cx.err, "Processed a total of {} messages", run.count).ok();
    ended
}

fn start(consumer: &mut Consumer, source: &Source) -> ottla_client::Result<()> {
    match source {
        Source::Topic(topic) => consumer.subscribe([topic.as_str()]),
        Source::Include(pattern) => consumer.subscribe_pattern(pattern),
        Source::Partition(topic, partition, start) => {
            let partition = TopicPartition::new(topic.as_str(), *partition);
            consumer.assign(std::slice::from_ref(&partition));
            match start {
                Start::Earliest => consumer.seek_to_beginning(&partition),
                Start::Latest => consumer.seek_to_end(&partition),
                Start::At(offset) => consumer.seek(&partition, *offset),
            }
        }
    }
}

struct Run<'a> {
    settings: &'a Settings,
    count: u64,
    /// Records that were polled and not printed: they must not be committed.
    unread: Vec<ConsumerRecord>,
}

impl Run<'_> {
    async fn print_all(&mut self, consumer: &mut Consumer, cx: &mut Context<'_>) -> Result<(), Exception> {
        while !self.is_enough() {
            let records = match self.poll(consumer).await {
                Ok(records) => records,
                Err(exception) => {
                    log::error(cx, CLASS, "Error processing message, terminating consumer process: ");
                    write!(cx.err, "{}", exception.trace()).ok();
                    return Ok(());
                }
            };
            let printed = self.print(records, cx)?;
            if printed.and_then(|()| cx.out.flush()).is_err() {
                writeln!(cx.err, "Unable to write to standard out, closing consumer.").ok();
                return Ok(());
            }
        }
        Ok(())
    }

    fn is_enough(&self) -> bool {
        self.settings.max_messages.is_some_and(|most| self.count >= most)
    }

    /// The next records, at least one.
    async fn poll(&self, consumer: &mut Consumer) -> Result<Vec<ConsumerRecord>, Exception> {
        let timeout = self.settings.timeout_ms.map_or(Duration::MAX, Duration::from_millis);
        let records = consumer.poll(timeout).await.map_err(|error| Exception::of_client("", &error))?;
        if records.is_empty() {
            let class = "org.apache.kafka.common.errors.TimeoutException";
            return Err(Exception { message: None, ..Exception::new(class, "") });
        }
        Ok(records)
    }

    /// Prints records until it is enough. The outer error is one of a record, the inner one of the output.
    fn print(
        &mut self,
        records: Vec<ConsumerRecord>,
        cx: &mut Context<'_>,
    ) -> Result<std::io::Result<()>, Exception> {
        let mut text = Vec::new();
        let mut records = records.into_iter();
        for record in records.by_ref() {
            self.count += 1;
            text.clear();
            let formatted = self.settings.formatter.write(&record, &mut text);
            let written = cx.out.write_all(&text);
            if written.is_err() {
                return Ok(written);
            }
            match formatted {
                Ok(()) => {}
                Err(exception) if self.settings.skip_message_on_error => {
                    log::error(cx, CLASS, "Error processing message, skipping this message: ");
                    write!(cx.err, "{}", exception.trace()).ok();
                }
                Err(exception) => {
                    self.unread.extend(records);
                    return Err(exception);
                }
            }
            if self.is_enough() {
                break;
            }
        }
        self.unread.extend(records);
        Ok(Ok(()))
    }

    /// Moves the consumer back to the first record of each partition that was not printed.
    fn put_back(&mut self, consumer: &mut Consumer) {
        let mut first = BTreeMap::new();
        for record in self.unread.drain(..) {
            first.entry(record.partition).or_insert(record.offset);
        }
        for (partition, offset) in first {
            // A partition that is no longer ours is not committed either.
            consumer.seek(&partition, offset).ok();
        }
    }
}
