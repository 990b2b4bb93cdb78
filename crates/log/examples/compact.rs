//! Fills a log on the real disk with 1 KiB records of which a tenth have keys of their own, compacts it and says how long
//! which part of that took: `compact DIR [MIB]`. The directory is to be empty, and stays.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ottla_log::cleaner::{CleanerMemory, CompactionPolicy, Replaced, compaction_range};
use ottla_log::disk::RealDisk;
use ottla_log::{Log, LogConfig, LogContext, LogDir, OpenOptions, TopicPartition};
use ottla_protocol::LeaderEpoch;
use ottla_protocol::records::{BatchBuilder, BatchBytes};

const NOW: i64 = 1_700_000_000_000;
const SEGMENT_BYTES: u32 = 100 << 20;
/// Kafka's defaults for one thread.
const MEMORY: CleanerMemory =
    CleanerMemory { dedupe_bytes: 128 << 20, load_factor: 0.9, io_bytes: 256 << 10 };

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let dir = arguments.first().ok_or("which directory?")?;
    let records = arguments.get(1).map_or(Ok(1024), |mib| mib.parse::<u64>())? * 1024;
    let context = LogContext::new(Arc::new(RealDisk), 100);
    let log_dir = LogDir::open(&context, Path::new(dir))?;
    let partition = TopicPartition::new("bench", 0);
    let config = LogConfig { segment_bytes: SEGMENT_BYTES, compact: true, ..LogConfig::default() };
    let options = OpenOptions { config, ..log_dir.open_options(&partition, NOW) };
    let (mut log, _) = Log::open(&context, options)?;
    fill(&mut log, records)?;
    compact(&mut log)?;
    log.flush(NOW)?;
    log.close()?;
    Ok(())
}

fn fill(log: &mut Log, records: u64) -> Result<(), Box<dyn std::error::Error>> {
    let value = vec![b'v'; 1000];
    let mut random = 1_u64;
    for _ in 0..records / 16 {
        let mut builder = BatchBuilder::new();
        for _ in 0..16 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let key = format!("key-{:012}", (random >> 33) % (records / 10));
            builder.append(NOW, Some(key.as_bytes()), Some(&value), &[]);
        }
        let bytes = builder.build();
        log.append(&mut BatchBytes::new(&bytes)?, LeaderEpoch(1), NOW)?;
    }
    log.roll(NOW)?;
    log.flush(NOW)?;
    Ok(())
}

#[allow(clippy::disallowed_methods, reason = "measuring is what this program is for")]
fn compact(log: &mut Log) -> Result<(), Box<dyn std::error::Error>> {
    let policy = CompactionPolicy {
        min_cleanable_dirty_ratio: 0.0,
        min_compaction_lag_ms: 0,
        max_compaction_lag_ms: i64::MAX,
        delete_retention_ms: 86_400_000,
        segment_bytes: SEGMENT_BYTES,
        segment_index_bytes: 10 << 20,
    };
    let mut pace = |_| ControlFlow::Continue(());
    let started = Instant::now();
    let flushed = log.recovery_point();
    let facts = log.reader().compaction_facts(&policy, flushed, flushed, None, NOW)?;
    let range = compaction_range(&facts, &policy, NOW);
    let mut cleaning = log.prepare_cleaning(range, policy, HashMap::new(), MEMORY, NOW)?;
    cleaning.gather_keys(&mut pace)?;
    let gathered = started.elapsed();
    let mut replacing = Duration::ZERO;
    while let Some(cleaned) = cleaning.next_group(&mut pace)? {
        let before = Instant::now();
        match log.replace_segments(cleaned)? {
            Replaced::Done(old) => old.remove()?,
            Replaced::Outdated => return Err("the log has changed".into()),
        }
        replacing += before.elapsed();
    }
    let took = started.elapsed();
    let mib = |bytes: u64| bytes as f64 / (1 << 20) as f64;
    let stats = cleaning.stats();
    println!(
        "{:.0} MiB in {took:.2?} ({:.0} MiB/s): keys {gathered:.2?}, rewriting {:.2?}, replacing {replacing:.2?}",
        mib(stats.bytes_read),
        mib(stats.bytes_read) / took.as_secs_f64(),
        took - gathered - replacing,
    );
    println!(
        "{} keys in {:.1} MiB, {:.0} MiB and {} of {} records are left",
        stats.keys,
        mib(stats.map_bytes),
        mib(stats.bytes_written),
        stats.records_written,
        stats.records_read,
    );
    Ok(())
}
