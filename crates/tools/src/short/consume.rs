//! `ottla consume TOPIC`: prints the records of a topic, from the first on, and goes on with those to come.

use std::collections::BTreeMap;
use std::time::Duration;

use ottla_client::offsets::{EARLIEST, LATEST};
use ottla_client::{Client, ClientConfig, Consumer, ConsumerConfig, Error, TopicPartition};
use ottla_protocol::ErrorCode;

use super::format::Format;
use super::words::{Flag, Usage, Words};
use super::{BOOTSTRAP, CONFIG, SETTING, failed, properties};
use crate::context::Context;
use crate::signals::Signals;

const END: Flag = Flag { short: 'e', long: "exit", value: "", help: "stop at the end of what is there now" };
const COUNT: Flag = Flag { short: 'n', long: "count", value: "NUMBER", help: "stop after so many records" };
const GROUP: Flag = Flag {
    short: 'g',
    long: "group",
    value: "GROUP",
    help: "read as a member of a group, which remembers how far it came",
};
const OFFSET: Flag = Flag {
    short: 'o',
    long: "offset",
    value: "OFFSET",
    help: "start, end, a number, +N after the start, -N before the end, or @MS of time",
};
const PARTITION: Flag = Flag {
    short: 'p',
    long: "partition",
    value: "NUMBER",
    help: "only this partition; may be given more than once",
};
const FORMAT: Flag =
    Flag { short: 'f', long: "format", value: "FORMAT", help: "how to print; '%v\\n' if absent" };

const USAGE: Usage = Usage {
    synopsis: "consume TOPIC... [FLAG]...",
    about: "Prints the records of topics, from the first on, and goes on with those to come.",
    flags: &[&END, &COUNT, &GROUP, &OFFSET, &PARTITION, &FORMAT, &BOOTSTRAP, &SETTING, &CONFIG],
    notes: Format::NOTES,
};

/// Runs the command.
pub(crate) fn run(words: &[String], cx: &mut Context<'_>) -> i32 {
    let words = match USAGE.read(words, cx) {
        Ok(words) => words,
        Err(code) => return code,
    };
    let request = match Request::new(&words) {
        Ok(request) => request,
        Err(complaint) => return USAGE.complain(cx, &complaint),
    };
    match crate::admin::block_on(consume(&words, &request, cx)) {
        Ok(code) => code,
        Err(error) => failed(cx, &error),
    }
}

/// What the flags ask for.
struct Request {
    topics: Vec<String>,
    partitions: Vec<i32>,
    group: Option<String>,
    start: Option<Start>,
    count: Option<u64>,
    exit_at_end: bool,
    format: Format,
}

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// So many after the first.
    FromFirst(i64),
    /// So many before the end.
    FromEnd(i64),
    At(i64),
    Time(i64),
}

impl Request {
    fn new(words: &Words) -> Result<Request, String> {
        if words.operands.is_empty() {
            return Err(String::from("name a topic to read"));
        }
        let partition =
            |text: &str| text.parse().map_err(|_| format!("-p {text} is not the number of a partition"));
        let request = Request {
            topics: words.operands.clone(),
            partitions: words.all(&PARTITION).map(partition).collect::<Result<_, String>>()?,
            group: words.last(&GROUP).map(str::to_owned),
            start: words.last(&OFFSET).map(start).transpose()?,
            count: words.number(&COUNT)?,
            exit_at_end: words.has(&END),
            format: Format::parse(words.last(&FORMAT).unwrap_or("%v\\n"))?,
        };
        let plain = matches!(request.start, None | Some(Start::FromFirst(0) | Start::FromEnd(0)));
        if request.group.is_some() && (!plain || !request.partitions.is_empty()) {
            return Err(String::from(
                "a group decides itself where to read: with -g, -o is start or end and there is no -p",
            ));
        }
        Ok(request)
    }
}

fn start(text: &str) -> Result<Start, String> {
    let wrong = || format!("-o {text} is not an offset: start, end, N, +N, -N or @MS");
    let number = |digits: &str| match digits.parse() {
        Ok(number) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Ok(number),
        _ => Err(wrong()),
    };
    match (text, text.as_bytes().first()) {
        ("start" | "beginning" | "earliest", _) => Ok(Start::FromFirst(0)),
        ("end" | "latest", _) => Ok(Start::FromEnd(0)),
        (_, Some(b'+')) => Ok(Start::FromFirst(number(&text[1..])?)),
        (_, Some(b'-')) => Ok(Start::FromEnd(number(&text[1..])?)),
        (_, Some(b'@')) => Ok(Start::Time(number(&text[1..])?)),
        _ => Ok(Start::At(number(text)?)),
    }
}

async fn consume(words: &Words, request: &Request, cx: &mut Context<'_>) -> Result<i32, String> {
    let mut properties = properties(words).map_err(|error| error.to_string())?;
    properties.set("allow.auto.create.topics", "false");
    let reset = if request.start == Some(Start::FromEnd(0)) { "latest" } else { "earliest" };
    properties.set_default("auto.offset.reset", reset);
    if let Some(group) = &request.group {
        properties.set("group.id", group.as_str());
    }
    let text = |error: Error| error.to_string();
    let client = Client::new(ClientConfig::from_properties(&properties).map_err(text)?);
    let config = ConsumerConfig::from_properties(&properties).map_err(text)?;
    let isolation_level = config.isolation_level;
    let mut consumer = Consumer::new(client.clone(), config);

    let mut signals = Signals::new();
    let ended = tokio::select! {
        ended = async {
            let partitions = partitions(&client, request).await?;
            if request.group.is_some() {
                consumer.subscribe(request.topics.iter().map(String::as_str))?;
            } else {
                begin(&client, &mut consumer, &partitions, request.start).await?;
            }
            let ends = if request.exit_at_end {
                Some(offsets(&client, &partitions, LATEST, isolation_level).await?)
            } else {
                None
            };
            print(&mut consumer, request, ends.as_ref(), cx).await
        } => ended.map(|()| 0),
        asked = signals.next() => Ok(asked.exit_code()),
    };
    let closed = consumer.close().await;
    let code = ended.map_err(text)?;
    closed.map_err(text)?;
    Ok(code)
}

