//! Appends batches to a log on the real disk and says how fast that was: `append DIR [BATCHES [RECORDS [VALUE_BYTES]]]`.
//! The directory stays, for other programs to look at: it holds one partition, `bench-0`, closed.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use ottla_log::disk::RealDisk;
use ottla_log::{Log, LogConfig, LogContext, LogDir, OffsetCheckpoint, OpenOptions, TopicPartition};
use ottla_protocol::records::{BatchBuilder, BatchBytes, Compression, Rules, TimestampType, validate};
use ottla_protocol::{LeaderEpoch, Uuid};

const NOW: i64 = 1_700_000_000_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: usize| arguments.get(at).map_or(Ok(default), |text| text.parse());
    let dir = arguments.first().ok_or("which directory?")?;
    let (batches, records, value_bytes) = (number(1, 10_000)?, number(2, 10)?, number(3, 1024)?);

    let context = LogContext::new(Arc::new(RealDisk), 100);
    let log_dir = LogDir::open(&context, Path::new(dir))?;
    let partition = TopicPartition::new("bench", 0);
    let topic_id = Some(Uuid(0x1234_5678_9abc_u128.to_be_bytes()));
    let config = LogConfig { segment_bytes: 64 << 20, ..LogConfig::default() };
    let options = OpenOptions { topic_id, config, ..log_dir.open_options(&partition, NOW) };
    let (mut log, _) = Log::open(&context, options)?;

    let built: Vec<Vec<u8>> =
        Compression::ALL.iter().map(|compression| build(*compression, records, value_bytes)).collect();
    for (compression, bytes) in Compression::ALL.iter().zip(&built) {
        measure(&mut log, &compression.to_string(), bytes, batches)?;
    }
    log.flush(NOW)?;
    log.close()?;
    let points = [(&partition, log.recovery_point())];
    log_dir.write_checkpoint(OffsetCheckpoint::RecoveryPoint, points)?;
    log_dir.write_clean_shutdown(-1)?;
    Ok(())
}

fn build(compression: Compression, records: usize, value_bytes: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new().compression(compression, None);
    for n in 0..records {
        let key = format!("key {n}");
        let value: Vec<u8> = (0..value_bytes).map(|at| (at * 7 + n) as u8 | 0x20).collect();
        builder.append(NOW + n as i64, Some(key.as_bytes()), Some(&value), &[]);
    }
    builder.build()
}

#[allow(clippy::disallowed_methods, reason = "measuring is what this program is for")]
fn measure(
    log: &mut Log,
    name: &str,
    bytes: &[u8],
    batches: usize,
) -> Result<(), Box<dyn std::error::Error>> {
    let rules = Rules {
        topic: "bench",
        partition: 0,
        produce_version: 13,
        max_message_bytes: i32::MAX,
        compacted: false,
        compression: None,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: i64::MAX,
        decompressed_bytes_max: u64::MAX,
    };
    let start = Instant::now();
    for _ in 0..batches {
        validate(bytes, &rules, NOW).map_err(|rejection| rejection.reason)?;
    }
    let validated = start.elapsed();
    let start = Instant::now();
    for _ in 0..batches {
        log.append(&mut BatchBytes::new(bytes)?, LeaderEpoch(1), NOW)?;
    }
    let appended = start.elapsed();
    let megabytes = (bytes.len() * batches) as f64 / 1e6;
    println!(
        "{name:6} {batches} batches of {} bytes: validate {:.0} MB/s, {:.2} us; append {:.0} MB/s, {:.2} us",
        bytes.len(),
        megabytes / validated.as_secs_f64(),
        validated.as_secs_f64() * 1e6 / batches as f64,
        megabytes / appended.as_secs_f64(),
        appended.as_secs_f64() * 1e6 / batches as f64,
    );
    Ok(())
}
