//! How fast the log appends, beside how fast the same bytes go into the page cache: `append_rate DIR [MIB [ROUNDS]]`, one
//! thread. Prints a line of MB/s for each round: of the log, and of plain writes. Batches are of 16 KiB with records of
//! 1 KiB.

use std::fs::OpenOptions as FileOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use ottla_log::disk::RealDisk;
use ottla_log::{Log, LogContext, OpenOptions, TopicPartition};
use ottla_protocol::LeaderEpoch;
use ottla_protocol::records::{BatchBuilder, BatchBytes};

const NOW: i64 = 1_700_000_000_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| arguments.get(at).map_or(Ok(default), |text| text.parse());
    let dir = Path::new(arguments.first().ok_or("which directory?")?);
    let (bytes, rounds) = (number(1, 512)? << 20, number(2, 5)?);
    let mut builder = BatchBuilder::new();
    let value: Vec<u8> = (0..1000).map(|at| (at * 7) as u8 | 0x20).collect();
    for n in 0..16 {
        builder.append(NOW, Some(format!("key {n}").as_bytes()), Some(&value), &[]);
    }
    let batch = builder.build();
    let count = bytes / batch.len() as u64;
    for round in 0..rounds {
        let dir = dir.join(format!("round-{round}"));
        let log = append(&dir.join("bench-0"), &batch, count)?;
        let plain = write(&dir.join("plain"), &batch, count)?;
        std::fs::remove_dir_all(&dir)?;
        println!("{log:.0} {plain:.0}");
    }
    Ok(())
}

#[allow(clippy::disallowed_methods, reason = "measuring is what this program is for")]
fn timed(
    bytes: u64,
    mut work: impl FnMut() -> Result<(), Box<dyn std::error::Error>>,
) -> Result<f64, Box<dyn std::error::Error>> {
    let start = Instant::now();
    work()?;
    Ok(bytes as f64 / 1e6 / start.elapsed().as_secs_f64())
}

fn append(dir: &Path, batch: &[u8], count: u64) -> Result<f64, Box<dyn std::error::Error>> {
    let context = LogContext::new(Arc::new(RealDisk), 100);
    let options = OpenOptions::new(TopicPartition::new("bench", 0), dir.to_owned(), NOW);
    std::fs::create_dir_all(dir)?;
    let (mut log, _) = Log::open(&context, options)?;
    timed(batch.len() as u64 * count, || {
        for _ in 0..count {
            log.append(&mut BatchBytes::new(batch)?, LeaderEpoch(1), NOW)?;
        }
        Ok(())
    })
}

fn write(path: &Path, batch: &[u8], count: u64) -> Result<f64, Box<dyn std::error::Error>> {
    let file = FileOptions::new().write(true).create(true).truncate(true).open(path)?;
    timed(batch.len() as u64 * count, || {
        for n in 0..count {
            file.write_all_at(batch, n * batch.len() as u64)?;
        }
        Ok(())
    })
}