/// The partitions to read, all of which exist.
async fn partitions(client: &Client, request: &Request) -> Result<Vec<TopicPartition>, Error> {
    let mut partitions = Vec::new();
    for name in &request.topics {
        let topic = client.retry(|| async {
            match client.topic(name).await {
                Err(error) if error.code() == Some(ErrorCode::UnknownTopicOrPartition) => Err(Error::State(
                    format!("there is no topic {name}: `ottla topics --create --topic {name}` makes one"),
                )),
                found => found,
            }
        });
        let topic = topic.await?;
        let wanted = |number: &i32| request.partitions.is_empty() || request.partitions.contains(number);
        if let Some(missing) = request.partitions.iter().find(|number| topic.partition(**number).is_none()) {
            let count = topic.partitions.len();
            return Err(Error::State(format!(
                "topic {name} has {count} partitions and no partition {missing}"
            )));
        }
        let numbers = topic.partitions.iter().map(|partition| partition.partition).filter(wanted);
        partitions.extend(numbers.map(|number| TopicPartition::new(name.as_str(), number)));
    }
    Ok(partitions)
}

async fn begin(
    client: &Client,
    consumer: &mut Consumer,
    partitions: &[TopicPartition],
    start: Option<Start>,
) -> Result<(), Error> {
    consumer.assign(partitions);
    let level = ottla_client::IsolationLevel::ReadUncommitted;
    match start.unwrap_or(Start::FromFirst(0)) {
        Start::FromFirst(0) => {
            partitions.iter().try_for_each(|partition| consumer.seek_to_beginning(partition))
        }
        Start::FromEnd(0) => partitions.iter().try_for_each(|partition| consumer.seek_to_end(partition)),
        Start::At(offset) => partitions.iter().try_for_each(|partition| consumer.seek(partition, offset)),
        Start::FromFirst(count) => {
            let firsts = offsets(client, partitions, EARLIEST, level).await?;
            firsts.iter().try_for_each(|(partition, first)| consumer.seek(partition, first + count))
        }
        Start::FromEnd(count) => {
            let firsts = offsets(client, partitions, EARLIEST, level).await?;
            let ends = offsets(client, partitions, LATEST, level).await?;
            ends.iter().try_for_each(|(partition, end)| {
                let first = firsts.get(partition).copied().unwrap_or_default();
                consumer.seek(partition, (end - count).max(first))
            })
        }
        Start::Time(ms) => {
            let found = offsets(client, partitions, ms, level).await?;
            found.iter().try_for_each(|(partition, &offset)| {
                if offset < 0 { consumer.seek_to_end(partition) } else { consumer.seek(partition, offset) }
            })
        }
    }
}

async fn offsets(
    client: &Client,
    partitions: &[TopicPartition],
    timestamp: i64,
    level: ottla_client::IsolationLevel,
) -> Result<BTreeMap<TopicPartition, i64>, Error> {
    let wanted: Vec<(TopicPartition, i64)> =
        partitions.iter().map(|partition| (partition.clone(), timestamp)).collect();
    let found = client.list_offsets(&wanted, level).await?;
    Ok(found.into_iter().map(|(partition, listed)| (partition, listed.offset)).collect())
}

/// Prints until it is enough, or nobody reads any more.
async fn print(
    consumer: &mut Consumer,
    request: &Request,
    ends: Option<&BTreeMap<TopicPartition, i64>>,
    cx: &mut Context<'_>,
) -> Result<(), Error> {
    let mut left = request.count.unwrap_or(u64::MAX);
    let mut text = Vec::new();
    while left > 0 && !ends.is_some_and(|ends| is_at_end(consumer, ends)) {
        // With an end to reach, positions may get there without a record.
        let patience = if ends.is_some() { Duration::from_millis(50) } else { Duration::MAX };
        let records = consumer.poll(patience).await?;
        text.clear();
        for record in records.iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
            request.format.write(record, &mut text);
        }
        if left < records.len() as u64 {
            put_back(consumer, &records[left as usize..])?;
        }
        left = left.saturating_sub(records.len() as u64);
        if cx.out.write_all(&text).and_then(|()| cx.out.flush()).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn put_back(consumer: &mut Consumer, unread: &[ottla_client::ConsumerRecord]) -> Result<(), Error> {
    // The first of each partition counts: it is moved to last.
    unread.iter().rev().try_for_each(|record| consumer.seek(&record.partition, record.offset))
}

fn is_at_end(consumer: &Consumer, ends: &BTreeMap<TopicPartition, i64>) -> bool {
    let assigned = consumer.assignment();
    let at_end = |partition: &TopicPartition| {
        consumer.position(partition).is_some_and(|position| Some(&position) >= ends.get(partition))
    };
    !assigned.is_empty() && assigned.iter().all(at_end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_read_in_all_forms() {
        let check = |text: &str, expected: Option<Start>| assert_eq!(start(text).ok(), expected, "{text}");
        check("start", Some(Start::FromFirst(0)));
        check("end", Some(Start::FromEnd(0)));
        check("12", Some(Start::At(12)));
        check("+3", Some(Start::FromFirst(3)));
        check("-3", Some(Start::FromEnd(3)));
        check("@1700000000000", Some(Start::Time(1_700_000_000_000)));
        check("soon", None);
        check("--3", None);
        check("", None);
    }
}
