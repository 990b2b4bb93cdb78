//! What a log holds, as its host knows it.

use std::collections::BTreeMap;

use ottla_protocol::ProducerId;

use crate::End;

/// A batch as it was appended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Appended {
    pub(crate) bytes: Vec<u8>,
    pub(crate) last: i64,
    pub(crate) epoch: i32,
    /// Producer and its last sequence.
    pub(crate) producer: Option<(ProducerId, i32)>,
    pub(crate) timestamps: Vec<i64>,
}

/// One partition.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    /// By base offset; also those that retention has taken, which may come back when the power goes.
    pub(crate) batches: BTreeMap<i64, Appended>,
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// Up to where everything survives anything.
    pub(crate) flushed: i64,
    pub(crate) epoch: i32,
    /// What the operation that was cut off would have made of it.
    pub(crate) or: Option<Box<State>>,
}

impl State {
    pub(crate) fn cut_to(&mut self, at: i64) {
        self.batches.retain(|base, _| *base < at);
        self.start = self.start.min(at);
        self.end = self.end.min(at);
        self.flushed = self.flushed.min(at);
    }

    /// Up to where everything is there after the process ended so.
    pub(crate) fn surely(&self, end: End) -> i64 {
        match end {
            End::Power => self.flushed,
            End::Kill => self.end,
        }
    }

    /// Last sequence of each producer, and where its batch begins.
    pub(crate) fn producers(&self, end: i64) -> BTreeMap<ProducerId, (i64, i32)> {
        let known = self.batches.range(..end).filter_map(|(base, batch)| Some((*base, batch.producer?)));
        known.map(|(base, (producer, sequence))| (producer, (base, sequence))).collect()
    }

    /// The first record of `start..end` that is at least as new.
    pub(crate) fn at_or_after(&self, timestamp: i64, start: i64, end: i64) -> Option<(i64, i64)> {
        let records = self.batches.range(..end).flat_map(|(base, batch)| {
            batch.timestamps.iter().enumerate().map(move |(delta, at)| (base + delta as i64, *at))
        });
        records.into_iter().find(|(offset, at)| *offset >= start && *at >= timestamp)
    }
}
