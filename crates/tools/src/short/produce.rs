//! `ottla produce TOPIC`: one record for each line of standard input; silent when all are written.

use bytes::Bytes;
use ottla_client::{Producer, ProducerRecord, RecordHeader};
use tokio::sync::mpsc;

use super::words::{Flag, Usage, Words};
use super::{BOOTSTRAP, CONFIG, SETTING, failed, properties};
use crate::context::Context;
use crate::lines::{LineEnd, read_lines};
use crate::signals::Signals;

const KEY: Flag = Flag { short: 'k', long: "key", value: "KEY", help: "the key of all records" };
const SEPARATOR: Flag = Flag {
    short: 'K',
    long: "key-separator",
    value: "TEXT",
    help: "each line has a key of its own, which ends here",
};
const PARTITION: Flag =
    Flag { short: 'p', long: "partition", value: "NUMBER", help: "the partition; by the key, if absent" };
const HEADER: Flag = Flag {
    short: 'H',
    long: "header",
    value: "NAME=VALUE",
    help: "a header of all records; may be given more than once",
};
const COMPRESSION: Flag =
    Flag { short: 'z', long: "compression", value: "NAME", help: "gzip, snappy, lz4 or zstd" };

const USAGE: Usage = Usage {
    synopsis: "produce TOPIC [FLAG]...",
    about: "Writes each line of standard input to a topic.",
    flags: &[&KEY, &SEPARATOR, &PARTITION, &HEADER, &COMPRESSION, &BOOTSTRAP, &SETTING, &CONFIG],
    notes: "",
};

/// Runs the command.
pub(crate) fn run(words: &[String], cx: &mut Context<'_>) -> i32 {
    let words = match USAGE.read(words, cx) {
        Ok(words) => words,
        Err(code) => return code,
    };
    let template = match Template::new(&words) {
        Ok(template) => template,
        Err(complaint) => return USAGE.complain(cx, &complaint),
    };
    match crate::admin::block_on(produce(&words, &template)) {
        Ok(code) => code,
        Err(error) => failed(cx, &error),
    }
}

/// What all records have in common.
struct Template {
    record: ProducerRecord,
    key_separator: Option<String>,
}

impl Template {
    fn new(words: &Words) -> Result<Template, String> {
        let [topic] = words.operands.as_slice() else {
            return Err(String::from("name one topic to write to"));
        };
        let header = |text: &str| {
            let (key, value) = text.split_once('=').ok_or_else(|| format!("-H {text} is not NAME=VALUE"))?;
            Ok(RecordHeader { key: key.into(), value: Some(Bytes::copy_from_slice(value.as_bytes())) })
        };
        Ok(Template {
            record: ProducerRecord {
                topic: topic.as_str().into(),
                partition: words.number(&PARTITION)?,
                key: words.last(&KEY).map(|key| Bytes::copy_from_slice(key.as_bytes())),
                headers: words.all(&HEADER).map(header).collect::<Result<_, String>>()?,
                ..ProducerRecord::default()
            },
            key_separator: words.last(&SEPARATOR).map(str::to_owned),
        })
    }

    fn record(&self, line: Vec<u8>) -> ProducerRecord {
        let line = Bytes::from(line);
        let mut record = self.record.clone();
        let separator = self.key_separator.as_deref().unwrap_or_default().as_bytes();
        let place = (!separator.is_empty())
            .then(|| line.windows(separator.len()).position(|window| window == separator))
            .flatten();
        record.value = Some(match place {
            Some(place) => {
                record.key = Some(line.slice(..place));
                line.slice(place + separator.len()..)
            }
            None => line,
        });
        record
    }
}

async fn produce(words: &Words, template: &Template) -> Result<i32, String> {
    let mut properties = properties(words).map_err(|error| error.to_string())?;
    if let Some(compression) = words.last(&COMPRESSION) {
        properties.set("compression.type", compression);
    }
    let producer = crate::console_producer::producer(&properties).map_err(|error| error.text().to_owned())?;
    let (tell, mut failures) = mpsc::unbounded_channel::<ottla_client::Error>();
    let mut signals = Signals::new();
    let sent = tokio::select! {
        sent = send_lines(template, &producer, tell) => sent.map(|()| 0),
        Some(error) = failures.recv() => Err(error.to_string()),
        asked = signals.next() => Ok(asked.exit_code()),
    };
    if sent.is_ok() {
        producer.close().await;
    }
    match failures.try_recv() {
        Ok(error) if sent.is_ok() => Err(error.to_string()),
        _ => sent,
    }
}

async fn send_lines(
    template: &Template,
    producer: &Producer,
    tell: mpsc::UnboundedSender<ottla_client::Error>,
) -> Result<(), String> {
    let mut input = read_lines(std::io::stdin(), LineEnd::Newline);
    while let Some(lines) = input.recv().await {
        for line in lines.map_err(|error| format!("standard input: {error}"))? {
            let tell = tell.clone();
            let callback = move |result: Result<_, ottla_client::Error>| {
                if let Err(error) = result {
                    tell.send(error).ok();
                }
            };
            let sent = producer.send_and(template.record(line), Box::new(callback)).await;
            sent.map_err(|error| error.to_string())?;
        }
    }
    producer.flush().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(flags: &[&str], line: &str, key: Option<&str>, value: &str) {
        let words: Vec<String> = ["t"].iter().chain(flags).map(|word| (*word).to_owned()).collect();
        let mut context_out = Vec::new();
        let mut context_err = Vec::new();
        let mut cx =
            Context { out: &mut context_out, err: &mut context_err, is_interactive: false, now_ms: || 0 };
        let template = Template::new(&USAGE.read(&words, &mut cx).unwrap()).unwrap();
        let record = template.record(line.as_bytes().to_vec());
        assert_eq!(record.key.as_deref(), key.map(str::as_bytes));
        assert_eq!(record.value.as_deref(), Some(value.as_bytes()));
    }

    #[test]
    fn keys_are_given_or_cut_off_the_line() {
        check(&[], "a:b", None, "a:b");
        check(&["-k", "x"], "a:b", Some("x"), "a:b");
        check(&["-K:"], "a:b:c", Some("a"), "b:c");
        check(&["-K", "::"], "a:b", None, "a:b");
    }
}
