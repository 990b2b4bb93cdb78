//! Mutated input, a short while: every message decoder, the validation of record batches, and a running broker.
//!
//! Inputs come from a seed. What must hold: nothing panics, what was decoded can be written and read again, and a broker
//! goes on serving others. `OTTLA_FUZZ_SECONDS` sets how long each target runs.

use std::panic::{self, AssertUnwindSafe};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use bytes::Bytes;
use ottla_protocol::codec::MessageInfo;
use ottla_protocol::messages::registry::MESSAGES;
use ottla_protocol::records::compression::compress;
use ottla_protocol::records::{Compression, Recompression, Rules, TimestampType, validate};

use crate::batch::Batch;
use crate::broker::Broker;
use crate::environment::Environment;
use crate::jvm::Runner;
use crate::random::Random;
use crate::raw::{Answer, Connection};
use crate::report::Report;

const SEED: u64 = 8_191;

/// Runs the suite.
pub(super) fn run(environment: &Environment, report: &mut Report) -> Result<()> {
    let seconds = std::env::var("OTTLA_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(8);
    let limit = Duration::from_secs(seconds);
    report.case("decoders_never_panic", || target(limit, decoders));
    report.case("record_batches_never_panic", || target(limit, batches));
    report.case("broker_survives_mutated_requests", || broker(environment, limit));
    Ok(())
}

/// Runs a target until the time is over; a panic tells the seed of its input.
fn target(limit: Duration, run: fn(&mut Random)) -> Result<()> {
    let started = Instant::now();
    let mut runs = 0;
    while started.elapsed() < limit {
        for _ in 0..1000 {
            let seed = SEED + runs;
            if panic::catch_unwind(AssertUnwindSafe(|| run(&mut Random::new(seed)))).is_err() {
                bail!("panic with seed {seed}");
            }
            runs += 1;
        }
    }
    println!("      {runs} runs from seed {SEED}");
    Ok(())
}

/// Some message's bytes, changed, decoded at some version; what is decoded must survive a round trip.
fn decoders(random: &mut Random) {
    let info = &MESSAGES[random.below(MESSAGES.len() as u64) as usize];
    let (version, input) = message(info, random);
    let input = Bytes::from(input);
    if let Ok(written) = (info.round_trip)(&input, version) {
        let written = Bytes::from(written);
        let again = (info.round_trip)(&written, version).expect("what we wrote, we read");
        assert_eq!(again, written, "{} v{version}: {input:?}", info.name);
    }
}

fn message(info: &MessageInfo, random: &mut Random) -> (i16, Vec<u8>) {
    let (low, high) = info.versions;
    let version = low + random.below((high - low + 1) as u64) as i16;
    let mut input = (info.encode_default)(version).unwrap_or_default();
    if random.below(3) == 0 {
        input = (0..random.below(200)).map(|_| interesting(random)).collect();
    }
    mutate(&mut input, random);
    (version, input)
}

/// A valid batch, changed, judged as a leader judges it; what is accepted must be readable.
fn batches(random: &mut Random) {
    let values: Vec<String> = (0..random.below(6)).map(|n| "x".repeat(n as usize * 7)).collect();
    let mut batch = Batch::of(&values.iter().map(String::as_str).collect::<Vec<_>>());
    let codec = random.below(5) as u8;
    batch.attributes = i16::from(codec) | (random.below(8) as i16) << 3;
    if let Some(compression) = Compression::from_id(codec).filter(|c| *c != Compression::None) {
        let mut body = Vec::new();
        compress(compression, None, &batch.record_bytes(), &mut body);
        if random.below(2) == 0 {
            // Changed below the checksum, so that the decompressors see it.
            mutate(&mut body, random);
        }
        batch.body = Some(body);
    } else if random.below(2) == 0 {
        let mut body = batch.record_bytes();
        mutate(&mut body, random);
        batch.body = Some(body);
    }
    let mut bytes = batch.bytes();
    if random.below(2) == 0 {
        mutate(&mut bytes, random);
    }
    let rules = Rules {
        topic: "fuzzed",
        partition: 0,
        produce_version: 3 + random.below(11) as i16,
        max_message_bytes: 1 << 20,
        compacted: random.below(4) == 0,
        compression: Compression::from_id(random.below(8) as u8)
            .map(|compression| Recompression { compression, level: None }),
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: i64::MAX,
        decompressed_bytes_max: 1 << 24,
    };
    if let Ok(valid) = validate(&bytes, &rules, 1_700_000_000_000) {
        assert!(valid.record_count > 0);
        let written = valid.batch.to_vec();
        let batch = ottla_protocol::records::RecordBatch::first(&written).expect("a valid batch can be read");
        batch.verify_crc().expect("a valid batch has its checksum");
        let records = batch.records(1 << 24).expect("a valid batch has records");
        let read = records.iter().collect::<Result<Vec<_>, _>>().expect("each record can be read");
        assert_eq!(read.len(), valid.record_count as usize);
    }
}

/// Mutated requests to a running broker.
fn broker(environment: &Environment, limit: Duration) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut runner = Runner::new(environment);
    let mut broker = Broker::under_test(environment, directory.path());
    broker.start(&mut runner)?;
    let requests: Vec<&MessageInfo> = MESSAGES.iter().filter(|info| info.kind == "request").collect();
    let mut random = Random::new(SEED);
    let started = Instant::now();
    let (mut sent, mut answered) = (0, 0);
    while started.elapsed() < limit {
        let mut connection = Connection::open(broker.port, Duration::from_millis(20))?;
        // A connection is used until the broker has had enough of it.
        for _ in 0..20 {
            let info = requests[random.below(requests.len() as u64) as usize];
            let (version, body) = message(info, &mut random);
            let key = info.api_key.unwrap_or_default();
            let mut frame = crate::raw::request_v1(key, version, &[]);
            frame.extend(body);
            connection.send_frame(&frame);
            sent += 1;
            match connection.answer() {
                Answer::Frame(_) => answered += 1,
                Answer::Silence => {}
                Answer::Closed => break,
            }
        }
    }
    println!("      {sent} requests, {answered} answers, seed {SEED}");
    ensure!(sent > 50, "only {sent} requests were sent");
    broker.check_alive()
}

/// Numbers at which decoders break, more often than others.
fn interesting(random: &mut Random) -> u8 {
    match random.below(4) {
        0 => [0, 1, 2, 0x7f, 0x80, 0xfe, 0xff, 0x10][random.below(8) as usize],
        _ => random.bits() as u8,
    }
}

/// A few changes: bytes set, bits flipped, pieces cut, doubled, put in.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() as u64 + 1) as usize;
        match random.below(6) {
            0 if at < bytes.len() => bytes[at] = interesting(random),
            1 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            2 => bytes.truncate(at),
            3 => bytes.insert(at, interesting(random)),
            4 if at + 4 <= bytes.len() => {
                let number = [-1, 0, 1, i32::MAX, i32::MIN, 1 << 20][random.below(6) as usize];
                bytes[at..at + 4].copy_from_slice(&i32::to_be_bytes(number));
            }
            _ if bytes.len() < 4096 => {
                let piece = bytes[..at].to_vec();
                bytes.extend(piece);
            }
            _ => {}
        }
    }
}
