//! One producing connection: a request that is encoded once and patched for each sending, and the acknowledgements that
//! must come for it.

use std::collections::VecDeque;

use anyhow::{Context, Result, bail, ensure};
use bytes::{Buf, BufMut};
use ottla_protocol::records::increment_sequence;
use ottla_protocol::{ErrorCode, ProducerId};

use super::batch::Template;
use super::link::Link;
use super::topics::Topics;
use super::written::Written;
use crate::poll::Poll;

/// Produce with names of topics, flexible header not yet: the last version before that.
const VERSION: i16 = 7;
const PRODUCE: i16 = 0;
const TIMEOUT_MS: i32 = 30_000;
/// Where the correlation id of a request lies, behind length, key and version.
const CORRELATION_AT: usize = 8;

/// Where a partition's parts lie in the request.
#[derive(Clone, Copy, Debug)]
struct Slot {
    name: usize,
    index: usize,
    batch: usize,
}

/// A request on its way.
#[derive(Clone, Copy, Debug)]
struct Sent {
    correlation: i32,
    at_ns: u64,
    group: usize,
}

/// One connection that produces.
#[derive(Debug)]
pub(crate) struct Producer {
    pub(crate) link: Link,
    id: ProducerId,
    template: Template,
    slots: Vec<Slot>,
    /// The partitions of each request, taken in turn.
    groups: Vec<Vec<usize>>,
    turn: usize,
    correlation: i32,
    acks: i16,
    /// Whether nobody else writes to these partitions: then offsets are consecutive.
    alone: bool,
    /// By partition: the sequence of the next batch, and the offset that the next acknowledgement must have (or, with
    /// others about, at least).
    sequences: Vec<i32>,
    offsets: Vec<i64>,
    in_flight: VecDeque<Sent>,
}

/// A request was acknowledged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Acknowledged {
    /// When it was to be sent, in nanoseconds of the run.
    pub(crate) at_ns: u64,
}

impl Producer {
    /// Writes to `groups`, each the partitions of one request and all of the same number.
    pub(crate) fn new(
        link: Link,
        id: Option<ProducerId>,
        template: Template,
        topics: &Topics,
        groups: Vec<Vec<usize>>,
        acks: i16,
        alone: bool,
    ) -> Producer {
        let mut producer = Producer {
            link,
            id: id.unwrap_or(ProducerId::NONE),
            template,
            slots: Vec::new(),
            groups,
            turn: 0,
            correlation: 0,
            acks,
            alone,
            sequences: vec![0; topics.count()],
            offsets: vec![0; topics.count()],
            in_flight: VecDeque::new(),
        };
        producer.encode(topics);
        producer
    }

    /// Writes the request for the first group.
    fn encode(&mut self, topics: &Topics) {
        let out = &mut self.link.out;
        out.put_i32(0);
        out.put_i16(PRODUCE);
        out.put_i16(VERSION);
        out.put_i32(0);
        put_string(out, "ottla-bench");
        out.put_i16(-1);
        out.put_i16(self.acks);
        out.put_i32(TIMEOUT_MS);
        let group = &self.groups[0];
        let same_topic = |a: &usize, b: &usize| topics.at(*a).0 == topics.at(*b).0;
        out.put_i32(group.chunk_by(same_topic).count() as i32);
        for of_topic in group.chunk_by(same_topic) {
            let name = out.len() + 2;
            put_string(out, topics.at(of_topic[0]).0);
            out.put_i32(of_topic.len() as i32);
            for &ordinal in of_topic {
                let index = out.len();
                out.put_i32(topics.at(ordinal).1);
                out.put_i32(self.template.bytes.len() as i32);
                self.slots.push(Slot { name, index, batch: out.len() });
                out.put_slice(&self.template.bytes);
            }
        }
        let length = (out.len() - 4) as i32;
        out[..4].copy_from_slice(&length.to_be_bytes());
        // Nothing is on its way: the whole request counts as sent.
        self.link.rest();
    }

    /// Requests that wait for their acknowledgement.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Whether another request may be sent.
    pub(crate) fn has_room(&self, depth: usize) -> bool {
        self.in_flight.len() < depth && self.link.is_free()
    }

