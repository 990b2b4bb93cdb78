//! `kafka-console-producer`: lines of standard input become records.

mod line_reader;
mod options;

use std::io::IsTerminal;

use ottla_client::{Client, ClientConfig, Producer, ProducerConfig, ProducerRecord, Properties};
use tokio::sync::mpsc;

use crate::context::Context;
use crate::failure::{Exception, Failure};
use crate::lines::{LineEnd, read_lines};
use crate::log;
use crate::signals::Signals;
use line_reader::LineReader;

const CALLBACK_CLASS: &str = "org.apache.kafka.clients.producer.internals.ErrorLoggingCallback";

/// Runs the tool.
pub(crate) fn run(words: &[String], cx: &mut Context<'_>) -> i32 {
    match execute(words, cx) {
        Ok(code) => code,
        Err(Failure::Exit(code)) => code,
        Err(Failure::Thrown(exception)) if exception.class.starts_with("joptsimple.") => {
            writeln!(cx.err, "{}", exception.text()).ok();
            1
        }
        Err(Failure::Thrown(exception)) => {
            write!(cx.err, "{}", exception.trace()).ok();
            1
        }
    }
}

fn execute(words: &[String], cx: &mut Context<'_>) -> Result<i32, Failure> {
    let arguments = options::parse(words, cx)?;
    let reader = options::line_reader(&arguments)?;
    let properties = options::producer_properties(&arguments)?;
    cx.out.flush()?;
    log::show_warnings();
    crate::admin::block_on(produce(reader, &properties, arguments.has("sync"), cx))
}

/// A producer by its settings.
pub(crate) fn producer(properties: &Properties) -> Result<Producer, Exception> {
    let thrown = |error: ottla_client::Error| Exception::of_client("", &error);
    let client = Client::new(ClientConfig::from_properties(properties).map_err(thrown)?);
    Ok(Producer::new(client, ProducerConfig::from_properties(properties).map_err(thrown)?))
}

/// Sends until the input ends, a line makes no sense, or somebody asks us to stop; what was read before is delivered
/// in all three cases.
async fn produce(
    mut reader: LineReader,
    properties: &Properties,
    sync: bool,
    cx: &mut Context<'_>,
) -> Result<i32, Failure> {
    let producer = producer(properties)?;
    let (tell, mut failures) = mpsc::unbounded_channel();
    let mut signals = Signals::new();
    let sent = tokio::select! {
        sent = send_lines(&mut reader, &producer, sync, &tell, cx) => sent.map(|()| 0),
        signal = signals.next() => Ok(signal.exit_code()),
    };
    producer.close().await;
    drop(tell);
    while let Some(failure) = failures.recv().await {
        report(cx, &failure);
    }
    sent
}

/// A record that was not written.
struct NotWritten {
    topic: String,
    /// Sizes of key and value, if they are there.
    key: Option<usize>,
    value: Option<usize>,
    error: ottla_client::Error,
}

async fn send_lines(
    reader: &mut LineReader,
    producer: &Producer,
    sync: bool,
    tell: &mpsc::UnboundedSender<NotWritten>,
    cx: &mut Context<'_>,
) -> Result<(), Failure> {
    let prompt = cx.is_interactive && std::io::stdout().is_terminal();
    let mut input = read_lines(std::io::stdin(), LineEnd::Any);
    loop {
        if prompt {
            write!(cx.out, ">")?;
            cx.out.flush()?;
        }
        let Some(lines) = input.recv().await else { return Ok(()) };
        let lines = lines.map_err(|error| Exception::new("java.io.IOException", error.to_string()))?;
        for line in lines {
            let record = reader.record(&String::from_utf8_lossy(&line))?;
            if sync {
                send_and_wait(producer, record).await?;
            } else {
                send(producer, record, tell).await;
            }
        }
    }
}

async fn send_and_wait(producer: &Producer, record: ProducerRecord) -> Result<(), Exception> {
    let delivered = match producer.send(record).await {
        Ok(delivery) => delivery.await,
        Err(error) => Err(error),
    };
    delivered.map(drop).map_err(|error| thrown(&error).execution())
}

async fn send(producer: &Producer, record: ProducerRecord, tell: &mpsc::UnboundedSender<NotWritten>) {
    let size = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map(bytes::Bytes::len);
    let (topic, key, value) = (record.topic.clone(), size(&record.key), size(&record.value));
    let failed = {
        let topic = topic.clone();
        let tell = tell.clone();
        move |error| drop(tell.send(NotWritten { topic: topic.to_string(), key, value, error }))
    };
    let on_failure = failed.clone();
    let callback = move |result: Result<_, _>| {
        if let Err(error) = result {
            on_failure(error);
        }
    };
    if let Err(error) = producer.send_and(record, Box::new(callback)).await {
        failed(error);
    }
}

fn report(cx: &mut Context<'_>, failure: &NotWritten) {
    let size = |size: Option<usize>| size.map_or(String::from("null"), |size| format!("{size} bytes"));
    let (topic, key, value) = (&failure.topic, size(failure.key), size(failure.value));
    let text =
        format!("Error when sending message to topic {topic} with key: {key}, value: {value} with error:");
    log::error(cx, CALLBACK_CLASS, &text);
    write!(cx.err, "{}", thrown(&failure.error).trace()).ok();
}

/// A failure to write a record, as Kafka's producer throws it.
pub(crate) fn thrown(error: &ottla_client::Error) -> Exception {
    match error {
        ottla_client::Error::Timeout { .. } | ottla_client::Error::Connect { .. } => {
            Exception::new("org.apache.kafka.common.errors.TimeoutException", error.to_string())
        }
        _ => Exception::of_client("", error),
    }
}
