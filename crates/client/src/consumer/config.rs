//! A consumer's settings.

use super::assignor::Assignor;
use crate::config::refused;
use crate::{Properties, Result};
use std::time::Duration;

/// Where to begin when a group has no offset for a partition, or one that is not in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetReset {
    /// At the first record.
    Earliest,
    /// After the last one.
    Latest,
    /// At the first record that is not older than this (KIP-1106).
    ByDuration(Duration),
    /// Nowhere: it is an error.
    None,
}

/// Which records of transactions are seen (KIP-98).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum IsolationLevel {
    /// All of them, as they are written.
    ReadUncommitted = 0,
    /// Only those of committed transactions, and nothing behind an open one.
    ReadCommitted = 1,
}

/// What the properties of a consumer say.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsumerConfig {
    /// `group.id`.
    pub group_id: Option<String>,
    /// `group.instance.id` of a static member.
    pub group_instance_id: Option<String>,
    /// `partition.assignment.strategy`, by preference.
    pub assignors: Vec<Assignor>,
    /// `session.timeout.ms`: how long a member may be silent.
    pub session_timeout: Duration,
    /// `heartbeat.interval.ms`.
    pub heartbeat_interval: Duration,
    /// `max.poll.interval.ms`: how long a member may go without polling.
    pub max_poll_interval: Duration,
    /// `max.poll.records`.
    pub max_poll_records: usize,
    /// `enable.auto.commit`.
    pub auto_commit: bool,
    /// `auto.commit.interval.ms`.
    pub auto_commit_interval: Duration,
    /// `auto.offset.reset`.
    pub offset_reset: OffsetReset,
    /// `isolation.level`.
    pub isolation_level: IsolationLevel,
    /// `fetch.min.bytes`.
    pub fetch_min_bytes: i32,
    /// `fetch.max.bytes`.
    pub fetch_max_bytes: i32,
    /// `fetch.max.wait.ms`.
    pub fetch_max_wait: Duration,
    /// `max.partition.fetch.bytes`.
    pub max_partition_fetch_bytes: i32,
    /// `check.crcs`.
    pub check_crcs: bool,
    /// `exclude.internal.topics`: whether a pattern leaves Kafka's own topics alone.
    pub exclude_internal_topics: bool,
}

impl ConsumerConfig {
    /// Reads the properties.
    pub fn from_properties(properties: &Properties) -> Result<ConsumerConfig> {
        properties.word("group.protocol", (), &[("classic", ())]).map_err(|_| {
            let value = properties.get("group.protocol").unwrap_or_default();
            refused("group.protocol", value, "this consumer speaks the classic protocol; leave it out")
        })?;
        let text = |key: &str| properties.get(key).filter(|text| !text.is_empty()).map(str::to_owned);
        let group_id = text("group.id");
        Ok(ConsumerConfig {
            group_instance_id: text("group.instance.id"),
            assignors: assignors(properties)?,
            session_timeout: properties.millis("session.timeout.ms", 45_000)?,
            heartbeat_interval: properties.millis("heartbeat.interval.ms", 3_000)?,
            max_poll_interval: properties.millis("max.poll.interval.ms", 300_000)?,
            max_poll_records: properties.number("max.poll.records", 500, 1)?,
            // Without a group there is nowhere to commit to.
            auto_commit: properties.boolean("enable.auto.commit", group_id.is_some())? && group_id.is_some(),
            auto_commit_interval: properties.millis("auto.commit.interval.ms", 5_000)?,
            offset_reset: offset_reset(properties)?,
            isolation_level: properties.word(
                "isolation.level",
                IsolationLevel::ReadUncommitted,
                &[
                    ("read_uncommitted", IsolationLevel::ReadUncommitted),
                    ("read_committed", IsolationLevel::ReadCommitted),
                ],
            )?,
            fetch_min_bytes: properties.number("fetch.min.bytes", 1, 0)?,
            fetch_max_bytes: properties.number("fetch.max.bytes", 50 << 20, 0)?,
            fetch_max_wait: properties.millis("fetch.max.wait.ms", 500)?,
            max_partition_fetch_bytes: properties.number("max.partition.fetch.bytes", 1 << 20, 0)?,
            check_crcs: properties.boolean("check.crcs", true)?,
            exclude_internal_topics: properties.boolean("exclude.internal.topics", true)?,
            group_id,
        })
    }
}