    /// Sends the next request. `at_ns`: when it was to be sent.
    pub(crate) fn send(&mut self, poll: &Poll, written: &mut Written, at_ns: u64) -> Result<()> {
        self.correlation = self.correlation.wrapping_add(1);
        let out = &mut self.link.out;
        out[CORRELATION_AT..CORRELATION_AT + 4].copy_from_slice(&self.correlation.to_be_bytes());
        let group = &self.groups[self.turn];
        for (slot, &ordinal) in self.slots.iter().zip(group) {
            if self.groups.len() > 1 {
                let (name, index) = written.topics.at(ordinal);
                out[slot.name..slot.name + name.len()].copy_from_slice(name.as_bytes());
                out[slot.index..slot.index + 4].copy_from_slice(&index.to_be_bytes());
            }
            if self.id != ProducerId::NONE {
                let batch = &mut out[slot.batch..slot.batch + self.template.bytes.len()];
                let sequence = &mut self.sequences[ordinal];
                self.template.set_sequence(batch, *sequence);
                *sequence = increment_sequence(*sequence, self.template.records as i32);
                if let Some(sent_at) = &mut written.sent_at {
                    sent_at.entry((self.id, ordinal)).or_default().push(at_ns);
                }
            }
        }
        if self.acks == 0 {
            // Nothing will come back: what was sent counts as written, and readers tell whether it was.
            for &ordinal in group {
                written.acknowledged[ordinal] += u64::from(self.template.records);
            }
        } else {
            self.in_flight.push_back(Sent { correlation: self.correlation, at_ns, group: self.turn });
        }
        self.turn = (self.turn + 1) % self.groups.len();
        self.link.send(poll)
    }

    /// The next acknowledgement that has come whole: checked, and counted in `written`.
    pub(crate) fn acknowledged(&mut self, written: &mut Written) -> Result<Option<Acknowledged>> {
        let Some(frame) = self.link.next_frame()? else { return Ok(None) };
        let sent = self.in_flight.pop_front().context("an answer to no request")?;
        let answered = answered(frame, sent.correlation, |name, index, error, base_offset| {
            let ordinal = written.topics.ordinal(name, index).context("a partition of another topic")?;
            ensure!(self.groups[sent.group].contains(&ordinal), "a partition that was not written to");
            if error != 0 {
                bail!("error {error} ({:?})", ErrorCode::from_code(error));
            }
            let expected = &mut self.offsets[ordinal];
            if self.alone {
                ensure!(base_offset == *expected, "offset {base_offset} where {expected} comes next");
            } else {
                ensure!(base_offset >= *expected, "offset {base_offset} after {expected} was reached");
            }
            *expected = base_offset + i64::from(self.template.records);
            written.acknowledged[ordinal] += u64::from(self.template.records);
            Ok(())
        })
        .context("the broker acknowledges wrongly")?;
        ensure!(
            answered == self.groups[sent.group].len(),
            "the broker acknowledges wrongly: {answered} partitions of {}",
            self.groups[sent.group].len()
        );
        Ok(Some(Acknowledged { at_ns: sent.at_ns }))
    }

    /// Begins where the partitions end now: topics need not be empty.
    pub(crate) fn start_at(&mut self, ends: &[u64]) {
        self.offsets = ends.iter().map(|&end| end as i64).collect();
    }
}

/// Reads the answer to a Produce and tells of each partition: name, index, error, base offset. Returns how many.
fn answered(
    mut frame: &[u8],
    correlation: i32,
    mut tell: impl FnMut(&[u8], i32, i16, i64) -> Result<()>,
) -> Result<usize> {
    let frame = &mut frame;
    let got = frame.try_get_i32()?;
    ensure!(got == correlation, "the answer is to request {got}, not {correlation}");
    let mut count = 0;
    for _ in 0..frame.try_get_i32()? {
        let name = take_string(frame)?;
        for _ in 0..frame.try_get_i32()? {
            let (index, error) = (frame.try_get_i32()?, frame.try_get_i16()?);
            let (base_offset, _append_time) = (frame.try_get_i64()?, frame.try_get_i64()?);
            let _log_start = frame.try_get_i64()?;
            tell(name, index, error, base_offset)
                .with_context(|| format!("{}-{index}", String::from_utf8_lossy(name)))?;
            count += 1;
        }
    }
    Ok(count)
}

/// Writes a string with its length before it.
pub(crate) fn put_string(out: &mut Vec<u8>, text: &str) {
    out.put_i16(text.len() as i16);
    out.put_slice(text.as_bytes());
}

/// Takes a string with its length before it; none at all is empty.
pub(crate) fn take_string<'a>(frame: &mut &'a [u8]) -> Result<&'a [u8]> {
    let length = usize::try_from(frame.try_get_i16()?).unwrap_or(0);
    take(frame, length)
}

/// Takes so many bytes.
pub(crate) fn take<'a>(frame: &mut &'a [u8], length: usize) -> Result<&'a [u8]> {
    let (taken, rest) = frame.split_at_checked(length).context("the answer ends early")?;
    *frame = rest;
    Ok(taken)
}
