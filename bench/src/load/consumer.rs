//! One consuming connection: Fetch without a group, every answer checked.

use anyhow::{Context, Result, ensure};
use bytes::{Buf, BufMut};
use ottla_protocol::ErrorCode;

use super::link::Link;
use super::producer::{put_string, take, take_string};
use super::topics::Topics;
use super::written::{Check, Seen, Taken, Written};
use crate::poll::Poll;

/// Fetch with names of topics, flexible header not yet: the last version before that.
const VERSION: i16 = 11;
const FETCH: i16 = 1;

/// How a consumer fetches.
#[derive(Clone, Copy, Debug)]
pub struct Fetching {
    /// How long the broker may wait for data, in milliseconds.
    pub wait_ms: i32,
    /// Less than this, and the broker waits.
    pub bytes_min: i32,
    /// Of a whole answer.
    pub bytes_max: i32,
    /// Of one partition in it.
    pub partition_bytes_max: i32,
    /// How the answers are looked at.
    pub check: Check,
}

impl Default for Fetching {
    /// As Kafka's consumer has it, but for the limit of an answer: 10 MiB, which the broker is never asked to pass.
    fn default() -> Self {
        Fetching {
            wait_ms: 500,
            bytes_min: 1,
            bytes_max: 10 << 20,
            partition_bytes_max: 1 << 20,
            check: Check::Checksums,
        }
    }
}

/// One connection that consumes.
#[derive(Debug)]
pub(crate) struct Consumer {
    pub(crate) link: Link,
    fetching: Fetching,
    partitions: Vec<usize>,
    pub(crate) seen: Seen,
    /// Which partition is asked for first: who was served comes last next time.
    first: usize,
    correlation: i32,
    sent_ns: u64,
}

/// What an answer had.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fetched {
    /// When it was asked for, in nanoseconds of the run.
    pub(crate) at_ns: u64,
    /// Bytes of whole batches.
    pub(crate) bytes: u64,
    /// Records in them.
    pub(crate) records: u64,
}

impl Consumer {
    pub(crate) fn new(link: Link, fetching: Fetching, partitions: Vec<usize>, topics: &Topics) -> Consumer {
        Consumer {
            link,
            fetching,
            partitions,
            seen: Seen::nothing(topics),
            first: 0,
            correlation: 0,
            sent_ns: 0,
        }
    }

    /// Whether it has read all that was acknowledged.
    pub(crate) fn has_all(&self, written: &Written) -> bool {
        self.partitions.iter().all(|&at| self.seen.next[at] >= written.acknowledged[at])
    }

    /// An error if it has read what was never acknowledged.
    pub(crate) fn check_no_more(&self, written: &Written) -> Result<()> {
        for &at in &self.partitions {
            let (found, acknowledged) = (self.seen.next[at], written.acknowledged[at]);
            let (name, index) = written.topics.at(at);
            ensure!(
                found == acknowledged,
                "{name}-{index} has {found} records and {acknowledged} were acknowledged"
            );
        }
        Ok(())
    }

    /// Begins anew.
    pub(crate) fn rewind(&mut self, topics: &Topics) {
        self.seen = Seen::nothing(topics);
    }

    /// Asks for the next records.
    pub(crate) fn send(&mut self, poll: &Poll, topics: &Topics, now_ns: u64) -> Result<()> {
        self.correlation = self.correlation.wrapping_add(1);
        self.sent_ns = now_ns;
        let out = &mut self.link.out;
        out.clear();
        out.put_i32(0);
        out.put_i16(FETCH);
        out.put_i16(VERSION);
        out.put_i32(self.correlation);
        put_string(out, "ottla-bench");
        out.put_i32(-1);
        out.put_i32(self.fetching.wait_ms);
        out.put_i32(self.fetching.bytes_min);
        out.put_i32(self.fetching.bytes_max);
        // Read uncommitted, and no session.
        out.put_i8(0);
        out.put_i32(0);
        out.put_i32(-1);
        self.put_partitions(topics);
        let out = &mut self.link.out;
        out.put_i32(0);
        put_string(out, "");
        let length = (out.len() - 4) as i32;
        out[..4].copy_from_slice(&length.to_be_bytes());
        self.link.send(poll)
    }

