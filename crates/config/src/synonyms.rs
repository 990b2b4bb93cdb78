//! Keys that stand for one another: several units of one broker setting (`log.retention.ms`, `.minutes`,
//! `.hours`), listener-prefixed forms, and the broker defaults of topic and group keys.

/// The broker keys that decide together, strongest first; each group answers for any of its members, except
/// that `log.flush.scheduler.interval.ms` is a default only and stands alone when it is itself asked about.
const GROUPS: &[&[&str]] = &[
    &["log.roll.ms", "log.roll.hours"],
    &["log.roll.jitter.ms", "log.roll.jitter.hours"],
    &["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
];
const FLUSH: &[&str] = &["log.flush.interval.ms", "log.flush.scheduler.interval.ms"];

/// Listener keys that come after a mechanism: `listener.name.x.plain.sasl.jaas.config`.
const MECHANISM_KEYS: &[&str] = &[
    "sasl.jaas.config",
    "sasl.login.callback.handler.class",
    "sasl.login.class",
    "sasl.server.callback.handler.class",
    "connections.max.reauth.ms",
];

/// The broker keys that decide the value of `name`, strongest first, always with `name` itself.
pub(crate) fn broker_synonyms(name: &str, listener_forms: bool) -> Vec<&str> {
    if let Some(group) = GROUPS.iter().find(|group| group.contains(&name)) {
        return group.to_vec();
    }
    if name == FLUSH[0] {
        return FLUSH.to_vec();
    }
    match listener_base(name) {
        Some(base) if listener_forms => {
            let mechanism = MECHANISM_KEYS.iter().find(|key| base.ends_with(*key));
            vec![name, mechanism.copied().unwrap_or(base)]
        }
        _ => vec![name],
    }
}

/// `ssl.keystore.location` of `listener.name.internal.ssl.keystore.location`.
pub(crate) fn listener_base(name: &str) -> Option<&str> {
    name.strip_prefix("listener.name.")?.split_once('.').map(|(_, base)| base)
}

/// The broker key that a topic key takes its default from, if it has one.
pub fn topic_broker_key(topic_key: &str) -> Option<&'static str> {
    TOPIC_DEFAULTS.iter().find(|(topic, _)| *topic == topic_key).map(|(_, broker)| *broker)
}

/// The broker key that a group key takes its default from, if it has one.
pub fn group_broker_key(group_key: &str) -> Option<&'static str> {
    GROUP_DEFAULTS.iter().find(|(group, _)| *group == group_key).map(|(_, broker)| *broker)
}

/// Topic key and the strongest of its broker keys.
pub(crate) const TOPIC_DEFAULTS: &[(&str, &str)] = &[
    ("segment.bytes", "log.segment.bytes"),
    ("segment.ms", "log.roll.ms"),
    ("segment.jitter.ms", "log.roll.jitter.ms"),
    ("segment.index.bytes", "log.index.size.max.bytes"),
    ("flush.messages", "log.flush.interval.messages"),
    ("flush.ms", "log.flush.interval.ms"),
    ("retention.bytes", "log.retention.bytes"),
    ("retention.ms", "log.retention.ms"),
    ("max.message.bytes", "message.max.bytes"),
    ("index.interval.bytes", "log.index.interval.bytes"),
    ("delete.retention.ms", "log.cleaner.delete.retention.ms"),
    ("min.compaction.lag.ms", "log.cleaner.min.compaction.lag.ms"),
    ("max.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms"),
    ("file.delete.delay.ms", "log.segment.delete.delay.ms"),
    ("min.cleanable.dirty.ratio", "log.cleaner.min.cleanable.ratio"),
    ("cleanup.policy", "log.cleanup.policy"),
    ("unclean.leader.election.enable", "unclean.leader.election.enable"),
    ("min.insync.replicas", "min.insync.replicas"),
    ("compression.type", "compression.type"),
    ("compression.gzip.level", "compression.gzip.level"),
    ("compression.lz4.level", "compression.lz4.level"),
    ("compression.zstd.level", "compression.zstd.level"),
    ("preallocate", "log.preallocate"),
    ("message.timestamp.type", "log.message.timestamp.type"),
    ("message.timestamp.before.max.ms", "log.message.timestamp.before.max.ms"),
    ("message.timestamp.after.max.ms", "log.message.timestamp.after.max.ms"),
    ("local.retention.ms", "log.local.retention.ms"),
    ("local.retention.bytes", "log.local.retention.bytes"),
];

/// Group key and its broker key. Three share keys have none.
pub(crate) const GROUP_DEFAULTS: &[(&str, &str)] = &[
    ("consumer.session.timeout.ms", "group.consumer.session.timeout.ms"),
    ("consumer.heartbeat.interval.ms", "group.consumer.heartbeat.interval.ms"),
    ("consumer.assignment.interval.ms", "group.consumer.assignment.interval.ms"),
    ("share.session.timeout.ms", "group.share.session.timeout.ms"),
    ("share.heartbeat.interval.ms", "group.share.heartbeat.interval.ms"),
    ("share.record.lock.duration.ms", "group.share.record.lock.duration.ms"),
    ("share.delivery.count.limit", "group.share.delivery.count.limit"),
    ("share.partition.max.record.locks", "group.share.partition.max.record.locks"),
    ("share.assignment.interval.ms", "group.share.assignment.interval.ms"),
    ("streams.session.timeout.ms", "group.streams.session.timeout.ms"),
    ("streams.heartbeat.interval.ms", "group.streams.heartbeat.interval.ms"),
    ("streams.num.standby.replicas", "group.streams.num.standby.replicas"),
    ("streams.initial.rebalance.delay.ms", "group.streams.initial.rebalance.delay.ms"),
    ("streams.assignment.interval.ms", "group.streams.assignment.interval.ms"),
];
