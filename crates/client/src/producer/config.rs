//! A producer's settings.

use crate::config::refused;
use crate::{Properties, Result};
use ottla_protocol::records::Compression;
use std::time::Duration;

/// What the properties of a producer say.
#[derive(Clone, Debug, PartialEq)]
pub struct ProducerConfig {
    /// `acks`: -1 for all in-sync replicas, 1 for the leader, 0 for nobody.
    pub acks: i16,
    /// `enable.idempotence`: a retry cannot write a record twice, and order is kept (KIP-98).
    pub idempotence: bool,
    /// `batch.size`: when a batch is full, in bytes before compression.
    pub batch_size: usize,
    /// `linger.ms`: how long a batch that is not full waits for more records.
    pub linger: Duration,
    /// `buffer.memory`: what may wait altogether, in bytes.
    pub buffer_memory: usize,
    /// `max.request.size`: the largest record and the largest request, in bytes.
    pub max_request_size: usize,
    /// `max.block.ms`: how long a send waits for metadata and memory.
    pub max_block: Duration,
    /// `max.in.flight.requests.per.connection`.
    pub max_in_flight: usize,
    /// `retries`.
    pub retries: u32,
    /// `delivery.timeout.ms`: from send to success or failure.
    pub delivery_timeout: Duration,
    /// `compression.type`.
    pub compression: Compression,
    /// `compression.TYPE.level`; Kafka's default if none.
    pub compression_level: Option<i32>,
}

impl ProducerConfig {
    /// Reads the properties, with the rules of Kafka 4's producer for what goes together.
    pub fn from_properties(properties: &Properties) -> Result<ProducerConfig> {
        let acks = properties.word("acks", -1, &[("all", -1), ("-1", -1), ("0", 0), ("1", 1)])?;
        let max_in_flight = properties.number("max.in.flight.requests.per.connection", 5_usize, 1)?;
        let retries = properties.number("retries", i64::from(i32::MAX), 0)?;
        let compression = compression(properties)?;
        let level_key = format!("compression.{compression}.level");
        let level =
            properties.get(&level_key).map(|_| properties.number(&level_key, 0, i32::MIN)).transpose()?;
        if properties.get("transactional.id").is_some_and(|id| !id.is_empty()) {
            let id = properties.get("transactional.id").unwrap_or_default();
            return Err(refused("transactional.id", id, "this producer has no transactions"));
        }
        Ok(ProducerConfig {
            acks,
            idempotence: idempotence(properties, acks, max_in_flight, retries)?,
            batch_size: properties.number("batch.size", 16_384, 0)?,
            linger: properties.millis("linger.ms", 5)?,
            buffer_memory: properties.number("buffer.memory", 32 << 20, 0)?,
            max_request_size: properties.number("max.request.size", 1 << 20, 0)?,
            max_block: properties.millis("max.block.ms", 60_000)?,
            max_in_flight,
            retries: u32::try_from(retries).unwrap_or(u32::MAX),
            delivery_timeout: delivery_timeout(properties)?,
            compression,
            compression_level: level,
        })
    }
}

fn compression(properties: &Properties) -> Result<Compression> {
    let words = Compression::ALL.map(|compression| (compression.name(), compression));
    properties.word("compression.type", Compression::None, &words)
}

/// On by default; off, where it was not asked for, as soon as something else rules it out.
fn idempotence(properties: &Properties, acks: i16, max_in_flight: usize, retries: i64) -> Result<bool> {
    let wanted = properties.boolean("enable.idempotence", true)?;
    let asked_for = properties.get("enable.idempotence").is_some();
    let conflict = if acks != -1 {
        Some("acks=all")
    } else if retries == 0 {
        Some("retries above 0")
    } else if max_in_flight > 5 {
        Some("max.in.flight.requests.per.connection of at most 5")
    } else {
        None
    };
    match conflict {
        Some(needs) if wanted && asked_for => {
            Err(refused("enable.idempotence", "true", format!("needs {needs}")))
        }
        conflict => Ok(wanted && conflict.is_none()),
    }
}

/// Not shorter than the wait for a full batch and one request; made longer where it was not given.
fn delivery_timeout(properties: &Properties) -> Result<Duration> {
    let least = properties.millis("linger.ms", 5)? + properties.millis("request.timeout.ms", 30_000)?;
    let given = properties.millis("delivery.timeout.ms", 120_000)?;
    if given >= least {
        return Ok(given);
    }
    match properties.get("delivery.timeout.ms") {
        Some(value) => {
            let reason = "must be at least linger.ms + request.timeout.ms";
            Err(refused("delivery.timeout.ms", value, reason))
        }
        None => Ok(least),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> Result<ProducerConfig> {
        ProducerConfig::from_properties(&pairs.iter().copied().collect())
    }

    #[test]
    fn idempotence_gives_way_unless_it_was_asked_for() {
        let check = |pairs: &[(&str, &str)], expect: std::result::Result<bool, &str>| {
            let found = config(pairs).map(|config| config.idempotence).map_err(|error| error.to_string());
            assert_eq!(found, expect.map_err(str::to_owned), "{pairs:?}");
        };
        check(&[], Ok(true));
        check(&[("acks", "1")], Ok(false));
        check(&[("retries", "0")], Ok(false));
        check(&[("max.in.flight.requests.per.connection", "6")], Ok(false));
        check(&[("enable.idempotence", "false")], Ok(false));
        check(
            &[("enable.idempotence", "true"), ("acks", "1")],
            Err("enable.idempotence=true: needs acks=all"),
        );
    }

    #[test]
    fn the_delivery_timeout_covers_linger_and_request() {
        let check = |pairs: &[(&str, &str)], expect: Option<u64>| {
            let found = config(pairs).ok().map(|config| config.delivery_timeout);
            assert_eq!(found, expect.map(Duration::from_millis), "{pairs:?}");
        };
        check(&[], Some(120_000));
        check(&[("linger.ms", "200000")], Some(230_000));
        check(&[("delivery.timeout.ms", "1000")], None);
    }

    #[test]
    fn levels_belong_to_their_compression() {
        let pairs =
            [("compression.type", "zstd"), ("compression.zstd.level", "7"), ("compression.gzip.level", "1")];
        let config = config(&pairs).unwrap();
        assert_eq!((config.compression, config.compression_level), (Compression::Zstd, Some(7)));
    }
}