    fn put_partitions(&mut self, topics: &Topics) {
        let (before, after) = self.partitions.split_at(self.first);
        let out = &mut self.link.out;
        let topic = |ordinal: &usize| ordinal / topics.partitions();
        let same_topic = |a: &usize, b: &usize| topic(a) == topic(b);
        // The topic that `first` lies in is asked for whole, at the front; no topic is named twice.
        let in_first = |ordinal: &&usize| after.first().is_some_and(|first| topic(first) == topic(ordinal));
        let cut = before.len() - before.iter().rev().take_while(in_first).count();
        let head = after.iter().take_while(in_first).count();
        let front: Vec<usize> = after[..head].iter().chain(&before[cut..]).copied().collect();
        let parts = [&front[..], &after[head..], &before[..cut]];
        let count: usize = parts.iter().map(|part| part.chunk_by(same_topic).count()).sum();
        out.put_i32(count as i32);
        for of_topic in parts.iter().flat_map(|part| part.chunk_by(same_topic)) {
            put_string(out, topics.at(of_topic[0]).0);
            out.put_i32(of_topic.len() as i32);
            for &ordinal in of_topic {
                out.put_i32(topics.at(ordinal).1);
                out.put_i32(-1);
                out.put_i64(self.seen.next[ordinal] as i64);
                out.put_i64(-1);
                out.put_i32(self.fetching.partition_bytes_max);
            }
        }
    }

    /// The next answer that has come whole, checked; `tell` hears of each batch.
    pub(crate) fn fetched(
        &mut self,
        written: &Written,
        mut tell: impl FnMut(usize, Taken),
    ) -> Result<Option<Fetched>> {
        let Some(mut frame) = self.link.next_frame()? else { return Ok(None) };
        let frame = &mut frame;
        let got = frame.try_get_i32()?;
        ensure!(got == self.correlation, "the answer is to request {got}, not {}", self.correlation);
        let _throttle = frame.try_get_i32()?;
        let error = frame.try_get_i16()?;
        ensure!(error == 0, "the broker refuses to be read: {:?}", ErrorCode::from_code(error));
        let _session = frame.try_get_i32()?;
        let mut fetched = Fetched { at_ns: self.sent_ns, ..Fetched::default() };
        let mut served = 0;
        for _ in 0..frame.try_get_i32()? {
            let name = take_string(frame)?;
            for _ in 0..frame.try_get_i32()? {
                let (index, records) = partition(frame)
                    .with_context(|| format!("fetch of {}", String::from_utf8_lossy(name)))?;
                let ordinal = written.topics.ordinal(name, index).context("a partition of another topic")?;
                let taken = self.seen.take(written, ordinal, records, self.fetching.check, |taken| {
                    fetched.records += u64::from(taken.records);
                    tell(ordinal, taken);
                })?;
                fetched.bytes += taken;
                served += usize::from(taken > 0);
            }
        }
        self.first = (self.first + served) % self.partitions.len();
        Ok(Some(fetched))
    }
}

/// Index and records of one partition of an answer.
fn partition<'a>(frame: &mut &'a [u8]) -> Result<(i32, &'a [u8])> {
    let (index, error) = (frame.try_get_i32()?, frame.try_get_i16()?);
    ensure!(error == 0, "partition {index}: {:?}", ErrorCode::from_code(error));
    let _high_watermark = frame.try_get_i64()?;
    let _last_stable_offset = frame.try_get_i64()?;
    let _log_start = frame.try_get_i64()?;
    for _ in 0..frame.try_get_i32()? {
        let _aborted = (frame.try_get_i64()?, frame.try_get_i64()?);
    }
    let _preferred_replica = frame.try_get_i32()?;
    let length = usize::try_from(frame.try_get_i32()?).unwrap_or(0);
    Ok((index, take(frame, length)?))
}
