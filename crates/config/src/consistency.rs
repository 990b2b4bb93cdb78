//! Rules between broker keys: what each value alone cannot show. A start and a dynamic change obey the same ones.

use crate::broker::BrokerConfig;
use crate::error::ConfigError;
use crate::listeners::{is_valid_host, parse_csv_map};
use crate::settings::ListenerSettings;

/// Checks a whole broker configuration.
///
/// # Errors
/// INVALID_CONFIG with the sentence Kafka would stop its start, or refuse a dynamic change, with.
pub(crate) fn check(broker: &BrokerConfig) -> Result<(), ConfigError> {
    check_assignors(broker, "group.consumer.assignors", &["uniform", "range"])?;
    check_assignors(broker, "group.share.assignors", &["simple"])?;
    check_groups(broker)?;
    check_share_groups(broker)?;
    let protocols = broker.list("group.coordinator.rebalance.protocols").unwrap_or_default();
    if !protocols.iter().any(|protocol| protocol == "classic") {
        return refuse("Disabling the 'classic' protocol is not supported.");
    }
    check_identity(broker)?;
    check_log(broker)?;
    check_replica_fetches(broker)?;
    ListenerSettings::resolve(broker)?;
    check_cordoned(broker)?;
    check_connections(broker)
}

fn refuse<T>(message: impl Into<String>) -> Result<T, ConfigError> {
    Err(ConfigError::invalid_config(message))
}

/// Scala's `require` puts these two words before its message.
pub(crate) fn require(holds: bool, message: impl FnOnce() -> String) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { refuse(format!("requirement failed: {}", message())) }
}

/// `low` may not be above `high`; the sentence begins with the key that Kafka blames.
fn check_order(broker: &BrokerConfig, low: &str, high: &str, blames_high: bool) -> Result<(), ConfigError> {
    if broker.int(low) <= broker.int(high) {
        return Ok(());
    }
    match blames_high {
        true => refuse(format!("{high} must be greater than or equal to {low}")),
        false => refuse(format!("{low} must be less than or equal to {high}")),
    }
}

/// Assignors are named, or classes of Kafka's that bear the name; others would have to be loaded.
fn check_assignors(broker: &BrokerConfig, key: &str, known: &[&str]) -> Result<(), ConfigError> {
    let is_known = |assignor: &String| {
        let class = assignor.strip_prefix("org.apache.kafka.coordinator.group.assignor.");
        let name = class.and_then(|class| class.strip_suffix("Assignor")).map(str::to_lowercase);
        known.contains(&name.as_deref().unwrap_or(assignor))
    };
    match broker.list(key).unwrap_or_default().iter().find(|assignor| !is_known(assignor)) {
        None => Ok(()),
        Some(assignor) => refuse(format!("Class {assignor} cannot be found")),
    }
}

fn check_groups(broker: &BrokerConfig) -> Result<(), ConfigError> {
    for kind in ["consumer", "share", "streams"] {
        let key = |name: &str| format!("group.{kind}.{name}");
        let (heartbeat, session) = (key("heartbeat.interval.ms"), key("session.timeout.ms"));
        check_bounds(broker, kind, "heartbeat.interval.ms")?;
        check_bounds(broker, kind, "session.timeout.ms")?;
        if broker.int(&heartbeat) >= broker.int(&session) {
            return refuse(format!("{heartbeat} must be less than {session}"));
        }
        if kind == "share" {
            let assignors = broker.list("group.share.assignors").unwrap_or_default().len();
            if assignors != 1 {
                return refuse(format!(
                    "group.share.assignors must contain exactly one assignor, but found {assignors}"
                ));
            }
        }
        check_bounds(broker, kind, "assignment.interval.ms")?;
    }
    check_order(broker, "group.streams.num.standby.replicas", "group.streams.max.standby.replicas", false)
}

/// The smallest value, the value and the largest value, in this order.
fn check_bounds(broker: &BrokerConfig, kind: &str, name: &str) -> Result<(), ConfigError> {
    let value = format!("group.{kind}.{name}");
    let (min, max) = (format!("group.{kind}.min.{name}"), format!("group.{kind}.max.{name}"));
    check_order(broker, &min, &max, true)?;
    check_order(broker, &min, &value, true)?;
    check_order(broker, &value, &max, false)
}

fn check_share_groups(broker: &BrokerConfig) -> Result<(), ConfigError> {
    for (min, value, max) in [
        (
            "group.share.min.delivery.count.limit",
            "group.share.delivery.count.limit",
            "group.share.max.delivery.count.limit",
        ),
        (
            "group.share.min.partition.max.record.locks",
            "group.share.partition.max.record.locks",
            "group.share.max.partition.max.record.locks",
        ),
    ] {
        check_order(broker, value, max, true)?;
        check_order(broker, min, value, true)?;
    }
    let duration = "group.share.record.lock.duration.ms";
    check_order(broker, "group.share.min.record.lock.duration.ms", duration, true)?;
    check_order(broker, duration, "group.share.max.record.lock.duration.ms", true)?;
    check_order(broker, "group.share.max.size", "group.share.max.share.sessions", true)
}

