//! Says how long it takes to open a large log after a kill and after a clean stop: `recovery DIR [GIB [BATCH_BYTES]]`. The
//! directory is made, and removed at the end. Segments are of 1 GiB and flushed when they are done, as a broker does it.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use ottla_log::disk::RealDisk;
use ottla_log::{Log, LogContext, LogDir, OffsetCheckpoint, OpenOptions, TopicPartition};
use ottla_protocol::records::{BatchBuilder, BatchBytes};
use ottla_protocol::{LeaderEpoch, Offset};

const NOW: i64 = 1_700_000_000_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| arguments.get(at).map_or(Ok(default), |text| text.parse());
    let dir = Path::new(arguments.first().ok_or("which directory?")?);
    // The last segment is nearly full: as much to examine as there can be.
    let (bytes, batch_bytes) = ((number(1, 10)? << 30) - (32 << 20), number(2, 16 << 10)?);
    let context = LogContext::new(Arc::new(RealDisk), 100);
    let partition = TopicPartition::new("bench", 0);

    let log_dir = LogDir::open(&context, dir)?;
    let options = OpenOptions { ..log_dir.open_options(&partition, NOW) };
    let (mut log, _) = Log::open(&context, options)?;
    fill(&mut log, bytes, batch_bytes as usize)?;
    log_dir.write_checkpoint(OffsetCheckpoint::RecoveryPoint, [(&partition, log.recovery_point())])?;
    let end = log.log_end_offset();
    // As a kill does: nothing is closed, and the kernel has all that was written.
    drop((log, log_dir));

    let mut log = open("killed", &context, dir, &partition, end)?;
    log.flush(NOW)?;
    log.close()?;
    let log_dir = LogDir::open(&context, dir)?;
    log_dir.write_checkpoint(OffsetCheckpoint::RecoveryPoint, [(&partition, log.recovery_point())])?;
    log_dir.write_clean_shutdown(-1)?;
    drop((log, log_dir));
    drop(open("closed", &context, dir, &partition, end)?);
    std::fs::remove_dir_all(dir)?;
    Ok(())
}

fn fill(log: &mut Log, bytes: u64, batch_bytes: usize) -> Result<(), Box<dyn std::error::Error>> {
    let mut builder = BatchBuilder::new();
    let value: Vec<u8> = (0..1024).map(|at| (at * 7) as u8 | 0x20).collect();
    while builder.is_empty() || builder.size() < batch_bytes {
        builder.append(NOW, None, Some(&value), &[]);
    }
    let batch = builder.build();
    let mut done = 0;
    while done < bytes {
        let appended = log.append(&mut BatchBytes::new(&batch)?, LeaderEpoch(1), NOW)?;
        done += appended.size as u64;
        if appended.has_rolled {
            log.flush(NOW)?;
        }
    }
    Ok(())
}

#[allow(clippy::disallowed_methods, reason = "measuring is what this program is for")]
fn open(
    what: &str,
    context: &LogContext,
    dir: &Path,
    partition: &TopicPartition,
    end: Offset,
) -> Result<Log, Box<dyn std::error::Error>> {
    let start = Instant::now();
    let log_dir = LogDir::open(context, dir)?;
    let (log, report) = Log::open(context, log_dir.open_options(partition, NOW))?;
    let took = start.elapsed();
    assert_eq!((log.log_end_offset(), &report.damaged), (end, &Vec::new()));
    println!(
        "{what}: {} segments, {} bytes; {} segments with {} bytes examined: {:.1} ms",
        log.reader().segment_count(),
        log.reader().size(),
        report.scanned_segments,
        report.scanned_bytes,
        took.as_secs_f64() * 1e3
    );
    Ok(log)
}
