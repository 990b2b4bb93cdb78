//! `kafka-producer-perf-test`: how many records a second get through, and how long they take.

mod options;
mod payload;
mod stats;
mod throttle;

use std::sync::Arc;

use ottla_client::{Producer, ProducerRecord, RecordMetadata};
use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::client_metrics::Metrics;
use crate::console_producer::{producer, thrown};
use crate::context::Context;
use crate::failure::{Exception, Failure};
use options::Settings;
use stats::Stats;
use throttle::Throttle;

/// Runs the tool.
pub(crate) fn run(words: &[String], cx: &mut Context<'_>) -> i32 {
    match execute(words, cx) {
        Ok(()) => 0,
        Err(Failure::Exit(code)) => code,
        Err(Failure::Thrown(exception)) => exception.uncaught(cx),
    }
}

fn execute(words: &[String], cx: &mut Context<'_>) -> Result<(), Failure> {
    let settings = options::parse(words, cx)?;
    cx.out.flush()?;
    crate::admin::block_on(produce(settings, cx))
}

async fn produce(mut settings: Settings, cx: &mut Context<'_>) -> Result<(), Failure> {
    let producer = producer(&settings.properties)?;
    if settings.warmup_records > 0 {
        writeln!(
            cx.out,
            "Warmup first {} records. Steady state results will print after the complete test summary.",
            settings.warmup_records
        )?;
        cx.out.flush()?;
    }
    if settings.payload.choices() == 0 {
        let text = "No payload file, record size or payload-monotonic option provided.";
        return Err(Exception::illegal_argument(text).into());
    }
    let (said, mut heard) = mpsc::unbounded_channel();
    let now_ms = cx.now_ms;
    let start = |records, is_steady| Stats::new(records, settings.reporting_interval_ms, is_steady, now_ms());
    let (all, steady) = (start(settings.num_records, false), None);
    let run = Arc::new(Run { now_ms, results: Mutex::new(Results { all, steady, failed: 0 }), said });
    send_all(&mut settings, &producer, &run, &mut heard, cx).await?;
    close(producer, &mut heard, cx).await?;
    let mut results = run.results.lock();
    write!(cx.out, "{}", results.all.total(now_ms()))?;
    if let Some(steady) = &mut results.steady {
        write!(cx.out, "{}", steady.total(now_ms()))?;
    }
    if settings.print_metrics {
        let client_id = settings.properties.get("client.id").unwrap_or_default();
        Metrics::new(client_id)
            .with("producer-metrics", "record-send-total", settings.num_records - results.failed)
            .with("producer-metrics", "record-error-total", results.failed)
            .print(cx)?;
    }
    Ok(())
}

/// What the loop and the records on their way share.
struct Run {
    now_ms: fn() -> i64,
    results: Mutex<Results>,
    /// Lines of progress and complaints, which only the loop can print.
    said: mpsc::UnboundedSender<Said>,
}

struct Results {
    all: Stats,
    steady: Option<Stats>,
    failed: u64,
}

enum Said {
    Progress(String),
    Complaint(String),
}

impl Run {
    /// A record has its result. Only what was written counts.
    fn on_result(
        &self,
        sent_ms: i64,
        bytes: usize,
        in_steady_state: bool,
        result: ottla_client::Result<RecordMetadata>,
    ) {
        let now_ms = (self.now_ms)();
        let latency_ms = i32::try_from(now_ms - sent_ms).unwrap_or(i32::MAX);
        let mut results = self.results.lock();
        let said = match result {
            Ok(_) => {
                let all = results.all.record(latency_ms, bytes, now_ms);
                let steady = results.steady.as_mut().filter(|_| in_steady_state);
                let steady = steady.and_then(|steady| steady.record(latency_ms, bytes, now_ms));
                all.into_iter().chain(steady).map(Said::Progress).collect::<Vec<_>>()
            }
            Err(error) => {
                results.failed += 1;
                vec![Said::Complaint(thrown(&error).trace())]
            }
        };
        for said in said {
            // The loop has gone away only when nobody reads its output any more.
            self.said.send(said).ok();
        }
    }
}

async fn send_all(
    settings: &mut Settings,
    producer: &Producer,
    run: &Arc<Run>,
    heard: &mut mpsc::UnboundedReceiver<Said>,
    cx: &mut Context<'_>,
) -> Result<(), Failure> {
    let topic = bytestring::ByteString::from(settings.topic.as_str());
    let mut throttle = Throttle::new(settings.throughput, (run.now_ms)());
    for number in 0..settings.num_records {
        let value = settings.payload.next(number);
        let sent_ms = (run.now_ms)();
        let is_warm = settings.warmup_records > 0 && number >= settings.warmup_records;
        if is_warm && number == settings.warmup_records {
            begin_steady_state(settings, run, sent_ms);
        }
        let (bytes, told) = (value.len(), Arc::clone(run));
        let record = ProducerRecord {
            topic: topic.clone(),
            timestamp: Some(sent_ms),
            value: Some(value),
            ..ProducerRecord::default()
        };
        let on_result = move |result| told.on_result(sent_ms, bytes, is_warm, result);
        if let Err(error) = producer.send_and(record, Box::new(on_result)).await {
            run.on_result(sent_ms, bytes, is_warm, Err(error));
        }
        while let Ok(said) = heard.try_recv() {
            print(said, cx)?;
        }
        if let Some(pause) = throttle.pause(number, sent_ms) {
            tokio::time::sleep(pause).await;
        }
    }
    Ok(())
}

fn begin_steady_state(settings: &Settings, run: &Run, now_ms: i64) {
    let records = settings.num_records - settings.warmup_records;
    let mut results = run.results.lock();
    results.steady = Some(Stats::new(records, settings.reporting_interval_ms, true, now_ms));
    results.all.is_silent = true;
}

/// Delivers what is left and prints what is said meanwhile.
async fn close(
    producer: Producer,
    heard: &mut mpsc::UnboundedReceiver<Said>,
    cx: &mut Context<'_>,
) -> Result<(), Failure> {
    let mut closing = std::pin::pin!(producer.close());
    loop {
        tokio::select! {
            biased;
            Some(said) = heard.recv() => print(said, cx)?,
            () = &mut closing => break,
        }
    }
    while let Ok(said) = heard.try_recv() {
        print(said, cx)?;
    }
    Ok(())
}

fn print(said: Said, cx: &mut Context<'_>) -> std::io::Result<()> {
    match said {
        Said::Progress(text) => {
            cx.out.write_all(text.as_bytes())?;
            cx.out.flush()
        }
        Said::Complaint(text) => cx.err.write_all(text.as_bytes()),
    }
}
