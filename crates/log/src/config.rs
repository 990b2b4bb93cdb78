//! What a topic's configuration says about its logs.

/// The settings of one log, by Kafka's names. They may change while the log is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// `segment.bytes`: a segment that would grow larger is closed.
    pub segment_bytes: u32,
    /// `segment.ms`: a segment whose records span more time is closed.
    pub segment_ms: i64,
    /// `segment.jitter.ms`: how much earlier than that, at most; so that not all segments are closed at once.
    pub segment_jitter_ms: i64,
    /// `segment.index.bytes`: a segment whose index would grow larger is closed.
    pub segment_index_bytes: u32,
    /// `index.interval.bytes`: bytes of batches between index entries.
    pub index_interval_bytes: u32,
    /// `flush.messages`: records that may be appended before they are synced.
    pub flush_messages: i64,
    /// `flush.ms`: time that may pass before they are.
    pub flush_ms: i64,
    /// `cleanup.policy` has `compact`: offsets may be missing.
    pub compact: bool,
}

impl Default for LogConfig {
    /// Kafka's defaults.
    fn default() -> Self {
        LogConfig {
            segment_bytes: 1 << 30,
            segment_ms: 7 * 24 * 60 * 60 * 1000,
            segment_jitter_ms: 0,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            flush_messages: i64::MAX,
            flush_ms: i64::MAX,
            compact: false,
        }
    }
}