/// Java's default lists both, so that a group can change from one to the other.
fn assignors(properties: &Properties) -> Result<Vec<Assignor>> {
    const KEY: &str = "partition.assignment.strategy";
    let classes = properties.list(KEY);
    if classes.is_empty() {
        return Ok(vec![Assignor::Range, Assignor::CooperativeSticky]);
    }
    let assignor = |class: &String| {
        let known = "must be RangeAssignor, RoundRobinAssignor, StickyAssignor or CooperativeStickyAssignor";
        Assignor::by_class(class).ok_or_else(|| refused(KEY, class, known))
    };
    classes.iter().map(assignor).collect()
}

fn offset_reset(properties: &Properties) -> Result<OffsetReset> {
    const KEY: &str = "auto.offset.reset";
    let text = properties.get(KEY).unwrap_or("latest").trim();
    match text.to_ascii_lowercase().as_str() {
        "earliest" => Ok(OffsetReset::Earliest),
        "latest" => Ok(OffsetReset::Latest),
        "none" => Ok(OffsetReset::None),
        lower => match lower.strip_prefix("by_duration:").and_then(iso_duration) {
            Some(duration) => Ok(OffsetReset::ByDuration(duration)),
            None => Err(refused(KEY, text, "must be earliest, latest, none or by_duration:PnDTnHnMnS")),
        },
    }
}

/// Reads `PnDTnHnMn.nS` in lower case; no part is negative.
fn iso_duration(text: &str) -> Option<Duration> {
    let (days, time) = text.strip_prefix('p')?.split_once('t').unwrap_or((text.get(1..)?, ""));
    let mut seconds = 0.0;
    let mut parts = 0;
    for (part, units) in [(days, &[('d', 86_400.0)][..]), (time, &[('h', 3600.0), ('m', 60.0), ('s', 1.0)])] {
        let mut rest = part;
        for (unit, size) in units {
            let Some((number, after)) = rest.split_once(*unit) else { continue };
            seconds += size * number.parse::<f64>().ok().filter(|number| *number >= 0.0)?;
            parts += 1;
            rest = after;
        }
        if !rest.is_empty() {
            return None;
        }
    }
    if parts == 0 { None } else { Duration::try_from_secs_f64(seconds).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reset_is_a_word_or_a_duration() {
        let check = |text: &str, expect: Option<OffsetReset>| {
            let properties = Properties::default().with("auto.offset.reset", text);
            assert_eq!(offset_reset(&properties).ok(), expect, "{text}");
        };
        let seconds = |seconds| Some(OffsetReset::ByDuration(Duration::from_secs(seconds)));
        check("earliest", Some(OffsetReset::Earliest));
        check("None", Some(OffsetReset::None));
        check("by_duration:P1DT2H3M4S", seconds(86_400 + 2 * 3600 + 3 * 60 + 4));
        check("by_duration:PT90M", seconds(90 * 60));
        check("by_duration:P2D", seconds(2 * 86_400));
        for wrong in [
            "by_duration:",
            "by_duration:P",
            "by_duration:PT",
            "by_duration:PT1D",
            "by_duration:PT-1H",
            "soon",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn nothing_is_committed_without_a_group() {
        let config =
            |pairs: &[(&str, &str)]| ConsumerConfig::from_properties(&pairs.iter().copied().collect());
        assert!(!config(&[]).unwrap().auto_commit);
        assert!(config(&[("group.id", "g")]).unwrap().auto_commit);
        assert!(!config(&[("group.id", "g"), ("enable.auto.commit", "false")]).unwrap().auto_commit);
    }
}
