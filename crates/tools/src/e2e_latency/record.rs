//! The records of `kafka-e2e-latency`, and whether one came through as it was sent.

use bytes::Bytes;
use ottla_client::{ConsumerRecord, ProducerRecord, RecordHeader};

use super::POLL_MS;
use super::options::Settings;

/// Makes records. The letters are those of `java.util.Random` with the seed 0.
pub(super) struct Records<'a> {
    settings: &'a Settings,
    random: JavaRandom,
}

impl<'a> Records<'a> {
    pub(super) fn new(settings: &'a Settings) -> Records<'a> {
        Records { settings, random: JavaRandom::new(0) }
    }

    /// The next one.
    pub(super) fn next(&mut self) -> ProducerRecord {
        let settings = self.settings;
        let key = self.letters(settings.key_size);
        let value = self.letters(settings.value_size);
        let headers = (0..settings.num_headers).map(|_| RecordHeader {
            key: String::from_utf8_lossy(&self.letters(settings.header_key_size)).into_owned().into(),
            value: settings.header_value_size.map(|size| self.letters(size)),
        });
        ProducerRecord {
            headers: headers.collect(),
            topic: settings.topic.as_str().into(),
            key: Some(key),
            value: Some(value),
            ..ProducerRecord::default()
        }
    }

    /// One letter, so many times.
    fn letters(&mut self, count: usize) -> Bytes {
        vec![b'A' + self.random.letter(); count].into()
    }
}

struct JavaRandom(u64);

impl JavaRandom {
    const MULTIPLIER: u64 = 0x5_deec_e66d;

    fn new(seed: u64) -> JavaRandom {
        JavaRandom(seed ^ JavaRandom::MULTIPLIER)
    }

    /// `nextInt(26)`.
    fn letter(&mut self) -> u8 {
        loop {
            self.0 = self.0.wrapping_mul(JavaRandom::MULTIPLIER).wrapping_add(0xb) & ((1 << 48) - 1);
            let bits = (self.0 >> 17) as u32;
            let letter = bits % 26;
            // Numbers above the last multiple of 26 would prefer the first letters.
            if bits - letter <= (1 << 31) - 26 {
                return letter as u8;
            }
        }
    }
}

/// Says what is different, in the words of Kafka's tool.
pub(super) fn check(sent: &ProducerRecord, received: &[ConsumerRecord]) -> Result<(), String> {
    let Some(first) = received.first() else {
        return Err(format!("poll() timed out before finding a result (timeout:[{POLL_MS}ms])"));
    };
    let text =
        |bytes: &Option<Bytes>| String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).into_owned();
    if first.value != sent.value {
        return Err(format!(
            "The message value read [{}] did not match the message value sent [{}]",
            text(&first.value),
            text(&sent.value)
        ));
    }
    if first.key.is_none() {
        return Err(String::from("Expected message key but received null"));
    }
    if first.key != sent.key {
        return Err(format!(
            "The message key read [{}] did not match the message key sent [{}]",
            text(&first.key),
            text(&sent.key)
        ));
    }
    check_headers(&sent.headers, &first.headers)?;
    if received.len() != 1 {
        let count = received.len();
        return Err(format!("Only one result was expected during this test. We found [{count}]"));
    }
    Ok(())
}

fn check_headers(sent: &[RecordHeader], received: &[RecordHeader]) -> Result<(), String> {
    if !sent.is_empty() && received.is_empty() {
        return Err(String::from("Expected message headers but received none"));
    }
    if let Some((sent, received)) = sent.iter().zip(received).find(|(sent, received)| sent != received) {
        return Err(format!(
            "The message header read [{}] did not match the message header sent [{}]",
            header_text(received),
            header_text(sent)
        ));
    }
    if !sent.is_empty() && sent.len() != received.len() {
        return Err(String::from("Header count mismatch between sent and received messages"));
    }
    Ok(())
}

/// Name and bytes as signed numbers.
fn header_text(header: &RecordHeader) -> String {
    let bytes = |bytes: &Bytes| {
        let bytes: Vec<String> = bytes.iter().map(|byte| byte.cast_signed().to_string()).collect();
        format!("[{}]", bytes.join(", "))
    };
    format!("{}:{}", header.key, header.value.as_ref().map_or(String::from("null"), bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ottla_client::TopicPartition;

    fn settings(num_headers: usize, header_value_size: Option<usize>) -> Settings {
        Settings {
            servers: String::new(),
            topic: String::from("t"),
            num_records: 1,
            acks: String::from("1"),
            value_size: 3,
            key_size: 2,
            num_headers,
            header_key_size: 1,
            header_value_size,
            command_config: None,
        }
    }

    fn received(sent: &ProducerRecord) -> ConsumerRecord {
        ConsumerRecord {
            partition: TopicPartition::new("t", 0),
            offset: 0,
            leader_epoch: None,
            timestamp: 0,
            timestamp_type: ottla_protocol::records::TimestampType::CreateTime,
            key: sent.key.clone(),
            value: sent.value.clone(),
            headers: sent.headers.clone(),
        }
    }

    #[test]
    fn letters_are_javas() {
        // new Random(0).nextInt(26) ten times.
        let mut random = JavaRandom::new(0);
        let letters: Vec<u8> = (0..10).map(|_| random.letter()).collect();
        assert_eq!(letters, [18, 18, 23, 21, 13, 9, 7, 15, 3, 16]);
    }

    #[test]
    fn what_came_through_unchanged_passes() {
        for settings in [settings(0, Some(0)), settings(2, Some(4)), settings(1, None)] {
            let sent = Records::new(&settings).next();
            assert_eq!(check(&sent, &[received(&sent)]), Ok(()));
        }
    }

    #[test]
    fn what_changed_is_told_in_kafkas_words() {
        let settings = settings(1, Some(1));
        let sent = Records::new(&settings).next();
        let check = |change: &dyn Fn(&mut ConsumerRecord), expected: &str| {
            let mut received = received(&sent);
            change(&mut received);
            assert_eq!(check(&sent, &[received]).unwrap_err(), expected);
        };
        let value = String::from_utf8_lossy(sent.value.as_deref().unwrap()).into_owned();
        check(
            &|record| record.value = Some(Bytes::from_static(b"abc")),
            &format!("The message value read [abc] did not match the message value sent [{value}]"),
        );
        check(&|record| record.key = None, "Expected message key but received null");
        check(&|record| record.headers.clear(), "Expected message headers but received none");
        check(
            &|record| record.headers.push(record.headers[0].clone()),
            "Header count mismatch between sent and received messages",
        );
        let twice = [received(&sent), received(&sent)];
        assert_eq!(
            super::check(&sent, &twice).unwrap_err(),
            "Only one result was expected during this test. We found [2]"
        );
        assert_eq!(
            super::check(&sent, &[]).unwrap_err(),
            "poll() timed out before finding a result (timeout:[60000ms])"
        );
    }
}