fn check_identity(broker: &BrokerConfig) -> Result<(), ConfigError> {
    if broker.int("node.id") != broker.int("broker.id") {
        return refuse("You must set `node.id` to the same value as `broker.id`.");
    }
    Ok(())
}

fn check_log(broker: &BrokerConfig) -> Result<(), ConfigError> {
    require(broker.log_roll_ms() >= 1, || "log.roll.ms must be greater than or equal to 1".to_owned())?;
    require(broker.log_roll_jitter_ms() >= 0, || {
        "log.roll.jitter.ms must be greater than or equal to 0".to_owned()
    })?;
    let retention_ms = broker.log_retention_ms();
    require(retention_ms >= 1 || retention_ms == -1, || {
        "log.retention.ms must be unlimited (-1) or, greater than or equal to 1".to_owned()
    })?;
    require(!broker.log_dirs().is_empty(), || {
        "At least one log directory must be defined via log.dirs or log.dir.".to_owned()
    })?;
    let threads = i64::from(broker.int("log.cleaner.threads"));
    let Some(buffer_per_thread) = broker.long("log.cleaner.dedupe.buffer.size").checked_div(threads) else {
        return refuse("/ by zero");
    };
    require(buffer_per_thread > 1024 * 1024, || {
        "log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.".to_owned()
    })
}

fn check_replica_fetches(broker: &BrokerConfig) -> Result<(), ConfigError> {
    let wait = broker.int("replica.fetch.wait.max.ms");
    require(wait <= broker.int("replica.socket.timeout.ms"), || {
        "replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms to prevent unnecessary \
         socket timeouts"
            .to_owned()
    })?;
    require(i64::from(wait) <= broker.long("replica.lag.time.max.ms"), || {
        "replica.fetch.wait.max.ms should always be less than or equal to replica.lag.time.max.ms to prevent \
         frequent changes in ISR"
            .to_owned()
    })
}

fn check_cordoned(broker: &BrokerConfig) -> Result<(), ConfigError> {
    let cordoned = broker.list("cordoned.log.dirs").unwrap_or_default();
    if cordoned.iter().any(|dir| dir == "*") {
        return require(cordoned.len() == 1, || {
            "When cordoned.log.dirs is set to *, it must not contain other values".to_owned()
        });
    }
    let missing: Vec<&str> =
        cordoned.iter().filter(|dir| !broker.log_dirs().contains(dir)).map(String::as_str).collect();
    require(missing.is_empty(), || {
        format!(
            "All entries in cordoned.log.dirs must be present in log.dirs or log.dir. Missing entries : {}",
            missing.join(", ")
        )
    })
}

fn check_connections(broker: &BrokerConfig) -> Result<(), ConfigError> {
    let queued_bytes = broker.long("queued.max.request.bytes");
    require(queued_bytes <= 0 || queued_bytes >= i64::from(broker.int("socket.request.max.bytes")), || {
        "queued.max.request.bytes must be larger or equal to socket.request.max.bytes".to_owned()
    })?;
    let overrides = max_connections_per_ip_overrides(broker)?;
    require(broker.int("max.connections.per.ip") != 0 || !overrides.is_empty(), || {
        "max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set."
            .to_owned()
    })?;
    let invalid: Vec<&str> =
        overrides.iter().map(|(host, _)| host.as_str()).filter(|host| !is_valid_host(host)).collect();
    if !invalid.is_empty() {
        let message =
            format!("max.connections.per.ip.overrides contains invalid addresses : {}", invalid.join(","));
        return refuse(message);
    }
    let idle_ms = broker.long("connections.max.idle.ms");
    let delay_ms = broker.int("connection.failed.authentication.delay.ms");
    require(idle_ms < 0 || i64::from(delay_ms) < idle_ms, || {
        format!(
            "connection.failed.authentication.delay.ms={delay_ms} should always be less than \
             connections.max.idle.ms={idle_ms} to prevent failed authentication responses from timing out"
        )
    })
}

/// `max.connections.per.ip.overrides`: hosts or addresses and their limits.
///
/// # Errors
/// INVALID_CONFIG where an entry is no `host:number`.
pub(crate) fn max_connections_per_ip_overrides(
    broker: &BrokerConfig,
) -> Result<Vec<(String, i32)>, ConfigError> {
    const KEY: &str = "max.connections.per.ip.overrides";
    let entries = parse_csv_map(KEY, broker.string(KEY).unwrap_or_default())?;
    entries
        .into_iter()
        .map(|(host, limit)| match limit.parse() {
            Ok(limit) => Ok((host, limit)),
            Err(_) => refuse(format!("For input string: \"{limit}\"")),
        })
        .collect()
}
