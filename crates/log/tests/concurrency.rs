//! Readers see whole batches, in order, and nothing beyond what was appended, while others append, roll and delete.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{append, config};
use ottla_log::disk::RealDisk;
use ottla_log::{Log, LogContext, LogError, LogReader, OpenOptions, TopicPartition};
use ottla_protocol::Offset;
use ottla_protocol::records::batches;

const BATCHES: i64 = 3000;

/// Reads from the start to the end again and again, and checks what is read.
fn read_until(reader: &LogReader, is_done: &AtomicBool) -> u64 {
    let mut count = 0;
    let mut next = Offset(0);
    loop {
        let done = is_done.load(Ordering::SeqCst);
        let end = reader.log_end_offset();
        match reader.read(next, 700, end, true) {
            Err(LogError::OffsetOutOfRange { log_start_offset, .. }) => next = log_start_offset,
            Err(error) => panic!("{error}"),
            Ok(read) => match read.region {
                Some(region) => {
                    let mut bytes = Vec::new();
                    region.read(&mut bytes).expect("reads");
                    for batch in batches(&bytes).map_while(Result::ok) {
                        assert_eq!(batch.verify_crc(), Ok(()));
                        assert!(batch.base_offset() <= next && next <= batch.last_offset(), "{next}");
                        assert!(batch.next_offset() <= end, "not beyond the bound");
                        next = batch.next_offset();
                        count += 1;
                    }
                }
                None if done && next >= reader.log_end_offset() => return count,
                None if next >= end => next = Offset((end.0 - 100).max(reader.log_start_offset().0)),
                None => panic!("nothing at {next}, the end is {end}"),
            },
        }
    }
}

#[test]
fn readers_need_no_lock() {
    let dir = tempfile::TempDir::new().expect("a directory");
    let context = LogContext::new(Arc::new(RealDisk), 5);
    let partition = TopicPartition::new("t", 0);
    let options = OpenOptions::new(partition, dir.path().join("t-0"), 0);
    let (mut log, _) = Log::open(&context, OpenOptions { config: config(), ..options }).expect("opens");
    let is_done = AtomicBool::new(false);
    let reader = log.reader();
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..3).map(|_| scope.spawn(|| read_until(&reader, &is_done))).collect();
        let mut deleted = Vec::new();
        for n in 0..BATCHES {
            append(&mut log, &[n, n], 1);
            if n % 500 == 499 {
                log.flush(0).expect("flushes");
                deleted.push(log.delete_segments(5, 0).expect("deletes"));
            }
            if n % 1000 == 999 {
                deleted.drain(..).for_each(|segments| segments.remove().expect("removes"));
            }
        }
        is_done.store(true, Ordering::SeqCst);
        for reader in readers {
            assert!(reader.join().expect("no panic") > 0);
        }
    });
    assert_eq!(log.log_end_offset(), Offset(BATCHES * 2));
}
